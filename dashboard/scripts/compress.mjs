// Writes `file.br` beside every compressible file of dist/, so that the server sends it as it is.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url).pathname
const compressible = /\.(js|css|svg|json|txt)$/
let raw = 0
let small = 0

for (const name of readdirSync(dist, { recursive: true })) {
  const file = join(dist, String(name))
  // index.html is rewritten with a nonce for every response, so it has no fixed compressed form.
  if (!statSync(file).isFile() || !compressible.test(file)) continue
  const bytes = readFileSync(file)
  const packed = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  })
  writeFileSync(`${file}.br`, packed)
  raw += bytes.length
  small += packed.length
}
console.log(`brotli: ${(raw / 1024).toFixed(0)} kB -> ${(small / 1024).toFixed(0)} kB`)

// The frame must stay light: what index.html loads before any page, gzipped.
const BUDGET_KB = 125
const entry = readFileSync(join(dist, 'index.html'), 'utf8')
const first = [...entry.matchAll(/\/(assets\/[^"]+\.js)"/g)].map(match => match[1])
const shell = first.reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file)), { level: 9 }).length, 0) / 1000
console.log(`first JS: ${shell.toFixed(1)} kB of ${BUDGET_KB} kB in ${first.length} files`)
if (shell > BUDGET_KB) throw new Error(`the first JS is ${shell.toFixed(1)} kB gzipped; the budget is ${BUDGET_KB} kB`)
