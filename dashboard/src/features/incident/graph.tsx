/** The attack graph: who reached what, by ATT&CK stage. Hover lights a path; a node opens its events. */
import { Background, BackgroundVariant, Controls, ReactFlow } from '@xyflow/react'
import { useMemo, useState } from 'react'
import '@xyflow/react/dist/base.css'
import { Table } from 'lucide-react'
import type { Entity, Investigation, Plan } from '@/api/types'
import { inForce } from '@/features/plans/view'
import { Btn, cn } from '@/ui/basic'
import { entityKey } from '@/ui/entity'
import { words } from '@/ui/format'
import { Empty } from '@/ui/states'
import { layout, NODE_W, type Placed, pathThrough } from './graph-layout'
import { ArrowHeads, AttackEdge, LaneNode, NodeCard, nodeNote, nodeTitle } from './graph-parts'
import { GraphTable } from './graph-table'

const nodeTypes = { card: NodeCard, lane: LaneNode } as never
const edgeTypes = { attack: AttackEdge } as never

/** With more labels than this they cover each other: they then show for what is pointed at. */
const MANY_LABELS = 12

/** Entities that an action in force holds back: the blocked address. */
export function containedBy(plans: Plan[]): Set<string> {
  const held = plans.flatMap(p => p.actions).filter(inForce)
  const values = held.flatMap(a => Object.values((a.params ?? {}) as Record<string, unknown>))
  return new Set(values.filter((v): v is string => typeof v === 'string'))
}

type Props = {
  graph: Investigation['graph']
  plans: Plan[]
  onSelect: (entity: Entity | null) => void
  revision: number
}

export default function AttackGraph({ graph, plans, onSelect, revision }: Props) {
  const [expanded, setExpanded] = useState(false)
  const [asTable, setAsTable] = useState(false)
  const place = useMemo(() => layout(graph, expanded), [graph, expanded])
  if (!graph.nodes.length) {
    return (
      <Empty title="No entity to draw yet">
        Revision {revision} found no address, host, user or process in the events of this incident's alerts.
      </Empty>
    )
  }
  return (
    <div className="relative h-full w-full">
      {asTable ? (
        <GraphTable graph={graph} onSelect={onSelect} />
      ) : (
        <Canvas
          key={String(expanded)}
          place={place}
          plans={plans}
          onSelect={onSelect}
          onExpand={() => setExpanded(true)}
        />
      )}
      <div className="absolute right-3 bottom-2.5 flex items-center gap-3 rounded-md border border-line bg-surface px-2 py-1 text-2xs text-fg-3">
        <span className="flex items-center gap-1">
          <span className="h-px w-4 bg-critical" />
          attack path
        </span>
        <span className="flex items-center gap-1">
          <span className="h-px w-4 border-t border-dashed border-ok" />
          contained
        </span>
        <span className="num">
          {place.shown} of {place.total} nodes
        </span>
        {(place.shown < place.total || expanded) && (
          <button type="button" className="text-accent hover:underline" onClick={() => setExpanded(!expanded)}>
            {expanded ? 'Gather' : 'Show all'}
          </button>
        )}
        <Btn size="sm" v="ghost" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          <Table size={12} aria-hidden="true" />
          {asTable ? 'Graph' : 'Table'}
        </Btn>
      </div>
    </div>
  )
}

type CanvasProps = {
  place: ReturnType<typeof layout>
  plans: Plan[]
  onSelect: Props['onSelect']
  onExpand: () => void
}

