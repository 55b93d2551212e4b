/** The list of actions: filters in the address, rows that do not move, and one action beside it. */
import { Link } from '@tanstack/react-router'
import { X } from 'lucide-react'
import { useState } from 'react'
import { targetsQuery } from '@/api/queries'
import { actionsQuery, capabilitiesQuery } from '@/api/response'
import type { Action, ActionState } from '@/api/types'
import { useHotkeys } from '@/app/hotkeys'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { useStableRows } from '@/app/stable-rows'
import { useList } from '@/app/use-list'
import { ACTION_STATE, Ago, Btn, Chip, cn, Empty, Loaded, Marks, short, Until } from '@/ui'
import { NewPill } from '@/ui/new-pill'
import { Pick } from '@/ui/pick'
import { LoadMore, Table, Td } from '@/ui/table'
import { paramsText } from '../plans/action-block'
import { ActionPanel } from './panel'

const GROUPS: { id: string; label: string; states: ActionState[] }[] = [
  { id: 'force', label: 'In force', states: ['verified', 'settling'] },
  {
    id: 'look',
    label: 'Wants a look',
    states: ['unverified', 'failed', 'drifted', 'undo_failed', 'aborted'],
  },
  { id: 'gone', label: 'Taken back or over', states: ['undone', 'expired'] },
  { id: 'never', label: 'Never begun', states: ['skipped'] },
]
const STATES = Object.keys(ACTION_STATE) as ActionState[]
/** A group, or one state. */
const statesOf = (chosen: string | undefined) => GROUPS.find(g => g.id === chosen)?.states.join(',') ?? chosen

export function ActionList() {
  const { state, capability, target, incident, id } = useSearchParams()
  const set = useSetSearch()
  const filter = { state: statesOf(state), capability, target_id: target, incident_id: incident }
  const { query, items } = useList(actionsQuery(filter))
  const { rows, waiting, flush } = useStableRows<Action>({ items, key: JSON.stringify(filter) })
  const [at, setAt] = useState(-1)
  const move = (by: number) => {
    const next = Math.min(Math.max(0, at + by), rows.length - 1)
    const row = rows[next]
    if (!row) return
    setAt(next)
    set({ id: row.id })
  }
  useHotkeys([
    { keys: 'j', label: 'Next action', group: 'List', run: () => move(1) },
    { keys: 'k', label: 'Previous action', group: 'List', run: () => move(-1) },
    { keys: 'escape', label: 'Close the action', group: 'List', run: () => set({ id: undefined }), when: () => !!id },
  ])
  const narrowed = !!(state || capability || target || incident)
  return (
    <>
      <Filters narrowed={narrowed} />
      <div className="flex min-h-0 flex-1">
        <div className="relative min-h-0 min-w-0 flex-1">
          <NewPill n={waiting} noun="action" onShow={flush} />
          <section className="scroll h-full overflow-y-auto" aria-label="List of actions" tabIndex={0}>
            <Loaded query={query} what="Actions">
              {() => (rows.length ? <Rows rows={rows} chosen={id} /> : <None filtered={narrowed} />)}
            </Loaded>
            <LoadMore query={query} />
          </section>
        </div>
        {id && <ActionPanel key={id} id={id} onClose={() => set({ id: undefined })} />}
      </div>
    </>
  )
}

const None = ({ filtered }: { filtered: boolean }) =>
  filtered ? (
    <Empty title="No action fits these filters">Clear a filter to see more.</Empty>
  ) : (
    <Empty title="Nothing was done yet">
      Actions come from plans: an investigation proposes one, or you make one under Capabilities.
    </Empty>
  )

