/** Reads the ledger's data about the archive of a table. */
import type { ArchivedFile } from '../../model/archive/archived-file.ts'
import { ARCHIVE_STATES, isArchived, isPublished, type ArchiveState } from '../../model/archive/state.ts'
import type { StoredColumn, StoredTable } from '../../model/archive/stored-column.ts'
import type { TableName } from '../../model/copy/column-type.ts'
import type { RowKey } from '../../model/copy/row-key.ts'
import type { Digest } from '../../model/copy/rows.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import type { Origin } from '../../model/copy/identification-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import { storedLeaseOwner, LEASE_COLUMNS, ownerColumns, type StoredOwner } from '../../stores/common/lease/columns.ts'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import type { LedgerName } from '../log/ledger-name.ts'
import { castTexts, damagedLedger, readFiles, readLedgerJson, storedName } from './cells.ts'
import { ARCHIVE_COLUMNS, TABLE_COLUMNS, PARTITION_COLUMNS } from './columns.ts'
import { ledgerColumns } from './schema.ts'
import { textOrNull } from '../../stores/common/cells.ts'

export type ArchivedTable = {
  readonly table: TableName
  /** Folder or URI of the Delta table. */
  readonly archive: string
  /** Id in the Delta table's metadata. */
  readonly archiveId: string
  /** Column that decides a row's partition, by time or value (`isByValue`); null if the system has partitions. */
  readonly timeColumn: string | null
  readonly calendar: string
  readonly stored: StoredTable
  readonly graceMs: number
  /** Changes with every state change of a partition. */
  readonly revision: string
  /** Identity of the database that may write into the archive; null if an older program made the ledger. */
  readonly origin: Origin | null
  /** Retention of files that the newest version of the archive does not name; null until it is set. */
  readonly retentionMs: number | null
  /** Name of this ledger in the archive's log; absent until a program that names ledgers has changed the archive. */
  readonly ledger?: LedgerName
  /** Identifies the table by some of its rows. Null if it has an identity, or no witness could be recorded. */
  readonly witness: TableWitness | null
}

/** A table that is archived for the first time. */
export type NewArchive = Omit<ArchivedTable, 'table' | keyof typeof UNNOTED>
/** Values of a new table that are recorded only later. */
export const UNNOTED = { revision: '0', retentionMs: null, witness: null } as const

/** @property values prefix of the sha256 of each non-key value, by column: the ledger does not store the values */
export type WitnessRow = { readonly key: RowKey; readonly values: Readonly<Record<string, string>> }

/** Facts at the end of the last run that distinguish a table without an identity from another of the same name. */
export type TableWitness = {
  readonly table: TableName
  /** Schema fingerprint of the table. */
  readonly mark: string
  /** True if another table may have got the same mark since. */
  readonly isRecent?: boolean
  readonly key: readonly string[]
  /** Some rows that stayed in the table. */
  readonly rows: readonly WitnessRow[]
}

