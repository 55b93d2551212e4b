/** What waits for a second person, and every version of the gate's settings with the way back. */
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import { request } from '@/api/client'
import { GATE, gateChangesQuery, gateSettingsQuery, gateVersionsQuery } from '@/api/gate'
import type { GateVersion, GateVersionDetail } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { acted } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, Card, Chip, Loaded } from '@/ui'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'
import { DraftCard } from './draft'
import { Pending } from './pending'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const STATE: Record<GateVersion['state'], { label: string; tone: string }> = {
  draft: { label: 'waits', tone: 'medium' },
  outdated: { label: 'overtaken', tone: 'neutral' },
  in_force: { label: 'in force', tone: 'ok' },
  superseded: { label: 'was in force', tone: 'neutral' },
}

export function Changes() {
  const { query, items } = useList(gateChangesQuery)
  const settings = useQuery(gateSettingsQuery)
  return (
    <div className="flex flex-col gap-3">
      {settings.data?.draft && <DraftCard view={settings.data} draft={settings.data.draft} />}
      <Loaded query={query} what="Changes">
        {() =>
          items?.length ? (
            <Pending title="Wait for a second person" changes={items} />
          ) : (
            <Card title="Wait for a second person">
              <p className="px-3 py-4 text-xs text-fg-3">
                Nothing waits. What lets automation do more, or holds a target back less, is confirmed here.
              </p>
            </Card>
          )
        }
      </Loaded>
      <LoadMore query={query} />
      <Versions inForce={settings.data?.number ?? 0} />
    </div>
  )
}

function Versions({ inForce }: { inForce: number }) {
  const { query, items } = useList(gateVersionsQuery)
  const [back, setBack] = useState<number | null>(null)
  const act = (reason: string) =>
    acted(
      request<GateVersionDetail>('POST', '/gate-settings/rollback', {
        body: { version: back, reason },
        version: inForce,
      }),
      GATE,
    )
  return (
    <Card title="Versions of the gate's settings">
      <Loaded query={query} what="Versions">
        {() =>
          items?.length ? (
            <Table label="Versions" head={['Version', 'State', 'Written', 'Why', 'Put in force']}>
              {items.map(version => (
                <Tr key={version.number} dead={version.state === 'outdated'}>
                  <Td className="num">{version.number}</Td>
                  <Td>
                    <Chip tone={STATE[version.state].tone}>{STATE[version.state].label}</Chip>
                  </Td>
                  <Td>
                    {version.by_name}, <Ago at={version.at} suffix />
                  </Td>
                  <Td className="text-fg-2">{version.reason}</Td>
                  <Td className="text-fg-2">
                    {version.activated && (
                      <>
                        {version.activated.by_name}, <Ago at={version.activated.at} suffix />
                      </>
                    )}
                  </Td>
                  <Acts>
                    {version.state === 'superseded' && (
                      <ActBtn need="settings.write" size="sm" v="ghost" onClick={() => setBack(version.number)}>
                        Go back to it…
                      </ActBtn>
                    )}
                  </Acts>
                </Tr>
              ))}
            </Table>
          ) : (
            <p className="px-3 py-4 text-xs text-fg-3">Nothing was changed yet: what is built in is in force.</p>
          )
        }
      </Loaded>
      <LoadMore query={query} />
      <Suspense>
        {back !== null && (
          <ReasonDialog
            open
            title={`Go back to version ${back}`}
            note="Its settings become a new draft, which another person puts in force."
            verb="Write draft"
            act={act}
            onClose={() => setBack(null)}
          />
        )}
      </Suspense>
    </Card>
  )
}
