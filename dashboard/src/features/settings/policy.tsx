/** The tenant's own rules: sign-in, sessions, limits, and what no one may hold together. Every version is kept. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { put } from '@/api/client'
import { myPermissionsQuery, settingsQuery } from '@/api/queries'
import type { SettingsBase, SettingsView, TenantLimits, TenantSettings } from '@/api/types'
import { ActBtn, useWhyNot } from '@/app/guard'
import { useNames } from '@/app/names'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { Ago, Btn, bytes, Card, Field, fmt, InlineError, inputClass, Loaded } from '@/ui'
import { Pairs } from './pairs'
import { RoleSelect } from './role-select'
import { Versions } from './versions'

export function Policy() {
  const query = useQuery(settingsQuery)
  return (
    <Loaded query={query} what="Policy">
      {view => (
        <div className="flex flex-col gap-3">
          <Form key={view.version} view={view} />
          <Versions current={view.version} />
        </div>
      )}
    </Loaded>
  )
}

const STALE = ['settings', 'settings-versions', 'me']
const numberOr = (text: string) => (text.trim() === '' ? null : Number(text))
/** What is null is inherited. */
const set = (settings: TenantSettings, change: Partial<TenantSettings>): TenantSettings => ({ ...settings, ...change })

function Form({ view }: { view: SettingsView }) {
  const [own, setOwn] = useState(view.own)
  const names = useNames()
  const why = useWhyNot()('settings.write')
  const { error, busy, onSubmit } = useSubmit(STALE)
  const change = (to: Partial<TenantSettings>) => setOwn(set(own, to))
  const dirty = JSON.stringify(own) !== JSON.stringify(view.own)
  const permissions = useQuery(myPermissionsQuery).data?.items.map(d => d.permission) ?? []
  const { base } = view
  return (
    <Card
      title="In force"
      extra={
        view.version > 0 && view.at ? (
          <span>
            version {view.version}, by {names(view.by)}, <Ago at={view.at} suffix />
          </span>
        ) : (
          <span>all inherited from the installation</span>
        )
      }
    >
      <form
        onSubmit={onSubmit(
          () => put<SettingsView>('/settings', own, view.version),
          () => toast({ text: 'Policy saved. It holds from the next request on.', tone: 'ok' }),
        )}
      >
        <fieldset disabled={!!why} className="grid gap-x-6 gap-y-4 p-3 md:grid-cols-2">
          <legend className="sr-only">Policy of the tenant</legend>
          <SignIn own={own} base={base} change={change} />
          <Limits own={own} base={base} change={limits => change({ limits: { ...own.limits, ...limits } })} />
          <div className="md:col-span-2">
            <Pairs
              value={own.separation_of_duty}
              permissions={permissions}
              onChange={separation_of_duty => change({ separation_of_duty })}
            />
            <HeldTogether held={view.held_together} />
          </div>
        </fieldset>
        <div className="flex items-center gap-2 border-t border-line px-3 py-2">
          <InlineError error={error} className="min-w-0 flex-1" />
          <span className="ml-auto flex gap-2">
            {dirty && <Btn onClick={() => setOwn(view.own)}>Discard</Btn>}
            <ActBtn need="settings.write" type="submit" v="primary" disabled={busy || !dirty}>
              {busy ? 'Saving…' : 'Save policy'}
            </ActBtn>
          </span>
        </div>
      </form>
    </Card>
  )
}

/** Who had both of a pair before it was set: nothing takes them away but a change of role or key. */
function HeldTogether({ held }: { held: SettingsView['held_together'] }) {
  if (!held.length) return null
  return (
    <ul aria-label="Held together already" className="mt-2 flex flex-col gap-1 text-xs text-medium">
      {held.map(({ kind, id, name, pair }) => (
        <li key={id}>
          The {kind} <b className="font-medium">{name}</b> holds {pair.join(' and ')} already
        </li>
      ))}
    </ul>
  )
}

type PartProps = { own: TenantSettings; base: SettingsBase; change: (to: Partial<TenantSettings>) => void }

function SignIn({ own, base, change }: PartProps) {
  return (
    <div className="flex flex-col gap-3">
      <h3 className="text-xs font-semibold">Signing in</h3>
      <Field label="Second factor" hint="When required, a session without one may only add one.">
        <select
          className={`${inputClass} max-w-72`}
          value={base.require_second_factor || own.require_second_factor ? 'yes' : 'no'}
          disabled={base.require_second_factor}
          onChange={e => change({ require_second_factor: e.target.value === 'yes' ? true : null })}
        >
          <option value="no">Optional</option>
          <option value="yes">
            {base.require_second_factor ? 'Required by the installation' : 'Required of everybody'}
          </option>
        </select>
      </Field>
      <NumberField
        label="A session ends unused after (minutes)"
        min={5}
        max={1440}
        value={own.session_idle_minutes}
        inherited={fmt(base.session_idle_minutes)}
        onValue={session_idle_minutes => change({ session_idle_minutes })}
      />
      <NumberField
        label="A session ends at the latest after (hours)"
        min={1}
        max={168}
        value={own.session_hours}
        inherited={fmt(base.session_hours)}
        onValue={session_hours => change({ session_hours })}
      />
      <Field label="Role that an invitation proposes">
        <RoleSelect value={own.default_role ?? base.default_role} onRole={default_role => change({ default_role })} />
      </Field>
    </div>
  )
}

type LimitProps = { own: TenantSettings; base: SettingsBase; change: (to: Partial<TenantLimits>) => void }

function Limits({ own: { limits }, base, change }: LimitProps) {
  return (
    <div className="flex flex-col gap-3">
      <h3 className="text-xs font-semibold">Limits of one principal (never above the installation’s)</h3>
      <NumberField
        label="Requests a second"
        max={base.interactive_per_s}
        value={limits.interactive_per_s}
        inherited={fmt(base.interactive_per_s)}
        onValue={interactive_per_s => change({ interactive_per_s })}
      />
      <NumberField
        label="Requests at once, after a pause"
        max={base.burst}
        value={limits.burst}
        inherited={fmt(base.burst)}
        onValue={burst => change({ burst })}
      />
      <NumberField
        label="Bulk requests a second"
        max={base.batch_per_s}
        value={limits.batch_per_s}
        inherited={fmt(base.batch_per_s)}
        onValue={batch_per_s => change({ batch_per_s })}
      />
      <NumberField
        label="Bytes of events a second"
        max={base.ingest_bytes_per_s}
        value={limits.ingest_bytes_per_s}
        inherited={bytes(base.ingest_bytes_per_s)}
        onValue={ingest_bytes_per_s => change({ ingest_bytes_per_s })}
      />
    </div>
  )
}

type NumberProps = {
  label: string
  min?: number
  max: number
  value: number | null | undefined
  inherited: string
  onValue: (value: number | null) => void
}

const NumberField = ({ label, min = 1, max, value, inherited, onValue }: NumberProps) => (
  <Field
    label={label}
    hint={value == null ? `Inherited: ${inherited}` : `${fmt(min)} to ${fmt(max)}; empty to inherit ${inherited}`}
  >
    <input
      type="number"
      min={min}
      max={max}
      placeholder={inherited}
      className={`${inputClass} max-w-72`}
      value={value ?? ''}
      onChange={e => onValue(numberOr(e.target.value))}
    />
  </Field>
)
