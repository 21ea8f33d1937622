/** `sql`: a query on a catalog, or on a database without one, over a read-only connection. */
import { dec } from '../../../model/run/event.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { holdsCatalog, withoutCatalogTexts } from '../../ask/plain-database.ts'
import { withCatalog } from '../../../engine/lake/catalog-session.ts'
import { openCatalogDatabase } from '../../../engine/run/registry.ts'
import { systemOf } from '../../../engine/run/systems.ts'
import { openAsked } from '../../ask/pages.ts'
import { booleansOf, rowValues } from '../../../engine/run/row-value.ts'
import { renamedText } from '../../../shared/unique-names.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { sql, SqlOperation } from './declaration.ts'

type SqlRun = RunOf<typeof sql>

const PAGE_ROWS = 500

export async function performSql(operation: SqlOperation, run: SqlRun): Promise<Ending> {
  const { limit, timeoutMs } = operation
  // A query has nothing to finish: the first stop request cancels it.
  const signal = run.interrupt.stop
  let rows = 0
  await withAsked(operation.catalog, async (database) => {
    let named = false
    let booleans: ReadonlySet<number> = new Set()
    const options = {
      pageRows: Math.min(PAGE_ROWS, limit + 1),
      signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }
    for await (const page of database.query(operation.query, options)) {
      throwIfAborted(signal)
      if (!named) {
        run.emit({ type: 'columns', columns: page.columns })
        booleans = booleansOf(page.types)
        const renamed = operation.format === 'json' ? renamedText(page.columns) : null
        if (renamed !== null) run.emit({ type: 'log', level: 'warn', message: renamed })
      }
      named = true
      for (const row of page.rows) {
        if (rows >= limit) {
          run.emit({ type: 'log', level: 'note', message: `there are more rows than --limit ${limit}` })
          return
        }
        rows++
        run.emit({ type: 'row', values: rowValues(row, booleans) })
      }
      await run.drained?.()
      throwIfAborted(signal)
    }
  })
  return { totals: { rows: dec(rows) } }
}

/** Checks the catalog before the query. A database without a catalog is queried directly. */
async function withAsked(url: string, body: (database: SqlDatabase) => Promise<void>): Promise<void> {
  {
    // For a system in which sluice cannot run statements, openAsked throws an error with the reason.
    const open = systemOf(url)?.unasked === undefined ? openCatalogDatabase(url, 'read') : openAsked(url)
    await using database = await open
    if (!(await holdsCatalog(database))) {
      try {
        return await body(database)
      } catch (error) {
        throw withoutCatalogTexts(error)
      }
    }
  }
  await withCatalog(url, body)
}
