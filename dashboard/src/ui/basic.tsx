/** Buttons, chips and the other small parts that the frame and every page are made of. */
import { clsx } from 'clsx'
import type { ComponentProps, ReactNode } from 'react'
import { pretty } from '@/app/hotkeys'

export const cn = clsx

type BtnProps = ComponentProps<'button'> & {
  v?: 'default' | 'primary' | 'ghost' | 'danger'
  size?: 'md' | 'sm'
  icon?: boolean
}
export function Btn({ v = 'default', size = 'md', icon, className, ...props }: BtnProps) {
  return (
    <button
      type="button"
      {...props}
      className={cn(
        'inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap transition-colors duration-100 disabled:opacity-50 aria-disabled:opacity-50',
        size === 'md' ? 'h-7.5 text-sm' : 'h-6.5 text-xs',
        icon ? (size === 'md' ? 'w-7.5' : 'w-6.5') : size === 'md' ? 'px-2.5' : 'px-2',
        v === 'default' && 'border border-line-strong bg-surface text-fg hover:bg-hover active:bg-active',
        v === 'primary' && 'bg-accent-solid text-white hover:brightness-110',
        v === 'ghost' && 'text-fg-2 hover:bg-hover hover:text-fg',
        v === 'danger' && 'soft-critical hover:brightness-110',
        className,
      )}
    />
  )
}

export function Kbd({ k, className, on }: { k: string; className?: string; on?: 'primary' }) {
  return (
    <span className={cn('inline-flex items-center gap-0.5', className)} aria-hidden="true">
      {pretty(k).map((group, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one fixed text
        <span key={i} className="inline-flex gap-0.5">
          {group.map(key => (
            <kbd
              key={key}
              className={cn(
                'inline-grid h-4.5 min-w-4.5 place-items-center rounded-sm border px-1 font-sans text-[11px] leading-none font-normal',
                on === 'primary' ? 'border-white/30 bg-black/20 text-white' : 'border-line-strong bg-raised text-fg-3',
              )}
            >
              {key}
            </kbd>
          ))}
        </span>
      ))}
    </span>
  )
}

export function Chip({
  tone = 'info',
  children,
  className,
  title,
}: {
  tone?: string
  children: ReactNode
  className?: string
  title?: string
}) {
  return (
    <span
      title={title}
      className={cn(
        'inline-flex h-5 shrink-0 items-center gap-1 rounded-sm px-1.5 text-2xs font-medium whitespace-nowrap',
        `soft-${tone}`,
        className,
      )}
    >
      {children}
    </span>
  )
}

/** Nothing is shown as real that is not: this and `SimulatedTag` stand on every object that carries the flag. */
export const DemoTag = () => (
  <Chip tone="medium" title="Recorded demonstration data, not your own">
    demo
  </Chip>
)
export function Avatar({ name, size = 20 }: { name: string; size?: number }) {
  const hue = ([...name].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) | 0, 7) >>> 0) % 360
  const initials = name
    .split(/[\s._-]+/)
    .map(part => part[0] ?? '')
    .slice(0, 2)
    .join('')
    .toUpperCase()
  return (
    <span
      title={name}
      aria-hidden="true"
      className="avatar inline-grid shrink-0 place-items-center rounded-full"
      style={{ width: size, height: size, background: `oklch(0.42 0.06 ${hue})`, color: `oklch(0.95 0.02 ${hue})` }}
    >
      <svg viewBox="0 0 20 20" width={size} height={size} aria-hidden="true">
        <text x="10" y="13.2" textAnchor="middle" fontSize="9" fontWeight="600" fill="currentColor">
          {initials}
        </text>
      </svg>
    </span>
  )
}
