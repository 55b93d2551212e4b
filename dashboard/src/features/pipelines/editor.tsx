/** A pipeline as it is being written: the server's diagnostics as one types, tried on the tenant's rules that run. */
import { type ReactNode, useMemo, useRef } from 'react'
import type { PipelineCheck } from '@/api/detection-types'
import type { Diagnostic } from '@/api/types'
import { useAsked } from '@/app/use-asked'
import { useGuard } from '@/app/use-guard'
import { Btn, InlineError, Kbd } from '@/ui'
import CodeEditor, { type EditorHandle } from '@/ui/code-editor'
import { Said } from '../detections/said'

type Props = {
  /** One that the server takes, or another stands in for it while it is being typed. */
  name: string
  text: string
  readOnly?: boolean
  /** Something is there to be saved. */
  changed: boolean
  busy: boolean
  error: unknown
  verb: string
  note: ReactNode
  onText: (text: string) => void
  onSave: () => void
  onDiscard?: () => void
}
const NAME = /^[A-Za-z][\w.-]{0,63}$/
export const isName = (name: string) => NAME.test(name)
const NOTHING: Diagnostic[] = []

export function PipelineEditor({ name, text, readOnly, changed, busy, error, verb, note, ...on }: Props) {
  const editor = useRef<EditorHandle>(null)
  const known = isName(name) ? name : 'draft'
  const body = useMemo(() => ({ name: known, text }), [known, text])
  const checked = useAsked<PipelineCheck>('/pipelines/check', body)
  const said = checked.check?.diagnostics ?? NOTHING
  const may = changed && !busy && checked.check?.usable === true && !checked.checking
  useGuard(changed)
  return (
    <section className="flex h-full min-h-0 flex-col bg-surface" aria-label="Text of the pipeline">
      <div className="min-h-48 flex-1">
        <CodeEditor
          ref={editor}
          label="Pipeline in YAML"
          value={text}
          readOnly={readOnly}
          onChange={on.onText}
          onSave={() => may && on.onSave()}
          diagnostics={said}
        />
      </div>
      <Said
        items={said}
        checked={checked}
        reading="Trying it on the rules…"
        fine="It can be used: the rules that run compile with it"
        onGo={d => editor.current?.goTo(d.line, d.column)}
      />
      {!readOnly && (
        <div className="flex min-h-12 shrink-0 flex-wrap items-center gap-2 border-t border-line px-3 py-2">
          <div className="min-w-40 flex-1">{error ? <InlineError error={error} /> : note}</div>
          {on.onDiscard && (
            <Btn onClick={on.onDiscard} disabled={!changed || busy}>
              Discard
            </Btn>
          )}
          <Btn v="primary" onClick={on.onSave} disabled={!may}>
            {busy ? 'Saving…' : verb}
            <Kbd k="mod+s" on="primary" />
          </Btn>
        </div>
      )}
    </section>
  )
}
