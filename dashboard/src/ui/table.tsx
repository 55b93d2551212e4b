/** A plain table for settings: head, rows, and "load more" where there is more. */
import type { ReactNode } from 'react'
import { Btn, cn } from './basic'

type Props = { label: string; head: ReactNode[]; children: ReactNode; acts?: boolean }

/** On a narrow screen a table scrolls before its cells become columns of single letters. */
const narrow = (columns: number) =>
  columns > 4 ? 'max-md:min-w-[720px]' : columns > 2 ? 'max-md:min-w-[520px]' : undefined

/** The last column is for what can be done with a row; without `acts` there is none. */
export function Table({ label, head, children, acts = true }: Props) {
  return (
    <div className="scroll relative overflow-x-auto" tabIndex={0} role="region" aria-label={label}>
      <table className={cn('w-full text-left text-xs', narrow(head.length))} aria-label={label}>
        <thead className="text-fg-3">
          <tr className="h-8 border-b border-line">
            {head.map((cell, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: columns have no other identity
              <th key={i} scope="col" className="px-3 font-medium whitespace-nowrap">
                {cell}
              </th>
            ))}
            {acts && (
              <th scope="col" className="px-3">
                <span className="sr-only">Change</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  )
}

export const Tr = ({ children, dead }: { children: ReactNode; dead?: boolean }) => (
  <tr className={cn('h-10 border-b border-line/60 last:border-0', dead && 'text-fg-3')}>{children}</tr>
)
export const Td = ({ children, className }: { children?: ReactNode; className?: string }) => (
  <td className={cn('px-3 py-1.5', className)}>{children}</td>
)
export const Acts = ({ children }: { children?: ReactNode }) => (
  <td className="px-3 py-1 text-right whitespace-nowrap">
    <span className="inline-flex items-center gap-1">{children}</span>
  </td>
)

type More = { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown }
export function LoadMore({ query }: { query: More }) {
  if (!query.hasNextPage) return null
  return (
    <div className="border-t border-line/60 p-2 text-center">
      <Btn size="sm" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
        {query.isFetchingNextPage ? 'Loading…' : 'Load more'}
      </Btn>
    </div>
  )
}
