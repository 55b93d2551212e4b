/** Processing pipelines: what is done to the tenant's own rules before they are compiled, such as other names of fields. */
import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { lazy, Suspense } from 'react'
import { pipelineQuery, pipelinesQuery } from '@/api/detection'
import type { PipelineRow } from '@/api/detection-types'
import { ActBtn } from '@/app/guard'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useList } from '@/app/use-list'
import { Ago, bytes, Chip, Empty, Loaded, Skeleton } from '@/ui'
import { LoadMore, Table, Td, Tr } from '@/ui/table'

const PipelineView = lazy(() => import('./view'))
const NewPipeline = lazy(() => import('./new'))
const HEAD = ['Name', 'State', 'Newest', 'Size', 'Changed', 'By', 'Why']

export default function Pipelines() {
  const { id, view } = useSearchParams()
  return (
    <Suspense fallback={<Skeleton label="Loading pipelines" />}>
      {view === 'new' ? <NewPipeline /> : id ? <Opened name={id} /> : <List />}
    </Suspense>
  )
}

function Opened({ name }: { name: string }) {
  const query = useQuery(pipelineQuery(name))
  return (
    <Loaded query={query} what="Pipeline">
      {pipeline => <PipelineView key={pipeline.name} pipeline={pipeline} />}
    </Loaded>
  )
}

function List() {
  const { items, query } = useList(pipelinesQuery)
  const set = useSetSearch()
  const create = () => set({ view: 'new' }, true)
  return (
    <section className="scroll min-h-0 flex-1 overflow-y-auto bg-surface" aria-label="List of pipelines" tabIndex={0}>
      <div className="flex min-h-10 items-center gap-2 border-b border-line px-4 py-1 text-xs text-fg-3">
        <p className="min-w-0">
          pySigma’s YAML, applied to this tenant’s own rules before they are compiled. The rules that everybody has stay
          as they are.
        </p>
        <ActBtn need="rule.write" size="sm" className="ml-auto" onClick={create}>
          <Plus size={12} aria-hidden="true" />
          New pipeline
        </ActBtn>
      </div>
      <Loaded query={query} what="Pipelines">
        {() =>
          items?.length ? (
            <Table label="Pipelines" head={HEAD} acts={false}>
              {items.map(one => (
                <Row key={one.name} pipeline={one} onOpen={() => set({ id: one.name }, true)} />
              ))}
            </Table>
          ) : (
            <Empty title="No pipelines">
              One maps the fields of rules to the names in your events, so that rules of others work here unchanged.
            </Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </section>
  )
}

export const PipelineChip = ({ pipeline }: { pipeline: PipelineRow }) =>
  pipeline.live == null ? <Chip tone="neutral">not in use</Chip> : <Chip tone="ok">version {pipeline.live} in use</Chip>

function Row({ pipeline, onOpen }: { pipeline: PipelineRow; onOpen: () => void }) {
  return (
    <Tr>
      <Td>
        <button type="button" className="font-mono text-accent hover:underline" onClick={onOpen}>
          {pipeline.name}
        </button>
      </Td>
      <Td>
        <PipelineChip pipeline={pipeline} />
      </Td>
      <Td className="num">{pipeline.head}</Td>
      <Td className="num whitespace-nowrap">{bytes(pipeline.bytes)}</Td>
      <Td className="whitespace-nowrap">
        <Ago at={pipeline.updated_at} suffix />
      </Td>
      <Td>{pipeline.by_name}</Td>
      <Td className="max-w-72 truncate text-fg-2">
        <span title={pipeline.reason}>{pipeline.reason}</span>
      </Td>
    </Tr>
  )
}
