/** Events of partitions that are archived and restored. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { ArchiveState } from './state.ts'
import type { Dec, Int, Ms } from '../run/dec.ts'

/** One partition of a plan. Bounds as the source prints them: lower inclusive, upper exclusive, absent if open. */
export type ArchivePlanEvent = {
  type: 'archive.planned'
  table: string
  partition: string
  /** `later`: not old enough. `blocked`: due, but `note` names what prevents it. */
  status: 'due' | 'resume' | 'drop' | 'done' | 'later' | 'restored' | 'held' | 'blocked'
  state?: ArchiveState
  from?: string
  to?: string
  rows: Dec
  estimated: boolean
  /** Size in the source, estimated. */
  bytes: Dec
  /** Estimated from earlier archiving of this table; absent while nothing was measured. */
  estimatedMs?: Ms
  note?: string
}

/** Estimated work of a run for one table, from partitions of this table that were exported before. */
export type ArchiveForecastEvent = {
  type: 'archive.forecast'
  table: string
  /** `partitions`: exported or resumed; `drops`: only dropped. */
  partitions: Dec
  drops: Dec
  /** Rows of the partitions that are not only dropped; `estimated` if some of them were not counted. */
  rows: Dec
  estimated: boolean
  /** Estimates: bytes of text read from the source, and bytes of the Parquet files; absent without earlier exports. */
  sourceBytes?: Dec
  bytes?: Dec
  /** Estimated time for one partition after the other; absent until a run has processed a partition in all steps. */
  ms?: Ms
  /** Partitions that are processed concurrently. */
  workers: Int
  /** Exported partitions that the estimate is based on. */
  from: Dec
}

/** How the columns of a table are stored in its archive. */
export type ArchiveColumnsEvent = {
  type: 'archive.columns'
  table: string
  archive: string
  partitionColumn: string
  calendar: string
  /** Column of which each value is a partition; absent if partitions are periods of the calendar. */
  byValue?: string
  columns: readonly { column: string; source: string; stored: string; note?: string }[]
  /** Why a run would refuse the archive: another database's ledger owns it, or another object is at its location. */
  foreign?: string
  /** What was not inspected, and why, as text. */
  notLooked?: readonly string[]
}

export type ArchiveStep = 'exporting' | 'verifying' | 'publishing' | 'detaching' | 'removing' | 'dropping' | 'restoring'

/** Progress of a step; may be dropped if the reader is slow. */
export type ArchiveProgressEvent = {
  type: 'archive.progress'
  table: string
  partition: string
  step: ArchiveStep
  rows: Dec
  /** Estimated until the rows are counted. */
  total: Dec
  /** Bytes of text read from the source so far. */
  bytes: Dec
}

/** A partition has reached a state. */
export type ArchiveStateEvent = {
  type: 'archive.state'
  table: string
  partition: string
  state: ArchiveState
  rows?: Dec
  /** Size in the source. */
  sourceBytes?: Dec
  /** Size of its Parquet files. */
  bytes?: Dec
  files?: Dec
  /** Version of the Delta table. */
  version?: Dec
  /** Earliest time at which it may be dropped, UTC. */
  dropAfter?: string
  /** Time until the files of an export were complete. The source computes the checksum at the same time, or later. */
  writeMs?: Ms
  /** Time since the previous state. */
  ms: Ms
  error?: ErrorInfo
}

/** A partition as recorded in the ledger (`archive list`). */
export type ArchivedEvent = {
  type: 'archived'
  table: string
  partition: string
  state: ArchiveState
  archive: string
  from?: string
  to?: string
  rows?: Dec
  files?: Dec
  bytes?: Dec
  sourceBytes?: Dec
  version?: Dec
  changedAt?: string
  dropAfter?: string
  /** Reason of the hold that forbids changes of the partition. */
  held?: string
  error?: string
  /**
   * When and by whom it was expired. `until`: it can be restored at least until then. `destroyedAt`: when its files
   * were destroyed. UTC.
   */
  expiredAt?: string
  expiredBy?: string
  until?: string
  destroyedAt?: string
  /** Checksum of the proved rows; only for expired partitions. */
  checksum?: string
  /** Rows of the period in the table now; absent if they were not counted. */
  counted?: Dec
  /** Counted rows of the period minus the rows that the ledger expects in the table: negative if rows are missing. */
  surplus?: Dec
  /** Why a run would refuse the archive: another database's ledger owns it, or another object is at its location. */
  foreign?: string
  /** What was not inspected, and why, as text. */
  notLooked?: readonly string[]
}

