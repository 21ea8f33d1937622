/**
 * Reads files with very large rows. The text of a whole row, or several values at once, would need many times their
 * size in memory. So DuckDB writes each long value unchanged to a file, which needs memory for one copy of the value.
 * This file is then read in pieces.
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBValue } from '@duckdb/node-api'
import type { ReadFiles } from '../../../model/archive/parquet-port.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { sqlLiteral, quotedName } from '../../../shared/sql-text.ts'
import { asked, interruptibleDuckdb } from './ask.ts'
import { readColumn } from './columns.ts'
import type { Desk } from './desk.ts'

const MB = 1 << 20
/**
 * `row`: average bytes of a row in a row group, above which rows are read one by one. `value`: bytes of a value that is
 * read separately.
 */
const LONG = { row: 4 * MB, value: MB }

/** Bytes per read: a small number, so that their memory is freed soon. */
const PIECE = 1 << 15
/** Row number in a file. */
const ROW = 'file_row_number'
const QUOTE = Buffer.from('"')

/** True if rows must be read one by one. @param file as `Desk.named` returns it @param all columns of the file */
export async function hasLongRows(
  desk: Desk,
  file: string,
  all: readonly StoredColumn[],
  signal: AbortSignal,
): Promise<boolean> {
  if (all.some(({ physical }) => physical.toLowerCase() === ROW)) return false
  const [row] = await asked(
    desk,
    `SELECT count(*) FROM (SELECT sum(total_uncompressed_size) / any_value(row_group_num_rows) AS bytes FROM parquet_metadata(${file}) GROUP BY row_group_id) WHERE bytes > ${LONG.row}`,
    signal,
  )
  return row?.[0] !== '0'
}

/** A value that can be read once, in pieces of its bytes. */
export class LongValue {
  readonly bytes: number
  readonly pieces: AsyncIterable<Buffer>

  constructor(bytes: number, pieces: AsyncIterable<Buffer>) {
    this.bytes = bytes
    this.pieces = pieces
  }
}

/** A long value, or DuckDB's value if it is not long. */
export type DuckdbLongCell = DuckDBValue | LongValue

/**
 * Values of each row in column order; they must be read before the next row is requested.
 * @param file as `Desk.named` returns it
 * @param shown what to select for a value that is not long
 * @throws DuckDB's error, the signal's reason
 */
export async function* longRows(
  desk: Desk,
  file: string,
  { columns, signal }: Pick<ReadFiles, 'columns' | 'signal'>,
  shown: (column: StoredColumn) => string,
): AsyncGenerator<readonly DuckdbLongCell[]> {
  const from = `read_parquet(${file}, hive_partitioning = false, file_row_number = true)`
  const lengths = columns.map((column) => (mayBeLong(column) ? `coalesce(${lengthOf(column)}, 0)` : '0'))
  const rows = await asked(desk, `SELECT ${[ROW, ...lengths].join(', ')} FROM ${from} ORDER BY 1`, signal)
  for (const [number, ...found] of rows) {
    const row = `(SELECT * FROM ${from} WHERE ${ROW} = ${number})`
    const bytes = found.map(Number)
    const short = columns.filter((_, i) => (bytes[i] ?? 0) <= LONG.value)
    const values = await oneRow(
      desk,
      short.map(shown),
      `(SELECT ${['1', ...short.map(readColumn)].join(', ')} FROM ${row})`,
      signal,
    )
    yield columns.map((column, i) => {
      const length = bytes[i] ?? 0
      if (length <= LONG.value) return values.shift() ?? null
      return new LongValue(length, piecesOf(desk, `SELECT ${bytesOf(column)} FROM ${row}`, length, signal))
    })
  }
}

async function oneRow(desk: Desk, shown: readonly string[], from: string, signal: AbortSignal): Promise<DuckDBValue[]> {
  if (shown.length === 0) return []
  const result = await interruptibleDuckdb(desk, signal, () =>
    desk.connection.run(`SELECT ${shown.join(', ')} FROM ${from}`),
  )
  const [row, ...more] = await result.getRows()
  if (row === undefined || more.length > 0) throw new SluiceError('INTERNAL', 'DuckDB did not return exactly one row')
  return row
}

async function* piecesOf(desk: Desk, query: string, bytes: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const file = join(desk.folder, 'value')
  try {
    await interruptibleDuckdb(desk, signal, () =>
      desk.connection.run(`COPY (${query}) TO ${sqlLiteral(file)} (FORMAT blob)`),
    )
    let seen = 0
    for await (const piece of createReadStream(file, { highWaterMark: PIECE })) {
      throwIfAborted(signal)
      seen += (piece as Buffer).length
      yield piece as Buffer
    }
    if (seen !== bytes) throw new SluiceError('INTERNAL', `DuckDB returned ${seen} of ${bytes} bytes of a value`)
  } finally {
    await rm(file, { force: true })
  }
}

function mayBeLong({ stored }: StoredColumn): boolean {
  return stored === 'string' || stored === 'binary'
}

function lengthOf({ physical, stored }: StoredColumn): string {
  return `${stored === 'binary' ? 'octet_length' : 'strlen'}(${quotedName(physical)})`
}

function bytesOf({ physical, stored }: StoredColumn): string {
  return stored === 'binary' ? quotedName(physical) : `encode(${quotedName(physical)})`
}

/** The md5 of a row's `rowText`. @param cells values that are not long have the form of `proofText` */
export async function hashOfRow(cells: readonly DuckdbLongCell[], columns: readonly StoredColumn[]): Promise<Hash> {
  const hash = createHash('md5')
  for (const [i, cell] of cells.entries()) {
    if (!(cell instanceof LongValue)) {
      hash.update(String(cell))
      continue
    }
    const isBinary = columns[i]?.stored === 'binary'
    hash.update(`${isBinary ? cell.bytes * 2 : cell.bytes}:`)
    for await (const piece of cell.pieces) hash.update(isBinary ? piece.toString('hex') : piece)
  }
  return hash
}

/** The whole value: a text, or bytes. */
export async function wholeValue({ bytes, pieces }: LongValue, { stored }: StoredColumn): Promise<string | Buffer> {
  const whole = Buffer.allocUnsafeSlow(bytes)
  let at = 0
  for await (const piece of pieces) at += piece.copy(whole, at)
  return stored === 'binary' ? whole : whole.toString('utf8')
}

/** The value as a field of the wire form. */
export async function* wireField({ pieces }: LongValue, { stored }: StoredColumn): AsyncGenerator<Buffer> {
  if (stored === 'binary') {
    for await (const piece of pieces) yield Buffer.from(piece.toString('hex'))
    return
  }
  yield QUOTE
  for await (const piece of pieces)
    yield piece.includes(QUOTE) ? Buffer.from(piece.toString('latin1').replaceAll('"', '""'), 'latin1') : piece
  yield QUOTE
}
