/**
 * Sign-off document after a migration: author, sides, snapshot, comparisons, and checks besides rows. Source of both
 * the Markdown and the JSON, whose schema is docs/sign-off.schema.json. URLs in it have no password.
 */
import type { LeftBehind } from '../copy/dependencies.ts'
import type { Dec, Ms, Time } from '../run/dec.ts'

/** `given`: everything requested is equal, and no check failed. */
export type SignOffVerdict = 'given' | 'refused'

/**
 * `differs`: both sides differ in a definition that does not change rows, so the verdict does not depend on it. `not
 * checked`: `found` contains the reason.
 */
export type CheckOutcome = 'ok' | 'failed' | 'differs' | 'not checked'

export type SignOffSide = { readonly url: string; readonly system: string; readonly identity: string }

/** One table, or one of its partitions, compared for this sign-off. */
export type SignedTable = {
  /** Names of the source and of the target, `schema.name`. */
  readonly table: string
  readonly target: string
  /** Set if only rows of this partition were compared. */
  readonly partition?: string
  readonly rows: Dec
  readonly targetRows: Dec
  /** Checksums of all rows (docs/reference/CANONICAL.md); null if a row of the source cannot be read. */
  readonly sourceSum: string | null
  readonly targetSum: string | null
  readonly differing: Dec
  readonly unread: Dec
  readonly equal: boolean
  readonly ms: Ms
}

/** Result of a comparison of both sides in one common snapshot. */
export type SignedComparison = {
  /** Log position of the source: both sides contained exactly the changes before it. */
  readonly position: string
  /** Start and end of the comparison, by the clock of the target. */
  readonly begunAt: Time
  readonly endedAt: Time
  /** How long changes had to wait for the snapshot. */
  readonly pauseMs: Ms
  /** The run that compared: this one, or the one that ran the stream. */
  readonly run: Dec
  readonly tables: readonly SignedTable[]
}

export type SignOffCheck = {
  readonly check: string
  /** `schema.name` of the target; absent if it concerns the whole database. */
  readonly table?: string
  readonly outcome: CheckOutcome
  readonly found: string
  readonly hint?: string
}

/**
 * Verdict on the next numbers of a table's columns.
 * @param ahead, behind texts of columns that continue far enough, and of those that do not; empty if there are none
 * @param how ending of the hint: how to set those that are behind
 */
export function nextNumbersVerdict(
  ahead: string,
  behind: string,
  how: string,
): Pick<SignOffCheck, 'outcome' | 'found' | 'hint'> {
  if (behind === '') return { outcome: 'ok', found: ahead }
  return {
    outcome: 'failed',
    found: `behind the values of their columns, or the source: ${behind}`,
    hint: `the stream does not replicate them; when programs no longer write to the source, check again${how}`,
  }
}

/** Changes applied to a table over all runs of its stream. */
export type StreamTableHistory = {
  readonly table: string
  readonly state: string
  readonly inserts: Dec
  readonly updates: Dec
  readonly deletes: Dec
  readonly truncates: Dec
  /** `mended`: repaired rows, recorded by key with the target's previous values. `undone`: reverted repairs. */
  readonly mended: Dec
  readonly undone: Dec
}

/** One table in one round of comparisons. */
export type StreamProof = {
  readonly table: string
  readonly run: Dec
  readonly at: Time
  readonly position: string
  readonly rows: Dec
  readonly targetRows: Dec
  readonly differing: Dec
  readonly unread: Dec
  readonly pauseMs: Ms
  readonly ms: Ms
}

/** Ledger data of a stream. */
export type StreamHistory = {
  readonly stream: string
  readonly status: string
  readonly begunAt: Time
  readonly endedAt: Time | null
  /** Position up to which all changes are applied and durable in the target; null if none is applied. */
  readonly position: string | null
  readonly transactions: Dec
  /** Commit time of the last applied transaction, by the clock of the source. */
  readonly committedAt: Time | null
  readonly tables: readonly StreamTableHistory[]
  /** Oldest first. */
  readonly proofs: readonly StreamProof[]
  /** Why it is halted; empty if it is not. */
  readonly faults: readonly {
    readonly code: string
    readonly tables: readonly string[]
    readonly message: string
    readonly since: string
  }[]
  readonly signOffs: readonly {
    readonly id: string
    readonly at: Time
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
  /** Why it is refused; empty if it is given. */
  readonly reasons: readonly string[]
  readonly at: Time
  /** The signer, and the operating system user who ran the command. */
  readonly by: string
  readonly user: string
  readonly host: string
  readonly tool: string
  readonly run: Dec
  readonly source: SignOffSide
  readonly target: SignOffSide
  /** Null if nothing was compared. */
  readonly compared: SignedComparison | null
  /** Tables of the stream that this sign-off does not cover. */
  readonly others: readonly string[]
  readonly checks: readonly SignOffCheck[]
  readonly history: StreamHistory
  readonly leftBehind: readonly LeftBehind[]
}
