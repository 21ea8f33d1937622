/** Imports a table in batches of so many rows, and kills itself at one write transaction. */
import { prepareCatalog } from '../../build/catalog/catalog.js'
import { importDying, openDying, runAsChild } from './dying.mjs'

/** @returns number of write transactions */
export async function work(url, table, batchSize, when, at) {
  const { database, writes } = await openDying(url, when, Number(at))
  await prepareCatalog(database, Date.now())
  await importDying(database, table, { batchSize: Number(batchSize) })
  await database.close()
  return writes()
}

await runAsChild(import.meta, work)
