/** Tooltip on the native popover with CSS anchor positioning: no positioning code. */
import { type ReactNode, useId, useRef } from 'react'
import { Kbd } from './basic'

export function Tip({ label, keys, children }: { label: string; keys?: string; children: ReactNode }) {
  const id = useId()
  const anchor = `--t${id.replace(/[^a-z0-9]/gi, '')}`
  const tip = useRef<HTMLSpanElement>(null)
  const timer = useRef(0)
  const show = () => {
    timer.current = window.setTimeout(() => {
      if (tip.current?.isConnected) tip.current.showPopover()
    }, 350)
  }
  const hide = () => {
    clearTimeout(timer.current)
    if (tip.current?.matches(':popover-open')) tip.current.hidePopover()
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the control inside keeps its own name and role
    <span
      className="inline-flex"
      style={{ anchorName: anchor } as object}
      onPointerEnter={show}
      onPointerLeave={hide}
      onFocus={show}
      onBlur={hide}
      onPointerDown={hide}
    >
      {children}
      <span
        ref={tip}
        popover="manual"
        role="tooltip"
        id={id}
        className="tip"
        style={{ positionAnchor: anchor } as object}
      >
        {label}
        {keys && <Kbd k={keys} className="ml-2" />}
      </span>
    </span>
  )
}
