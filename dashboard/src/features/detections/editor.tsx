/** The editor of a rule: text with the server's diagnostics as one types, samples beside it, and how they come out. */
import { type ReactNode, useRef } from 'react'
import type { Diagnostic } from '@/api/types'
import { useGuard } from '@/app/use-guard'
import { Btn, InlineError, inputClass, Kbd } from '@/ui'
import CodeEditor, { type EditorHandle } from '@/ui/code-editor'
import { completeSigma } from './complete'
import { ResultList, TallyLine } from './results'
import { Said } from './said'
import { isCorrelation } from './samples'
import { type Checked, errorsOf, type Written } from './use-check'

type Props = {
  written: Written
  checked: Checked
  /** Something is there to be saved. */
  changed: boolean
  /** Something would be lost; unless told, what is to be saved. */
  unsaved?: boolean
  busy: boolean
  /** What the server refused the last time. */
  error: unknown
  verb: string
  note?: ReactNode
  onChange: (change: Partial<Written>) => void
  onSave: () => void
  onDiscard?: () => void
}

export function RuleEditor(props: Props) {
  const { written, checked, changed, unsaved = changed, busy, error, verb, note, onChange, onSave, onDiscard } = props
  const editor = useRef<EditorHandle>(null)
  const errors = errorsOf(checked.check)
  const said = checked.check?.diagnostics ?? NOTHING
  const save = () => {
    if (changed && !busy && errors === 0) onSave()
  }
  useGuard(unsaved)
  return (
    <div className="grid h-full min-h-0 grid-cols-[minmax(0,1fr)_440px]">
      <section className="flex min-h-0 flex-col border-r border-line bg-surface" aria-label="Text of the rule">
        <div className="min-h-0 flex-1">
          <CodeEditor
            ref={editor}
            label="Rule in Sigma YAML"
            value={written.text}
            onChange={text => onChange({ text })}
            onSave={save}
            diagnostics={said}
            complete={completeSigma}
          />
        </div>
        <Said
          items={said}
          checked={checked}
          reading="Reading the rule…"
          fine="It is a rule"
          onGo={d => editor.current?.goTo(d.line, d.column)}
        />
        <div className="flex min-h-12 shrink-0 items-center gap-2 border-t border-line px-3 py-2">
          <div className="min-w-0 flex-1">{error ? <InlineError error={error} /> : note}</div>
          {onDiscard && (
            <Btn onClick={onDiscard} disabled={!changed || busy}>
              Discard
            </Btn>
          )}
          <Btn v="primary" onClick={save} disabled={!changed || busy || errors > 0}>
            {busy ? 'Saving…' : verb}
            <Kbd k="mod+s" on="primary" />
          </Btn>
        </div>
      </section>
      <Samples written={written} checked={checked} onChange={onChange} />
    </div>
  )
}
const NOTHING: Diagnostic[] = []

type SamplesProps = { written: Written; checked: Checked; onChange: (change: Partial<Written>) => void }

function Samples({ written, checked, onChange }: SamplesProps) {
  const { check } = checked
  return (
    <section className="scroll flex min-h-0 flex-col overflow-y-auto bg-surface" aria-label="Test panel" tabIndex={0}>
      <div className="flex h-9 shrink-0 items-center border-b border-line px-3 text-sm">
        <h2 className="font-medium">Test</h2>
        <span className="ml-auto text-xs" role="status" data-tests={check?.tests.failed ?? 0}>
          {check && <TallyLine tally={check.tests} />}
        </span>
      </div>
      <div className="flex flex-col gap-3 p-3">
        <SampleBox
          label="Must match"
          hint={
            isCorrelation(written.text)
              ? 'Stories that it is to find: an event a line, an empty line between two stories.'
              : 'Events that it is to find: one a line, or JSON over several.'
          }
          value={written.match}
          onChange={match => onChange({ match })}
        />
        <SampleBox
          label="Must not match"
          hint="What looks alike and is harmless."
          value={written.miss}
          onChange={miss => onChange({ miss })}
        />
        {check && check.tests.results.length > 0 && (
          <ResultList results={check.tests.results} label="How the samples come out" />
        )}
      </div>
    </section>
  )
}

type BoxProps = { label: string; hint: string; value: string; onChange: (text: string) => void }

const SampleBox = ({ label, hint, value, onChange }: BoxProps) => (
  <label className="flex flex-col gap-1 text-xs">
    <span className="font-medium text-fg-2">{label}</span>
    <textarea
      aria-label={label}
      aria-description={hint}
      rows={5}
      spellCheck={false}
      value={value}
      placeholder={hint}
      onChange={e => onChange(e.target.value)}
      className={`${inputClass} scroll h-auto py-1.5 font-mono text-xs`}
    />
  </label>
)
