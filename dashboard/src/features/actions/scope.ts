/** From what the form of the undo centre says to what is asked of the server. Pure, so that tests can walk it. */
import type { UndoScope, Whose } from '@/api/response'

export type Asked = {
  who: 'automation' | 'user' | 'rule'
  user: string
  rule: string
  span: '3600' | '86400' | 'custom'
  /** Local times, as the inputs give them. */
  from: string
  to: string
}

export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone

function whose(asked: Asked): Whose | null {
  if (asked.who === 'automation') return { automation: true }
  if (asked.who === 'user') return asked.user ? { user: asked.user } : null
  const rule = asked.rule.trim()
  return rule ? { rule } : null
}

/** The scope with its times fixed, so that what is undone is what was shown; or what is missing. */
export function scopeOf(asked: Asked, now: number): UndoScope | string {
  const by = whose(asked)
  if (!by) return asked.who === 'rule' ? 'Name a rule.' : 'Choose a person.'
  if (asked.span !== 'custom') {
    const from = new Date(now - Number(asked.span) * 1000)
    return { by, from: from.toISOString(), to: new Date(now).toISOString() }
  }
  if (!asked.from) return 'Say from when.'
  const from = Date.parse(asked.from)
  const to = asked.to ? Date.parse(asked.to) : now
  if (Number.isNaN(from) || Number.isNaN(to)) return 'A time cannot be read.'
  if (from >= to) return 'The beginning has to be before the end.'
  return { by, from: new Date(from).toISOString(), to: new Date(to).toISOString() }
}