export type ArchivedPartition = {
  readonly label: string
  /** Label of the period's first part. Differs from `label` if the rows arrived after the period was archived. */
  readonly period: string
  /** Number of the part within its period, from 1. */
  readonly part: number
  readonly state: ArchiveState
  /**
   * Bounds as the source prints them: the first is included, the second is not. Null is open. A partition of one value
   * has only `from`, as canonical text.
   */
  readonly from: string | null
  readonly to: string | null
  /** Table of a native partition, also after it was dropped; null in a plain table. */
  readonly native: { readonly table: TableName; readonly identity: string } | null
  /** Digest of its rows as computed by the source; null before the export. */
  readonly digest: Digest | null
  readonly sourceBytes: bigint | null
  readonly files: readonly ArchivedFile[]
  readonly filePrefix: string | null
  readonly version: number | null
  /** Rows already deleted from a plain table. */
  readonly removed: Digest
  /** True while a restore is writing rows. */
  readonly restoring: boolean
  /** True if the log no longer names the files of a restored or expired partition. */
  readonly retracted: boolean
  /** Reason of the hold; null without a hold. */
  readonly held: string | null
  readonly fence: bigint
  /** Current lease owner; null if there is none. */
  readonly holder: StoredOwner | null
  readonly error: { readonly code: string; readonly message: string } | null
  readonly changedMs: number | null
  readonly exportMs: number | null
  readonly dropAfterMs: number | null
  /** True if the grace period is over, by the clock of the database. */
  readonly graceOver: boolean
  /** Paths that the Delta log may name for the partition; null if an older program made the ledger: then any path. */
  readonly logged: readonly string[] | null
  /** Definitions that the table had in addition to its parent's, in the form of its store; null if not recorded. */
  readonly own: string | null
  /** Columns of its files, and of the checksum they were proved with; before the export, the archive's columns. */
  readonly columns: readonly StoredColumn[]
  /** True if its table is detached, but queries still read the rows from that table, not from the archive. */
  readonly away: boolean
  /** Time of the expiry by the clock of the database, and the user who requested it; null if it has not expired. */
  readonly expired: { readonly ms: number; readonly by: string } | null
  /** Time at which the destruction of its files began; null while an expired partition can be restored. */
  readonly sweptMs: number | null
  /** True if a detach outside of a transaction has begun or will begin: only the system catalogs show its progress. */
  readonly leaving: boolean
  /**
   * Meaning of the whole numbers in the time column: a kind of time, or `name` if they are not times. Null for other
   * columns, and if an older program archived the partition.
   */
  readonly chosenBy: string | null
}

/** True if its rows are no longer in the table itself: they are in the archive, in a detached table, or deleted. */
export function hasLeft({ state, away }: Pick<ArchivedPartition, 'state' | 'away'>): boolean {
  return isArchived(state) || state === 'EXPIRED' || away
}

/** True if all of its rows were deleted from a plain table: a present row with one of their keys was written later. */
export function isAllRemoved({
  digest,
  native,
  removed,
}: Pick<ArchivedPartition, 'digest' | 'native' | 'removed'>): boolean {
  return native === null && digest !== null && removed.rows >= digest.rows
}

/** Prefixes of the file names of the newest attempt of each partition. */
export function filePrefixes(partitions: readonly Pick<ArchivedPartition, 'filePrefix'>[]): readonly string[] {
  return partitions.flatMap(({ filePrefix }) => (filePrefix === null ? [] : [`${filePrefix}-`]))
}

/**
 * Paths that a sweep must not remove, each with the label of its partition: these files may be the only copy of rows.
 * If the log does not name them, the log is older or newer than the ledger.
 */
export function onlyCopies(partitions: readonly ArchivedPartition[]): ReadonlyMap<string, string> {
  const kept = partitions.filter(({ state, retracted }) => isPublished(state) || (state === 'RESTORED' && !retracted))
  return new Map(kept.flatMap(({ label, files }) => files.map(({ path }) => [path, label] as const)))
}

export type ArchiveRecord = ArchivedTable & { readonly partitions: readonly ArchivedPartition[] }

/** True if no partition was ever published, and no publication was begun. */
export function isUnpublished({ partitions }: ArchiveRecord): boolean {
  return partitions.every(({ version, logged }) => version === null && logged !== null && logged.length === 0)
}

/** All tables that were ever archived from a database, by name. */
export async function archivedTables(database: LedgerDatabase): Promise<readonly ArchivedTable[]> {
  const there = await ledgerColumns(database, 'migration_archives')
  if (there.size === 0) return []
  const rows = await database.all(
    `SELECT ${tableColumns(database, there)} FROM migration_archives ORDER BY schema_name, table_name`,
  )
  return rows.map(tableOf)
}

