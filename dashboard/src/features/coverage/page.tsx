/** Where are we blind? What of ATT&CK is covered and how far, and what was checked when. */
import { useQuery } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { useState } from 'react'
import { attackQuery } from '@/api/detection'
import type { Technique } from '@/api/detection-types'
import { download } from '@/api/download'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { toast } from '@/app/toast'
import { Btn, Empty, fmt, Loaded, NoPermission, Skeleton } from '@/ui'
import { Tabs } from '@/ui/tabs'
import { Detail } from './detail'
import { columns, isGap, LEVEL, tally } from './levels'
import { CheckedLog } from './log'
import { Matrix } from './matrix'

const TABS = [
  { id: 'attack', label: 'ATT&CK' },
  { id: 'checked', label: 'Checked' },
]

export default function CoveragePage() {
  const can = useCan()
  return can('rule.read') ? <Coverage /> : <NoPermission need="rule.read" />
}

const save = () =>
  void download('/coverage/attack/navigator', {}, 'coverage.layer.json').catch((error: Error) =>
    toast({ text: error.message, tone: 'critical' }),
  )

function Coverage() {
  const { tab = 'attack' } = useSearchParams()
  const set = useSetSearch()
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-4">
        <h1 className="mr-4 text-sm font-semibold">Coverage</h1>
        <Tabs
          label="Coverage"
          tabs={TABS}
          value={tab}
          onChange={id => set({ tab: id === 'attack' ? undefined : id, technique: undefined })}
          tall
        />
        {tab !== 'checked' && (
          <Btn className="ml-auto" onClick={save}>
            <Download size={14} aria-hidden="true" />
            Navigator layer
          </Btn>
        )}
      </div>
      {tab === 'checked' ? <CheckedLog /> : <Attack />}
    </div>
  )
}

function Attack() {
  const query = useQuery(attackQuery)
  return (
    <div className="min-h-0 flex-1">
      <Loaded query={query} what="Coverage" skeleton={<Skeleton rows={14} label="Loading coverage" />}>
        {({ techniques }) =>
          techniques.length ? (
            <Techniques techniques={techniques} />
          ) : (
            <Empty title="No rule names a technique">Tag rules with attack.t… and they show here.</Empty>
          )
        }
      </Loaded>
    </div>
  )
}

function Techniques({ techniques }: { techniques: Technique[] }) {
  const { technique } = useSearchParams()
  const set = useSetSearch()
  const [gaps, setGaps] = useState(false)
  const chosen = techniques.find(t => t.id === technique)
  const shown = columns(techniques, gaps)
  return (
    <div className="flex h-full min-h-0">
      <section className="flex min-h-0 min-w-0 flex-1 flex-col" aria-label="Techniques by tactic">
        <div className="flex min-h-10 shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-b border-line px-4 py-1.5 text-xs">
          <ul className="flex flex-wrap gap-x-4 gap-y-1" aria-label="Legend">
            {tally(techniques).map(({ level, count }) => (
              <li key={level} className="flex items-center gap-1.5" title={LEVEL[level].means}>
                <span className={`cov cov-${level} size-3 rounded-sm border border-line-strong`} aria-hidden="true" />
                {LEVEL[level].label}
                <span className="num text-fg-3">{fmt(count)}</span>
              </li>
            ))}
          </ul>
          <Btn size="sm" className="ml-auto" aria-pressed={gaps} onClick={() => setGaps(!gaps)}>
            {gaps ? 'Show everything' : `Only gaps (${fmt(techniques.filter(isGap).length)})`}
          </Btn>
        </div>
        {shown.length ? (
          <Matrix columns={shown} chosen={chosen?.id} onChoose={id => set({ technique: id })} />
        ) : (
          <Empty title="No gap">Every technique that a rule names is detected, by a rule with samples.</Empty>
        )}
      </section>
      {chosen && <Detail technique={chosen} onClose={() => set({ technique: undefined })} />}
    </div>
  )
}
