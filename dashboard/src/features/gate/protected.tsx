/** What no action may touch, and the networks that automation never blocks because many others are behind them. */
import { Link } from '@tanstack/react-router'
import { X } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { post } from '@/api/client'
import { protectedEffectsQuery } from '@/api/gate'
import type { NeverBlock, ProtectedEntry } from '@/api/types'
import { useCan } from '@/app/session'
import { acted } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Btn, Card, Chip, cap, Field, inputClass } from '@/ui'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'
import { GatePart, type PartProps } from './draft'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const KINDS: { id: ProtectedEntry['kind']; hint: string }[] = [
  { id: 'address', hint: '203.0.113.7' },
  { id: 'range', hint: '203.0.113.0/24' },
  { id: 'user', hint: 'root' },
  { id: 'process', hint: 'The path of an executable, for example /usr/sbin/nginx; a bare name counts in any folder' },
  { id: 'path', hint: 'A file or folder, and everything below it' },
  { id: 'domain', hint: 'idp.example.com, and everything below it' },
  { id: 'target', hint: 'The name or id of a registered target' },
]
const CLASSES: { name: keyof NeverBlock; label: string }[] = [
  { name: 'proxy', label: 'Proxies' },
  { name: 'nat', label: 'Shared addresses (NAT)' },
  { name: 'monitoring', label: 'Monitoring' },
  { name: 'partner', label: 'Partners' },
]

export function Protected() {
  return (
    <div className="flex flex-col gap-3">
      <GatePart
        title="Protected"
        note="Checked when a plan is made, at every vote and once more before anything runs. To add an entry takes nobody else; to remove one takes a second person."
        part={props => <Lists {...props} />}
      />
      <Effects />
    </div>
  )
}

/** To protect a thing undoes nothing by itself: what was done to it before is named, with the plan that would undo it. */
function Effects() {
  const { query, items } = useList(protectedEffectsQuery)
  const can = useCan()
  const [undoing, setUndoing] = useState<string | null>(null)
  if (!items?.length) return null
  return (
    <Card title="Effects that exist on what is protected">
      <Table label="Effects on what is protected" head={['Action', 'On', 'Protected as', 'Why']}>
        {items.map(effect => (
          <Tr key={effect.action_id}>
            <Td className="font-medium">{effect.capability}</Td>
            <Td className="font-mono">{effect.target.name}</Td>
            <Td>
              {cap(effect.entry.kind)} <span className="font-mono">{effect.entry.value}</span>
            </Td>
            <Td className="text-fg-2">{effect.entry.why}</Td>
            <Acts>
              {effect.undo_plan_id && (
                <Link to="/plans/$id" params={{ id: effect.undo_plan_id }} className="text-accent hover:underline">
                  Waiting plan
                </Link>
              )}
              {can('action.undo') && (
                <Btn size="sm" aria-label={`Undo ${effect.capability}`} onClick={() => setUndoing(effect.action_id)}>
                  Undo…
                </Btn>
              )}
            </Acts>
          </Tr>
        ))}
      </Table>
      <LoadMore query={query} />
      <Suspense>
        {undoing && (
          <ReasonDialog
            open
            title="Undo this action"
            note="Planned, permitted and verified like any other; what was there before is restored."
            verb="Undo"
            act={reason => acted(post(`/actions/${undoing}/undo`, { reason }), ['protected-effects', 'plans'])}
            onClose={() => setUndoing(null)}
          />
        )}
      </Suspense>
    </Card>
  )
}

function Lists({ settings, change, locked }: PartProps) {
  const { protected: entries, never_block } = settings
  return (
    <>
      {entries.length ? (
        <Table label="Protected entries" head={['Kind', 'What', 'Why']}>
          {entries.map(entry => (
            <Tr key={`${entry.kind} ${entry.value}`}>
              <Td>
                <Chip tone="neutral">{cap(entry.kind)}</Chip>
              </Td>
              <Td className="font-mono break-all">{entry.value}</Td>
              <Td className="text-fg-2">{entry.why}</Td>
              <Acts>
                <Btn
                  v="ghost"
                  icon
                  size="sm"
                  aria-label={`No longer protect ${entry.value}`}
                  onClick={() => change({ protected: entries.filter(one => one !== entry) })}
                >
                  <X size={12} aria-hidden="true" />
                </Btn>
              </Acts>
            </Tr>
          ))}
        </Table>
      ) : (
        <p className="px-3 py-4 text-xs text-fg-3">
          Nothing of your own yet. Our own process, the management path and the last administrator are always protected.
        </p>
      )}
      {!locked && <Adding add={entry => change({ protected: [...entries, entry] })} />}
      <div className="grid gap-3 border-t border-line p-3 md:grid-cols-2">
        <p className="text-xs text-fg-3 md:col-span-2">Automation never blocks these networks, one a line.</p>
        {CLASSES.map(({ name, label }) => (
          <Networks
            key={name}
            label={label}
            value={never_block[name] ?? []}
            onValue={value => change({ never_block: { ...never_block, [name]: value } })}
          />
        ))}
      </div>
    </>
  )
}

function Adding({ add }: { add: (entry: ProtectedEntry) => void }) {
  const [entry, setEntry] = useState<ProtectedEntry>({ kind: 'address', value: '', why: '' })
  const whole = entry.value.trim() !== '' && entry.why.trim() !== ''
  const hint = KINDS.find(kind => kind.id === entry.kind)?.hint
  return (
    <div className="flex flex-wrap items-start gap-2 border-t border-line p-3">
      <Field label="Kind">
        <select
          className={inputClass}
          value={entry.kind}
          onChange={e => setEntry({ ...entry, kind: e.target.value as ProtectedEntry['kind'] })}
        >
          {KINDS.map(({ id }) => (
            <option key={id} value={id}>
              {cap(id)}
            </option>
          ))}
        </select>
      </Field>
      <Field label="What to protect" hint={hint}>
        <input
          className={`${inputClass} w-64 font-mono`}
          value={entry.value}
          onChange={e => setEntry({ ...entry, value: e.target.value })}
        />
      </Field>
      <Field label="Why it is protected">
        <input
          className={`${inputClass} w-64`}
          value={entry.why}
          onChange={e => setEntry({ ...entry, why: e.target.value })}
        />
      </Field>
      <Btn
        className="mt-5"
        disabled={!whole}
        onClick={() => {
          add({ ...entry, value: entry.value.trim(), why: entry.why.trim() })
          setEntry({ ...entry, value: '', why: '' })
        }}
      >
        Add entry
      </Btn>
    </div>
  )
}

/** Read when the field is left, so that a line can be typed in peace. */
function Networks({ label, value, onValue }: { label: string; value: string[]; onValue: (value: string[]) => void }) {
  const [text, setText] = useState(value.join('\n'))
  const lines = text.split(/[\s,]+/).filter(Boolean)
  return (
    <Field label={label} hint="203.0.113.0/24">
      <textarea
        rows={3}
        className={`${inputClass} h-auto py-1.5 font-mono`}
        value={text}
        onChange={e => setText(e.target.value)}
        onBlur={() => lines.join() !== value.join() && onValue(lines)}
      />
    </Field>
  )
}
