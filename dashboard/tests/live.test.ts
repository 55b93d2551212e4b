import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { backoff, FLUSH_MS, type Frame, Live } from '@/app/live'

class FakeSocket {
  onopen: (() => void) | null = null
  onmessage: ((e: { data: string }) => void) | null = null
  onclose: (() => void) | null = null
  onerror: (() => void) | null = null
  closed = false
  constructor(readonly url: string) {}
  close() {
    this.closed = true
    this.onclose?.()
  }
  say(frame: Frame) {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }
}

function start() {
  const sockets: FakeSocket[] = []
  const batches: Frame[][] = []
  const onLost = vi.fn()
  const onMissed = vi.fn()
  const live = new Live({
    open: url => {
      const socket = new FakeSocket(url)
      sockets.push(socket)
      return socket as unknown as WebSocket
    },
    onFrames: frames => batches.push(frames),
    onLost,
    onMissed,
  })
  live.start()
  return { live, sockets, batches, onLost, onMissed }
}

describe('the live connection', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  it('hands frames over together, each object once, at most four times a second', () => {
    const { sockets, batches } = start()
    sockets[0]?.onopen?.()
    for (let i = 1; i <= 50; i++) sockets[0]?.say({ kind: 'alert', id: 'alt_a', version: i, seq: i })
    sockets[0]?.say({ kind: 'plan', id: 'pln_b', version: 1, seq: 51 })
    expect(batches).toEqual([])
    vi.advanceTimersByTime(FLUSH_MS)
    expect(batches).toHaveLength(1)
    expect(batches[0]?.map(f => [f.kind, f.version])).toEqual([
      ['alert', 50],
      ['plan', 1],
    ])
  })

  it('reconnects after a loss, says so, and asks from the last commit that was wholly told', () => {
    const { live, sockets, onMissed } = start()
    sockets[0]?.onopen?.()
    expect(live.status.get().state).toBe('live')
    sockets[0]?.say({ kind: 'hello', seq: 7 })
    sockets[0]?.say({ kind: 'alert', id: 'alt_a', seq: 8 })
    sockets[0]?.say({ kind: 'alert', id: 'alt_b', seq: 9 })
    sockets[0]?.say({ kind: 'ingest', id: 'stats', seq: 0 })
    sockets[0]?.close()
    expect(live.status.get().state).toBe('reconnecting')
    vi.advanceTimersByTime(500)
    expect(sockets).toHaveLength(2)
    expect(sockets[1]?.url).toMatch(/\/api\/v1\/live\?since=8$/)
    sockets[1]?.onopen?.()
    expect(live.status.get().state).toBe('live')
    expect(onMissed).toHaveBeenCalledTimes(1)
  })

  it('takes what it missed like any change, and goes on from where the server is', () => {
    const { sockets, batches } = start()
    sockets[0]?.onopen?.()
    sockets[0]?.say({ kind: 'hello', seq: 40 })
    sockets[0]?.close()
    vi.advanceTimersByTime(500)
    sockets[1]?.onopen?.()
    sockets[1]?.say({ kind: 'alert', id: 'alt_a', version: 3, seq: 41 })
    sockets[1]?.say({ kind: 'hello', seq: 44 })
    vi.advanceTimersByTime(FLUSH_MS)
    expect(batches[0]?.map(f => f.id)).toEqual(['alt_a'])
    sockets[1]?.close()
    vi.advanceTimersByTime(1_000)
    expect(sockets[2]?.url).toMatch(/since=44$/)
  })

  it('has everything read again at the first greeting, and when the server cannot say what was missed', () => {
    const { sockets, onMissed } = start()
    sockets[0]?.onopen?.()
    sockets[0]?.close()
    vi.advanceTimersByTime(500)
    sockets[1]?.onopen?.()
    // Open is not heard: the server listens for changes from its greeting on.
    expect(onMissed).not.toHaveBeenCalled()
    sockets[1]?.say({ kind: 'hello', seq: 7 })
    expect(onMissed).toHaveBeenCalledTimes(1)
    sockets[1]?.close()
    vi.advanceTimersByTime(1_000)
    sockets[2]?.onopen?.()
    sockets[2]?.say({ kind: 'hello', seq: 7 })
    expect(onMissed).toHaveBeenCalledTimes(1)
    sockets[2]?.say({ kind: 'resync', seq: 3 })
    expect(onMissed).toHaveBeenCalledTimes(2)
  })

  it('waits longer each time, never longer than 15 s, and never in step with others', () => {
    expect(backoff(0, 1)).toBe(500)
    expect(backoff(3, 1)).toBe(4_000)
    expect(backoff(40, 1)).toBe(15_000)
    expect(backoff(3, 0)).toBe(2_000)
  })

  it('tells who listens that it was lost, so that an ended session is noticed', () => {
    const { sockets, onLost } = start()
    sockets[0]?.close()
    vi.advanceTimersByTime(500)
    sockets[1]?.close()
    expect(onLost.mock.calls.map(c => c[0])).toEqual([0, 1])
  })

  it('holds frames back while paused and brings them on resume', () => {
    const { live, sockets, batches } = start()
    sockets[0]?.onopen?.()
    live.togglePause()
    sockets[0]?.say({ kind: 'alert', id: 'alt_a', seq: 1 })
    vi.advanceTimersByTime(FLUSH_MS * 4)
    expect(batches).toEqual([])
    live.togglePause()
    expect(batches).toHaveLength(1)
    expect(live.status.get().state).toBe('live')
  })

  it('survives a frame that is not JSON', () => {
    const { sockets, batches } = start()
    sockets[0]?.onmessage?.({ data: '{oops' })
    sockets[0]?.say({ kind: 'rule', id: 'r', seq: 1 })
    vi.advanceTimersByTime(FLUSH_MS)
    expect(batches).toHaveLength(1)
  })

  it('stays closed once stopped', () => {
    const { live, sockets } = start()
    live.stop()
    vi.advanceTimersByTime(60_000)
    expect(sockets).toHaveLength(1)
    expect(sockets[0]?.closed).toBe(true)
  })
})
