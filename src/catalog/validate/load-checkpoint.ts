/** Loads a checkpoint into the scratch database: DuckDB renders its Parquet rows as JSON, and reads them like lines. */
import { LOG_FOLDER, SIDECAR_FOLDER } from '../../delta/log-path.ts'
import { canonicalPath, decodeOnce } from '../../delta/paths.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { sqlLiteral, quotedName } from '../../shared/sql-text.ts'
import type { SqlDatabase, SqlTransaction } from '../../model/run/sql-port.ts'
import { EMPTY, PARSE_ACTIONS, type LogLoader } from './load-log.ts'
import type { Checkpoint } from './window.ts'
import { countOf } from '../count-rows.ts'

/** Checkpoint rows per statement. */
const BATCH_ROWS = 100_000

/** Columns that are not rendered: both repeat other fields, and take most of the time. */
const REPEATED = new Set(['partitionValues_parsed', 'stats_parsed'])

type At = {
  readonly log: LogStore
  readonly scratch: SqlDatabase
  readonly loader: LogLoader
  readonly signal: AbortSignal
}

/**
 * Loads all rows of a checkpoint, rows of its sidecars after rows of its own files.
 * @returns number of rows in its own files, and in the sidecars
 * @throws SluiceError BAD_CHECKPOINT if a file cannot be read to its end
 */
export async function loadCheckpoint(
  at: At,
  checkpoint: Checkpoint,
  source: number,
): Promise<{ own: number; sidecars: number }> {
  let rows = 0
  for (const file of checkpoint.files) {
    throwIfAborted(at.signal)
    if (file.name.endsWith('.json')) {
      await at.loader.add(file, source)
      await at.loader.flush()
      rows += await linesOf(at, checkpoint.version, source)
    } else rows += await loadParquet(at, `${LOG_FOLDER}/${file.name}`, checkpoint.version, source, rows)
  }
  const own = rows
  for (const { path } of await sidecarsOf(at, checkpoint.version, source)) {
    rows += await loadParquet(at, path, checkpoint.version, source, rows)
  }
  return { own, sidecars: rows - own }
}

/** Numbers the rows as the catalog does: across all files, without rows that only describe the checkpoint. */
export const RENUMBER: readonly string[] = [
  `DELETE FROM log_other WHERE source IN (1, 2) AND (kind IN ('sidecar', 'checkpointMetadata') OR kind = 'unknown:' OR raw = '{}')`,
  `CREATE TEMP TABLE numbered AS SELECT version, source, line, row_number() OVER (PARTITION BY version, source ORDER BY line) AS row
   FROM (SELECT version, source, line FROM log_add WHERE source = 1 UNION ALL SELECT version, source, line FROM log_other WHERE source = 1)`,
  `UPDATE log_add SET line = n.row FROM numbered n
   WHERE log_add.source = 1 AND n.version = log_add.version AND n.line = log_add.line AND n.row <> n.line`,
  `UPDATE log_other SET line = n.row FROM numbered n
   WHERE log_other.source = 1 AND n.version = log_other.version AND n.line = log_other.line AND n.row <> n.line`,
  'DROP TABLE numbered',
]

/** Deletes the rows of a checkpoint that is broken or no longer needed. */
export async function forgetCheckpoint(scratch: SqlDatabase, version: number, source: number): Promise<void> {
  await scratch.write(async (transaction) => {
    for (const table of ['log_add', 'log_remove', 'log_other']) {
      await transaction.run(`DELETE FROM ${table} WHERE version = ? AND source = ?`, [version, source])
    }
  })
}

async function linesOf({ scratch }: At, version: number, source: number): Promise<number> {
  const [row] = await scratch.all(
    `SELECT greatest((SELECT coalesce(max(line), 0) FROM log_add WHERE version = $1 AND source = $2),
       (SELECT coalesce(max(line), 0) FROM log_other WHERE version = $1 AND source = $2))`,
    [version, source],
  )
  return Number(row?.[0] ?? 0)
}

type Sidecar = { readonly path: string; readonly bytes: number }

async function sidecarsOf(
  { scratch, log }: Pick<At, 'scratch' | 'log'>,
  version: number,
  source: number,
): Promise<readonly Sidecar[]> {
  const rows = await scratch.all(
    `SELECT raw->>'$.sidecar.path', raw->>'$.sidecar.sizeInBytes' FROM log_other WHERE version = ? AND source = ? AND kind = 'sidecar' ORDER BY line`,
    [version, source],
  )
  return rows.map(([path, bytes]) => {
    const text = String(path)
    // The path of a sidecar is usually a bare name; otherwise it is relative to the table.
    const place = text.includes('/') ? canonicalPath(text, log.root) : `${SIDECAR_FOLDER}/${decodeOnce(text)}`
    return { path: place, bytes: Number(bytes) }
  })
}

