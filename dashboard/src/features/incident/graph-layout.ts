/**
 * Places the attack graph: one column per tactic, in the order the attack reaches them (ATT&CK order where that ties), so
 * that edges run to the right; rows by the mean height of the neighbours to the left.
 * Deterministic, without a layout library: the same graph always looks the same.
 */
import type { GraphEdge, GraphNode, Severity } from '@/api/types'
import { SEVERITIES } from '@/api/types'

export const NODE_W = 116
export const NODE_H = 82
export const RING = 44
/** Columns stand closer when there are many, so that the whole stays readable. */
export const columnWidth = (columns: number) => (columns > 6 ? 122 : 148)
export const ROW = 112
export const TOP = 46
/** More nodes than this are gathered into groups. */
export const MAX_NODES = 150
/** The more there is, the fewer stand alone; the rest of a column is gathered until one asks for it. */
const perColumn = (nodes: number) => (nodes > 20 ? 4 : 6)

export const TACTICS = [
  'reconnaissance',
  'resource-development',
  'initial-access',
  'execution',
  'persistence',
  'privilege-escalation',
  'defense-evasion',
  'stealth',
  'defense-impairment',
  'credential-access',
  'discovery',
  'lateral-movement',
  'collection',
  'command-and-control',
  'exfiltration',
  'impact',
]
const rankOf = (tactic: string) => {
  const rank = TACTICS.indexOf(tactic)
  return rank < 0 ? TACTICS.length : rank
}

export type Placed = {
  id: string
  node: GraphNode
  /** Nodes that this one stands for; empty for a single one. */
  group: GraphNode[]
  column: number
  x: number
  y: number
}
export type Layout = {
  columns: string[]
  width: number
  nodes: Placed[]
  edges: GraphEdge[]
  height: number
  shown: number
  total: number
}

const worst = (nodes: GraphNode[]): Severity | null => SEVERITIES.find(s => nodes.some(n => n.severity === s)) ?? null

/** Steps from the attacker; without one, from the nodes that nothing leads to. */
function depths(nodes: GraphNode[], edges: GraphEdge[]) {
  const depth = new Map<string, number>()
  const entered = new Set(edges.map(e => e.to))
  let wave = nodes.filter(n => n.role === 'attacker').map(n => n.id)
  if (!wave.length) wave = nodes.filter(n => !entered.has(n.id)).map(n => n.id)
  for (let d = 0; wave.length; d++) {
    for (const id of wave) depth.set(id, d)
    wave = [...new Set(edges.filter(e => depth.get(e.from) === d && !depth.has(e.to)).map(e => e.to))]
  }
  return depth
}

/** Columns: the tactics that occur, in order; nodes without one stand where their first neighbour stands. */
function assignColumns(nodes: GraphNode[], edges: GraphEdge[]) {
  const depth = depths(nodes, edges)
  const reached = (tactic: string) =>
    Math.min(...nodes.filter(n => n.tactic === tactic).map(n => depth.get(n.id) ?? TACTICS.length))
  const used = [...new Set(nodes.map(n => n.tactic).filter((t): t is string => !!t))].sort(
    (a, b) => reached(a) - reached(b) || rankOf(a) - rankOf(b) || a.localeCompare(b),
  )
  if (!used.length) used.push('')
  const column = new Map<string, number>()
  for (const node of nodes) if (node.tactic) column.set(node.id, used.indexOf(node.tactic))
  for (let pass = 0; pass < 3; pass++) {
    for (const node of nodes) {
      if (column.has(node.id)) continue
      const edge = edges.find(e => (e.from === node.id && column.has(e.to)) || (e.to === node.id && column.has(e.from)))
      if (edge) column.set(node.id, column.get(edge.from === node.id ? edge.to : edge.from) ?? 0)
    }
  }
  for (const node of nodes) if (!column.has(node.id)) column.set(node.id, 0)
  return { used, column }
}

const importance = (node: GraphNode, hot: Set<string>) =>
  (hot.has(node.id) ? 1_000 : 0) +
  (node.severity ? (5 - SEVERITIES.indexOf(node.severity)) * 100 : 0) +
  Math.min(99, node.event_count)

