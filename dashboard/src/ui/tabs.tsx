/** Tabs of a page: arrows move between them, each has an address of its own. */
import { type KeyboardEvent, useRef } from 'react'
import { cn } from './basic'

export type Tab = { id: string; label: string; count?: number | null }
type Props = {
  label: string
  tabs: Tab[]
  value: string
  onChange: (id: string) => void
  className?: string
  /** As high as the bar that they stand in, beside a heading. */
  tall?: boolean
}

export function Tabs({ label, tabs, value, onChange, className, tall }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const onKeyDown = (e: KeyboardEvent) => {
    const at = tabs.findIndex(t => t.id === value)
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1 + tabs.length, Home: 0, End: tabs.length - 1 }[e.key]
    const tab = next === undefined ? undefined : tabs[next % tabs.length]
    if (!tab) return
    e.preventDefault()
    onChange(tab.id)
    box.current?.querySelector<HTMLElement>(`[data-tab="${tab.id}"]`)?.focus()
  }
  return (
    <div ref={box} role="tablist" aria-label={label} className={cn('flex gap-4', className)} onKeyDown={onKeyDown}>
      {tabs.map(t => (
        <button
          key={t.id}
          role="tab"
          type="button"
          data-tab={t.id}
          tabIndex={t.id === value ? 0 : -1}
          aria-selected={t.id === value}
          onClick={() => onChange(t.id)}
          className={cn(
            tall ? 'h-11' : 'h-9',
            'flex items-center gap-1.5 border-b-2 text-sm whitespace-nowrap',
            t.id === value ? 'border-accent font-medium text-fg' : 'border-transparent text-fg-2 hover:text-fg',
          )}
        >
          {t.label}
          {t.count ? <span className="num text-2xs text-fg-3">{t.count}</span> : null}
        </button>
      ))}
    </div>
  )
}
