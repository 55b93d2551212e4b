/** Title, state and everything one can do with the incident as a whole. */
import { Download, GitMerge, Pencil, UserPlus } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { download } from '@/api/download'
import type { Incident, IncidentStatus, Plan, Verdict } from '@/api/types'
import { useHotkeys } from '@/app/hotkeys'
import { useNames } from '@/app/names'
import { useCan, useUser } from '@/app/session'
import { toast } from '@/app/toast'
import {
  Ago,
  Avatar,
  Btn,
  Chip,
  cap,
  clockSeconds,
  DemoTag,
  INCIDENT_STATUS,
  Kbd,
  Menu,
  SevIcon,
  sevTone,
  short,
  VERDICTS,
  verdictLabel,
} from '@/ui'
import { change, verdict } from './acts'
import { PhaseStepper } from './phase-stepper'
import { phaseOf } from './phases'
import { Respond } from './respond'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const EditDialog = lazy(() => import('./edit-dialog'))
const MergeDialog = lazy(() => import('./merge-dialog'))
const STATUSES: IncidentStatus[] = ['new', 'in_progress', 'on_hold', 'resolved', 'closed']

export function IncidentHeader({ incident, plans }: { incident: Incident; plans: Plan[] }) {
  return (
    <>
      <div className="flex items-center gap-2.5 max-lg:flex-wrap">
        <SevIcon s={incident.severity} />
        <span className="font-mono text-xs text-fg-3" title={incident.id}>
          {short(incident.id)}
        </span>
        <h1 className="min-w-0 truncate text-lg font-semibold tracking-tight" title={incident.title}>
          {incident.title}
        </h1>
        <Chip tone={sevTone(incident.severity)}>{cap(incident.severity)}</Chip>
        {incident.demo && <DemoTag />}
        {incident.verdict && (
          <Chip tone="neutral" title={incident.verdict_reason ?? undefined}>
            {verdictLabel(incident.verdict)}
          </Chip>
        )}
        <Actions incident={incident} />
      </div>
      <div className="mt-2.5 flex items-center gap-x-4 gap-y-1 pb-2.5 text-xs text-fg-3 max-md:flex-wrap">
        <PhaseStepper phase={phaseOf(incident, plans)} />
        <span className="num truncate md:ml-auto max-md:whitespace-normal">
          First seen {clockSeconds(incident.first_seen)} · last <Ago at={incident.last_seen} suffix /> ·{' '}
          {incident.alert_count} alerts · {incident.event_count} events
        </span>
      </div>
    </>
  )
}

function Actions({ incident }: { incident: Incident }) {
  const can = useCan()
  const names = useNames()
  const { user } = useUser()
  const [judging, setJudging] = useState<Verdict | 'none' | null>(null)
  const [editing, setEditing] = useState(false)
  const [merging, setMerging] = useState(false)
  const run = (act: Promise<unknown>, done: string) =>
    act.then(() => toast({ text: done })).catch((e: Error) => toast({ text: e.message, tone: 'critical' }))
  const assign = () => void run(change(incident.id, { assignee: user.id }), 'Assigned to you')
  const write = can('incident.write')
  useHotkeys([{ keys: 'a', label: 'Assign to me', group: 'Incident', run: assign, when: () => write }])
  return (
    <div className="ml-auto flex shrink-0 items-center gap-1.5 max-lg:shrink max-lg:flex-wrap">
      <Respond incident={incident} />
      {incident.assignee && <Avatar name={names(incident.assignee)} size={24} />}
      {write && (
        <>
          {incident.assignee !== user.id && (
            <Btn onClick={assign}>
              <UserPlus size={14} aria-hidden="true" />
              Take
              <Kbd k="a" />
            </Btn>
          )}
          <Menu
            label="Status"
            trigger={INCIDENT_STATUS[incident.status]}
            items={STATUSES.map(status => ({
              id: status,
              label: INCIDENT_STATUS[status],
              disabled: status === incident.status,
              run: () => void run(change(incident.id, { status }), `Status: ${INCIDENT_STATUS[status].toLowerCase()}`),
            }))}
          />
          <Menu
            label="Verdict"
            trigger="Verdict…"
            items={[
              ...VERDICTS.map(v => ({ id: v.id as string, label: v.label, hint: v.hint, run: () => setJudging(v.id) })),
              ...(incident.verdict
                ? [{ id: 'none', label: 'Take back', hint: 'No verdict; open again', run: () => setJudging('none') }]
                : []),
            ]}
          />
          <Btn
            icon
            aria-label="Edit title and severity"
            title="Edit title and severity"
            onClick={() => setEditing(true)}
          >
            <Pencil size={14} aria-hidden="true" />
          </Btn>
          <Btn
            icon
            aria-label="Merge into another incident"
            title="Merge into another incident"
            onClick={() => setMerging(true)}
          >
            <GitMerge size={14} aria-hidden="true" />
          </Btn>
        </>
      )}
      <ExportMenu id={incident.id} />
      <Suspense>
        {judging && (
          <ReasonDialog
            open
            onClose={() => setJudging(null)}
            title={judging === 'none' ? 'Take the verdict back' : `Verdict: ${verdictLabel(judging).toLowerCase()}`}
            note={
              judging === 'none'
                ? 'The incident has no verdict then and is open again; the ledger keeps both.'
                : VERDICTS.find(v => v.id === judging)?.hint
            }
            verb={judging === 'none' ? 'Take back' : 'Give verdict'}
            act={reason => verdict(incident.id, judging === 'none' ? null : judging, reason)}
          />
        )}
        {editing && <EditDialog incident={incident} onClose={() => setEditing(false)} />}
        {merging && <MergeDialog incident={incident} onClose={() => setMerging(false)} />}
      </Suspense>
    </div>
  )
}

function ExportMenu({ id }: { id: string }) {
  const open = (format: 'json' | 'html') =>
    void download(`/incidents/${id}/export`, { format }, `incident.${format}`).catch((error: Error) =>
      toast({ text: error.message, tone: 'critical' }),
    )
  return (
    <Menu
      label="Export"
      trigger={
        <>
          <Download size={14} aria-hidden="true" />
          Export
        </>
      }
      items={[
        { id: 'html', label: 'One HTML page', hint: 'Self-contained, for reading and filing', run: () => open('html') },
        { id: 'json', label: 'JSON', hint: 'Everything, for other tools', run: () => open('json') },
      ]}
    />
  )
}
