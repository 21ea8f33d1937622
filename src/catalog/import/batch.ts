/**
 * Rows that an import has read and not yet written. A batch is written in one transaction with the table's new current
 * version, so readers see whole versions only, and a killed import loses at most one batch.
 */
import type { SqlReader, SqlTransaction, SqlValue } from '../../model/run/sql-port.ts'
import { groupBy } from '../../shared/group-by.ts'
import { dialectOf } from '../dialect.ts'
import { canonicalValues, valuesHash } from '../partition-values.ts'
import {
  ACTION_COLUMNS,
  COMMIT_COLUMNS,
  DOMAIN_COLUMNS,
  FILE_COLUMNS,
  METADATA_COLUMNS,
  PARTITION_COLUMNS,
  columnPlaces,
  PROTOCOL_COLUMNS,
  rowOf,
  TXN_COLUMNS,
} from '../relations.ts'
import { FILE, type FileRow } from './rows.ts'
import { setMany } from './set-many.ts'
import { inLists } from '../in-lists.ts'

const { first_file_no: FIRST_FILE_NO } = columnPlaces(COMMIT_COLUMNS)
/** Maximum number of cached partitions; above it the cache is cleared and the table is queried again. */
const MAX_REMEMBERED_PARTITIONS = 200_000
const HASHES_PER_QUERY = 400

export class Batch {
  readonly files: FileRow[] = []
  /** A commit row, and the index of its first file in `files` (or null): `writeBatch` sets `first_file_no`. */
  readonly commits: { readonly row: SqlValue[]; readonly firstFile: number | null }[] = []
  readonly actions: SqlValue[][] = []
  readonly metadata: SqlValue[][] = []
  readonly protocols: SqlValue[][] = []
  readonly txns: SqlValue[][] = []
  readonly domains: SqlValue[][] = []
  /** Files added by an earlier import and removed by this one: row number and version. */
  readonly closes: { readonly fileNo: number; readonly version: number }[] = []

  /** Number of rows that count towards the batch size. */
  get size(): number {
    return this.files.length + this.actions.length + this.closes.length + this.commits.length
  }

  /** Moves the rows into a new batch; this one is then empty. */
  take(): Batch {
    const taken = new Batch()
    moveRows(this.files, taken.files)
    moveRows(this.commits, taken.commits)
    moveRows(this.actions, taken.actions)
    moveRows(this.metadata, taken.metadata)
    moveRows(this.protocols, taken.protocols)
    moveRows(this.txns, taken.txns)
    moveRows(this.domains, taken.domains)
    moveRows(this.closes, taken.closes)
    return taken
  }
}

/** Numbers of files, and of partitions by their values, kept across batches: only the import writes this table. */
export class FileNumbers {
  readonly #tableId: string
  readonly #numbers = new Map<string, number>()
  #nextFile: number | null = null

  constructor(tableId: string) {
    this.#tableId = tableId
  }

