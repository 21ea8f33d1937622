/**
 * Reads checkpoints and sidecars by DuckDB. Its result streams end without an error when a query fails half-way, so
 * rows are read by COPY, which reports it. Three facts must agree before a file counts as read: the rows that COPY
 * reports, the lines that arrived, and a mark on the row that is the last one by the row count of the footer.
 */
import { rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { sourceGone } from '../../model/lake/missing-file.ts'
import { PARQUET_THREADS } from '../../model/lake/parquet-rows.ts'
import type { ParquetFacts, ParquetRows, ParquetSelection } from '../../model/lake/parquet-rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import { permissionDenied } from '../../shared/guide-errors.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { makeSpool } from '../../shared/spool.ts'
import { sqlLiteral, openDuckDb, SharedDuckDb } from './instance.ts'
import { rowsSql } from './parquet-json.ts'
import { parquetColumns } from './parquet-types.ts'
import { rowPipe } from './row-pipe.ts'

/** Enough for one row group of a checkpoint with one thread; the checkpoint of 1 million files needs much less. */
const MEMORY_LIMIT = '768MB'
/** Larger files (bytes of Parquet) go through a FIFO instead of a temporary file, from a separate instance. */
const LARGE = 4 << 20
/** Ends the line of the file's last row. JSON text never contains a raw control character. */
const LAST_MARK = '\u0002'
const LF = 10
/** Columns of a checkpoint (PROTOCOL.md, "Checkpoint Schema"). */
const COLUMNS: ReadonlySet<string> = new Set(
  'txn add remove metaData protocol domainMetadata checkpointMetadata sidecar'.split(' '),
)

/** A file open on its own connection, with a private folder. */
type OpenParquet = {
  readonly connection: DuckDBConnection
  /** The file as an SQL literal. */
  readonly source: string
  readonly folder: string
  readonly facts: ParquetFacts
  readonly bytes: number
  readonly close: () => Promise<void>
}

function badParquet(message: string, file: string, cause?: unknown): SluiceError {
  return new SluiceError('BAD_CHECKPOINT', `the checkpoint cannot be read: ${message}`, {
    where: file,
    reason: 'the file is cut short, corrupt or not Parquet',
    cause,
  })
}

/** Classifies an error of DuckDB: the file's fault, the machine's, or an abort. */
function parquetError(error: unknown, file: string, signal: AbortSignal): unknown {
  throwIfAborted(signal)
  if (error instanceof SluiceError) return error
  const message = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error)
  if (/^Out of Memory/i.test(message)) {
    return new SluiceError('SOURCE_IO', `not enough memory to read the checkpoint: ${message}`, {
      where: file,
      cause: error,
    })
  }
  if (/no space left/i.test(message)) {
    const hint = 'free some space in this folder, or set TMPDIR to a folder on a larger disk'
    const kind = { kind: 'source' as const, where: tmpdir(), hint, cause: error }
    return new SluiceError('NO_SPACE', 'no space left for the temporary file of a checkpoint', kind)
  }
  if (/^(IO Error: No files found|.*No such file or directory)/i.test(message)) {
    return sourceGone('file', file, { cause: error })
  }
  if (/Permission denied/i.test(message)) {
    return new SluiceError(...permissionDenied('SOURCE_DENIED', { where: file, cause: error }))
  }
  return badParquet(message, file, error)
}

async function rowCount(connection: DuckDBConnection, source: string, file: string): Promise<number> {
  const result = await connection.run(
    `SELECT f.num_rows::DOUBLE, (SELECT coalesce(sum(n), 0)::DOUBLE FROM (SELECT DISTINCT row_group_id, row_group_num_rows AS n ` +
      `FROM parquet_metadata(${source}))) FROM parquet_file_metadata(${source}) f`,
  )
  const row = (await result.getRows())[0]
  const [rows, grouped] = [Number(row?.[0]), Number(row?.[1])]
  if (!Number.isSafeInteger(rows) || rows < 0) throw badParquet('the footer has no row count', file)
  if (rows !== grouped) throw badParquet(`the footer records ${rows} rows, but its row groups have ${grouped}`, file)
  return rows
}

/** A name that DuckDB reads as this one file: names with pattern or control characters get a symbolic link. */
async function plainName(file: string, folder: string): Promise<string> {
  if (!/[*?[\]{}\\\u0000-\u001f]/.test(file)) return file
  const link = join(folder, 'source.parquet')
  await symlink(file, link)
  return link
}

async function openParquet(shared: SharedDuckDb, file: string, signal: AbortSignal): Promise<OpenParquet> {
  throwIfAborted(signal)
  const folder = await makeSpool()
  let close = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const { size: bytes } = await stat(file)
    const source = sqlLiteral(await plainName(file, folder))
    // An instance keeps the memory of a large file until it is closed, so such a file gets its own.
    const own =
      bytes > LARGE
        ? await openDuckDb({
            threads: PARQUET_THREADS,
            memoryLimit: MEMORY_LIMIT,
            tempDirectory: join(folder, 'spill'),
          })
        : null
    const connection = own === null ? await shared.connect() : own.connection
    close = async () => {
      if (own === null) shared.release(connection)
      else own[Symbol.dispose]()
      await rm(folder, { recursive: true, force: true })
    }
    const rows = await rowCount(connection, source, file)
    const facts = { rows, columns: await parquetColumns(connection, source) }
    // A column with a damaged name would be skipped as unknown: all files would silently be missing.
    const names = facts.columns.map(({ name }) => name)
    const unknown = names.find((name) => !COLUMNS.has(name))
    if (rows > 0 && unknown !== undefined && !names.includes('add') && !names.includes('sidecar'))
      throw badParquet(`it has a column '${unknown}', but none for files`, file)
    return { connection, source, folder, facts, bytes, close }
  } catch (error) {
    await close()
    throw parquetError(error, file, signal)
  }
}

