/**
 * What a store offers to copies: tables, reads of their ranges in one snapshot, writes of chunks in one transaction.
 * Differences between systems are data in `StoreAbilities`; the engine reads them and never tests a system's name.
 */
import type { ColumnNumbers } from '../archive/stored-column.ts'
import type { RowTest } from '../archive/row-test.ts'
import type { ColumnType, Column, TableName, TableSpec } from './column-type.ts'
import type { ReadPoint } from './plan.ts'
import type { Range } from './range.ts'
import type { RingLook, RingPicture } from './ring-picture.ts'
import type { Cell, Digest, FrameFormat, Row, Stamp } from './rows.ts'
import type { SchemaObject } from './schema-object.ts'
import type { ColumnSequence } from './sequence.ts'
import type { SluiceError } from '../../shared/errors.ts'
import type { LetterCase } from '../../shared/name-pattern.ts'
import type {
  PartitionStore,
  PeriodStore,
  ReferrerStore,
  RemoveRequest,
  RowTriggers,
  StepEnd,
  TableIdentities,
} from '../archive/port.ts'
import type { BesideStore } from './beside-port.ts'
import type { DecommissionStore } from '../partition/decommission-port.ts'
import type { Cdc, ChangeSource, ChangeTarget } from '../follow/port.ts'
import type { BatchStep, Closing, LedgerDatabase } from '../run/ledger-port.ts'
import type { InPlaceStore } from '../partition/in-place-port.ts'
import type { MaintenanceStore } from '../partition/maintenance-port.ts'
import type { OperationalPreflight } from '../follow/operational-port.ts'
import type { PartitionPlanStore } from '../partition/plan-port.ts'
import type { ReadColumn } from './read-column.ts'
import type { SwitchStore } from '../follow/switch-port.ts'
import type { SwitchSide } from '../follow/switch-side-port.ts'
import type { WriteColumn } from './write-column.ts'
import type { TrackStore } from './track-port.ts'
import type { Turn } from '../run/turn.ts'

export type { BatchStep, Closing, LedgerDatabase, Statement } from '../run/ledger-port.ts'
export type { ReadColumn } from './read-column.ts'
export type { WriteColumn } from './write-column.ts'

/** How to declare columns if a system has several types for one. */
export type DeclareOptions = {
  /** Decimals in a system without them: text that keeps every digit, or floats that compare as numbers. */
  readonly decimal?: 'text' | 'real'
  /** Keep JSON as written, if the system has a type for that. */
  readonly spelled?: true
}

export type DeclaredColumn = Pick<Column, 'native' | 'type' | 'asText' | 'spelled'>

