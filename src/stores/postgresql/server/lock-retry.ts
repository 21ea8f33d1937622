/**
 * Transactions that lock tables in constant use. A queued lock request blocks all sessions behind it, so each try has
 * a short lock timeout. The pauses between tries grow.
 */
import type { LockLimits } from '../../../model/partition/maintenance-port.ts'
import { restUnder, throwIfAborted } from '../../../shared/abort.ts'
import { isPostgresBusy, type KnownTable } from './locks.ts'
import { sqlStateOf } from './server-errors.ts'
import type { CopySession } from './session.ts'
import { tableSql } from './sql.ts'

const FIRST_REST_MS = 40
const MOST_REST_MS = 700
/** Share of `lockTimeoutMs` for lock waits; the rest is for the work under the locks, for which others wait, too. */
const LOCKS_SHARE = 0.7
/**
 * `LOCKS_SHARE` applies while more than this share of `retryLimitMs` is left. Later, lock waits may use all of
 * `lockTimeoutMs`.
 */
const EARLY = 0.7
/** Time after which the server ends a session that is idle in a transaction with locks, ms. */
const FROZEN_MS = 5000

export type WantedLock = {
  readonly table: KnownTable
  readonly mode: 'SHARE UPDATE EXCLUSIVE' | 'SHARE ROW EXCLUSIVE' | 'ACCESS EXCLUSIVE'
}

/** True if another session held a lock or changed the same rows: a retry may succeed. */
function isTransient(error: unknown): boolean {
  return isPostgresBusy(error) || sqlStateOf(error) === '40001'
}

/** Commits a transaction. @throws errors of the server, or of the connection if that was lost */
export async function committed(session: CopySession): Promise<void> {
  const end = await session.commit()
  if (end === 'committed') return
  throw end === 'rolled back' ? new Error('the server rolled back a transaction at its commit') : end.lost
}

/** Runs `body` in a transaction and commits it. @throws as `body` and `committed`, after a rollback */
export async function inTransaction<T>(
  session: CopySession,
  kind: string,
  first: string,
  body: () => Promise<T>,
): Promise<T> {
  try {
    await session.begin(kind, first)
    const result = await body()
    await committed(session)
    return result
  } catch (error) {
    await session.rollBack()
    throw error
  }
}

/** Runs transactions that need locks, within `LockLimits`. */
export class LockRetry {
  readonly #session: CopySession
  readonly #limits: LockLimits
  #longestMs = 0
  #tries = 0

  constructor(session: CopySession, limits: LockLimits) {
    this.#session = session
    this.#limits = limits
  }

  /** Longest time from the first lock request to the end of a transaction, ms. */
  get longestMs(): number {
    return Math.ceil(this.#longestMs)
  }

  /** Count of tries that failed because other sessions held locks or changed the same rows. */
  get tries(): number {
    return this.#tries
  }

  /**
   * Takes the locks in this order, runs the body and commits; retries while other sessions prevent it.
   * @param last if true, tries once even after an abort, to finish what was begun
   * @throws errors of the server, including a lock timeout
   */
  async run<T>(locks: readonly WantedLock[], body: () => Promise<T>, last = false): Promise<T> {
    const { lockTimeoutMs, retryLimitMs, signal } = this.#limits
    const session = this.#session
    const end = performance.now() + retryLimitMs
    for (let rest = FIRST_REST_MS; ; rest = Math.min(rest * 2, MOST_REST_MS)) {
      if (!last || rest > FIRST_REST_MS) throwIfAborted(signal)
      let since: number | null = null
      try {
        await session.begin(
          'ISOLATION LEVEL READ COMMITTED READ WRITE',
          `SET LOCAL idle_in_transaction_session_timeout = ${FROZEN_MS}`,
        )
        since = performance.now()
        await takeWithin(session, locks, since + lockTimeoutMs * (end - since > retryLimitMs * EARLY ? LOCKS_SHARE : 1))
        const result = await body()
        await committed(session)
        return result
      } catch (error) {
        await session.rollBack()
        if (!session.alive) throw error
        if (!isTransient(error)) throw error
        this.#tries++
        if (performance.now() + rest > end) throw error
      } finally {
        if (since !== null) this.#longestMs = Math.max(this.#longestMs, performance.now() - since)
      }
      // A random pause, so that two programs with the same task do not collide again and again.
      await restUnder(signal, rest * (0.75 + Math.random() / 2))
    }
  }

  /** Runs a repeatable body; retries while other sessions prevent it. @throws as `run` */
  async retry<T>(body: () => Promise<T>): Promise<T> {
    const { retryLimitMs, signal } = this.#limits
    const end = performance.now() + retryLimitMs
    for (let rest = FIRST_REST_MS; ; rest = Math.min(rest * 2, MOST_REST_MS)) {
      throwIfAborted(signal)
      const since = performance.now()
      try {
        return await body()
      } catch (error) {
        if (!this.#session.alive || !isTransient(error)) throw error
        this.#tries++
        this.#longestMs = Math.max(this.#longestMs, performance.now() - since)
        if (performance.now() + rest > end) throw error
      }
      await restUnder(signal, rest * (0.75 + Math.random() / 2))
    }
  }
}

/** Takes the locks in this order. @param until time limit for all waits, as a time of `performance.now()` */
export async function takeWithin(session: CopySession, locks: readonly WantedLock[], until: number): Promise<void> {
  for (const { table, mode } of locks) {
    const left = Math.max(1, Math.floor(until - performance.now()))
    await session.ask(`SET LOCAL lock_timeout = ${left}; LOCK TABLE ONLY ${tableSql(table.name)} IN ${mode} MODE`)
  }
}