/**
 * Follows the lines of a COPY: counts them, and keeps the latest line until another one follows. Returns only whole
 * lines, in pieces of some 100 KB.
 */
class LineTail {
  #held: Buffer[] = []
  #length = 0
  lines = 0

  /** Takes a chunk; returns whole lines that are surely not the last, or null. */
  take(chunk: Buffer): Buffer | null {
    this.#held.push(chunk)
    this.#length += chunk.length
    if (this.#length < 1 << 17) return null
    const all = this.#joined()
    // A line break at the end of the buffer does not count: the line before it may be the last one.
    const cut = all.lastIndexOf(LF, all.length - 2) + 1
    this.#hold(all.subarray(cut))
    return cut === 0 ? null : this.#counted(all.subarray(0, cut))
  }

  /** The remaining lines without the mark; null if the mark is missing. */
  end(): Buffer | null {
    const all = this.#joined()
    if (all.at(-1) !== LF || all.at(-2) !== LAST_MARK.charCodeAt(0)) return null
    this.#counted(all)
    const unmarked = all.subarray(0, -2)
    // The last row is written for its mark even if it has nothing that was requested.
    return unmarked.length >= 2 &&
      unmarked.subarray(-2).toString() === '{}' &&
      (unmarked.length === 2 || unmarked.at(-3) === LF)
      ? unmarked.subarray(0, -2)
      : Buffer.concat([unmarked, Buffer.of(LF)])
  }

  #joined(): Buffer {
    return this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held)
  }

  #hold(rest: Buffer): void {
    this.#held = rest.length === 0 ? [] : [rest]
    this.#length = rest.length
  }

  #counted(bytes: Buffer): Buffer {
    for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) this.lines++
    return bytes
  }
}

/** `ParquetRows` that can also read a file without returning rows, to check in advance that it is sound. */
export interface ProvingParquetRows extends ParquetRows {
  /** Decodes exactly the values that `lines` would render. @throws SluiceError BAD_CHECKPOINT */
  prove(file: string, selection: ParquetSelection, signal: AbortSignal): Promise<void>
}

class DuckDbParquetRows implements ProvingParquetRows {
  readonly #shared = new SharedDuckDb({ threads: PARQUET_THREADS, memoryLimit: MEMORY_LIMIT })

  async facts(file: string, signal: AbortSignal): Promise<ParquetFacts> {
    const parquet = await openParquet(this.#shared, file, signal)
    await parquet.close()
    return parquet.facts
  }

  async *lines(file: string, selection: ParquetSelection, signal: AbortSignal): AsyncGenerator<Buffer> {
    const parquet = await openParquet(this.#shared, file, signal)
    try {
      const { connection, source, folder, facts, bytes } = parquet
      const sql = rowsSql(facts.columns, selection)
      if (sql === null || facts.rows === 0) return
      const last = `file_row_number = ${facts.rows - 1}`
      const rows = `SELECT ${sql.line} || CASE WHEN ${last} THEN chr(2) ELSE '' END FROM read_parquet(${source}, file_row_number = true)`
      // The text is written unchanged: without quotes nothing needs escapes, and the delimiter cannot occur.
      const form = `FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\u0001', USE_TMP_FILE false`
      const copy = (target: string): string =>
        `COPY (${rows} WHERE ${sql.present} OR ${last}) TO ${sqlLiteral(target)} (${form})`
      const tail = new LineTail()
      const pipe = rowPipe(connection, copy, { folder, large: bytes > LARGE, signal })
      for await (const chunk of pipe) {
        throwIfAborted(signal)
        const lines = tail.take(chunk)
        if (lines !== null) yield lines
      }
      throwIfAborted(signal)
      const rest = tail.end()
      if (rest === null)
        throw badParquet(`row ${facts.rows}, the last one according to the footer, was not received`, file)
      if (tail.lines !== pipe.rows())
        throw badParquet(`${pipe.rows()} rows were read, but ${tail.lines} were received`, file)
      if (rest.length > 0) yield rest
    } catch (error) {
      throw parquetError(error, file, signal)
    } finally {
      await parquet.close()
    }
  }

  async prove(file: string, selection: ParquetSelection, signal: AbortSignal): Promise<void> {
    const parquet = await openParquet(this.#shared, file, signal)
    const stop = (): void => {
      parquet.connection.interrupt()
    }
    signal.addEventListener('abort', stop, { once: true })
    try {
      const { connection, source, facts } = parquet
      const sql = rowsSql(facts.columns, selection)
      if (sql === null || facts.rows === 0) return
      const hashed = `bit_xor(hash(${sql.leaves.join(', ')}))`
      const result = await connection.run(`SELECT count(*)::DOUBLE, ${hashed}::VARCHAR FROM read_parquet(${source})`)
      const count = Number((await result.getRows())[0]?.[0])
      if (count !== facts.rows) throw badParquet(`the footer records ${facts.rows} rows, but ${count} were found`, file)
    } catch (error) {
      throw parquetError(error, file, signal)
    } finally {
      signal.removeEventListener('abort', stop)
      await parquet.close()
    }
  }
}

/** Parquet by DuckDB; every call has its own connection, so calls may run in parallel. */
export function duckdbParquetRows(): ProvingParquetRows {
  return new DuckDbParquetRows()
}
