/**
 * State of a table in the catalog: its head row, whether its import ended, and the remains of an interrupted import.
 */
import type { MetadataAction, ProtocolAction } from '../../delta/actions.ts'
import { isoTime } from '../../shared/clock.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlDatabase, SqlReader, SqlTransaction } from '../../model/run/sql-port.ts'
import { writeUnderLease, type Lease } from '../lease.ts'
import { stateAt } from '../query/state.ts'
import { dropVersions } from '../state-relations.ts'

/** Progress of an unfinished import. Updated in the batch's own transaction. */
export type Cursor = {
  readonly importId: string
  /**
   * Fencing token of the lease, and number of the transaction that wrote this cursor. Both identify the transaction if
   * the reply to its COMMIT was lost. Absent in cursors of older programs.
   */
  readonly transaction?: readonly [fence: number, number: number]
  /** Number of actions done and in total, for the progress after a resume. */
  readonly done: number
  readonly total: number
  /** Number of base checkpoint rows that are already written, while the checkpoint's version is not complete. */
  readonly checkpointRows?: number
  /** `files`: number of files written by all runs of this import. `wholeFiles`: those up to the current version. */
  readonly files?: number
  readonly wholeFiles?: number
  /** Identity of the base checkpoint: its rows are skipped only if it is unchanged. */
  readonly checkpoint?: string
  /** The distributed run that works on this import, and the number of actions done when that run began. */
  readonly shared?: { readonly run: string; readonly from: number }
  /**
   * Version of the checkpoint that becomes the table's new base; rows below it are removed before the import completes.
   */
  readonly rebase?: number
}

export type Totals = { files: number; bytes: number; records: number; withoutRecords: number }

/** Key of a table: its id, or the URI of its root. */
export type CatalogTableKey = { readonly tableId: string } | { readonly location: string }

export type ImportHead = {
  readonly tableId: string
  readonly location: string
  readonly importId: string | null
  readonly currentVersion: number | null
  readonly historyFrom: number | null
  readonly commitTime: number | null
  readonly cursor: Cursor | null
  /** Id in the metaData of the current version. */
  readonly metadataId: string | null
}

/** @throws SluiceError TARGET_CORRUPT if the text is no cursor: another program changed or truncated it */
export function parseCursor(text: string, tableId: string): Cursor {
  try {
    const cursor = JSON.parse(text) as Partial<Cursor> | null
    if (typeof cursor?.importId === 'string' && /^\d+$/.test(cursor.importId)) return cursor as Cursor
  } catch {
    // Refused below, as other values are.
  }
  throw new SluiceError('TARGET_CORRUPT', `the progress of the import of ${tableId} in the catalog cannot be read`, {
    where: `delta_tables, cursor of ${tableId}`,
    reason: 'it is no JSON object with the number of an import: sluice did not write it',
    hint: 'restore the catalog from a copy; or set cursor to NULL in this row, then import again: an import that had not ended begins from the start',
  })
}

/** @throws SluiceError TARGET_CORRUPT if the progress of an unfinished import cannot be read */
export async function readImportHead(reader: SqlReader, by: CatalogTableKey): Promise<ImportHead | null> {
  const [column, value] = 'tableId' in by ? ['table_id', by.tableId] : ['location', by.location]
  const [row] = await reader.all(
    `SELECT table_id, location, CAST(import_id AS TEXT), current_version, history_from, current_commit_time, "cursor", metadata_id
     FROM delta_tables WHERE ${column} = ?`,
    [value],
  )
  if (row === undefined) return null
  const [tableId, location, importId, currentVersion, historyFrom, commitTime, cursor, metadataId] = row as [
    string,
    string,
    string | null,
    number | null,
    number | null,
    number | null,
    string | null,
    string | null,
  ]
  return {
    tableId,
    location,
    importId,
    currentVersion,
    historyFrom,
    commitTime,
    cursor: cursor === null ? null : parseCursor(cursor, tableId),
    metadataId,
  }
}

/** `whole`: readable. `unfinished`: the import has not ended. `broken`: rows or files of the import are missing. */
export type ImportCompleteness = 'whole' | 'unfinished' | 'broken'

/**
 * A table is whole only if `migration_status` has a completed row for its import and its files exist. So the two
 * DELETEs of the guide's manual rollback are harmless: they leave a `broken` table, which reads refuse, and the next
 * import starts from nothing.
 */
export async function importCompleteness(reader: SqlReader, head: ImportHead): Promise<ImportCompleteness> {
  const importId = head.importId ?? head.cursor?.importId ?? null
  if (importId === null) return 'broken'
  const [row] = await reader.all(
    `SELECT s.status,
       coalesce((SELECT c.num_files FROM delta_commits c WHERE c.table_id = s.table_id AND c.version = ?), 0),
       EXISTS (SELECT 1 FROM delta_files f WHERE f.table_id = s.table_id)
     FROM migration_status s WHERE s.import_id = ? AND s.table_id = ?`,
    [head.currentVersion ?? -1, BigInt(importId), head.tableId],
  )
  if (row === undefined) return 'broken'
  const [status, files, anyFile] = row as [string, number, number]
  if (files > 0 && anyFile === 0) return 'broken'
  if (head.importId === null) return 'unfinished'
  return status === 'completed' ? 'whole' : 'broken'
}

/** All relations with rows of a table, in the order in which they may be deleted. */
export const RELATIONS_OF_TABLE = [
  'delta_files',
  'delta_range_columns',
  'delta_range_zones',
  'delta_file_ranges',
  'delta_partitions',
  'delta_actions',
  'delta_commits',
  'delta_metadata',
  'delta_protocols',
  'delta_txns',
  'delta_domains',
  'catalog_validations',
] as const

const PURGE_ROWS = 50_000

