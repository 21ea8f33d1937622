/** Smallest and largest timestamp of a table; checks that every value is a time. */
import type Database from 'better-sqlite3'
import { date, canonicalInstant } from '../../../model/copy/canonical-time.ts'
import { tableText, type Column, type TableSpec } from '../../../model/copy/column-type.ts'
import { rowKeyText, type RowKey } from '../../../model/copy/row-key.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { TimeExtent } from '../../../model/archive/values-port.ts'
import { compareCanonicalTimes } from '../../common/time-bounds.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { rowPieces } from './row-pieces.ts'
import { sortedText } from './time.ts'
import { wideRowsOf } from '../reader.ts'

/** Number of rows between two pauses for other work. */
const ROWS_PER_PAUSE = 20_000

const DAY = '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]'

/**
 * Reads the whole column, because SQLite does not enforce its type.
 * @throws SluiceError VALUE_REFUSED if a value is not a time
 */
export async function sqliteTimeExtent(
  connection: Database.Database,
  table: TableSpec,
  column: Column,
  signal: AbortSignal,
): Promise<TimeExtent> {
  const { sorted, odd } = expressionsOf(column)
  const name = quote(column.name)
  let low: string | null = null
  let high: string | null = null
  let nulls = 0n
  for (const { sql, parameters } of rowPieces(connection, table, ROWS_PER_PAUSE)) {
    throwIfAborted(signal)
    const [row = []] = wideRowsOf(
      connection,
      `SELECT CAST(min(time) AS TEXT), CAST(max(time) AS TEXT), count(*) - count(value), count(odd) FROM ` +
        `(SELECT ${name} AS value, ${sorted} AS time, CASE WHEN ${name} IS NOT NULL AND ifnull(${odd}, 1) THEN ${name} END AS odd ` +
        `FROM ${quote(table.table.name)} WHERE ${sql})`,
      parameters,
    )
    const [first, last, without, others] = row
    if (others !== 0n) {
      const isOdd = `(${sql}) AND ${name} IS NOT NULL AND ifnull(${odd}, 1)`
      const texts = [column.name, ...table.key].map((one) => `CAST(${quote(one)} AS TEXT)`).join(', ')
      const query = `SELECT ${texts} FROM ${quote(table.table.name)} WHERE ${isOdd} ORDER BY ${name} LIMIT 1`
      const [[value, ...key] = []] = wideRowsOf(connection, query, parameters)
      throw refused(table, column, String(value), key.map(String))
    }
    nulls += BigInt(String(without))
    if (first != null && last != null) {
      const [from, to] = [canonical(column, String(first)), canonical(column, String(last))]
      if (low === null || compareCanonicalTimes(from, low) < 0) low = from
      if (high === null || compareCanonicalTimes(to, high) > 0) high = to
    }
    await breathe()
  }
  return { low, high, nulls }
}

/** SQL for the text by which values sort, and a condition for values that are not usable times. */
function expressionsOf({ name, type }: Column): { readonly sorted: string; readonly odd: string } {
  const column = quote(name)
  if (type.kind === 'int') return { sorted: column, odd: `typeof(${column}) <> 'integer'` }
  const zone = type.kind === 'timestamp' && type.zone
  const sorted = sortedText(column, zone)
  const isText = `typeof(${column}) = 'text'`
  const isDay = `${column} GLOB '${DAY}'`
  const isInstant = `(${column} GLOB '${DAY}[ T][0-2][0-9]:[0-5][0-9]*' AND ${sorted} GLOB '${DAY} [0-9][0-9]:[0-9]*')`
  // In a column without time zone, a text with an offset is refused: such texts sort wrongly. In a timestamp without
  // time zone, a `Z` is refused too.
  const offset = zone ? '0' : `substr(${column}, 11) GLOB '*[+${type.kind === 'timestamp' ? 'Zz' : ''}-]*'`
  return { sorted, odd: `NOT (${isText} AND (${isDay} OR ${isInstant}) AND NOT ${offset})` }
}

function canonical({ type }: Column, text: string): string {
  switch (type.kind) {
    case 'int':
      return text
    case 'date':
      return date(text)
    default:
      return canonicalInstant(text, false)
  }
}

function refused(table: TableSpec, column: Column, value: string, key: RowKey): SluiceError {
  const where = `${tableText(table.table)}.${column.name}`
  const row = key.length === 0 ? '' : ` (row ${rowKeyText(key)})`
  return new SluiceError('VALUE_REFUSED', `${where} has a value that is not a time: '${value.slice(0, 60)}'${row}`, {
    where,
    kind: 'source',
    reason: 'this column determines the period of a row, which is unknown for this value',
    hint: 'write times as 2024-04-01, 2024-04-01 10:00:00 or 2024-04-01T10:00:00Z, or as whole numbers; or choose another column',
  })
}
