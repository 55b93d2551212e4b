/** "3 new incidents": they come in when asked for, by click or `.`. */
import { ArrowUp } from 'lucide-react'
import { useHotkeys } from '@/app/hotkeys'
import { Kbd } from './basic'
import { plural } from './format'

export function NewPill({ n, noun, onShow, more }: { n: number; noun: string; onShow: () => void; more?: boolean }) {
  useHotkeys([{ keys: '.', label: `Show new ${noun}s`, group: 'List', run: onShow, when: () => n > 0 }])
  if (n === 0) return null
  return (
    <button
      type="button"
      onClick={onShow}
      className="absolute top-10 left-1/2 z-20 flex h-7 -translate-x-1/2 items-center gap-1.5 rounded-full bg-accent-solid px-3 text-xs font-medium text-white shadow-pop"
    >
      <ArrowUp size={13} aria-hidden="true" />
      <span className="num">{more ? `More than ${plural(n, `new ${noun}`)}` : plural(n, `new ${noun}`)}</span>
      <Kbd k="." on="primary" />
    </button>
  )
}