/** One table and its partitions, by lower bound; null if it was never archived. */
export async function readArchive(database: LedgerDatabase, table: TableName): Promise<ArchiveRecord | null> {
  const there = await ledgerColumns(database, 'migration_archives')
  const ofPartition = await ledgerColumns(database, 'migration_archive_partitions')
  if (there.size === 0 || ofPartition.size === 0) return null
  const key = [table.schema ?? '', table.name]
  const [found, partitions] = await database.batch([
    {
      sql: `SELECT ${tableColumns(database, there)} FROM migration_archives WHERE schema_name = ? AND table_name = ?`,
      parameters: key,
    },
    {
      sql: `SELECT ${partitionColumns(database, ofPartition)} FROM migration_archive_partitions WHERE schema_name = ? AND table_name = ?
            ORDER BY CASE WHEN from_bound IS NULL THEN 0 ELSE 1 END, from_bound, ${ofPartition.has('part') ? 'COALESCE(part, 1), ' : ''}partition_name`,
      parameters: key,
    },
  ])
  const row = found?.[0]
  if (row === undefined) return null
  const archived = tableOf(row)
  return { ...archived, partitions: (partitions ?? []).map((one) => partitionOf(one, archived.stored)) }
}

/** One partition by its label; null if the ledger does not have it. */
export async function readPartition(
  database: LedgerDatabase,
  table: TableName,
  label: string,
): Promise<ArchivedPartition | null> {
  const [partition] = await readSome(database, table, () => [{ where: 'partition_name = ?', values: [label] }])
  return partition ?? null
}

/** All parts of a period in order, read by the indexes of the ledger. @param period label of its first part */
export async function readParts(
  database: LedgerDatabase,
  table: TableName,
  period: string,
): Promise<readonly ArchivedPartition[]> {
  const found = await readSome(database, table, (there) => [
    { where: 'partition_name = ?', values: [period] },
    // A read-only ledger may be from an older program.
    ...(there.has('period') ? [{ where: 'period = ? AND partition_name <> ?', values: [period, period] }] : []),
  ])
  return found.filter((one) => one.period === period).toSorted((a, b) => a.part - b.part)
}

/** Periods of a plain table in state DETACHED, read by an index of the ledger: their rows are still in the table. */
export async function readDetached(database: LedgerDatabase, table: TableName): Promise<readonly ArchivedPartition[]> {
  const detached: ArchiveState = 'DETACHED'
  const found = await readSome(database, table, () => [{ where: 'state = ?', values: [detached] }])
  return found.filter(({ native }) => native === null)
}

type Condition = { readonly where: string; readonly values: readonly SqlValue[] }

async function readSome(
  database: LedgerDatabase,
  table: TableName,
  conditions: (there: ReadonlySet<string>) => readonly Condition[],
): Promise<readonly ArchivedPartition[]> {
  const there = await ledgerColumns(database, 'migration_archive_partitions')
  if (there.size === 0) return []
  const key = [table.schema ?? '', table.name]
  const [archives, ...found] = await database.batch([
    {
      sql: `SELECT ${castTexts(database.dialect, ['stored'])} FROM migration_archives WHERE schema_name = ? AND table_name = ?`,
      parameters: key,
    },
    ...conditions(there).map(({ where, values }) => ({
      sql: `SELECT ${partitionColumns(database, there)} FROM migration_archive_partitions
            WHERE schema_name = ? AND table_name = ? AND ${where}`,
      parameters: [...key, ...values],
    })),
  ])
  const stored = textOrNull(archives?.[0]?.[0])
  if (stored === null) return []
  const archive = readLedgerJson(stored) as StoredTable
  return found.flat().map((row) => partitionOf(row, archive))
}

const TABLE = [...Object.keys(TABLE_COLUMNS), ...Object.keys(ARCHIVE_COLUMNS)]
const PARTITION = ['partition_name', ...Object.keys(PARTITION_COLUMNS)]

// A read-only ledger may be from an older program.
const asTexts = (names: readonly string[], { dialect }: LedgerDatabase, there: ReadonlySet<string>): string =>
  castTexts(
    dialect,
    names.map((name) => (there.has(name) ? name : 'NULL')),
  )
