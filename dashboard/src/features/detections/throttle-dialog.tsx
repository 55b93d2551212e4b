/** Sets how many alerts of a rule are wanted in a time, or takes the limit away. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { put } from '@/api/client'
import { rulePath, throttleQuery } from '@/api/detection'
import type { RuleDetail } from '@/api/detection-types'
import { useSubmit } from '@/app/submit'
import { Field, inputClass } from '@/ui'
import { FormDialog, HoursField, ReasonField } from '@/ui/form-dialog'
import { STALE } from './state-dialog'

const HOUR_S = 3_600
const LENGTHS: [number, string][] = [
  [1, 'an hour'],
  [8, '8 hours'],
  [24, 'a day'],
  [168, 'a week'],
  [720, '30 days'],
]
const KINDS = ['ip', 'host', 'user', 'process', 'file', 'domain', 'url', 'hash']

export default function ThrottleDialog({ rule, onClose }: { rule: RuleDetail; onClose: () => void }) {
  const set = useQuery(throttleQuery(rule.id))
  const [alerts, setAlerts] = useState(rule.throttle?.alerts ?? 1)
  const [hours, setHours] = useState(Math.max(1, Math.round((rule.throttle?.window_s ?? 24 * HOUR_S) / HOUR_S)))
  const [per, setPer] = useState<string>(rule.throttle?.per ?? '')
  const [off, setOff] = useState(false)
  const [reason, setReason] = useState('')
  const { error, busy, onSubmit } = useSubmit([...STALE, 'throttle'])
  const limit = off ? null : { alerts, window_s: hours * HOUR_S, per: per || null }
  const send = () => put(rulePath(rule.id, '/throttle'), { limit, reason: reason.trim() }, set.data?.version ?? 0)
  const lengths = LENGTHS.some(([h]) => h === hours)
    ? LENGTHS
    : [...LENGTHS, [hours, `${hours} hours`] as [number, string]]
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title={`Limit the alerts of: ${rule.title}`}
      note="What comes beyond is counted on the last alert, and on the page of the rule. It holds from the next events on."
      verb={off ? 'Take the limit away' : 'Limit'}
      incomplete={!reason.trim() || !set.data || (!off && !(alerts >= 1 && alerts <= 10_000))}
      onSubmit={onSubmit(send, onClose)}
    >
      {rule.throttle && (
        <label className="flex items-center gap-2 text-xs">
          <input type="checkbox" checked={off} onChange={e => setOff(e.target.checked)} />
          Without a limit again
        </label>
      )}
      {!off && (
        <div className="grid grid-cols-3 gap-3">
          <Field label="Alerts at most">
            <input
              className={inputClass}
              type="number"
              min={1}
              max={10_000}
              value={alerts}
              onChange={e => setAlerts(Number(e.target.value))}
            />
          </Field>
          <HoursField label="Within" value={hours} onChange={setHours} lengths={lengths} />
          <Field label="For each">
            <select className={inputClass} value={per} onChange={e => setPer(e.target.value)}>
              <option value="">the rule as a whole</option>
              {KINDS.map(kind => (
                <option key={kind}>{kind}</option>
              ))}
            </select>
          </Field>
        </div>
      )}
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}
