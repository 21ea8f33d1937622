/** How long others wait for what a transaction holds, and the server's part in it: whoever stands still between two statements is ended there. */
import type { CopySession } from '../../server/session.ts'

/** Behind the budget: whoever only is slow gives up by himself. */
const GRACE_MS = 200
/** The server does not look at once. */
const LATE_MS = 50

export class LockBudget {
  readonly #session: CopySession
  readonly #budgetMs: number
  /** By `performance.now`: when the lock was first asked for, and when the server last began to wait for a statement. */
  #since = 0
  #idleSince: number | null = null
  #idleMs: number

  /** @param budgetMs others may wait so long */
  constructor(session: CopySession, budgetMs: number) {
    this.#session = session
    this.#budgetMs = budgetMs
    this.#idleMs = this.#leftMs()
  }

  /** Statement for the begin of the transaction. */
  get firstSql(): string {
    return idleSql(this.#idleMs)
  }

  /** The lock is asked for from now on. */
  begin(): void {
    this.#since = performance.now()
  }

  /** From now on the server waits no longer for a statement than others may still wait for the end. */
  async shorten(): Promise<void> {
    const leftMs = this.#leftMs()
    await this.#session.ask(idleSql(leftMs))
    this.#idleMs = leftMs
    this.rest()
  }

  /** A statement is about to be sent. */
  work(): void {
    this.#idleSince = null
  }

  /** The last statement is answered. */
  rest(): void {
    this.#idleSince = performance.now()
  }

  /** Since the lock was asked for, ms; not longer than the server waits. */
  waitedMs(): number {
    const now = performance.now()
    const end = this.#idleSince === null ? now : Math.min(now, this.#idleSince + this.#idleMs + LATE_MS)
    return end - this.#since
  }

  #leftMs(): number {
    const waited = this.#since === 0 ? 0 : performance.now() - this.#since
    return Math.ceil(Math.max(0, this.#budgetMs - waited)) + GRACE_MS
  }
}

function idleSql(ms: number): string {
  return `SET LOCAL idle_in_transaction_session_timeout TO ${ms}`
}
