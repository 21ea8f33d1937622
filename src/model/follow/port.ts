/** What a store offers to replication streams: as a source, changes in commit order; as a target, sessions for them. */
import type { Change, ChangeBatch, LogPosition } from '../copy/change.ts'
import type { Column, TableName, TableSpec } from '../copy/column-type.ts'
import type { FrameFormat, Row } from '../copy/rows.ts'
import type { Closing } from '../run/ledger-port.ts'
import type { ReadColumn } from '../copy/read-column.ts'
import type { WriteColumn } from '../copy/write-column.ts'

/** How changes are captured: from the log through a replication slot, or by triggers that record each change. */
export type Cdc = 'slot' | 'trigger'

/** A table of the source in a stream. */
export type FollowedTable = {
  readonly table: TableSpec
  /** In the order of the cells of `ChangeRow`. */
  readonly columns: readonly ReadColumn[]
  /** Columns by which the source identifies the row of an UPDATE or DELETE; part of `columns`. Set by `inspect`. */
  readonly identity: readonly string[]
  /**
   * Target columns that get no values from the source and that the target does not compute as the source does: their
   * source column was dropped or renamed since the stream began.
   */
  readonly unwritten?: readonly string[]
  /** Generated columns that the target computes too, and that are compared: part of the schema fingerprint. */
  readonly computed?: readonly string[]
}

/** Why a table cannot be replicated, or a stream cannot continue. */
export type FollowRefusal = {
  /** Absent if it concerns the whole server. */
  readonly table?: TableName
  readonly message: string
  readonly hint: string
}

/** Result of checking the requirements of a stream, before anything is created. */
export type FollowPreflight = {
  readonly refusals: readonly FollowRefusal[]
  readonly notes: readonly string[]
  /** Row key columns of each table, in the order of the request; empty for a refused one. */
  readonly identities: readonly (readonly string[])[]
  /** Space for the log that the slot retains; null if anything is refused. */
  readonly wal: LogSpace | null
}

/** How much log a replication slot may retain at the source. */
export type LogSpace = {
  /** `max_slot_wal_keep_size`; null is no limit. */
  readonly limitBytes: bigint | null
  /** Free space in the folder of the log; null if the server does not report it. */
  readonly freeBytes: bigint | null
  /** Bytes that the log grows per second, measured over about half a second. */
  readonly bytesPerSecond: number
}

/**
 * Start record of a stream, which identifies it. The ledger stores the record as JSON, so its values are texts. It is
 * compared with the state of the stream at every start, and every five seconds.
 */
export type StreamStart = {
  readonly slot: string
  readonly publication: string
  /** Object ids and similar facts, by name. Absent facts are not compared. */
  readonly facts: Readonly<Record<string, string>>
  /** Position of the slot at its creation, as `ChangeSource.text` prints it. */
  readonly start: string
  /**
   * Schema fingerprints (columns, partitions, files), by `tableText`. A difference shows that rows may have changed
   * outside of the stream.
   */
  readonly shapes: Readonly<Record<string, string>>
  /**
   * For each table (`tableText`) that was copied again within the stream: changes committed before this position
   * are in the copy, and the stream skips them. The skipped changes may have columns or a publication that no longer
   * exist.
   */
  readonly since?: Readonly<Record<string, string>>
  /** Tables (`tableText`) that were copied again within the stream; users may have changed the target's since. */
  readonly recopied?: readonly string[]
  /**
   * Owner ids of this target, newest last. The source records the last one, or the previous one if a program was killed
   * in between. Absent in streams of older programs.
   */
  readonly owners?: readonly string[]
  /** Column names of the target in order, by `tableText` of the source. Absent in streams of older programs. */
  readonly targetColumns?: Readonly<Record<string, readonly string[]>>
}

/** The target of a stream, as recorded at the source at each start. */
export type RecordedTarget = {
  /** Random for each start: an older copy of the target does not have it. */
  readonly owner: string
  /** Address of the target, without user and password. */
  readonly address: string
  /** Further addresses of this server in shared runs. Absent in records of older programs. */
  readonly addresses?: readonly string[]
  /** Origin of the target (`Identification.origin`), and `started`: the start time of its server. */
  readonly origin: Readonly<Record<string, string>>
}

/** A fault after which changes may be missing. The position of the stream does not advance. */
export type StreamFault = {
  readonly code: 'SLOT_LOST' | 'OTHER_SERVER' | 'PUBLICATION_CHANGED' | 'TRIGGERS_CHANGED' | 'TABLE_CHANGED'
  /** Tables, by `tableText`, that may have lost changes. */
  readonly tables: readonly string[]
  readonly message: string
  /** Start of the possible gap, as `ChangeSource.text` prints it. */
  readonly since: string
}

/** State of a stream, compared with its start record. */
export type StreamState = {
  /** Faults; empty if nothing was lost. A fault that lists tables affects only these. */
  readonly faults: readonly StreamFault[]
  /** New `StreamStart.shapes` after harmless changes, such as a partition added empty: the caller stores them. */
  readonly moved: Readonly<Record<string, string>>
  /** Tables, by `tableText`, whose loss can be determined only after pending changes are applied: verify again then. */
  readonly unclear: readonly string[]
}