const tableColumns = (database: LedgerDatabase, there: ReadonlySet<string>): string => asTexts(TABLE, database, there)
const partitionColumns = (database: LedgerDatabase, there: ReadonlySet<string>): string => {
  const { now } = ledgerDialect(database.dialect)
  return `${asTexts(PARTITION, database, there)}, CASE WHEN drop_after_ms <= ${now} THEN 1 ELSE 0 END`
}

/** Reads cells of a row by their columns. */
function cellsOf(names: readonly string[], row: SqlRow) {
  const values = new Map(names.map((name, i) => [name, textOrNull(row[i])]))
  const text = (name: string): string | null => values.get(name) ?? null
  const json = (name: string): unknown => (text(name) === null ? null : readLedgerJson(text(name) ?? ''))
  return { text, json }
}

function tableOf(row: SqlRow): ArchivedTable {
  const { text, json } = cellsOf(TABLE, row)
  const [name, archive, archiveId, stored] = ['table_name', 'archive', 'archive_id', 'stored'].map(text)
  if (name == null || archive == null || archiveId == null || stored == null) throw damagedLedger('migration_archives')
  const [retention, ledger] = [text('retention_ms'), text('ledger')]
  return {
    table: storedName(text('schema_name'), name),
    archive,
    archiveId,
    timeColumn: text('time_column'),
    calendar: text('calendar') ?? '',
    stored: readLedgerJson(stored) as StoredTable,
    graceMs: Number(text('grace_ms') ?? 0),
    revision: text('revision') ?? '0',
    origin: json('origin') as Origin | null,
    retentionMs: retention === null ? null : Number(retention),
    witness: json('witness') as TableWitness | null,
    ...(ledger === null ? {} : { ledger: readLedgerJson(ledger) as LedgerName }),
  }
}

function partitionOf(row: SqlRow, archive: StoredTable): ArchivedPartition {
  const { text, json } = cellsOf(PARTITION, row)
  const number = (name: string): number | null => (text(name) === null ? null : Number(text(name)))
  const whole = (name: string): bigint | null => (text(name) === null ? null : BigInt(text(name) ?? 0))
  const state = ARCHIVE_STATES.find((known) => known === text('state'))
  const label = text('partition_name')
  if (state === undefined || label === null) throw damagedLedger('migration_archive_partitions')
  const [native, identity, schema] = [text('native_table'), text('native_identity'), text('native_schema')]
  const [rows, sum] = [whole('num_rows'), text('checksum')]
  const code = text('error_code')
  const expired = number('expired_ms')
  return {
    label,
    period: text('period') ?? label,
    part: number('part') ?? 1,
    state,
    from: text('from_bound'),
    to: text('to_bound'),
    native: native === null || identity === null ? null : { table: storedName(schema, native), identity },
    digest: rows === null || sum === null ? null : { rows, sum },
    sourceBytes: whole('source_bytes'),
    files: readFiles(text('files')),
    filePrefix: text('file_prefix'),
    version: number('delta_version'),
    removed: { rows: whole('removed_rows') ?? 0n, sum: (text('removed_sum') ?? '').padStart(16, '0') },
    restoring: number('restoring') === 1,
    retracted: number('retracted') === 1,
    held: text('hold_reason'),
    fence: whole('fence') ?? 0n,
    holder: storedLeaseOwner(ownerColumns(LEASE_COLUMNS).map(text)),
    error: code === null ? null : { code, message: text('error_message') ?? '' },
    changedMs: number('changed_ms'),
    exportMs: number('export_ms'),
    dropAfterMs: number('drop_after_ms'),
    graceOver: String(row[PARTITION.length]) === '1',
    logged: json('logged_files') as readonly string[] | null,
    own: text('own_ddl'),
    columns: (json('stored') as readonly StoredColumn[] | null) ?? archive.columns,
    away: number('away') === 1,
    expired: expired === null ? null : { ms: expired, by: text('expired_by') ?? '' },
    sweptMs: number('swept_ms'),
    leaving: number('leaving') === 1,
    chosenBy: text('chosen_by'),
  }
}
