/** Summary events for a late viewer: they replace events that are not stored one by one, and give the same totals. */
import type { Dec, Int, Open, Time } from '../run/dec.ts'
import type { TableStatus } from '../run/run-status.ts'

/** Totals of chunk events. `proved`: rows written by chunks with a checksum. */
export type ChunkEventTotals = { read: Dec; written: Dec; skipped: Dec; quarantined: Dec; proved: Dec }

/** `pending`: begun, then released. */
export type ClosedState = 'pending' | 'proved' | 'written' | 'aside' | 'failed'

/** Consecutive chunks in the same state. */
export type ChunkRange = {
  /** Numbers, both inclusive. */
  first: Int
  last: Int
  state: ClosedState
  /**
   * For a key that is one integer: the start of the first chunk, then the end of each chunk, or only of the last one.
   * Bounds are inclusive; null is open. Absent if not reported.
   */
  edges?: readonly (string | null)[]
}

/** Replaces `chunk.started`, `.done`, `.skipped`, `.failed`, `.released` events of a table that are not resent. */
export type ChunksSummaryEvent = {
  type: 'chunks.summary'
  table: string
  /** When the first chunk of the table began; absent if this run has begun none. */
  since?: Time
  /** `begun`: chunks that this run began. `chunks`: chunks that it closed. */
  begun: Dec
  chunks: Dec
  /** Work done by this run, for each unit of its chunks. */
  work: Readonly<Record<string, Dec>>
  bytes: Dec
  /** Number of attempts after the first one of a chunk. */
  retries: Dec
  /** The highest worker number. */
  workers: Int
  /** `here`: totals of this run. `before`: totals of earlier runs. */
  here: ChunkEventTotals
  before: ChunkEventTotals
  states: readonly ChunkRange[]
}

/** Replaces events of the whole run that are not sent again: their number and totals. */
export type RunSummaryEvent = {
  type: 'run.summary'
  /** Number of `table.finished` events by status. */
  tables: Readonly<Partial<Record<Open<TableStatus>, Dec>>>
  /** `chunk.done` events outside of copies. */
  chunks: Dec
  work: Readonly<Record<string, Dec>>
  bytes: Dec
  retries: Dec
  mismatches: Dec
  differences: Dec
  /** Findings in checked files. */
  findings: Dec
}

/** All events of this file. */
export type SummaryEvents = ChunksSummaryEvent | RunSummaryEvent
