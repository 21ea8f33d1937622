/** SELECT list with which COPY prints rows as the CSV of `model/archive/wire.ts`. */
import { wirePieces } from '../../../model/archive/wire.ts'
import type { BatchSize, RowBatch } from '../../../model/copy/source-port.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import { quoteName } from '../server/connect.ts'
import { postgresSelection, isLossless } from '../server/cells.ts'

export const CSV_BATCH: BatchSize = { rows: 1000, bytes: 1024 * 1024 }

/**
 * SELECT list for COPY; null if the server cannot print a column in this form. Needs a session with ISO dates, ISO 8601
 * intervals, and UTC.
 */
export function csvList(columns: readonly ReadColumn[]): string | null {
  const fields: string[] = []
  for (const column of columns) {
    const field = csvField(column)
    if (field === null) return null
    fields.push(field)
  }
  return fields.join(', ')
}

/** Reference implementation of the COPY output, also used if `csvList` is null. Returns the number of rows. */
export async function* csvByReading(
  columns: readonly ReadColumn[],
  batches: AsyncIterable<RowBatch>,
): AsyncGenerator<Buffer, bigint> {
  const stored = columns.map((column) => ({ ...column, physical: column.name, stored: 'string' as const }))
  let count = 0n
  for await (const { rows } of batches) {
    count += BigInt(rows.length)
    yield* wirePieces(rows, stored)
  }
  return count
}

function csvField(column: ReadColumn): string | null {
  if (!isLossless(column)) return null
  const {
    as,
    name,
    column: { type },
  } = column
  const value = quoteName(name)
  switch (as.kind) {
    case 'bool':
      return `${value}::int`
    case 'text':
      return as.padded === true ? `pg_catalog.rtrim(${value}::text, ' ')` : value
    case 'bytes':
      return `pg_catalog.encode(${value}, 'hex')`
    case 'timestamp':
      return type.kind === 'timestamp' && type.zone ? `${value} AT TIME ZONE 'UTC'` : value
    case 'float':
      return postgresSelection(column)
    case 'int':
    case 'decimal':
    case 'uuid':
    case 'date':
    case 'time':
    case 'native':
      return value
    case 'json':
    case 'list':
      return null
  }
}
