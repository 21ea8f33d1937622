/** Writes rows in wire form to sorted Parquet files. */
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { WrittenFile } from '../../../model/archive/archived-file.ts'
import type { WriteRequest } from '../../../model/archive/parquet-port.ts'
import type { StoredTable } from '../../../model/archive/stored-column.ts'
import { fileErrorCode, nameTaken, renameIfAbsent } from '../../../shared/durable-files.ts'
import { sqlLiteral } from '../../../shared/sql-text.ts'
import { syncPath } from '../../../shared/sync-path.ts'
import { interruptibleDuckdb } from './ask.ts'
import { copiedFiles, within, type CopiedFile } from './copy-files.ts'
import type { Desk } from './desk.ts'
import { fed } from './feed.ts'
import { withoutLargeRows, type LargeRow } from './large-rows.ts'
import { castColumn, wireName } from './wire-cast.ts'
import { LargeRowWriter } from './write-large.ts'

const MB = 1 << 20
/**
 * Size of DuckDB's CSV buffer, of which it keeps several. Rows that are not far smaller may be split between two
 * buffers, so they are written separately.
 */
const PIECE_BYTES = 4 * MB
/** Limits for the bytes of a row's text: 2,048 rows make a vector, which is in memory as a whole. */
const ROW_BYTES = { most: MB / 4, least: MB / 64 }

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
  const large = new LargeRowWriter(desk, request, memoryBytes)
  const written = await fed(feed, smallRows(csv, large, { desk, table, memoryBytes, signal }), async (path) => {
    const values = `SELECT ${table.columns.map(castColumn).join(', ')} FROM ${csvSql(table, path)}`
    return copiedFiles(desk, values, request, at, { memoryBytes })
  })
  return settled([...inOrder(written), ...large.files.flatMap(inOrder)], request)
}

type SmallRows = Pick<WriteRequest, 'table' | 'signal'> & { readonly desk: Desk; readonly memoryBytes: number }

async function* smallRows(
  csv: AsyncIterable<Buffer>,
  large: LargeRowWriter,
  { desk, table, memoryBytes, signal }: SmallRows,
): AsyncGenerator<Buffer> {
  const limit = within(memoryBytes / 4096, ROW_BYTES)
  const take = (row: LargeRow): Promise<void> => large.take(row)
  yield* withoutLargeRows(csv, { columns: table.columns, limit, folder: desk.folder, signal, take })
  await large.flush()
}

/**
 * Files of a statement's result, sorted by `table.sortBy`, flushed to disk.
 * @param values the statement; its columns are the table's, by their Parquet names
 * @throws as `writeParquet`
 */
export async function writeRows(
  desk: Desk,
  request: WriteRequest,
  memoryBytes: number,
  values: string,
): Promise<readonly WrittenFile[]> {
  const { folder, signal } = request
  const at = await desk.named(folder)
  const written = await interruptibleDuckdb(desk, signal, () => copiedFiles(desk, values, request, at, { memoryBytes }))
  return settled(inOrder(written), request)
}

function inOrder(files: CopiedFile): CopiedFile {
  return files.toSorted((a, b) => a.at - b.at)
}

/** Removes empty files, and gives the others their final names. */
async function settled(
  written: CopiedFile,
  { folder, prefix }: Pick<WriteRequest, 'folder' | 'prefix'>,
): Promise<readonly WrittenFile[]> {
  const files: WrittenFile[] = []
  for (const { name, rows } of written) {
    const found = join(folder, name)
    if (rows === 0n) {
      await rm(found)
      continue
    }
    const final = `${prefix}-${String(files.length).padStart(5, '0')}.parquet`
    const file = join(folder, final)
    // DuckDB does not pad its numbers, so a file has its final name only if its number has five digits.
    if (name !== final) {
      await renameIfAbsent(found, file).catch((error: unknown) => {
        throw fileErrorCode(error) === 'EEXIST' ? nameTaken(file) : error
      })
    }
    await syncPath(file)
    files.push({ name: final, rows, bytes: BigInt((await stat(file)).size) })
  }
  await syncPath(folder)
  return files
}

function csvSql({ columns }: StoredTable, path: string): string {
  const texts = columns.map((_, i) => `${wireName(i)}: 'VARCHAR'`).join(', ')
  return (
    `read_csv(${sqlLiteral(path)}, auto_detect = false, columns = {${texts}}, header = true, delim = ',', quote = '"', escape = '"', ` +
    `nullstr = '', allow_quoted_nulls = false, new_line = '\\n', comment = '', strict_mode = true, null_padding = false, ` +
    `ignore_errors = false, compression = 'none', buffer_size = ${PIECE_BYTES}, max_line_size = ${PIECE_BYTES}) AS wire`
  )
}
