/** What a store offers to those who follow it: changes out of a source, in commit order, and changes into a target. */
import type { Change, ChangeBatch, LogPosition } from '../copy/change.ts'
import type { TableName, TableSpec } from '../copy/column-type.ts'
import type { FrameFormat, Row } from '../copy/rows.ts'
import type { Closing } from '../run/ledger-port.ts'
import type { ReadColumn } from '../copy/read-column.ts'
import type { WriteColumn } from '../copy/write-column.ts'

/** How a source tells changes: by its own log, which a slot keeps, or by what triggers note of each change. */
export type Cdc = 'slot' | 'trigger'

/** A table of the source that is followed. */
export type FollowedTable = {
  readonly table: TableSpec
  /** In the order of the cells of `ChangeRow`. */
  readonly columns: readonly ReadColumn[]
  /** Columns by which the source names the row of an UPDATE or DELETE; all of them are among `columns`. Filled in by `examine`. */
  readonly identity: readonly string[]
  /** Columns of the target that get no values of the source, and compute none that it has too: one that the source had when the stream began was dropped or renamed there. */
  readonly unwritten?: readonly string[]
  /** Names of generated columns that the target computes too, and that are compared: a change of one is a change of the shape. */
  readonly computed?: readonly string[]
}

/** Why something is not followed, or a stream does not go on. */
export type FollowRefusal = {
  /** Absent where it is about the whole server. */
  readonly table?: TableName
  readonly message: string
  readonly hint: string
}

/** What following would need, before anything is made. */
export type FollowExam = {
  readonly refusals: readonly FollowRefusal[]
  readonly notes: readonly string[]
  /** Identity columns of each table, in the order of the request; empty for a refused one. */
  readonly identities: readonly (readonly string[])[]
  /** Null where something is refused. */
  readonly wal: WalRoom | null
}

/** How much log a slot may hold back at the source. */
export type WalRoom = {
  /** `max_slot_wal_keep_size`; null is no limit. */
  readonly limitBytes: bigint | null
  /** Free space below the folder of the log, where the server tells it; null where it does not. */
  readonly freeBytes: bigint | null
  /** Measured over about half a second. */
  readonly bytesPerSecond: number
}

/** What tells a stream from every other one: stored in the ledger when it begins, compared at every start and every minute. Texts, because it is stored as JSON. */
export type StreamBirth = {
  readonly slot: string
  readonly publication: string
  /** Object ids and the like, by name. Absent facts are not compared. */
  readonly facts: Readonly<Record<string, string>>
  /** Position of the slot when it was made, as `ChangeSource.text` writes it. */
  readonly start: string
  /** Of each table, by `tableText`: what changes when rows come or go that no stream tells of (columns, partitions, files). */
  readonly shapes: Readonly<Record<string, string>>
  /**
   * Of tables that are copied anew within the stream, by `tableText`: changes that were committed before this position are in the copy, and the stream leaves
   * them out. They may be those of columns, or of a publication, that are no more.
   */
  readonly since?: Readonly<Record<string, string>>
  /**
   * Owners under which this target has followed, newest last. The source notes the last one, or the one before where a program was killed in between. Absent in streams of
   * older programs.
   */
  readonly owners?: readonly string[]
  /** Names of the target's columns in their order, by `tableText` of the source. Absent in streams of older programs. */
  readonly targetColumns?: Readonly<Record<string, readonly string[]>>
}

/** Who follows a stream, as its source notes it at each start. */
export type Follower = {
  /** Random, another one at each start: a copy of the target that was made before does not know it. */
  readonly owner: string
  /** Address of the target, without user and password. */
  readonly address: string
  /** Under which this very server was met, in shared runs. Absent in notes of older programs. */
  readonly addresses?: readonly string[]
  /** Of the target, as `CopyStore.origin` has it, and `started`: since when its server runs. */
  readonly origin: Readonly<Record<string, string>>
}

/** Something after which changes may be missing. The position stays where it is. */
export type StreamFault = {
  readonly code: 'SLOT_LOST' | 'OTHER_SERVER' | 'PUBLICATION_CHANGED' | 'TRIGGERS_CHANGED' | 'TABLE_CHANGED'
  /** Tables, by `tableText`, that may have lost changes. */
  readonly tables: readonly string[]
  readonly message: string
  /** From here on changes may be missing, as `ChangeSource.text` writes it. */
  readonly since: string
}

/** How a stream stands, compared with what was noted when it began. */
export type StreamState = {
  /** None where nothing was lost. What is about some tables leaves the others as they are. */
  readonly faults: readonly StreamFault[]
  /**
   * New `StreamBirth.shapes` of tables that changed in a way that loses nothing, such as a partition that was added empty: the caller stores them in place of the
   * old ones.
   */
  readonly moved: Readonly<Record<string, string>>
  /** Tables, by `tableText`, of which only changes that are not applied yet can tell whether anything was lost: to be asked again when those are. */
  readonly unclear: readonly string[]
}

