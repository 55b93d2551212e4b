/** A small menu on the native popover: arrows move, Enter picks, Escape closes and gives the focus back. */
import { ChevronDown } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useId, useImperativeHandle, useRef } from 'react'
import { Btn, cn } from './basic'

export type MenuItem = { id: string; label: ReactNode; hint?: string; disabled?: boolean; run: () => void }
export type MenuHandle = { open: () => void }

type Props = {
  label: string
  trigger: ReactNode
  items: MenuItem[]
  v?: 'default' | 'primary' | 'ghost'
  size?: 'md' | 'sm'
  disabled?: boolean
  /** Why it cannot be opened; the button keeps the focus, so that the reason can be read. */
  disabledBecause?: string | null
  icon?: boolean
  up?: boolean
  ref?: React.Ref<MenuHandle>
}

export function Menu({ label, trigger, items, v, size, disabled, disabledBecause, icon, up, ref }: Props) {
  const id = useId()
  const anchor = `--m${id.replace(/[^a-z0-9]/gi, '')}`
  const list = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const entries = () => [...(list.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])]
  const open = () => {
    list.current?.showPopover()
    entries()[0]?.focus()
  }
  const close = () => {
    list.current?.hidePopover()
    button.current?.focus()
  }
  useImperativeHandle(ref, () => ({ open }))
  const onKeyDown = (e: KeyboardEvent) => {
    const all = entries()
    const at = all.indexOf(document.activeElement as HTMLElement)
    const next = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[e.key]
    if (next !== undefined) all[next % all.length]?.focus()
    else if (e.key === 'Escape') close()
    else if (e.key !== 'Tab') return
    if (e.key === 'Tab') list.current?.hidePopover()
    else e.preventDefault()
    e.stopPropagation()
  }
  return (
    <>
      <Btn
        ref={button}
        v={v}
        size={size}
        icon={icon}
        disabled={disabled}
        aria-haspopup="menu"
        aria-label={icon ? label : undefined}
        style={{ anchorName: anchor } as object}
        title={disabledBecause ?? undefined}
        aria-disabled={disabledBecause ? true : undefined}
        aria-description={disabledBecause ?? undefined}
        onClick={disabledBecause ? undefined : open}
      >
        {trigger}
        {!icon && <ChevronDown size={12} className="text-fg-3" aria-hidden="true" />}
      </Btn>
      <div
        ref={list}
        popover="auto"
        role="menu"
        aria-label={label}
        tabIndex={-1}
        onKeyDown={onKeyDown}
        className={cn('menu', up && 'menu-up')}
        style={{ positionAnchor: anchor } as object}
      >
        {items.map(item => (
          <button
            key={item.id}
            type="button"
            role="menuitem"
            tabIndex={-1}
            disabled={item.disabled}
            className="flex w-full flex-col rounded-md px-2 py-1.5 text-left text-sm hover:bg-hover focus:bg-active focus:outline-none disabled:opacity-50"
            onClick={() => {
              close()
              item.run()
            }}
          >
            <span>{item.label}</span>
            {item.hint && <span className="text-2xs text-fg-3">{item.hint}</span>}
          </button>
        ))}
      </div>
    </>
  )
}
