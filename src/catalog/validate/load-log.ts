/** Loads the log into the scratch database: DuckDB parses commit lines and checkpoint rows. */
import { createHash } from 'node:crypto'
import { LOG_FOLDER } from '../../delta/log-path.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import type { SqlDatabase, SqlValue } from '../../model/run/sql-port.ts'
import type { LongLines } from './long-lines.ts'
import { badFile, objectsOf, linePieces } from './read-lines.ts'
import { loadCounted } from './scratch.ts'
import type { LogFile } from './window.ts'

/** Bytes of log per statement. This bounds memory, and 10,000 small commits need only a few dozen statements. */
const BATCH_BYTES = 16 << 20
const BATCH_PIECES = 4000

const SPLIT = `
INSERT INTO line
SELECT version, source, line, text, text, md5(text) FROM (
  SELECT version, source, unnest(generate_series(first_line, first_line + len(parts) - 1)) AS line, rtrim(unnest(parts), chr(13)) AS text
  FROM (SELECT version, source, first_line, string_split(decode(body), chr(10)) AS parts FROM piece))
WHERE trim(text, ' ' || chr(9) || chr(13)) <> ''`

const FILE_FIELDS = `"path":"VARCHAR","partitionValues":"JSON","size":"BIGINT","modificationTime":"BIGINT","dataChange":"BOOLEAN",
  "stats":"VARCHAR","stats_parsed":"JSON","tags":"JSON","deletionVector":"JSON","baseRowId":"BIGINT","defaultRowCommitVersion":"BIGINT",
  "clusteringProvider":"VARCHAR"`
const OTHER_KINDS = [
  'metaData',
  'protocol',
  'txn',
  'domainMetadata',
  'cdc',
  'commitInfo',
  'sidecar',
  'checkpointMetadata',
]
const STRUCTURE = `{"add":{${FILE_FIELDS}},"remove":{"path":"VARCHAR","deletionVector":"JSON","deletionTimestamp":"JSON","size":"JSON","partitionValues":"JSON"},${OTHER_KINDS.map((kind) => `"${kind}":"JSON"`).join()}}`

/** A line that DuckDB cannot read becomes NULL here and is handled separately; an error would not name the line. */
const PARSE = `
CREATE OR REPLACE TEMP TABLE parsed AS SELECT version, source, line, text, raw, digest, TRY(from_json(text, '${STRUCTURE}')) AS a FROM line`

/**
 * SQL for the id of a deletion vector (PROTOCOL.md, "Deletion Vectors", derived fields). An offset of 0 is part of the
 * id.
 */
const dvIdOf = (dv: string): string =>
  `(${dv}->>'storageType') || (${dv}->>'pathOrInlineDv') || coalesce('@' || (${dv}->>'offset'), '')`

/** Row count from valid JSON only; NULL from 2^53 on, as in the catalog. */
const COUNT = `nullif(least(TRY(CAST(regexp_extract(CAST(json_extract(coalesce(f.stats, f.stats_parsed), '$.numRecords') AS VARCHAR), '^\\d{1,16}$') AS BIGINT)), ${2 ** 53}), ${2 ** 53})`

const ADDS = `
INSERT INTO log_add
SELECT version, source, line, f.path, ${dvIdOf('f.deletionVector')}, f.size, f.modificationTime,
  ${COUNT},
  TRY_CAST(f.deletionVector->>'cardinality' AS BIGINT), CASE WHEN f.dataChange = false THEN '0' ELSE '1' END, coalesce(f.partitionValues, '{}'), f.stats,
  CASE WHEN f.stats IS NULL THEN f.stats_parsed END, f.tags, f.deletionVector, f.baseRowId, f.defaultRowCommitVersion,
  f.clusteringProvider, digest
FROM (SELECT version, source, line, digest, a."add" AS f FROM parsed WHERE source <> 3 AND a."add" IS NOT NULL)`

const REMOVES = `
INSERT INTO log_remove
SELECT version, source, line, f.path, ${dvIdOf('f.deletionVector')}, coalesce(TRY_CAST(f.deletionTimestamp AS BIGINT), 0), TRY_CAST(f.size AS BIGINT),
  f.partitionValues
FROM (SELECT version, source, line, a."remove" AS f FROM parsed WHERE source <> 3 AND a."remove" IS NOT NULL)`

const kindCases = ['add', 'remove', ...OTHER_KINDS]
  .map((kind) => `WHEN a."${kind}" IS NOT NULL THEN '${kind}'`)
  .join(' ')
