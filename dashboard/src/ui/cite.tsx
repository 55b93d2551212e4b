/** An event id inside running text becomes a button that opens the event. */
import { Fragment, type ReactNode } from 'react'
import { useOpenEvent } from '@/app/search'
import { short } from './format'

export function EventRef({ id, inline }: { id: string; inline?: boolean }) {
  const open = useOpenEvent()
  return (
    <button
      type="button"
      onClick={() => open(id)}
      title={`Open event ${id}`}
      aria-label={`Event ${short(id)}`}
      className={`rounded-sm px-0.5 font-mono text-2xs text-accent hover:underline ${inline ? 'inline leading-4' : 'inline-flex h-6 items-center align-middle'}`}
    >
      {short(id)}
    </button>
  )
}

const CITE = /\[?(evt_[0-9a-z]{26})\]?/g

export function Cited({ text }: { text: string }) {
  const parts: ReactNode[] = []
  let at = 0
  for (const match of text.matchAll(CITE)) {
    parts.push(<Fragment key={`t${at}`}>{text.slice(at, match.index)}</Fragment>)
    parts.push(<EventRef key={`e${match.index}`} id={match[1] as string} inline />)
    at = match.index + match[0].length
  }
  parts.push(<Fragment key={`t${at}`}>{text.slice(at)}</Fragment>)
  return <>{parts}</>
}
