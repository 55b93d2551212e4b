/** A dialog: focus stays inside, Escape closes, focus returns. Only lazily loaded code imports it. */
import { Dialog } from '@base-ui/react/dialog'
import type { ReactNode } from 'react'
import { asking } from '@/app/reauth'

type Props = {
  open: boolean
  onClose: () => void
  title: string
  children: ReactNode
  /** What it will do, under the title. */
  note?: ReactNode
  width?: number
  /** Stands before every other dialog: while it is open, the others stay. */
  front?: boolean
}

export function Modal({ open, onClose, title, note, children, width = 460, front = false }: Props) {
  const change = (next: boolean) => {
    if (!next && (front || !asking.get())) onClose()
  }
  return (
    <Dialog.Root open={open} onOpenChange={change}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-black/50" />
        <Dialog.Popup
          className="fixed top-[12vh] left-1/2 z-50 max-h-[80vh] -translate-x-1/2 overflow-y-auto rounded-xl bg-raised p-5 shadow-pop outline-none"
          style={{ width: `min(${width}px, calc(100vw - 32px))` }}
        >
          <Dialog.Title className="text-lg font-semibold tracking-tight">{title}</Dialog.Title>
          {note && <Dialog.Description className="mt-1 text-fg-2">{note}</Dialog.Description>}
          <div className="mt-4">{children}</div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
