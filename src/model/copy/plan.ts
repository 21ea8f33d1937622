/** What a copy is going to do, as data: shown before anything is touched, hashed, and compared when a copy goes on. */
import type { Codec } from './codec.ts'
import type { Column, ColumnType, TableSpec } from './column-type.ts'
import type { Range } from './range.ts'
import type { FrameFormat, ProofScheme } from './rows.ts'

/** What happens to rows that the target holds already. */
export type OnExisting =
  /** Nothing may stand where rows are going to be written. */
  | 'refuse'
  /** Rows of equal key are overwritten. */
  | 'upsert'
  /** Every chunk removes what the target holds in its range first. */
  | 'replace-range'
  /** Rows are added to what is there; those whose key is there already are skipped, and have to be the same. */
  | 'append'

export type ColumnPlan = {
  readonly from: string
  readonly to: string
  /** As which type the values travel and are proved. */
  readonly as: ColumnType
  readonly source: Column
  readonly target: Column
  /** What gets lost between the two types, in words; accepted by name or refused. */
  readonly lossy?: string
  /** What converts the source's values to `as`; absent where the types say it themselves. */
  readonly codec?: Codec
}

export type TablePlan = {
  readonly source: TableSpec
  readonly target: TableSpec
  /** Whether the target has to be created. */
  readonly create: boolean
  readonly columns: readonly ColumnPlan[]
  /** Columns were named; else all of the source go along, also those that it had before. */
  readonly chosen?: true
  /** Generated columns that source and target compute, each by itself: compared, and never written. Rows that are compared have them behind `columns`. */
  readonly checked?: readonly ColumnPlan[]
  /** Names of those that versions before decision 16 did not compare: part of the hash. */
  readonly newlyChecked?: readonly string[]
  /** Collections that keep their own write time and TTL; versions that gave them those of their row had no such field. Part of the hash. */
  readonly ownTimes?: readonly string[]
  /** A condition in the SQL of the source. */
  readonly where?: string
  readonly onExisting: OnExisting
  readonly proof: ProofScheme
  /** Rows are forwarded in this form without a look inside; absent where values travel one by one. */
  readonly frames?: FrameFormat
  /** Columns of the target that the source's key goes to: ranges of the target are those of these columns. */
  readonly rangeKey: readonly string[]
  /** Whether both sides sort these columns alike, so that a range of one is the same range of the other. */
  readonly sortsAlike: boolean
  /** How the table is cut. */
  readonly cut: 'key' | 'block' | 'all'
  /** Why this copy cannot go on where it stopped; absent where it can. */
  readonly notResumable?: string
  /** Options of the source's table that say something, and that a table made for it does not get. */
  readonly settingsLeft?: readonly string[]
  /** Rows of a chunk, as asked for or by the size of the table. */
  readonly chunkRows: number
  /** Of everything that decides what ends up in the target. */
  readonly hash: string
}

/** Where and when a source was read: equal views of one source read the same rows. */
export type ReadPoint = {
  /** Snapshot, LSN, or whatever else tells it from other points; of systems without, the time. */
  readonly view: string
  readonly position?: string
  readonly at: string
}

/** A chunk of the ledger that somebody works on. */
export type Claim = {
  readonly id: number
  readonly no: number
  readonly range: Range
  readonly fence: number
  readonly attempt: number
  /** How far a target that cannot hold a whole chunk in one transaction has come. */
  readonly cursor: string | null
  /** Rows that were written under that cursor. */
  readonly written: bigint
}

/** What a chunk came to. `read = written + skipped + quarantined`, or it is not completed. */
export type Tally = {
  readonly read: bigint
  readonly written: bigint
  readonly skipped: bigint
  readonly quarantined: bigint
  readonly bytes: bigint
}
