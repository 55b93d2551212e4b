/** The attack graph as a table: the same facts for a screen reader, or for copying. */
import type { Entity, Investigation } from '@/api/types'
import { EntityName } from '@/ui/entity'
import { fmt, words } from '@/ui/format'
import { SevIcon } from '@/ui/severity'

export function GraphTable({ graph, onSelect }: { graph: Investigation['graph']; onSelect: (entity: Entity) => void }) {
  const label = (id: string) => graph.nodes.find(n => n.id === id)?.entity.value ?? id
  return (
    <section className="scroll h-full overflow-y-auto p-4 pb-12" aria-label="Attack graph as a table" tabIndex={0}>
      <table className="w-full text-left text-xs">
        <thead className="text-fg-3">
          <tr className="h-8 border-b border-line">
            <th className="font-medium">Entity</th>
            <th className="font-medium">Role</th>
            <th className="font-medium">Tactic</th>
            <th className="text-right font-medium">Events</th>
            <th className="pl-6 font-medium">Leads to</th>
          </tr>
        </thead>
        <tbody>
          {graph.nodes.map(node => (
            <tr key={node.id} className="border-b border-line/60 align-top">
              <td className="py-1.5">
                <button
                  type="button"
                  className="flex items-center gap-2 hover:underline"
                  onClick={() => onSelect(node.entity)}
                >
                  {node.severity && <SevIcon s={node.severity} />}
                  <EntityName entity={node.entity} />
                </button>
              </td>
              <td className="py-1.5 text-fg-2">{words(node.role)}</td>
              <td className="py-1.5 text-fg-2">{node.tactic ? words(node.tactic) : ''}</td>
              <td className="num py-1.5 text-right">{fmt(node.event_count)}</td>
              <td className="py-1.5 pl-6 text-fg-2">
                {graph.edges
                  .filter(e => e.from === node.id)
                  .map(e => `${e.label} ${label(e.to)}`)
                  .join('; ')}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
