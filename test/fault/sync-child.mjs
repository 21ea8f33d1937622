/** Imports a table, or prunes it, in steps of two rows, and kills itself at one write transaction. */
import { prepareCatalog, readableTable } from '../../build/catalog/catalog.js'
import { acquireLease, releaseLease } from '../../build/catalog/lease.js'
import { oldestKept, pruneTable } from '../../build/catalog/prune.js'
import { NEVER } from '../../build/shared/abort.js'
import { holderOf, importDying, openDying, runAsChild } from './dying.mjs'

/** @returns number of write transactions */
export async function work(what, url, table, when, at) {
  const { database, writes } = await openDying(url, when, Number(at))
  await prepareCatalog(database, Date.now())
  if (what === 'import') await importDying(database, table, { batchSize: 2, stepRows: 2 })
  else {
    const lease = await acquireLease(database, 't', holderOf(what))
    const readable = await readableTable(database, { tableId: 't' })
    const historyFrom = await oldestKept(database, readable, { versions: 2 })
    await pruneTable({ database, tableId: 't', lease, abort: NEVER.abort, stepRows: 2 }, historyFrom, Date.now())
    await releaseLease(database, lease)
  }
  await database.close()
  return writes()
}

await runAsChild(import.meta, work)
