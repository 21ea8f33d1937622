/** Copies the catalog's rows of one table to the scratch database, every value as text, to compare what is stored. */
import { createHash } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { canonicalPath } from '../../delta/paths.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import { keyHash } from '../../shared/hash.ts'
import type { SqlDatabase, SqlReader, SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import { canonicalValues, valuesHash } from '../partition-values.ts'
import { rebuildAddLine } from '../rebuild.ts'
import {
  ACTION_COLUMNS,
  COMMIT_COLUMNS,
  DOMAIN_COLUMNS,
  FILE_COLUMNS,
  METADATA_COLUMNS,
  PARTITION_COLUMNS,
  columnPlaces,
  PROTOCOL_COLUMNS,
  TXN_COLUMNS,
} from '../relations.ts'
import type { LongLines } from './long-lines.ts'
import { loadPacked } from './scratch.ts'
import { countOf } from '../count-rows.ts'

const PAGE_ROWS = 5000

export const TABLE_COLUMNS = [
  'table_id',
  'location',
  'metadata_id',
  'name',
  'description',
  'import_id',
  'current_version',
  'history_from',
  'current_commit_time',
  'cursor',
  'num_files',
  'num_bytes',
  'num_records',
  'protocol',
  'schema',
  'partition_columns',
  'configuration',
  'refused',
  'created_at',
  'updated_at',
] as const

/**
 * Binary columns. All others are read as text: integers may exceed 2^53, and a damaged catalog may contain any value.
 */
const BINARY = new Set(['raw', 'add_raw', 'log_digest'])

type Texts = readonly (string | null)[]

type Relation = {
  readonly name: string
  readonly columns: readonly string[]
  /** Columns that only the scratch relation has, computed by `extra`. */
  readonly more: readonly string[]
  readonly extra: (row: SqlRow, root: string) => Texts
}

const none = (): Texts => []
const RELATIONS: readonly Relation[] = [
  { name: 'delta_tables', columns: TABLE_COLUMNS, more: [], extra: none },
  { name: 'delta_commits', columns: COMMIT_COLUMNS, more: [], extra: none },
  { name: 'delta_partitions', columns: PARTITION_COLUMNS, more: ['expected_hash'], extra: partitionExtra },
  { name: 'delta_files', columns: FILE_COLUMNS, more: ['key', 'expected_hash', 'digest'], extra: fileExtra },
  { name: 'delta_actions', columns: ACTION_COLUMNS, more: [], extra: none },
  { name: 'delta_metadata', columns: METADATA_COLUMNS, more: [], extra: none },
  { name: 'delta_protocols', columns: PROTOCOL_COLUMNS, more: [], extra: none },
  { name: 'delta_txns', columns: TXN_COLUMNS, more: [], extra: none },
  { name: 'delta_domains', columns: DOMAIN_COLUMNS, more: [], extra: none },
  { name: 'migration_status', columns: ['import_id', 'status', 'version'], more: [], extra: none },
]

/** Name of a relation's copy. */
export const copyOf = (relation: string): string => relation.replace('delta_', 'cat_')

/** Copies the rows of a table from the catalog in one read transaction; each relation's number of rows is checked. */
export async function loadCatalog(
  catalog: SqlDatabase,
  scratch: SqlDatabase,
  tableId: string,
  root: string,
  long: LongLines,
  signal: AbortSignal,
): Promise<void> {
  await scratch.write(async (transaction) => {
    for (const { name, columns, more } of RELATIONS) {
      await transaction.run(
        `CREATE TABLE ${copyOf(name)} (${[...columns, ...more].map((c) => `"${c}" VARCHAR`).join(', ')})`,
      )
    }
  })
  await catalog.read(async (reader) => {
    for (const relation of RELATIONS) await copy(reader, scratch, relation, tableId, root, long, signal)
  })
}

async function copy(
  reader: SqlReader,
  scratch: SqlDatabase,
  relation: Relation,
  tableId: string,
  root: string,
  long: LongLines,
  signal: AbortSignal,
): Promise<void> {
  const list = relation.columns.map((c) => (BINARY.has(c) ? c : `CAST("${c}" AS TEXT)`)).join(', ')
  const where = `FROM ${relation.name} WHERE table_id = ?`
  const [promised] = await reader.all(`SELECT count(*) ${where}`, [tableId])
  const target = copyOf(relation.name)
  const columns = [...relation.columns, ...relation.more]
  for await (const page of reader.pages(`SELECT ${list} ${where}`, [tableId], PAGE_ROWS)) {
    throwIfAborted(signal)
    const rows = page.map((row) => [
      ...row.map((value, i) => {
        const text = asText(value, relation.columns[i] === 'log_digest')
        if (text !== null) long.text(`${relation.name}.${relation.columns[i] ?? ''} of the catalog`, text)
        return text
      }),
      ...relation.extra(row, root),
    ])
    await loadPacked(scratch, target, columns, rows)
  }
  const arrived = await countOf(scratch, target)
  if (arrived !== Number(promised?.[0])) {
    throw new Error(`${relation.name} holds ${String(promised?.[0])} rows of the table, but ${arrived} were read`)
  }
}

/** Text of a value: bytes as UTF-8 if they are valid, else in hexadecimal, so that damaged values differ. */
function asText(value: SqlValue, inHex: boolean): string | null {
  if (value === null || typeof value === 'string') return value
  if (!(value instanceof Uint8Array)) return String(value)
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (inHex) return bytes.toString('hex')
  return isUtf8(bytes) ? bytes.toString('utf8') : `bytes ${bytes.toString('hex')}`
}

const FILE = columnPlaces(FILE_COLUMNS)

/** Canonical path, its key hash, and the digest of the line rebuilt from the row. */
function fileExtra(row: SqlRow, root: string): Texts {
  const string = (i: number): string | null => (row[i] as string | null) ?? null
  const key = canonicalPath(string(FILE.path) ?? '', root)
  const hash = String(keyHash(key, string(FILE.dv_id)))
  if (string(FILE.from_checkpoint) === '1') return [key, hash, null]
  const number = (i: number): number => Number(row[i])
  const numberOrNull = (i: number): number | null => (row[i] === null ? null : Number(row[i]))
  const line =
    row[FILE.add_raw] ??
    rebuildAddLine({
      path: string(FILE.path) ?? '',
      partitionValues: string(FILE.partition_values),
      tags: string(FILE.tags),
      deletionVector: string(FILE.deletion_vector),
      stats: string(FILE.stats),
      size: number(FILE.size),
      modificationTime: number(FILE.modification_time),
      dataChange: string(FILE.data_change) === '1',
      baseRowId: numberOrNull(FILE.base_row_id),
      defaultRowCommitVersion: numberOrNull(FILE.default_row_commit_version),
      clusteringProvider: string(FILE.clustering_provider),
    })
  const md5 = createHash('md5')
    .update(line as string | Uint8Array)
    .digest('hex')
  return [key, hash, md5]
}

const PARTITION = columnPlaces(PARTITION_COLUMNS)

/** The expected hash of the row's values. In rows of older programs the hash of the stored text is also correct. */
function partitionExtra(row: SqlRow): Texts {
  const text = String(row[PARTITION.partition_values])
  const stored = String(row[PARTITION.values_hash])
  return [stored === String(keyHash(text, null)) ? stored : hashOf(text)]
}

function hashOf(text: string): string | null {
  try {
    return String(valuesHash(canonicalValues(text)))
  } catch {
    return null
  }
}
