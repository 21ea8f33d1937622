/** Reads the rows of a request as they arrive. */
import { shownValue } from '../../../model/copy/bytes-text.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { Column, ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import type { Row } from '../../../model/copy/rows.ts'
import { isRefusedValue, storedCell, valueError, type MistypedRows } from '../../common/as-stored.ts'
import type { BatchSize, RowBatch, RowRequest } from '../../../model/copy/source-port.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { mysqlRowBytes } from '../row-stream.ts'
import type { MysqlSession } from '../session.ts'
import {
  mysqlCellReader,
  textOrStoredBytes,
  mayHaveInvalidBytes,
  mysqlSelection,
  type MysqlCellReader,
} from './cells.ts'
import { quoted, mysqlTableSql } from './names.ts'
import { mysqlRangeCondition, mysqlKeyOrder } from './ranges.ts'

type OnRefused = NonNullable<RowRequest['onRefused']>

/** Columns of a table in the order in which their cells are requested. */
type Wanted = readonly { readonly name: string; readonly as: ColumnType; readonly column: Column }[]

/**
 * Reads rows over one session, which nothing else may use meanwhile; at most a few batches wait in memory.
 * @param mistyped for a request `asStored`: receives the rows with a value that does not fit its column's type
 * @throws SluiceError VALUE_REFUSED with column and key; the server's errors; the signal's reason
 */
export async function* readMysqlRows(
  session: MysqlSession,
  request: RowRequest,
  size: BatchSize,
  signal: AbortSignal,
  mistyped: MistypedRows = new WeakSet<Row>(),
): AsyncGenerator<RowBatch> {
  const { table, columns, range, where, ordered } = request
  const { sql, parameters } = mysqlRangeCondition(table, range, where)
  const order = ordered && table.key.length > 0 ? ` ORDER BY ${mysqlKeyOrder(table)}` : ''
  const list = columns.map(({ name, as, column }) => mysqlSelection(quoted(name), column, as)).join(', ')
  const rowOf = canonicalRowReader(
    columns,
    table,
    request.onRefused ?? null,
    request.asStored === true ? mistyped : null,
    request.instead,
  )
  const stream = await session.stream(
    `SELECT ${list} FROM ${mysqlTableSql(table.table)} WHERE ${sql}${order}`,
    parameters,
    size.bytes,
  )
  for (;;) {
    const page = await stream.take(size.rows)
    // An abort ends the statement without an error: the page may lack rows, or be empty.
    throwIfAborted(signal)
    if (page.length === 0) return
    const rows: Row[] = []
    let bytes = 0
    for (const given of page) {
      const row = rowOf(given)
      if (row === null) continue
      rows.push(row)
      bytes += mysqlRowBytes(given)
    }
    if (rows.length > 0) yield { rows, bytes }
  }
}

/**
 * Converts rows of the driver to canonical form; null for a quarantined row.
 * @param mistyped receives rows in which a value outside the key does not fit its column's type; the row keeps the
 * stored value. Null: these rows are refused
 * @throws (the function) SluiceError VALUE_REFUSED, with column and key, if no callback takes such rows
 */
export function canonicalRowReader(
  columns: Wanted,
  table: TableSpec,
  onRefused: OnRefused | null,
  mistyped: MistypedRows | null = null,
  instead?: RowRequest['instead'],
): (driven: SqlRow) => Row | null {
  const readers = columns.map(({ as, column }): MysqlCellReader => mysqlCellReader(as, column))
  const withGaps = columns.map(({ column }) => mayHaveInvalidBytes(column))
  const textsOf = (driven: SqlRow): SqlRow =>
    driven.map((value, i) => (withGaps[i] === true ? textOrStoredBytes(value) : value))
  const givenOf = withGaps.includes(true) ? textsOf : (driven: SqlRow): SqlRow => driven
  const keyAt = table.key.map((name) => columns.findIndex((column) => column.name === name))
  return (driven) => {
    const given = givenOf(driven)
    const row = new Array<Row[number]>(readers.length)
    for (let i = 0; i < readers.length; i++) {
      try {
        row[i] = readers[i]?.(given[i] ?? null) ?? null
      } catch (error) {
        if (instead !== undefined && isRefusedValue(error)) {
          row[i] = instead(shownValue(given[i] ?? null) ?? '')
          continue
        }
        if (mistyped !== null && !keyAt.includes(i) && isRefusedValue(error)) {
          mistyped.add(row)
          row[i] = storedCell(given[i] ?? null)
          continue
        }
        const found = placed(error, columns[i]?.name ?? '', table, shownKey(given, keyAt), mistyped !== null)
        if (onRefused === null || !(found instanceof SluiceError)) throw found
        onRefused(
          given.map((value) => shownValue(value)),
          found,
        )
        return null
      }
    }
    return row
  }
}

function shownKey(given: SqlRow, keyAt: readonly number[]): string | null {
  if (keyAt.length === 0 || keyAt.includes(-1)) return null
  return keyAt.map((at) => shownValue(given[at] ?? null) ?? 'NULL').join(', ')
}

function placed(error: unknown, column: string, { table }: TableSpec, key: string | null, isTarget: boolean): unknown {
  if (!isRefusedValue(error)) return error
  const row = key === null ? '' : `, key ${key}`
  const where = `${mysqlTableSql(table)}, column ${quoted(column)}${row}`
  return valueError(isTarget, error.message, { where, cause: error })
}
