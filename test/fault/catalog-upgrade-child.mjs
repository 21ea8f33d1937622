/** Upgrades a catalog and kills itself behind a statement of the migration that changes `migration_status`, counted from 1. */
import { prepareCatalog } from '../../dist/catalog/catalog.js'
import { openCatalogDatabase } from '../../dist/engine/registry.js'
import { runAsChild } from './dying.mjs'

/** @returns number of the statements of that migration */
export async function work(url, at = '0') {
  const database = await openCatalogDatabase(url, 'write')
  const write = database.write.bind(database)
  let statements = []
  database.write = (body, landed) =>
    write(async (transaction) => {
      const script = async (sql) => {
        if (!sql.includes('migration_status')) return transaction.script(sql)
        statements = sql.split(/(?<=;)\n/).filter((statement) => statement !== '')
        for (const [i, statement] of statements.entries()) {
          await transaction.script(statement)
          if (i + 1 === Number(at)) process.kill(process.pid, 'SIGKILL')
        }
      }
      return body({ ...bound(transaction), script })
    }, landed)
  await prepareCatalog(database, Date.now())
  await database.close()
  return statements.length
}

/** Methods of a class are no properties of their own. */
function bound(transaction) {
  const { dialect } = transaction
  const [all, pages, run, load] = ['all', 'pages', 'run', 'load'].map((name) => transaction[name].bind(transaction))
  return { dialect, all, pages, run, load }
}

await runAsChild(import.meta, work)
