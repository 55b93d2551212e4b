/** Merges this incident into another one; the other keeps its id and gets these alerts. */
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { incidentsQuery } from '@/api/queries'
import type { Incident } from '@/api/types'
import { useList } from '@/app/use-list'
import { Btn, Field, InlineError, inputClass, short } from '@/ui'
import { Modal } from '@/ui/modal'
import { merge } from './acts'

export default function MergeDialog({ incident, onClose }: { incident: Incident; onClose: () => void }) {
  const { items, query } = useList(incidentsQuery({}))
  const [into, setInto] = useState('')
  const [reason, setReason] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const navigate = useNavigate()
  const others = (items ?? []).filter(i => i.id !== incident.id && !i.merged_into)
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await merge(incident.id, into, reason.trim())
      onClose()
      await navigate({ to: '/incidents/$id', params: { id: into } })
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal
      open
      onClose={onClose}
      title="Merge into another incident"
      note="Its alerts, notes and ledger entries stay; this incident then points to the other one."
    >
      <form onSubmit={submit} className="flex flex-col gap-3">
        <Field label="Into" hint={query.isSuccess && !others.length ? 'There is no other incident.' : undefined}>
          <select required value={into} onChange={e => setInto(e.target.value)} className={inputClass}>
            <option value="">Choose an incident</option>
            {others.map(i => (
              <option key={i.id} value={i.id}>
                {short(i.id)} · {i.title}
              </option>
            ))}
          </select>
        </Field>
        <Field label="Reason" hint="Goes into the ledger with your name.">
          <textarea
            required
            rows={2}
            value={reason}
            onChange={e => setReason(e.target.value)}
            className={`${inputClass} h-auto py-1.5`}
          />
        </Field>
        <InlineError error={error} />
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={busy || !into || !reason.trim()}>
            {busy ? 'Merging…' : 'Merge'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
