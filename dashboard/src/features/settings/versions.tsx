/** Every version of the policy, what changed with it, and the way back. */
import { lazy, Suspense, useState } from 'react'
import { request } from '@/api/client'
import { settingsVersionsQuery } from '@/api/queries'
import type { SettingsVersion, SettingsView } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useNames } from '@/app/names'
import { acted } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, Btn, Card, Chip, Loaded } from '@/ui'
import { DiffTable } from '@/ui/diff-table'
import { LoadMore } from '@/ui/table'

const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))

export function Versions({ current }: { current: number }) {
  const { query, items } = useList(settingsVersionsQuery)
  return (
    <Card title="Versions">
      <Loaded query={query} what="Versions">
        {() =>
          items?.length ? (
            <ol>
              {items.map((version, i) => (
                <Version key={version.version} version={version} before={items[i + 1]} current={current} />
              ))}
            </ol>
          ) : (
            <p className="px-3 py-4 text-xs text-fg-3">Nothing was changed yet: everything is inherited.</p>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Card>
  )
}

type Props = { version: SettingsVersion; before: SettingsVersion | undefined; current: number }

function Version({ version, before, current }: Props) {
  const names = useNames()
  const [open, setOpen] = useState(false)
  const [asking, setAsking] = useState(false)
  const inForce = version.version === current
  return (
    <li className="border-b border-line/60 px-3 py-1.5 text-xs last:border-0">
      <div className="flex min-h-7 items-center gap-3">
        <span className="num w-20 font-medium">Version {version.version}</span>
        {inForce && <Chip tone="ok">in force</Chip>}
        <span className="text-fg-2">
          by {names(version.by)}
          {version.at && (
            <>
              , <Ago at={version.at} suffix />
            </>
          )}
        </span>
        <span className="ml-auto flex gap-1">
          <Btn size="sm" v="ghost" aria-expanded={open} onClick={() => setOpen(!open)}>
            What changed
          </Btn>
          {!inForce && (
            <ActBtn need="settings.write" size="sm" v="ghost" onClick={() => setAsking(true)}>
              Go back to it…
            </ActBtn>
          )}
        </span>
      </div>
      {open && (
        <div className="py-1.5">
          <DiffTable before={before?.value} after={version.value} label={`What version ${version.version} changed`} />
        </div>
      )}
      {asking && (
        <Suspense>
          <ConfirmDialog
            title={`Go back to version ${version.version}`}
            note="Its values become the newest version and hold from the next request on. Nothing is lost: this version stays in the list."
            verb="Go back"
            act={() =>
              acted(
                request<SettingsView>('POST', '/settings/rollback', {
                  body: { version: version.version },
                  version: current,
                }),
                ['settings', 'settings-versions', 'me'],
              )
            }
            onClose={() => setAsking(false)}
          />
        </Suspense>
      )}
    </li>
  )
}
