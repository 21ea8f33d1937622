/** Plan of a copy, as data: shown before anything changes, hashed, and compared when a copy is resumed. */
import type { Codec } from './codec.ts'
import type { Column, ColumnType, TableSpec } from './column-type.ts'
import type { Range } from './range.ts'
import type { FrameFormat, ProofScheme } from './rows.ts'

/** What happens to rows that the target already holds. */
export type OnExisting =
  /** The target range must be empty. */
  | 'refuse'
  /** Rows with equal keys are overwritten. */
  | 'upsert'
  /** Every chunk first deletes the target's rows in its range. */
  | 'replace-range'
  /** Rows are added; rows whose key exists are skipped, and must be equal. */
  | 'append'

export type ColumnPlan = {
  readonly from: string
  readonly to: string
  /** Type in which the values are transferred and proved. */
  readonly as: ColumnType
  readonly source: Column
  readonly target: Column
  /** What is lost between the two types, as text; the plan is refused unless the user accepts the loss. */
  readonly lossy?: string
  /** Converts the source's values to `as`; absent if the types need none. */
  readonly codec?: Codec
}

export type TablePlan = {
  readonly source: TableSpec
  readonly target: TableSpec
  /** True if the target table must be created. */
  readonly create: boolean
  readonly columns: readonly ColumnPlan[]
  /** Set if the user named the columns. Absent: all columns that the source had when the plan was made are copied. */
  readonly chosen?: true
  /** Generated columns that both sides compute: compared, never written. Compared rows contain them after `columns`. */
  readonly checked?: readonly ColumnPlan[]
  /** Names of columns in `checked` that older versions did not compare. Part of the hash. */
  readonly newlyChecked?: readonly string[]
  /** Collections with their own write time and TTL. Part of the hash: older versions gave them the times of the row. */
  readonly ownTimes?: readonly string[]
  /** A condition in the SQL of the source. */
  readonly where?: string
  readonly onExisting: OnExisting
  readonly proof: ProofScheme
  /** Rows are forwarded in this format without decoding; absent if values are transferred one by one. */
  readonly frames?: FrameFormat
  /** Target columns for the key of the source: ranges of the target use these columns. */
  readonly rangeKey: readonly string[]
  /** True if both sides sort these columns alike, so that a range means the same rows on both. */
  readonly sortsAlike: boolean
  /** How the table is divided into chunks. */
  readonly cut: 'key' | 'block' | 'all'
  /** Why this copy cannot be resumed; absent if it can. */
  readonly notResumable?: string
  /** Non-default options of the source's table that a new target table does not get. */
  readonly settingsLeft?: readonly string[]
  /** Rows per chunk, from the options or the size of the table. */
  readonly chunkRows: number
  /** Hash of everything that determines the rows of the target. */
  readonly hash: string
}

/** Where and when a source was read: equal views of one source return the same rows. */
export type ReadPoint = {
  /** Snapshot, LSN, or another identifier of the point; the time in systems without one. */
  readonly view: string
  readonly position?: string
  readonly at: string
}

/** A chunk of the ledger that a worker has claimed. */
export type Claim = {
  readonly id: number
  readonly no: number
  readonly range: Range
  /** Fencing token: a later claim of the chunk has a higher one. */
  readonly fence: number
  readonly attempt: number
  /** Position up to which a target has committed the chunk, if it commits a chunk in batches; otherwise null. */
  readonly cursor: string | null
  /** Rows written up to `cursor`. */
  readonly written: bigint
}

/** Result of a chunk. It is complete only if `read = written + skipped + quarantined`. */
export type TallyOfChunk = {
  readonly read: bigint
  readonly written: bigint
  readonly skipped: bigint
  readonly quarantined: bigint
  readonly bytes: bigint
}
