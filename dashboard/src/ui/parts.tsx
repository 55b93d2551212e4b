/** Cards, fields and marks: what pages are made of and the frame is not. */
import { cloneElement, type ReactElement, type ReactNode, useId } from 'react'
import { Chip, cn, DemoTag } from './basic'

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
        <header className="flex min-h-10 shrink-0 flex-wrap items-center gap-x-2 gap-y-1 border-b border-line px-3 py-1">
          <Heading className="text-sm font-medium">{title}</Heading>
          <div className="ml-auto flex flex-wrap items-center gap-2 text-xs text-fg-3">{extra}</div>
        </header>
      )}
      <div className={cn('min-h-0 flex-1', body)}>{children}</div>
    </section>
  )
}

/** A page's first line: title, what it holds, what one can do. */
export function PageBar({ title, children, note }: { title: string; note?: ReactNode; children?: ReactNode }) {
  return (
    <div className="flex min-h-11 shrink-0 flex-wrap items-center gap-x-2 gap-y-1 border-b border-line px-4 py-1">
      <h1 className="text-sm font-semibold">{title}</h1>
      {note && <span className="min-w-0 truncate text-xs text-fg-3 max-sm:hidden">{note}</span>}
      <div className="ml-auto flex flex-wrap items-center gap-1.5">{children}</div>
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
