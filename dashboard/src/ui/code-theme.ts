/** The editor in the page's tokens, so that it follows the theme without being made anew. */
import { EditorView } from '@codemirror/view'

const SELECTED = 'color-mix(in oklab, var(--accent-solid) 35%, transparent)'
const wavy = (colour: string) => ({
  backgroundImage: 'none',
  textDecoration: `underline wavy var(${colour}) 1px`,
  textUnderlineOffset: '3px',
})

export const editorTheme = EditorView.theme({
  '&': { height: '100%', color: 'var(--fg)', backgroundColor: 'transparent', fontSize: '12.5px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: '"Geist Mono", ui-monospace, monospace', lineHeight: '20px', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--accent)', padding: '8px 0' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--fg-3)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { paddingLeft: '10px', minWidth: '38px' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in oklab, var(--fg) 4%, transparent)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
    backgroundColor: SELECTED,
  },
  '.cm-cursor': { borderLeftColor: 'var(--accent)' },
  '.cm-selectionMatch': { backgroundColor: 'color-mix(in oklab, var(--accent-solid) 18%, transparent)' },
  '.cm-matchingBracket': { backgroundColor: 'color-mix(in oklab, var(--accent) 22%, transparent)' },
  '.cm-foldGutter span': { color: 'var(--fg-3)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--raised)',
    color: 'var(--fg)',
    border: '1px solid var(--line-strong)',
    borderRadius: '6px',
    overflow: 'hidden',
    fontSize: '12px',
  },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent-solid)', color: '#fff' },
  '.cm-completionDetail': { color: 'var(--fg-3)', fontStyle: 'normal' },
  '.cm-diagnostic': { padding: '4px 8px', maxWidth: '420px' },
  '.cm-diagnostic-error': { borderLeft: '3px solid var(--critical)' },
  '.cm-diagnostic-warning': { borderLeft: '3px solid var(--medium)' },
  '.cm-diagnostic-info': { borderLeft: '3px solid var(--low)' },
  '.cm-diagnosticSource': { color: 'var(--fg-3)', fontSize: '11px' },
  '.cm-lint-marker': { width: '8px', height: '8px', margin: '6px 2px', borderRadius: '50%' },
  '.cm-lint-marker-error': { content: '""', backgroundColor: 'var(--critical)' },
  '.cm-lint-marker-warning': { content: '""', backgroundColor: 'var(--medium)', borderRadius: '2px' },
  '.cm-lint-marker-info': { content: '""', backgroundColor: 'var(--low)' },
  '.cm-lintRange-error': wavy('--critical'),
  '.cm-lintRange-warning': wavy('--medium'),
  '.cm-lintRange-info': wavy('--low'),
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--fg)', borderColor: 'var(--line)' },
  '.cm-panel input, .cm-panel button': {
    backgroundColor: 'var(--surface)',
    backgroundImage: 'none',
    color: 'var(--fg)',
    border: '1px solid var(--control-line)',
    borderRadius: '4px',
  },
})
