/** Rows in wire form become sorted Parquet files. */
import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { WrittenFile } from '../../../model/archiving/archived-file.ts'
import type { WriteRequest } from '../../../model/archiving/parquet-port.ts'
import type { StoredTable } from '../../../model/archiving/stored-column.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { literal, quotedName } from '../../../shared/sql-text.ts'
import { interruptible } from './ask.ts'
import type { Desk } from './desk.ts'
import { fed } from './feed.ts'
import { castColumn, wireName } from './wire-cast.ts'

const MB = 1 << 20
/** The number of rows that DuckDB thinks sensible. */
const GROUP_ROWS = 122_880
/** Of the values of a row group before they are compressed; less where memory is short, since every thread holds some. */
const GROUP_BYTES = { most: 256 * MB, least: 4 * MB }
/** DuckDB reads rows in pieces so large, holds several, and takes no row that is larger. */
const PIECE_BYTES = { most: 1024 * MB, least: 4 * MB }

/** @throws as `ParquetFiles.write`, in DuckDB's own words */
export async function writeParquet(
  desk: Desk,
  request: WriteRequest,
  memoryBytes: number,
  csv: AsyncIterable<Buffer>,
): Promise<readonly WrittenFile[]> {
  const { table, folder, signal } = request
  const at = await desk.named(folder)
  const feed = { connection: desk.connection, folder: desk.folder, commas: table.columns.length - 1, signal }
  const written = await fed(feed, csv, async (path) => {
    const piece = within(Math.min(memoryBytes / 16, request.rowBytes ?? Infinity), PIECE_BYTES)
    const values = `SELECT ${table.columns.map(castColumn).join(', ')} FROM ${csvSql(table, path, piece)}`
    return copied(desk, values, request, at, memoryBytes)
  })
  return settled(written, request)
}

/**
 * Files of what a statement gives, sorted by `table.sortBy`, and on the disk.
 * @param values its columns are those of the table, under their names in Parquet
 * @throws as `writeParquet`
 */
export async function writeRows(
  desk: Desk,
  request: Omit<WriteRequest, 'rowBytes'>,
  memoryBytes: number,
  values: string,
): Promise<readonly WrittenFile[]> {
  const { folder, signal } = request
  const at = await desk.named(folder)
  const written = await interruptible(desk, signal, () => copied(desk, values, request, at, memoryBytes))
  return settled(written, request)
}

type Copied = readonly { readonly name: string; readonly rows: bigint }[]

async function copied(
  desk: Desk,
  values: string,
  request: Omit<WriteRequest, 'rowBytes'>,
  at: string,
  memoryBytes: number,
): Promise<Copied> {
  const result = await desk.connection.run(copySql(values, request, at, memoryBytes))
  return (await result.getRows()).map(([name, rows]) => ({ name: basename(String(name)), rows: BigInt(String(rows)) }))
}

/** Empty files go, the others get their final names. */
async function settled(
  written: Copied,
  { folder, prefix }: Pick<WriteRequest, 'folder' | 'prefix'>,
): Promise<readonly WrittenFile[]> {
  const files: WrittenFile[] = []
  for (const { name, rows } of written
    .map((file) => ({ ...file, at: numberOf(file.name, prefix) }))
    .toSorted((a, b) => a.at - b.at)) {
    const found = join(folder, name)
    if (rows === 0n) {
      await rm(found)
      continue
    }
    const final = `${prefix}-${String(files.length).padStart(5, '0')}.parquet`
    await rename(found, join(folder, final))
    await sync(join(folder, final))
    files.push({ name: final, rows, bytes: BigInt((await stat(join(folder, final))).size) })
  }
  await sync(folder)
  return files
}

function copySql(
  values: string,
  { prefix, fileBytes, table }: Omit<WriteRequest, 'rowBytes'>,
  to: string,
  memoryBytes: number,
): string {
  const form = [
    'FORMAT parquet',
    'COMPRESSION zstd',
    `ROW_GROUP_SIZE ${GROUP_ROWS}`,
    `ROW_GROUP_SIZE_BYTES ${within(memoryBytes / 16, GROUP_BYTES)}`,
    `FILE_SIZE_BYTES ${Math.max(1, Math.floor(fileBytes))}`,
    `FILENAME_PATTERN ${literal(`${prefix}-{i}`)}`,
    // The folder may hold files of other names. Ours is taken by nobody.
    'OVERWRITE_OR_IGNORE true',
    'RETURN_STATS true',
    ...(table.mapped
      ? [`FIELD_IDS {${table.columns.map(({ physical, id }, i) => `${literal(physical)}: ${id ?? i + 1}`).join(', ')}}`]
      : []),
  ]
  return `COPY (FROM (${values})${orderSql(table)}) TO ${to} (${form.join(', ')})`
}

function csvSql({ columns }: StoredTable, path: string, piece: number): string {
  const texts = columns.map((_, i) => `${wireName(i)}: 'VARCHAR'`).join(', ')
  return (
    `read_csv(${literal(path)}, auto_detect = false, columns = {${texts}}, header = true, delim = ',', quote = '"', escape = '"', ` +
    `nullstr = '', allow_quoted_nulls = false, new_line = '\\n', comment = '', strict_mode = true, null_padding = false, ` +
    `ignore_errors = false, compression = 'none', buffer_size = ${piece}, max_line_size = ${piece}) AS wire`
  )
}

/** By what Parquet holds, not by its text. */
function orderSql({ columns, sortBy }: StoredTable): string {
  const names = sortBy.map((name) => {
    const column = columns.find((one) => one.name === name)
    if (column === undefined) throw new SluiceError('INTERNAL', `rows are to be sorted by ${name}, which is no column`)
    return quotedName(column.physical)
  })
  return names.length === 0 ? '' : ` ORDER BY ${names.join(', ')}`
}

function within(bytes: number, { most, least }: { readonly most: number; readonly least: number }): number {
  return Math.floor(Math.min(most, Math.max(least, bytes)))
}

function numberOf(name: string, prefix: string): number {
  const found = name.startsWith(`${prefix}-`) ? /^(\d+)\.parquet$/.exec(name.slice(prefix.length + 1)) : null
  if (found === null) throw new SluiceError('INTERNAL', `DuckDB has written a file that nobody asked for: ${name}`)
  return Number(found[1])
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
