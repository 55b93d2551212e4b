/** Standing grants: a person's leave, for a time, that automation does one thing without asking again. */
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import { del, post } from '@/api/client'
import { autonomyQuery, standingGrantsQuery } from '@/api/gate'
import { targetsQuery } from '@/api/queries'
import type { Environment, StandingGrant } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { acted, useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, Card, Chip, cap, Field, inputClass, Loaded, Until, useNow } from '@/ui'
import { FormDialog, HoursField, ReasonField } from '@/ui/form-dialog'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'
import { parseLabels } from '../settings/labels'

const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))
const HOUR_MS = 3_600_000
const LENGTHS: [number, string][] = [
  [4, '4 hours'],
  [24, 'a day'],
  [168, 'a week'],
  [720, '30 days'],
]

export function StandingGrants() {
  const { query, items } = useList(standingGrantsQuery)
  const [making, setMaking] = useState(false)
  return (
    <Card
      title="Standing grants"
      extra={
        <ActBtn need="settings.write" size="sm" v="primary" onClick={() => setMaking(true)}>
          New grant
        </ActBtn>
      }
    >
      <p className="border-b border-line px-3 py-2 text-xs text-fg-3">
        Levels 3 and 4 act in production above low risk only under one of these. Each ends by itself, at the latest
        after 30 days.
      </p>
      <Loaded query={query} what="Standing grants">
        {() =>
          items?.length ? (
            <Table label="Standing grants" head={['Capability', 'Where', 'Targets', 'Why', 'By', 'Given', 'Ends']}>
              {items.map(grant => (
                <Row key={grant.id} grant={grant} />
              ))}
            </Table>
          ) : (
            <p className="px-3 py-4 text-xs text-fg-3">None: automation asks before it acts in production.</p>
          )
        }
      </Loaded>
      <LoadMore query={query} />
      {making && <GrantDialog onClose={() => setMaking(false)} />}
    </Card>
  )
}

function Row({ grant }: { grant: StandingGrant }) {
  const now = useNow(15_000)
  const { items: targets } = useList(targetsQuery)
  const [ending, setEnding] = useState(false)
  const live = !grant.revoked_at && new Date(grant.expires_at).getTime() > now
  const name = (id: string) => targets?.find(target => target.id === id)?.name ?? id
  const covers = [...grant.targets.map(name), ...Object.entries(grant.labels).map(([key, value]) => `${key}=${value}`)]
  return (
    <Tr dead={!live}>
      <Td className="font-medium">{grant.capability}</Td>
      <Td>
        <Chip tone="neutral">{cap(grant.environment)}</Chip>
      </Td>
      <Td className="font-mono">{covers.join(', ')}</Td>
      <Td className="max-w-60 truncate">
        <span title={grant.reason}>{grant.reason}</span>
      </Td>
      <Td>{grant.granted_by_name}</Td>
      <Td className="text-fg-2">
        <Ago at={grant.created_at} suffix />
      </Td>
      <Td className="text-fg-2">
        {grant.revoked_at ? `ended by ${grant.revoked_by_name}` : live ? <Until at={grant.expires_at} /> : 'over'}
      </Td>
      <Acts>
        {live && (
          <ActBtn
            need="settings.write"
            size="sm"
            v="ghost"
            aria-label={`End the grant for ${grant.capability}`}
            onClick={() => setEnding(true)}
          >
            End…
          </ActBtn>
        )}
        {ending && (
          <Suspense>
            <ConfirmDialog
              title="End this grant"
              note="No run begins under it any more; what runs now is carried to its end."
              verb="End grant"
              act={() => acted(del(`/standing-grants/${grant.id}`, grant.version), ['standing-grants'])}
              onClose={() => setEnding(false)}
            />
          </Suspense>
        )}
      </Acts>
    </Tr>
  )
}

function GrantDialog({ onClose }: { onClose: () => void }) {
  const [form, setForm] = useState({ capability: '', environment: 'production' as Environment, labels: '', reason: '' })
  const [chosen, setChosen] = useState<string[]>([])
  const [hours, setHours] = useState(24)
  const { error, busy, onSubmit } = useSubmit(['standing-grants'])
  const set = (to: Partial<typeof form>) => setForm({ ...form, ...to })
  const labels = parseLabels(form.labels)
  const some = chosen.length > 0 || Object.keys(labels).length > 0
  const send = () =>
    post<StandingGrant>('/standing-grants', {
      capability: form.capability,
      environment: form.environment,
      targets: chosen,
      labels,
      until: new Date(Date.now() + hours * HOUR_MS - 60_000).toISOString(),
      reason: form.reason.trim(),
    })
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title="New standing grant"
      note="Automation does this without asking, on these targets, until the time is over."
      verb="Grant"
      incomplete={!form.capability || !some || !form.reason.trim()}
      onSubmit={onSubmit(send, onClose)}
    >
      <Capability value={form.capability} onValue={capability => set({ capability })} />
      <div className="grid grid-cols-2 gap-3">
        <Field label="Environment">
          <select
            className={inputClass}
            value={form.environment}
            onChange={e => {
              set({ environment: e.target.value as Environment })
              setChosen([])
            }}
          >
            <option value="production">Production</option>
            <option value="staging">Staging</option>
            <option value="development">Development</option>
          </select>
        </Field>
        <HoursField label="For" value={hours} onChange={setHours} lengths={LENGTHS} />
      </div>
      <Targets environment={form.environment} chosen={chosen} onChosen={setChosen} />
      <Field label="Or every target with these labels" hint="team=web, tier=1; a target needs all of them">
        <input className={inputClass} value={form.labels} onChange={e => set({ labels: e.target.value })} />
      </Field>
      <ReasonField value={form.reason} onChange={reason => set({ reason })} />
    </FormDialog>
  )
}

function Capability({ value, onValue }: { value: string; onValue: (value: string) => void }) {
  const known = useQuery(autonomyQuery).data?.effective ?? []
  return (
    <Field label="What automation may do">
      <select required className={inputClass} value={value} onChange={e => onValue(e.target.value)}>
        <option value="">Choose…</option>
        {[...new Set(known.map(one => one.capability))].map(name => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </Field>
  )
}

type TargetsProps = { environment: Environment; chosen: string[]; onChosen: (ids: string[]) => void }

function Targets({ environment, chosen, onChosen }: TargetsProps) {
  const { items } = useList(targetsQuery)
  const here = items?.filter(target => target.environment === environment) ?? []
  const toggle = (id: string) => onChosen(chosen.includes(id) ? chosen.filter(one => one !== id) : [...chosen, id])
  return (
    <fieldset className="flex max-h-40 flex-col gap-1 overflow-y-auto">
      <legend className="mb-1 text-xs font-medium text-fg-2">Targets</legend>
      {here.map(target => (
        <label key={target.id} className="flex items-center gap-2 text-sm">
          <input type="checkbox" checked={chosen.includes(target.id)} onChange={() => toggle(target.id)} />
          <span className="font-mono">{target.name}</span>
        </label>
      ))}
      {!here.length && <span className="text-xs text-fg-3">No target is registered in {environment}.</span>}
    </fieldset>
  )
}
