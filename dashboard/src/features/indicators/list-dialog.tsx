/** Makes or changes a list: what it is for, where it comes from, what its hits raise, how long its indicators hold. */
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { patch, post } from '@/api/client'
import type { IndicatorList } from '@/api/indicators'
import { SEVERITIES, type Severity } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { cap, Field, inputClass } from '@/ui'
import { FormDialog } from '@/ui/form-dialog'

export const STALE = ['indicator-lists', 'indicator-list', 'indicators']
type Props = { list: IndicatorList | null; onClose: () => void }

const number = (text: string) => (text.trim() === '' ? null : Number(text))

export default function ListDialog({ list, onClose }: Props) {
  const [form, setForm] = useState({
    name: list?.name ?? '',
    description: list?.description ?? '',
    source: list?.source ?? '',
    allow: list?.allow ?? false,
    severity: list?.severity ?? ('high' as Severity),
    valid_days: list?.valid_days?.toString() ?? '',
  })
  const set = (change: Partial<typeof form>) => setForm({ ...form, ...change })
  const { error, busy, onSubmit } = useSubmit(STALE)
  const navigate = useNavigate()
  const { allow, valid_days, ...rest } = form
  const body = { ...rest, name: form.name.trim(), valid_days: number(valid_days) }
  const send = () =>
    list
      ? patch<IndicatorList>(`/indicators/lists/${list.id}`, body, list.version)
      : post<IndicatorList>('/indicators/lists', { ...body, allow })
  const done = (made: IndicatorList) => {
    onClose()
    if (!list) void navigate({ to: '/indicators/$id', params: { id: made.id } })
  }
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title={list ? `Change ${list.name}` : 'New list'}
      note={list ? undefined : 'What it names is looked for in every event from its first import on.'}
      verb={list ? 'Save' : 'Make list'}
      working="Saving…"
      incomplete={!form.name.trim()}
      onSubmit={onSubmit(send, done)}
    >
      <Field label="Name">
        <input
          required
          maxLength={100}
          className={inputClass}
          value={form.name}
          onChange={e => set({ name: e.target.value })}
        />
      </Field>
      <Field label="Description (optional)">
        <input
          maxLength={1000}
          className={inputClass}
          value={form.description}
          onChange={e => set({ description: e.target.value })}
        />
      </Field>
      <Field label="Source (optional)" hint="Where it comes from: a feed, an address, a report.">
        <input
          maxLength={500}
          className={inputClass}
          value={form.source}
          onChange={e => set({ source: e.target.value })}
        />
      </Field>
      {!list && (
        <label className="flex items-start gap-2 text-xs">
          <input type="checkbox" className="mt-0.5" checked={allow} onChange={e => set({ allow: e.target.checked })} />
          <span>It allows: what it names raises nothing, whatever other lists say. This cannot be changed later.</span>
        </label>
      )}
      {!allow && (
        <div className="grid grid-cols-2 gap-3">
          <Field label="A hit is">
            <select
              className={inputClass}
              value={form.severity}
              onChange={e => set({ severity: e.target.value as Severity })}
            >
              {SEVERITIES.map(s => (
                <option key={s} value={s}>
                  {cap(s)}
                </option>
              ))}
            </select>
          </Field>
          <Field label="Holds for days (optional)" hint="Counted from the import; empty: for ever.">
            <input
              type="number"
              min={1}
              max={3650}
              className={inputClass}
              value={form.valid_days}
              onChange={e => set({ valid_days: e.target.value })}
            />
          </Field>
        </div>
      )}
    </FormDialog>
  )
}
