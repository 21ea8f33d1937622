/**
 * Writes checkpoints with DuckDB: writes the rows as lines of JSON to a file next to the target, then converts this
 * file to Parquet with one COPY and the protocol's types. All lines are written before the COPY, because the sizes of
 * row groups and buffers depend on them: memory stays bounded also for large statistics.
 */
import { open, rename, rm, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { CHECKPOINT_KINDS } from '../../model/lake/checkpoint-writer.ts'
import type {
  CheckpointKind,
  CheckpointRow,
  CheckpointWriter,
  WrittenCheckpoint,
} from '../../model/lake/checkpoint-writer.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import { spaceExhausted } from '../../shared/guide-errors.ts'
import { makeSpool } from '../../shared/spool.ts'
import { syncPath } from '../../shared/sync-path.ts'
import { CHECKPOINT_COLUMNS, CHECKPOINT_KEYS } from './checkpoint-schema.ts'
import { identifier, sqlLiteral, openDuckDb, type DuckDb } from './instance.ts'
import { interruptibleDuckdb } from './archive/ask.ts'

const MB = 1 << 20
/** Maximum text bytes of a row group, and limits for its number of rows, as in DuckDB and Spark. */
const GROUP_BYTES = 64 * MB
const GROUP_ROWS = { most: 122_880, least: 2_048 }
const BUFFER_BYTES = 4 * MB

type RowsText = {
  readonly bytes: number
  readonly longest: number
  readonly counts: Readonly<Record<CheckpointKind, number>>
}

class DuckDbCheckpointWriter implements CheckpointWriter {
  async write(
    file: string,
    rows: AsyncIterable<readonly CheckpointRow[]>,
    signal: AbortSignal,
  ): Promise<WrittenCheckpoint> {
    const text = `${file}.rows`
    const unfinished = `${file}.unfinished`
    const folder = await makeSpool()
    try {
      const found = await writeRows(text, rows, signal)
      // DuckDB would read some characters of a name as a pattern; this link's name has none.
      await symlink(resolve(dirname(file)), join(folder, 'at'))
      const near = (name: string): string => sqlLiteral(join(folder, 'at', basename(name)))
      using db = await openDuckDb({
        threads: 1,
        // A line is in memory several times: as text, as JSON, and as a value.
        memoryLimit: `${768 + Math.ceil((found.longest * 8) / MB)}MB`,
        tempDirectory: join(folder, 'spill'),
      })
      const count = await copyRows(db, { from: near(text), to: near(unfinished) }, found, signal)
      await rm(text)
      await compareRowCounts(db, near(unfinished), found, count, file)
      await syncPath(unfinished)
      const { size } = await stat(unfinished)
      await rename(unfinished, file)
      return { rows: count, bytes: size }
    } catch (error) {
      throw writeError(error, file, signal)
    } finally {
      for (const left of [text, unfinished]) await rm(left, { force: true })
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function writeRows(
  file: string,
  rows: AsyncIterable<readonly CheckpointRow[]>,
  signal: AbortSignal,
): Promise<RowsText> {
  const counts = { txn: 0, add: 0, remove: 0, metaData: 0, protocol: 0, domainMetadata: 0 }
  let bytes = 0
  let longest = 0
  let held: Buffer[] = []
  let heldBytes = 0
  const handle = await open(file, 'wx')
  const flush = async (): Promise<void> => {
    await handle.writeFile(Buffer.concat(held))
    bytes += heldBytes
    held = []
    heldBytes = 0
  }
  try {
    for await (const page of rows) {
      throwIfAborted(signal)
      for (const { kind, json } of page) {
        counts[kind]++
        const line = Buffer.from(`${json}\n`)
        longest = Math.max(longest, line.length)
        held.push(line)
        heldBytes += line.length
        if (heldBytes >= BUFFER_BYTES) await flush()
      }
    }
    await flush()
  } finally {
    await handle.close()
  }
  return { bytes, longest, counts }
}

async function copyRows(
  db: DuckDb,
  at: { readonly from: string; readonly to: string },
  text: RowsText,
  signal: AbortSignal,
): Promise<number> {
  const lines = Math.max(1, sum(text))
  const fitting = Math.floor(GROUP_BYTES / Math.max(1, text.bytes / lines))
  const group = Math.min(GROUP_ROWS.most, Math.max(GROUP_ROWS.least, fitting))
  const source = `read_json(${at.from}, format = 'newline_delimited', compression = 'uncompressed', columns = ${CHECKPOINT_COLUMNS}, maximum_object_size = ${Math.max(16 * MB, text.longest + 1024)})`
  const form = `FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE ${group}, USE_TMP_FILE false`
  const copy = `COPY (SELECT * FROM ${source}) TO ${at.to} (${form})`
  return (await interruptibleDuckdb(db, signal, () => db.connection.run(copy))).rowsChanged
}

/** Compares the row counts of each kind with the written file, to find a line that became an empty row. */
async function compareRowCounts(
  db: DuckDb,
  source: string,
  text: RowsText,
  copied: number,
  file: string,
): Promise<void> {
  const counts = CHECKPOINT_KINDS.map(
    (kind) => `count(${identifier(kind)}.${identifier(CHECKPOINT_KEYS[kind])})::DOUBLE`,
  )
  const result = await db.connection.run(`SELECT count(*)::DOUBLE, ${counts.join(', ')} FROM read_parquet(${source})`)
  const [all, ...byKind] = ((await result.getRows())[0] ?? []).map(Number)
  const wrong = CHECKPOINT_KINDS.find((kind, i) => byKind[i] !== text.counts[kind])
  if (wrong === undefined && all === sum(text) && copied === all) return
  const what = wrong === undefined ? `${sum(text)} rows` : `${text.counts[wrong]} rows of ${wrong}`
  throw new SluiceError('TARGET_IO', `the checkpoint does not have the ${what} that were written to it`, {
    where: file,
    hint: 'nothing was published: run the same command again, and report this error if it occurs again',
  })
}

function sum({ counts }: RowsText): number {
  return CHECKPOINT_KINDS.reduce((total, kind) => total + counts[kind], 0)
}

/** Maps DuckDB's errors about values or the disk; errors of the file system are returned unchanged. */
function writeError(error: unknown, file: string, signal: AbortSignal): unknown {
  throwIfAborted(signal)
  if (error instanceof SluiceError || !(error instanceof Error) || 'code' in error) return error
  const message = error.message.split('\n', 1)[0] ?? ''
  if (/no space left/i.test(message)) {
    return new SluiceError(...spaceExhausted({ where: file, cause: error }))
  }
  if (/Malformed JSON|JSON transform error/i.test(message)) {
    const why = message.replace(/^.*?in file ".*?", /, '')
    return new SluiceError('VALUE_REFUSED', `a Parquet checkpoint cannot store a value of this table (${why})`, {
      where: file,
      reason: 'Parquet stores only complete characters and numbers of 64 bits',
      cause: error,
    })
  }
  return new SluiceError('TARGET_IO', `the checkpoint cannot be written: ${message}`, { where: file, cause: error })
}

/** Each checkpoint is written by a new DuckDB. */
export function duckdbCheckpointWriter(): CheckpointWriter {
  return new DuckDbCheckpointWriter()
}
