/**
 * Upgrades a catalog and kills itself after the nth statement (from 1) of the migrations that change `migration_status`
 * or `catalog_leases`.
 */
import { prepareCatalog } from '../../build/catalog/catalog.js'
import { openCatalogDatabase } from '../../build/engine/run/registry.js'
import { runAsChild } from './dying.mjs'

/** @returns number of these statements */
export async function work(url, at = '0') {
  const database = await openCatalogDatabase(url, 'write')
  const write = database.write.bind(database)
  let count = 0
  database.write = (body, landed) =>
    write(async (transaction) => {
      const script = async (sql) => {
        if (sql.startsWith('DO ') || !/migration_status|catalog_leases/.test(sql)) return transaction.script(sql)
        for (const statement of sql.split(/(?<=;)\n/).filter((one) => one !== '')) {
          await transaction.script(statement)
          if (++count === Number(at)) process.kill(process.pid, 'SIGKILL')
        }
      }
      return body({ ...bound(transaction), script })
    }, landed)
  await prepareCatalog(database, Date.now())
  await database.close()
  return count
}

/** A class's methods are not own properties, so they must be bound. */
function bound(transaction) {
  const { dialect } = transaction
  const [all, pages, run, load] = ['all', 'pages', 'run', 'load'].map((name) => transaction[name].bind(transaction))
  return { dialect, all, pages, run, load }
}

await runAsChild(import.meta, work)
