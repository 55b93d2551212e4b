/**
 * The one WebSocket of the page. A frame says kind, id and version; the page then reads the object through the API.
 * Frames are gathered and handed over at most four times a second. It reconnects with growing, jittered waits and asks from
 * its cursor: the server then says what was missed, or `resync` when it cannot, and everything is read again.
 */
import { apiPath } from '@/api/client'
import { tenantSlug } from '@/api/tenant'
import { store } from './store'

export type Frame = { kind: string; id?: string; version?: number; seq?: number }
export type LiveState = 'connecting' | 'live' | 'paused' | 'reconnecting'
export type LiveStatus = { state: LiveState; since: number; frames: number }

export const FLUSH_MS = 250
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 15_000

/** The wait before attempt `n` (from 0): doubles to 15 s, and spreads over half its length. */
export const backoff = (attempt: number, random = Math.random()) =>
  Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 10)) * (0.5 + random / 2)

type Socket = Pick<WebSocket, 'close' | 'onopen' | 'onmessage' | 'onclose' | 'onerror'>
type Options = {
  open?: (url: string) => Socket
  /** Called with what changed, each object once. */
  onFrames: (frames: Frame[]) => void
  /** Called after a connection failed: the session may have ended. */
  onLost?: (attempt: number) => void
  /** Called when it is not known what was missed: the server says so, or greets for the first time, after the page began to read. */
  onMissed?: () => void
}

export class Live {
  readonly status = store<LiveStatus>({ state: 'connecting', since: Date.now(), frames: 0 })
  private socket: Socket | null = null
  /** The ledger's size after the commit that was told last, and after the one before. */
  private seq: number | null = null
  private settled: number | null = null
  private attempt = 0
  private waiting = new Map<string, Frame>()
  private flushTimer: ReturnType<typeof setTimeout> | undefined
  private retryTimer: ReturnType<typeof setTimeout> | undefined
  private stopped = true
  private paused = false

  constructor(private readonly options: Options) {}

  start() {
    if (!this.stopped) return
    this.stopped = false
    this.connect()
  }

  stop() {
    this.stopped = true
    clearTimeout(this.retryTimer)
    clearTimeout(this.flushTimer)
    this.socket?.close()
    this.socket = null
  }

  /** Holds frames back until resumed; the connection stays. */
  togglePause() {
    this.paused = !this.paused
    this.become(this.paused ? 'paused' : this.socket ? 'live' : 'reconnecting')
    if (!this.paused) this.flush()
  }

  private become(state: LiveState) {
    const before = this.status.get()
    if (before.state !== state) this.status.set({ ...before, state, since: Date.now() })
  }

  private connect() {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
    // A commit's frames can be half told when the connection breaks: what is sure is the commit before.
    const since = this.settled === null ? '' : String(this.settled)
    // A browser sends no header with a socket: its tenant stands in the address.
    const path = apiPath('/live', { tenant: tenantSlug(), since })
    const open = this.options.open ?? (url => new WebSocket(url))
    const socket = open(`${scheme}//${location.host}${path}`)
    this.socket = socket
    socket.onopen = () => {
      this.attempt = 0
      this.become(this.paused ? 'paused' : 'live')
    }
    socket.onmessage = event => this.receive(String(event.data))
    socket.onerror = () => socket.close()
    socket.onclose = () => {
      if (this.socket !== socket) return
      this.socket = null
      if (!this.stopped) this.retry()
    }
  }

  private retry() {
    this.become('reconnecting')
    this.options.onLost?.(this.attempt)
    this.retryTimer = setTimeout(
      () => {
        if (!this.stopped) this.connect()
      },
      backoff(this.attempt++),
    )
  }

  private receive(text: string) {
    let frame: Frame
    try {
      frame = JSON.parse(text) as Frame
    } catch {
      return
    }
    const unheard = this.settled === null
    if (typeof frame.seq === 'number') this.told(frame.kind, frame.seq)
    // What changed between the first readings and the first greeting was told to nobody.
    if (frame.kind === 'resync' || (frame.kind === 'hello' && unheard)) return this.options.onMissed?.()
    if (frame.kind === 'hello') return
    this.waiting.set(`${frame.kind}/${frame.id ?? ''}`, frame)
    this.flushTimer ??= setTimeout(() => this.flush(), FLUSH_MS)
  }

  private told(kind: string, seq: number) {
    const seen = this.seq ?? 0
    // The server's log can be shorter than it was: another data directory, or an older one.
    if (kind === 'hello' || kind === 'resync') this.settled = this.seq = seq
    else if (seq > seen) {
      this.settled = this.seq ?? seq
      this.seq = seq
    }
  }

  private flush() {
    clearTimeout(this.flushTimer)
    this.flushTimer = undefined
    if (this.paused || !this.waiting.size) return
    const frames = [...this.waiting.values()]
    this.waiting.clear()
    const before = this.status.get()
    this.status.set({ ...before, frames: before.frames + frames.length })
    this.options.onFrames(frames)
  }
}
