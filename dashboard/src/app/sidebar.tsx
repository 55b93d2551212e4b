/** The persistent navigation: only pages that exist, only those this person may open. */
import { useQuery } from '@tanstack/react-query'
import { Link, useRouterState } from '@tanstack/react-router'
import { LogOut } from 'lucide-react'
import { overviewQuery } from '@/api/queries'
import { Avatar, Btn, cn } from '@/ui/basic'
import { Tip } from '@/ui/tip'
import { mayOpen, NAV, type NavItem } from './nav'
import { coverNothing, useSidebar } from './prefs'
import { signOut, useCan, useUser } from './session'
import { TenantSwitch } from './tenant-switch'

const compact = (n: number) => (n >= 1000 ? `${(n / 1000).toFixed(n < 10_000 ? 1 : 0)}k` : String(n))

function useBadges(): Record<NonNullable<NavItem['badge']>, number> {
  const can = useCan()
  const { data } = useQuery({ ...overviewQuery(24), enabled: can('incident.read') })
  return {
    alerts: data?.alerts.open ?? 0,
    incidents: data?.incidents.open ?? 0,
    plans: data?.plans.waiting_count ?? 0,
    dead_letters: data?.ingest.dead_letters ?? 0,
  }
}

function Item({ item, open, badge }: { item: NavItem; open: boolean; badge: number }) {
  const path = useRouterState({ select: s => s.location.pathname })
  const on = item.to === '/' ? path === '/' : path === item.to || path.startsWith(`${item.to}/`)
  const waiting = item.badge === 'plans' || item.badge === 'incidents'
  return (
    <Link
      to={item.to}
      preload="intent"
      aria-current={on ? 'page' : undefined}
      title={open ? undefined : item.label}
      onClick={coverNothing}
      className={cn(
        'flex h-7 items-center gap-2 rounded-md px-2 text-sm',
        on ? 'bg-active font-medium text-fg' : 'text-fg-2 hover:bg-hover hover:text-fg',
      )}
    >
      <item.icon size={15} className={cn('shrink-0', on ? 'text-accent' : 'text-fg-3')} aria-hidden="true" />
      <span className={open ? 'truncate' : 'sr-only'}>{item.label}</span>
      {open && badge > 0 && (
        <span
          className={cn(
            'num ml-auto text-2xs',
            waiting ? 'rounded-full px-1.5 leading-4 font-medium soft-accent' : 'text-fg-3',
          )}
        >
          {compact(badge)}
        </span>
      )}
    </Link>
  )
}

export function Sidebar() {
  const open = useSidebar()
  const can = useCan()
  const badges = useBadges()
  const { operator } = useUser()
  return (
    <nav
      aria-label="Main"
      className={cn(
        'shrink-0 flex-col border-r border-line bg-bg',
        open
          ? 'flex w-[212px] max-md:fixed max-md:inset-y-0 max-md:z-30 max-md:shadow-pop'
          : 'flex w-[49px] max-md:hidden',
      )}
    >
      <TenantSwitch open={open} />
      <div className="scroll min-h-0 flex-1 overflow-y-auto px-2 pb-2">
        {NAV.map(group => {
          const items = group.items.filter(item => mayOpen(item, can, operator))
          if (!items.length) return null
          return (
            <div key={group.group} className="mb-3">
              {open ? (
                <h2 className="px-2 pb-0.5 text-2xs leading-5 text-fg-3">{group.group}</h2>
              ) : (
                <div className="mx-2 mb-1.5 border-t border-line" />
              )}
              {items.map(item => (
                <Item key={item.to} item={item} open={open} badge={item.badge ? badges[item.badge] : 0} />
              ))}
            </div>
          )
        })}
      </div>
      <Account open={open} />
    </nav>
  )
}

function Account({ open }: { open: boolean }) {
  const { user } = useUser()
  return (
    <div className={cn('flex items-center gap-2 border-t border-line p-2', !open && 'flex-col')}>
      <Link
        to="/settings"
        search={{ tab: 'account' }}
        onClick={coverNothing}
        className="flex h-9 min-w-0 flex-1 items-center gap-2 rounded-md px-1.5 hover:bg-hover"
      >
        <Avatar name={user.name} size={22} />
        <span className={open ? 'min-w-0 leading-4' : 'sr-only'}>
          <span className="block truncate text-xs font-medium">{user.name}</span>
          <span className="block text-2xs text-fg-3">{user.role.startsWith('rol_') ? 'custom role' : user.role}</span>
        </span>
      </Link>
      <Tip label="Sign out">
        <Btn v="ghost" icon size="sm" aria-label="Sign out" onClick={() => void signOut()}>
          <LogOut size={14} aria-hidden="true" />
        </Btn>
      </Tip>
    </div>
  )
}
