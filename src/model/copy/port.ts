/**
 * What a store offers to copies: tables, ranges of them to read at one point in time, chunks to write in one transaction. Differences
 * between systems are data in `StoreAbilities`; the engine asks them, and never for a name.
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
import type { OperationalExam } from '../follow/operational-port.ts'
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

/** How columns are to be made where a system has several for a type. */
export type DeclareWishes = {
  /** What decimals become in a system that has none: texts that keep every digit, or floating point numbers that compare as numbers. */
  readonly decimal?: 'text' | 'real'
  /** JSON is to stay the text that it is, where the system has a type for that. */
  readonly spelled?: true
}

export type DeclaredColumn = Pick<Column, 'native' | 'type' | 'asText' | 'spelled'>

export type StoreAbilities = {
  /**
   * What one transaction of a target can hold: a chunk with its row of the ledger; a batch of rows with the chunk's cursor; or nothing beyond a row,
   * and then writing rows again has to change nothing.
   */
  readonly atomic: 'chunk' | 'batch' | 'row'
  /** `shared`: all readers of a view see one state. `connection`: each sees a state of its own. `none`: rows may change while they are read. */
  readonly snapshot: 'shared' | 'connection' | 'none'
  /** Chunks that can be written at the same time; more workers only wait. */
  readonly writers: number
  /** Whether workers on several machines can share the target. */
  readonly hosts: 'any' | 'one'
  /** Formats that it prints and reads besides rows. */
  readonly frames: readonly FrameFormat[]
  /** Most bytes of one value. */
  readonly maxValueBytes: number
  /** How long what passes by itself is tried again, ms: `retry_seconds` of its URL. Absent where a URL has no such parameter. */
  readonly retryMs?: number
  /** Requests, and the seconds they may be spread over, before the service blocks its caller. */
  readonly requests?: { readonly most: number; readonly seconds: number }
  /** What a service takes from those who use it by some plan of payment. */
  readonly quotas?: readonly { readonly plan: string; readonly rowsADay?: number; readonly bytes?: number }[]
  /** Why a read of it may leave rows out that are there, in words; absent where every read is whole. */
  readonly shortReads?: string
  /** Which names are one where they differ by upper and lower case alone, and of tables in which letters; absent where those are two. */
  readonly folds?: { readonly tables?: Exclude<LetterCase, 'exact'>; readonly columns?: true }
  /** A table has a schema that people made, and keeps it between two systems that say so. */
  readonly keepsSchemas?: true
  /** Decimals without a bound keep the zeros behind their last digit: 6 and 6.000 are spelled as they were written. */
  readonly keepsZeros?: true
  /** Shows booleans as true and false; absent where they are 1 and 0. */
  readonly booleans?: true
  /** A column may hold values of any type, whatever it is declared as. */
  readonly looseTypes?: true
  /** No key of a table may have a column of a list. */
  readonly noListKeys?: true
  /** Keeps dates and times as texts, and sorts them so: those of the years 1 to 9999 as the times themselves. */
  readonly textTimes?: true
  /** Holds times before the year 1, after 9999, or infinite. */
  readonly farTimes?: true
  /** Each schema is a database with ledgers of its own, which a store that was opened with another one does not ask. */
  readonly ledgerPerSchema?: true
  /** Has no decimals of its own: `declare` chooses what they become, and heeds a wish. */
  readonly decimals?: 'declared'
  /**
   * Which column of a new table numbers its rows where that is no object of its own: the first of the key, or the one column that is the key. It counts
   * up for ever, and by itself. Absent where sequences are objects, or there are none.
   */
  readonly numbering?: 'first of key' | 'whole key'
  /** `single`: a condition stands alone, as `timeCondition` writes it, with nothing around it or beside it. Otherwise it may be any of SQL. */
  readonly conditions?: 'single'
}

/** Tells a table from one that takes its place under its name, by itself or together with a look at its rows. */
export type TableMark = {
  /** Another one for another table. */
  readonly text: string
  /** Whether it stays as long as the table does; else it changes when tables are altered, too. */
  readonly lasting: boolean
}

/**
 * Facts that tell a database from a copy of it, by names such as `system` and `timeline`. A fact that the server does not tell is absent.
 */
export type Origin = Readonly<Record<string, string>>

/** A table whose rows a crash of the server may take away: which and why, and the statement that ends it. */
export type Losable = { readonly what: string; readonly remedy: string }

/** @property isReadable whether this login may read its tables, and no policy hides rows */
export type LedgerPlace = { readonly schema: string; readonly isReadable: boolean }

