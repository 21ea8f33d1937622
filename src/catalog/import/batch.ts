/**
 * What an import has read and not yet written. A batch is written in one transaction together with the table's new current version, so a
 * reader sees whole versions only and a killed import loses at most one batch.
 */
import { valuesHash } from '../../shared/hash.ts'
import type { SqlTransaction, SqlValue } from '../../stores/port.ts'
import {
  ACTION_COLUMNS,
  COMMIT_COLUMNS,
  DOMAIN_COLUMNS,
  FILE_COLUMNS,
  METADATA_COLUMNS,
  PARTITION_COLUMNS,
  PROTOCOL_COLUMNS,
  TXN_COLUMNS,
} from '../relations.ts'
import { FILE_NO_AT, PARTITION_NO_AT, type FileRow } from './rows.ts'

const FIRST_FILE_NO_AT = COMMIT_COLUMNS.indexOf('first_file_no')
const PARTITION_VALUES_AT = FILE_COLUMNS.indexOf('partition_values')
/** Distinct partitions remembered; above it the memory is dropped and the table asked again. */
const MAX_REMEMBERED_PARTITIONS = 200_000

export class Batch {
  readonly files: FileRow[] = []
  /** A commit row with the place of its first file among `files` (or null): its `first_file_no` is known when the batch is written. */
  readonly commits: { readonly row: SqlValue[]; readonly firstFile: number | null }[] = []
  readonly actions: SqlValue[][] = []
  readonly metadata: SqlValue[][] = []
  readonly protocols: SqlValue[][] = []
  readonly txns: SqlValue[][] = []
  readonly domains: SqlValue[][] = []
  /** Lives from before this import that end: row number and version. */
  readonly closes: { readonly fileNo: number; readonly version: number }[] = []

  /** Rows that count towards the batch size. */
  get size(): number {
    return this.files.length + this.actions.length + this.closes.length + this.commits.length
  }

  clear(): void {
    for (const rows of [
      this.files,
      this.commits,
      this.actions,
      this.metadata,
      this.protocols,
      this.txns,
      this.domains,
      this.closes,
    ]) {
      rows.length = 0
    }
  }
}

/** Numbers of partitions by their values, remembered over batches. */
export class PartitionNumbers {
  readonly #tableId: string
  readonly #numbers = new Map<string, number>()

  constructor(tableId: string) {
    this.#tableId = tableId
  }

  /** Gives every file row its partition number, making rows for partitions that are new. */
  async assign(transaction: SqlTransaction, files: readonly FileRow[]): Promise<void> {
    const fresh = new Map<string, number>()
    let next: number | null = null
    if (this.#numbers.size > MAX_REMEMBERED_PARTITIONS) this.#numbers.clear()
    for (const row of files) {
      const values = row[PARTITION_VALUES_AT] as string
      let number = this.#numbers.get(values) ?? fresh.get(values)
      if (number === undefined) {
        const found = await transaction.all(
          'SELECT partition_no FROM delta_partitions WHERE table_id = ? AND values_hash = ? AND partition_values = ?',
          [this.#tableId, valuesHash(values), values],
        )
        if (found[0] === undefined) {
          next ??=
            1 +
            ((await transaction.all('SELECT coalesce(max(partition_no), 0) FROM delta_partitions'))[0]?.[0] as number)
          number = next++
          fresh.set(values, number)
        } else {
          number = found[0][0] as number
          this.#numbers.set(values, number)
        }
      }
      row[PARTITION_NO_AT] = number
    }
    if (fresh.size === 0) return
    await transaction.load(
      'delta_partitions',
      PARTITION_COLUMNS,
      [...fresh].map(([values, number]) => [number, this.#tableId, valuesHash(values), values]),
    )
    for (const [values, number] of fresh) this.#numbers.set(values, number)
  }

  /** A rolled-back transaction took its numbers with it. */
  forget(): void {
    this.#numbers.clear()
  }
}

/**
 * Writes all rows of a batch; the caller moves the table's head in the same transaction.
 * @returns the number of the first file row, or null when there is none
 */
export async function writeBatch(
  transaction: SqlTransaction,
  batch: Batch,
  partitions: PartitionNumbers,
): Promise<number | null> {
  let firstNumber: number | null = null
  if (batch.files.length > 0) {
    const [row] = await transaction.all('SELECT coalesce(max(file_no), 0) FROM delta_files')
    const first = 1 + (row?.[0] as number)
    firstNumber = first
    await partitions.assign(transaction, batch.files)
    batch.files.forEach((file, i) => void (file[FILE_NO_AT] = first + i))
    for (const { row: commit, firstFile } of batch.commits) {
      if (firstFile !== null) commit[FIRST_FILE_NO_AT] = first + firstFile
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
  for (const { fileNo, version } of batch.closes) {
    await transaction.run('UPDATE delta_files SET removed_version = ? WHERE file_no = ?', [version, fileNo])
  }
  return firstNumber
}
