/**
 * Imports a table and kills itself with SIGKILL at one write transaction: argument `before N` right before its COMMIT, `after N` right after.
 * Prints `done` when it was not killed. Runs the compiled program's own importer.
 */
import { prepareCatalog } from '../../dist/catalog/catalog.js'
import { FileIndexes } from '../../dist/catalog/import/indexes.js'
import { importTable } from '../../dist/catalog/import/import-table.js'
import { NEVER } from '../../dist/shared/abort.js'
import { systemClock } from '../../dist/shared/clock.js'
import { duckdbParquetRows } from '../../dist/stores/duckdb/parquet-rows.js'
import { openLocalLog } from '../../dist/stores/local/index.js'
import { openSqlite } from '../../dist/stores/sqlite/sql-database.js'

const [file, table, batchSize, when, at] = process.argv.slice(2)
const die = () => process.kill(process.pid, 'SIGKILL')

let writes = 0
const database = openSqlite(file, 'write')
const write = database.write.bind(database)
database.write = async (body) => {
  const mine = ++writes
  const result = await write(async (transaction) => {
    const value = await body(transaction)
    if (when === 'before' && mine === Number(at)) die()
    return value
  })
  if (when === 'after' && mine === Number(at)) die()
  return result
}

await prepareCatalog(database, Date.now())
const indexes = new FileIndexes(database)
const result = await importTable({
  database,
  indexes,
  log: openLocalLog(table),
  parquet: async () => duckdbParquetRows(),
  tableId: 't',
  batchSize: Number(batchSize),
  allowRefused: false,
  interrupt: NEVER,
  clock: systemClock,
  holder: { owner: `child ${process.pid}`, host: 'here', pid: process.pid, command: 'import' },
  alive: (pid) => {
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  },
  waitMs: 0,
  importId: String(BigInt(Date.now()) * 1_000_000n),
  onStart: () => undefined,
  onProgress: () => undefined,
  onNote: () => undefined,
})
await indexes.finish()
await database.close()
process.stdout.write(`${result.status === 'current' ? 'current' : 'done'} ${writes}\n`)