export interface CopyStore extends AsyncDisposable {
  /** The name of its declaration. */
  readonly system: string
  /** URL without password. */
  readonly label: string
  /** Of the database itself, whatever name it was reached by: two URLs of one database are told from two databases. */
  readonly identity: string
  readonly can: StoreAbilities
  /** Where tables go whose name has no schema; null where the system has none. */
  readonly schema: string | null
  /** Its URL names that schema: tables of another store's own schema go there too. */
  readonly namesSchema?: true
  /**
   * Tables by name. `schema.name`, `name`, with `*` for any characters.
   * @returns sorted by name; none where nothing fits
   */
  tables(pattern: string, signal: AbortSignal): Promise<readonly TableSpec[]>
  /**
   * The column that this system would create to hold a type: the name of its type, and what it is when read back.
   * @param inKey it is part of a key, which takes no long texts in some systems, and has to sort as its values do
   */
  declare(type: ColumnType, inKey?: boolean, wishes?: DeclareWishes): DeclaredColumn
  /** Which options of a table of the same system this one takes; those that it does not take and that say something are named. Of stores that have any. */
  fittedSettings?(settings: Readonly<Record<string, string>>): {
    readonly kept: Readonly<Record<string, string>>
    readonly left: readonly string[]
  }
  /** @throws SluiceError CONNECT_FAILED … */
  source(signal: AbortSignal): Promise<SourceView>
  /**
   * The look that a program elsewhere holds, of stores whose looks can be handed on.
   * @param exported as that look has it
   * @throws SluiceError CONNECTION_LOST where nobody holds it any more; CONNECT_FAILED …
   */
  joined?(exported: string, signal: AbortSignal): Promise<SourceView>
  target(): CopyTarget
  /** Refuses what `CopyTarget.create` would refuse, and creates nothing; of stores that can tell. @throws SluiceError TABLE_REFUSED */
  refuseUncreatable?(table: TableSpec, signal: AbortSignal): Promise<void>
  objects(): ObjectStore
  /** Those of these tables, and of the partitions below them, whose rows a crash of the server may take away; of stores that have such tables. */
  losable?(tables: readonly TableName[], signal: AbortSignal): Promise<readonly Losable[]>
  /**
   * Returns once every commit that was answered is on the server's disk; of stores where a commit by itself may not wait for that.
   * @throws SluiceError TARGET_DENIED where the server does not say so
   */
  flushed?(signal: AbortSignal): Promise<void>
  /** In the schema of the URL, or the first of the login. */
  ledger(): Promise<LedgerDatabase>
  /**
   * Schemas with ledgers of archives, or of copies and streams, that `ledger` without a schema does not find; of stores whose logins have schemas of their own.
   * @param table only ledgers whose owner may archive or fill this table, or is trusted by this login; all ledgers where it is null or gone
   */
  otherLedgers?(of: 'archive' | 'copy', table: TableName | null, signal: AbortSignal): Promise<readonly LedgerPlace[]>
  /** The same database, opened anew with the ledger of another schema; of stores with `otherLedgers`. */
  withSchema?(schema: string): Promise<CopyStore>
  /** Sequences, expressions of generated columns, and whatever no copy brings along; of stores that know of any. */
  beside?(): BesideStore
  /** The tables of the Cassandra Data Migrator in one of its schemas, of stores that can hold them. */
  track?(schema: string, ledger: LedgerDatabase): TrackStore
  /** How rows lie on the ring of a table, of stores whose tables have one. @throws SluiceError NO_RING for a table without a ring */
  tokenSample?(table: TableSpec, look: RingLook, signal: AbortSignal): Promise<RingPicture>
  /** What a table is known again by, without a look at its rows; null where it is not there. Of stores that have anything of the kind. */
  mark?(table: TableName, signal: AbortSignal): Promise<TableMark | null>
  /** What tells this database from a copy of it, of stores whose tables can be archived. @throws SluiceError CONNECTION_LOST … */
  origin?(signal: AbortSignal): Promise<Origin>
  /**
   * Since when the server of this database runs, which a copy of the whole server does not share. Equal texts are one start; `~` and seconds since the epoch where the server counts only those.
   * @returns null where it does not say
   */
  started?(signal: AbortSignal): Promise<string | null>
  /** Partitions that are tables of their own, of stores that have such. */
  partitions?(): PartitionStore
  /** Triggers and rules that fire when rows of a plain table are deleted or inserted, of stores whose rows can be archived. */
  rowTriggers?(table: TableName, signal: AbortSignal): Promise<RowTriggers>
  /** What it takes to partition a table that is not, of stores that can tell. */
  partitionPlan?(): PartitionPlanStore
  /** Of stores in which a renamed column is told from another one; null where the table is gone. */
  columnNumbers?(table: TableSpec, signal: AbortSignal): Promise<ColumnNumbers | null>
  /** By what a table is known under another name, of stores whose tables can be archived and renamed. */
  identities?(): TableIdentities
  /** What people have written about the columns of a table, by name; of stores that keep that. */
  comments?(table: TableSpec, signal: AbortSignal): Promise<Readonly<Record<string, string>>>
  /**
   * A condition that holds for rows whose value in a column lies from one moment, included, to another, excluded; null where the column's type is no
   * time. Whole numbers are times, too, and their bounds digits.
   * @param from canonical text, of a column with a time zone in UTC; null is open. A day is its first moment
   * @throws SluiceError VALUE_REFUSED for a bound that is no time
   */
  timeCondition?(column: Column, from: string | null, to: string | null): string | null
  /**
   * A condition that is true of exactly the rows that a test means; of stores that can tell and remove rows in one transaction.
   * @returns null where this system compares one of its columns in another way than by canonical texts
   */
  rowCondition?(columns: readonly Column[], test: RowTest): string | null
  /**
   * Distinct values of a column with their rows, each a group of equal bytes or of equal numbers; reads the whole column. Of stores that have `rowCondition`.
   * @param most of them; `more` says that there are others
   * @returns null for a column of which `rowCondition` compares no value
   */
  columnValues?(table: TableSpec, column: Column, most: number, signal: AbortSignal): Promise<ColumnValues | null>
  /**
   * Smallest and largest value of a column that `timeCondition` has an answer for, as canonical texts, and how many rows have none.
   * @throws SluiceError VALUE_REFUSED where values are no times, in systems that do not hold a column to its type
   */
  timeExtent?(table: TableSpec, column: Column, signal: AbortSignal): Promise<TimeExtent>
  /** Rows of periods, and what it takes to count them; of stores that have a planner to ask. */
  periods?(): PeriodStore
  /** Foreign keys that lead to a table, of stores that have any. */
  referrers?(): ReferrerStore
  /** How partitions of a table stand, and new ones beside them; of stores whose tables are partitioned by ranges. */
  maintenance?(): MaintenanceStore
  /** Partitions a table without a copy of it, of stores that can attach one to another. */
  inPlace?(): InPlaceStore
  /** Retires a table that a switch has parked, of stores whose switches park one. */
  decommission?(): DecommissionStore
  /** Committed changes in commit order, of stores that tell them. @param cdc `slot` unless given @returns undefined where it does not tell them in that way */
  changeSource?(cdc?: Cdc): ChangeSource | undefined
  /** Applies changes of a source, of stores whose tables can follow one. */
  changeTarget?(): ChangeTarget
  /** Lets two tables of this database change places, of stores that can in one transaction. */
  switches?(): SwitchStore
  /** Closes and opens a table that moves between this database and another one of its system, of stores that can. */
  switchSide?(): SwitchSide
  /** Whether tables can be worked with, of stores that look. */
  operational?(): OperationalExam
}

