/**
 * Publishes partitions into an archive with the compiled program, and kills itself with SIGKILL at the given step.
 * Arguments: folder, JSON of the publications (`{partition, name, bytes, fence}`), and the step to die at, counted over
 * all files that are written; 0 for never.
 */
const [folder, told, dieAt] = process.argv.slice(2)
const { ArchiveTable } = await import('../../build/archive/log/archive-table.js')
const { openLocalLog } = await import('../../build/stores/local/index.js')
const { openLocalLogWriter } = await import('../../build/stores/local/log-writer.js')
// The database engine takes longer to load than all other modules.
const write = async (file, rows, signal) =>
  (await import('../../build/stores/duckdb/checkpoint-writer.js')).duckdbCheckpointWriter().write(file, rows, signal)
const parquet = async () => (await import('../../build/stores/duckdb/parquet-rows.js')).duckdbParquetRows()

let steps = 0
const onStep = () => {
  if (++steps === Number(dieAt)) process.kill(process.pid, 'SIGKILL')
}
// Opened when it is first used; its changes do not count as steps.
const { sharedLedger } = await import('../support/shared-ledger.mjs')
const { TokenLedger } = await import('../../build/archive/ledger/token-ledger.js')
const { prepareArchiveLedger } = await import('../../build/archive/ledger/schema.js')
const database = sharedLedger(`${folder}.ledger.db`)
await prepareArchiveLedger(database)
const table = ArchiveTable.open({
  heads: new TokenLedger(database, { name: 'bookings' }, { id: 'child', runId: 1n }),
  store: openLocalLog(folder),
  writer: openLocalLogWriter(folder, { onStep }),
  parquet,
  checkpoints: { write },
  now: () => Date.now(),
  tool: 'child',
})
const { signal } = new AbortController()
const { stored, tableId, name, configuration } = JSON.parse(process.env['PUBLICATION'])
const outcomes = []
for (const { partition, file, bytes, fence } of JSON.parse(told)) {
  const stats = { numRecords: 1n, min: {}, max: {}, nullCount: {} }
  const digest = { rows: 1n, sum: 'y' }
  const examined = { name: file, bytes: BigInt(bytes), rows: 1n, sha256: 'x', digest, stats, extents: {} }
  const txn = { appId: `sluice/${tableId}/${partition}`, version: BigInt(fence) }
  const tags = () => ({ 'sluice.sha256': 'x' })
  const what = {
    tableId,
    stored,
    name,
    configuration,
    partition,
    files: [examined],
    tags,
    info: {},
    txn,
    known: null,
    claim: null,
  }
  outcomes.push((await table.publish(what, signal)).outcome)
}
process.stdout.write(`${JSON.stringify({ steps, outcomes })}\n`)
