/** Reads rows of files in canonical form. */
import type { FilteredRead } from '../../../model/archive/parquet-port.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import { cellOf } from '../sql-values.ts'
import { duckdbSelection } from '../copy/select.ts'
import { asked } from './ask.ts'
import { duckColumn, readColumn } from './columns.ts'
import type { Desk } from './desk.ts'
import { unsound } from './errors.ts'
import { checkSchema, parquetFromSql } from './parquet-file.ts'
import { hasLongRows, longRows, LongValue, wholeValue, type DuckdbLongCell } from './long-values.ts'
import { matchSql } from './matching.ts'
import { isRespelled, respelled } from './respelled.ts'

/** Bytes of values in a batch; the last row may exceed it. */
const BATCH_BYTES = 16 << 20

/**
 * Reads rows from the disk. DuckDB's streams may end early without an error, so the rows are compared with the row
 * count.
 * @throws SluiceError PROOF_FAILED, DuckDB's error, the signal's reason
 */
export async function* archivedRows(
  desk: Desk,
  file: string,
  wanted: FilteredRead,
  batchRows: number,
): AsyncGenerator<readonly Row[]> {
  const { columns } = wanted
  const isOther = columns.some(isRespelled)
  for await (const rows of asWritten(desk, file, wanted, batchRows))
    yield isOther ? rows.map((row) => respelled(row, columns)) : rows
}

async function* asWritten(
  desk: Desk,
  file: string,
  { columns, all, signal, test }: FilteredRead,
  batchRows: number,
): AsyncGenerator<readonly Row[]> {
  const named = await desk.named(file)
  const whole = parquetFromSql(named)
  await checkSchema(desk, whole, file, all ?? columns, signal)
  const from = test === undefined ? whole : `${whole} WHERE ${matchSql(all ?? columns, test)}`
  const [counted] = await asked(desk, `SELECT count(*) FROM ${from}`, signal)
  const shown = (column: StoredColumn): string => duckdbSelection(duckColumn(column), column.as)
  if (test === undefined && (await hasLongRows(desk, named, all ?? columns, signal))) {
    for await (const cells of longRows(desk, named, { columns, signal }, shown)) yield [await wholeRow(cells, columns)]
    return
  }
  const cells = columns.map((column, i) => `${shown(column)} AS c${i}`)
  const { connection } = desk
  const stop = (): void => connection.interrupt()
  signal.addEventListener('abort', stop)
  let seen = 0
  let batch: Row[] = []
  let bytes = 0
  try {
    const result = await connection.stream(
      `SELECT ${cells.join(', ')} FROM (SELECT ${columns.map(readColumn).join(', ')} FROM ${from})`,
    )
    for (
      let chunk = await result.fetchChunk();
      chunk !== null && chunk.rowCount > 0;
      chunk = await result.fetchChunk()
    ) {
      throwIfAborted(signal)
      const values = columns.map((_, i) => chunk?.getColumnValues(i) ?? [])
      for (let r = 0; r < chunk.rowCount; r++) {
        const row = values.map((column) => cellOf(column[r] ?? null))
        batch.push(row)
        bytes += sizeOf(row)
        if (batch.length < batchRows && bytes < BATCH_BYTES) continue
        yield batch
        ;[batch, bytes] = [[], 0]
      }
      seen += chunk.rowCount
      await breathe()
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }
  throwIfAborted(signal)
  if (String(seen) !== counted?.[0]) throw unsound(`${seen} of ${counted?.[0] ?? 0} rows can be read`, file)
  if (batch.length > 0) yield batch
}

async function wholeRow(cells: readonly DuckdbLongCell[], columns: readonly StoredColumn[]): Promise<Row> {
  const row: Cell[] = []
  for (const [i, column] of columns.entries()) {
    const cell = cells[i] ?? null
    row.push(cell instanceof LongValue ? await wholeValue(cell, column) : cellOf(cell))
  }
  return row
}

/** Bytes of values with a variable length. */
function sizeOf(row: Row): number {
  let bytes = 0
  for (const cell of row) if (typeof cell === 'object' || typeof cell === 'string') bytes += cell?.length ?? 0
  return bytes
}