function Filters({ narrowed }: { narrowed: boolean }) {
  const { state, capability, target, incident } = useSearchParams()
  const set = useSetSearch()
  const can = useCan()
  const { items: capabilities } = useList({ ...capabilitiesQuery, enabled: can('plan.read') })
  const { items: targets } = useList({ ...targetsQuery, enabled: can('target.read') })
  const clear = () => set({ state: undefined, capability: undefined, target: undefined, incident: undefined })
  return (
    <div className="flex min-h-10 shrink-0 flex-wrap items-center gap-1.5 border-b border-line px-4 py-1.5">
      <Pick label="State" value={state} onValue={value => set({ state: value })}>
        {GROUPS.map(g => (
          <option key={g.id} value={g.id}>
            {g.label}
          </option>
        ))}
        {STATES.map(s => (
          <option key={s} value={s}>
            {ACTION_STATE[s].label}
          </option>
        ))}
      </Pick>
      <Pick label="Capability" value={capability} onValue={value => set({ capability: value })}>
        {withChosen(capabilities?.map(one => [one.name, one.title]) ?? [], capability).map(([name, title]) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </Pick>
      <Pick label="Target" value={target} onValue={value => set({ target: value })}>
        {withChosen(targets?.map(one => [one.id, one.name]) ?? [], target).map(([one, name]) => (
          <option key={one} value={one}>
            {name}
          </option>
        ))}
      </Pick>
      {incident && (
        <span className="inline-flex h-7.5 items-center gap-1 rounded-md pl-2 text-xs soft-accent">
          Incident
          <Link to="/incidents/$id" params={{ id: incident }} className="font-mono underline">
            {short(incident)}
          </Link>
          <Btn
            icon
            size="sm"
            v="ghost"
            aria-label="Actions of every incident"
            onClick={() => set({ incident: undefined })}
          >
            <X size={12} aria-hidden="true" />
          </Btn>
        </span>
      )}
      {narrowed && (
        <Btn size="sm" v="ghost" onClick={clear}>
          Clear
        </Btn>
      )}
    </div>
  )
}

/** What an address names stays to be seen, also where this person may not list it. */
const withChosen = (known: [string, string][], chosen: string | undefined): [string, string][] =>
  chosen && !known.some(([id]) => id === chosen) ? [...known, [chosen, chosen]] : known

function Rows({ rows, chosen }: { rows: Action[]; chosen: string | undefined }) {
  const set = useSetSearch()
  return (
    <Table label="Actions" head={['State', 'Action', 'Target', 'Plan', 'Begun', 'Ends']} acts={false}>
      {rows.map(action => {
        const state = ACTION_STATE[action.state]
        return (
          <tr
            key={action.id}
            aria-current={action.id === chosen || undefined}
            onClick={() => set({ id: action.id })}
            className={cn(
              'h-10 border-b border-line/60 last:border-0',
              action.id === chosen ? 'bg-active' : 'hover:bg-hover',
            )}
          >
            <Td>
              <Chip tone={state.tone} title={action.detail ?? state.means}>
                {state.label}
              </Chip>
            </Td>
            <Td>
              <button type="button" className="text-left font-mono hover:underline" aria-label={rowName(action)}>
                {action.undo_of && <span className="font-sans text-fg-2">Undo of </span>}
                {action.capability}
              </button>
              <span className="block max-w-110 truncate font-mono text-2xs text-fg-3">
                {action.undo_of && `undoes ${short(action.undo_of)}: `}
                {paramsText(action.params)}
              </span>
            </Td>
            <Td>
              <span className="flex items-center gap-1.5 font-mono">
                {action.target.name} <Marks demo={action.demo} simulated={action.simulated} />
              </span>
            </Td>
            <Td className="font-mono text-fg-3">{short(action.plan_id)}</Td>
            <Td className="whitespace-nowrap text-fg-2">
              {action.applied_at ? (
                <Ago at={action.applied_at} suffix />
              ) : action.state === 'planned' ? (
                'not begun'
              ) : (
                'never begun'
              )}
            </Td>
            <Td className="whitespace-nowrap text-fg-2">
              {action.expires_at && action.state === 'verified' ? <Until at={action.expires_at} /> : ''}
            </Td>
          </tr>
        )
      })}
    </Table>
  )
}
const rowName = (action: Action) =>
  `${action.undo_of ? 'Undo of ' : ''}${action.capability} on ${action.target.name}, ${ACTION_STATE[action.state].label.toLowerCase()}`
