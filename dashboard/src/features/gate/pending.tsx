/** Changes that wait for a second person: what they change, and the two ways they end. */
import { lazy, Suspense, useState } from 'react'
import { post } from '@/api/client'
import { AUTONOMY } from '@/api/gate'
import { POLICIES } from '@/api/policies'
import type { GateChange } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useUser } from '@/app/session'
import { acted } from '@/app/submit'
import { toast } from '@/app/toast'
import { Ago, Btn, Card, Chip, cap, Until } from '@/ui'
import { DiffTable } from '@/ui/diff-table'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))
const STALE = [...AUTONOMY, ...POLICIES, 'targets', 'plans']
const NEEDS = {
  autonomy: 'settings.write',
  lowered: 'settings.write',
  target: 'target.write',
  policies: 'settings.write',
}
const NOTE = {
  autonomy: 'It holds at once, for automation that runs now too.',
  lowered: 'It holds at once, for automation that runs now too.',
  target: 'It holds at once, and open plans for this target end.',
  policies: 'The built-in policies decide alone from the next decision on.',
}
const title = (change: GateChange) => {
  const name = (change.after as { name?: string } | null)?.name
  return change.kind === 'target' ? `Target ${name ?? change.subject}` : cap(change.subject)
}

export function Pending({ title, changes }: { title: string; changes: GateChange[] }) {
  return (
    <Card title={title}>
      <ul>
        {changes.map(change => (
          <Item key={change.id} change={change} />
        ))}
      </ul>
    </Card>
  )
}

function Item({ change }: { change: GateChange }) {
  const { user } = useUser()
  const [open, setOpen] = useState(false)
  const [asking, setAsking] = useState<'confirm' | 'withdraw' | null>(null)
  const own = change.by === user.id
  const why = 'You asked for it: another person must confirm it'
  return (
    <li className="border-b border-line/60 px-3 py-2 text-xs last:border-0">
      <div className="flex flex-wrap items-center gap-2">
        <Chip tone="neutral">{cap(change.kind)}</Chip>
        <span className="font-medium">{title(change)}</span>
        <span className="min-w-0 flex-1 basis-48 text-fg-2">
          {change.by_name}, <Ago at={change.at} suffix />
          {change.reason && `: ${change.reason}`}
          {change.replaces && ' (it took the place of an earlier request)'}
        </span>
        <span className="text-fg-3">
          <Until at={change.expires_at} />
        </span>
        <Btn size="sm" v="ghost" aria-expanded={open} onClick={() => setOpen(!open)}>
          What it changes
        </Btn>
        <Btn size="sm" v="ghost" onClick={() => setAsking('withdraw')}>
          Withdraw…
        </Btn>
        <ActBtn
          need={NEEDS[change.kind]}
          because={own ? why : null}
          size="sm"
          v="primary"
          onClick={() => setAsking('confirm')}
        >
          Confirm…
        </ActBtn>
      </div>
      {open && (
        <div className="pt-2">
          <DiffTable before={change.before} after={change.after} label={`What ${title(change)} changes`} />
        </div>
      )}
      <Suspense>{asking && <Ending change={change} how={asking} onClose={() => setAsking(null)} />}</Suspense>
    </li>
  )
}

type EndingProps = { change: GateChange; how: 'confirm' | 'withdraw'; onClose: () => void }

function Ending({ change, how, onClose }: EndingProps) {
  const path = `/gate-changes/${change.id}/${how}`
  if (how === 'withdraw')
    return (
      <ReasonDialog
        open
        title={`Withdraw ${title(change)}`}
        verb="Withdraw"
        act={reason => acted(post(path, { reason }), STALE)}
        onClose={onClose}
      />
    )
  return (
    <ConfirmDialog
      title={`Confirm ${title(change)}`}
      note={NOTE[change.kind]}
      verb="Confirm change"
      act={() => acted(post(path), STALE).then(() => toast({ text: `${title(change)}: it holds now.`, tone: 'ok' }))}
      onClose={onClose}
    >
      <DiffTable before={change.before} after={change.after} label="What it changes" />
    </ConfirmDialog>
  )
}