/** A difference between an archive and its proof (`archive verify`), or an unreferenced file (`archive sweep`). */
export type ArchiveFindingEvent = {
  type: 'archive.finding'
  table: string
  partition?: string
  path?: string
  finding:
    | 'missing file'
    | 'changed file'
    | 'unreadable file'
    | 'other rows'
    | 'other bounds'
    | 'not in the log'
    | 'not in the ledger'
    | 'differs from the source'
    | 'late rows'
    | 'doubled rows'
    | 'changed rows'
    | 'deleted rows'
    | 'broken log'
    | 'foreign archive'
    | 'stray file'
    | 'swept file'
    | 'outdated file'
  detail: string
  bytes?: Dec
}

/** Rows to erase, or erased rows, of one partition. Without `partition`: rows of the table that are not archived. */
export type ArchiveErasureEvent = {
  type: 'archive.erasure'
  table: string
  partition?: string
  state?: ArchiveState
  step: 'found' | 'erased'
  /** `archived`: rows in Parquet files. `source`: rows in the database. `files`: files rewritten without the rows. */
  archived: Dec
  source: Dec
  files: Dec
  /** Reason of the hold that forbids changes of the partition. */
  held?: string
}

/** A partition that expires, would expire, or is old enough but stays. Bounds as the source prints them. */
export type ArchiveExpiryEvent = {
  type: 'archive.expiry'
  table: string
  partition: string
  state: ArchiveState
  step: 'due' | 'held' | 'blocked' | 'expired'
  from?: string
  to?: string
  /** Proved rows and their checksum. */
  rows?: Dec
  checksum?: string
  files: Dec
  bytes: Dec
  /** The partition can be restored at least until this time, UTC. */
  until?: string
  /** Reason of the hold that forbids changes of the partition. */
  held?: string
  note?: string
}

/** A file of an archive that was destroyed permanently. */
export type ArchiveDestroyedEvent = {
  type: 'archive.destroyed'
  table: string
  path: string
  bytes: Dec
  sha256: string
}

/** Partitions, files and source rows that a query read. */
export type QuerySourcesEvent = {
  type: 'query.sources'
  table: string
  /** Archived partitions whose files were read, out of all. */
  partitions: { read: Dec; of: Dec }
  files: { read: Dec; of: Dec }
  /** Files whose sha256 was compared before reading; absent if that was not requested. */
  verified?: Dec
  /** Files whose bytes were not compared: only their size was, and in a bucket their ETag. */
  unchecked?: Dec
  /** Time zone in which dates and times of the answer are computed and shown. */
  zone: 'UTC'
  /** Rows fetched from the source. */
  hotRows: Dec
  /** Columns fetched from the source. */
  hotColumns: readonly string[]
  /** Fetched rows left out because the archive has their key; their values were not compared. */
  leftOut?: Dec
  /** Fetched rows of other periods that were left out, because a detached period has their key in the archive. */
  moved?: Dec
  /** Columns that the query compares or sorts as text, but the database does not; with type: `price (numeric)`. */
  asTexts?: readonly string[]
  /** Text columns compared by bytes, where the database uses a collation or ignores trailing blanks. */
  byBytes?: readonly string[]
  /** What was not inspected, and why, as text. */
  notLooked?: readonly string[]
}

/** All events of this file. */
export type ArchiveEvents =
  | ArchivePlanEvent
  | ArchiveForecastEvent
  | ArchiveColumnsEvent
  | ArchiveProgressEvent
  | ArchiveStateEvent
  | ArchivedEvent
  | ArchiveFindingEvent
  | ArchiveErasureEvent
  | ArchiveExpiryEvent
  | ArchiveDestroyedEvent
  | QuerySourcesEvent
