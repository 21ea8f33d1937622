/** Events about the chunks of a copy, and what they come to. */
import type { ErrorInfo } from '../../shared/errors.ts'
import type { LeftBehind } from './left-behind.ts'
import type { RingSpec } from './column-type.ts'
import type { Dec } from '../run/dec.ts'
import type { TableStatus } from '../run/run-status.ts'

/** Edges of a chunk of a copy: the first one is not part of it, unless the key is a whole number, where both are. Null is open. */
export type KeySpan = { from?: readonly string[] | null; to?: readonly string[] | null }

export type ChunkStartedEvent = {
  type: 'chunk.started'
  table: string
  chunk: string
  worker: number
  total: Dec
  unit: string
  /** Of an import: what slots of the same shared run have brought in before, beside `total`. */
  earlier?: Dec
} & KeySpan

export type ChunkTally = {
  read: Dec
  written: Dec
  skipped: Dec
  quarantined: Dec
  attempt: number
  /** About how many of the source; absent where that was not noted. */
  bytes?: Dec
  /** Absent where nothing was summed. */
  checksum?: { source: string; target: string }
}

/** A chunk of an earlier run, or a table as a whole, that holds another number of rows than it has to. */
export type LookDifferenceEvent = {
  type: 'look.difference'
  table: string
  /** Absent where only the table as a whole could be counted. */
  chunk?: string
  /** `source`: only the source changed since the chunk was proved. `target`: the target lost or got rows. */
  side: 'source' | 'target'
  /** Rows of the source when the chunk was proved, and now. */
  sourceBefore: Dec
  source: Dec
  expected: Dec
  target: Dec
  /** Noted by `--accept-difference`. */
  accepted?: true
} & KeySpan

/** Milliseconds that a target takes for a megabyte of rows. */
export type Latency = {
  /** 95 of 100 times in the last seconds it took no longer. */
  p95Ms: number
  /** The same while all was well; null before that is known. */
  baselineMs: number | null
}

/** The run stops; somebody asked for this chunk back; nothing was heard of its owner for too long; its program has ended; another program has it, or may take it. */
export type ReleaseReason = 'stop' | 'asked' | 'lease' | 'ended' | 'compare' | 'left' | 'taken'

/** Of one table, over all runs. */
export type CopyTally = {
  chunks: Dec
  /** By this run. */
  proved: Dec
  /** Proved by other runs, which this run left as they are. */
  earlier: Dec
  /** Of those: counted by this run, on both sides. */
  looked: Dec
  /** First and last moment at which the chunks of other runs were proved. */
  provedAt?: readonly [string, string]
  read: Dec
  written: Dec
  skipped: Dec
  quarantined: Dec
  /** Of the source, about. */
  bytes?: Dec
  /** How many states of the source the chunks were read from. */
  readPoints: Dec
  /** With `--again`: what comparing the chunks of earlier runs came to. `written` are then rows that were mended, `skipped` those that were equal. */
  again?: CopyAgain
}

/** Chunks and rows of a table that `--again` compared. */
export type CopyAgain = {
  /** Chunks that were compared, and those of them of which rows were written, removed or set aside, or differ still. */
  compared: Dec
  differed: Dec
  /** Rows that were written. */
  mended: Dec
  /** Rows that the source has not: those that were removed, and those that stay. */
  removed: Dec
  extra: Dec
  /** Rows that stay because the target wrote them later. */
  newer?: Dec
}

/** One table of a copy at its end. Rows that were written, errors and times are of this run. */
export type CopySummaryLine = {
  table: string
  status: TableStatus
  /** Rows that this run has brought into the target. */
  written: Dec
  /** Rows that the target holds already: of chunks that an earlier run or another program has copied; absent where there are none. */
  earlier?: Dec
  /** Rows of the table that could not be brought there, by this run or an earlier one. */
  failed: Dec
  /** Of those that were written: at a lower consistency than asked for. */
  fallback: Dec
  /** Errors that passed when the same was tried again, and those that did not. */
  recovered: Dec
  unrecovered: Dec
  ms: number
  rowsPerSecond: Dec
  error?: ErrorInfo
}

/** A table of a copy begins, or goes on. */
export type CopyStartedEvent = {
  type: 'copy.started'
  table: string
  /** Its name in the target. */
  to: string
  rows: Dec
  estimated: boolean
  /** Columns that the table is cut by; none where it has no key. */
  key: readonly string[]
  /** Smallest and largest key, where it is one column. */
  low?: string
  high?: string
  /** Of a table whose rows lie on a ring of tokens: its first columns of the key name the partition. */
  ring?: Pick<RingSpec, 'partitioner' | 'columns'>
  chunkRows: Dec
  /** Chunks that the target takes at the same time: more workers only wait. */
  writers?: Dec
  /** Chunks known so far, and how many of them earlier runs have proved. */
  chunks: Dec
  done: { chunks: Dec; rows: Dec }
}

/** What a copy is going to do with one table. */
export type CopyPlanLine = {
  table: string
  to: string
  status: 'copy' | 'resume' | 'done' | 'refused'
  rows: Dec
  estimated: boolean
  bytes: Dec
  chunkRows: Dec
  chunks: Dec
  /** Chunks that the target takes at the same time. */
  writers?: Dec
  key: readonly string[]
  /** Smallest and largest key, where it is one column. */
  low?: string
  high?: string
  proof: string
  create: boolean
  onExisting: string
  columns: readonly { from: string; to: string; source: string; target: string; lossy?: string }[]
  /** Of a service that limits them. */
  requests?: Dec
  /** At least so long the requests have to be spread over, ms. */
  requestMs?: number
  /** Where more than rows was asked for. */
  objects?: readonly PlannedObjectLine[]
  /** What of this table does not come along. */
  leftBehind?: readonly LeftBehind[]
  notes?: readonly string[]
  error?: ErrorInfo
}

/** What becomes of an index, a constraint or a default of the source's table. */
export type PlannedObjectLine = {
  name: string
  kind: string
  status: 'build' | 'there' | 'left'
  /** Why it is left out, or what is not as in the source. */
  note?: string
}
