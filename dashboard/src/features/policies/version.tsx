/** One version of the tenant's policies: how far it is, what one can do with it, and its files, changes, tests and replay. */
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import { jobQuery } from '@/api/jobs'
import {
  activatePolicies,
  deactivatePolicies,
  POLICIES,
  type PolicyDetail,
  policyReplaysQuery,
  replayPolicies,
} from '@/api/policies'
import { ActBtn } from '@/app/guard'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useUser } from '@/app/session'
import { acted, useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { useList } from '@/app/use-list'
import { Ago, Chip, InlineError, Skeleton } from '@/ui'
import { Tabs } from '@/ui/tabs'
import { Changes } from './changes'
import { ReplayTab } from './replay'
import { VERSION_STATE, whyNotActivate } from './state'
import { Steps } from './steps'
import { TestsTab } from './tests-tab'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const Files = lazy(() => import('./files').then(module => ({ default: module.Files })))

type Props = { version: PolicyDetail; inForce: number }

/** The newest replay of this version, also while it runs. */
export function useReplay(version: PolicyDetail) {
  const { items } = useList(policyReplaysQuery)
  return items?.find(replay => replay.number === version.number) ?? version.replay ?? null
}

export function Version({ version, inForce }: Props) {
  const { view = 'files' } = useSearchParams()
  const set = useSetSearch()
  const replay = useReplay(version)
  const texts = version.texts ?? []
  const against = version.number === inForce ? 0 : inForce
  const tabs = [
    { id: 'files', label: 'Files', count: texts.length },
    { id: 'changes', label: against ? `Changes to version ${against}` : 'Changes to the built-in ones' },
    { id: 'tests', label: 'Tests', count: version.tests.tests.length },
    { id: 'replay', label: 'Replay' },
  ]
  return (
    <section
      className="scroll flex min-h-0 min-w-0 flex-1 flex-col overflow-y-auto"
      aria-label={`Version ${version.number}`}
      data-policy-state={version.state}
    >
      <Head version={version} running={replay?.state === 'running' ? replay.id : null} />
      <Steps version={version} replay={replay} />
      <div className="scroll shrink-0 overflow-x-auto border-b border-line px-4">
        <Tabs label="Parts of the version" tabs={tabs} value={view} onChange={id => set({ view: id })} />
      </div>
      <div role="tabpanel" aria-label={tabs.find(t => t.id === view)?.label} className="min-h-[420px] flex-1">
        {view === 'changes' ? (
          <Changes from={against} to={version.number} />
        ) : view === 'tests' ? (
          <TestsTab tests={version.tests} />
        ) : view === 'replay' ? (
          <ReplayTab replay={replay} />
        ) : (
          <Suspense fallback={<Skeleton label="Loading the files" />}>
            <Files files={texts} label={`Files of version ${version.number}`} />
          </Suspense>
        )}
      </div>
    </section>
  )
}

type Asking = 'activate' | 'deactivate' | null

function Head({ version, running }: { version: PolicyDetail; running: string | null }) {
  const { user } = useUser()
  const set = useSetSearch()
  const [asking, setAsking] = useState<Asking>(null)
  const { error, busy, run } = useSubmit(POLICIES)
  const job = useQuery(jobQuery(running ?? '')).data
  const state = VERSION_STATE[version.state]
  const live = version.state === 'in_force'
  const begin = () =>
    run(
      () => replayPolicies(version.number),
      () => set({ view: 'replay' }),
    )
  return (
    <header className="flex flex-col gap-2 px-4 pt-3 pb-2">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="text-base font-semibold">Version {version.number}</h2>
        <Chip tone={state.tone}>{state.label}</Chip>
        <span className="min-w-0 flex-1 basis-56 text-xs text-fg-3">
          {version.by_name}, <Ago at={version.at} suffix />: <span className="text-fg-2">{version.reason}</span>
        </span>
        <span className="flex flex-wrap gap-1.5">
          <ActBtn
            need="settings.write"
            size="sm"
            disabled={busy}
            because={running ? 'A replay of it runs' : null}
            onClick={() => void begin()}
          >
            {running ? `Replaying, ${job?.done ?? 0} %` : 'Run replay'}
          </ActBtn>
          {live ? (
            <ActBtn need="settings.write" size="sm" onClick={() => setAsking('deactivate')}>
              Deactivate…
            </ActBtn>
          ) : (
            <ActBtn
              need="settings.write"
              size="sm"
              v="primary"
              because={whyNotActivate(version, user.id)}
              onClick={() => setAsking('activate')}
            >
              {version.state === 'superseded' ? 'Go back to it…' : 'Activate…'}
            </ActBtn>
          )}
        </span>
      </div>
      <InlineError error={error} />
      <Suspense>
        {asking === 'activate' && (
          <ReasonDialog
            open
            title={`Put version ${version.number} in force`}
            note="It holds for the next decision. Plans that wait are judged anew before each vote and each run."
            verb="Put in force"
            act={reason =>
              acted(activatePolicies(version.number, reason), POLICIES).then(() =>
                toast({ text: `Version ${version.number} is in force.`, tone: 'ok' }),
              )
            }
            onClose={() => setAsking(null)}
          />
        )}
        {asking === 'deactivate' && (
          <ReasonDialog
            open
            title="Take your own policies out of force"
            note="The built-in ones decide alone then. Nothing changes until another person confirms it, under Settings, Waiting changes."
            verb="Ask for it"
            danger
            act={reason =>
              acted(deactivatePolicies(reason), POLICIES).then(() =>
                toast({ text: 'It waits for a second person; until then nothing changes.', tone: 'ok' }),
              )
            }
            onClose={() => setAsking(null)}
          />
        )}
      </Suspense>
    </header>
  )
}
