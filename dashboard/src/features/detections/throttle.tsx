/** How many alerts of a rule are wanted: what comes beyond is counted on the last of them. */
import { lazy, Suspense, useState } from 'react'
import type { RuleDetail, Throttle } from '@/api/detection-types'
import { ActBtn } from '@/app/guard'
import { fmt, plural, span } from '@/ui'

const ThrottleDialog = lazy(() => import('./throttle-dialog'))

export const throttleText = (t: Throttle) =>
  `At most ${plural(t.alerts, 'alert')} in ${span(t.window_s)}${t.per ? ` for each ${t.per}` : ''}`

export function ThrottlePanel({ rule }: { rule: RuleDetail }) {
  const [open, setOpen] = useState(false)
  const withheld = rule.scorecard?.throttled_matches ?? 0
  return (
    <section className="space-y-1 p-3" aria-label="Throttle">
      <h2 className="flex items-center font-medium">
        Throttle
        <ActBtn need="rule.write" size="sm" className="ml-auto" onClick={() => setOpen(true)}>
          {rule.throttle ? 'Change' : 'Limit its alerts'}
        </ActBtn>
      </h2>
      <p className="text-xs text-fg-2">
        {rule.throttle ? throttleText(rule.throttle) : 'It raises as many as it finds.'}
      </p>
      {withheld > 0 && (
        <p className="text-xs text-fg-3">
          <span className="num">{fmt(withheld)}</span> matches of 30 days were counted on another alert.
        </p>
      )}
      <Suspense>{open && <ThrottleDialog rule={rule} onClose={() => setOpen(false)} />}</Suspense>
    </section>
  )
}
