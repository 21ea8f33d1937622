/** 100,000 chunk events of a copy through the app; prints the memory halfway and at the end. Run with --expose-gc. */
import { PassThrough } from 'node:stream'

process.env.NODE_ENV = 'production'
const build = process.env.SLUICE_BUILD ?? new URL('../../build', import.meta.url).pathname
const { fakeWorkbench, NOW } = await import('./fake-workbench.mjs')
const { runTui } = await import(`${build}/tui/run-tui.js`)
const workbench = fakeWorkbench({ hold: true, lake: null, catalog: null })
const stdin = Object.assign(new PassThrough(), {
  isTTY: true,
  setRawMode: () => stdin,
  ref: () => stdin,
  unref: () => stdin,
})
const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 200, rows: 50 })
let bytes = 0
stdout.on('data', (chunk) => (bytes += chunk.length))
let now = NOW
const CHUNKS = 50_000
const ROWS = 1000
const TABLE = 'public.t'
const operation = {
  kind: 'copy',
  from: 'postgresql://db/a',
  to: 'postgresql://db/b',
  tables: ['t'],
  rename: {},
  onExisting: 'refuse',
  acceptLossy: [],
  verify: 'chunk',
  workers: 8,
  maxAside: 1000,
  restart: false,
  dryRun: false,
}
const result = runTui({
  workbench,
  tool: '0.1.0',
  ascii: false,
  stdin,
  stdout,
  clock: { now: () => now, ticks: () => now },
  initial: { operation, commandLine: 'sluice copy', leaveWhenDone: true },
})
await new Promise((resolve) => setTimeout(resolve, 200))
const run = workbench.runsStarted[0]
const total = String(CHUNKS * ROWS)
run.emit({ type: 'run.started', command: 'copy', tool: '0.1.0' })
run.emit({
  type: 'copy.started',
  table: TABLE,
  to: 't',
  rows: total,
  estimated: false,
  key: ['id'],
  low: '1',
  high: total,
  chunkRows: String(ROWS),
  chunks: String(CHUNKS),
  done: { chunks: '0', rows: '0' },
})
const memory = () => {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { heap: heapUsed, buffers: arrayBuffers }
}
const error = { code: 'ROW_REFUSED', message: 'x'.repeat(300), retryable: false }
const burst = async (from, to) => {
  for (let no = from; no <= to; no += 1) {
    const chunk = {
      table: TABLE,
      chunk: String(no),
      worker: (no % 8) + 1,
      unit: 'row',
      from: [String((no - 1) * ROWS + 1)],
      to: [String(no * ROWS)],
    }
    run.emit({ type: 'chunk.started', ...chunk, total: String(ROWS) })
    if (no % 100 === 0) {
      run.emit({ type: 'row.aside', table: TABLE, chunk: String(no), key: [String(no * ROWS)], error })
      run.emit({ type: 'chunk.failed', table: TABLE, chunk: String(no), error })
    } else {
      const done = { done: String(ROWS), read: String(ROWS), written: String(ROWS), skipped: '0', quarantined: '0' }
      const checksum = { source: 'a'.repeat(64), target: 'a'.repeat(64) }
      run.emit({ type: 'chunk.done', ...chunk, ...done, checksum, attempt: 1, ms: 3 })
    }
    if (no % 5000 === 0) {
      now += 1000
      // Longer than the flush of 100 ms, so that pending events are drawn.
      await new Promise((resolve) => setTimeout(resolve, 105))
    }
  }
}
await burst(1, CHUNKS / 2)
const half = memory()
await burst(CHUNKS / 2 + 1, CHUNKS)
const full = memory()
run.finish(0)
const told = { grown: full.heap - half.heap, buffers: full.buffers, bytes, exit: (await result).exitCode }
process.stdout.write(JSON.stringify(told) + '\n')
