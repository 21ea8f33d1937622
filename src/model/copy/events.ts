/** Events of the chunks of a copy, and their totals. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { LeftBehind } from './left-behind.ts'
import type { RingSpec } from './column-type.ts'
import type { Dec, Int, Ms } from '../run/dec.ts'
import type { TableStatus } from '../run/run-status.ts'

/** Bounds of a chunk: lower exclusive, upper inclusive; both inclusive if the key is an integer. Null is open. */
export type KeySpan = { from?: readonly string[] | null; to?: readonly string[] | null }

export type ChunkStartedEvent = {
  type: 'chunk.started'
  table: string
  chunk: string
  worker: Int
  total: Dec
  unit: string
  /** Import only: work that worker processes of the same shared run finished before, not included in `total`. */
  earlier?: Dec
} & KeySpan

export type ChunkTally = {
  read: Dec
  written: Dec
  skipped: Dec
  quarantined: Dec
  attempt: Int
  /** Approximate size in the source; absent if it was not recorded. */
  bytes?: Dec
  /** Absent if no checksum was computed. */
  checksum?: { source: string; target: string }
}

/** A chunk of an earlier run, or a whole table, whose row count differs from the expected one. */
export type LookDifferenceEvent = {
  type: 'look.difference'
  table: string
  /** Absent if only the whole table could be counted. */
  chunk?: string
  /** `source`: only the source changed since the chunk was proved. `target`: the target lost or gained rows. */
  side: 'source' | 'target'
  /** Rows of the source when the chunk was proved, and now. */
  sourceBefore: Dec
  source: Dec
  expected: Dec
  target: Dec
  /** Accepted with `--accept-difference`. */
  accepted?: true
} & KeySpan

/** Time that a target takes for a megabyte of rows, ms. */
export type Latency = {
  /** 95th percentile of the last seconds. */
  p95Ms: Ms
  /** The same without overload; null until it is known. */
  baselineMs: Ms | null
}

/**
 * Why a chunk was given back. `stop`: the run stops. `asked`: it was requested back. `lease`: no heartbeat of its owner
 * for too long. `ended`: the owner's program ended. `taken`: another program has it. Otherwise another program may take
 * it.
 */
export type ReleaseReason = 'stop' | 'asked' | 'lease' | 'ended' | 'compare' | 'left' | 'taken'

/** Totals of one table, over all runs. */
export type CopyTally = {
  chunks: Dec
  /** Chunks proved by this run. */
  proved: Dec
  /** Chunks proved by other runs, which this run did not change. */
  earlier: Dec
  /** Of those: chunks whose rows this run counted, on both sides. */
  looked: Dec
  /** Earliest and latest time at which chunks of other runs were proved. */
  provedAt?: [string, string]
  read: Dec
  written: Dec
  skipped: Dec
  quarantined: Dec
  /** Size in the source, estimated. */
  bytes?: Dec
  /** Number of snapshots of the source that the chunks were read from. */
  readPoints: Dec
  /** With `--again`: result for chunks of earlier runs. `written` then counts repaired rows, `skipped` equal ones. */
  again?: CopyAgain
}

/** Chunks and rows of a table that `--again` compared. */
export type CopyAgain = {
  /** `differed`: compared chunks with rows that were written, removed or quarantined, or that still differ. */
  compared: Dec
  differed: Dec
  /** Rows that were written. */
  mended: Dec
  /** Surplus rows: removed, and kept. */
  removed: Dec
  extra: Dec
  /** Rows kept because the target has a later write time. */
  newer?: Dec
}

/** One table of a copy at its end. Written rows, errors and times are those of this run. */
export type CopySummaryLine = {
  table: string
  status: TableStatus
  /** Rows that this run wrote to the target. */
  written: Dec
  /** Rows of chunks that an earlier run or another program copied; absent if there are none. */
  earlier?: Dec
  /** Rows of the table that could not be copied, by this run or an earlier one. */
  failed: Dec
  /** Of the written rows: at a lower consistency level than requested. */
  fallback: Dec
  /** Errors that a retry resolved, and those that it did not. */
  recovered: Dec
  unrecovered: Dec
  ms: Ms
  rowsPerSecond: Dec
  error?: ErrorInfo
}

/** A table of a copy begins, or is resumed. */
export type CopyStartedEvent = {
  type: 'copy.started'
  table: string
  /** Its name in the target. */
  to: string
  rows: Dec
  estimated: boolean
  /** Columns of the key ranges; empty if the table has no key. */
  key: readonly string[]
  /** Smallest and largest key, if it is one column. */
  low?: string
  high?: string
  /** Only for rows on a token ring: the first `columns` key columns form the partition key. */
  ring?: Pick<RingSpec, 'partitioner' | 'columns'>
  chunkRows: Dec
  /** Chunks that the target accepts at the same time: further workers only wait. */
  writers?: Dec
  /** Chunks known so far; `done`: those that earlier runs proved. */
  chunks: Dec
  done: { chunks: Dec; rows: Dec }
}

/** Plan of a copy for one table. */
export type CopyPlanLine = {
  table: string
  to: string
  status: 'copy' | 'resume' | 'done' | 'refused'
  rows: Dec
  estimated: boolean
  bytes: Dec
  chunkRows: Dec
  chunks: Dec
  /** Chunks that the target accepts at the same time. */
  writers?: Dec
  key: readonly string[]
  /** Smallest and largest key, if it is one column. */
  low?: string
  high?: string
  proof: string
  create: boolean
  onExisting: string
  columns: readonly { from: string; to: string; source: string; target: string; lossy?: string }[]
  /** Estimated requests, for a service that limits them. */
  requests?: Dec
  /** Minimum time over which the requests must be spread, ms. */
  requestMs?: Ms
  /** If more than rows was requested. */
  objects?: readonly PlannedObjectLine[]
  /** Dependencies of this table that are not copied. */
  leftBehind?: readonly LeftBehind[]
  notes?: readonly string[]
  error?: ErrorInfo
}

/** What happens to an index, a constraint or a default of the source's table. */
export type PlannedObjectLine = {
  name: string
  kind: string
  status: 'build' | 'there' | 'left'
  /** Why it is left out, or how it differs from the source. */
  note?: string
}
