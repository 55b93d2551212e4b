/** Indicators: the lists that are looked for in every event, what they found, and whether a value is on one of them. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { lazy, Suspense, useRef, useState } from 'react'
import { type IndicatorList, indicatorListsQuery, lookUpQuery } from '@/api/indicators'
import { ActBtn } from '@/app/guard'
import { useHotkeys } from '@/app/hotkeys'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'
import { Ago, Chip, cap, Empty, fmt, Loaded, NoPermission, SevIcon } from '@/ui'
import { SearchBar } from '@/ui/search-bar'
import { LoadMore, Table, Td, Tr } from '@/ui/table'
import { Tabs } from '@/ui/tabs'
import { Hits } from './hits'
import { From, KIND, StateChip } from './view'

const ListDialog = lazy(() => import('./list-dialog'))
const TABS = [
  { id: 'lists', label: 'Lists' },
  { id: 'hits', label: 'Hits' },
]

export default function IndicatorsPage() {
  const can = useCan()
  return can('rule.read') ? <Indicators /> : <NoPermission need="rule.read" />
}

function Indicators() {
  const { tab = 'lists', q } = useSearchParams()
  const set = useSetSearch()
  const [making, setMaking] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  useHotkeys([{ keys: '/', label: 'Look up a value', group: 'List', run: () => input.current?.focus() }])
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-4">
        <h1 className="mr-4 text-sm font-semibold">Indicators</h1>
        <Tabs
          label="Indicators"
          tabs={TABS}
          value={tab}
          onChange={id => set({ tab: id === 'lists' ? undefined : id, q: undefined })}
          tall
        />
        <ActBtn need="rule.write" v="primary" className="ml-auto" onClick={() => setMaking(true)}>
          <Plus size={14} aria-hidden="true" />
          New list
        </ActBtn>
      </div>
      <SearchBar
        ref={input}
        label="Look up a value"
        value={q ?? ''}
        onChange={text => set({ q: text || undefined })}
        hint="Is it on a list? An address, domain, URL, hash or e-mail address"
      />
      <section className="scroll min-h-0 flex-1 overflow-y-auto bg-surface" aria-label="Indicators" tabIndex={0}>
        {q ? <LookUp value={q} /> : tab === 'hits' ? <Hits /> : <Lists />}
      </section>
      <Suspense>{making && <ListDialog list={null} onClose={() => setMaking(false)} />}</Suspense>
    </div>
  )
}

function Lists() {
  const { query, items } = useList(indicatorListsQuery)
  return (
    <>
      <Loaded query={query} what="Lists">
        {() =>
          items?.length ? (
            <Table
              acts={false}
              label="List of lists"
              head={['List', 'State', 'Raises', 'Indicators', 'Source', 'Imported']}
            >
              {items.map(list => (
                <Row key={list.id} list={list} />
              ))}
            </Table>
          ) : (
            <Empty title="No list yet">
              Make one and import a feed: lines of text, CSV, STIX or MISP. Files named in the configuration are looked
              up too.
            </Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </>
  )
}

function Row({ list }: { list: IndicatorList }) {
  return (
    <Tr dead={!list.enabled}>
      <Td>
        <Link to="/indicators/$id" params={{ id: list.id }} className="font-medium text-accent hover:underline">
          {list.name}
        </Link>
        {list.description && <span className="block max-w-96 truncate text-2xs text-fg-3">{list.description}</span>}
      </Td>
      <Td>
        <StateChip list={list} />
      </Td>
      <Td>
        {list.allow ? (
          <Chip tone="neutral" title="What it names raises nothing, whatever other lists say">
            nothing: it allows
          </Chip>
        ) : (
          <span className="inline-flex items-center gap-1.5">
            <SevIcon s={list.severity} />
            {cap(list.severity)}
          </span>
        )}
      </Td>
      <Td className="num">
        {fmt(list.entries)}
        {list.refused > 0 && <span className="text-fg-3"> ({fmt(list.refused)} refused)</span>}
      </Td>
      <Td className="max-w-64 truncate text-fg-2">{list.source}</Td>
      <Td className="text-fg-2">{list.imported_at ? <Ago at={list.imported_at} suffix /> : 'never'}</Td>
    </Tr>
  )
}

function LookUp({ value }: { value: string }) {
  const query = useQuery(lookUpQuery(value))
  return (
    <Loaded query={query} what="Indicators">
      {({ items }) =>
        items.length ? (
          <Table acts={false} label={`What names ${value}`} head={['Kind', 'Indicator', 'Says', 'From']}>
            {items.map(i => (
              <Tr key={`${i.indicator}${i.provenance.list}${i.provenance.line}`}>
                <Td>{KIND[i.kind]}</Td>
                <Td className="font-mono break-all">{i.indicator}</Td>
                <Td>{i.allow ? <Chip tone="neutral">allowed</Chip> : <Chip tone="high">look for it</Chip>}</Td>
                <Td>
                  <From provenance={i.provenance} />
                </Td>
              </Tr>
            ))}
          </Table>
        ) : (
          <Empty title="On no list">
            <span className="font-mono">{value}</span> is not named by any list that is loaded, nor a network or domain
            around it.
          </Empty>
        )
      }
    </Loaded>
  )
}
