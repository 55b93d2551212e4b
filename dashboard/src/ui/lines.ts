/** Two texts line by line: which were taken away, which were added. Pure. */
import type { DiffLineRow } from './line-diff'

/** Beyond this many changed lines nobody reads a diff, and finding the shortest one takes too long. */
const MOST_CHANGES = 1_500

type Step = 'same' | 'added' | 'removed'

/** The shortest way from one list of lines to another; null when it is longer than anybody would read. Source: E. Myers, "An O(ND) Difference Algorithm", 1986. */
function shortest(a: string[], b: string[]): Step[] | null {
  const [n, m] = [a.length, b.length]
  const most = Math.min(n + m, MOST_CHANGES)
  const size = 2 * most + 3
  const mid = most + 1
  const reach = new Int32Array(size)
  const trace: Int32Array[] = []
  for (let d = 0; d <= most; d++) {
    trace.push(reach.slice())
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && at(reach, mid + k - 1) < at(reach, mid + k + 1))
      let x = down ? at(reach, mid + k + 1) : at(reach, mid + k - 1) + 1
      while (x < n && x - k < m && a[x] === b[x - k]) x++
      reach[mid + k] = x
      if (x >= n && x - k >= m) return back(trace, d, n, m, mid)
    }
  }
  return null
}
const at = (reach: Int32Array, i: number) => reach[i] ?? 0

function back(trace: Int32Array[], last: number, n: number, m: number, mid: number): Step[] {
  const steps: Step[] = []
  let [x, y] = [n, m]
  for (let d = last; d > 0; d--) {
    const reach = trace[d] as Int32Array
    const k = x - y
    const down = k === -d || (k !== d && at(reach, mid + k - 1) < at(reach, mid + k + 1))
    const before = down ? k + 1 : k - 1
    const from = at(reach, mid + before)
    const begin = down ? from : from + 1
    while (x > begin) {
      steps.push('same')
      x--
      y--
    }
    steps.push(down ? 'added' : 'removed')
    x = from
    y = from - before
  }
  while (x > 0) {
    steps.push('same')
    x--
  }
  return steps.reverse()
}

const lines = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

export function diffLines(before: string, after: string): DiffLineRow[] {
  const [a, b] = [lines(before), lines(after)]
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++
  const [gone, come] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)]
  const steps = shortest(gone, come) ?? [...gone.map((): Step => 'removed'), ...come.map((): Step => 'added')]
  const all: Step[] = [...Array<Step>(head).fill('same'), ...steps, ...Array<Step>(tail).fill('same')]
  const rows: DiffLineRow[] = []
  let [i, j] = [0, 0]
  for (const kind of all) {
    const text = (kind === 'added' ? b[j] : a[i]) ?? ''
    if (kind === 'same') rows.push({ kind, old: ++i, new: ++j, text })
    else if (kind === 'removed') rows.push({ kind, old: ++i, new: null, text })
    else rows.push({ kind, old: null, new: ++j, text })
  }
  return rows
}
