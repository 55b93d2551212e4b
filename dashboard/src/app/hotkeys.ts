/**
 * One registry of shortcuts feeds the listener, the `?` sheet and the command palette.
 * Single keys can be switched off (WCAG 2.1.4) and never fire while typing, in dialogs or in menus.
 */
import { useEffect, useRef, useSyncExternalStore } from 'react'

export type Hotkey = {
  /** `j`, `shift+enter`, `mod+k`, or a sequence `g a`. */
  keys: string
  label: string
  group: string
  run: (e: KeyboardEvent) => void
  when?: () => boolean
}

const SEQUENCE_MS = 900
const registry = new Set<Hotkey>()
const subs = new Set<() => void>()
let version = 0
let pending = ''
let timer: ReturnType<typeof setTimeout> | undefined

const changed = () => {
  version++
  for (const sub of subs) sub()
}

export const isMac = /Mac|iPhone|iPad/.test(navigator.platform)

export const singleKeys = () => localStorage.getItem('singleKeys') !== 'off'
export const setSingleKeys = (on: boolean) => localStorage.setItem('singleKeys', on ? 'on' : 'off')

const typing = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

const layerOpen = () => document.querySelector('[role=dialog][data-open], [role=menu]:popover-open') !== null

function keyName(e: KeyboardEvent) {
  let name = ''
  if (e.metaKey || e.ctrlKey) name += 'mod+'
  if (e.altKey) name += 'alt+'
  if (e.shiftKey && e.key.length > 1) name += 'shift+'
  return name + (e.key === ' ' ? 'space' : e.key.toLowerCase())
}

/** Enter and space belong to the focused control. */
const activates = (e: KeyboardEvent) =>
  (e.key === 'Enter' || e.key === ' ') &&
  !e.shiftKey &&
  e.target instanceof HTMLElement &&
  e.target.closest('button, a, summary, [role=button], [role=option]') !== null

export function onKey(e: KeyboardEvent) {
  if (e.isComposing || e.defaultPrevented) return
  const key = keyName(e)
  const always = key.startsWith('mod+') || key === 'escape'
  if (!always && (typing(e.target) || !singleKeys() || layerOpen() || activates(e))) return
  if (key === 'escape' && layerOpen()) return
  const sequence = pending ? `${pending} ${key}` : key
  for (const hotkey of [...registry].reverse()) {
    if ((hotkey.keys === sequence || hotkey.keys === key) && (hotkey.when?.() ?? true)) {
      pending = ''
      e.preventDefault()
      hotkey.run(e)
      return
    }
  }
  clearTimeout(timer)
  pending = [...registry].some(h => h.keys.startsWith(`${sequence} `)) ? sequence : ''
  if (pending) {
    timer = setTimeout(() => {
      pending = ''
    }, SEQUENCE_MS)
  }
}
window.addEventListener('keydown', onKey)

/** Registers shortcuts while the component is mounted; later registrations win. */
export function useHotkeys(list: Hotkey[]) {
  const latest = useRef(list)
  latest.current = list
  const signature = list.map(h => `${h.keys}=${h.label}`).join('|')
  // biome-ignore lint/correctness/useExhaustiveDependencies: the signature says when the set changes; `latest` serves the rest
  useEffect(() => {
    const mine = latest.current.map((hotkey, i) => ({
      ...hotkey,
      run: (e: KeyboardEvent) => latest.current[i]?.run(e),
      when: () => latest.current[i]?.when?.() ?? true,
    }))
    for (const hotkey of mine) registry.add(hotkey)
    changed()
    return () => {
      for (const hotkey of mine) registry.delete(hotkey)
      changed()
    }
  }, [signature])
}

export const useHotkeyList = () => {
  useSyncExternalStore(
    f => {
      subs.add(f)
      return () => subs.delete(f)
    },
    () => version,
  )
  return [...registry]
}

const NAMES: Record<string, string> = {
  mod: isMac ? '⌘' : 'Ctrl',
  shift: '⇧',
  enter: '↵',
  escape: 'Esc',
  space: 'Space',
  arrowdown: '↓',
  arrowup: '↑',
}
/** `shift+enter` -> [[⇧, ↵]]; `g a` -> [[G], [A]]. */
export const pretty = (keys: string) =>
  keys.split(' ').map(chord => chord.split('+').map(key => NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key)))
