/**
 * An import as a process that gets killed. `SLUICE_CHILD` holds what to do as JSON, so that no URL stands among the words of a command:
 * `{url, table, batchSize, host, when, at}`; without a table only the catalog is made. `before` and `after` kill it around the COMMIT of write
 * number `at`; anything else leaves that to its parent.
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
