/** From the schema of parameters to fields, and from what was typed to parameters. Pure, so that tests can walk it. */
import type { ParamSchema, ParamsSchema } from '@/api/response-types'

export type Kind = 'choice' | 'yes_no' | 'integer' | 'number' | 'lines' | 'text' | 'json'
export type ParamField = { name: string; label: string; kind: Kind; required: boolean; schema: ParamSchema }
/** What stands in the fields: text, or a tick. */
export type Typed = Record<string, string | boolean>

function kindOf(schema: ParamSchema): Kind {
  if (schema.enum) return 'choice'
  if (schema.type === 'boolean') return 'yes_no'
  if (schema.type === 'integer' || schema.type === 'number') return schema.type
  if (schema.type === 'array' && schema.items?.type === 'string') return 'lines'
  return schema.type === 'string' ? 'text' : 'json'
}

const label = (name: string) => {
  const text = name.replace(/_s$/, '').replace(/_/g, ' ')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${name.endsWith('_in_s') ? ' seconds' : name.endsWith('_s') ? ' in seconds' : ''}`
}

/** Those that are required first, the others in the order of the schema. */
export function fieldsOf(schema: ParamsSchema): ParamField[] {
  const required = new Set(schema.required)
  const fields = Object.entries(schema.properties ?? {}).map(([name, one]) => ({
    name,
    label: label(name),
    kind: kindOf(one),
    required: required.has(name),
    schema: one,
  }))
  return [...fields.filter(f => f.required), ...fields.filter(f => !f.required)]
}

/** What stands there before anybody typed: a tick as its default says, nothing else. */
export const initial = (fields: ParamField[]): Typed =>
  Object.fromEntries(fields.map(f => [f.name, f.kind === 'yes_no' ? f.schema.default === true : '']))

const lines = (text: string) =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean)

/** The server's patterns are its own; one that this browser cannot read is left to the server. */
function fits(pattern: string, text: string) {
  try {
    return new RegExp(pattern, 'u').test(text)
  } catch {
    return true
  }
}

function integerWrong(text: string, { minimum, maximum }: ParamSchema, whole: boolean) {
  const value = Number(text)
  if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value)))
    return whole ? 'Want a whole number.' : 'Want a number.'
  if (minimum !== undefined && value < minimum) return `Want at least ${minimum}.`
  if (maximum !== undefined && value > maximum) return `Want at most ${maximum}.`
  return null
}

function textWrong(text: string, { minLength, maxLength, pattern }: ParamSchema) {
  if (minLength !== undefined && text.length < minLength) return `Want at least ${minLength} characters.`
  if (maxLength !== undefined && text.length > maxLength) return `Want at most ${maxLength} characters.`
  if (pattern && !fits(pattern, text)) return 'This does not have the form that is wanted.'
  return null
}

function jsonWrong(text: string) {
  try {
    JSON.parse(text)
    return null
  } catch {
    return 'This is not JSON.'
  }
}

/** What is wrong with a field, in a sentence; null where nothing is. */
export function wrong({ kind, required, schema }: ParamField, typed: string | boolean | undefined): string | null {
  if (kind === 'yes_no') return null
  const text = String(typed ?? '').trim()
  if (!text) return required ? 'This is wanted.' : null
  switch (kind) {
    case 'integer':
    case 'number':
      return integerWrong(text, schema, kind === 'integer')
    case 'lines': {
      const { maxItems, items = {} } = schema
      const all = lines(text)
      if (maxItems !== undefined && all.length > maxItems) return `Want at most ${maxItems} lines.`
      return all.map(line => textWrong(line, items)).find(Boolean) ?? null
    }
    case 'text':
      return textWrong(text, schema)
    case 'json':
      return jsonWrong(text)
    default:
      return null
  }
}

function readField({ kind, schema }: ParamField, text: string): unknown {
  if (kind === 'choice') return schema.enum?.find(one => String(one) === text)
  if (kind === 'integer' || kind === 'number') return Number(text)
  if (kind === 'lines') return lines(text)
  return kind === 'json' ? JSON.parse(text) : text
}

/** The parameters; a field that was left empty is left out, a tick is sent where it differs from its default. */
export function paramsOf(fields: ParamField[], typed: Typed): Record<string, unknown> {
  const params: Record<string, unknown> = {}
  for (const field of fields) {
    const value = typed[field.name]
    if (field.kind === 'yes_no') {
      const ticked = value === true
      if (field.required || ticked !== (field.schema.default === true)) params[field.name] = ticked
      continue
    }
    const text = String(value ?? '').trim()
    if (text) params[field.name] = readField(field, text)
  }
  return params
}