function Canvas({ place, plans, onSelect, onExpand }: CanvasProps) {
  const [hover, setHover] = useState<string | null>(null)
  const [selected, setSelected] = useState<string | null>(null)
  const lit = useMemo(() => {
    const from = hover ?? selected
    return from ? pathThrough(from, place.edges) : null
  }, [hover, selected, place])
  const contained = useMemo(() => containedBy(plans), [plans])
  const nodes = useMemo(() => toNodes(place, lit, contained, selected), [place, lit, contained, selected])
  const edges = useMemo(() => toEdges(place, lit, contained), [place, lit, contained])
  const pick = (placed: Placed) => {
    if (placed.group.length) return onExpand()
    setSelected(placed.id)
    onSelect(placed.node.entity)
  }
  return (
    <section
      className="h-full w-full"
      aria-label="Attack graph"
      onKeyDown={e => {
        const id = (e.target as HTMLElement).dataset?.id
        const placed = place.nodes.find(n => n.id === id)
        if (e.key === 'Enter' && placed) pick(placed)
        if (e.key === 'Escape') setSelected(null)
      }}
    >
      <ArrowHeads />
      <ReactFlow
        nodes={nodes as never}
        edges={edges as never}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        fitView
        fitViewOptions={{ padding: { top: '24px', bottom: '14px', left: '44px', right: '14px' }, maxZoom: 1.15 }}
        minZoom={0.3}
        maxZoom={1.6}
        nodesConnectable={false}
        panOnScroll
        zoomOnDoubleClick={false}
        proOptions={{ hideAttribution: true }}
        onNodeMouseEnter={(_, n) => n.type === 'card' && setHover(n.id)}
        onNodeMouseLeave={() => setHover(null)}
        onNodeClick={(_, n) => n.type === 'card' && pick(n.data as unknown as Placed)}
        onPaneClick={() => {
          setSelected(null)
          onSelect(null)
        }}
      >
        <Background variant={BackgroundVariant.Dots} gap={20} size={1} />
        <Controls showInteractive={false} className={cn('text-fg-2')} />
      </ReactFlow>
    </section>
  )
}

function toNodes(
  place: ReturnType<typeof layout>,
  lit: Set<string> | null,
  contained: Set<string>,
  selected: string | null,
) {
  const lanes = place.columns.map((tactic, i) => ({
    id: `lane${i}`,
    type: 'lane',
    position: { x: i * place.width - (place.width - NODE_W) / 2, y: 0 },
    data: { label: tactic ? words(tactic) : 'Entities', height: place.height, width: place.width, first: i === 0 },
    selectable: false,
    focusable: false,
    draggable: false,
    zIndex: -1,
  }))
  const cards = place.nodes.map(placed => ({
    id: placed.id,
    type: 'card',
    position: { x: placed.x, y: placed.y },
    data: { ...placed, dim: lit ? !lit.has(placed.id) : false, contained: contained.has(placed.node.entity.value) },
    selected: selected === placed.id,
    draggable: false,
    ariaLabel: `${nodeTitle(placed)}, ${nodeNote(placed)}`,
    domAttributes: { 'data-entity': entityKey(placed.node.entity) },
  }))
  return [...lanes, ...cards]
}

function toEdges(place: ReturnType<typeof layout>, lit: Set<string> | null, contained: Set<string>) {
  const byId = new Map(place.nodes.map(n => [n.id, n]))
  const few = place.edges.filter(e => e.hot).length <= MANY_LABELS
  return place.edges.map(edge => {
    const from = byId.get(edge.from)
    const to = byId.get(edge.to)
    return {
      id: `${edge.from}>${edge.to}`,
      source: edge.from,
      target: edge.to,
      ...handles(from, to),
      type: 'attack',
      focusable: false,
      data: {
        label: edge.label,
        hot: edge.hot,
        contained: [from, to].some(n => n && contained.has(n.node.entity.value)),
        dim: lit ? !(lit.has(edge.from) && lit.has(edge.to)) : false,
        show: lit ? true : edge.hot && few,
        faint: !few && !lit,
      },
    }
  })
}

/** To the right: side to side. In the same column or back: from the near edge to the near edge. */
function handles(from?: Placed, to?: Placed) {
  if (!from || !to || from.column < to.column) return { sourceHandle: 'r', targetHandle: 'l' }
  return from.y < to.y ? { sourceHandle: 'b', targetHandle: 't' } : { sourceHandle: 'up', targetHandle: 'under' }
}
