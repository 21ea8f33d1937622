/** Row counts by period of a table of MySQL, and the optimizer's estimate of their cost. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { ScanCost } from '../../../model/archive/port.ts'
import { anyOf, countsByIndex, countsByScan, PERIODS_AT_ONCE, placedCounts } from '../../common/period-sql.ts'
import { mysqlTableSql } from '../copy/names.ts'
import type { MysqlSession } from '../session.ts'

const asText = (count: string): string => `CAST(${count} AS CHAR)`

/** @throws errors of the server */
export async function mysqlPeriodEffort(
  session: MysqlSession,
  table: TableSpec,
  conditions: readonly string[],
): Promise<ScanCost> {
  // MariaDB prints invalid JSON if a condition has quotes.
  const sql = `EXPLAIN FORMAT=TRADITIONAL SELECT 1 FROM ${mysqlTableSql(table.table)} WHERE ${anyOf(conditions)}`
  const [row = []] = await session.command(sql)
  // Columns: id, select_type, table, partitions (MySQL), type, possible_keys, key, key_len, ref, rows …
  const at = row.length > 10 ? 4 : 3
  const [kind, rows] = [row[at] ?? null, row[at + 5] ?? null]
  // No row can match: the table is not read.
  if (kind === null) return { by: 'index', rows: 0n }
  return {
    by: kind === 'ALL' || kind === 'index' ? 'scan' : 'index',
    rows: rows === null ? null : BigInt(String(rows)),
  }
}

/** @throws errors of the server */
export async function mysqlPeriodCounts(
  session: MysqlSession,
  table: TableSpec,
  conditions: readonly string[],
  by: ScanCost['by'],
): Promise<readonly bigint[]> {
  const from = mysqlTableSql(table.table)
  if (by === 'scan') return placedCounts(conditions.length, await session.rows(countsByScan(from, conditions, asText)))
  const counts: bigint[] = []
  for (let at = 0; at < conditions.length; at += PERIODS_AT_ONCE) {
    const [row = []] = await session.rows(countsByIndex(from, conditions.slice(at, at + PERIODS_AT_ONCE), asText))
    counts.push(...row.map((count) => BigInt(String(count))))
  }
  return counts
}
