/** Buttons, chips, cards and the other small parts that every page is made of. */
import { clsx } from 'clsx'
import { type ComponentProps, cloneElement, type ReactElement, type ReactNode, useId } from 'react'
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

/** Nothing is shown as real that is not: these two stand on every object that carries the flag. */
export const DemoTag = () => (
  <Chip tone="medium" title="Recorded demonstration data, not your own">
    demo
  </Chip>
)
export const SimulatedTag = () => (
  <Chip tone="medium" title="Built-in simulator: nothing real happens on this target">
    simulated
  </Chip>
)
export function Marks({ demo, simulated }: { demo?: boolean; simulated?: boolean }) {
  if (!demo && !simulated) return null
  return (
    <>
      {demo && <DemoTag />}
      {simulated && <SimulatedTag />}
    </>
  )
}

type CardProps = {
  title?: ReactNode
  extra?: ReactNode
  children: ReactNode
  className?: string
  body?: string
  level?: 2 | 3
}
export function Card({ title, extra, children, className, body, level = 2 }: CardProps) {
  const Heading = `h${level}` as const
  return (
    <section className={cn('flex min-h-0 min-w-0 flex-col rounded-lg border border-line bg-surface', className)}>
      {title && (
        <header className="flex h-10 shrink-0 items-center gap-2 border-b border-line px-3">
          <Heading className="text-sm font-medium">{title}</Heading>
          <div className="ml-auto flex items-center gap-2 text-xs text-fg-3">{extra}</div>
        </header>
      )}
      <div className={cn('min-h-0 flex-1', body)}>{children}</div>
    </section>
  )
}

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

/** A page's first line: title, what it holds, what one can do. */
export function PageBar({ title, children, note }: { title: string; note?: ReactNode; children?: ReactNode }) {
  return (
    <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-4">
      <h1 className="text-sm font-semibold">{title}</h1>
      {note && <span className="min-w-0 truncate text-xs text-fg-3">{note}</span>}
      <div className="ml-auto flex items-center gap-1.5">{children}</div>
    </div>
  )
}

export const inputClass =
  'h-7.5 rounded-md border border-control bg-surface px-2 text-sm text-fg placeholder:text-fg-3 disabled:opacity-60'

type FieldProps = { label: string; hint?: ReactNode; error?: string; children: ReactElement<ControlProps> }
type ControlProps = { id?: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean }

/** A control with its name above and its hint or complaint below; the hint describes, it is no part of the name. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId()
  const note = `${id}-note`
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-xs font-medium text-fg-2">
        {label}
      </label>
      {cloneElement(children, {
        id,
        'aria-describedby': hint || error ? note : undefined,
        'aria-invalid': error ? true : undefined,
      })}
      {error ? (
        <span id={note} role="alert" className="text-xs text-critical">
          {error}
        </span>
      ) : (
        hint && (
          <span id={note} className="text-xs text-fg-3">
            {hint}
          </span>
        )
      )}
    </div>
  )
}
