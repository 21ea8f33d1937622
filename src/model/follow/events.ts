/** Events of a stream of changes that follows a copy. Positions are texts of the source's system (an LSN: `0/1A2B3C8`). */
import type { Dec } from '../run/dec.ts'
import type { SignOffVerdict, StreamHistory } from './sign-off.ts'

/** A stream begins, or goes on where an earlier run left it. */
export type FollowStartedEvent = {
  type: 'follow.started'
  stream: string
  slot: string
  position: string
  tables: Dec
  /** Made by this run. */
  isNew: boolean
  /** Changes are noted by triggers, and the names of schema or tables of the notes begin with `slot`. Absent where a replication slot tells them. */
  cdc?: 'trigger'
}

/** `copying`: no change of it is applied. `catchup`: changes older than its rows are applied again. `live`: it holds what the source held at the position. */
export type FollowTableEvent = {
  type: 'follow.table'
  table: string
  state: 'copying' | 'catchup' | 'live'
  /** Of `catchup`: the table is live from this position on. Of `live`: the position at which it became so. */
  position?: string
  /** Rows that were read from the source again, because the stream does not tell all of their values. */
  reread?: Dec
  /** Of those: rows that a comparison had found to differ, and that were changed. */
  mended?: Dec
}

export type FollowProgressEvent = {
  type: 'follow.progress'
  /** Applied and durable in the target. */
  position: string
  /** End of the source's log. */
  end: string
  /** 0 where positions are no bytes of a log: `waiting` says there how much is not applied. */
  lagBytes: Dec
  /** Notes of triggers that wait; absent where positions are bytes of a log. */
  waiting?: Dec
  /** Since the last applied transaction was committed at the source, or the first that is held back by a rate or a pause; 0 where everything is applied. */
  lagMs: number
  /**
   * What `lagMs` is where nobody knows more; absent where it is exact. The source has more log than it has told of, and reads it still, or it does not answer: `at most` is
   * since the last applied transaction was committed, or since the source last told its position. Notes of triggers wait, which do not say when they were made: `at most` is
   * since the round was begun that was applied last, or since there were no notes. What waits is younger, or nothing. `at least`: nothing was applied yet, and `lagMs` is since
   * the run began to look.
   */
  lagIs?: 'at most' | 'at least'
  /** Transactions and changed rows over all runs of the stream. */
  transactions: Dec
  changes: Dec
  /** Changed rows a second, over the last ten seconds. */
  rate: Dec
  /** At this rate until everything is applied; absent where that is not known. */
  remainingMs?: number
  /** Log that the slot holds back at the source, or what notes take there, and how much more it may; absent where there is no limit. */
  heldBytes: Dec
  safeBytes?: Dec
  tables: { copying: Dec; catchup: Dec; live: Dec }
}

/** Changes that were applied to a table, over all runs of its stream: once for every table when a run begins to follow, then when they have changed, at most once in two seconds. */
export type FollowCountedEvent = {
  type: 'follow.counted'
  table: string
  state: FollowTableEvent['state']
  inserts: Dec
  updates: Dec
  deletes: Dec
  truncates: Dec
}

/** Changes may be missing: the stream keeps its position and does not go on. */
export type FollowHaltedEvent = {
  type: 'follow.halted'
  code: string
  tables: readonly string[]
  message: string
  since: string
}

/** What the ledger knows of a stream, as a report tells it. */
export type FollowHistoryEvent = { type: 'follow.history'; history: StreamHistory }

/** A sign-off was given or refused, and is in the ledger. */
export type FollowSignedEvent = {
  type: 'follow.signed'
  id: string
  stream: string
  verdict: SignOffVerdict
  by: string
  /** Of the moment that was compared; absent where nothing was. */
  position?: string
  tables: Dec
  rows: Dec
  /** Why it is refused. */
  reasons: readonly string[]
}

/** A table was compared as of one moment of both sides, while changes went on. */
export type FollowProvedEvent = {
  type: 'follow.proved'
  table: string
  /** Both sides hold everything before it, and nothing else. */
  position: string
  rows: Dec
  targetRows: Dec
  differing: Dec
  /** Rows of the source that cannot be read. */
  unread: Dec
  /** How long changes had to wait for that moment. */
  pauseMs: number
  ms: number
  /** Ranges of it that other workers compared; absent where nobody was asked. */
  elsewhere?: Dec
}

/** A row of a followed table that somebody named by hand, once the stream has read it again from the source. */
export type FollowRowEvent = {
  type: 'follow.row'
  table: string
  /** By the columns that the stream names rows by; null where one is NULL. */
  key: readonly (string | null)[]
  /** `equal`: the target held what the source held by then. `removed`: the source had no such row. */
  outcome: 'mended' | 'removed' | 'equal'
  /** The row is as the source held it here. */
  position: string
  /** Run whose repair it is, for `diff --undo`; absent where nothing was changed. */
  repairedBy?: Dec
}
