/** Key ranges. DuckDB does not store rows in key order, so all bounds come from one scan of the keys. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import {
  Ascent,
  byArithmetic,
  isDense,
  keyColumns,
  keyOrder,
  keyBounds,
  rangeCondition,
  refuseFloatKey,
} from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { fromTable, DUCKDB_SOURCE_KEYS } from './key-dialect.ts'

type KeyRange = Range & { readonly by: 'key' }
type Ask = (sql: string, parameters: SqlRow) => Promise<readonly SqlRow[]>

/** @throws SluiceError UNSUPPORTED_KEY */
export async function* cutDuckdbKeys(
  table: TableSpec,
  within: KeyRange,
  where: string | null,
  rows: number,
  ask: Ask,
): AsyncGenerator<Range> {
  refuseFloatKey(table)
  const columns = keyColumns(table)
  if (columns.length === 1 && columns[0]?.type.kind === 'int') {
    const span = await keyBounds(table, within, where, DUCKDB_SOURCE_KEYS, ask)
    if (span === null) {
      yield within
      return
    }
    const [low, high] = [BigInt(span.low), BigInt(span.high)]
    if (isDense(low, high, table.rows)) {
      yield* byArithmetic(within, low, high, BigInt(rows))
      return
    }
  }
  const { sql, parameters } = rangeCondition(table, within, where, DUCKDB_SOURCE_KEYS)
  const order = keyOrder(table, DUCKDB_SOURCE_KEYS)
  const texts = columns.map((column) => DUCKDB_SOURCE_KEYS.text(column)).join(', ')
  const bounds = await ask(
    `SELECT ${texts} FROM (SELECT *, row_number() OVER (ORDER BY ${order}) AS sluice_place FROM ${fromTable(table)} WHERE ${sql})
     WHERE sluice_place % ${rows} = 0 ORDER BY sluice_place`,
    parameters,
  )
  const ascent = new Ascent(table)
  let { after } = within
  for (const bound of bounds) {
    const through = bound.map(String)
    ascent.add(through)
    yield { by: 'key', after, through }
    after = through
  }
  yield { by: 'key', after, through: within.through }
}