const OTHERS = `
INSERT INTO log_other
SELECT version, source, line, CASE ${kindCases} ELSE 'unknown:' || coalesce(json_keys(text)[1], '') END, raw
FROM parsed WHERE a IS NOT NULL AND (source = 3 OR a."add" IS NULL)`

const UNREADABLE = 'SELECT DISTINCT version, source FROM parsed WHERE a IS NULL'
/** Statements that turn the rows of `line` into actions. */
export const PARSE_ACTIONS: readonly string[] = [PARSE, ADDS, REMOVES, OTHERS]
/** Statements that delete the loaded pieces and lines of a batch. */
export const EMPTY: readonly string[] = ['DELETE FROM piece', 'DELETE FROM line']

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')

/** Collects pieces of files and parses them in batches. */
export class LogLoader {
  readonly #log: LogStore
  readonly #scratch: SqlDatabase
  readonly #signal: AbortSignal
  readonly #long: LongLines | null
  readonly #names = new Map<string, string>()
  #pieces: SqlValue[][] = []
  #facts: SqlValue[][] = []
  readonly #marked: string[] = []
  #bytes = 0

  constructor(log: LogStore, scratch: SqlDatabase, signal: AbortSignal, long: LongLines | null = null) {
    this.#log = log
    this.#scratch = scratch
    this.#long = long
    this.#signal = signal
  }

  /** Names of files that begin with a byte order mark. */
  get marked(): readonly string[] {
    return this.#marked
  }

  /** Adds a file of JSON lines: a commit, or a checkpoint in JSON. */
  async add(file: LogFile, source: number): Promise<void> {
    throwIfAborted(this.#signal)
    const path = `${LOG_FOLDER}/${file.name}`
    this.#names.set(`${file.version}/${source}`, path)
    const pieces = linePieces(this.#log, path, this.#signal)
    for (let next = await pieces.next(); ; next = await pieces.next()) {
      if (next.done === true) {
        if (next.value.isMarked) this.#marked.push(file.name)
        this.#facts.push([file.version, source, next.value.bytes, next.value.digest, file.modified])
        break
      }
      this.#long?.piece(path, next.value)
      this.#pieces.push([file.version, source, next.value.firstLine, next.value.body])
      this.#bytes += next.value.body.length
      if (this.#bytes >= BATCH_BYTES || this.#pieces.length >= BATCH_PIECES) await this.flush()
    }
  }

  /** @throws SluiceError BAD_ACTION */
  async flush(): Promise<void> {
    const [pieces, facts] = [this.#pieces, this.#facts]
    this.#pieces = []
    this.#facts = []
    this.#bytes = 0
    const unreadable = await this.#scratch.write(async (transaction) => {
      await loadCounted(transaction, 'piece', ['version', 'source', 'first_line', 'body'], pieces)
      await loadCounted(transaction, 'log_file', ['version', 'source', 'bytes', 'digest', 'modified'], facts)
      for (const statement of [SPLIT, ...PARSE_ACTIONS]) await transaction.run(statement)
      const found = await transaction.all(UNREADABLE)
      for (const statement of EMPTY) await transaction.run(statement)
      return found
    })
    for (const [version, source] of unreadable) await this.#loadObjects(Number(version), Number(source))
  }

  /** Loads a file again if not every line is JSON by itself. */
  async #loadObjects(version: number, source: number): Promise<void> {
    const path = this.#names.get(`${version}/${source}`) ?? ''
    const chunks: Buffer[] = []
    for await (const chunk of this.#log.read(path, { signal: this.#signal })) chunks.push(chunk)
    const content = Buffer.concat(chunks).toString('utf8')
    const objects = objectsOf(content.startsWith('\ufeff') ? content.slice(1) : content, path)
    // DuckDB reads the repaired text; the digest is of the original line in the file.
    const rows = objects.map(({ line, raw, text }) => [version, source, line, text, raw, md5(raw)])
    await this.#scratch.write(async (transaction) => {
      for (const table of ['log_add', 'log_remove', 'log_other']) {
        await transaction.run(`DELETE FROM ${table} WHERE version = ? AND source = ?`, [version, source])
      }
      await loadCounted(transaction, 'line', ['version', 'source', 'line', 'text', 'raw', 'digest'], rows)
      for (const statement of PARSE_ACTIONS) await transaction.run(statement)
      const [bad] = await transaction.all('SELECT min(line) FROM parsed WHERE a IS NULL')
      for (const statement of EMPTY) await transaction.run(statement)
      if (bad?.[0] !== null) throw badFile(`${path}:${String(bad?.[0])}`, 'no JSON object')
    })
  }
}
