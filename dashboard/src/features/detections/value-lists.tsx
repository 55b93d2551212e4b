/** Lists of values that rules name as %name%: who is an administrator, which hosts are scanners. */
import { useQuery } from '@tanstack/react-query'
import { Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { del, post, put } from '@/api/client'
import { valueListPath, valueListQuery, valueListsQuery } from '@/api/detection'
import type { ValueList } from '@/api/detection-types'
import { ActBtn } from '@/app/guard'
import { useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, Empty, Field, fmt, InlineError, inputClass, Loaded } from '@/ui'
import { FormDialog } from '@/ui/form-dialog'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'
import { listValues } from './samples'

const STALE = ['value-lists', 'rules', 'rule']
const HEAD = ['Name', 'Version', 'Bytes', 'Rules', 'Changed', 'By']

export default function ValueLists() {
  const { items, query } = useList(valueListsQuery)
  const [chosen, setChosen] = useState<string | null>(null)
  const { error, busy, run } = useSubmit(STALE)
  return (
    <section className="scroll min-h-0 flex-1 overflow-y-auto bg-surface" aria-label="Value lists" tabIndex={0}>
      <div className="flex h-10 items-center gap-2 border-b border-line px-4 text-xs text-fg-3">
        A rule names a list as <code>'%Admins%'</code> under <code>|expand</code>. A change holds from the next events
        on.
        <ActBtn need="rule.write" size="sm" className="ml-auto" onClick={() => setChosen('')}>
          <Plus size={12} aria-hidden="true" />
          New value list
        </ActBtn>
      </div>
      <InlineError error={error} />
      <Loaded query={query} what="Value lists">
        {() =>
          items?.length ? (
            <Table label="Lists of values" head={HEAD}>
              {items.map(one => (
                <Tr key={one.name}>
                  <Td className="font-mono">{one.name}</Td>
                  <Td className="num">{one.number}</Td>
                  <Td className="num">{fmt(one.bytes)}</Td>
                  <Td className="num">{one.rules.length}</Td>
                  <Td>
                    <Ago at={one.updated_at} />
                  </Td>
                  <Td>{one.by_name}</Td>
                  <Acts>
                    <ActBtn need="rule.write" size="sm" onClick={() => setChosen(one.name)}>
                      Edit
                    </ActBtn>
                    <ActBtn
                      need="rule.write"
                      size="sm"
                      v="ghost"
                      disabled={busy}
                      aria-label={`Delete ${one.name}`}
                      onClick={() =>
                        void run(
                          async () => del(valueListPath(one.name), one.version),
                          () => undefined,
                        )
                      }
                    >
                      <Trash2 size={12} aria-hidden="true" />
                    </ActBtn>
                  </Acts>
                </Tr>
              ))}
            </Table>
          ) : (
            <Empty title="No value lists">A list gives a rule what changes more often than the rule.</Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
      {chosen === '' && <ListDialog onClose={() => setChosen(null)} />}
      {chosen && <Opened name={chosen} onClose={() => setChosen(null)} />}
    </section>
  )
}

function Opened({ name, onClose }: { name: string; onClose: () => void }) {
  const query = useQuery(valueListQuery(name))
  return query.data ? <ListDialog of={query.data} onClose={onClose} /> : null
}

function ListDialog({ of, onClose }: { of?: ValueList; onClose: () => void }) {
  const [name, setName] = useState(of?.name ?? '')
  const [text, setText] = useState((of?.values ?? []).join('\n'))
  const [note, setNote] = useState('')
  const { error, busy, onSubmit } = useSubmit(STALE)
  const values = listValues(text)
  const body = { values, note: note.trim() }
  const send = () =>
    of ? put<ValueList>(valueListPath(of.name), body, of.version) : post<ValueList>('/value-lists', { name, ...body })
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title={of ? `Value list ${of.name}` : 'New value list'}
      note={of?.rules.length ? `Used by ${of.rules.join(', ')}.` : 'Rules use it as soon as they name it.'}
      verb={of ? 'Save a new version' : 'Make list'}
      incomplete={!name}
      onSubmit={onSubmit(send, onClose)}
    >
      {!of && (
        <Field label="Name" hint="What rules call it, without the percent signs.">
          <input
            className={inputClass}
            maxLength={64}
            placeholder="Admins"
            value={name}
            onChange={e => setName(e.target.value)}
          />
        </Field>
      )}
      <Field label="Values" hint={`One a line; * and ? are wildcards. ${fmt(values.length)} of at most 20,000.`}>
        <textarea
          rows={10}
          spellCheck={false}
          className={`${inputClass} scroll h-auto py-1.5 font-mono text-xs`}
          value={text}
          onChange={e => setText(e.target.value)}
        />
      </Field>
      <Field label="Note (optional)">
        <input className={inputClass} maxLength={4_000} value={note} onChange={e => setNote(e.target.value)} />
      </Field>
    </FormDialog>
  )
}