export type StoreAbilities = {
  /**
   * What one transaction of a target can hold: a chunk with its ledger row; a batch of rows with the chunk's cursor; or
   * a single row, and then writes must be idempotent.
   */
  readonly atomic: 'chunk' | 'batch' | 'row'
  /** `shared`: one snapshot for all readers of a view. `connection`: one each. `none`: rows may change meanwhile. */
  readonly snapshot: 'shared' | 'connection' | 'none'
  /** Chunks that can be written at the same time; further workers only wait. */
  readonly writers: number
  /** `any` if workers on several machines can share the target. */
  readonly hosts: 'any' | 'one'
  /** Formats that it prints and reads besides rows. */
  readonly frames: readonly FrameFormat[]
  /** Largest size of one value, in bytes. */
  readonly maxValueBytes: number
  /** How long transient errors are retried, ms: `retry_seconds` of its URL. Absent if the URL has no such parameter. */
  readonly retryMs?: number
  /** Request quota: this many within this many seconds before the service blocks the caller. */
  readonly requests?: { readonly most: number; readonly seconds: number }
  /** Quotas of the service by payment plan. */
  readonly quotas?: readonly { readonly plan: string; readonly rowsADay?: number; readonly bytes?: number }[]
  /** Why a read may miss existing rows, as text; absent if every read is complete. */
  readonly shortReads?: string
  /** Names that differ only in case are the same: of tables in these letters, of columns. Absent if they differ. */
  readonly folds?: { readonly tables?: Exclude<LetterCase, 'exact'>; readonly columns?: true }
  /** Tables have user-defined schemas, which a copy keeps between two systems with this flag. */
  readonly keepsSchemas?: true
  /** Unbounded decimals keep trailing zeros: 6 and 6.000 are printed as written. */
  readonly keepsZeros?: true
  /** Prints booleans as true and false; absent if as 1 and 0. */
  readonly booleans?: true
  /** A column may hold values of any type, whatever its declared type is. */
  readonly looseTypes?: true
  /** A list column cannot be part of a key. */
  readonly noListKeys?: true
  /** Stores dates and times as text and sorts them as text, which matches time order in the years 1 to 9999. */
  readonly textTimes?: true
  /** Holds times before the year 1, after 9999, or infinite. */
  readonly farTimes?: true
  /** Each schema is a database with its own ledgers; a store opened for another schema does not read them. */
  readonly ledgerPerSchema?: true
  /** Has no decimal type: `declare` chooses a replacement, and honours the options. */
  readonly decimals?: 'declared'
  /**
   * Which column of a new table is numbered without a sequence object: the first of the key, or the only column of the
   * key. It counts up only. Absent if sequences are objects, or if there are none.
   */
  readonly numbering?: 'first of key' | 'whole key'
  /** `single`: only one condition as `timeCondition` writes it, no combinations. Otherwise any SQL condition. */
  readonly conditions?: 'single'
}

/** Distinguishes a table from a replacement with the same name, alone or together with its rows. */
export type TableMark = {
  /** Differs for another table. */
  readonly text: string
  /** True if it stays as long as the table exists; otherwise it also changes when the table is altered. */
  readonly lasting: boolean
}

/**
 * Facts that distinguish a database from a copy of it, by names such as `system` and `timeline`. A fact that the server
 * does not report is absent.
 */
export type Origin = Readonly<Record<string, string>>

/** A table that a server crash may empty: which one and why, and the statement that prevents it. */
export type Losable = { readonly what: string; readonly remedy: string }

/** @property isReadable true if this login may read its tables, and no policy hides rows */
export type LedgerPlace = { readonly schema: string; readonly isReadable: boolean }

