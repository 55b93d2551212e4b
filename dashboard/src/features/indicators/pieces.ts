/** A list as the server takes it: at most so much in a request, cut between lines. */
export type Piece = { body: Blob; fromLine: number; more: boolean }

/** The server takes 32 MiB; a little less leaves room for what is around it. */
export const MOST_BYTES = 30 * 1024 * 1024
const NEWLINE = 10

export const isPacked = (name: string) => /\.(gz|zst)$/i.test(name)
/** A document of JSON is one thing: it is not cut. */
const isWhole = (name: string) => isPacked(name) || /\.(json|stix)$/i.test(name)

function lastNewline(bytes: Uint8Array) {
  for (let i = bytes.length - 1; i >= 0; i--) if (bytes[i] === NEWLINE) return i
  return -1
}
const lines = (bytes: Uint8Array) => bytes.reduce((n, byte) => (byte === NEWLINE ? n + 1 : n), 0)

export async function* pieces(file: Blob & { name: string }, most = MOST_BYTES): AsyncGenerator<Piece> {
  if (file.size <= most) {
    yield { body: file, fromLine: 1, more: false }
    return
  }
  if (isWhole(file.name)) {
    throw new Error(
      `${file.name} is larger than ${Math.floor(most / 1024 / 1024)} MiB and cannot be cut: use \`shieldops indicators import\`, or lines of text or CSV.`,
    )
  }
  let [at, fromLine] = [0, 1]
  while (at < file.size) {
    const bytes = new Uint8Array(await file.slice(at, at + most).arrayBuffer())
    const end = at + bytes.length >= file.size ? bytes.length : lastNewline(bytes) + 1
    if (end === 0) throw new Error(`Line ${fromLine} of ${file.name} is longer than a request can be.`)
    const part = bytes.subarray(0, end)
    yield { body: new Blob([part]), fromLine, more: at + end < file.size }
    at += end
    fromLine += lines(part)
  }
}
