/** From frames to the cache: which readings a change makes stale, and the channel that the alert queue listens on. */
import { meQuery } from '@/api/queries'
import { type Frame, Live } from './live'
import { queryClient } from './query-client'

type Listener = (frames: Frame[]) => void
const alertListeners = new Set<Listener>()

/** The alert queue decides itself what to read: its rows never move under the analyst. */
export function onAlertFrames(f: Listener) {
  alertListeners.add(f)
  return () => {
    alertListeners.delete(f)
  }
}

const WHOLE: Record<string, string[]> = {
  incident: ['incidents', 'incident-ledger', 'notes'],
  investigation: ['incidents'],
  plan: ['plans', 'approvals', 'incidents', 'incident-ledger', '/ledger', 'orphans'],
  action: ['plans', 'actions', 'incidents', 'incident-ledger', '/ledger', 'orphans', 'protected-effects'],
  rule: ['rules', 'value-lists', 'pipelines', 'pipeline'],
  ingest: ['ingest'],
  dead_letter: ['dead-letters', 'ingest'],
  automation: [
    ...['automation', 'plans', 'gate-settings', 'gate-versions', 'autonomy', 'gate-changes', 'standing-grants'],
    ...['policies', 'policy-versions', 'policy-version', 'policy-diff', 'policy-replays'],
  ],
  target: ['targets', 'plans'],
  token: ['tokens'],
  user: ['users', 'sessions'],
  role: ['roles'],
  key: ['keys'],
  invitation: ['invitations'],
  grant: ['grants'],
  session: ['sessions'],
  job: ['jobs'],
  indicators: ['indicator-lists', 'indicators', 'indicator-hits'],
  settings: ['settings', 'settings-versions', 'notifications'],
  tenant: ['me', 'tenants', '/installation/ledger'],
}
const BY_ID: Record<string, string[]> = {
  alert: ['alert'],
  incident: ['incident', 'investigation'],
  investigation: ['incident', 'investigation'],
  plan: ['plan'],
  action: ['action', 'plan'],
  rule: ['rule'],
  job: ['job'],
  indicators: ['indicator-list'],
}
const OVERVIEW_MS = 2_000
let overviewWaits = false

function refreshOverview() {
  if (overviewWaits) return
  overviewWaits = true
  setTimeout(() => {
    overviewWaits = false
    void queryClient.invalidateQueries({ queryKey: ['overview'] })
  }, OVERVIEW_MS)
}

export function applyFrames(frames: Frame[]) {
  const keys = new Map<string, unknown[]>()
  for (const { kind, id } of frames) {
    for (const key of WHOLE[kind] ?? []) keys.set(key, [key])
    for (const key of BY_ID[kind] ?? [])
      keys.set(`${key}/${id}`, kind === 'action' && key === 'plan' ? [key] : [key, id])
    // A plan's or action's change shows in its incident's phase, whichever incident is open.
    if (kind === 'plan' || kind === 'action') keys.set('incident', ['incident'])
  }
  for (const queryKey of keys.values()) void queryClient.invalidateQueries({ queryKey })
  const alerts = frames.filter(f => f.kind === 'alert')
  if (alerts.length) for (const listener of alertListeners) listener(alerts)
  refreshOverview()
}

/** Everything on the screen is read again; the alert queue reads its newest page, so that its rows stay where they are. */
function readAll() {
  void queryClient.invalidateQueries({ predicate: query => query.queryKey[0] !== 'alerts' })
  for (const listener of alertListeners) listener([{ kind: 'alert' }])
}

export const live = new Live({
  onFrames: applyFrames,
  onMissed: readAll,
  onLost: attempt => {
    if (attempt > 0) void queryClient.invalidateQueries({ queryKey: meQuery.queryKey })
  },
})
export const useLive = live.status.use
