/** The two ways: e-mail, which the installation lends, and a webhook of the tenant's own. */
import { Mail, Webhook } from 'lucide-react'
import { lazy, type ReactNode, Suspense, useState } from 'react'
import type { Notifications } from '@/api/notices'
import { ActBtn } from '@/app/guard'
import { useNames } from '@/app/names'
import { Ago, Card, Chip, plural } from '@/ui'

const WaysDialog = lazy(() => import('./ways-dialog'))

export function Ways({ view }: { view: Notifications }) {
  const names = useNames()
  const [asking, setAsking] = useState(false)
  return (
    <Card
      title="Ways"
      extra={
        <>
          {view.at && (
            <span className="hidden truncate sm:inline">
              set by {names(view.by)}, <Ago at={view.at} suffix />
            </span>
          )}
          <ActBtn need="settings.write" size="sm" onClick={() => setAsking(true)}>
            Change…
          </ActBtn>
        </>
      }
    >
      <ul className="grid md:grid-cols-2">
        <Way icon={Mail} name="E-mail" state={emailState(view)}>
          {emailNote(view)}
          {view.people_without_address > 0 &&
            ` ${plural(view.people_without_address, 'member has', 'members have')} no address: told by the webhook and here only.`}
        </Way>
        <Way
          icon={Webhook}
          name="Webhook"
          state={view.webhook ? { label: 'on', tone: 'ok' } : { label: 'none', tone: 'neutral' }}
        >
          {view.webhook ? (
            <>
              <span className="font-mono text-xs break-all text-fg-2">{view.webhook.url}</span>, signed with the secret
              that both sides know.
            </>
          ) : (
            'A signed request for each notice, to a system of yours.'
          )}
        </Way>
      </ul>
      <Suspense>{asking && <WaysDialog view={view} onClose={() => setAsking(false)} />}</Suspense>
    </Card>
  )
}

const emailState = ({ email, email_ready }: Notifications) =>
  email ? (email_ready ? { label: 'on', tone: 'ok' } : { label: 'no mail server', tone: 'medium' }) : OFF
const OFF = { label: 'off', tone: 'neutral' }

function emailNote({ email, email_ready }: Notifications) {
  if (!email_ready) return 'The installation names no mail server: its operator sets one in the configuration.'
  return email ? 'To every member whose login is an address.' : 'Switched off for this tenant.'
}

type WayProps = { icon: typeof Mail; name: string; state: { label: string; tone: string }; children: ReactNode }

const Way = ({ icon: Icon, name, state, children }: WayProps) => (
  <li className="flex gap-3 border-b border-line/60 px-3 py-3 last:border-0 md:border-b-0 md:first:border-r">
    <Icon size={16} className="mt-0.5 shrink-0 text-fg-3" aria-hidden="true" />
    <div className="min-w-0">
      <p className="flex items-center gap-2 font-medium">
        {name} <Chip tone={state.tone}>{state.label}</Chip>
      </p>
      <p className="mt-0.5 text-xs text-fg-3">{children}</p>
    </div>
  </li>
)