export interface CopyStore extends AsyncDisposable {
  /** Name of its system declaration. */
  readonly system: string
  /** URL without password. */
  readonly label: string
  /** Identity of the database, independent of the host name in the URL: two URLs of one database have the same. */
  readonly identity: string
  readonly can: StoreAbilities
  /** Default schema for table names without one; null if the system has no schemas. */
  readonly schema: string | null
  /** Its URL names that schema: tables in the default schema of another store map to it too. */
  readonly namesSchema?: true
  /**
   * Tables by name: `schema.name` or `name`, with `*` for any characters.
   * @returns sorted by name; empty if nothing matches
   */
  tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]>
  /**
   * The column type that this system would create for a type: its name, and the type when read back.
   * @param inKey set for key columns: some systems allow no long texts there, and the type must sort like its values
   */
  declare(type: ColumnType, inKey?: boolean, options?: DeclareOptions): DeclaredColumn
  /**
   * Splits table options of the same system into those that this one accepts, and non-default ones that it does not.
   * Only for stores with such options.
   */
  fittedSettings?(settings: Readonly<Record<string, string>>): {
    readonly kept: Readonly<Record<string, string>>
    readonly left: readonly string[]
  }
  /** @throws SluiceError CONNECT_FAILED … */
  source(signal: AbortSignal): Promise<SourceView>
  /**
   * Opens a view exported by another program; only for stores whose views can be shared.
   * @param exported `SourceView.exported` of that view
   * @throws SluiceError CONNECTION_LOST if the view was closed; CONNECT_FAILED …
   */
  joined?(exported: string, signal: AbortSignal): Promise<SourceView>
  target(): CopyTarget
  /** Refuses what `CopyTarget.create` would refuse, without creating anything. @throws SluiceError TABLE_REFUSED */
  refuseUncreatable?(table: TableSpec, signal: AbortSignal): Promise<void>
  objects(): ObjectStore
  /** Those of the tables and their partitions that a server crash may empty; only for stores with such tables. */
  losable?(tables: readonly TableName[], signal: AbortSignal): Promise<readonly Losable[]>
  /**
   * Waits until every acknowledged commit is on the server's disk; only for stores whose commits may not wait for that.
   * @throws SluiceError TARGET_DENIED if the server does not report it
   */
  flushed?(signal: AbortSignal): Promise<void>
  /** In the schema of the URL, or the default schema of the login. */
  ledger(): Promise<LedgerDatabase>
  /**
   * Other schemas with ledgers of archives, or of copies and streams; only for stores with schemas per login.
   * @param table only ledgers whose owner may archive or fill this table, or is trusted by this login; all ledgers if
   * it is null or does not exist
   */
  otherLedgers?(of: 'archive' | 'copy', table: TableName | null, signal: AbortSignal): Promise<readonly LedgerPlace[]>
  /** Opens the same database with the ledger of another schema; only for stores with `otherLedgers`. */
  withSchema?(schema: string): Promise<CopyStore>
  /** Sequences, generated expressions, and what a copy does not bring along. */
  beside?(): BesideStore
  /** Tables of the Cassandra Data Migrator in one of its schemas, if the store can hold them. */
  track?(schema: string, ledger: LedgerDatabase): TrackStore
  /** Sampled distribution of a table's rows on its token ring. @throws SluiceError NO_RING if it has none */
  tokenSample?(table: TableSpec, look: RingLook, signal: AbortSignal): Promise<RingPicture>
  /** Identifies a table without reading its rows; null if the table does not exist. Only for stores that can. */
  mark?(table: TableName, signal: AbortSignal): Promise<TableMark | null>
  /** Distinguishes this database from a copy; only for stores with archives. @throws SluiceError CONNECTION_LOST … */
  origin?(signal: AbortSignal): Promise<Origin>
  /**
   * Start of the server, which differs on a copy of the whole server. Equal texts are the same start; `~` and seconds
   * since the epoch if the server reports only an uptime.
   * @returns null if the server does not report it
   */
  started?(signal: AbortSignal): Promise<string | null>
  /** Native partitions that are tables; only for stores that have them. */
  partitions?(): PartitionStore
  /** Triggers and rules that fire on INSERT or DELETE of a plain table; only for stores whose rows can be archived. */
  rowTriggers?(table: TableName, signal: AbortSignal): Promise<RowTriggers>
  /** Requirements for partitioning an unpartitioned table, for stores that can determine them. */
  partitionPlan?(): PartitionPlanStore
  /** Only for stores that can distinguish a renamed column from another one; null if the table does not exist. */
  columnNumbers?(table: TableSpec, signal: AbortSignal): Promise<ColumnNumbers | null>
  /** How a table is recognised after a rename; only for stores whose tables can be archived and renamed. */
  identities?(): TableIdentities
  /** User comments on the columns of a table, by column name; only for stores that keep them. */
  comments?(table: TableSpec, signal: AbortSignal): Promise<Readonly<Record<string, string>>>
  /**
   * A condition for rows whose time in a column is within `from` (inclusive) and `to` (exclusive); null if the column
   * has no time type. Integers count as times, with digits as bounds.
   * @param from canonical text, in UTC for a column with a time zone; null is open. A day means its start
   * @throws SluiceError VALUE_REFUSED for a bound that is not a time
   */
  timeCondition?(column: Column, from: string | null, to: string | null): string | null
  /**
   * SQL condition for exactly the rows that match a test; only for stores that can select and remove rows in one
   * transaction.
   * @returns null if this system compares one of the columns other than by canonical text
   */
  rowCondition?(columns: readonly Column[], test: RowTest): string | null
  /**
   * Distinct values of a column with row counts, grouped by equal bytes or equal numbers; reads the whole column. Only
   * for stores with `rowCondition`.
   * @param most limit of values; `more` is set if there are others
   * @returns null if `rowCondition` supports no value of the column
   */
  columnValues?(table: TableSpec, column: Column, most: number, signal: AbortSignal): Promise<ColumnValues | null>
  /**
   * Smallest and largest value of a column that `timeCondition` supports, as canonical text, and the number of NULLs.
   * @throws SluiceError VALUE_REFUSED for values that are not times, in systems that do not enforce column types
   */
  timeExtent?(table: TableSpec, column: Column, signal: AbortSignal): Promise<TimeExtent>
  /** Row counts of periods and their cost, for stores with a query planner. */
  periods?(): PeriodStore
  /** Foreign keys that reference a table, for stores that have any. */
  referrers?(): ReferrerStore
  /** Partitions of a table, and creation of new ones; only for stores with range partitioning. */
  maintenance?(): MaintenanceStore
  /** Partitions a table without copying it, for stores that can attach one table to another. */
  inPlace?(): InPlaceStore
  /** Retires the old table after a cutover, for stores whose cutovers keep one. */
  decommission?(): DecommissionStore
  /** Committed changes in commit order. @param cdc default `slot` @returns undefined if unsupported */
  changeSource?(cdc?: Cdc): ChangeSource | undefined
  /** Applies changes of a source, for stores whose tables can be targets of a replication stream. */
  changeTarget?(): ChangeTarget
  /** Swaps the names of two tables of this database, for stores that can do so in one transaction. */
  switches?(): SwitchStore
  /** Closes and opens a table that moves between two databases of the same system. */
  switchSide?(): SwitchSide
  /** Preflight check whether tables are usable. */
  operational?(): OperationalPreflight
}

