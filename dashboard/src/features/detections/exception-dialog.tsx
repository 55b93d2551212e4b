/** Makes an exception: what is not to raise an alert, who answers for it, why, and until when. */
import { Plus, X } from 'lucide-react'
import { useState } from 'react'
import { post } from '@/api/client'
import type { Exception, RuleView } from '@/api/detection-types'
import { useUser } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { Btn, Field, inputClass } from '@/ui'
import CodeEditor from '@/ui/code-editor'
import { FormDialog, HoursField, ReasonField } from '@/ui/form-dialog'
import { completeSigma } from './complete'
import { filterYaml, OPS, type Term, usable } from './exception-yaml'

const HOUR_MS = 3_600_000
export const LENGTHS: [number, string][] = [
  [24, 'a day'],
  [168, 'a week'],
  [720, '30 days'],
  [2_160, '90 days'],
  [8_760, 'a year'],
]
export const STALE = ['exceptions', 'rule', 'rules']
const NEW: Term = { field: '', op: '', value: '' }

type Props = { rule: Pick<RuleView, 'id' | 'title' | 'log_source'>; terms?: Term[]; onClose: () => void }

export default function ExceptionDialog({ rule, terms: given, onClose }: Props) {
  const { user } = useUser()
  const [title, setTitle] = useState('')
  const [terms, setTerms] = useState<Term[]>(given?.length ? given : [NEW])
  const [own, setOwn] = useState<string | null>(null)
  const [owner, setOwner] = useState(user.name)
  const [reason, setReason] = useState('')
  const [hours, setHours] = useState(720)
  const { error, busy, onSubmit } = useSubmit(STALE)
  const filter = own ?? filterYaml(title || `Not an alert: ${rule.title}`, rule, terms)
  const send = () =>
    post<Exception>('/exceptions', {
      filter,
      owner: owner.trim(),
      reason: reason.trim(),
      expires_at: new Date(Date.now() + hours * HOUR_MS).toISOString(),
    })
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title="New exception"
      note={`What fits it raises no alert of “${rule.title}”. It stays countable, and it ends by itself.`}
      width={680}
      verb="Make exception"
      working="Making…"
      incomplete={!reason.trim() || !owner.trim() || (own === null ? usable(terms).length === 0 : !own.trim())}
      onSubmit={onSubmit(send, onClose)}
    >
      {own === null ? (
        <>
          <Field label="Name">
            <input
              className={inputClass}
              maxLength={200}
              placeholder="Nightly backup of the file server"
              value={title}
              onChange={e => setTitle(e.target.value)}
            />
          </Field>
          <Terms terms={terms} onChange={setTerms} />
        </>
      ) : (
        <div className="h-64 overflow-hidden rounded-md border border-control">
          <CodeEditor label="Exception as a Sigma filter" value={own} onChange={setOwn} complete={completeSigma} />
        </div>
      )}
      <Btn size="sm" v="ghost" className="self-start" onClick={() => setOwn(own === null ? filter : null)}>
        {own === null ? 'Edit it as a Sigma filter' : 'Back to fields and values'}
      </Btn>
      <div className="grid grid-cols-2 gap-3">
        <Field label="Owner" hint="Who answers for it.">
          <input
            required
            className={inputClass}
            maxLength={100}
            value={owner}
            onChange={e => setOwner(e.target.value)}
          />
        </Field>
        <HoursField label="Ends after" value={hours} onChange={setHours} lengths={LENGTHS} />
      </div>
      <ReasonField value={reason} onChange={setReason} />
    </FormDialog>
  )
}

function Terms({ terms, onChange }: { terms: Term[]; onChange: (terms: Term[]) => void }) {
  const set = (at: number, change: Partial<Term>) => onChange(terms.map((t, i) => (i === at ? { ...t, ...change } : t)))
  return (
    <fieldset className="flex flex-col gap-1.5">
      <legend className="mb-1 text-xs font-medium text-fg-2">No alert where all of these hold</legend>
      {terms.map((term, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity while they are written
        <div key={i} className="flex gap-1.5">
          <input
            aria-label={`Field ${i + 1}`}
            placeholder="User"
            className={`${inputClass} min-w-0 flex-1 font-mono text-xs`}
            value={term.field}
            onChange={e => set(i, { field: e.target.value })}
          />
          <select
            aria-label={`How it is compared ${i + 1}`}
            className={`${inputClass} w-40 text-xs`}
            value={term.op}
            onChange={e => set(i, { op: e.target.value })}
          >
            {OPS.map(([op, label]) => (
              <option key={op} value={op}>
                {label}
              </option>
            ))}
          </select>
          <input
            aria-label={`Value ${i + 1}`}
            placeholder="backup"
            className={`${inputClass} min-w-0 flex-[1.6] font-mono text-xs`}
            value={term.value}
            onChange={e => set(i, { value: e.target.value })}
          />
          <Btn
            v="ghost"
            icon
            aria-label={`Remove line ${i + 1}`}
            disabled={terms.length === 1}
            onClick={() => onChange(terms.filter((_, at) => at !== i))}
          >
            <X size={13} aria-hidden="true" />
          </Btn>
        </div>
      ))}
      <Btn size="sm" v="ghost" className="self-start" onClick={() => onChange([...terms, NEW])}>
        <Plus size={12} aria-hidden="true" />
        And
      </Btn>
    </fieldset>
  )
}