  /** Sets the partition number of every file row, and creates rows for new partitions. */
  async assignPartitions(transaction: SqlTransaction, files: readonly FileRow[]): Promise<void> {
    if (this.#numbers.size > MAX_REMEMBERED_PARTITIONS) this.#numbers.clear()
    const unknown = new Set<string>()
    for (const row of files) {
      const values = row[FILE.partition_values] as string
      if (!this.#numbers.has(values)) unknown.add(values)
    }
    if (unknown.size > 0) await this.#number(transaction, [...unknown])
    for (const row of files) row[FILE.partition_no] = this.#numbers.get(row[FILE.partition_values] as string) as number
  }

  async #number(transaction: SqlTransaction, unknown: readonly string[]): Promise<void> {
    // Several texts may mean one partition: its row stores the first text.
    const partitions = groupBy(unknown, canonicalValues)
    const numbers = new Map<string, number>()
    // Rows of older programs are found by the hash of the original text.
    const hashes = [...new Set([...partitions].flatMap(([values, texts]) => [values, ...texts]))].map(valuesHash)
    for (const { some, marks } of inLists(hashes, HASHES_PER_QUERY)) {
      const found = await transaction.all(
        `SELECT partition_no, partition_values FROM delta_partitions WHERE table_id = ? AND values_hash IN (${marks})`,
        [this.#tableId, ...some],
      )
      for (const [number, text] of found) {
        const values = canonicalValues(text as string)
        numbers.set(values, Math.min(number as number, numbers.get(values) ?? Infinity))
      }
    }
    const fresh = [...partitions].filter(([values]) => !numbers.has(values))
    if (fresh.length > 0) {
      const first = await nextNumber(transaction, this.#tableId, 'delta_partitions', 'partition_no')
      await transaction.load(
        'delta_partitions',
        PARTITION_COLUMNS,
        fresh.map(([values, [text]], i) =>
          rowOf<typeof PARTITION_COLUMNS, SqlValue>(PARTITION_COLUMNS, {
            partition_no: first + i,
            table_id: this.#tableId,
            values_hash: valuesHash(values),
            partition_values: text as string,
          }),
        ),
      )
      for (const [i, [values]] of fresh.entries()) numbers.set(values, first + i)
    }
    for (const [values, texts] of partitions) {
      for (const text of texts) this.#numbers.set(text, numbers.get(values) as number)
    }
  }

  /**
   * Reserves `count` numbers of files in the table; returns the first. Queries the table only once, because it has no
   * index during a load.
   */
  async reserveFiles(reader: SqlReader, count: number): Promise<number> {
    const first = this.#nextFile ?? (await nextNumber(reader, this.#tableId, 'delta_files', 'file_no'))
    this.#nextFile = first + count
    return first
  }

  /** Clears the cache after a rollback, which also removed the partitions that the transaction created. */
  forgetPartitions(): void {
    this.#numbers.clear()
  }
}

function moveRows<T>(from: T[], to: T[]): void {
  for (const row of from) to.push(row)
  from.length = 0
}

/**
 * Writes all rows of a batch; the caller updates the table's head in the same transaction.
 * @param reserved number of the first file row; null if numbers are taken from the database in this transaction
 * @returns the number of the first file row, or null if there is none
 */
export async function writeBatch(
  transaction: SqlTransaction,
  tableId: string,
  batch: Batch,
  numbers: FileNumbers,
  reserved: number | null,
): Promise<number | null> {
  let firstNumber: number | null = null
  if (batch.files.length > 0) {
    const first = reserved ?? (await nextNumber(transaction, tableId, 'delta_files', 'file_no'))
    firstNumber = first
    await numbers.assignPartitions(transaction, batch.files)
    batch.files.forEach((file, i) => void (file[FILE.file_no] = first + i))
    for (const { row: commit, firstFile } of batch.commits) {
      if (firstFile !== null) commit[FIRST_FILE_NO] = first + firstFile
    }
    await transaction.load('delta_files', FILE_COLUMNS, batch.files)
  }
  if (batch.commits.length > 0) {
    await transaction.load(
      'delta_commits',
      COMMIT_COLUMNS,
      batch.commits.map(({ row }) => row),
    )
  }
  if (batch.actions.length > 0) await transaction.load('delta_actions', ACTION_COLUMNS, batch.actions)
  if (batch.metadata.length > 0) await transaction.load('delta_metadata', METADATA_COLUMNS, batch.metadata)
  if (batch.protocols.length > 0) await transaction.load('delta_protocols', PROTOCOL_COLUMNS, batch.protocols)
  if (batch.txns.length > 0) await transaction.load('delta_txns', TXN_COLUMNS, batch.txns)
  if (batch.domains.length > 0) await transaction.load('delta_domains', DOMAIN_COLUMNS, batch.domains)
  const ends = { relation: 'delta_files', key: 'file_no', column: 'removed_version', tableId } as const
  await setMany(
    transaction,
    ends,
    batch.closes.map(({ fileNo, version }) => [fileNo, version]),
  )
  return firstNumber
}

/**
 * Next free number: the largest one plus 1. If numbers are unique in the database, only one writer runs at a time;
 * otherwise each table has its own numbers.
 */
async function nextNumber(reader: SqlReader, tableId: string, relation: string, column: string): Promise<number> {
  const ofTable = dialectOf(reader).numbering === 'table'
  const [row] = await reader.all(
    `SELECT coalesce(max(${column}), 0) FROM ${relation}${ofTable ? ' WHERE table_id = ?' : ''}`,
    ofTable ? [tableId] : [],
  )
  return 1 + (row?.[0] as number)
}
