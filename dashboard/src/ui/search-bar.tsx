/** The filter line of a list. Typing waits a moment before it asks the server; Escape clears, then leaves. */
import { Search } from 'lucide-react'
import { type ReactNode, type Ref, useEffect, useImperativeHandle, useRef, useState } from 'react'
import { Kbd } from './basic'

type Props = {
  label: string
  value: string
  onChange: (text: string) => void
  hint: string
  before?: ReactNode
  children?: ReactNode
  ref?: Ref<HTMLInputElement>
}
const TYPING_MS = 250

export function SearchBar({ label, value, onChange, hint, before, children, ref }: Props) {
  const [text, setText] = useState(value)
  const input = useRef<HTMLInputElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  useImperativeHandle(ref, () => input.current as HTMLInputElement)
  // The address changed elsewhere (back button, cleared filters): follow it, but never while someone types here.
  useEffect(() => {
    if (document.activeElement !== input.current) setText(value)
  }, [value])
  useEffect(() => () => clearTimeout(timer.current), [])
  const change = (next: string, at = TYPING_MS) => {
    setText(next)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => onChange(next.trim()), at)
  }
  return (
    <div className="flex h-10 shrink-0 items-center gap-2 border-b border-line px-3">
      <Search size={14} className="shrink-0 text-fg-3" aria-hidden="true" />
      {before}
      <input
        ref={input}
        value={text}
        aria-label={label}
        placeholder={hint}
        onChange={e => change(e.target.value)}
        onKeyDown={e => {
          if (e.key === 'Enter') change(text, 0)
          if (e.key !== 'Escape') return
          e.preventDefault()
          if (text) change('', 0)
          else input.current?.blur()
        }}
        className="h-full min-w-0 flex-1 bg-transparent text-sm outline-none placeholder:text-fg-3"
      />
      {children}
      <Kbd k="/" />
    </div>
  )
}
