/** Reads rows of Parquet files as CSV in wire form. */
import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ReadFiles } from '../../../model/archive/parquet-port.ts'
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { textField, wirePieces } from '../../../model/archive/wire.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { canonicalText, doubledBom } from '../copy/select.ts'
import { rowPipe } from '../row-pipe.ts'
import { asked } from './ask.ts'
import { duckColumn, readColumn } from './columns.ts'
import type { Desk } from './desk.ts'
import { unsound } from './errors.ts'
import { checkSchema, parquetFromSql } from './parquet-file.ts'
import { archivedRows } from './read-rows.ts'
import { isRespelled } from './respelled.ts'
import { hasLongRows, longRows, LongValue, wireField } from './long-values.ts'

/** Maximum number of rows in memory. */
const ROWS = 1000
const COMMA = Buffer.from(',')
const NEWLINE = Buffer.from('\n')

/** @returns the number of rows @throws SluiceError PROOF_FAILED, DuckDB's error, the signal's reason */
export async function* csvOf(
  desk: Desk,
  file: string,
  { columns, all, signal }: ReadFiles,
): AsyncGenerator<Buffer, bigint> {
  if (columns.some(isRespelled)) return yield* respelledCsv(desk, file, { columns, signal, ...(all && { all }) })
  const named = await desk.named(file)
  const from = parquetFromSql(named)
  await checkSchema(desk, from, file, all ?? columns, signal)
  const [counted] = await asked(desk, `SELECT count(*) FROM ${from}`, signal)
  if (await hasLongRows(desk, named, all ?? columns, signal)) return yield* longCsv(desk, named, { columns, signal })
  const values = columns.map((column, i) => `${wireText(column)} AS c${i}`).join(', ')
  const query = `SELECT ${values} FROM (SELECT ${columns.map(readColumn).join(', ')} FROM ${from})`
  const folder = join(desk.folder, `csv-${basename(from.replaceAll(/\W/g, ''))}`)
  await mkdir(folder)
  // For PostgreSQL a line `\.` would end the rows.
  const quotes = columns.length === 1 ? ', FORCE_QUOTE *' : ''
  const form = `FORMAT csv, HEADER false, DELIMITER ',', QUOTE '"', ESCAPE '"', NULLSTR '', COMPRESSION none${quotes}`
  const pipe = rowPipe(desk.connection, (path) => `COPY (${query}) TO '${path.replaceAll("'", "''")}' (${form})`, {
    folder,
    large: true,
    signal,
  })
  yield* pipe
  const rows = pipe.rows()
  if (String(rows) !== counted?.[0]) throw unsound(`${rows} of ${counted?.[0] ?? 0} rows can be read`, file)
  return BigInt(rows)
}

async function* respelledCsv(
  desk: Desk,
  file: string,
  wanted: Omit<ReadFiles, 'files'>,
): AsyncGenerator<Buffer, bigint> {
  let count = 0n
  for await (const rows of archivedRows(desk, file, { ...wanted, files: [file] }, ROWS)) {
    count += BigInt(rows.length)
    yield* wirePieces(rows, wanted.columns)
  }
  return count
}

/** As `csvOf`, row by row. */
async function* longCsv(
  desk: Desk,
  named: string,
  { columns, signal }: Pick<ReadFiles, 'columns' | 'signal'>,
): AsyncGenerator<Buffer, bigint> {
  let rows = 0n
  for await (const cells of longRows(desk, named, { columns, signal }, (column) => doubledBom(wireText(column)))) {
    for (const [i, column] of columns.entries()) {
      if (i > 0) yield COMMA
      const cell = cells[i] ?? null
      if (cell instanceof LongValue) yield* wireField(cell, column)
      else if (cell !== null) yield Buffer.from(textField(String(cell)))
    }
    yield NEWLINE
    rows++
  }
  return rows
}

function wireText(column: StoredColumn): string {
  const name = quotedName(column.physical)
  switch (column.stored) {
    case 'binary':
      return `lower(hex(${name}))`
    case 'float':
    case 'double': {
      // The shortest digits of a 32-bit number mean another value if they are read as a 64-bit number.
      const isWider = column.stored === 'float' && column.as.kind === 'float' && column.as.bits === 64
      const text = `CAST(${isWider ? `CAST(${name} AS DOUBLE)` : name} AS VARCHAR)`
      return `CASE WHEN isnan(${name}) THEN 'NaN' WHEN isinf(${name}) THEN CASE WHEN ${name} > 0 THEN 'Infinity' ELSE '-Infinity' END ELSE ${text} END`
    }
    default:
      return canonicalText(duckColumn(column), column.as)
  }
}
