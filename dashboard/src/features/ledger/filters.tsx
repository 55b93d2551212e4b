/** What the ledger is filtered by: kind, who acted, what it is about, when. Everything stands in the address. */
import type { KeyboardEvent, Ref } from 'react'
import { useEffect, useState } from 'react'
import { type LedgerOf, usersQuery } from '@/api/queries'
import { useNames } from '@/app/names'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { TimeRange } from '@/app/time-range'
import { useList } from '@/app/use-list'
import { Btn, inputClass } from '@/ui'

/** The beginnings of kinds that people look for; any other kind can be typed. */
const KINDS: [string, string][] = [
  ['session.', 'Sign-ins and sessions'],
  ['user.', 'People'],
  ['membership.', 'Memberships'],
  ['invitation.', 'Invitations'],
  ['role.', 'Roles'],
  ['key.', 'API keys'],
  ['token.', 'Tokens'],
  ['factor.', 'Second factors'],
  ['grant.', 'Grants'],
  ['settings.', 'Policy'],
  ['tenant.', 'Tenant'],
  ['access.', 'Denials'],
  ['ledger.', 'Exports of the ledger'],
  ['rule.', 'Rules'],
  ['job.', 'Jobs'],
  ['plan.', 'Plans'],
  ['action.', 'Actions'],
  ['alert.', 'Alerts'],
  ['incident.', 'Incidents'],
]

export type LedgerFilter = { kind?: string; actor?: string; subject?: string; from?: string; to?: string }

/** Of the address, what the server filters by. */
export const useLedgerFilter = (): LedgerFilter => {
  const { kind, actor, subject, from, to } = useSearchParams()
  return { kind, actor, subject, from, to }
}

/** What the installation's ledger is looked through for. */
const KINDS_OF_INSTALLATION: [string, string][] = [
  ['tenant.', 'Tenants'],
  ['session.', 'Sign-ins and sessions'],
  ['user.', 'People'],
  ['operator.', 'Operators'],
  ['access.', 'Denials'],
  ['ledger.', 'Exports of the ledger'],
  ['admin_link.', 'First links of administrators'],
]

export function Filters({ first, of }: { first: Ref<HTMLInputElement>; of: LedgerOf }) {
  const filter = useLedgerFilter()
  const set = useSetSearch()
  const can = useCan()
  const names = useNames()
  const { items } = useList({ ...usersQuery, enabled: can('user.read') })
  const any = Object.values(filter).some(Boolean)
  const actors = items?.map(u => ({ id: u.id, name: u.name })) ?? []
  const known = !filter.actor || actors.some(a => a.id === filter.actor)
  return (
    <div className="flex min-h-11 shrink-0 flex-wrap items-center gap-1.5 border-b border-line px-4 py-1.5">
      <TextFilter
        ref={first}
        label="Kind"
        placeholder="Kind, or how it begins"
        list="ledger-kinds"
        width="w-56"
        value={filter.kind ?? ''}
        onValue={kind => set({ kind: kind || undefined })}
      />
      <datalist id="ledger-kinds">
        {(of === '/ledger' ? KINDS : KINDS_OF_INSTALLATION).map(([kind, label]) => (
          <option key={kind} value={kind}>
            {label}
          </option>
        ))}
      </datalist>
      <select
        aria-label="Who acted"
        className={`${inputClass} max-w-44 text-xs`}
        value={filter.actor ?? ''}
        onChange={e => set({ actor: e.target.value || undefined })}
      >
        <option value="">Anybody</option>
        {!known && <option value={filter.actor}>{names(filter.actor ?? '')}</option>}
        {actors.map(actor => (
          <option key={actor.id} value={actor.id}>
            {actor.name}
          </option>
        ))}
      </select>
      <TextFilter
        label="About"
        placeholder="About: an object’s id"
        width="w-52"
        value={filter.subject ?? ''}
        onValue={subject => set({ subject: subject || undefined })}
      />
      <TimeRange />
      {any && (
        <Btn
          size="sm"
          v="ghost"
          onClick={() => set({ kind: undefined, actor: undefined, subject: undefined, from: undefined, to: undefined })}
        >
          Clear filters
        </Btn>
      )}
    </div>
  )
}

type TextProps = {
  label: string
  placeholder: string
  value: string
  width: string
  list?: string
  onValue: (text: string) => void
  ref?: Ref<HTMLInputElement>
}
const TYPING_MS = 400

function TextFilter({ label, placeholder, value, width, list, onValue, ref }: TextProps) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what is typed starts the clock
  useEffect(() => {
    if (text.trim() === value) return
    const timer = setTimeout(() => onValue(text.trim()), TYPING_MS)
    return () => clearTimeout(timer)
  }, [text])
  const onKeyDown = (e: KeyboardEvent<HTMLInputElement>) => {
    if (e.key === 'Enter') onValue(text.trim())
    if (e.key === 'Escape') {
      if (text) onValue('')
      else e.currentTarget.blur()
    }
  }
  return (
    <input
      ref={ref}
      aria-label={label}
      placeholder={placeholder}
      list={list}
      spellCheck={false}
      autoComplete="off"
      className={`${inputClass} ${width} text-xs`}
      value={text}
      onChange={e => setText(e.target.value)}
      onKeyDown={onKeyDown}
    />
  )
}
