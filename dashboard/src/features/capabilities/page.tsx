/** The catalogue: what can be done to which kind of target, how it is taken back, and a form that plans it. */
import { lazy, Suspense, useState } from 'react'
import { capabilitiesQuery } from '@/api/response'
import type { Capability } from '@/api/response-types'
import { useHotkeys } from '@/app/hotkeys'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'
import { Card, Chip, cn, Empty, Loaded, NoPermission, PageBar, plural, took, words } from '@/ui'
import { LoadMore } from '@/ui/table'
import { PlanForm } from './plan-form'

const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))

const CLASS: Record<Capability['class'], { label: string; tone: string; means: string }> = {
  read_only: { label: 'reads only', tone: 'info', means: 'Changes nothing on the target.' },
  reversible: { label: 'reversible', tone: 'ok', means: 'Undo restores what was observed before.' },
  transient: { label: 'transient', tone: 'medium', means: 'Its effect goes away by itself.' },
  irreversible: { label: 'irreversible', tone: 'critical', means: 'There is no undo: it needs the higher approval.' },
}
const RISK: [string, string][] = [
  ['low', 'ok'],
  ['medium', 'medium'],
  ['high', 'high'],
]
const riskOf = (capability: Capability) => RISK[Math.min(Math.max(capability.base_risk, 1), 3) - 1] ?? ['high', 'high']

export default function CapabilitiesPage() {
  return useCan()('plan.read') ? <Catalogue /> : <NoPermission need="plan.read" />
}

function Catalogue() {
  const { query, items } = useList(capabilitiesQuery)
  const { capability: name } = useSearchParams()
  const set = useSetSearch()
  const [text, setText] = useState('')
  const [many, setMany] = useState(false)
  const [leaving, setLeaving] = useState<string | null>(null)
  const wanted = text.trim().toLowerCase()
  const shown = items?.filter(c => `${c.name} ${c.title} ${c.effects.join(' ')}`.toLowerCase().includes(wanted)) ?? []
  const chosen = items?.find(c => c.name === name)
  const open = (capability: string) => set({ capability })
  const choose = (other: string) => (many && other !== name ? setLeaving(other) : open(other))
  const move = (by: number) => {
    const at = shown.findIndex(c => c.name === name)
    const next = shown[Math.min(Math.max(0, at + by), shown.length - 1)]
    if (next) choose(next.name)
  }
  useHotkeys([
    { keys: 'j', label: 'Next capability', group: 'List', run: () => move(1) },
    { keys: 'k', label: 'Previous capability', group: 'List', run: () => move(-1) },
  ])
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageBar title="Capabilities" note={items && `${plural(items.length, 'thing')} that can be done`} />
      <div className="flex min-h-0 flex-1 max-md:flex-col">
        <section
          aria-label="Capabilities"
          className="scroll w-[320px] shrink-0 overflow-y-auto border-r border-line p-2 max-md:max-h-56 max-md:w-full max-md:border-r-0 max-md:border-b"
          tabIndex={0}
        >
          <input
            type="search"
            aria-label="Find a capability"
            placeholder="Find"
            className="mb-2 h-7.5 w-full rounded-md border border-control bg-surface px-2 text-sm placeholder:text-fg-3"
            value={text}
            onChange={e => setText(e.target.value)}
          />
          <Loaded query={query} what="Capabilities">
            {() => <Names shown={shown} chosen={name} onChosen={choose} />}
          </Loaded>
          <LoadMore query={query} />
        </section>
        <section className="scroll min-w-0 flex-1 overflow-y-auto p-4" aria-label="Capability" tabIndex={0}>
          {chosen ? (
            <Detail key={chosen.name} capability={chosen} capabilities={items ?? []} onMany={setMany} />
          ) : (
            <Empty title={name && items ? `There is no capability ${name}` : 'Choose what is to be done'}>
              Each is planned first: what would change on the live target, how risky it is, and how it is taken back.
            </Empty>
          )}
        </section>
      </div>
      <Suspense>
        {leaving !== null && (
          <ConfirmDialog
            title="Leave this plan"
            note="It has several actions and was not made: what was written is gone then."
            verb="Leave it"
            act={async () => open(leaving)}
            onClose={() => setLeaving(null)}
          />
        )}
      </Suspense>
    </div>
  )
}

type NamesProps = { shown: Capability[]; chosen?: string; onChosen: (name: string) => void }

function Names({ shown, chosen, onChosen }: NamesProps) {
  if (!shown.length) return <p className="px-2 py-3 text-xs text-fg-3">Nothing fits.</p>
  return (
    <ul>
      {shown.map(capability => (
        <li key={capability.name}>
          <button
            type="button"
            aria-current={capability.name === chosen || undefined}
            onClick={() => onChosen(capability.name)}
            className={cn(
              'flex w-full items-center gap-2 rounded-md px-2 py-1.5 text-left',
              capability.name === chosen ? 'bg-active' : 'hover:bg-hover',
            )}
          >
            <span className="min-w-0 flex-1">
              <span className="block truncate text-sm">{capability.title}</span>
              <span className="block truncate font-mono text-2xs text-fg-3">{capability.name}</span>
            </span>
            <Chip tone={CLASS[capability.class].tone} title={CLASS[capability.class].means}>
              {CLASS[capability.class].label}
            </Chip>
          </button>
        </li>
      ))}
    </ul>
  )
}

/** Words between backquotes are code. */
const Prose = ({ text }: { text: string }) =>
  text.split('`').map((part, place) =>
    place % 2 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the text does not change
      <code key={place} className="font-mono text-xs">
        {part}
      </code>
    ) : (
      part
    ),
  )

type DetailProps = { capability: Capability; capabilities: Capability[]; onMany: (many: boolean) => void }

function Detail({ capability, ...form }: DetailProps) {
  const kind = CLASS[capability.class]
  const [risk, tone] = riskOf(capability)
  return (
    <div className="mx-auto flex max-w-[760px] flex-col gap-3">
      <div>
        <h2 className="text-lg font-semibold tracking-tight">{capability.title}</h2>
        <code className="font-mono text-xs text-fg-3">{capability.name}</code>
      </div>
      <div className="flex flex-wrap items-center gap-1.5">
        <Chip tone={kind.tone} title={kind.means}>
          {kind.label}
        </Chip>
        <Chip tone="neutral" title="Change freezes hold back changes; containment goes on">
          {capability.purpose}
        </Chip>
        <Chip tone={tone} title="Where its risk starts; the target and what it reaches add to it">
          starts at {risk}
        </Chip>
        <Chip tone="neutral">on a {words(capability.target_kind).toLowerCase()}</Chip>
        {capability.effects.map(effect => (
          <Chip key={effect} tone="neutral">
            {effect}
          </Chip>
        ))}
      </div>
      <p className="text-sm text-fg-2">
        <Prose text={capability.docs} />
      </p>
      <p className="text-xs text-fg-3">
        {kind.means}
        {capability.settle_ms > 0 && ` It may take ${took(capability.settle_ms)} until it is in force.`}
      </p>
      <Card title="Plan it" level={3} body="p-3">
        <PlanForm capability={capability} {...form} />
      </Card>
    </div>
  )
}
