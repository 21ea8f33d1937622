/** 20,000 events through the app; prints the growth of the heap. Run with --expose-gc by soak.test.ts. */
import { PassThrough } from 'node:stream'

process.env.NODE_ENV = 'production'
const build = process.env.SLUICE_BUILD ?? new URL('../../build', import.meta.url).pathname
const { fakeWorkbench, NOW } = await import('./fake-workbench.mjs')
const { runTui } = await import(`${build}/tui/run-tui.js`)
const workbench = fakeWorkbench({ hold: true })
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
const operation = {
  kind: 'import',
  table: './lake/sales/orders',
  catalog: 'sqlite:///lake.db',
  dryRun: false,
  resume: true,
  batchSize: 1000,
  verbose: false,
  allowRefused: false,
  waitMs: 0,
}
const result = runTui({
  workbench,
  tool: '0.1.0',
  ascii: false,
  stdin,
  stdout,
  clock: { now: () => now, ticks: () => now },
  initial: { operation, commandLine: 'sluice import x', leaveWhenDone: true },
})
await new Promise((resolve) => setTimeout(resolve, 200))
const run = workbench.runsStarted[0]
run.emit({ type: 'run.started', command: 'import', tool: '0.1.0' })
run.emit({
  type: 'plan.ready',
  hash: 'x',
  tables: '9',
  chunks: '9',
  unit: 'action',
  total: '10000000',
  estimated: true,
  bytes: '9',
  excluded: [],
})
const heap = () => {
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed
}
/** @param paintEvery number of events between two redraws */
const burst = async (from, count, paintEvery) => {
  for (let i = from; i < from + count; i += 1) {
    run.emit({
      type: 'chunk.progress',
      table: `t/${i % 50}`,
      chunk: `v${i}..v${i + 1000}`,
      worker: i % 4,
      done: String(i % 997),
      total: '997',
      unit: 'action',
    })
    if (i % 2 === 0) run.emit({ type: 'log', level: 'note', message: `line ${i} ${'x'.repeat(i % 700)}` })
    if (i % 5 === 0)
      run.emit({
        type: 'chunk.done',
        table: `t/${i % 50}`,
        chunk: `v${i}..v${i + 1000}`,
        worker: i % 4,
        done: '997',
        unit: 'action',
        ms: 3,
      })
    if (i % 40 === 0) run.emit({ type: 'table.finished', table: `t/${i}`, status: 'ok', version: String(i), ms: i })
    if (i % 20 === 0) {
      now += 1000
      // Longer than the flush of 100 ms every few events, so that as many different frames are drawn.
      await new Promise((resolve) => setTimeout(resolve, i % paintEvery === 0 ? 105 : 0))
    }
  }
}
// Only growth in the second half counts: before it, the log's ring buffer fills, and a few frames are drawn.
await burst(0, 10_000, 1000)
const half = heap()
await burst(10_000, 10_000, 200)
const full = heap()
run.finish(0)
await result
process.stdout.write(JSON.stringify({ half, full, grown: full - half, bytes, exit: (await result).exitCode }) + '\n')