/** `odd`: it is none of the column's type, which the system does not hold its column to, and stands here as a literal. */
export type ColumnValue = { readonly value: string | null; readonly rows: bigint; readonly odd?: true }

export type ColumnValues = {
  /** Texts as the system prints them, for `normalizer`; null is NULL. */
  readonly values: readonly ColumnValue[]
  readonly more: boolean
}

export type TimeExtent = {
  /** Null where no row has a value. */
  readonly low: string | null
  readonly high: string | null
  /** Rows without a value: they belong to no period. */
  readonly nulls: bigint
  /** Rows with a day that no calendar has, before all others; absent where there are none. */
  readonly unreal?: bigint
}

/** Indexes, constraints and defaults: those that tables have, and how to make more of them. */
export interface ObjectStore {
  /** Equal for systems that understand each other's definitions. */
  readonly words: string
  /** All that a table has, the primary key too; none where there is no such table. */
  list(table: TableSpec, signal: AbortSignal): Promise<readonly SchemaObject[]>
  /** Within what two objects of its kind cannot have the same name. */
  scope(object: SchemaObject): 'table' | 'schema'
  /** Which of some names for objects of a table belong to something else, beside its own objects. */
  taken(table: TableSpec, names: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>
  /** How it lists an object that it has made, or in words why it cannot make it. */
  fitted(object: SchemaObject, table: TableSpec): SchemaObject | { readonly refused: string }
  /**
   * Makes an object, unless it is there under its name by now; what a build that was broken off has left is made anew. Done twice it does no harm.
   * @param inUse others may write into the table meanwhile: they are kept waiting as little as the system can
   * @throws SluiceError OBJECTS_FAILED where rows or the definition keep it from being made
   */
  build(object: SchemaObject, table: TableSpec, inUse: boolean, signal: AbortSignal): Promise<void>
}

/** Which rows of which table; `columns` in the order in which cells are wanted. */
export type RowRequest = {
  readonly table: TableSpec
  readonly columns: readonly ReadColumn[]
  readonly range: Range
  /** A condition in the SQL of this store. */
  readonly where: string | null
  /** By key, ascending, as the range is cut; otherwise in any order. */
  readonly ordered: boolean
  /** With the times at which values were written, where the system keeps them. */
  readonly stamps?: true
  /** Partitions that hold nothing but static values come, too, as rows without the rest of their key; `stamps` means them as well. Else they are refused. */
  readonly sharedOnly?: true
  /**
   * Told of rows with a value that is none of its type; they are left out. Without it such a row is thrown.
   * @param row what the system gave, as texts
   */
  readonly aside?: (row: readonly (string | null)[], error: SluiceError) => void
  /**
   * Of a target: values beside the key that are none of their type, which only somebody else can have written, come as they are stored, as cells that no value of the
   * type is. A sum of them is that of no canonical row.
   */
  readonly asStored?: true
  /**
   * What comes in place of a value that is none of its type, where the store holds values of any kind in a column. Without it such a row is refused.
   * @param shown the value as a message shows it
   */
  readonly instead?: (shown: string) => Cell
}

/** A batch of rows in canonical form, about how many bytes they are, and when they were written, one for each row, where the system tells. */
export type RowBatch = {
  readonly rows: readonly Row[]
  readonly bytes: number
  readonly stamps?: readonly Stamp[]
  /** How many rows of the source these were made of, where that is another number. */
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
  /** Smallest and largest key of one column; null where the table is empty or the key has several. */
  readonly low: string | null
  readonly high: string | null
  /** Whether there are rows without a key. */
  readonly nullKeys: boolean
}

/** One look at a source. Several requests may run at the same time. */
export interface SourceView extends AsyncDisposable {
  readonly point: ReadPoint
  /** By what `CopyStore.joined` of another program takes it over, as long as it is open; absent where it cannot be handed on. */
  readonly exported?: string
  /** Whether it can still be read by, of stores that know: a failed statement takes nothing from it. */
  readonly stands?: (() => boolean) | undefined
  /** @param exact whether to count, which may take as long as reading the key */
  extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent>
  /**
   * Cuts a range of keys or blocks into ranges of about so many rows. Neighbours have byte-equal bounds; the outer edges are those of `within`. A
   * range that holds nothing is one range.
   */
  cut(table: TableSpec, within: Range, where: string | null, rows: number, signal: AbortSignal): AsyncIterable<Range>
  /** Rows in canonical form. @throws SluiceError VALUE_REFUSED where a value is none of its type; BAD_PREDICATE for a wrong condition */
  read(request: RowRequest, size: BatchSize, signal: AbortSignal): AsyncIterable<RowBatch>
  /** Rows as the system prints them; returns how many. A failure of the source is thrown, and never looks like an end. */
  frames?(request: RowRequest, format: FrameFormat, signal: AbortSignal): AsyncGenerator<Buffer, bigint>
  /** Rows as the CSV of `model/archiving/wire.ts`, made by the system itself; returns how many. */
  csv?(request: RowRequest, signal: AbortSignal): AsyncGenerator<Buffer, bigint>
  /** Rows and sum of a range, computed where that is cheapest. */
  digest(request: RowRequest, signal: AbortSignal): Promise<Digest>
  /**
   * Rows of each range, in one query or request where that is cheapest. Absent where the store can only read and count: its caller does that.
   * @throws SluiceError BAD_PREDICATE for a wrong condition
   */
  readonly counts?: ((request: CountRequest, signal: AbortSignal) => Promise<readonly bigint[]>) | undefined
  /** The largest key of the range, and null where it is empty. */
  last(table: TableSpec, range: Range, where: string | null, signal: AbortSignal): Promise<readonly string[] | null>
  /** Milliseconds by which a clock of its servers differs from this machine's, the most of all; of systems whose values expire. */
  readonly clockApartMs?: (() => Promise<number>) | undefined
}

/** A chunk as its target sees it: names of columns and keys are those of the target. */
export type ChunkRequest = {
  readonly table: TableSpec
  readonly columns: readonly WriteColumn[]
  readonly range: Range
  /** False where the target sorts keys in another way than the source, so that bounds of a range mean nothing in it. */
  readonly sortsAlike?: boolean
  readonly onExisting: 'refuse' | 'upsert' | 'replace-range' | 'append'
  /** Every call of `write` can fail alone, and the chunk goes on. Slower. */
  readonly careful: boolean
  /** Rows are written past triggers and foreign keys where the role may: those of a table that is followed, whose source has fired its own. */
  readonly pastTriggers?: boolean
  /** How far an attempt before this one came, where it could commit in batches; null for a chunk that is just begun. */
  readonly cursor?: string | null
  readonly signal: AbortSignal
}

export type DigestRequest = {
  readonly scheme: 'echo' | 'canonical' | 'count'
  /** Only rows with these keys, as `keyText` spells them, where others may stand between them. */
  readonly only?: ReadonlySet<string>
  readonly frames?: FrameFormat
  /** Other columns than those of the chunk, and not only what the chunk has written; of `canonical` alone. */
  readonly columns?: readonly WriteColumn[]
}

export interface CopyTarget {
  /** Creates a table with its key. @throws SluiceError TARGET_DENIED … */
  create(table: TableSpec, signal: AbortSignal): Promise<void>
  /** Options that the system refused when this target created the table, each with the reason; it was made without them. Of stores that have any. */
  refusedSettings?(table: TableName): readonly string[]
  /** Removes every row of a table that a copy made and has to begin anew. */
  clear(table: TableSpec, signal: AbortSignal): Promise<void>
  /**
   * Makes a loaded table whole: positions of sequences, statistics. Done twice it does no harm.
   * @param sequences of the source, by names of the target's columns: those of the target go at least as far, and never back. A column that is not
   * named goes on behind its largest value
   * @returns what the sequences of the target cannot do, in words
   */
  finish(table: TableSpec, signal: AbortSignal, sequences?: readonly ColumnSequence[]): Promise<readonly string[]>
  /** Begins the transaction of a chunk, where there is one. */
  open(request: ChunkRequest): Promise<ChunkWriter>
  /**
   * Takes rows out, if they are what they have to be. Rows and ledger change in one transaction where the system has those; where it has not, a row that
   * was written later than it was read stays, and 'differs' may come after others went. The same request again goes on after a program that was killed.
   */
  remove?(request: RemoveRequest): Promise<StepEnd>
}

/** The transaction of a chunk. Disposed without `commit`, nothing of it stays; where `atomic` is 'batch', what was written stays. */
export interface ChunkWriter extends AsyncDisposable {
  /** For `LedgerDatabase.endSession`; empty where there is nothing to end. */
  readonly session: string
  /** What it holds until it ends, so that a batch of the ledger waits for it; of stores with one writer. See `withWriter`. */
  readonly turn?: Turn
  /** False where it sees only the rows it was given, because the bounds of the range mean nothing in the target; otherwise `digest` sees all rows of the range. */
  readonly seesRange: boolean
  /** Whether the target holds rows in the range, before anything is written. */
  occupied(): Promise<boolean>
  /**
   * All of these rows or none. Rows whose key is taken are refused like those that break any other constraint; `upsert` overwrites what is there, and
   * `append` leaves it as it is.
   * @param stamps one for each row, from a source that keeps them
   * @returns how many were written: fewer than given where `append` found keys taken
   * @throws SluiceError ROW_REFUSED where a row cannot stay (constraint, type, size); the transaction is over then unless it is `careful`
   */
  write(rows: readonly Row[], step?: BatchStep, stamps?: readonly Stamp[]): Promise<number>
  /** @returns rows written */
  writeFrames?(frames: AsyncIterable<Buffer>, format: FrameFormat): Promise<bigint>
  /** Rows as the CSV of `model/archiving/wire.ts`; returns how many were written. */
  writeCsv?(csv: AsyncIterable<Buffer>): Promise<bigint>
  /** What stands in the range now, read within the transaction. */
  digest(request: DigestRequest): Promise<Digest>
  /**
   * Runs the closing statements in the transaction and commits. Where the answer to COMMIT is lost, asks what became of it.
   * @returns `fenced` where somebody else has the chunk now; nothing is written then
   * @throws SluiceError COMMIT_UNKNOWN where nobody can tell
   */
  commit(closing: Closing): Promise<'committed' | 'fenced'>
}
