/** Exceptions as rows: what they take out, who answers for them, why, until when. */
import { lazy, Suspense, useState } from 'react'
import { del, patch } from '@/api/client'
import { exceptionsQuery } from '@/api/detection'
import type { Exception } from '@/api/detection-types'
import { ActBtn } from '@/app/guard'
import { acted } from '@/app/submit'
import { useList } from '@/app/use-list'
import { absolute, Btn, Chip, Empty, Loaded, plural, Until } from '@/ui'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'
import { DiagnosticList } from './diagnostics'
import { STALE } from './exception-dialog'
import { RuleName } from './rule-name'
import { YamlSource } from './yaml'

const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))
const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const NONE = new Set<number>()
const MORE_DAYS = 30
const DAY_MS = 86_400_000

type Props = { ruleId?: string; active?: boolean; empty: string }

export function ExceptionList({ ruleId, active, empty }: Props) {
  const { query, items } = useList(exceptionsQuery({ rule_id: ruleId, active }))
  return (
    <>
      <Loaded query={query} what="Exceptions">
        {() =>
          items?.length ? (
            <Table
              label="List of exceptions"
              head={['Exception', ...(ruleId ? [] : ['Rules']), 'Owner', 'Why', 'By', 'Ends']}
            >
              {items.map(exception => (
                <Row key={exception.id} exception={exception} rules={!ruleId} />
              ))}
            </Table>
          ) : (
            <Empty title="No exception">{empty}</Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </>
  )
}

function Row({ exception, rules }: { exception: Exception; rules: boolean }) {
  const [open, setOpen] = useState(false)
  const [asking, setAsking] = useState<'end' | 'longer' | null>(null)
  return (
    <>
      <Tr dead={!exception.active}>
        <Td>
          <button
            type="button"
            aria-expanded={open}
            onClick={() => setOpen(!open)}
            className="h-6 text-left font-medium text-accent hover:underline"
          >
            {exception.title}
          </button>
          {exception.diagnostics.length > 0 && (
            <Chip tone="medium" className="ml-1.5">
              {plural(exception.diagnostics.length, 'hint')}
            </Chip>
          )}
        </Td>
        {rules && (
          <Td>
            <Rules rules={exception.rules} />
          </Td>
        )}
        <Td>{exception.owner}</Td>
        <Td className="max-w-72 truncate">
          <span title={exception.reason}>{exception.reason}</span>
        </Td>
        <Td className="text-fg-2">{exception.by_name ?? exception.by}</Td>
        <Td className="whitespace-nowrap text-fg-2">
          <span title={absolute(exception.expires_at)}>
            {exception.active ? <Until at={exception.expires_at} /> : 'over'}
          </span>
        </Td>
        <Acts>
          <ActBtn need="rule.write" size="sm" v="ghost" onClick={() => setAsking('longer')}>
            {exception.active ? 'Longer…' : 'Again…'}
          </ActBtn>
          <ActBtn need="rule.write" size="sm" v="ghost" onClick={() => setAsking('end')}>
            Remove…
          </ActBtn>
          <Suspense>{asking && <Asked what={asking} exception={exception} onClose={() => setAsking(null)} />}</Suspense>
        </Acts>
      </Tr>
      {open && (
        <tr>
          <td colSpan={rules ? 7 : 6} className="border-b border-line/60 bg-bg p-3">
            <div className="max-h-72 overflow-auto">
              <YamlSource text={exception.filter} marked={NONE} />
            </div>
            {exception.diagnostics.length > 0 && <DiagnosticList items={exception.diagnostics} />}
          </td>
        </tr>
      )}
    </>
  )
}

function Rules({ rules }: { rules: string[] }) {
  if (!rules.length || rules.includes('any')) return <Chip tone="medium">every rule</Chip>
  return (
    <span className="flex flex-col">
      {rules.slice(0, 3).map(id => (
        <RuleName key={id} id={id} tab="exceptions" />
      ))}
      {rules.length > 3 && <span className="text-fg-3">+{rules.length - 3}</span>}
    </span>
  )
}

type AskedProps = { what: 'end' | 'longer'; exception: Exception; onClose: () => void }

function Asked({ what, exception, onClose }: AskedProps) {
  const path = `/exceptions/${exception.id}`
  if (what === 'end')
    return (
      <ConfirmDialog
        title={`Remove “${exception.title}”`}
        note="What it takes out raises alerts again, from the next events on."
        verb="Remove exception"
        act={() => acted(del(path, exception.version), STALE)}
        onClose={onClose}
      />
    )
  const from = Math.max(Date.now(), Date.parse(exception.expires_at))
  const expires_at = new Date(from + MORE_DAYS * DAY_MS).toISOString()
  return (
    <ReasonDialog
      open
      title={`Let “${exception.title}” go on`}
      note={`It then ends on ${absolute(expires_at)}.`}
      verb={`Go on for ${MORE_DAYS} days`}
      act={reason => acted(patch(path, { expires_at, reason }, exception.version), STALE)}
      onClose={onClose}
    />
  )
}

export const Filters = ({ all, onAll }: { all: boolean; onAll: (all: boolean) => void }) => (
  <Btn size="sm" v="ghost" aria-pressed={all} onClick={() => onAll(!all)}>
    {all ? 'Only those that hold' : 'Show the ones that are over'}
  </Btn>
)
