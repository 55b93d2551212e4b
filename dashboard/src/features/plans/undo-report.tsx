/** What an undo of many would do, or did: what cannot be undone stands first, then everything in the order of undoing. */
import { Link } from '@tanstack/react-router'
import { CircleCheck, TriangleAlert } from 'lucide-react'
import type { Prospect, UndoItem, UndoReport } from '@/api/response-types'
import { ACTION_STATE, Ago, Chip, Marks, plural, short } from '@/ui'
import { Table, Td, Tr } from '@/ui/table'

const PROSPECT: Record<Prospect, { label: string; tone: string; means: string }> = {
  undo: { label: 'will be undone', tone: 'ok', means: 'It is undone at once and read back.' },
  needs_approval: {
    label: 'waits for approval',
    tone: 'medium',
    means: 'Its undo becomes a plan that somebody approves.',
  },
  nothing: { label: 'nothing to do', tone: 'neutral', means: 'It was undone already, or nothing was done.' },
  cannot: { label: 'cannot be undone', tone: 'critical', means: 'There is no way back.' },
  unknown: { label: 'not known', tone: 'high', means: 'Its target could not be read; its undo is tried all the same.' },
}

export function UndoReportView({ report }: { report: UndoReport }) {
  const lost = report.items.filter(item => item.prospect === 'cannot')
  const unread = report.items.filter(item => item.prospect === 'unknown')
  return (
    <div className="space-y-3">
      {lost.length > 0 && (
        <Named title={`${plural(lost.length, 'action')} cannot be undone`} items={lost} tone="critical" />
      )}
      {unread.length > 0 && (
        <Named
          title={`Of ${plural(unread.length, 'action')} the target could not be read`}
          items={unread}
          tone="high"
        />
      )}
      <p role="status" className="flex items-center gap-1.5 text-sm">
        {!report.preview && !report.goes_on && report.items.every(item => item.done !== false) && (
          <CircleCheck size={14} className="text-ok" aria-hidden="true" />
        )}
        <Summary report={report} />
      </p>
      {report.items.length > 0 && (
        <Table
          label={report.preview ? 'What would be undone' : 'What was undone'}
          head={[...HEAD, report.preview ? 'Prospect' : 'State', 'Why']}
          acts={false}
        >
          {report.items.map((item, i) => (
            <Row key={item.action_id} item={item} place={i + 1} preview={report.preview} />
          ))}
        </Table>
      )}
    </div>
  )
}
const HEAD = ['Order', 'Action', 'Target', 'Begun', 'What undo does']

function Summary({ report }: { report: UndoReport }) {
  const { preview, items, undoable, need_approval, cannot, not_read, undone, goes_on } = report
  if (!items.length && goes_on) return <>It has begun and goes on by itself; the actions say how they stand.</>
  if (!items.length) return <>Nothing was done in that scope: there is nothing to undo.</>
  const waits = need_approval ? `, ${need_approval} ${need_approval === 1 ? 'waits' : 'wait'} for approval` : ''
  const unread = not_read ? `, of ${not_read} the target could not be read` : ''
  if (preview) return <>{`${undoable} of ${plural(items.length, 'action')} can be undone at once${waits}${unread}.`}</>
  const left = cannot ? `, ${cannot} could not be` : ''
  return (
    <>
      {`${undone} of ${plural(items.length, 'action')} undone and read back${left}${waits}${unread}.`}{' '}
      {goes_on && 'It was not through yet and goes on by itself. '}
      {need_approval > 0 && (
        <Link to="/approvals" className="text-accent hover:underline">
          See approvals
        </Link>
      )}
    </>
  )
}

function Named({ title, items, tone }: { title: string; items: UndoItem[]; tone: 'critical' | 'high' }) {
  return (
    <div role="alert" className={`rounded-md px-2.5 py-2 text-xs soft-${tone}`}>
      <p className="flex items-center gap-1.5 font-medium">
        <TriangleAlert size={13} aria-hidden="true" />
        {title}
      </p>
      <ul className="mt-1 space-y-0.5">
        {items.map(item => (
          <li key={item.action_id}>
            <code className="font-mono">{item.capability}</code> on{' '}
            <code className="font-mono">{item.target.name}</code>
            {item.why && `: ${item.why}`}
          </li>
        ))}
      </ul>
    </div>
  )
}

function Row({ item, place, preview }: { item: UndoItem; place: number; preview: boolean }) {
  const prospect = PROSPECT[item.prospect]
  const state = ACTION_STATE[item.state]
  return (
    <Tr>
      <Td className="num text-fg-3">{place}</Td>
      <Td>
        <Link
          to="/plans/$id"
          params={{ id: item.plan_id }}
          className="font-mono text-accent hover:underline"
          title={`Plan ${short(item.plan_id)}`}
        >
          {item.capability}
        </Link>
      </Td>
      <Td>
        <span className="flex items-center gap-1.5 font-mono">
          {item.target.name} <Marks simulated={item.simulated} />
        </span>
      </Td>
      <Td className="whitespace-nowrap text-fg-2">{item.applied_at ? <Ago at={item.applied_at} suffix /> : ''}</Td>
      <Td className="min-w-48 text-fg-2">{item.undo || 'It names no undo.'}</Td>
      <Td>
        {preview ? (
          <Chip tone={prospect.tone} title={prospect.means}>
            {prospect.label}
          </Chip>
        ) : (
          <Chip tone={state.tone} title={state.means}>
            {state.label}
          </Chip>
        )}
      </Td>
      <Td className="min-w-40 text-fg-2">{item.why}</Td>
    </Tr>
  )
}
