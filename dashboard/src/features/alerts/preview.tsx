/** The panel beside the queue: the same facts as the alert's page, with the acts at its foot. */
import { Link } from '@tanstack/react-router'
import { ArrowUpRight, Check, UserPlus, X } from 'lucide-react'
import type { Alert } from '@/api/types'
import { useCan } from '@/app/session'
import { Ago, Btn, Kbd, SevIcon, short, Tip } from '@/ui'
import { AlertBody } from './alert-body'

type Props = { alert: Alert; onClose: () => void; onResolve: () => void; onAssign: () => void }

export function Preview({ alert, onClose, onResolve, onAssign }: Props) {
  const can = useCan()
  return (
    <aside
      aria-label={`Alert ${short(alert.id)}`}
      className="flex h-full w-[416px] shrink-0 flex-col border-l border-line bg-surface max-md:fixed max-md:inset-x-0 max-md:top-12 max-md:bottom-0 max-md:z-10 max-md:h-auto max-md:w-auto"
    >
      <header className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
        <SevIcon s={alert.severity} />
        <span className="font-mono text-xs text-fg-3">{short(alert.id)}</span>
        <span className="text-xs text-fg-3">
          <Ago at={alert.last_seen} suffix />
        </span>
        <span className="ml-auto flex gap-0.5">
          <Tip label="Open full page" keys="enter">
            <Link
              to="/alerts/$id"
              params={{ id: alert.id }}
              aria-label="Open full page"
              className="inline-grid size-6.5 place-items-center rounded-md text-fg-2 hover:bg-hover hover:text-fg"
            >
              <ArrowUpRight size={14} />
            </Link>
          </Tip>
          <Tip label="Close preview" keys="p">
            <Btn v="ghost" icon size="sm" aria-label="Close preview" onClick={onClose}>
              <X size={14} />
            </Btn>
          </Tip>
        </span>
      </header>
      <section className="scroll min-h-0 flex-1 overflow-y-auto" tabIndex={0} aria-label="Alert details">
        <AlertBody key={alert.id} alert={alert} />
      </section>
      {can('alert.write') && (
        <footer className="flex shrink-0 items-center gap-1 border-t border-line px-2.5 py-2">
          <Btn v="primary" onClick={onResolve}>
            <Check size={14} aria-hidden="true" />
            Close…
            <Kbd k="e" on="primary" />
          </Btn>
          <Btn v="ghost" onClick={onAssign}>
            <UserPlus size={14} aria-hidden="true" />
            Take
            <Kbd k="a" />
          </Btn>
        </footer>
      )}
    </aside>
  )
}
