/** Takes indicators into a list, from a file of any size or from what is pasted; what could not be read is shown. */
import { useState } from 'react'
import { upload } from '@/api/client'
import type { ImportAnswer, IndicatorList } from '@/api/indicators'
import type { Diagnostic } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { DiagnosticList } from '@/features/detections/diagnostics'
import { Btn, Field, fmt, inputClass, plural } from '@/ui'
import { FormDialog } from '@/ui/form-dialog'
import { Modal } from '@/ui/modal'
import { Progress } from '@/ui/progress'
import { STALE } from './list-dialog'
import { isPacked, pieces } from './pieces'

const FORMATS: [string, string][] = [
  ['', 'Found out from the content'],
  ['text', 'Lines of text'],
  ['csv', 'CSV'],
  ['stix', 'STIX 2.1'],
  ['misp', 'MISP'],
]
type Done = { imported: number; refused: number; diagnostics: Diagnostic[] }
type Props = { list: IndicatorList; onClose: () => void }

/** Named, so that what is pasted is cut like a file. */
const pasted = (text: string) => new File([text], 'pasted.txt', { type: 'text/plain' })

export default function ImportDialog({ list, onClose }: Props) {
  const [file, setFile] = useState<File | null>(null)
  const [text, setText] = useState('')
  const [format, setFormat] = useState('')
  const [mode, setMode] = useState('replace')
  const [sent, setSent] = useState(0)
  const [done, setDone] = useState<Done | null>(null)
  const { error, busy, onSubmit } = useSubmit(STALE)
  const what = file ?? (text.trim() ? pasted(text) : null)
  const send = async () => {
    const all: Done = { imported: 0, refused: 0, diagnostics: [] }
    setSent(0)
    const given = what as File
    let after: string | null | undefined
    for await (const piece of pieces(given)) {
      const query = {
        format,
        mode,
        from_line: piece.fromLine,
        after: after ?? undefined,
        more: piece.more || undefined,
      }
      const answer = await upload<ImportAnswer & { next?: string | null }>(
        `/indicators/lists/${list.id}/import`,
        query,
        piece.body,
        isPacked(given.name) ? given.name.slice(given.name.lastIndexOf('.') + 1).toLowerCase() : undefined,
      )
      after = answer.next
      setSent(before => before + piece.body.size)
      all.imported += answer.imported
      all.refused += answer.refused
      all.diagnostics.push(...answer.diagnostics)
    }
    return all
  }
  if (done) return <Result list={list} done={done} onClose={onClose} />
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title={`Import into ${list.name}`}
      note="Addresses, networks, domains, URLs, hashes, e-mail addresses: one a line, or with columns. Lines that cannot be read are refused one by one."
      width={560}
      verb="Import"
      working="Importing…"
      incomplete={!what}
      onSubmit={onSubmit(send, setDone)}
    >
      <Field label="File" hint="Text, CSV, STIX or MISP; also as .gz or .zst.">
        <input
          type="file"
          className={`${inputClass} h-auto py-1.5`}
          onChange={e => setFile(e.target.files?.[0] ?? null)}
        />
      </Field>
      {!file && (
        <Field label="Or paste it">
          <textarea
            rows={5}
            spellCheck={false}
            placeholder={'203.0.113.66\nevil.example'}
            className={`${inputClass} h-auto py-1.5 font-mono text-xs`}
            value={text}
            onChange={e => setText(e.target.value)}
          />
        </Field>
      )}
      <div className="grid grid-cols-2 gap-3">
        <Field label="Format">
          <select className={inputClass} value={format} onChange={e => setFormat(e.target.value)}>
            {FORMATS.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </Field>
        <Field label="What is there already">
          <select className={inputClass} value={mode} onChange={e => setMode(e.target.value)}>
            <option value="replace">is replaced</option>
            <option value="append">stays</option>
          </select>
        </Field>
      </div>
      {busy && what && <Progress done={sent} total={what.size} label="Sent so far" />}
    </FormDialog>
  )
}

const SHOWN = 50

function Result({ list, done, onClose }: { list: IndicatorList; done: Done; onClose: () => void }) {
  return (
    <Modal open onClose={onClose} title={`${plural(done.imported, 'indicator')} imported`} width={560}>
      <p className="text-fg-2" role="status">
        {done.refused ? `${plural(done.refused, 'line')} refused. ` : 'Every line could be read. '}
        Events are checked against {list.name} as soon as it is loaded.
      </p>
      {done.diagnostics.length > 0 && (
        <div className="scroll mt-3 max-h-64 overflow-y-auto" tabIndex={0} role="region" aria-label="What was refused">
          <DiagnosticList items={done.diagnostics.slice(0, SHOWN)} />
          {done.diagnostics.length > SHOWN && (
            <p className="mt-1 text-xs text-fg-3">and {fmt(done.diagnostics.length - SHOWN)} more</p>
          )}
        </div>
      )}
      <div className="mt-4 flex justify-end">
        <Btn v="primary" onClick={onClose}>
          Done
        </Btn>
      </div>
    </Modal>
  )
}
