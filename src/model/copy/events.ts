/** Events of the chunks of a copy, and their totals. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { LeftBehind } from './dependencies.ts'
import type { RingSpec } from './column-type.ts'
import type { Dec, Int, Ms } from '../run/dec.ts'
import type { TableStatus } from '../run/run-status.ts'

/**
 * Bounds of a chunk: lower exclusive, upper inclusive; both inclusive if the key is an integer. A null bound is open.
 */
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
  /** Set if it was accepted with `--accept-difference`. */
  accepted?: true
} & KeySpan

/** Time that a target needs for a megabyte of rows, ms. */
export type TargetLatency = {
  /** 95th percentile of the last seconds. */
  p95Ms: Ms
  /** 95th percentile while the target is not overloaded; null until it is known. */
  baselineMs: Ms | null
}

/**
 * Why a chunk was released. `stop`: the run stops. `asked`: a user requested the release. `lease`: its owner sent no
 * heartbeat for too long. `ended`: the owner's program ended. `compare`: its rows are compared with the source when the
 * copy ends. `left`: it failed in this program, and the owner of the stream copies it. `taken`: another program has it,
 * or may claim it when its lease has expired.
 */
export type ReleaseReason = 'stop' | 'asked' | 'lease' | 'ended' | 'compare' | 'left' | 'taken'

/** Totals of one table, over all runs. */
export type CopyTally = {
  chunks: Dec
  /** Chunks proved by this run. */
  proved: Dec
  /** Chunks proved by other runs, which this run did not change. */
  earlier: Dec
  /**
   * Among `proved` and `earlier`: chunks copied without a proof (`unproved`), and chunks proved by their number of
   * rows only (`counted`). Absent for 0.
   */
  unproved?: Dec
  counted?: Dec
  /** Number of `earlier` chunks whose rows this run counted, on both sides. */
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

/** One table of a copy at its end. Written rows, errors and times are of this run only. */
export type CopySummaryLine = {
  table: string
  status: TableStatus
  /** Rows that this run wrote to the target. */
  written: Dec
  /** Rows of chunks that an earlier run or another program copied; absent if there are none. */
  earlier?: Dec
  /** Rows of the table that could not be copied, by this run or an earlier one. */
  failed: Dec
  /** Rows written at a lower consistency level than requested. */
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
  /** Name of the table in the target. */
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
  /** Chunks planned so far. `done`: copied by earlier runs. `unproved`: chunks of `done` with a weaker proof. */
  chunks: Dec
  done: { chunks: Dec; rows: Dec; unproved?: Dec }
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
  /** Set if `chunks` is an estimate; `rows` may be exact nevertheless. */
  chunksEstimated?: true
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
  /** Set if indexes, constraints or defaults were requested. */
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
  /** `build`: to be created. `there`: exists in the target already. `left`: left out. */
  status: 'build' | 'there' | 'left'
  /** Why it is left out, or how it differs from the source. */
  note?: string
}

/** All events of this file. */
export type CopyEvents =
  | CopyStartedEvent
  /**
   * Steering request for a table of a copy, or a chunk. After `retry` the table sends `table.finished` again: the last
   * one counts.
   */
  | { type: 'table.steered'; table: string; chunk?: string; act: 'pause' | 'resume' | 'skip' | 'retry' }
  | ChunkStartedEvent
  | {
      type: 'chunk.progress'
      table: string
      chunk: string
      worker: Int
      done: Dec
      total: Dec
      unit: string
      /** Current step of the chunk; copy only. */
      step?: 'reading' | 'writing' | 'proving'
      /** Copy only: approximate size in the source so far. */
      bytes?: Dec
    }
  | { type: 'chunk.retried'; table: string; chunk: string; attempt: Int; waitMs: Ms; error: ErrorInfo }
  | ({
      type: 'chunk.done'
      table: string
      chunk: string
      worker: Int
      done: Dec
      unit: string
      ms: Ms
    } & KeySpan &
      Partial<ChunkTally>)
  /** A chunk that an earlier run completed. If its proof is weaker than the plan's, the target's checksum is ''. */
  | ({ type: 'chunk.skipped'; table: string; chunk: string; provedAt?: string } & KeySpan & ChunkTally)
  /** Before a copy ends, it counts rows of chunks proved by earlier runs, on both sides. `done`, `total`: chunks. */
  | { type: 'look.progress'; table: string; done: Dec; total: Dec }
  | LookDifferenceEvent
  | { type: 'chunk.failed'; table: string; chunk: string; error: ErrorInfo }
  /** A chunk of a copy can be claimed again: its worker released it, or died. */
  | { type: 'chunk.released'; table: string; chunk: string; reason: ReleaseReason; error?: ErrorInfo }
  /** A copy creates an index, a constraint or a default. `name`: its name in the target. */
  | { type: 'index.started'; table: string; name: string; kind: string }
  | { type: 'index.done'; table: string; name: string; kind: string; ms: Ms }
  | { type: 'index.failed'; table: string; name: string; kind: string; error: ErrorInfo }
  /** A row that the target refuses; its chunk continues without it. */
  | { type: 'row.aside'; table: string; chunk: string; key: readonly (string | null)[]; error: ErrorInfo }
  /** Rows written at a weaker consistency level than requested, listed so that they can be checked again. */
  | { type: 'rows.fallback'; table: string; level: string; rows: Dec; keys: readonly (readonly string[])[] }
  /** End of a copy in script mode: tables with problems first. */
  | { type: 'copy.summary'; tables: readonly CopySummaryLine[] }
  /** New limit in rows per second, set by the user or because the target slowed down. */
  | { type: 'throttle.on'; reason: string; rate: Dec; cause?: 'pressure' | 'latency'; latency?: TargetLatency }
  | { type: 'throttle.off' }
  /** Time that the target of a copy needs for a megabyte of rows; sent every few seconds. */
  | ({ type: 'target.latency' } & TargetLatency)
  /** A run over the token ring of one table, as the Cassandra Data Migrator describes it: tokens, ranges, run id. */
  | {
      type: 'run.tracked'
      table: string
      job: 'MIGRATE' | 'VALIDATE'
      /** Tokens, both inclusive. */
      min: Dec
      max: Dec
      splits: Dec
      /** Percent of each range that the run processes. */
      coverage: number
      /** Ranges to process. */
      ranges: Dec
      /** Id in `cdm_run_info`; absent if nothing is written there. */
      cdmRun?: Dec
      /** Id of the run that this run resumes. */
      previous?: Dec
      /** Ranges that the previous run did not finish. Also 0 if no range is left to copy: then no run is recorded. */
      pending?: Dec
    }
  /** Result of a `run.tracked` run, with the names and the order of `run_info`. */
  | { type: 'run.counted'; table: string; cdmRun?: Dec; counters: Readonly<Record<string, Dec>> }
  | {
      type: 'diff.progress'
      table: string
      /**
       * `looking again`: reads rows again that just differed. `mending`: repairs rows, with `--fix`. `looking for extra
       * rows`: looks up all rows of the target in the source, if the target sorts differently.
       */
      step: 'comparing' | 'looking again' | 'mending' | 'looking for extra rows'
      /** `done`: source rows compared so far. `total`: all source rows, an estimate if `estimated` is true. */
      done: Dec
      total: Dec
      estimated: boolean
      /** Compared key ranges, and the estimated number left. */
      ranges: Dec
      left: Dec
      /** Known differing rows so far. */
      differences: Dec
      /** Rows of the target looked up in the source during the search for surplus rows. */
      looked?: Dec
    }
