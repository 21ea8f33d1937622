/** Limits how long other sessions wait for a transaction's locks: the server ends a session that is idle too long. */
import type { CopySession } from '../../server/session.ts'

/** Extra time after `pauseLimitMs`, in ms: a program that is only slow gives up before the server ends its session. */
const GRACE_MS = 200
/** Delay of the server when it ends a session, in ms. */
const LATE_MS = 50

export class LockLimit {
  readonly #session: CopySession
  readonly #pauseLimitMs: number
  /** Times of `performance.now`: when the lock was requested; since when no statement runs (null while one runs). */
  #since = 0
  #idleSince: number | null = null
  #idleMs: number

  /** @param pauseLimitMs longest wait of other sessions */
  constructor(session: CopySession, pauseLimitMs: number) {
    this.#session = session
    this.#pauseLimitMs = pauseLimitMs
    this.#idleMs = this.#leftMs()
  }

  /** Statement for the start of the transaction. */
  get firstSql(): string {
    return idleSql(this.#idleMs)
  }

  /** Call it when the lock is requested. */
  begin(): void {
    this.#since = performance.now()
  }

  /** From now on the server ends the session if it is idle for longer than other sessions may still wait. */
  async shorten(): Promise<void> {
    const leftMs = this.#leftMs()
    await this.#session.ask(idleSql(leftMs))
    this.#idleMs = leftMs
    this.rest()
  }

  /** Call it before a statement is sent. */
  work(): void {
    this.#idleSince = null
  }

  /** Call it when the last statement is answered. */
  rest(): void {
    this.#idleSince = performance.now()
  }

  /** Ms since the lock was requested; at most until the server ends the session. */
  waitedMs(): number {
    const now = performance.now()
    const end = this.#idleSince === null ? now : Math.min(now, this.#idleSince + this.#idleMs + LATE_MS)
    return end - this.#since
  }

  #leftMs(): number {
    const waited = this.#since === 0 ? 0 : performance.now() - this.#since
    return Math.ceil(Math.max(0, this.#pauseLimitMs - waited)) + GRACE_MS
  }
}

function idleSql(ms: number): string {
  return `SET LOCAL idle_in_transaction_session_timeout TO ${ms}`
}
