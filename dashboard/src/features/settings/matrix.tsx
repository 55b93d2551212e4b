/** Permissions as a table of resource by action. Nobody gives more than they have: what one lacks cannot be ticked. */
import { useQuery } from '@tanstack/react-query'
import { myPermissionsQuery } from '@/api/queries'
import { cn, words } from '@/ui'
import { Loaded } from '@/ui/loaded'
import { parts } from './names'

const ORDER = ['read', 'write', 'create', 'approve', 'undo', 'export']

export type Grid = {
  actions: string[]
  rows: { resource: string; cells: Map<string, { permission: string; own: boolean }> }[]
}

/** What the server says there is, as a grid; permissions of the installation are no role's. */
export function gridOf(all: { permission: string; allowed: boolean }[]): Grid {
  const rows = new Map<string, Map<string, { permission: string; own: boolean }>>()
  for (const { permission, allowed } of all) {
    const [resource, action] = parts(permission)
    if (resource === 'tenant') continue
    const cells = rows.get(resource) ?? new Map()
    cells.set(action, { permission, own: allowed })
    rows.set(resource, cells)
  }
  const used = new Set([...rows.values()].flatMap(cells => [...cells.keys()]))
  const rest = [...used].filter(action => !ORDER.includes(action)).sort()
  return {
    actions: [...ORDER.filter(action => used.has(action)), ...rest],
    rows: [...rows].map(([resource, cells]) => ({ resource, cells })),
  }
}

type Props = { value: string[]; onChange?: (value: string[]) => void; label: string; low?: boolean }

export function Matrix(props: Props) {
  const query = useQuery(myPermissionsQuery)
  return (
    <Loaded query={query} what="Permissions">
      {({ items }) => <Cells grid={gridOf(items)} {...props} />}
    </Loaded>
  )
}

function Cells({ grid, value, onChange, label, low }: Props & { grid: Grid }) {
  const chosen = new Set(value)
  const toggle = (permission: string) =>
    onChange?.(chosen.has(permission) ? value.filter(p => p !== permission) : [...value, permission])
  return (
    <div
      className={cn('scroll overflow-auto rounded-md border border-line', low ? 'max-h-[28vh]' : 'max-h-[44vh]')}
      tabIndex={0}
      role="region"
      aria-label={label}
    >
      <table className="w-full text-left text-xs">
        <thead className="sticky top-0 z-10 bg-raised text-fg-3">
          <tr className="h-8">
            <th scope="col" className="px-2.5 font-medium">
              Resource
            </th>
            {grid.actions.map(action => (
              <th key={action} scope="col" className="w-16 px-1 text-center font-medium">
                {words(action)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {grid.rows.map(({ resource, cells }) => (
            <tr key={resource} className="h-8 border-t border-line/60 hover:bg-hover">
              <th scope="row" className="px-2.5 font-normal">
                {words(resource)}
              </th>
              {grid.actions.map(action => {
                const cell = cells.get(action)
                return (
                  <td key={action} className="px-1 text-center">
                    {cell && (
                      <label className="inline-grid size-6 place-items-center" title={why(cell)}>
                        <input
                          type="checkbox"
                          className="size-3.5"
                          aria-label={`${words(resource)}: ${action}`}
                          checked={chosen.has(cell.permission)}
                          disabled={!onChange || (!cell.own && !chosen.has(cell.permission))}
                          onChange={() => toggle(cell.permission)}
                        />
                      </label>
                    )}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
const why = (cell: { permission: string; own: boolean }) =>
  cell.own ? cell.permission : `${cell.permission}: you do not have it yourself, so you cannot give it`
