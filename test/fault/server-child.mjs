/**
 * An import as a process that gets killed. `SLUICE_CHILD` has its options as JSON, so that no URL is on the command
 * line: `{url, table, batchSize, host, when, at}`; without a table only the catalog is created. `before` and `after`
 * kill it around the COMMIT of write number `at`; with any other value only its parent kills it.
 */
import { prepareCatalog } from '../../build/catalog/catalog.js'
import { holderOf, importDying, openDying } from './dying.mjs'

const { url, table, batchSize = 10_000, host = 'here', when, at } = JSON.parse(process.env.SLUICE_CHILD)
const { database } = await openDying(url, when, at)
await prepareCatalog(database, Date.now())
if (table !== undefined) {
  await importDying(database, table, {
    batchSize,
    holder: { ...holderOf('import'), host, ...(host === 'here' ? {} : { machine: host }) },
  })
}
await database.close()