/**
 * Removes the rows of a broken or half-loaded table in bounded transactions; the table is unreadable from the first
 * transaction on.
 * @param importId unfinished import that continues after the removal and keeps its row in `migration_status`
 */
export async function purgeTable(
  database: SqlDatabase,
  tableId: string,
  importId: string | null,
  lease: Lease,
): Promise<void> {
  // Each transaction checks the lease: a program that lost it must not delete rows imported since.
  const write = (body: (transaction: SqlTransaction) => Promise<unknown>): Promise<unknown> =>
    writeUnderLease(database, lease, body)
  const cursor: Cursor | null = importId === null ? null : { importId, done: 0, total: 0 }
  await write((transaction) =>
    transaction.run(
      'UPDATE delta_tables SET import_id = NULL, current_version = NULL, history_from = NULL, "cursor" = ? WHERE table_id = ?',
      [cursor === null ? null : JSON.stringify(cursor), tableId],
    ),
  )
  for (;;) {
    const [next] = await database.all(
      'SELECT file_no FROM delta_files WHERE table_id = ? ORDER BY file_no LIMIT 1 OFFSET ?',
      [tableId, PURGE_ROWS],
    )
    const below = (next?.[0] ?? null) as number | null
    await write((transaction) =>
      below === null
        ? transaction.run('DELETE FROM delta_files WHERE table_id = ?', [tableId])
        : transaction.run('DELETE FROM delta_files WHERE table_id = ? AND file_no < ?', [tableId, below]),
    )
    if (below === null) break
  }
  await write(async (transaction) => {
    for (const relation of RELATIONS_OF_TABLE.slice(1)) {
      await transaction.run(`DELETE FROM ${relation} WHERE table_id = ?`, [tableId])
    }
  })
}

/**
 * Removes what an interrupted import wrote above its last whole version: rows of later versions are deleted, and
 * files that were marked as removed by a later commit are active again, because the log may have changed since.
 */
export async function discardAbove(
  transaction: SqlTransaction,
  head: ImportHead,
  keepCheckpointRows: boolean,
): Promise<void> {
  const version = head.currentVersion ?? -1
  if (!keepCheckpointRows) {
    await transaction.run('DELETE FROM delta_files WHERE table_id = ? AND added_version > ?', [head.tableId, version])
    await transaction.run('DELETE FROM delta_actions WHERE table_id = ? AND version > ?', [head.tableId, version])
    await dropVersions(transaction, head.tableId, 'version > ?', version)
  }
  await transaction.run('UPDATE delta_files SET removed_version = NULL WHERE table_id = ? AND removed_version > ?', [
    head.tableId,
    version,
  ])
}

export async function insertHead(
  transaction: SqlTransaction,
  tableId: string,
  location: string,
  nowMs: number,
): Promise<void> {
  await transaction.run('INSERT INTO delta_tables (table_id, location, created_at, updated_at) VALUES (?, ?, ?, ?)', [
    tableId,
    location,
    isoTime(nowMs),
    isoTime(nowMs),
  ])
}

export type HeadState = {
  readonly version: number | null
  readonly historyFrom: number
  readonly commitTime: number | null
  readonly totals: Totals
  readonly protocol: ProtocolAction | null
  readonly metadata: MetadataAction | null
  /** Why the table's data cannot be read; null if it can. */
  readonly refused: string | null
  /** JSON text as stored. */
  readonly cursor: string | null
  readonly nowMs: number
}

/** Updates the head row. False if another program wrote this table: then no row has the old version. */
export async function moveHead(
  transaction: SqlTransaction,
  tableId: string,
  from: number | null,
  to: HeadState,
): Promise<boolean> {
  const { protocol, metadata } = to
  const changed = await transaction.run(
    `UPDATE delta_tables SET current_version = ?, history_from = ?, current_commit_time = ?, num_files = ?, num_bytes = ?, num_records = ?,
       "cursor" = ?, metadata_id = ?, name = ?, description = ?, protocol = ?, "schema" = ?, partition_columns = ?, configuration = ?, refused = ?,
       updated_at = ?
     WHERE table_id = ? AND coalesce(current_version, -1) = ?`,
    [
      to.version,
      to.historyFrom,
      to.commitTime,
      to.totals.files,
      to.totals.bytes,
      to.totals.withoutRecords > 0 ? null : to.totals.records,
      to.cursor,
      metadata?.id ?? null,
      metadata?.name ?? null,
      metadata?.description ?? null,
      protocol === null ? null : JSON.stringify(protocol),
      metadata?.schemaString ?? null,
      metadata === null ? null : JSON.stringify(metadata.partitionColumns ?? []),
      metadata === null ? null : JSON.stringify(metadata.configuration ?? {}),
      to.refused,
      isoTime(to.nowMs),
      tableId,
      from ?? -1,
    ],
  )
  return changed === 1
}

/** Running totals, protocol and metadata at the head, for a resume. */
export async function resumePoint(
  reader: SqlReader,
  head: ImportHead,
): Promise<{ totals: Totals; protocol: ProtocolAction | null; metadata: MetadataAction | null }> {
  const none: Totals = { files: 0, bytes: 0, records: 0, withoutRecords: 0 }
  if (head.currentVersion === null) return { totals: none, protocol: null, metadata: null }
  const [row] = await reader.all(
    'SELECT num_files, num_bytes, num_records, files_without_records FROM delta_commits WHERE table_id = ? AND version = ?',
    [head.tableId, head.currentVersion],
  )
  const [files, bytes, records, withoutRecords] = (row ?? [0, 0, 0, 0]) as [number, number, number, number]
  const state = await stateAt(reader, head.tableId, head.currentVersion)
  return { totals: { files, bytes, records, withoutRecords }, protocol: state.protocol, metadata: state.metadata }
}