export type SourceLag = {
  /** Current end of the log. */
  readonly now: LogPosition
  /**
   * Trigger records that are not applied and deleted yet. Set if positions are counters, because the difference of two
   * counters is not the backlog. Absent if positions are bytes of a log.
   */
  readonly waiting?: bigint
  /**
   * True if trigger records are pending. They carry no time: the oldest is no older than the last time without
   * pending records. Absent if the changes come from a log, which has commit times.
   */
  readonly isNoted?: boolean
  /** Bytes retained by the slot, or used by trigger records. */
  readonly heldBytes: bigint
  /** Bytes that may still be retained before the slot is lost; null without a limit. */
  readonly safeBytes: bigint | null
  /** Status of the slot, as the server reports it: `reserved`, `extended`, `unreserved`, `lost`. */
  readonly status: string
  /**
   * Current time of the clock that sets commit times, ms since the epoch; may differ from this machine's clock by
   * hours. Absent: use this machine's clock.
   */
  readonly clockMs?: number
  /**
   * True if the server's log reader has read everything and waits: a silent stream then has no changes. False if it
   * still reads, or if the login has no right to see that; absent if the source has no such reader.
   */
  readonly readerWaits?: boolean
}

/** Any replication slot of the server. */
export type ReplicationSlotLine = {
  readonly name: string
  readonly plugin: string | null
  readonly database: string | null
  readonly active: boolean
  readonly status: string | null
  readonly heldBytes: bigint | null
  readonly safeBytes: bigint | null
  readonly confirmed: string | null
  /** True if its name shows that sluice created it. */
  readonly ours: boolean
}

/** The source of a stream. Every method throws SluiceError CONNECTION_LOST … as the store does. */
export interface ChangeSource {
  /** Prints a position as the system does: `0/1A2B3C8`. */
  text(position: LogPosition): string
  /** @throws Error if the text is not a position */
  position(text: string): LogPosition
  /** Checks the requirements; read-only. */
  inspect(tables: readonly FollowedTable[], signal: AbortSignal): Promise<FollowPreflight>
  /**
   * Measures the cost for writers of the source before anything is installed; only for sources with such a cost.
   * @param tables with their row keys
   * @returns the measurements, as text
   */
  cost?(tables: readonly FollowedTable[], signal: AbortSignal): Promise<readonly string[]>
  /**
   * Creates the publication, then the slot, then waits until all transactions open by then have ended: any later
   * snapshot contains all changes that the slot omits. First removes leftovers of a killed attempt with these names.
   * @param name of slot and publication: `sluice_`, then lower-case letters, digits and underscores; at most 63
   * @param report called with what it waits for, if that takes longer than some seconds
   * @param quiet true to block writers of the tables for seconds, while the slot is created; ignored without a slot
   * @throws SluiceError SOURCE_BUSY or TARGET_BUSY if other transactions do not end in time, SLOT_ACTIVE if a running
   * program uses the slot
   */
  begin(
    name: string,
    tables: readonly FollowedTable[],
    signal: AbortSignal,
    report?: (message: string) => void,
    quiet?: boolean,
  ): Promise<StreamStart>
  /**
   * Compares the stream with its start record. Call before `open` at every start, every five seconds, and before
   * applying a `truncate`: once it is applied, its cause cannot be determined.
   * @param tables that are still replicated; other tables of the stream are not checked
   * @param applied durable position in the target
   */
  verify(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
  ): Promise<StreamState>
  /**
   * Prepares some tables for a new copy within the stream: publishes them again if needed, and records their
   * fingerprints. On return every transaction that the stream skips has ended, so any later snapshot contains it.
   * Idempotent.
   * @param applied durable position in the target
   * @param report as in `begin`
   * @returns the new start record
   * @throws SluiceError SLOT_LOST, STREAM_HALTED if the whole stream has lost changes; TARGET_BUSY as `begin`
   */
  renew?(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
    report?: (message: string) => void,
  ): Promise<StreamStart>
  /**
   * Position after the commit records of all transactions that are visible to snapshots before this call
   * (`pg_current_wal_insert_lsn`: with synchronous_commit=off a visible commit may be after `pg_current_wal_lsn`).
   */
  fence(signal: AbortSignal): Promise<LogPosition>
  lag(startRecord: StreamStart, signal: AbortSignal): Promise<SourceLag>
  /**
   * Changes from a position on. Ends a walsender that a dead program left active.
   * @param frames format that the target accepts: rows that the source can send in it have a `RowChange.frame`
   * @throws SluiceError SLOT_LOST, SLOT_ACTIVE if another running program reads it
   */
  open(
    startRecord: StreamStart,
    tables: readonly FollowedTable[],
    from: LogPosition,
    signal: AbortSignal,
    frames?: FrameFormat,
  ): Promise<ChangeStream>
  /** The target recorded at the last start; null if an older program began the stream, or the record was removed. */
  recordedTarget(name: string, signal: AbortSignal): Promise<RecordedTarget | null>
  /**
   * Records the target that applies the stream from now on. With triggers, the previous owner cannot delete records
   * after this call.
   * @param was owner recorded now; null for none
   * @returns false if another owner is recorded: nothing was changed
   * @throws SluiceError SOURCE_DENIED if the login has no right to record it
   */
  recordTarget(name: string, follower: RecordedTarget, was: string | null, signal: AbortSignal): Promise<boolean>
  /** Removes slot and publication. Idempotent. */
  end(name: string, signal: AbortSignal): Promise<void>
  /** SQL for the user to remove a stream whose ledger is lost; only for sources where no sluice command can. */
  endByHand?(name: string): string
  /** Publications of streams that include a table, its partitions or its parents; none if it does not exist. */
  streamsOf?(table: TableName, signal: AbortSignal): Promise<readonly string[]>
  /** All slots of the server, of all databases. */
  slots(signal: AbortSignal): Promise<readonly ReplicationSlotLine[]>
  /** Name of the connected database, as in `ReplicationSlotLine.database`. */
  database(signal: AbortSignal): Promise<string>
}

