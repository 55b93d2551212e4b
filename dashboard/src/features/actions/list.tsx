/** The list of actions: filters in the address, rows that do not move, and one action beside it. */
import { useState } from 'react'
import { actionsQuery } from '@/api/response'
import type { Action, ActionState } from '@/api/types'
import { useHotkeys } from '@/app/hotkeys'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useStableRows } from '@/app/stable-rows'
import { useFill, useList } from '@/app/use-list'
import { ACTION_STATE, Ago, Btn, Chip, cn, Empty, Loaded, Marks, short, Until } from '@/ui'
import { NewPill } from '@/ui/new-pill'
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
]
const STATES = Object.keys(ACTION_STATE) as ActionState[]
/** A group, or one state. */
const statesOf = (chosen: string | undefined) => GROUPS.find(g => g.id === chosen)?.states.join(',') ?? chosen
const names = (actions: Action[], of: (action: Action) => string, chosen: string | undefined) =>
  [...new Set([...actions.map(of), ...(chosen ? [chosen] : [])])].sort()

export function ActionList() {
  const { state, capability, target, id } = useSearchParams()
  const set = useSetSearch()
  const { query, items } = useList(actionsQuery({ state: statesOf(state) }))
  const match = (action: Action) =>
    (!capability || action.capability === capability) && (!target || action.target.name === target)
  const key = `${state ?? ''}|${capability ?? ''}|${target ?? ''}`
  const { rows, waiting, flush } = useStableRows<Action>({ items, key, match })
  useFill(query, rows.length)
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
  const any = state || capability || target
  return (
    <>
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
          {names(items ?? [], a => a.capability, capability).map(name => (
            <option key={name}>{name}</option>
          ))}
        </Pick>
        <Pick label="Target" value={target} onValue={value => set({ target: value })}>
          {names(items ?? [], a => a.target.name, target).map(name => (
            <option key={name}>{name}</option>
          ))}
        </Pick>
        {any && (
          <Btn size="sm" v="ghost" onClick={() => set({ state: undefined, capability: undefined, target: undefined })}>
            Clear
          </Btn>
        )}
      </div>
      <div className="flex min-h-0 flex-1">
        <div className="relative min-h-0 min-w-0 flex-1">
          <NewPill n={waiting} noun="action" onShow={flush} />
          <section className="scroll h-full overflow-y-auto" aria-label="List of actions" tabIndex={0}>
            <Loaded query={query} what="Actions">
              {() => (rows.length ? <Rows rows={rows} chosen={id} /> : <None filtered={!!any} />)}
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

type PickProps = {
  label: string
  value: string | undefined
  onValue: (value: string | undefined) => void
  children: React.ReactNode
}
const Pick = ({ label, value, onValue, children }: PickProps) => (
  <select
    aria-label={label}
    value={value ?? ''}
    onChange={e => onValue(e.target.value || undefined)}
    className="h-7.5 max-w-56 rounded-md border border-control bg-surface px-1.5 text-xs text-fg-2"
  >
    <option value="">{`${label}: any`}</option>
    {children}
  </select>
)

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
              <Chip tone={state.tone} title={state.means}>
                {state.label}
              </Chip>
            </Td>
            <Td>
              <button type="button" className="text-left font-mono hover:underline" aria-label={rowName(action)}>
                {action.capability}
              </button>
              <span className="block max-w-80 truncate font-mono text-2xs text-fg-3">
                {action.undo_of ? `undoes ${short(action.undo_of)}` : paramsText(action.params)}
              </span>
            </Td>
            <Td>
              <span className="flex items-center gap-1.5 font-mono">
                {action.target.name} <Marks demo={action.demo} simulated={action.simulated} />
              </span>
            </Td>
            <Td className="font-mono text-fg-3">{short(action.plan_id)}</Td>
            <Td className="whitespace-nowrap text-fg-2">
              {action.applied_at ? <Ago at={action.applied_at} suffix /> : 'not begun'}
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
  `${action.capability} on ${action.target.name}, ${ACTION_STATE[action.state].label.toLowerCase()}`
