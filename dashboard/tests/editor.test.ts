import { CompletionContext } from '@codemirror/autocomplete'
import { EditorState, Text } from '@codemirror/state'
import { describe, expect, it } from 'vitest'
import { completeSigma, MODIFIERS } from '@/features/detections/complete'
import { marksOf, positionOf } from '@/ui/code-editor'

const doc = Text.of(['title: x', 'detection:', '  condition: selektion', ''])
const said = (line: number, column: number, severity = 'error') => ({
  severity,
  code: 'c',
  file: '',
  line,
  column,
  message: 'No.',
  fix: 'Do.',
})

describe('a diagnostic in the editor', () => {
  it('marks the word that it points at, with the fix in its text', () => {
    const [mark] = marksOf(doc, [said(3, 14)])
    expect(doc.sliceString(mark?.from ?? 0, mark?.to)).toBe('selektion')
    expect(mark).toMatchObject({ severity: 'error', message: 'No. Do.', source: 'c' })
  })
  it('that names no place, or one beyond the text, stays inside it', () => {
    for (const [line, column] of [
      [0, 0],
      [99, 99],
      [1, 500],
    ] as const) {
      const [mark] = marksOf(doc, [said(line, column)])
      expect(mark?.from).toBeGreaterThanOrEqual(0)
      expect(mark?.to).toBeLessThanOrEqual(doc.length)
    }
    expect(positionOf(doc, 2, 1)).toBe(doc.line(2).from)
  })
  it('keeps warnings and hints apart from errors', () => {
    expect(marksOf(doc, [said(1, 1, 'warning'), said(1, 1, 'info')]).map(m => m.severity)).toEqual(['warning', 'info'])
  })
})

describe('completion', () => {
  const at = (text: string) => {
    const pos = text.indexOf('^')
    const state = EditorState.create({ doc: text.replace('^', '') })
    return completeSigma(new CompletionContext(state, pos, true))
  }
  const labels = (text: string) => at(text)?.options.map(o => o.label) ?? []
  it('offers the keys of a rule at its margin', () => {
    expect(labels('ti^')).toContain('title')
    expect(labels('ti^')).toContain('detection')
  })
  it('offers modifiers after a bar, and no more once the value began', () => {
    expect(labels('detection:\n  sel:\n    CommandLine|con^')).toEqual(MODIFIERS)
    expect(labels('detection:\n  sel:\n    a: b|con^')).not.toEqual(MODIFIERS)
  })
  it('offers values where they are known', () => {
    expect(labels('level: ^')).toEqual(['informational', 'low', 'medium', 'high', 'critical'])
    expect(labels('logsource:\n  category: pro^')).toContain('process_creation')
    expect(labels('author: ^')).toEqual([])
  })
  it('knows in which block it is', () => {
    expect(labels('logsource:\n  ^')).toContain('service')
    expect(labels('correlation:\n  ^')).toContain('timespan')
  })
})
