/**
 * Finds rows by their keys. Statements name the index: with stale statistics, as for a table that was just empty,
 * the server would scan the table.
 */
import { keyPart } from '../../../../model/copy/row-key.ts'
import type { Row } from '../../../../model/copy/rows.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import { keyColumns } from '../../../common/key-ranges.ts'
import type { SqlValue } from '../../../../model/run/sql-port.ts'
import { quoted, mysqlTableSql } from '../../copy/names.ts'
import { equalValue, KEYS } from '../../copy/ranges.ts'
import type { MysqlSession } from '../../session.ts'
import type { ApplyShape } from './shape.ts'

/**
 * Keys per statement, smallest first; few sizes, because each size needs its own prepared statement. With more keys
 * than the largest size, servers no longer use the index for each key.
 */
const SIZES = [1, 4, 16, 64, 256] as const
const MOST = 256

/** Index hint for the row key, such as ` FORCE INDEX ("PRIMARY")`; empty if there is no index to name. */
export function forceIndex({ finder }: Pick<ApplyShape, 'finder'>): string {
  return finder === null ? '' : ` FORCE INDEX (${quoted(finder)})`
}

/** Parameters of a row key, for `equalSql`. */
export function keyValues(request: ChangeTable, key: Row): SqlValue[] {
  return rowKeyColumns(request).map((column, i) => equalValue(column, keyPart(key[i] ?? null) ?? ''))
}

/** Condition for one row key: `t."a" = ? AND t."b" = ?`. */
export function equalSql(request: ChangeTable): string {
  return rowKeyColumns(request)
    .map((column) => `t.${quoted(column.name)} = ${KEYS.bound(column)}`)
    .join(' AND ')
}

/** Deletes the rows with these keys; keys without a row are ignored. */
export async function removeRowsByKey(
  session: MysqlSession,
  request: ChangeTable,
  shape: ApplyShape,
  keys: readonly Row[],
): Promise<void> {
  for (let at = 0; at < keys.length; at += MOST) {
    const some = keys.slice(at, at + MOST)
    const size = SIZES.find((one) => one >= some.length) ?? MOST
    // Pad with the last key: a row is deleted only once.
    const padded = Array.from({ length: size }, (_, i) => some[Math.min(i, some.length - 1)] as Row)
    const values = padded.flatMap((key) => keyValues(request, key))
    await session.execute(removeSql(request, shape, size), values)
  }
}

function removeSql(request: ChangeTable, shape: ApplyShape, rows: number): string {
  const [column, ...others] = rowKeyColumns(request)
  const head = `DELETE t FROM ${mysqlTableSql(request.table.table)} AS t${forceIndex(shape)} WHERE `
  if (column !== undefined && others.length === 0) {
    return `${head}t.${quoted(column.name)} IN (${Array(rows).fill(KEYS.bound(column)).join(', ')})`
  }
  return (
    head +
    Array(rows)
      .fill(`(${equalSql(request)})`)
      .join(' OR ')
  )
}

function rowKeyColumns({ table, identity }: ChangeTable): ReturnType<typeof keyColumns> {
  return keyColumns({ ...table, key: identity })
}
