/** Everything that was done on targets, each with its way back; and the undo of many. */
import { lazy, Suspense } from 'react'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { NoPermission, Skeleton } from '@/ui'
import { Tabs } from '@/ui/tabs'
import { ActionList } from './list'

const UndoCentre = lazy(() => import('./undo-centre'))
const TABS = [
  { id: 'list', label: 'Actions' },
  { id: 'undo', label: 'Undo centre' },
]

export default function ActionsPage() {
  const can = useCan()
  const { tab = 'list' } = useSearchParams()
  const set = useSetSearch()
  if (!can('action.read')) return <NoPermission need="action.read" />
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-4 border-b border-line px-4">
        <h1 className="text-sm font-semibold">Actions</h1>
        <Tabs
          tall
          label="Actions and undo"
          tabs={TABS}
          value={tab === 'undo' ? 'undo' : 'list'}
          onChange={id => set({ tab: id === 'list' ? undefined : id, id: undefined })}
        />
      </div>
      {tab === 'undo' ? (
        <Suspense fallback={<Skeleton label="Loading undo centre" />}>
          <UndoCentre />
        </Suspense>
      ) : (
        <ActionList />
      )}
    </div>
  )
}
