/** Converts values to and from DuckDB. */
import type { DuckDBAppender, DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import { isoOfText, isoTime } from '../../shared/clock.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { Cell } from '../../model/copy/rows.ts'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { DuckDBBlobValue, DuckDBDateValue, DuckDBTimestampTZValue, DuckDBTypeId } from './api.ts'

/** Bulk insert by the appender. Columns that are not named get their default. */
export async function append(
  connection: DuckDBConnection,
  table: string,
  columns: readonly string[],
  rows: readonly SqlRow[],
): Promise<void> {
  if (rows.length === 0) return
  const names = await connection.run(
    'SELECT column_name FROM duckdb_columns() WHERE table_name = ? AND database_name = current_database() ORDER BY column_index',
    [table],
  )
  const position = (await names.getRows()).map(([name]) => columns.indexOf(String(name)))
  const appender = await connection.createAppender(table)
  try {
    const types = position.map((_, i) => appender.columnType(i).typeId)
    for (const row of rows) {
      for (const [i, from] of position.entries()) {
        if (from === -1) appender.appendDefault()
        else appendValue(appender, types[i] as DuckDBTypeId, row[from] ?? null)
      }
      appender.endRow()
    }
    appender.flushSync()
  } catch (error) {
    closeQuietly(appender)
    throw error
  }
  appender.closeSync()
}

/** Ignores errors: the close writes failed rows again, and its error would replace the first one. */
function closeQuietly(appender: DuckDBAppender): void {
  try {
    appender.closeSync()
  } catch {
    // Ignored: the first error is the one to report.
  }
}

function appendValue(appender: DuckDBAppender, type: DuckDBTypeId, value: SqlValue): void {
  if (value === null) appender.appendNull()
  else if (type === DuckDBTypeId.BIGINT) appender.appendBigInt(BigInt(value as number | bigint | string))
  else if (type === DuckDBTypeId.BLOB) appender.appendBlob(value as Uint8Array)
  else if (type === DuckDBTypeId.DOUBLE) appender.appendDouble(Number(value))
  else if (type === DuckDBTypeId.HUGEINT) appender.appendHugeInt(BigInt(value as number | bigint | string))
  else if (type === DuckDBTypeId.INTEGER) appender.appendInteger(Number(value))
  else appender.appendVarchar(String(value))
}

export function toDuckdb(value: SqlValue): DuckDBValue {
  if (value instanceof Uint8Array) return new DuckDBBlobValue(value)
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value
}

export function fromDuckdb(value: DuckDBValue): SqlValue {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (typeof value === 'boolean') return value ? 1 : 0
  if (value instanceof DuckDBBlobValue) return value.bytes
  if (value instanceof DuckDBTimestampTZValue) return instant(value)
  // For an infinite date, the driver prints the finite date that encodes it.
  if (value instanceof DuckDBDateValue && !value.isFinite) return value.days > 0 ? 'infinity' : '-infinity'
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  return value.toString()
}

/** A value of a query that returns texts, numbers and bytes only. */
export function cellOf(value: DuckDBValue): Cell {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  if (value instanceof DuckDBBlobValue) return value.bytes
  throw new SluiceError('INTERNAL', `DuckDB returned ${typeof value} instead of a text, a number or bytes`)
}

/** Largest time in milliseconds of a JavaScript date. */
const LATEST_MS = 8_640_000_000_000_000n

/** ISO 8601 in UTC: `toString()` would use the time zone of this machine. */
function instant(value: DuckDBTimestampTZValue): string {
  const micros = ((value.micros % 1000n) + 1000n) % 1000n
  const ms = (value.micros - micros) / 1000n
  if (ms > LATEST_MS || ms < -LATEST_MS) return value.toString()
  return isoOfText(`${isoTime(Number(ms)).slice(0, -1)}${String(micros).padStart(3, '0')}Z`)
}
