/** What is shown once automation was halted: the banner on every page, and the questions before halting and resuming. */
import { OctagonPause, Play } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { post } from '@/api/client'
import { automationQuery } from '@/api/queries'
import { Btn } from '@/ui/basic'
import { Ago } from '@/ui/time'
import { asking, askResume, useAutomation } from './automation'
import { useNames } from './names'
import { queryClient } from './query-client'
import { useCan } from './session'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))

export default function Halt({ what }: { what: 'halt' | 'resume' | null }) {
  return (
    <>
      <HaltBanner />
      {what && <AutomationDialog what={what} />}
    </>
  )
}

async function change(to: 'halt' | 'resume', reason: string) {
  await post(`/automation/${to}`, { reason })
  await queryClient.invalidateQueries({ queryKey: automationQuery.queryKey })
}

function HaltBanner() {
  const state = useAutomation()
  const names = useNames()
  const can = useCan()
  if (!state?.halted) return null
  return (
    <div
      role="alert"
      className="flex min-h-10 shrink-0 items-center gap-2 border-b border-line px-4 py-1 text-sm soft-critical"
    >
      <OctagonPause size={15} aria-hidden="true" />
      <p className="min-w-0 truncate">
        <b className="font-semibold">Automation is halted.</b> Nothing runs until a person resumes it.
        {state.reason && <span> Reason: {state.reason}</span>}
        {state.by && <span> · {names(state.by)}</span>}
        {state.at && (
          <span>
            {' '}
            · <Ago at={state.at} suffix />
          </span>
        )}
      </p>
      {can('automation.write') ? (
        <Btn size="sm" className="ml-auto" onClick={askResume}>
          <Play size={13} aria-hidden="true" />
          Resume…
        </Btn>
      ) : (
        <span className="ml-auto text-xs">An analyst or administrator can resume it.</span>
      )}
    </div>
  )
}

function AutomationDialog({ what }: { what: 'halt' | 'resume' }) {
  const halt = what === 'halt'
  return (
    <Suspense>
      <ReasonDialog
        open
        onClose={() => asking.set(null)}
        danger={halt}
        title={halt ? 'Halt all automation' : 'Resume automation'}
        note={
          halt
            ? 'Nothing new starts and pending runs stop. What is in force stays in force; undo stays possible. Only a person can resume.'
            : 'Approved plans may run again. Plans that expired meanwhile stay expired.'
        }
        verb={halt ? 'Halt automation' : 'Resume automation'}
        act={reason => change(what, reason)}
      />
    </Suspense>
  )
}
