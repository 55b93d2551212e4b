/** The way of a version: written, tested, replayed, in force; who did what, and what is missing. */
import { Circle, CircleCheck, CircleX } from 'lucide-react'
import type { ReactNode } from 'react'
import type { PolicyDetail, PolicyReplay } from '@/api/policies'
import { Ago, plural } from '@/ui'
import { told } from './state'

type Props = { version: PolicyDetail; replay: PolicyReplay | null }
type Done = 'done' | 'failed' | 'open'

export function Steps({ version, replay }: Props) {
  const { tests_passed: passed, tests_failed: failed, activated, missing } = version
  const tested: Done = failed ? 'failed' : passed ? 'done' : 'open'
  return (
    <ol
      className="mx-4 mb-3 grid rounded-lg border border-line bg-surface text-xs sm:grid-cols-2 xl:grid-cols-4"
      aria-label="How far it is"
      data-ready={version.ready}
    >
      <Step state="done" name="Written">
        by {version.by_name}, <Ago at={version.at} suffix />
      </Step>
      <Step state={tested} name={failed ? 'Tests fail' : 'Tests passed'}>
        {passed + failed === 0
          ? 'it has none, and needs some'
          : failed
            ? `${plural(failed, 'test')} of ${passed + failed} ${failed === 1 ? 'does' : 'do'} not pass`
            : `all ${passed}`}
      </Step>
      <Step state={missing.includes('replay_missing') ? 'open' : 'done'} name="Replayed">
        <Replayed replay={replay} version={version} />
      </Step>
      <Step state={activated ? 'done' : 'open'} name={version.state === 'superseded' ? 'Was in force' : 'In force'}>
        {activated ? (
          <>
            put in force by {activated.by_name}, <Ago at={activated.at} suffix />: {activated.reason}
          </>
        ) : (
          'another person than its author puts it in force'
        )}
      </Step>
    </ol>
  )
}

function Replayed({ replay, version }: Props) {
  if (replay?.state === 'running') return <>runs now</>
  const ended = replay?.report ? replay : version.replay
  if (!ended?.report) return <>over the last 30 days: not yet</>
  return (
    <>
      {told(ended.report)}, <Ago at={ended.at} suffix />
    </>
  )
}

const LOOK = {
  done: { icon: CircleCheck, tone: 'text-ok', word: 'Done: ' },
  failed: { icon: CircleX, tone: 'text-critical', word: 'Failed: ' },
  open: { icon: Circle, tone: 'text-fg-3', word: 'Missing: ' },
}

function Step({ state, name, children }: { state: Done; name: string; children: ReactNode }) {
  const { icon: Icon, tone, word } = LOOK[state]
  return (
    <li className="flex gap-2 border-b border-line/60 px-3 py-2 last:border-b-0 sm:odd:border-r xl:border-r xl:border-b-0 xl:last:border-r-0">
      <Icon size={14} className={`mt-px shrink-0 ${tone}`} aria-hidden="true" />
      <span className="min-w-0">
        <span className="sr-only">{word}</span>
        <span className="font-medium">{name}</span>
        <span className="block text-fg-3">{children}</span>
      </span>
    </li>
  )
}
