/** Row counts by period of a table of SQLite, and the planner's estimate of their cost. */
import type Database from 'better-sqlite3'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import type { ScanCost } from '../../../model/archive/port.ts'
import { anyOf, countsByIndex, countsByScan, placedCounts } from '../../common/period-sql.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { sqliteShape } from '../copy/shape.ts'
import { rowPieces } from './row-pieces.ts'
import { wideRowsOf } from '../reader.ts'

/** Number of rows between two pauses for other work. */
const ROWS_PER_PAUSE = 50_000

/** How the counts are read: by an index, or by a scan; `rows` is an upper bound of the rows that the scan reads. */
export function sqlitePeriodEffort(
  connection: Database.Database,
  table: TableSpec,
  conditions: readonly string[],
): ScanCost {
  const from = quote(table.table.name)
  const plan = wideRowsOf(connection, `EXPLAIN QUERY PLAN SELECT 1 FROM ${from} WHERE ${anyOf(conditions)}`)
  // The fourth column is the step as text; a SCAN may also read a whole index.
  if (!plan.some(([, , , step]) => String(step).startsWith('SCAN'))) return { by: 'index', rows: null }
  return { by: 'scan', rows: mostRows(connection, table) }
}

/** Counts in several statements, within one read transaction of the caller. */
export async function sqlitePeriodCounts(
  connection: Database.Database,
  table: TableSpec,
  conditions: readonly string[],
  by: ScanCost['by'],
  signal: AbortSignal,
): Promise<readonly bigint[]> {
  const from = quote(table.table.name)
  if (by === 'index') {
    const counts: bigint[] = []
    for (const condition of conditions) {
      throwIfAborted(signal)
      counts.push(BigInt(String(wideRowsOf(connection, countsByIndex(from, [condition]))[0]?.[0] ?? 0)))
      await breathe()
    }
    return counts
  }
  let counts = conditions.map(() => 0n)
  for (const { sql, parameters } of rowPieces(connection, table, ROWS_PER_PAUSE)) {
    throwIfAborted(signal)
    const found = placedCounts(
      conditions.length,
      wideRowsOf(connection, countsByScan(from, conditions, undefined, sql), parameters),
    )
    counts = counts.map((count, i) => count + (found[i] ?? 0n))
    await breathe()
  }
  return counts
}

/** Upper bound of the row count: the known count or the range of the rowids, whichever is smaller. Null if unknown. */
function mostRows(connection: Database.Database, table: TableSpec): bigint | null {
  const { rowid } = sqliteShape(connection, table.table.name)
  const known = table.rows > 0n ? table.rows : null
  if (rowid === null) return known
  const from = quote(table.table.name)
  const [row] = wideRowsOf(
    connection,
    `SELECT (SELECT min(${rowid}) FROM ${from}), (SELECT max(${rowid}) FROM ${from})`,
  )
  if (row?.[0] == null || row[1] == null) return 0n
  const span = BigInt(String(row[1])) - BigInt(String(row[0])) + 1n
  return known !== null && known < span ? known : span
}
