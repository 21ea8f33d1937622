/** Events about the chunks of a copy, and what they come to. */
import type { Dec } from './dec.ts'

/** Edges of a chunk of a copy: the first one is not part of it, unless the key is a whole number, where both are. Null is open. */
export type KeySpan = { from?: readonly string[] | null; to?: readonly string[] | null }

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

/** The run stops; somebody asked for this chunk back; nothing was heard of its owner for too long; its program has ended. */
export type ReleaseReason = 'stop' | 'asked' | 'lease' | 'ended' | 'compare'

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
