/** How nodes, lanes and edges of the attack graph are drawn. */
import {
  BaseEdge,
  EdgeLabelRenderer,
  type EdgeProps,
  getBezierPath,
  Handle,
  type NodeProps,
  Position,
} from '@xyflow/react'
import {
  FileText,
  Fingerprint,
  Globe,
  Layers,
  Link2,
  type LucideIcon,
  Server,
  ShieldCheck,
  Skull,
  Terminal,
  User,
} from 'lucide-react'
import { memo } from 'react'
import type { EntityKind } from '@/api/types'
import { cn } from '@/ui/basic'
import { fmt, plural, words } from '@/ui/format'
import { ENTITY_KIND } from '@/ui/labels'
import { sevTone } from '@/ui/severity'
import { NODE_H, NODE_W, type Placed, RING } from './graph-layout'

const ICON: Record<EntityKind, LucideIcon> = {
  ip: Globe,
  host: Server,
  user: User,
  process: Terminal,
  file: FileText,
  domain: Globe,
  url: Link2,
  hash: Fingerprint,
}

export type NodeData = Placed & { dim: boolean; contained: boolean }
export type EdgeData = {
  label: string
  hot: boolean
  contained: boolean
  dim: boolean
  show: boolean
  /** One of many: thinner, until a path is pointed at. */
  faint: boolean
}

function toneOf({ node, contained }: NodeData) {
  if (contained) return 'ok'
  if (node.role === 'attacker') return 'critical'
  if (node.severity) return sevTone(node.severity)
  return 'fg-2'
}

/** A path is told by its end: `…/authorized_keys`. */
const tail = (path: string) => (path.length > 18 ? `…/${path.split('/').at(-1)}` : path)

export const nodeTitle = (d: Placed) => {
  if (d.group.length) return `${d.group.length} more`
  const { kind, value } = d.node.entity
  return kind === 'file' || kind === 'process' ? tail(value) : value
}
export const nodeNote = (d: Placed) => {
  if (d.group.length) return [...new Set(d.group.map(n => ENTITY_KIND[n.entity.kind].toLowerCase()))].join(', ')
  const role = d.node.role === 'other' ? ENTITY_KIND[d.node.entity.kind] : words(d.node.role)
  return `${role} · ${plural(d.node.event_count, 'event')}`
}

export const NodeCard = memo(function NodeCard({ data, selected }: NodeProps & { data: NodeData }) {
  const Icon = data.group.length ? Layers : data.node.role === 'attacker' ? Skull : ICON[data.node.entity.kind]
  const tone = toneOf(data)
  const inner = { top: RING / 2, left: (NODE_W - RING) / 2 }
  return (
    <div
      style={{ width: NODE_W, height: NODE_H }}
      className={cn('flex flex-col items-center transition-opacity duration-100', data.dim && 'opacity-20')}
    >
      <Handle type="target" id="l" position={Position.Left} style={inner} />
      <Handle type="source" id="r" position={Position.Right} style={{ top: RING / 2, right: (NODE_W - RING) / 2 }} />
      <Handle type="target" id="t" position={Position.Top} />
      <Handle type="source" id="b" position={Position.Bottom} />
      <Handle type="source" id="up" position={Position.Top} />
      <Handle type="target" id="under" position={Position.Bottom} />
      <span
        className={cn(
          'relative grid place-items-center rounded-full border-2 bg-raised',
          selected && 'ring-2 ring-accent ring-offset-2 ring-offset-bg',
          data.node.role === 'victim' && 'border-dashed',
        )}
        style={{
          width: RING,
          height: RING,
          color: `var(--${tone})`,
          borderColor: tone === 'fg-2' ? 'var(--line-strong)' : `var(--${tone})`,
        }}
      >
        <span className="absolute inset-0 rounded-full opacity-[0.13]" style={{ background: 'currentColor' }} />
        <Icon size={19} strokeWidth={1.75} aria-hidden="true" />
        {data.contained && (
          <span className="absolute -right-1 -bottom-1 grid size-4.5 place-items-center rounded-full bg-ok text-bg">
            <ShieldCheck size={11} strokeWidth={2.5} aria-hidden="true" />
          </span>
        )}
        {data.group.length > 0 && (
          <span className="num absolute -top-1.5 -right-2 rounded-full bg-active px-1.5 text-[10px] leading-4 font-semibold text-fg">
            {fmt(data.group.length)}
          </span>
        )}
      </span>
      <span
        className={cn(
          'mt-1 max-w-full truncate rounded-sm bg-bg px-1 leading-4 font-medium',
          data.group.length ? 'text-xs' : 'font-mono text-[11px]',
        )}
      >
        {nodeTitle(data)}
      </span>
      <span className="max-w-full truncate rounded-sm bg-bg px-1 text-2xs leading-3.5 text-fg-3">
        {data.contained ? 'Contained' : nodeNote(data)}
      </span>
    </div>
  )
})

export const LaneNode = memo(function LaneNode({
  data,
}: NodeProps & { data: { label: string; height: number; width: number; first: boolean } }) {
  return (
    <div
      style={{ width: data.width, height: data.height }}
      className={cn('border-line', !data.first && 'border-l border-dashed')}
    >
      <div className="pt-1 text-center text-2xs font-medium text-fg-3">{data.label}</div>
    </div>
  )
})

const EDGE_COLOR = { ok: 'var(--ok)', hot: 'var(--critical)', plain: 'var(--control-line)' }

export function AttackEdge(props: EdgeProps) {
  const d = props.data as EdgeData
  const kind = d.contained ? 'ok' : d.hot ? 'hot' : 'plain'
  const [path, labelX, labelY] = getBezierPath({ ...props, curvature: 0.4 })
  return (
    <>
      <BaseEdge
        path={path}
        style={{
          stroke: EDGE_COLOR[kind],
          strokeWidth: d.hot && !d.faint ? 2 : 1.25,
          strokeDasharray: d.contained ? '5 4' : undefined,
          opacity: d.dim ? 0.1 : d.hot ? (d.faint ? 0.55 : 1) : 0.6,
        }}
        markerEnd={d.dim ? undefined : `url(#arrow-${kind})`}
      />
      {d.show && !d.dim && (
        <EdgeLabelRenderer>
          <span
            className={cn(
              'pointer-events-none absolute max-w-40 truncate rounded-sm bg-bg px-1 text-[10.5px] leading-3.5 whitespace-nowrap',
              d.contained ? 'font-medium text-ok' : 'text-fg-3',
            )}
            style={{ transform: `translate(-50%,-50%) translate(${labelX}px,${labelY}px)` }}
          >
            {d.label}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  )
}

export function ArrowHeads() {
  return (
    <svg className="absolute size-0" aria-hidden="true">
      <defs>
        {Object.entries(EDGE_COLOR).map(([id, fill]) => (
          <marker
            key={id}
            id={`arrow-${id}`}
            viewBox="0 0 8 8"
            refX="7.5"
            refY="4"
            markerWidth={id === 'hot' ? 5 : 6}
            markerHeight={id === 'hot' ? 5 : 6}
            orient="auto"
          >
            <path d="M0 .8 7.5 4 0 7.2z" style={{ fill }} />
          </marker>
        ))}
      </defs>
    </svg>
  )
}
