/**
 * Imports tables in two threads and kills the whole process with SIGKILL at its nth event; otherwise prints `done` and
 * the number of events.
 */
import { withWritableCatalog } from '../../build/engine/lake/catalog-session.js'
import { importInWorkers } from '../../build/engine/lake/import/import-workers.js'
import { NEVER } from '../../build/shared/abort.js'
import { systemClock } from '../../build/shared/clock.js'
import { newOwner } from '../../build/shared/owner.js'

const [url, batchSize, at, ...paths] = process.argv.slice(2)
let events = 0
const run = {
  runId: String(BigInt(Date.now()) * 1_000_000n + BigInt(process.pid)),
  tool: '0.0.0',
  actor: 'test',
  host: 'here',
  owner: newOwner('here'),
  commandLine: 'sluice batch-import',
  clock: systemClock,
  interrupt: NEVER,
  emit: () => {
    if (++events === Number(at)) process.kill(process.pid, 'SIGKILL')
  },
}
await withWritableCatalog(url, run, 'lake', async (catalog) => {
  const targets = paths.map((path) => ({ name: path.slice(path.lastIndexOf('/') + 1), path, logBytes: 1 }))
  const settings = { batchSize: Number(batchSize), allowRefused: false, waitMs: 0 }
  const outcomes = await importInWorkers(catalog, url, targets, 2, settings, run, { largeLogBytes: 1, threads: 2 })
  await catalog.indexes.finish()
  const failed = outcomes.find(({ error }) => error !== null)
  if (failed !== undefined) throw failed.error
  return { totals: {} }
})
process.stdout.write(`done ${events}\n`)
