/**
 * Imports a table, or builds ranges as `sluice index` does, one zone at a time, and kills itself at one write
 * transaction.
 */
import { prepareCatalog } from '../../build/catalog/catalog.js'
import { acquireLease, releaseLease, renewLease } from '../../build/catalog/lease.js'
import { extendRanges } from '../../build/catalog/ranges/build.js'
import { addRangeColumns } from '../../build/catalog/ranges/manage.js'
import { holderOf, importDying, openDying, runAsChild } from './dying.mjs'

const ZONE_FILES = 1024
const COLUMNS = /** @type {const} */ ([
  { name: 'id', physicalPath: ['id'], kind: 'number' },
  { name: 'name', physicalPath: ['name'], kind: 'string' },
])

/** @returns number of write transactions */
export async function work(what, url, table, when, at) {
  const { database, writes } = await openDying(url, when, Number(at))
  await prepareCatalog(database, Date.now())
  if (what === 'import') await importDying(database, table, { batchSize: 2_000, stepRows: ZONE_FILES })
  else {
    const lease = await acquireLease(database, 't', holderOf(what))
    const guard = async (transaction) => renewLease(transaction, lease, await database.now())
    await addRangeColumns(database, 't', COLUMNS, Date.now())
    await extendRanges(database, 't', { guard, windowFiles: ZONE_FILES })
    await releaseLease(database, lease)
  }
  await database.close()
  return writes()
}

await runAsChild(import.meta, work)
