/** Where people are told of what waits for them, and what became of every letter. */
import { useQuery } from '@tanstack/react-query'
import { Send } from 'lucide-react'
import { NOTICES, notificationsQuery, testWays } from '@/api/notices'
import { ActBtn } from '@/app/guard'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { InlineError, Loaded, NoPermission, PageBar } from '@/ui'
import { Letters } from './letters'
import { Ways } from './ways'

export default function NotificationsPage() {
  return useCan()('settings.read') ? <Notifications /> : <NoPermission need="settings.read" />
}

function Notifications() {
  const query = useQuery(notificationsQuery)
  const { error, busy, run } = useSubmit(NOTICES)
  const sent = () => toast({ text: 'A test is on its way, to your own address and to the webhook.', tone: 'ok' })
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageBar title="Notifications" note="who is told, by which way, and what became of it">
        <ActBtn need="settings.write" disabled={busy} onClick={() => void run(testWays, sent)}>
          <Send size={13} aria-hidden="true" />
          {busy ? 'Sending…' : 'Send a test'}
        </ActBtn>
      </PageBar>
      <section className="scroll min-h-0 flex-1 overflow-y-auto p-4" aria-label="Notifications" tabIndex={0}>
        <div className="mx-auto flex max-w-[1180px] flex-col gap-3">
          <InlineError error={error} />
          <Loaded query={query} what="Notifications">
            {view => <Ways view={view} />}
          </Loaded>
          <Letters />
        </div>
      </section>
    </div>
  )
}
