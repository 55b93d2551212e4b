/** The policies that everybody has, as they are in the binary. Their numbers are settings; a tenant's own add to them. */
import { Link } from '@tanstack/react-router'
import { builtInQuery } from '@/api/policies'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useList } from '@/app/use-list'
import { Loaded } from '@/ui'
import { LoadMore } from '@/ui/table'
import { Files } from './files'

export default function BuiltIn() {
  const { query, items } = useList(builtInQuery)
  const { id } = useSearchParams()
  const set = useSetSearch()
  return (
    <div className="flex min-h-0 flex-1 flex-col">
      <p className="border-b border-line px-4 py-2 text-xs text-fg-3">
        Part of the program, and the same for every tenant. What they compare with is set under{' '}
        <Link to="/settings" search={{ tab: 'limits' }} className="text-accent underline">
          Response limits
        </Link>
        .
      </p>
      <div className="min-h-0 flex-1">
        <Loaded query={query} what="Built-in policies">
          {() => <Files files={items ?? []} label="Built-in files" chosen={id} onChosen={path => set({ id: path })} />}
        </Loaded>
      </div>
      <LoadMore query={query} />
    </div>
  )
}
