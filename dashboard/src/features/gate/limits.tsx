/** Response limits: how much may be done at once and in a time, and how long others have to say no. */
import type { Environment, GateLimits, GateNumbers } from '@/api/types'
import { cap, Field, inputClass } from '@/ui'
import { GatePart, type PartProps } from './draft'

const ENVIRONMENTS: Environment[] = ['development', 'staging', 'production']
const LIMITS: { name: keyof GateLimits; label: string; hint: string; max: number }[] = [
  { name: 'blast_radius', label: 'Resources of one plan', hint: 'Targets, users, services and peers', max: 100_000 },
  { name: 'resources_per_hour', label: 'Resources an hour', hint: 'Of all plans together', max: 100_000 },
  { name: 'per_minute', label: 'Actions a minute', hint: '0 permits nothing', max: 100_000 },
  { name: 'per_hour', label: 'Actions an hour', hint: '0 permits nothing', max: 100_000 },
  { name: 'per_team_hour', label: 'Actions of a team an hour', hint: '0 permits nothing', max: 100_000 },
  { name: 'ipv4_prefix', label: 'Widest IPv4 range', hint: 'The length of its prefix', max: 32 },
  { name: 'ipv6_prefix', label: 'Widest IPv6 range', hint: 'The length of its prefix', max: 128 },
  { name: 'veto_window_s', label: 'Veto window (seconds)', hint: 'A plan of automation waits so long', max: 2_592_000 },
]
type Plain = 'restarts_per_hour' | 'kept_for_high_severity' | 'vote_void_s' | 'automation_expiry_s' | 'no_redo_s'
const PLAIN: { name: Plain; label: string; hint: string }[] = [
  { name: 'restarts_per_hour', label: 'Restarts of one target an hour', hint: '0 permits none' },
  {
    name: 'kept_for_high_severity',
    label: 'Actions kept for high severity',
    hint: 'Of each rate; decoys cannot spend it',
  },
  { name: 'vote_void_s', label: 'A vote is void after (seconds)', hint: 'When its run has not begun' },
  {
    name: 'automation_expiry_s',
    label: 'What automation does ends after (seconds)',
    hint: 'A person may make it last',
  },
  { name: 'no_redo_s', label: 'Not done again after an undo for (seconds)', hint: 'By automation' },
]

export function ResponseLimits() {
  return (
    <GatePart
      title="Response limits"
      note="Policy compares every plan with these numbers. What lets more through takes a second person."
      part={props => <Form {...props} />}
    />
  )
}

function Form({ settings, change }: PartProps) {
  const { numbers } = settings
  const set = (to: Partial<GateNumbers>) => change({ numbers: { ...numbers, ...to } })
  return (
    <div className="flex flex-col gap-4 p-3">
      <Table numbers={numbers} set={set} />
      <div className="grid gap-x-6 gap-y-3 md:grid-cols-2">
        {PLAIN.map(({ name, label, hint }) => (
          <Field key={name} label={label} hint={hint}>
            <NumberInput value={numbers[name]} max={2_592_000} onValue={value => set({ [name]: value })} />
          </Field>
        ))}
        <Bands numbers={numbers} set={set} />
        <Escalation numbers={numbers} set={set} />
      </div>
    </div>
  )
}

type NumbersProps = { numbers: GateNumbers; set: (to: Partial<GateNumbers>) => void }

function Table({ numbers, set }: NumbersProps) {
  const put = (environment: Environment, name: keyof GateLimits, value: number) =>
    set({ limits: { ...numbers.limits, [environment]: { ...numbers.limits[environment], [name]: value } } })
  return (
    <div className="scroll overflow-x-auto" tabIndex={0} role="region" aria-label="Limits by environment">
      <table className="w-full text-left text-xs" aria-label="Limits by environment">
        <thead className="text-fg-3">
          <tr className="h-8 border-b border-line">
            <th scope="col" className="font-medium">
              Limit
            </th>
            {ENVIRONMENTS.map(environment => (
              <th key={environment} scope="col" className="px-2 font-medium max-sm:px-1">
                {cap(environment)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {LIMITS.map(({ name, label, hint, max }) => (
            <tr key={name} className="border-b border-line/60 last:border-0">
              <th scope="row" className="py-1.5 pr-3 font-normal">
                {label} <span className="block text-2xs text-fg-3">{hint}</span>
              </th>
              {ENVIRONMENTS.map(environment => (
                <td key={environment} className="px-2 max-sm:px-1">
                  <NumberInput
                    label={`${label}, ${environment}`}
                    value={numbers.limits[environment][name]}
                    max={max}
                    onValue={value => put(environment, name, value)}
                  />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Bands({ numbers, set }: NumbersProps) {
  const { low, high } = numbers.confidence
  const band = (label: string, hint: string, value: number, to: (value: number) => GateNumbers['confidence']) => (
    <Field label={label} hint={hint}>
      <NumberInput value={value} max={1} step={0.01} onValue={value => set({ confidence: to(value) })} />
    </Field>
  )
  return (
    <>
      {band('Confidence below which nothing is planned', '0 to 1', low, low => ({ low, high }))}
      {band('Confidence below which a person approves', '0 to 1', high, high => ({ low, high }))}
    </>
  )
}

function Escalation({ numbers, set }: NumbersProps) {
  const { escalation } = numbers
  const step = (label: string, name: keyof typeof escalation) => (
    <Field label={label} hint="Never taken for a yes">
      <NumberInput
        value={escalation[name]}
        max={2_592_000}
        onValue={value => set({ escalation: { ...escalation, [name]: value } })}
      />
    </Field>
  )
  return (
    <>
      {step('Approvers are told again after (seconds)', 'approvers_after_s')}
      {step('Then administrators after (seconds)', 'administrators_after_s')}
    </>
  )
}

type InputProps = {
  id?: string
  label?: string
  value: number
  max: number
  step?: number
  onValue: (value: number) => void
  'aria-describedby'?: string
}
const NumberInput = ({ label, value, onValue, ...rest }: InputProps) => (
  <input
    type="number"
    min={0}
    required
    aria-label={label}
    className={`${inputClass} num w-28 max-sm:w-18`}
    value={value}
    onChange={e => onValue(Number(e.target.value))}
    {...rest}
  />
)
