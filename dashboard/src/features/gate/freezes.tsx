/** Freezes: times in which nothing of purpose change runs. Containment and every undo pass. */
import { useState } from 'react'
import type { Environment, GateFreeze } from '@/api/types'
import { Btn, cap, Field, inputClass } from '@/ui'
import { FormDialog, ReasonField } from '@/ui/form-dialog'
import { Acts, Table, Td, Tr } from '@/ui/table'
import { GatePart, type PartProps } from './draft'
import { DAYS, when } from './frozen'

const ENVIRONMENTS: Environment[] = ['development', 'staging', 'production']
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone

export function Freezes() {
  return (
    <GatePart
      title="Freezes"
      note="While one holds, nothing runs that changes how things work. Containment and every undo pass. To add one takes nobody else; to lift one takes a second person."
      part={props => <Lists {...props} />}
    />
  )
}

function Lists({ settings, change, locked }: PartProps) {
  const { freezes, weekends_frozen, weekend_zone } = settings
  const [adding, setAdding] = useState(false)
  return (
    <>
      {freezes.length ? (
        <Table label="Freezes" head={['Freeze', 'When', 'Where', 'Why']} acts={!locked}>
          {freezes.map((freeze, place) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two freezes may have one name
            <Tr key={`${freeze.name} ${place}`}>
              <Td className="font-medium">{freeze.name}</Td>
              <Td>{when(freeze)}</Td>
              <Td>{freeze.environments?.length ? freeze.environments.map(cap).join(', ') : 'everywhere'}</Td>
              <Td className="text-fg-2">{freeze.reason}</Td>
              {!locked && (
                <Acts>
                  <Btn
                    size="sm"
                    v="ghost"
                    aria-label={`Lift ${freeze.name}`}
                    onClick={() => change({ freezes: freezes.filter((_, other) => other !== place) })}
                  >
                    Lift
                  </Btn>
                </Acts>
              )}
            </Tr>
          ))}
        </Table>
      ) : (
        <p className="px-3 py-4 text-xs text-fg-3">Nothing is frozen.</p>
      )}
      <div className="flex flex-wrap items-center gap-3 border-t border-line p-3">
        <label className="flex items-center gap-2 text-sm">
          <input
            type="checkbox"
            checked={weekends_frozen}
            onChange={e => change({ weekends_frozen: e.target.checked, weekend_zone: weekend_zone || HERE })}
          />
          Weekends are frozen everywhere
        </label>
        {weekends_frozen && (
          <input
            aria-label="Time zone of the weekends"
            className={inputClass}
            value={weekend_zone}
            onChange={e => change({ weekend_zone: e.target.value })}
          />
        )}
        {!locked && (
          <Btn className="ml-auto" onClick={() => setAdding(true)}>
            New freeze
          </Btn>
        )}
      </div>
      {adding && (
        <FreezeDialog onFreeze={freeze => change({ freezes: [...freezes, freeze] })} onClose={() => setAdding(false)} />
      )}
    </>
  )
}

const EMPTY = {
  name: '',
  reason: '',
  weekly: false,
  environments: [] as Environment[],
  days: [] as typeof DAYS,
  begin: '',
  end: '',
  from: '18:00',
  to: '08:00',
  zone: HERE,
}
type FormState = typeof EMPTY
const toggled = <T,>(list: T[], one: T) => (list.includes(one) ? list.filter(x => x !== one) : [...list, one])

function freezeOf(form: FormState): GateFreeze {
  const { name, reason, environments, weekly, begin, end, days, from, to, zone } = form
  return {
    name: name.trim(),
    reason: reason.trim(),
    environments,
    when: weekly
      ? { kind: 'weekly', days, from, to, zone: zone.trim() }
      : { kind: 'dates', from: new Date(begin).toISOString(), to: new Date(end).toISOString() },
  }
}

type DialogProps = { onFreeze: (freeze: GateFreeze) => void; onClose: () => void }

function FreezeDialog({ onFreeze, onClose }: DialogProps) {
  const [form, setForm] = useState(EMPTY)
  const set = (to: Partial<FormState>) => setForm({ ...form, ...to })
  const timed = form.weekly
    ? form.days.length > 0 && form.zone.trim() !== ''
    : form.begin !== '' && form.end !== '' && form.begin < form.end
  return (
    <FormDialog
      title="New freeze"
      note="It holds when the draft is written and put in force."
      verb="Take it"
      incomplete={!form.name.trim() || !form.reason.trim() || !timed}
      busy={false}
      error={null}
      onClose={onClose}
      onSubmit={e => {
        e.preventDefault()
        onFreeze(freezeOf(form))
        onClose()
      }}
    >
      <Field label="Name">
        <input required className={inputClass} value={form.name} onChange={e => set({ name: e.target.value })} />
      </Field>
      <Field label="When">
        <select
          className={inputClass}
          value={form.weekly ? 'weekly' : 'dates'}
          onChange={e => set({ weekly: e.target.value === 'weekly' })}
        >
          <option value="dates">Once</option>
          <option value="weekly">Every week</option>
        </select>
      </Field>
      {form.weekly ? <Weekly form={form} set={set} /> : <Dates form={form} set={set} />}
      <Checks
        legend="Where (none: everywhere)"
        all={ENVIRONMENTS}
        chosen={form.environments}
        onToggle={one => set({ environments: toggled(form.environments, one) })}
      />
      <ReasonField value={form.reason} onChange={reason => set({ reason })} hint="Whoever is held back reads it." />
    </FormDialog>
  )
}

type FormProps = { form: FormState; set: (to: Partial<FormState>) => void }
const Timed = ({
  label,
  type,
  value,
  onValue,
}: {
  label: string
  type: string
  value: string
  onValue: (text: string) => void
}) => (
  <Field label={label}>
    <input required type={type} className={inputClass} value={value} onChange={e => onValue(e.target.value)} />
  </Field>
)

const Dates = ({ form, set }: FormProps) => (
  <div className="grid grid-cols-2 gap-3">
    <Timed label="From" type="datetime-local" value={form.begin} onValue={begin => set({ begin })} />
    <Timed label="To" type="datetime-local" value={form.end} onValue={end => set({ end })} />
  </div>
)

const Weekly = ({ form, set }: FormProps) => (
  <>
    <Checks legend="Days" all={DAYS} chosen={form.days} onToggle={one => set({ days: toggled(form.days, one) })} />
    <div className="grid grid-cols-3 gap-3">
      <Timed label="From" type="time" value={form.from} onValue={from => set({ from })} />
      <Timed label="To" type="time" value={form.to} onValue={to => set({ to })} />
      <Timed label="Time zone" type="text" value={form.zone} onValue={zone => set({ zone })} />
    </div>
  </>
)

type ChecksProps<T> = { legend: string; all: readonly T[]; chosen: T[]; onToggle: (one: T) => void }
function Checks<T extends string>({ legend, all, chosen, onToggle }: ChecksProps<T>) {
  return (
    <fieldset>
      <legend className="mb-1 text-xs font-medium text-fg-2">{legend}</legend>
      <div className="flex flex-wrap gap-3">
        {all.map(one => (
          <label key={one} className="flex items-center gap-1.5 text-sm">
            <input type="checkbox" checked={chosen.includes(one)} onChange={() => onToggle(one)} />
            {cap(one)}
          </label>
        ))}
      </div>
    </fieldset>
  )
}
