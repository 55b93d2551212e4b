/** One action beside the list: its change, its proofs, its way back, and every step of its journal. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { X } from 'lucide-react'
import { actionDetailQuery } from '@/api/response'
import type { JournalStep } from '@/api/response-types'
import { absolute, Btn, clockSeconds, Loaded, short, words } from '@/ui'
import { ActionBlock } from '../plans/action-block'

export function ActionPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useQuery(actionDetailQuery(id))
  return (
    <aside
      aria-label="Action"
      className="scroll w-[420px] shrink-0 overflow-y-auto border-l border-line bg-surface p-3 max-md:fixed max-md:inset-x-0 max-md:top-12 max-md:bottom-0 max-md:z-10 max-md:w-auto"
      tabIndex={0}
    >
      <div className="mb-2 flex items-center gap-2">
        <h2 className="font-medium">Action {short(id)}</h2>
        {query.data && (
          <Link
            to="/plans/$id"
            params={{ id: query.data.plan_id }}
            className="ml-auto text-xs text-accent hover:underline"
          >
            Plan {short(query.data.plan_id)}
          </Link>
        )}
        <Btn icon size="sm" v="ghost" className={query.data ? '' : 'ml-auto'} aria-label="Close" onClick={onClose}>
          <X size={14} aria-hidden="true" />
        </Btn>
      </div>
      <Loaded query={query} what="Action">
        {action => (
          <div className="space-y-3">
            <ActionBlock action={action} />
            {!!action.journal?.length && <Journal steps={action.journal} />}
          </div>
        )}
      </Loaded>
    </aside>
  )
}

function Journal({ steps }: { steps: JournalStep[] }) {
  return (
    <section aria-label="Journal">
      <h3 className="mb-1 text-xs font-medium">Journal</h3>
      <ol className="space-y-1 text-xs">
        {steps.map(step => (
          <li key={step.step} className="grid grid-cols-[64px_minmax(0,1fr)] gap-2">
            <time dateTime={step.at} title={absolute(step.at)} className="num text-fg-3">
              {clockSeconds(step.at)}
            </time>
            <details>
              <summary className="cursor-default">{words(step.kind)}</summary>
              <pre className="mt-0.5 font-mono text-2xs break-all whitespace-pre-wrap text-fg-3">
                {JSON.stringify(step.detail, null, 1)}
              </pre>
            </details>
          </li>
        ))}
      </ol>
    </section>
  )
}
