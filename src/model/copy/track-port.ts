/**
 * `cdm_run_info` and `cdm_run_details`, which the Cassandra Data Migrator stores in the target. Users query them, and
 * the migrator reads them when it resumes a run. The authoritative record of a copy is the ledger.
 */
import type { LedgerDatabase } from '../run/ledger-port.ts'

export type TrackStatus = 'NOT_STARTED' | 'STARTED' | 'PASS' | 'FAIL' | 'DIFF' | 'DIFF_CORRECTED' | 'ENDED'
export type RunType = 'MIGRATE' | 'VALIDATE'

/** A row of `cdm_run_info`. */
export type TrackedRun = {
  /** Name of the table, without its schema. */
  readonly table: string
  /** Nanoseconds since 1970, or any number that the Cassandra Data Migrator chose. */
  readonly runId: bigint
  readonly type: RunType
  /** Id of the previous run; 0 if there is none. */
  readonly previous: bigint
  /** Milliseconds since 1970. */
  readonly started: number
  readonly ended: number | null
  readonly info: string | null
  readonly status: TrackStatus
}

/** A row of `cdm_run_details`: tokens from `low` to `high`, both inclusive. */
export type TrackedRange = {
  readonly low: bigint
  readonly high: bigint
  readonly status: TrackStatus
  readonly info: string | null
  /** Milliseconds since 1970; null for a range that was not begun. */
  readonly started: number | null
}

/** The two tables of one schema. Writes are idempotent; a column without a given value keeps its stored one. */
export interface TrackStore {
  /** Creates missing tables. @throws SluiceError TABLE_REFUSED if other tables have these names; TARGET_DENIED … */
  prepare(): Promise<void>
  /** All runs of a table, highest id first. */
  runs(table: string): Promise<readonly TrackedRun[]>
  /** Token ranges of a run, sorted by `low`. */
  ranges(table: string, runId: bigint): Promise<readonly TrackedRange[]>
  putRun(run: TrackedRun): Promise<void>
  putRanges(table: string, runId: bigint, ranges: readonly TrackedRange[]): Promise<void>
}

export interface Tracks {
  /** The tables of one schema. @param ledger of the same store: some systems write through it */
  open(schema: string, ledger: LedgerDatabase): TrackStore
}

const STATUSES: readonly TrackStatus[] = ['NOT_STARTED', 'STARTED', 'PASS', 'FAIL', 'DIFF', 'DIFF_CORRECTED', 'ENDED']

/** Status in a row of another tool; `NOT_STARTED` for an unknown word. */
export function trackStatus(word: unknown): TrackStatus {
  return STATUSES.find((status) => status === word) ?? 'NOT_STARTED'
}
