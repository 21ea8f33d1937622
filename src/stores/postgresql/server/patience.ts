/**
 * Transactions that need locks of tables that others use all the time. Whoever comes behind a lock that is wanted waits for it, too: so it is wanted only
 * shortly, and tried again later, after rests that grow.
 */
import { restUnder, throwIfAborted } from '../../../shared/abort.ts'
import { isBusy, type KnownTable } from './locks.ts'
import { sqlStateOf } from './server-errors.ts'
import type { CopySession } from './session.ts'
import { tableSql } from './sql.ts'

const FIRST_REST_MS = 40
const MOST_REST_MS = 700
/** Of the patience: whoever comes behind waits for what is done under the locks, too. */
const LOCKS_SHARE = 0.7
/** As long as more than this part of the time is left; later it is the whole of it. */
const EARLY = 0.7
/** A program that stands still with locks in its hands is ended by the server. */
const FROZEN_MS = 5000

export type WantedLock = {
  readonly table: KnownTable
  readonly mode: 'SHARE UPDATE EXCLUSIVE' | 'SHARE ROW EXCLUSIVE' | 'ACCESS EXCLUSIVE'
}

export type PatienceLimits = {
  /** Most that others should have to wait for a transaction, ms; not for more than a part of that are its locks waited for. */
  readonly patienceMs: number
  /** After so long without them it gives up, ms. */
  readonly budgetMs: number
  readonly signal: AbortSignal
}

/** Others held what it needs, or changed it while it was changed here. */
function passes(error: unknown): boolean {
  return isBusy(error) || sqlStateOf(error) === '40001'
}

/** Ends a transaction with its effects. @throws what the server says, or of the connection where that was lost on the way */
export async function committed(session: CopySession): Promise<void> {
  const end = await session.commit()
  if (end === 'committed') return
  throw end === 'rolled back' ? new Error('the server rolled back what was to be committed') : end.lost
}

export class Patience {
  readonly #session: CopySession
  readonly #limits: PatienceLimits
  #longestMs = 0
  #tries = 0

  constructor(session: CopySession, limits: PatienceLimits) {
    this.#session = session
    this.#limits = limits
  }

  /** From the first wish for a lock to the end of the transaction, the longest of all. */
  get longestMs(): number {
    return Math.ceil(this.#longestMs)
  }

  /** How often a transaction was given up because others held what it needs. */
  get tries(): number {
    return this.#tries
  }

  /**
   * Takes the locks, in this order, runs the body and commits; as often as it takes.
   * @param last whether it is to be tried once though it was asked to stop: it ends what is begun
   * @throws what the server says, of a lock that was not to be had in time, too
   */
  async run<T>(locks: readonly WantedLock[], body: () => Promise<T>, last = false): Promise<T> {
    const { patienceMs, budgetMs, signal } = this.#limits
    const session = this.#session
    const end = performance.now() + budgetMs
    for (let rest = FIRST_REST_MS; ; rest = Math.min(rest * 2, MOST_REST_MS)) {
      if (!last || rest > FIRST_REST_MS) throwIfAborted(signal)
      let since: number | null = null
      try {
        await session.begin(
          'ISOLATION LEVEL READ COMMITTED READ WRITE',
          `SET LOCAL idle_in_transaction_session_timeout = ${FROZEN_MS}`,
        )
        since = performance.now()
        await this.#take(locks, since, patienceMs * (end - since > budgetMs * EARLY ? LOCKS_SHARE : 1))
        const result = await body()
        await committed(session)
        return result
      } catch (error) {
        await session.rollBack()
        if (!session.alive) throw error
        if (!passes(error)) throw error
        this.#tries++
        if (performance.now() + rest > end) throw error
      } finally {
        if (since !== null) this.#longestMs = Math.max(this.#longestMs, performance.now() - since)
      }
      // Two programs that do the same do not meet again and again.
      await restUnder(signal, rest * (0.75 + Math.random() / 2))
    }
  }

  /** Does what may be done again, as often as it takes. @throws as `run` */
  async again<T>(body: () => Promise<T>): Promise<T> {
    const { budgetMs, signal } = this.#limits
    const end = performance.now() + budgetMs
    for (let rest = FIRST_REST_MS; ; rest = Math.min(rest * 2, MOST_REST_MS)) {
      throwIfAborted(signal)
      const since = performance.now()
      try {
        return await body()
      } catch (error) {
        if (!this.#session.alive || !passes(error)) throw error
        this.#tries++
        this.#longestMs = Math.max(this.#longestMs, performance.now() - since)
        if (performance.now() + rest > end) throw error
      }
      await restUnder(signal, rest * (0.75 + Math.random() / 2))
    }
  }

  async #take(locks: readonly WantedLock[], since: number, patienceMs: number): Promise<void> {
    for (const { table, mode } of locks) {
      const left = Math.max(1, Math.floor(patienceMs - (performance.now() - since)))
      await this.#session.ask(
        `SET LOCAL lock_timeout = ${left}; LOCK TABLE ONLY ${tableSql(table.name)} IN ${mode} MODE`,
      )
    }
  }
}
