/**
 * Shared code of child programs that kill themselves with SIGKILL at one write transaction of a catalog: the database
 * that does this, a lease owner, and an import. Runs the code of the compiled program, so that a test may also run it
 * undisturbed in its own process.
 */
import { FileIndexes } from '../../build/catalog/import/indexes.js'
import { importTable } from '../../build/catalog/import/import-table.js'
import { NEVER } from '../../build/shared/abort.js'
import { systemClock } from '../../build/shared/clock.js'
import { newOwner } from '../../build/shared/owner.js'
import { openLocalLog } from '../../build/stores/local/index.js'
import { openCatalogDatabase, parquetRows } from '../../build/engine/run/registry.js'

/**
 * Opens a catalog and kills the process `before` or `after` the COMMIT of write number `at`, from 1; with `never` it
 * does not.
 */
export async function openDying(url, when = 'never', at = 0) {
  const die = () => process.kill(process.pid, 'SIGKILL')
  const database = await openCatalogDatabase(url, 'write')
  const write = database.write.bind(database)
  let writes = 0
  database.write = async (body, landed) => {
    const mine = ++writes
    const result = await write(async (transaction) => {
      const value = await body(transaction)
      if (when === 'before' && mine === at) die()
      return value
    }, landed)
    if (when === 'after' && mine === at) die()
    return result
  }
  return { database, writes: () => writes }
}

export function holderOf(command) {
  return { ...newOwner('here'), command }
}

let imports = 0n

/** Imports a table into an open catalog as table `t`, and completes its indexes. */
export async function importDying(database, table, more = {}) {
  const indexes = new FileIndexes(database)
  const result = await importTable({
    database,
    indexes,
    log: openLocalLog(table),
    parquet: parquetRows,
    tableId: 't',
    batchSize: 10_000,
    allowRefused: false,
    interrupt: NEVER,
    clock: systemClock,
    holder: holderOf('import'),
    waitMs: 0,
    importId: String(BigInt(Date.now()) * 1_000_000n + imports++),
    onStart: () => undefined,
    onProgress: () => undefined,
    onNote: () => undefined,
    ...more,
  })
  await indexes.finish()
  return result
}

/**
 * Runs the work if this file was started as a program.
 * @param work gets the command-line arguments; returns the number of its writes
 */
export async function runAsChild(meta, work) {
  if (process.argv[1] === meta.filename) process.stdout.write(`done ${await work(...process.argv.slice(2))}\n`)
}