/** Gathers what is least important of a crowded column into one node per kind, unless that column was opened. */
function gather(nodes: GraphNode[], edges: GraphEdge[], column: Map<string, number>, expanded: boolean) {
  const hot = new Set(edges.filter(e => e.hot).flatMap(e => [e.from, e.to]))
  const limit = expanded ? Math.ceil(MAX_NODES / Math.max(1, new Set(column.values()).size)) : perColumn(nodes.length)
  const result: { node: GraphNode; group: GraphNode[]; column: number }[] = []
  const alias = new Map<string, string>()
  for (const at of [...new Set(column.values())].sort((a, b) => a - b)) {
    const here = nodes
      .filter(n => column.get(n.id) === at)
      .sort((a, b) => importance(b, hot) - importance(a, hot) || a.id.localeCompare(b.id))
    const keep = here.length > limit ? here.slice(0, limit - 1) : here
    const rest = here.slice(keep.length)
    for (const node of keep) result.push({ node, group: [], column: at })
    if (!rest.length) continue
    const id = `group:${at}`
    for (const node of rest) alias.set(node.id, id)
    const count = rest.reduce((sum, n) => sum + n.event_count, 0)
    const first = rest[0] as GraphNode
    result.push({
      node: { ...first, id, severity: worst(rest), role: 'other', event_count: count },
      group: rest,
      column: at,
    })
  }
  return { result, alias }
}

function mergeEdges(edges: GraphEdge[], alias: Map<string, string>): GraphEdge[] {
  const merged = new Map<string, GraphEdge>()
  for (const edge of edges) {
    const from = alias.get(edge.from) ?? edge.from
    const to = alias.get(edge.to) ?? edge.to
    if (from === to) continue
    const key = `${from}\u0000${to}`
    const before = merged.get(key)
    if (before) {
      before.hot ||= edge.hot
      before.event_ids = [...before.event_ids, ...edge.event_ids]
      if (!before.label.split(', ').includes(edge.label)) before.label += `, ${edge.label}`
    } else merged.set(key, { ...edge, from, to, event_ids: [...edge.event_ids] })
  }
  return [...merged.values()]
}

export function layout(graph: { nodes: GraphNode[]; edges: GraphEdge[] }, expanded = false): Layout {
  const { used, column } = assignColumns(graph.nodes, graph.edges)
  const { result, alias } = gather(graph.nodes, graph.edges, column, expanded)
  const ids = new Set(result.map(r => r.node.id))
  const edges = mergeEdges(graph.edges, alias).filter(e => ids.has(e.from) && ids.has(e.to))
  const width = columnWidth(used.length)
  const rows = Math.max(1, ...used.map((_, i) => result.filter(r => r.column === i).length))
  const y = new Map<string, number>()
  const nodes: Placed[] = []
  used.forEach((_, at) => {
    const here = result.filter(r => r.column === at)
    const score = (id: string) => {
      const left = edges.flatMap(e => (e.to === id ? [e.from] : e.from === id ? [e.to] : [])).map(other => y.get(other))
      const known = left.filter((v): v is number => v !== undefined)
      return known.length ? known.reduce((a, b) => a + b, 0) / known.length : Number.MAX_SAFE_INTEGER
    }
    const sorted = at === 0 ? here : [...here].sort((a, b) => score(a.node.id) - score(b.node.id))
    const offset = ((rows - sorted.length) * ROW) / 2
    sorted.forEach((entry, i) => {
      const top = TOP + offset + i * ROW
      y.set(entry.node.id, top)
      nodes.push({ id: entry.node.id, node: entry.node, group: entry.group, column: at, x: at * width, y: top })
    })
  })
  const groups = result.filter(r => r.group.length).length
  return {
    columns: used,
    width,
    nodes,
    edges,
    height: TOP + rows * ROW,
    shown: result.length - groups,
    total: graph.nodes.length,
  }
}

/** Everything up- and downstream of a node: what its hovering lights. */
export function pathThrough(id: string, edges: GraphEdge[]): Set<string> {
  const seen = new Set([id])
  const walk = (from: string, up: boolean) => {
    for (const edge of edges) {
      const [near, far] = up ? [edge.to, edge.from] : [edge.from, edge.to]
      if (near !== from || seen.has(far)) continue
      seen.add(far)
      walk(far, up)
    }
  }
  walk(id, true)
  walk(id, false)
  return seen
}
