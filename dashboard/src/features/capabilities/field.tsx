/** One parameter, as its schema describes it. */
import type { ParamSchema } from '@/api/response-types'
import { cap, countdown, Field, fmt, inputClass } from '@/ui'
import { type ParamField, type Typed, wrong } from './params'

type Props = { field: ParamField; typed: Typed; touched: boolean; onValue: (value: string | boolean) => void }

export function Param({ field, typed, touched, onValue }: Props) {
  const { label, required, schema, kind } = field
  const value = typed[field.name]
  if (kind === 'yes_no') {
    return (
      <label className="flex items-center gap-2 text-sm">
        <input type="checkbox" checked={value === true} onChange={e => onValue(e.target.checked)} />
        {label} <span className="text-xs text-fg-3">{schema.description}</span>
      </label>
    )
  }
  const error = touched ? wrong(field, value) : null
  const text = String(value ?? '')
  return (
    <Field
      label={required ? label : `${label} (optional)`}
      hint={hint(field, text)}
      error={error ? `${error} ${hint(field, text)}` : undefined}
    >
      <Control field={field} text={text} onValue={onValue} />
    </Field>
  )
}

function Control({
  field,
  text,
  onValue,
  ...rest
}: {
  field: ParamField
  text: string
  onValue: (value: string) => void
}) {
  const { kind, required, schema } = field
  const mono = `${inputClass} font-mono`
  if (kind === 'choice') {
    return (
      <select {...rest} required={required} className={inputClass} value={text} onChange={e => onValue(e.target.value)}>
        <option value="">{required ? 'Choose…' : 'Not given'}</option>
        {schema.enum?.map(one => (
          <option key={String(one)}>{String(one)}</option>
        ))}
      </select>
    )
  }
  if (kind === 'lines' || kind === 'json') {
    return (
      <textarea
        {...rest}
        rows={3}
        required={required}
        spellCheck={false}
        className={`${mono} h-auto py-1.5`}
        value={text}
        onChange={e => onValue(e.target.value)}
      />
    )
  }
  const number = kind !== 'text'
  return (
    <input
      {...rest}
      type={number ? 'number' : 'text'}
      step={kind === 'number' ? 'any' : undefined}
      min={schema.minimum}
      max={schema.maximum}
      required={required}
      spellCheck={false}
      autoComplete="off"
      placeholder={placeholder(schema)}
      className={number ? inputClass : mono}
      value={text}
      onChange={e => onValue(e.target.value)}
    />
  )
}

const placeholder = ({ default: preset, examples }: ParamSchema) =>
  preset !== undefined ? String(preset) : examples?.[0] !== undefined ? `such as ${String(examples[0])}` : undefined

function hint({ name, kind, schema }: ParamField, text: string) {
  const { description, minimum, maximum, maxItems, default: preset } = schema
  const parts = [description]
  if (kind === 'lines') parts.push(maxItems === undefined ? 'one a line' : `one a line, at most ${fmt(maxItems)}`)
  if (minimum !== undefined && maximum !== undefined) parts.push(`${fmt(minimum)} to ${fmt(maximum)}`)
  if (preset !== undefined) parts.push(`${String(preset)} when left empty`)
  const seconds = Number(text)
  if (name.endsWith('_s') && text && seconds > 0) parts.push(`that is ${countdown(seconds)}`)
  return cap(parts.filter(Boolean).join('; '))
}
