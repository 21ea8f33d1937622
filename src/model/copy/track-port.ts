/**
 * `cdm_run_info` and `cdm_run_details` as the Cassandra Data Migrator keeps them in the schema of a target: what its users query, and what it
 * reads itself when it goes on with a run. The truth about a copy stands in the ledger.
 */

export type TrackStatus = 'NOT_STARTED' | 'STARTED' | 'PASS' | 'FAIL' | 'DIFF' | 'DIFF_CORRECTED' | 'ENDED'
export type RunType = 'MIGRATE' | 'VALIDATE'

/** A row of `cdm_run_info`. */
export type TrackedRun = {
  /** Without a schema. */
  readonly table: string
  /** Nanoseconds since 1970, or whatever the other tool has made up. */
  readonly runId: bigint
  readonly type: RunType
  /** 0 for none. */
  readonly previous: bigint
  /** Milliseconds since 1970. */
  readonly started: number
  readonly ended: number | null
  readonly info: string | null
  readonly status: TrackStatus
}

/** A row of `cdm_run_details`: tokens from `low` to `high`, both included. */
export type TrackedRange = {
  readonly low: bigint
  readonly high: bigint
  readonly status: TrackStatus
  readonly info: string | null
  /** Milliseconds since 1970; null for a range that nobody has begun. */
  readonly started: number | null
}

/** The two tables of one schema. Writing a row again changes nothing; what the row does not say stays. */
export interface TrackStore {
  /** Makes the tables where they are not there. @throws SluiceError TARGET_DENIED … */
  prepare(): Promise<void>
  /** All runs of a table, the latest id first. */
  runs(table: string): Promise<readonly TrackedRun[]>
  /** By `low`, ascending. */
  ranges(table: string, runId: bigint): Promise<readonly TrackedRange[]>
  putRun(run: TrackedRun): Promise<void>
  putRanges(table: string, runId: bigint, ranges: readonly TrackedRange[]): Promise<void>
}

const STATUSES: readonly TrackStatus[] = ['NOT_STARTED', 'STARTED', 'PASS', 'FAIL', 'DIFF', 'DIFF_CORRECTED', 'ENDED']

/** What a row of another tool says; a word that nobody knows is taken for a range that is not done. */
export function trackStatus(word: unknown): TrackStatus {
  return STATUSES.find((status) => status === word) ?? 'NOT_STARTED'
}
