/** Ctrl K: jump to an incident or alert, search events for what was typed, or run a command. */
import { Autocomplete } from '@base-ui/react/autocomplete'
import { Dialog } from '@base-ui/react/dialog'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import {
  ArrowRight,
  Bell,
  Building2,
  CornerDownLeft,
  Keyboard,
  LogOut,
  type LucideIcon,
  Moon,
  OctagonPause,
  Play,
  Search,
  ShieldAlert,
} from 'lucide-react'
import { useMemo, useState } from 'react'
import { alertsQuery, incidentsQuery } from '@/api/queries'
import { Kbd } from '@/ui/basic'
import { short } from '@/ui/format'
import { askHalt, askResume, useAutomation } from './automation'
import { mayOpen, NAV_ITEMS } from './nav'
import { NAV_WORDS } from './nav-words'
import { toggleTheme } from './prefs'
import { signOut, switchTenant, useCan, useUser } from './session'
import { useOtherTenants } from './tenant-switch'

type Item = { value: string; label: string; hint?: string; keys?: string; icon: LucideIcon; run: () => void }
type Group = { value: string; items: Item[] }
type Props = { open: boolean; onOpenChange: (open: boolean) => void; onHelp: () => void }

function useGroups(open: boolean, query: string, onHelp: () => void): Group[] {
  const navigate = useNavigate()
  const can = useCan()
  const { operator } = useUser()
  const tenants = useOtherTenants()
  const halted = useAutomation()?.halted
  const incidents = useInfiniteQuery({ ...incidentsQuery({}), enabled: open && can('incident.read') }).data
  const alerts = useInfiniteQuery({ ...alertsQuery({}), enabled: open && can('alert.read') }).data
  return useMemo(() => {
    const text = query.trim()
    const goTo = NAV_ITEMS.filter(i => mayOpen(i, can, operator)).map(i => ({
      value: `${i.label} ${NAV_WORDS[i.to] ?? ''}`,
      label: i.label,
      keys: i.keys,
      icon: i.icon,
      run: () => void navigate({ to: i.to }),
    }))
    const commands: Item[] = [
      { value: 'Switch theme dark light', label: 'Switch theme', keys: 't', icon: Moon, run: toggleTheme },
      { value: 'Keyboard shortcuts help', label: 'Keyboard shortcuts', keys: '?', icon: Keyboard, run: onHelp },
      { value: 'Sign out', label: 'Sign out', icon: LogOut, run: () => void signOut() },
    ]
    if (can('automation.write', halted ? undefined : 'stop')) {
      commands.unshift(
        halted
          ? { value: 'Resume automation', label: 'Resume automation…', icon: Play, run: askResume }
          : { value: 'Halt automation stop', label: 'Halt automation…', icon: OctagonPause, run: askHalt },
      )
    }
    const groups: Group[] = [
      {
        value: 'Incidents',
        items: (incidents?.pages.flatMap(p => p.items) ?? []).slice(0, 50).map(i => ({
          value: `${i.title} ${i.id} ${i.entities.map(e => e.value).join(' ')}`,
          label: i.title,
          hint: short(i.id),
          icon: ShieldAlert,
          run: () => void navigate({ to: '/incidents/$id', params: { id: i.id } }),
        })),
      },
      {
        value: 'Alerts',
        items: (text ? (alerts?.pages.flatMap(p => p.items) ?? []) : []).slice(0, 200).map(a => ({
          value: `${a.rule_title} ${a.id} ${a.entities.map(e => e.value).join(' ')}`,
          label: a.rule_title,
          hint: `${short(a.id)} · ${a.entities[0]?.value ?? ''}`,
          icon: Bell,
          run: () => void navigate({ to: '/alerts/$id', params: { id: a.id } }),
        })),
      },
      { value: 'Go to', items: goTo },
      {
        value: 'Tenants',
        items: tenants.map(t => ({
          value: `Switch to ${t.name} ${t.slug} tenant`,
          label: `Switch to ${t.name}`,
          hint: t.slug,
          icon: Building2,
          run: () => switchTenant(t.slug),
        })),
      },
      { value: 'Do', items: commands },
    ]
    if (text && can('event.read')) {
      const run = () => void navigate({ to: '/events', search: { q: text } })
      groups.push({
        value: 'Search',
        items: [{ value: `${text} events`, label: `Search all events for “${text}”`, icon: Search, run }],
      })
    }
    return groups.filter(g => g.items.length)
  }, [query, incidents, alerts, navigate, can, halted, onHelp, operator, tenants])
}

