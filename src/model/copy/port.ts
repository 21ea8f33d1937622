/** What a store offers to copies: tables, a source, a target, a ledger; and by name what not every system has. */
import type { PartitionStore, PeriodStore, ReferrerStore, RowTriggers, TableIdentities } from '../archive/port.ts'
import type { RowTest } from '../archive/row-test.ts'
import type { ColumnNumbers } from '../archive/stored-column.ts'
import type { ColumnValues, TimeExtent } from '../archive/values-port.ts'
import type { StoreAbilities } from './abilities.ts'
import type { BesideStore } from './beside-port.ts'
import type { Column, ColumnType, TableName, TableSpec } from './column-type.ts'
import type { Losable } from './durability-port.ts'
import type { Origin, TableMark } from './identification-port.ts'
import type { LedgerPlace } from './ledgers-port.ts'
import type { ObjectStore } from './objects-port.ts'
import type { RingLook, RingPicture } from './ring-picture.ts'
import type { SourceView } from './source-port.ts'
import type { CopyTarget } from './target-port.ts'
import type { TrackStore } from './track-port.ts'
import type { OperationalPreflight } from '../follow/operational-port.ts'
import type { Cdc, ChangeSource, ChangeTarget } from '../follow/port.ts'
import type { SwitchStore } from '../follow/switch-port.ts'
import type { SwitchSide } from '../follow/switch-side-port.ts'
import type { DecommissionStore } from '../partition/decommission-port.ts'
import type { InPlaceStore } from '../partition/in-place-port.ts'
import type { MaintenanceStore } from '../partition/maintenance-port.ts'
import type { PartitionPlanStore } from '../partition/plan-port.ts'
import type { LedgerDatabase } from '../run/ledger-port.ts'

/** How to declare columns if a system has several types for one. */
export type DeclareOptions = {
  /** Decimals in a system without them: text that keeps every digit, or floats that compare as numbers. */
  readonly decimal?: 'text' | 'real'
  /** Keep JSON as written, if the system has a type for that. */
  readonly spelled?: true
}

export type DeclaredColumn = Pick<Column, 'native' | 'type' | 'asText' | 'spelled'>

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
