/** How far automation may go, and when changes are frozen. To lower holds at once; to let automation act takes two. */
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import { post } from '@/api/client'
import { AUTONOMY, autonomyQuery, type Scope, setLevel, waits } from '@/api/gate'
import type { Autonomy, Environment } from '@/api/types'
import { ActBtn, useWhyNot } from '@/app/guard'
import { acted } from '@/app/submit'
import { toast } from '@/app/toast'
import { Ago, Card, Chip, cap, inputClass, Loaded } from '@/ui'
import { Acts, Table, Td, Tr } from '@/ui/table'
import { Freezes } from './freezes'
import { Pending } from './pending'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
export const LEVELS = ['observe', 'suggest', 'act after approval', 'act with a veto window', 'act']
const ENVIRONMENTS: Environment[] = ['development', 'staging', 'production']

export function AutonomyAndFreezes() {
  const query = useQuery(autonomyQuery)
  return (
    <div className="flex flex-col gap-3">
      <Loaded query={query} what="Autonomy">
        {view => (
          <>
            <Levels view={view} />
            {view.lowered.length > 0 && <Lowered view={view} />}
            {view.pending.length > 0 && <Pending title="Levels that wait for a second person" changes={view.pending} />}
          </>
        )}
      </Loaded>
      <Freezes />
    </div>
  )
}

type Asked = { scope: Scope; label: string; level: number | null }
const same = (a: Scope, b: { environment?: string | null; capability?: string | null }) =>
  (a.environment ?? null) === (b.environment ?? null) && (a.capability ?? null) === (b.capability ?? null)

function Levels({ view }: { view: Autonomy }) {
  const [asked, setAsked] = useState<Asked | null>(null)
  const capabilities = [...new Set(view.effective.map(one => one.capability))]
  const set = (scope: Scope) => view.levels.find(level => same(scope, level))
  const row = (label: string, scope: Scope) => (
    <Row key={label} label={label} scope={scope} view={view} level={set(scope)?.level ?? null} onAsk={setAsked} />
  )
  return (
    <Card title="Autonomy" extra={<span>the lowest that concerns an action holds; 2 where nothing is set</span>}>
      <Table
        label="Levels of autonomy"
        head={['For', 'Set to', ...ENVIRONMENTS.map(environment => `In ${environment}`)]}
        acts={false}
      >
        {row('The whole tenant', {})}
        {ENVIRONMENTS.map(environment => row(cap(environment), { environment }))}
        {capabilities.map(capability => row(capability, { capability }))}
      </Table>
      {asked && <Asking asked={asked} view={view} onClose={() => setAsked(null)} />}
    </Card>
  )
}

type RowProps = { label: string; scope: Scope; view: Autonomy; level: number | null; onAsk: (asked: Asked) => void }

function Row({ label, scope, view, level, onAsk }: RowProps) {
  const why = useWhyNot()('automation.write')
  const effective = (environment: Environment) =>
    view.effective.find(one => one.capability === scope.capability && one.environment === environment)
  return (
    <Tr>
      <Td className="font-medium">{label}</Td>
      <Td>
        <select
          aria-label={`Autonomy: ${label}`}
          className={inputClass}
          disabled={why !== null}
          title={why ?? undefined}
          value={level ?? ''}
          onChange={e => onAsk({ scope, label, level: e.target.value === '' ? null : Number(e.target.value) })}
        >
          <option value="">Not set</option>
          {LEVELS.map((name, number) => (
            <option key={name} value={number}>
              {number} {name}
            </option>
          ))}
        </select>
      </Td>
      {ENVIRONMENTS.map(environment => {
        const found = effective(environment)
        return (
          <Td key={environment} className="whitespace-nowrap">
            {found && (
              <span title={`from ${found.because}`}>
                <Chip tone={found.level >= 3 ? 'medium' : 'neutral'}>{found.level}</Chip>{' '}
                <span className="text-fg-3">{LEVELS[found.level]}</span>
              </span>
            )}
          </Td>
        )
      })}
    </Tr>
  )
}

function Asking({ asked, view, onClose }: { asked: Asked; view: Autonomy; onClose: () => void }) {
  const { label, scope, level } = asked
  const act = (reason: string) =>
    acted(setLevel(scope, level, reason, view.version), AUTONOMY).then(answer =>
      toast({
        text: waits(answer) ? 'It waits for a second person; until then nothing changes.' : `${label}: set.`,
        tone: 'ok',
      }),
    )
  return (
    <Suspense>
      <ReasonDialog
        open
        title={level === null ? `Take away what is set for ${label}` : `${label}: ${level} ${LEVELS[level]}`}
        note="To lower holds at once. To let automation act (3 and 4) waits for a second person."
        verb="Set it"
        act={act}
        onClose={onClose}
      />
    </Suspense>
  )
}

function Lowered({ view }: { view: Autonomy }) {
  const [asking, setAsking] = useState<Autonomy['lowered'][number] | null>(null)
  return (
    <Card title="Lowered by the system">
      <p className="border-b border-line px-3 py-2 text-xs text-fg-3">
        The system lowers a level by itself when its actions go wrong; only people raise it again, and it takes two.
      </p>
      <Table label="Lowered by the system" head={['Capability', 'On', 'To', 'Why', 'Since']}>
        {view.lowered.map(one => (
          <Tr key={`${one.capability} ${one.target}`}>
            <Td className="font-medium">{one.capability}</Td>
            <Td className="font-mono">{one.target_name ?? one.target ?? 'every target'}</Td>
            <Td>
              <Chip tone="medium">
                {one.to} {LEVELS[one.to]}
              </Chip>
            </Td>
            <Td>{one.why}</Td>
            <Td>
              <Ago at={one.at} suffix />
            </Td>
            <Acts>
              <ActBtn need="settings.write" size="sm" onClick={() => setAsking(one)}>
                Ask to raise it…
              </ActBtn>
            </Acts>
          </Tr>
        ))}
      </Table>
      {asking && (
        <Suspense>
          <ReasonDialog
            open
            title={`Take back what was lowered for ${asking.capability}`}
            note={asking.why}
            verb="Ask for it"
            act={reason =>
              acted(
                post('/autonomy/restore', { capability: asking.capability, target: asking.target, reason }),
                AUTONOMY,
              )
            }
            onClose={() => setAsking(null)}
          />
        </Suspense>
      )}
    </Card>
  )
}
