/** Events of a replication stream after a copy. Positions are texts of the source's system (an LSN: `0/1A2B3C8`). */
import type { Dec, Ms } from '../run/dec.ts'
import type { SignOffVerdict, StreamHistory } from './sign-off.ts'

/** A stream begins, or is resumed. */
export type FollowStartedEvent = {
  type: 'follow.started'
  stream: string
  slot: string
  position: string
  tables: Dec
  /** True if this run created the stream. */
  isNew: boolean
  /** Set if triggers record changes; their schema or tables are named after `slot`. Absent with a replication slot. */
  cdc?: 'trigger'
}

/**
 * `copying`: no changes are applied. `catchup`: changes older than its rows are applied again. `live`: equals the
 * source at the position.
 */
export type FollowTableEvent = {
  type: 'follow.table'
  table: string
  state: 'copying' | 'catchup' | 'live'
  /** `catchup`: the catch-up position. `live`: the position at which the table became live. */
  position?: string
  /** Rows read from the source again, because the stream does not contain all of their values. */
  reread?: Dec
  /** Reread rows that a comparison found to differ, and that were changed. */
  mended?: Dec
}

export type FollowProgressEvent = {
  type: 'follow.progress'
  /** Position up to which all changes are applied and durable in the target. */
  position: string
  /** End of the source's log. */
  end: string
  /** Log that is not applied yet. 0 if positions are not bytes of a log: `waiting` then shows the backlog. */
  lagBytes: Dec
  /** Trigger records not applied yet; absent if positions are bytes of a log. */
  waiting?: Dec
  /** Age of the last applied commit, or of the first one delayed by a rate limit or a pause; 0 if all is applied. */
  lagMs: Ms
  /**
   * Set if `lagMs` is a bound.
   * `at most`, with a log: the source still reads log that it has not sent, or is silent. `lagMs` is measured from the
   * last applied commit, or from the last position that the source sent.
   * `at most`, with triggers, whose records have no time: `lagMs` is measured from the start of the last applied batch,
   * or from the last time without records. Pending changes are younger.
   * `at least`: nothing was applied yet. `lagMs` is measured from the run's first read.
   */
  lagIs?: 'at most' | 'at least'
  /** Transactions and changed rows over all runs of the stream. */
  transactions: Dec
  changes: Dec
  /** Changed rows per second, over the last ten seconds. */
  rate: Dec
  /** Estimated time at this rate until all is applied; absent if unknown. */
  remainingMs?: Ms
  /**
   * `heldBytes`: size of the log that the slot retains at the source, or of trigger records. `safeBytes`: by how much
   * this size may still grow; absent without a limit.
   */
  heldBytes: Dec
  safeBytes?: Dec
  tables: { copying: Dec; catchup: Dec; live: Dec }
}

/**
 * Changes applied to a table, over all runs of its stream. Sent for every table when a run begins to apply changes,
 * then after changes, at most every two seconds.
 */
export type FollowCountedEvent = {
  type: 'follow.counted'
  table: string
  state: FollowTableEvent['state']
  inserts: Dec
  updates: Dec
  deletes: Dec
  truncates: Dec
}

/** Changes may be missing: the stream keeps its position and stops. */
export type FollowHaltedEvent = {
  type: 'follow.halted'
  code: string
  tables: readonly string[]
  message: string
  since: string
}

/** Ledger data of a stream, for a report. */
export type FollowHistoryEvent = { type: 'follow.history'; history: StreamHistory }

/** A sign-off was given or refused, and recorded in the ledger. */
export type FollowSignedEvent = {
  type: 'follow.signed'
  id: string
  stream: string
  verdict: SignOffVerdict
  by: string
  /** Position of the compared snapshot; absent if nothing was compared. */
  position?: string
  tables: Dec
  rows: Dec
  /** Why it is refused. */
  reasons: readonly string[]
}

/** A table was compared in one snapshot of both sides, while changes continued. */
export type FollowProvedEvent = {
  type: 'follow.proved'
  table: string
  /** Both sides contain exactly the changes before it. */
  position: string
  rows: Dec
  targetRows: Dec
  differing: Dec
  /** Rows of the source that cannot be read. */
  unread: Dec
  /** How long changes had to wait for the snapshot. */
  pauseMs: Ms
  ms: Ms
  /** Ranges that other workers compared; absent if no other worker was asked. */
  elsewhere?: Dec
}

/** A row named by the user, after the stream has read it from the source again. */
export type FollowRowEvent = {
  type: 'follow.row'
  table: string
  /** Row key of the stream; null for NULL. */
  key: readonly (string | null)[]
  /** `equal`: the target was equal already. `removed`: the source had no such row. */
  outcome: 'mended' | 'removed' | 'equal'
  /** The row equals the source at this position. */
  position: string
  /** Run that repaired it, for `diff --undo`; absent if nothing was changed. */
  repairedBy?: Dec
}

/** All events of this file. */
export type FollowEvents =
  | FollowStartedEvent
  | FollowTableEvent
  | FollowProgressEvent
  | FollowCountedEvent
  | FollowHaltedEvent
  | FollowHistoryEvent
  | FollowSignedEvent
  | FollowProvedEvent
  | FollowRowEvent
