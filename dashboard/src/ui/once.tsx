/** A secret that is shown this once: a token, a key, a link. */
import { Check, Copy } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { Btn } from './basic'

/** A link as the person who gets it can open it: the server knows its own address only when it is configured. */
export const wholeLink = (link: string | undefined) => (link?.startsWith('/') ? location.origin + link : link)

export function CopyBtn({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [done, setDone] = useState(false)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setDone(true)
      setTimeout(() => setDone(false), 2_000)
    } catch {
      // Without a secure context there is no clipboard; the text stands there to be selected.
      setDone(false)
    }
  }
  return (
    <Btn size="sm" onClick={() => void copy()}>
      {done ? <Check size={13} aria-hidden="true" /> : <Copy size={13} aria-hidden="true" />}
      {done ? 'Copied' : label}
    </Btn>
  )
}

type Props = {
  /** What it is and for whom. */
  title: ReactNode
  secret: string | undefined
  note?: ReactNode
  onClose: () => void
}

export function Once({ title, secret, note, onClose }: Props) {
  return (
    <div role="status" className="rounded-lg border border-line-strong bg-surface px-3 py-2.5">
      <div className="flex items-start gap-3">
        <div className="min-w-0">
          <p className="text-sm font-medium">{title}</p>
          <p className="text-xs text-fg-3">
            {secret ? 'Copy it now: it is shown this once.' : 'It was shown already and is not shown again.'} {note}
          </p>
        </div>
        <span className="ml-auto flex gap-1.5">
          {secret && <CopyBtn text={secret} />}
          <Btn size="sm" v="ghost" onClick={onClose}>
            Done
          </Btn>
        </span>
      </div>
      {secret && (
        <code
          className="mt-2 block rounded-md border border-line bg-bg px-2.5 py-1.5 font-mono text-xs break-all select-all"
          data-secret
        >
          {secret}
        </code>
      )}
    </div>
  )
}
