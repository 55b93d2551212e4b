/** The automation switch, with what it does. */
import { OctagonPause, Play } from 'lucide-react'
import { askHalt, askResume, useAutomation } from '@/app/automation'
import { useNames } from '@/app/names'
import { useCan } from '@/app/session'
import { Ago, Btn, Card, Chip } from '@/ui'

export function AutomationSection() {
  const state = useAutomation()
  const can = useCan()
  const names = useNames()
  return (
    <Card
      title="Automation"
      extra={state && <Chip tone={state.halted ? 'critical' : 'ok'}>{state.halted ? 'Halted' : 'Running'}</Chip>}
      body="p-3"
    >
      <p className="max-w-[720px] text-fg-2">
        Halting stops everything that would act: nothing new starts and pending runs stop where they are. What is in
        force stays in force, and undo stays possible. Only a person can resume.
      </p>
      {state?.halted && (
        <p className="mt-2 text-fg-2">
          {state.by ? `Halted by ${names(state.by)}` : 'Halted'}
          {state.at && (
            <>
              , <Ago at={state.at} suffix />
            </>
          )}
          {state.reason && `: ${state.reason}`}
        </p>
      )}
      {can('automation.write', state?.halted ? undefined : 'stop') && (
        <div className="mt-3">
          {state?.halted ? (
            <Btn v="primary" onClick={askResume}>
              <Play size={14} aria-hidden="true" />
              Resume automation…
            </Btn>
          ) : (
            <Btn v="danger" onClick={askHalt}>
              <OctagonPause size={14} aria-hidden="true" />
              Halt all automation…
            </Btn>
          )}
        </div>
      )}
    </Card>
  )
}