export interface ChangeStream extends AsyncDisposable {
  /**
   * Changes since the last call, in order; waits up to `waitMs` for the first. Flow control stops the server while too
   * much is buffered here; keepalives are still answered.
   * @returns empty if no change arrived in time
   * @throws SluiceError CONNECTION_LOST (retryable: open another stream), SLOT_LOST, BAD_STREAM
   */
  next(waitMs: number): Promise<readonly Change[]>
  /**
   * Reports that this position is durable in the target: the source may discard its log before it. The position is sent
   * immediately, and with every later report.
   */
  confirm(position: LogPosition): void
  /** Asks the source for its position. The source replies with an `idle` after all changes before that position. */
  ask(): void
  /** End of the server's log, as last reported. */
  readonly end: LogPosition
  /**
   * Ms since the last check that found no pending trigger records; null if no check since `open` found none. Absent if
   * changes come from a log.
   */
  readonly emptyForMs?: number | null
}

/** A table of the target that changes are applied to. */
export type ChangeTable = {
  readonly table: TableSpec
  /** In the order of the cells of `ChangeRow`. */
  readonly columns: readonly WriteColumn[]
  /** Columns that identify rows: mapped from the row key of the source, whatever the key of the target is. */
  readonly identity: readonly string[]
  /** Columns of `identity` whose type or collation differs from the source. */
  readonly comparedApart?: readonly string[]
  /**
   * True until the table has everything up to its catch-up position: a chunk copied late may hold a value that an older
   * change writes again, so secondary unique indexes and foreign keys would refuse valid rows. They are built after
   * that position, before the table is LIVE.
   */
  readonly catchingUp?: boolean
}

export type TargetPreflight = {
  readonly refusals: readonly FollowRefusal[]
  readonly notes: readonly string[]
  /** Set if sessions that apply changes check foreign keys; absent if they rely on the source. */
  readonly checksKeys?: true
}

export type Applied = {
  /**
   * Row keys (`Put.key`) of changes that were not written: the changes lack the unchanged values of their rows, and the
   * target has no row (`base`) that could supply them.
   */
  readonly lacking: readonly Row[]
}

export type ChangeRequest = {
  readonly tables: readonly ChangeTable[]
  /** True if the user wants triggers of the target to fire for changes too. */
  readonly fireTriggers: boolean
  /**
   * Replication origin of these transactions in the target's log, so that a stream from the target can skip them. Only
   * one session at a time can use an origin: each apply worker needs its own. Created if missing; never removed.
   */
  readonly origin?: string
  readonly signal: AbortSignal
}

export interface ChangeTarget {
  /** Row format that is written unchanged; absent if rows are decoded. A `pg-binary` target accepts `pg-text` too. */
  readonly frames?: FrameFormat
  /** Checks the requirements; read-only. */
  inspect(request: ChangeRequest): Promise<TargetPreflight>
  /** True if two different keys of the source may be equal in such a column of a created table. */
  folds?(column: Pick<Column, 'native' | 'collation'>): boolean
  open(request: ChangeRequest): Promise<ChangeWriter>
}

/**
 * A session that applies changes, one transaction after the other. A transaction begins with the first call, and ends
 * with `commit` or `rollBack`.
 */
export interface ChangeWriter extends AsyncDisposable {
  /** Id of its session, for `LedgerDatabase.endSession`. */
  readonly session: string
  /**
   * Deletes the removed rows and writes the changed ones, each found by its row key.
   * @throws SluiceError ROW_REFUSED if a row is not accepted; CONNECTION_LOST
   */
  apply(table: number, batch: ChangeBatch): Promise<Applied>
  truncate(tables: readonly number[]): Promise<void>
  /**
   * The next transaction reads the indexes and columns of these tables again, because this program has changed them.
   * Called between two transactions. Absent if every transaction does so.
   */
  forget?(tables: readonly number[]): void
  /** Runs the closing statements in the transaction and commits, as `ChunkWriter.commit`. */
  commit(closing: Closing): Promise<'committed' | 'fenced'>
  rollBack(): Promise<void>
}
