/** Short messages at the foot of the page; a reversible act carries its undo for ten seconds (`z`). */
import { Link } from '@tanstack/react-router'
import { Btn, Kbd } from '@/ui/basic'
import { useHotkeys } from './hotkeys'
import { store } from './store'

type Toast = {
  id: number
  text: string
  tone?: 'ok' | 'critical'
  undo?: () => void
  link?: { to: string; label: string }
}
const list = store<Toast[]>([])
let nextId = 0

const dismiss = (id: number) => list.set(list.get().filter(t => t.id !== id))

export function toast(entry: Omit<Toast, 'id'>) {
  const id = ++nextId
  list.set([...list.get().slice(-2), { ...entry, id }])
  setTimeout(() => dismiss(id), entry.undo || entry.link || entry.tone === 'critical' ? 10_000 : 3_500)
}

export function Toasts() {
  const toasts = list.use(l => l)
  const undo = (t: Toast) => {
    dismiss(t.id)
    t.undo?.()
  }
  useHotkeys([
    {
      keys: 'z',
      label: 'Undo last action',
      group: 'General',
      run: () => {
        const last = list.get().findLast(t => t.undo)
        if (last) undo(last)
      },
    },
  ])
  return (
    <div
      role="status"
      aria-live="polite"
      className="pointer-events-none fixed bottom-4 left-4 z-50 flex flex-col gap-2"
    >
      {toasts.map(t => (
        <div
          key={t.id}
          className="pointer-events-auto flex min-h-10 max-w-md items-center gap-3 rounded-lg bg-raised py-1.5 pr-2 pl-3 text-sm shadow-pop"
        >
          <span className={t.tone === 'critical' ? 'text-critical' : undefined}>{t.text}</span>
          {t.link && (
            <Link to={t.link.to} className="text-accent underline" onClick={() => dismiss(t.id)}>
              {t.link.label}
            </Link>
          )}
          {t.undo && (
            <Btn size="sm" onClick={() => undo(t)}>
              Undo
              <Kbd k="z" />
            </Btn>
          )}
        </div>
      ))}
    </div>
  )
}
