/** What stands, for whoever joins a run late, for events that are not kept one by one: folded, they come to the same. */
import type { Dec } from '../run/dec.ts'
import type { TableStatus } from '../run/run-status.ts'

/** What chunks have come to, as their events add up; `proved` are rows that were written by chunks whose checksum was not left out. */
export type ChunkSums = { read: Dec; written: Dec; skipped: Dec; quarantined: Dec; proved: Dec }

/** `pending`: begun, and undone again. */
export type ClosedState = 'pending' | 'proved' | 'written' | 'aside' | 'failed'

/** Chunks one behind the other that are in the same state. */
export type ChunkStretch = {
  /** Numbers, both included. */
  first: number
  last: number
  state: ClosedState
  /**
   * Of a key that is one whole number: where the first one begins, then where each of them ends, or the last one only; both included; null is open. Absent
   * where nobody has told.
   */
  edges?: readonly (string | null)[]
}

/** Chunks of one table of a copy: those of its `chunk.started`, `chunk.done`, `chunk.skipped`, `chunk.failed` and `chunk.released` that do not follow one by one. */
export type ChunksSummaryEvent = {
  type: 'chunks.summary'
  table: string
  /** When the first chunk of the table began; absent where this run has begun none. */
  since?: string
  /** Begun by this run, and closed by it. */
  begun: Dec
  chunks: Dec
  /** Done by this run, by the unit of the chunks. */
  work: Readonly<Record<string, Dec>>
  bytes: Dec
  /** Tries after the first. */
  retries: Dec
  /** The highest number of a worker. */
  workers: number
  /** Of this run, and of those before it. */
  here: ChunkSums
  before: ChunkSums
  states: readonly ChunkStretch[]
}

/** Of all of a run: how many events of a kind do not follow one by one, and what they add up to. */
export type RunSummaryEvent = {
  type: 'run.summary'
  /** `table.finished`, by status. */
  tables: Readonly<Partial<Record<TableStatus, Dec>>>
  /** `chunk.done` of what is no copy. */
  chunks: Dec
  work: Readonly<Record<string, Dec>>
  bytes: Dec
  retries: Dec
  mismatches: Dec
  differences: Dec
  /** Of files that were checked. */
  findings: Dec
}
