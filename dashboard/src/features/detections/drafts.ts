/** What was written and not saved, by rule: it outlives a change of tab, not the page. */
import type { Written } from './use-check'

const kept = new Map<string, Written>()
export const draftOf = (key: string) => kept.get(key)
export const keepDraft = (key: string, written: Written) => kept.set(key, written)
export const dropDraft = (key: string) => kept.delete(key)
export const sameText = (a: Written, b: Written) => a.text === b.text && a.match === b.match && a.miss === b.miss

/** Random bytes as a UUID of version 4; `crypto.randomUUID` is there on secure addresses only. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** A rule to begin with; its id is its own from the first moment. */
export const template = (id: string, today: string, technique?: string) => `title: ""
id: ${id}
status: experimental
description: ""
author: ""
date: ${today}
logsource:
  product: linux
  service: sshd
detection:
  selection:
    program: sshd
  condition: selection
falsepositives:
  - Unknown
level: medium
tags:${technique ? `\n  - attack.${technique.toLowerCase()}` : ' []'}
`
