/** The exceptions of one rule. */
import { Plus } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import type { RuleDetail } from '@/api/detection-types'
import { ActBtn } from '@/app/guard'
import { useSearchParams, useSetSearch } from '@/app/search'
import { ExceptionList, Filters } from './exception-list'
import type { Term } from './exception-yaml'

const ExceptionDialog = lazy(() => import('./exception-dialog'))

/** `field=value` of the address, from an alert that is one too many. */
const termsOf = (text: string | undefined): Term[] =>
  (text ?? '')
    .split('\n')
    .filter(line => line.includes('='))
    .map(line => ({ field: line.slice(0, line.indexOf('=')), op: '', value: line.slice(line.indexOf('=') + 1) }))

export default function ExceptionsTab({ rule }: { rule: RuleDetail }) {
  const [all, setAll] = useState(false)
  const { view, q } = useSearchParams()
  const set = useSetSearch()
  const make = view === 'new-exception'
  return (
    <section className="scroll h-full overflow-y-auto bg-surface" aria-label="Exceptions" tabIndex={0}>
      <div className="flex h-11 items-center gap-2 border-b border-line px-4 text-xs text-fg-3">
        What this rule matches and is not to raise an alert. It travels with the rule.
        <span className="ml-auto flex gap-1.5">
          <Filters all={all} onAll={setAll} />
          <ActBtn need="rule.write" v="primary" size="sm" onClick={() => set({ view: 'new-exception' })}>
            <Plus size={13} aria-hidden="true" />
            New exception
          </ActBtn>
        </span>
      </div>
      <ExceptionList
        ruleId={rule.id}
        active={all ? undefined : true}
        empty="Everything that this rule matches raises an alert while it is enabled."
      />
      <Suspense>
        {make && (
          <ExceptionDialog rule={rule} terms={termsOf(q)} onClose={() => set({ view: undefined, q: undefined })} />
        )}
      </Suspense>
    </section>
  )
}