/**
 * Refuses a loaded V2 checkpoint whose `checkpointMetadata` has another version, or whose sidecar files have other
 * sizes than it records. Some readers refuse it, too.
 * @throws SluiceError BAD_CHECKPOINT
 */
export async function refuseContradicted(
  { log, scratch, signal }: Omit<At, 'loader'>,
  { version, files }: Checkpoint,
  source: number,
): Promise<void> {
  const name = `${LOG_FOLDER}/${files[0]?.name ?? ''}`
  const said = await scratch.all(
    `SELECT raw->>'$.checkpointMetadata.version' FROM log_other WHERE version = ? AND source = ? AND kind = 'checkpointMetadata'`,
    [version, source],
  )
  for (const [own] of said)
    if (Number(own) !== version) throw badCheckpoint(`its checkpointMetadata has version ${String(own)}`, name)
  for (const { path, bytes } of await sidecarsOf({ log, scratch }, version, source)) {
    const size = (await log.head(path, signal))?.size
    if (size !== bytes) throw badCheckpoint(`it has ${size ?? 'no'} bytes, and the checkpoint records ${bytes}`, path)
  }
}

async function loadParquet(at: At, path: string, version: number, source: number, before: number): Promise<number> {
  try {
    await using local = await at.log.localFile(path, at.signal)
    const from = `read_parquet(${sqlLiteral(literally(local.file))}, file_row_number = true)`
    const rows = await countOf(at.scratch, from)
    for (let first = 0; first < rows; first += BATCH_ROWS) {
      throwIfAborted(at.signal)
      await at.scratch.write(async (transaction) => {
        const select = await rowsAsJson(transaction, from)
        const range = `file_row_number >= ${first} AND file_row_number < ${first + BATCH_ROWS}`
        const number = `file_row_number + ${1 + before}`
        await transaction.run(
          `INSERT INTO line SELECT ${version}, ${source}, ${number}, text, text, NULL
           FROM (SELECT file_row_number, CAST(${select} AS VARCHAR) AS text FROM ${from} WHERE ${range})`,
        )
        for (const statement of [...PARSE_ACTIONS, ...EMPTY]) await transaction.run(statement)
      })
    }
    return rows
  } catch (error) {
    throw badCheckpoint(error, path)
  }
}

/** SQL expression for one row as the JSON object of a commit line. */
async function rowsAsJson(transaction: SqlTransaction, from: string): Promise<string> {
  const columns = await transaction.all(`SELECT column_name FROM (DESCRIBE SELECT * FROM ${from})`)
  const parts: string[] = []
  for (const [name] of columns) {
    const column = String(name)
    if (column === 'file_row_number') continue
    parts.push(`${sqlLiteral(column)}, ${column === 'add' ? await addAsStruct(transaction, from) : quotedName(column)}`)
  }
  return `json_object(${parts.join(', ')})`
}

/** The `add` column without repeated fields; stats_parsed stays for rows without stats. */
async function addAsStruct(transaction: SqlTransaction, from: string): Promise<string> {
  const names = await transaction.all(`SELECT column_name FROM (DESCRIBE SELECT unnest("add") FROM ${from})`)
  const fields = names.map(([name]) => String(name))
  if (fields.length === 0) return 'NULL'
  const field = (name: string): string => `"add".${quotedName(name)}`
  const kept = fields.filter((name) => !REPEATED.has(name)).map((name) => `${sqlLiteral(name)}, ${field(name)}`)
  if (fields.includes('stats_parsed')) {
    const json = withWholeDigits(field('stats_parsed'))
    const unlessText = fields.includes('stats') ? `CASE WHEN ${field('stats')} IS NULL THEN ${json} END` : json
    kept.push(`'stats_parsed', ${unlessText}`)
  }
  return `CASE WHEN "add" IS NOT NULL THEN json_object(${kept.join(', ')}) END`
}

/**
 * DuckDB prints a decimal whose precision equals its scale as `.5`, which is invalid JSON. The pattern matches only a
 * number after the closing quote of a name, never text in a string.
 */
function withWholeDigits(struct: string): string {
  return String.raw`CAST(regexp_replace(CAST(to_json(${struct}) AS VARCHAR), '([^\\:{,]":-?)\.', '\10.', 'g') AS JSON)`
}

/** Escapes the characters of a file name that DuckDB would read as a glob pattern. */
function literally(file: string): string {
  return file.replace(/[*?[]/g, '[$&]')
}

function badCheckpoint(error: unknown, path: string): unknown {
  if (error instanceof SluiceError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new SluiceError('BAD_CHECKPOINT', `${path}: ${message}`, {
    where: path,
    hint: 'restore the file from a copy: it is damaged or incomplete',
    cause: error,
  })
}