export type SourceLag = {
  /** End of the log that is written now. */
  readonly now: LogPosition
  /**
   * Notes that are not told and forgotten yet, of sources whose positions are numbers of a counter: the difference of two of those says nothing of how much
   * waits. Absent where positions are bytes of a log.
   */
  readonly waiting?: bigint
  /**
   * Whether notes wait that are not told and forgotten yet. A note does not say when it was made: how old it is at most follows from when none was there. Absent where a
   * log tells the changes, with the times of their commits.
   */
  readonly isNoted?: boolean
  /** Bytes that the slot holds back, or that notes take. */
  readonly heldBytes: bigint
  /** Bytes that it may still hold back before it is lost; null where there is no limit. */
  readonly safeBytes: bigint | null
  /** As the server says: `reserved`, `extended`, `unreserved`, `lost`. */
  readonly status: string
  /** Now, ms since the epoch, by the clock that commits are told by: another host's, which may be hours off. Absent where it is the clock of this program. */
  readonly clockMs?: number
  /**
   * Whether the server's reader of the log has read all of it and waits for more: a stream that is silent then has nothing to tell. False where it still reads,
   * or nobody may see it; absent where the source has no such reader.
   */
  readonly readerWaits?: boolean
}

/** A replication slot of the server, whoever made it. */
export type SlotLine = {
  readonly name: string
  readonly plugin: string | null
  readonly database: string | null
  readonly active: boolean
  readonly status: string | null
  readonly heldBytes: bigint | null
  readonly safeBytes: bigint | null
  readonly confirmed: string | null
  /** Made by this program: its name says so. */
  readonly ours: boolean
}

/** The side of the source. Every method throws SluiceError CONNECTION_LOST … as the store does. */
export interface ChangeSource {
  /** Positions as the system writes them: `0/1A2B3C8`. */
  text(position: LogPosition): string
  /** @throws Error for a text that is none */
  position(text: string): LogPosition
  /** Looks, and changes nothing. */
  examine(tables: readonly FollowedTable[], signal: AbortSignal): Promise<FollowExam>
  /**
   * Measures what following would cost those who write, before anything is put on their tables; of sources where it costs them anything.
   * @param tables with their identities
   * @returns what was measured, in words
   */
  cost?(tables: readonly FollowedTable[], signal: AbortSignal): Promise<readonly string[]>
  /**
   * Makes publication, then slot, then waits until every transaction that was open by then has ended, so that any snapshot taken later sees what the slot
   * does not tell. What an attempt that was killed has left under the same names is removed first.
   * @param name of slot and publication: `sluice_`, then lower-case letters, digits and underscores; 63 at most
   * @param tell is told what it waits for, where it waits for longer than some seconds
   * @param quiet writers of the tables wait while the slot is made, seconds at most; sources without a slot pay no attention to it
   * @throws SluiceError SOURCE_BUSY or TARGET_BUSY where transactions of others do not end in time, SLOT_ACTIVE where a living program has the slot
   */
  begin(
    name: string,
    tables: readonly FollowedTable[],
    signal: AbortSignal,
    tell?: (message: string) => void,
    quiet?: boolean,
  ): Promise<StreamBirth>
  /**
   * Compares the stream with what was noted when it began. Called at every start before `open`, once a minute, and before a `truncate` is
   * applied: afterwards nobody knows that the stream has told it.
   * @param tables those that are still followed; what became of others is not asked
   * @param applied durable position in the target
   */
  verify(
    birth: StreamBirth,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
  ): Promise<StreamState>
  /**
   * Some tables are copied anew within the stream: they are published again where they are not, and noted as they are now. Afterwards every transaction has
   * ended whose changes the stream leaves out, so that any snapshot taken later sees them. Done twice it does no harm.
   * @param applied durable position in the target
   * @param tell as `begin` has it
   * @returns the birth that takes the place of the one before
   * @throws SluiceError SLOT_LOST, STREAM_HALTED where the stream as a whole has lost changes; TARGET_BUSY as `begin`
   */
  renew?(
    birth: StreamBirth,
    tables: readonly FollowedTable[],
    applied: LogPosition,
    signal: AbortSignal,
    tell?: (message: string) => void,
  ): Promise<StreamBirth>
  /**
   * Everything that is visible to a snapshot taken before this call has its commit record before the returned position.
   * (`pg_current_wal_insert_lsn`: with synchronous_commit=off a visible commit may lie behind `pg_current_wal_lsn`.)
   */
  fence(signal: AbortSignal): Promise<LogPosition>
  lag(birth: StreamBirth, signal: AbortSignal): Promise<SourceLag>
  /**
   * Changes from a position on. A walsender that a dead program left active is ended first.
   * @param frames the target takes rows as such bytes: those that the source can send so have a `RowChange.frame`
   * @throws SluiceError SLOT_LOST, SLOT_ACTIVE where another living program reads it
   */
  open(
    birth: StreamBirth,
    tables: readonly FollowedTable[],
    from: LogPosition,
    signal: AbortSignal,
    frames?: FrameFormat,
  ): Promise<ChangeStream>
  /** Who followed the stream at its last start; null where the source does not say: an older program began it, or the note was removed. */
  follower(name: string, signal: AbortSignal): Promise<Follower | null>
  /**
   * Notes who follows from here on. Where triggers note the changes, the owner that was noted before forgets no note behind this call.
   * @param was owner that is noted now; null for none
   * @returns false where another one is noted: nothing was changed
   * @throws SluiceError SOURCE_DENIED where the login may not note it
   */
  noteFollower(name: string, follower: Follower, was: string | null, signal: AbortSignal): Promise<boolean>
  /** Removes slot and publication; done twice it does no harm. */
  end(name: string, signal: AbortSignal): Promise<void>
  /** What somebody can do by hand to remove a stream from the source, where nobody has its ledger any more. Of sources where no command of ours does it. */
  endByHand?(name: string): string
  /** Publications of streams, whoever runs them, that tell changes of a table, of a partition of it, or of what it is a partition of; none where it is gone. */
  streamsOf?(table: TableName, signal: AbortSignal): Promise<readonly string[]>
  /** All slots of the server, of whatever database. */
  slots(signal: AbortSignal): Promise<readonly SlotLine[]>
  /** Name of the database that is connected to, as `SlotLine.database` has it. */
  database(signal: AbortSignal): Promise<string>
}

