/**
 * What somebody files after a migration: who says so, of what, as of when, what was compared, and what was looked at beside rows. Markdown and JSON are made
 * from this one value; the schema of the JSON is docs/sign-off.schema.json. It holds no password: URLs stand in it without.
 */
import type { LeftBehind } from '../copy/left-behind.ts'
import type { Dec } from '../run/dec.ts'

/** `given`: everything that was asked for is equal, and no check failed. */
export type SignOffVerdict = 'given' | 'refused'

/** `not checked` is neither: `found` says why. */
export type CheckOutcome = 'ok' | 'failed' | 'not checked'

export type SignOffSide = { readonly url: string; readonly system: string; readonly identity: string }

/** One table, or one partition of it, compared by this sign-off. */
export type SignedTable = {
  /** Names of the source and of the target, `schema.name`. */
  readonly table: string
  readonly target: string
  /** Only these rows of it were compared. */
  readonly partition?: string
  readonly rows: Dec
  readonly targetRows: Dec
  /** Sums of all rows as docs/CANONICAL.md has them; null where a row of the source cannot be read. */
  readonly sourceSum: string | null
  readonly targetSum: string | null
  readonly differing: Dec
  readonly unread: Dec
  readonly equal: boolean
  readonly ms: number
}

/** As of one moment of both sides. */
export type SignedComparison = {
  /** In the log of the source: both sides held everything before it, and nothing else. */
  readonly position: string
  /** By the clock of the target. */
  readonly begunAt: string
  readonly endedAt: string
  /** How long changes had to wait for that moment. */
  readonly pauseMs: number
  /** The run that compared: this one, or the one that had the stream. */
  readonly run: Dec
  readonly tables: readonly SignedTable[]
}

export type SignOffCheck = {
  readonly check: string
  /** `schema.name` of the target; absent where it is about the whole. */
  readonly table?: string
  readonly outcome: CheckOutcome
  readonly found: string
  readonly hint?: string
}

/** Changes that were applied to a table over all runs of its stream. */
export type StreamTableHistory = {
  readonly table: string
  readonly state: string
  readonly inserts: Dec
  readonly updates: Dec
  readonly deletes: Dec
  readonly truncates: Dec
  /** Rows that were found to differ and changed, by key, with what the target held before; and those of them that were taken back. */
  readonly mended: Dec
  readonly undone: Dec
}

/** One table in one round of comparisons. */
export type StreamProof = {
  readonly table: string
  readonly run: Dec
  readonly at: string
  readonly position: string
  readonly rows: Dec
  readonly targetRows: Dec
  readonly differing: Dec
  readonly unread: Dec
  readonly pauseMs: number
  readonly ms: number
}

/** What the ledger knows of a stream. */
export type StreamHistory = {
  readonly stream: string
  readonly status: string
  readonly begunAt: string
  readonly endedAt: string | null
  /** Applied and durable in the target. */
  readonly position: string | null
  readonly transactions: Dec
  /** When the last applied transaction was committed, by the clock of the source. */
  readonly committedAt: string | null
  readonly tables: readonly StreamTableHistory[]
  /** The oldest first. */
  readonly proofs: readonly StreamProof[]
  /** Why it is halted now; none where it is not. */
  readonly faults: readonly {
    readonly code: string
    readonly tables: readonly string[]
    readonly message: string
    readonly since: string
  }[]
  readonly signOffs: readonly {
    readonly id: string
    readonly at: string
    readonly by: string
    readonly verdict: SignOffVerdict
    readonly position: string | null
  }[]
}

export type SignOff = {
  readonly format: 'sluice-sign-off'
  readonly version: 1
  readonly id: string
  readonly verdict: SignOffVerdict
  /** Why it is refused; none where it is given. */
  readonly reasons: readonly string[]
  readonly at: string
  /** Who signs, and the user of the operating system who ran the command. */
  readonly by: string
  readonly user: string
  readonly host: string
  readonly tool: string
  readonly run: Dec
  readonly source: SignOffSide
  readonly target: SignOffSide
  /** Null where nothing was compared. */
  readonly compared: SignedComparison | null
  /** Tables of the stream that this sign-off says nothing of. */
  readonly others: readonly string[]
  readonly checks: readonly SignOffCheck[]
  readonly history: StreamHistory
  readonly leftBehind: readonly LeftBehind[]
}
