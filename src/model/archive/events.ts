/** What happens to partitions on their way into an archive and back; part of the union in event.ts. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { ArchiveState } from './state.ts'
import type { Dec } from '../run/dec.ts'

/** One partition of a plan. Bounds as the source prints them; the first is in it, the second is not; absent where it is open. */
export type ArchivePlanEvent = {
  type: 'archive.planned'
  table: string
  partition: string
  /** `later`: not old enough. `blocked`: due, but something is in the way, and `note` says what. */
  status: 'due' | 'resume' | 'drop' | 'done' | 'later' | 'restored' | 'held' | 'blocked'
  state?: ArchiveState
  from?: string
  to?: string
  rows: Dec
  estimated: boolean
  /** Of the source, about. */
  bytes: Dec
  /** About how long it takes, by what archiving took here before; absent where nothing is known yet. */
  estimatedMs?: number
  note?: string
}

/** What a run of one table has before it. What was not exported yet is foretold from what was exported of the same table. */
export type ArchiveForecastEvent = {
  type: 'archive.forecast'
  table: string
  /** That are exported or gone on with, and that are only dropped. */
  partitions: Dec
  drops: Dec
  /** Of the partitions that are not only dropped; `estimated` where not all of them were counted. */
  rows: Dec
  estimated: boolean
  /** Text that comes out of the database, and Parquet files, about; absent where nothing of the table was exported yet. */
  sourceBytes?: Dec
  bytes?: Dec
  /** About, one partition after the other; absent where none has gone all the way at one go. */
  ms?: number
  /** Partitions that are worked on side by side. */
  workers: number
  /** Exported partitions that it is foretold from. */
  from: Dec
}

/** How the columns of a table stand in its archive. */
export type ArchiveColumnsEvent = {
  type: 'archive.columns'
  table: string
  archive: string
  partitionColumn: string
  calendar: string
  /** Column whose values are the partitions, where they are no periods of the calendar. */
  byValue?: string
  columns: readonly { column: string; source: string; stored: string; note?: string }[]
  /** Why a run would refuse the archive: another database goes on with it, or something else stands in its place. */
  foreign?: string
  /** What nobody looked at, and why, in words. */
  notLooked?: readonly string[]
}

export type ArchiveStep = 'exporting' | 'verifying' | 'publishing' | 'detaching' | 'removing' | 'dropping' | 'restoring'

/** How far a step is; may be left out by a slow reader. */
export type ArchiveProgressEvent = {
  type: 'archive.progress'
  table: string
  partition: string
  step: ArchiveStep
  rows: Dec
  /** About, until the rows are counted. */
  total: Dec
  /** Of text that has come out of the source so far. */
  bytes: Dec
}

/** A partition has reached a state. */
export type ArchiveStateEvent = {
  type: 'archive.state'
  table: string
  partition: string
  state: ArchiveState
  rows?: Dec
  /** Of the source. */
  sourceBytes?: Dec
  /** Of its Parquet files. */
  bytes?: Dec
  files?: Dec
  /** Of the Delta table. */
  version?: Dec
  /** When it may be dropped, UTC. */
  dropAfter?: string
  /** Of an export: until the files were whole. The source adds up its rows beside that, or behind it. */
  writeMs?: number
  /** Since the state before it. */
  ms: number
  error?: ErrorInfo
}

/** A partition as the ledger has it (`archive list`). */
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
  held?: string
  error?: string
  /** When it left the archive for good, and who said so; until when it can come back at least, and since when its files are destroyed, UTC. */
  expiredAt?: string
  expiredBy?: string
  until?: string
  destroyedAt?: string
  /** Of the rows that were proved; of what has expired only. */
  checksum?: string
  /** Rows of the period that the table holds now, counted; absent where nobody counted. */
  counted?: Dec
  /** Rows of the period that the table holds beyond those that the ledger expects there, by count: negative where some are gone. */
  surplus?: Dec
  /** Why a run would refuse the archive: another database goes on with it, or something else stands in its place. */
  foreign?: string
  /** What nobody looked at, and why, in words. */
  notLooked?: readonly string[]
}

/** Something in an archive that is not as it was proved (`archive verify`), or that belongs to nothing (`archive sweep`). */
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

/** Rows that are to be erased, or were: of one partition, or, where none is named, of the table beside them. */
export type ArchiveErasureEvent = {
  type: 'archive.erasure'
  table: string
  partition?: string
  state?: ArchiveState
  step: 'found' | 'erased'
  /** Rows in Parquet files, rows in the database, and files that are written anew without them. */
  archived: Dec
  source: Dec
  files: Dec
  /** Why nothing of it may be changed. */
  held?: string
}

/** A partition that leaves its archive for good, or would, or stays though it is old enough. Bounds as the source prints them. */
export type ArchiveExpiryEvent = {
  type: 'archive.expiry'
  table: string
  partition: string
  state: ArchiveState
  step: 'due' | 'held' | 'blocked' | 'expired'
  from?: string
  to?: string
  /** What was proved of it. */
  rows?: Dec
  checksum?: string
  files: Dec
  bytes: Dec
  /** Until when it can come back at least, UTC. */
  until?: string
  held?: string
  note?: string
}

/** A file of an archive that nobody can read any more. */
export type ArchiveDestroyedEvent = {
  type: 'archive.destroyed'
  table: string
  path: string
  bytes: Dec
  sha256: string
}

/** Which parts of a table a query has read. */
export type QuerySourcesEvent = {
  type: 'query.sources'
  table: string
  /** Archived partitions whose files were read, and all of them. */
  partitions: { read: Dec; of: Dec }
  files: { read: Dec; of: Dec }
  /** Files whose sha256 was compared before anything was read from them; absent where nobody asked for it. */
  verified?: Dec
  /** Files whose bytes were compared with nothing: their size was, and in a bucket their ETag. */
  unchecked?: Dec
  /** Zone in which dates and times of the answer are computed and shown. */
  zone: 'UTC'
  /** Rows of the source that were brought over. */
  hotRows: Dec
  /** Columns that were. */
  hotColumns: readonly string[]
  /** Of these rows, those that are not part of the answer because the archive has their key; their values were not looked at. */
  leftOut?: Dec
  /** Of these rows, those that are not part of the answer because a detached period has their key in the archive, though they stand in another period now. */
  moved?: Dec
  /** Columns that the statement compares or orders as texts, though the database does otherwise, with their types: `price (numeric)`. */
  asTexts?: readonly string[]
  /** Columns of texts that are compared by their bytes, which the database does by a collation, or without blanks at the end. */
  byBytes?: readonly string[]
  /** What nobody looked at, and why, in words. */
  notLooked?: readonly string[]
}