export interface ChangeStream extends AsyncDisposable {
  /**
   * What has come since the last call, in order; waits for something, but not longer than `waitMs`.
   * The server is kept from sending more while too much waits here; it is answered all the same.
   * @returns none where nothing came
   * @throws SluiceError CONNECTION_LOST (retryable: open another stream), SLOT_LOST, BAD_STREAM
   */
  next(waitMs: number): Promise<readonly Change[]>
  /** This position is durable in the target: the source may forget what lies before it. Told at once, and again with every answer. */
  confirm(position: LogPosition): void
  /** Asks the source how far it is: an `idle` comes as soon as everything before that has. */
  ask(): void
  /** End of the server's log, as it told last. */
  readonly end: LogPosition
  /** Ms since notes of triggers were looked at last and there were none; null where that was not so since it was opened. Absent where a log tells the changes. */
  readonly emptyForMs?: number | null
}

/** A table of the target that changes go to. */
export type ChangeTable = {
  readonly table: TableSpec
  /** In the order of the cells of `ChangeRow`. */
  readonly columns: readonly WriteColumn[]
  /** Columns by which rows are found: those that the source's identity goes to, whatever the key of the target is. */
  readonly identity: readonly string[]
  /**
   * The table is COPYING or CATCHUP: a chunk that was copied late may hold a value that an older change brings again, so that secondary unique indexes and
   * foreign keys would refuse rows which are right. They have to be built after it; of a LIVE table they may be there.
   */
  readonly catchingUp?: boolean
}

export type TargetExam = {
  readonly refusals: readonly FollowRefusal[]
  readonly notes: readonly string[]
  /** Sessions that apply changes check foreign keys; absent where they leave them to the source. */
  readonly checksKeys?: true
}

export type Applied = {
  /** Puts whose `base` is not in the table: nothing was written for them. Identities, as `Put.key`. */
  readonly lacking: readonly Row[]
}

export type ChangeRequest = {
  readonly tables: readonly ChangeTable[]
  /** The user wants triggers of the target to fire for changes as well. */
  readonly fireTriggers: boolean
  /**
   * Name of the origin that the target's log gives to these transactions, so that a stream out of the target can leave them out. One session at a time
   * holds an origin: lanes need one each. Made where it is not there; never removed.
   */
  readonly origin?: string
  readonly signal: AbortSignal
}

export interface ChangeTarget {
  /** Rows of the stream that are written as they came; absent where each is looked into. Who takes `pg-binary` takes `pg-text` too. */
  readonly frames?: FrameFormat
  /** Looks, and changes nothing. */
  examine(request: ChangeRequest): Promise<TargetExam>
  /** Whether two keys of a source are one to a table that is made with this collation; of targets that make tables with such ones. */
  folds?(collation: string): boolean
  open(request: ChangeRequest): Promise<ChangeWriter>
}

/** One session that applies changes, one transaction after the other. A transaction begins with the first call, and ends with `commit` or `rollBack`. */
export interface ChangeWriter extends AsyncDisposable {
  /** For `LedgerDatabase.endSession`. */
  readonly session: string
  /**
   * Removes the rows that are gone and writes those that are put, each found by its identity.
   * @throws SluiceError ROW_REFUSED where a row cannot stay; CONNECTION_LOST
   */
  apply(table: number, batch: ChangeBatch): Promise<Applied>
  truncate(tables: readonly number[]): Promise<void>
  /** Runs the closing statements in the transaction and commits, as `ChunkWriter.commit`. */
  commit(closing: Closing): Promise<'committed' | 'fenced'>
  rollBack(): Promise<void>
}
