/** A text editor for rules and events: CodeMirror under the page's policy, in the page's colours. Only lazily loaded code imports it. */
import { autocompletion, type CompletionSource, closeBrackets } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, foldGutter, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { lintGutter, lintKeymap, type Diagnostic as Mark, setDiagnostics } from '@codemirror/lint'
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search'
import { EditorState, type Text } from '@codemirror/state'
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from '@codemirror/view'
import { tags as t } from '@lezer/highlight'
import { type Ref, useEffect, useImperativeHandle, useRef } from 'react'
import type { Diagnostic } from '@/api/types'
import { editorTheme } from './code-theme'
import { rego } from './rego'

const COLOURS = HighlightStyle.define([
  { tag: [t.definition(t.propertyName), t.propertyName], color: 'var(--accent)' },
  { tag: [t.string, t.content], color: 'var(--ok)' },
  { tag: [t.number, t.bool, t.null], color: 'var(--medium)' },
  { tag: t.comment, color: 'var(--fg-3)', fontStyle: 'italic' },
  { tag: [t.keyword, t.typeName, t.labelName], color: 'var(--low)' },
  { tag: t.punctuation, color: 'var(--fg-3)' },
])

export type EditorHandle = { goTo: (line: number, column?: number) => void }
type Props = {
  value: string
  label: string
  onChange?: (text: string) => void
  onSave?: () => void
  diagnostics?: Diagnostic[]
  complete?: CompletionSource
  readOnly?: boolean
  /** YAML unless told. */
  language?: 'yaml' | 'rego'
  ref?: Ref<EditorHandle>
}

/** The character that a line and column (from 1) name; never beyond the text. */
export function positionOf(doc: Text, line: number, column: number) {
  const at = doc.line(Math.min(Math.max(1, line), doc.lines))
  return Math.min(at.from + Math.max(0, column - 1), at.to)
}

/** A diagnostic marks the word it points at, or its line when it names none. */
export function marksOf(doc: Text, diagnostics: Diagnostic[]): Mark[] {
  return diagnostics.map(d => {
    const line = doc.line(Math.min(Math.max(1, d.line || 1), doc.lines))
    const from = positionOf(doc, line.number, d.column || 1)
    const word = /^[^\s:#,\]}]+/.exec(line.text.slice(from - line.from))?.[0].length ?? 0
    const to = Math.max(from, Math.min(line.to, from + (word || line.length)))
    const severity = d.severity === 'error' ? 'error' : d.severity === 'warning' ? 'warning' : 'info'
    return { from, to, severity, message: [d.message, d.fix].filter(Boolean).join(' '), source: d.code }
  })
}

const nonce = () => document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? ''

type Calls = { onChange?: (text: string) => void; onSave?: () => void }

type Look = Pick<Props, 'label' | 'complete' | 'readOnly' | 'language'>

function extensions({ label, complete, readOnly, language }: Look, calls: { current: Calls }) {
  const keys = keymap.of([
    {
      key: 'Mod-s',
      preventDefault: true,
      run: () => {
        calls.current.onSave?.()
        return true
      },
    },
    // Tab indents here, so there is a way out by keyboard.
    {
      key: 'Escape',
      run: view => {
        view.contentDOM.blur()
        return true
      },
    },
    ...searchKeymap,
    ...historyKeymap,
    ...lintKeymap,
    ...defaultKeymap,
    ...(readOnly ? [] : [indentWithTab]),
  ])
  return [
    EditorView.cspNonce.of(nonce()),
    EditorState.readOnly.of(!!readOnly),
    ...[lineNumbers(), foldGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets()],
    ...(readOnly ? [] : [highlightActiveLine(), highlightActiveLineGutter(), lintGutter()]),
    highlightSelectionMatches(),
    language === 'rego' ? rego : yaml(),
    syntaxHighlighting(COLOURS),
    editorTheme,
    ...(complete ? [autocompletion({ override: [complete] })] : []),
    EditorView.contentAttributes.of({
      'aria-label': label,
      'aria-description': readOnly ? 'Read only' : 'Escape leaves the editor',
      tabindex: '0',
    }),
    EditorView.updateListener.of(update => {
      if (update.docChanged) calls.current.onChange?.(update.state.doc.toString())
    }),
    keys,
  ]
}

export default function CodeEditor({ value, label, diagnostics, complete, readOnly, language, ref, ...on }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const calls = useRef<Calls>(on)
  calls.current = on
  // biome-ignore lint/correctness/useExhaustiveDependencies: the editor keeps its own text; `value` is followed below
  useEffect(() => {
    if (!box.current) return
    const state = EditorState.create({
      doc: value,
      extensions: extensions({ label, complete, readOnly, language }, calls),
    })
    const made = new EditorView({ parent: box.current, state })
    view.current = made
    return () => {
      view.current = null
      made.destroy()
    }
  }, [label, readOnly, language])
  useEffect(() => {
    const editor = view.current
    if (!editor || editor.state.doc.toString() === value) return
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } })
  }, [value])
  useEffect(() => {
    const editor = view.current
    if (editor && diagnostics) editor.dispatch(setDiagnostics(editor.state, marksOf(editor.state.doc, diagnostics)))
  }, [diagnostics])
  useImperativeHandle(ref, () => ({
    goTo: (line, column = 1) => {
      const editor = view.current
      if (!editor) return
      editor.focus()
      editor.dispatch({ selection: { anchor: positionOf(editor.state.doc, line, column) }, scrollIntoView: true })
    },
  }))
  return <div ref={box} className="h-full min-h-0 overflow-hidden" />
}
