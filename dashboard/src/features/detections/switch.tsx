/** Whether the rule raises alerts here, who said so and why; switching it takes a reason. */
import { Power, PowerOff } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { patch } from '@/api/client'
import type { Rule } from '@/api/types'
import { queryClient } from '@/app/query-client'
import { useCan } from '@/app/session'
import { Ago, Btn } from '@/ui'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))

async function flip(rule: Rule, reason: string) {
  const body = { enabled: rule.enabled === false, reason }
  await patch(`/rules/${encodeURIComponent(rule.id)}`, body, rule.switched?.version ?? 0)
  await Promise.all(['rule', 'rules'].map(key => queryClient.invalidateQueries({ queryKey: [key] })))
}

export function RuleSwitch({ rule }: { rule: Rule }) {
  const [asking, setAsking] = useState(false)
  const can = useCan()
  const off = rule.enabled === false
  const { switched } = rule
  return (
    <section className="flex items-start gap-3 p-3" aria-label="On or off">
      <div className="min-w-0 flex-1">
        <p className="font-medium">{off ? 'Off: raises no alerts here' : 'On'}</p>
        {switched && (
          <p className="text-xs text-fg-2">
            {off ? 'Switched off' : 'Switched on'} by {switched.by_name}, <Ago at={switched.at} suffix />:{' '}
            {switched.reason}
          </p>
        )}
      </div>
      {can('rule.write') && (
        <Btn size="sm" onClick={() => setAsking(true)}>
          {off ? <Power size={13} aria-hidden="true" /> : <PowerOff size={13} aria-hidden="true" />}
          {off ? 'Switch on…' : 'Switch off…'}
        </Btn>
      )}
      {asking && (
        <Suspense>
          <ReasonDialog
            open
            onClose={() => setAsking(false)}
            title={off ? 'Switch this rule on' : 'Switch this rule off'}
            note={
              off
                ? 'It raises alerts again from the next events on. What came while it was off is not looked at again.'
                : 'It raises no new alert here from the next events on. Alerts that exist stay; other tenants keep the rule.'
            }
            verb={off ? 'Switch on' : 'Switch off'}
            danger={!off}
            act={reason => flip(rule, reason)}
          />
        </Suspense>
      )}
    </section>
  )
}