export default function Palette({ open, onOpenChange, onHelp }: Props) {
  const [query, setQuery] = useState('')
  const groups = useGroups(open, query, onHelp)
  const close = () => {
    onOpenChange(false)
    setQuery('')
  }
  return (
    <Dialog.Root open={open} onOpenChange={next => (next ? onOpenChange(true) : close())}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-black/50" />
        <Dialog.Popup
          aria-label="Search and commands"
          className="fixed top-[14vh] left-1/2 z-50 flex max-h-[64vh] w-[min(640px,calc(100vw-32px))] -translate-x-1/2 flex-col overflow-hidden rounded-xl bg-raised shadow-pop outline-none"
        >
          <Autocomplete.Root
            open
            inline
            items={groups}
            autoHighlight="always"
            keepHighlight
            value={query}
            onValueChange={setQuery}
            itemToStringValue={(item: Item) => item.value}
          >
            <div className="flex h-12 shrink-0 items-center gap-2.5 border-b border-line px-4">
              <Search size={16} className="text-fg-3" aria-hidden="true" />
              <Autocomplete.Input
                aria-label="Search or run a command"
                placeholder="Search, jump, or type a command"
                className="h-full flex-1 bg-transparent text-base outline-none placeholder:text-fg-3"
              />
              <Kbd k="escape" />
            </div>
            <div className="scroll min-h-0 flex-1 overflow-y-auto [scroll-padding-block:8px]">
              <Autocomplete.List className="p-1.5">
                {(group: Group) => (
                  <Autocomplete.Group key={group.value} items={group.items} className="mb-1">
                    <Autocomplete.GroupLabel className="px-2.5 py-1 text-2xs font-medium text-fg-3">
                      {group.value}
                    </Autocomplete.GroupLabel>
                    <Autocomplete.Collection>
                      {(item: Item) => (
                        <PaletteRow
                          key={item.value}
                          item={item}
                          onPick={() => {
                            close()
                            item.run()
                          }}
                        />
                      )}
                    </Autocomplete.Collection>
                  </Autocomplete.Group>
                )}
              </Autocomplete.List>
            </div>
            <div className="flex h-9 shrink-0 items-center gap-1.5 border-t border-line px-4 text-2xs text-fg-3">
              <CornerDownLeft size={11} aria-hidden="true" />
              open
            </div>
          </Autocomplete.Root>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

function PaletteRow({ item, onPick }: { item: Item; onPick: () => void }) {
  return (
    <Autocomplete.Item
      value={item}
      onClick={onPick}
      className="group flex h-9 items-center gap-2.5 rounded-md px-2.5 text-sm data-highlighted:bg-active"
    >
      <item.icon size={15} className="shrink-0 text-fg-3 group-data-highlighted:text-accent" aria-hidden="true" />
      <span className="truncate">{item.label}</span>
      {item.hint && <span className="truncate font-mono text-2xs text-fg-3">{item.hint}</span>}
      <span className="ml-auto">
        {item.keys ? (
          <Kbd k={item.keys} />
        ) : (
          <ArrowRight size={13} className="text-fg-3 opacity-0 group-data-highlighted:opacity-100" aria-hidden="true" />
        )}
      </span>
    </Autocomplete.Item>
  )
}
