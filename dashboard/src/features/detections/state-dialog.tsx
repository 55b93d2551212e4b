/** Sets a rule's state, with a reason. What is not proved is enabled only by somebody who says so. */
import { useState } from 'react'
import { ApiError, patch } from '@/api/client'
import { rulePath } from '@/api/detection'
import type { RuleDetail, RuleState } from '@/api/detection-types'
import { useSubmit } from '@/app/submit'
import { Field, inputClass } from '@/ui'
import { FormDialog, ReasonField } from '@/ui/form-dialog'
import { isOwn, MISSING, STATE, VERB } from './state'

type Props = { rule: RuleDetail; to: RuleState; version?: number; onClose: () => void }

export const STALE = ['rule', 'rules', 'coverage-attack', 'coverage-log']

const numbers = (head: number) => Array.from({ length: head }, (_, i) => head - i)

export default function StateDialog({ rule, to, version, onClose }: Props) {
  const [reason, setReason] = useState('')
  const [override, setOverride] = useState(false)
  const [number, setNumber] = useState(version ?? rule.head ?? 1)
  const { error, busy, onSubmit } = useSubmit(STALE)
  const own = isOwn(rule)
  const runs = to === 'enabled' || to === 'shadow'
  const newest = number === rule.head
  const refused = error instanceof ApiError && error.code === 'rule_not_proved' ? error : null
  // Of an older version only the server knows whether it is proved.
  const missing = refused?.problem.errors?.map(e => e.code) ?? (newest ? (rule.proof?.missing ?? []) : [])
  const needed =
    error instanceof ApiError && error.problem.errors?.some(e => e.code === 'needed_by') ? error.problem.errors : null
  const gated = own && to === 'enabled' && missing.length > 0
  const send = () =>
    patch<RuleDetail>(
      rulePath(rule.id),
      {
        state: to,
        reason: reason.trim(),
        ...(own && runs && { version: number }),
        ...((gated || needed) && override && { override: true }),
      },
      rule.switched?.version ?? 0,
    )
  return (
    <FormDialog
      {...{ busy, onClose }}
      error={refused || needed ? null : error}
      title={`${VERB[to]}: ${rule.title}`}
      note={`${STATE[to].means} It holds from the next events on.`}
      verb={gated ? 'Enable without proof' : VERB[to]}
      danger={gated || to === 'retired'}
      incomplete={!reason.trim() || ((gated || needed !== null) && !override)}
      onSubmit={onSubmit(send, onClose)}
    >
      {own && runs && (rule.head ?? 1) > 1 && (
        <Field label="Version">
          <select className={inputClass} value={number} onChange={e => setNumber(Number(e.target.value))}>
            {numbers(rule.head ?? 1).map(n => (
              <option key={n} value={n}>
                {n}
                {n === rule.head ? ', the newest' : ''}
                {n === rule.live ? ', runs now' : ''}
              </option>
            ))}
          </select>
        </Field>
      )}
      {gated && (
        <div className="rounded-md px-2.5 py-2 text-xs soft-medium" role="status">
          <p className="font-medium">This version is not proved.</p>
          <ul className="mt-1 list-disc pl-4">
            {missing.map(code => (
              <li key={code}>{MISSING[code] ?? code}</li>
            ))}
          </ul>
          <label className="mt-2 flex items-start gap-2 text-fg">
            <input
              type="checkbox"
              className="mt-0.5"
              checked={override}
              onChange={e => setOverride(e.target.checked)}
            />
            Enable it all the same. My name and reason stand in the ledger, and the rule says that it is not proved.
          </label>
        </div>
      )}
      {needed && (
        <div className="rounded-md px-2.5 py-2 text-xs soft-medium" role="status">
          <p className="font-medium">Correlations that run need this rule.</p>
          <ul className="mt-1 list-disc pl-4">
            {needed.map(by => (
              <li key={by.detail}>{by.detail}</li>
            ))}
          </ul>
          <label className="mt-2 flex items-start gap-2 text-fg">
            <input
              type="checkbox"
              className="mt-0.5"
              checked={override}
              onChange={e => setOverride(e.target.checked)}
            />
            Do it all the same.
          </label>
        </div>
      )}
      <ReasonField autoFocus value={reason} onChange={setReason} />
    </FormDialog>
  )
}