/** `odd`: not of the column's type, which the system does not enforce; shown as a literal. */
export type ColumnValue = { readonly value: string | null; readonly rows: bigint; readonly odd?: true }

export type ColumnValues = {
  /** Texts as the system prints them, for `normalizer`; null is NULL. */
  readonly values: readonly ColumnValue[]
  readonly more: boolean
}

export type TimeExtent = {
  /** Null if no row has a value. */
  readonly low: string | null
  readonly high: string | null
  /** Rows where it is NULL: they belong to no period. */
  readonly nulls: bigint
  /** Rows with an invalid date, which sort before all others; absent if there are none. */
  readonly unreal?: bigint
}

/** Indexes, constraints and defaults: lists those of tables, and creates more. */
export interface ObjectStore {
  /** Equal for systems that understand each other's definitions. */
  readonly words: string
  /** All objects of a table, primary key included; empty if the table does not exist. */
  list(table: TableSpec, signal: AbortSignal): Promise<readonly SchemaObject[]>
  /** Where names of its kind must be unique. */
  scope(object: SchemaObject): 'table' | 'schema'
  /** Which of the names belong to objects outside of the table. */
  taken(table: TableSpec, names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>
  /** The object as this store would list it after creation, or why it cannot create it, as text. */
  fitted(object: SchemaObject, table: TableSpec): SchemaObject | { readonly refused: string }
  /**
   * Creates an object unless one of its name exists; rebuilds what an interrupted build left. Idempotent.
   * @param inUse other sessions may write to the table: they are blocked as little as possible
   * @throws SluiceError OBJECTS_FAILED if rows or the definition prevent it
   */
  build(object: SchemaObject, table: TableSpec, inUse: boolean, signal: AbortSignal): Promise<void>
}

/** Rows of a table to read; `columns` in the order of the returned cells. */
export type RowRequest = {
  readonly table: TableSpec
  readonly columns: readonly ReadColumn[]
  readonly range: Range
  /** A condition in the SQL of this store. */
  readonly where: string | null
  /** Sorted by key, ascending, as the range is divided; otherwise in any order. */
  readonly ordered: boolean
  /** With write times of the values, if the system keeps them. */
  readonly stamps?: true
  /**
   * Also return partitions with static values only, as rows without clustering columns, in `stamps` too. Otherwise
   * refused.
   */
  readonly sharedOnly?: true
  /**
   * Called for rows with a value that is not of its type; they are left out. Without it such a row is thrown.
   * @param row values from the system, as text
   */
  readonly aside?: (row: readonly (string | null)[], error: SluiceError) => void
  /**
   * Target only: non-key values that are not of their type, which another program wrote, are returned as stored, as
   * cells that no valid value has. A checksum of them matches no canonical row.
   */
  readonly asStored?: true
  /**
   * Replacement for a value that is not of its type, in stores that do not enforce types. Without it such a row is
   * refused.
   * @param shown the value as a message shows it
   */
  readonly instead?: (shown: string) => Cell
}

/** A batch of canonical rows, its approximate size in bytes, and one write time per row, if the system has any. */
export type RowBatch = {
  readonly rows: readonly Row[]
  readonly bytes: number
  readonly stamps?: readonly Stamp[]
  /** Number of source rows they were made from, if it differs. */
  readonly sourceRows?: number
}

/** Ranges of one table whose rows are counted. */
export type CountRequest = {
  readonly table: TableSpec
  readonly ranges: readonly Range[]
  /** A condition in the SQL of this store. */
  readonly where: string | null
}

export type BatchSize = { readonly rows: number; readonly bytes: number }

export type Extent = {
  readonly rows: bigint
  /** False for an estimate. */
  readonly exact: boolean
  /** Smallest and largest key if it is one column; null if the table is empty or the key has several. */
  readonly low: string | null
  readonly high: string | null
  /** True if there are rows whose key is NULL. */
  readonly nullKeys: boolean
}

/** A view of a source, in one snapshot if it has them. Several requests may run at the same time. */
export interface SourceView extends AsyncDisposable {
  readonly point: ReadPoint
  /** Handle for `CopyStore.joined` of another program, valid while the view is open; absent if it cannot be shared. */
  readonly exported?: string
  /** True while it can be read, for stores that know: a failed statement does not end it. */
  readonly stands?: (() => boolean) | undefined
  /** @param exact true to count, which may take as long as reading the key */
  extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent>
  /**
   * Divides a range of keys or blocks into ranges of about `rows` rows. Neighbours have byte-equal bounds; the outer
   * bounds are those of `within`. An empty range stays one range.
   */
  cut(table: TableSpec, within: Range, where: string | null, rows: number, signal: AbortSignal): AsyncIterable<Range>
  /** Canonical rows. @throws SluiceError VALUE_REFUSED for a value not of its type; BAD_PREDICATE for the condition */
  read(request: RowRequest, size: BatchSize, signal: AbortSignal): AsyncIterable<RowBatch>
  /** Rows as the system prints them; returns how many. A failure of the source is thrown, never taken for the end. */
  frames?(request: RowRequest, format: FrameFormat, signal: AbortSignal): AsyncGenerator<Buffer, bigint>
  /** Rows as the CSV of `model/archive/wire.ts`, produced by the system; returns how many. */
  csv?(request: RowRequest, signal: AbortSignal): AsyncGenerator<Buffer, bigint>
  /** Row count and checksum of a range, computed where that is cheapest. */
  digest(request: RowRequest, signal: AbortSignal): Promise<Digest>
  /**
   * Row counts of the ranges, in one query or request if possible. Absent if the store can only read rows: the caller
   * then reads and counts.
   * @throws SluiceError BAD_PREDICATE for a wrong condition
   */
  readonly counts?: ((request: CountRequest, signal: AbortSignal) => Promise<readonly bigint[]>) | undefined
  /** The largest key of the range; null if it is empty. */
  last(table: TableSpec, range: Range, where: string | null, signal: AbortSignal): Promise<readonly string[] | null>
  /** Largest clock difference between its servers and this machine, ms; only for systems whose values expire. */
  readonly clockApartMs?: (() => Promise<number>) | undefined
}

/** A chunk in terms of its target: columns and keys have the target's names. */
export type ChunkRequest = {
  readonly table: TableSpec
  readonly columns: readonly WriteColumn[]
  readonly range: Range
  /** False if the target sorts keys differently, so that bounds of a range mean nothing there. */
  readonly sortsAlike?: boolean
  readonly onExisting: 'refuse' | 'upsert' | 'replace-range' | 'append'
  /** Each call of `write` may fail alone without ending the chunk. Slower. */
  readonly careful: boolean
  /** Bypass triggers and foreign keys if the role may: for replicated tables, whose source fired its own. */
  readonly pastTriggers?: boolean
  /** Progress of an earlier attempt that committed in batches; null for a new chunk. */
  readonly cursor?: string | null
  readonly signal: AbortSignal
}

export type DigestRequest = {
  readonly scheme: 'echo' | 'canonical' | 'count'
  /** Only rows with these `keyText`s, when other rows may lie in between. */
  readonly only?: ReadonlySet<string>
  readonly frames?: FrameFormat
  /** Other columns than those of the chunk, over all rows, not only written ones; only with `canonical`. */
  readonly columns?: readonly WriteColumn[]
}

export interface CopyTarget {
  /** Creates a table with its key. @throws SluiceError TARGET_DENIED … */
  create(table: TableSpec, signal: AbortSignal): Promise<void>
  /** Options that the system refused when this target created the table, with reasons; the table lacks them. */
  refusedSettings?(table: TableName): readonly string[]
  /** Removes every row of a table that a copy created and must restart. */
  clear(table: TableSpec, signal: AbortSignal): Promise<void>
  /**
   * Finishes a loaded table: sequence positions, statistics. Idempotent.
   * @param sequences of the source, by target column: those of the target advance at least as far, and never go back.
   * Other columns continue after their largest value
   * @returns what the sequences of the target cannot do, as text
   */
  finish(table: TableSpec, signal: AbortSignal, sequences?: readonly ColumnSequence[]): Promise<readonly string[]>
  /** Begins the transaction of a chunk, if the system has transactions. */
  open(request: ChunkRequest): Promise<ChunkWriter>
  /**
   * Removes rows if they match the expected digest. Rows and ledger change in one transaction if possible. Otherwise a
   * row written after it was read stays, and 'differs' may follow after others were removed. Repeating the request
   * continues after a crash.
   */
  remove?(request: RemoveRequest): Promise<StepEnd>
}

/** The transaction of a chunk. Disposed without `commit`, it rolls back; if `atomic` is 'batch', batches stay. */
export interface ChunkWriter extends AsyncDisposable {
  /** For `LedgerDatabase.endSession`; empty if there is no session to end. */
  readonly session: string
  /** Its write turn until it ends, so that ledger batches wait; for stores with one writer. See `withWriter`. */
  readonly turn?: Turn
  /**
   * False if it sees only the rows it was given, because range bounds mean nothing in the target; otherwise `digest`
   * covers the range.
   */
  readonly seesRange: boolean
  /** True if the target already held rows in the range before this chunk. */
  occupied(): Promise<boolean>
  /**
   * Writes all of these rows or none. A taken key is refused like any other constraint violation; `upsert` overwrites
   * the row, `append` keeps the old one.
   * @param stamps one per row, from a source that has them
   * @returns rows written: fewer than given if `append` found keys taken
   * @throws SluiceError ROW_REFUSED if a row is not accepted (constraint, type, size); this ends the transaction unless
   * it is `careful`
   */
  write(rows: readonly Row[], step?: BatchStep, stamps?: readonly Stamp[]): Promise<number>
  /** @returns rows written */
  writeFrames?(frames: AsyncIterable<Buffer>, format: FrameFormat): Promise<bigint>
  /** Rows as the CSV of `model/archive/wire.ts`; returns how many were written. */
  writeCsv?(csv: AsyncIterable<Buffer>): Promise<bigint>
  /** Digest of the range now, read within the transaction. */
  digest(request: DigestRequest): Promise<Digest>
  /**
   * Runs the closing statements in the transaction and commits. If the reply to COMMIT is lost, finds out whether it
   * committed.
   * @returns `fenced` if another worker has the chunk now; nothing is written then
   * @throws SluiceError COMMIT_UNKNOWN if the result cannot be determined
   */
  commit(closing: Closing): Promise<'committed' | 'fenced'>
}
