/** One alert as a page of its own, so that it can be linked. */
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { ArrowLeft, Check, RotateCcw, UserPlus } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { alertQuery } from '@/api/queries'
import { useCan, useUser } from '@/app/session'
import { Btn, Loaded, NoPermission, SevIcon, short } from '@/ui'
import { assign, close, reopen } from './acts'
import { AlertBody } from './alert-body'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const CloseDialog = lazy(() => import('./close-dialog'))

export default function AlertPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const query = useQuery(alertQuery(id))
  const can = useCan()
  const { user } = useUser()
  const [closing, setClosing] = useState(false)
  const [reopening, setReopening] = useState(false)
  if (!can('alert.read')) return <NoPermission need="alert.read" />
  return (
    <Loaded query={query} what="Alert">
      {alert => (
        <div className="flex h-full min-h-0 flex-col">
          <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
            <Link
              to="/alerts"
              className="inline-grid size-7.5 place-items-center rounded-md text-fg-2 hover:bg-hover"
              aria-label="Back to the queue"
            >
              <ArrowLeft size={15} />
            </Link>
            <SevIcon s={alert.severity} />
            <h1 className="text-sm font-semibold">
              Alert <span className="font-mono text-xs font-normal text-fg-3">{short(alert.id)}</span>
            </h1>
            {can('alert.write') && (
              <div className="ml-auto flex gap-1.5">
                <Btn onClick={() => void assign([alert], user.id, 'you')}>
                  <UserPlus size={14} aria-hidden="true" />
                  Take
                </Btn>
                {alert.verdict && (
                  <Btn onClick={() => setReopening(true)}>
                    <RotateCcw size={14} aria-hidden="true" />
                    Take back verdict…
                  </Btn>
                )}
                <Btn v="primary" onClick={() => setClosing(true)}>
                  <Check size={14} aria-hidden="true" />
                  Close…
                </Btn>
              </div>
            )}
          </div>
          <section className="scroll min-h-0 flex-1 overflow-y-auto" aria-label="Alert details" tabIndex={0}>
            <div className="mx-auto max-w-[820px]">
              <AlertBody alert={alert} />
            </div>
          </section>
          {reopening && (
            <Suspense>
              <ReasonDialog
                open
                onClose={() => setReopening(false)}
                title="Take the verdict back"
                note="The alert has no verdict then and is open again; the ledger keeps both."
                verb="Take back"
                act={reason => reopen([alert], reason)}
              />
            </Suspense>
          )}
          {closing && (
            <Suspense>
              <CloseDialog
                count={1}
                onClose={() => setClosing(false)}
                onPick={(verdict, reason) => void close([alert], verdict, reason)}
              />
            </Suspense>
          )}
        </div>
      )}
    </Loaded>
  )
}
