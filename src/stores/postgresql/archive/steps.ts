/** Changes tables and completes the ledger entry in one transaction that waits only briefly for locks. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { restUnder, throwIfAborted } from '../../../shared/abort.ts'
import type { DetachLimits, DetachResult, StepEnd } from '../../../model/archive/port.ts'
import type { Closing } from '../../../model/run/ledger-port.ts'
import { Pool } from '../../common/pool.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { commitChunk } from '../copy/commit.ts'
import { CopySession } from '../server/session.ts'
import { underSignal } from '../server/under-signal.ts'
import { takeWithin, type WantedLock } from '../server/lock-retry.ts'
import { deadlockTimeoutSql } from '../follow/switch/take.ts'
import { isPostgresBusy, Locks } from '../server/locks.ts'
import { stepError } from './step-errors.ts'

/** Sessions kept open for the next step. */
const KEPT = 1
/** Wait between two tries, ms. */
const FIRST_REST_MS = 40
const MOST_REST_MS = 700
/** Share of `lockTimeoutMs` for lock waits: sessions in the lock queue also wait for the work under the locks. */
const LOCKS_SHARE = 0.6
/** The server ends a session that is idle with locks for this long, ms. */
const FROZEN_MS = 5000
/** Lock timeout of a statement, ms: other sessions queue behind its lock request. */
const LOCK_TIMEOUT_MS = 2000

export type LedgerCheckedStep = {
  /** The table of the step, for messages. */
  readonly table: TableName
  /** Statements that complete the ledger entry in the same transaction. */
  readonly closing: Closing
  readonly signal: AbortSignal
}

/** How the body of a step ended, before the ledger was checked. */
export type StepBodyEnd = 'done' | 'differs' | 'gone'

/** Session of the transaction in which a body runs, and the tables whose locks the body waits for. */
export type WithinStep = { readonly session: CopySession; readonly locks: Locks }

export class Steps implements AsyncDisposable {
  readonly #settings: PostgresSettings
  readonly #sessions: Pool<CopySession>

  constructor(settings: PostgresSettings) {
    this.#settings = settings
    this.#sessions = new Pool(() => CopySession.open(settings, 'write'), { most: Infinity, idle: KEPT }, settings.label)
  }

  get settings(): PostgresSettings {
    return this.#settings
  }

  /**
   * Runs the body in a transaction, completes the ledger entry, commits; rolls back unless the body ends with `done`.
   * @throws SluiceError TARGET_BUSY if other sessions hold locks that it needs, TARGET_DENIED, TABLE_REFUSED,
   * CONNECTION_LOST, COMMIT_UNKNOWN
   */
  run(step: LedgerCheckedStep, body: (within: WithinStep) => Promise<StepBodyEnd>): Promise<StepEnd> {
    return this.#with(step, (session, locks) => this.within(session, step, () => body({ session, locks })))
  }

  /**
   * Tries to get all locks, each time in a new transaction and only briefly, then runs the body.
   * @param find returns the locks to take, again for each try; null if the table does not exist
   * @returns the outcome, the number of tries that other sessions blocked, and the longest time from the first lock to
   * the end, ms
   * @throws SluiceError TARGET_BUSY if the locks were not granted within the retry limit, STOPPED; else as `run`
   */
  retryLocks<T extends { readonly locks: readonly WantedLock[] }>(
    step: LedgerCheckedStep & DetachLimits,
    find: (session: CopySession) => Promise<T | null>,
    body: (within: WithinStep, found: T) => Promise<StepBodyEnd>,
  ): Promise<DetachResult> {
    const { closing, signal, stop, lockTimeoutMs, retryLimitMs } = step
    const until = performance.now() + retryLimitMs
    const waits = { tries: 0, longestMs: 0 }
    return this.#with(step, async (session, locks): Promise<DetachResult> => {
      const once = async (): Promise<StepEnd> => {
        let since: number | null = null
        try {
          const end = await underSignal(session, signal, async (): Promise<StepEnd> => {
            await session.begin(
              'ISOLATION LEVEL READ COMMITTED READ WRITE',
              `SET LOCAL idle_in_transaction_session_timeout = ${FROZEN_MS};${deadlockTimeoutSql(session.version)}`,
            )
            const { sql, parameters } = closing.guard
            if ((await session.all(sql, parameters)).length === 0) return 'fenced'
            const wanted = await find(session)
            if (wanted === null) return 'gone'
            locks.involve(...wanted.locks.map(({ table }) => table.oid))
            since = performance.now()
            await takeWithin(session, wanted.locks, since + lockTimeoutMs * LOCKS_SHARE)
            return body({ session, locks }, wanted)
          })
          if (end === 'done') {
            return (await commitChunk(session, closing, this.#settings, signal)) === 'committed' ? 'done' : 'fenced'
          }
          await session.rollBack()
          return end
        } finally {
          if (since !== null) waits.longestMs = Math.max(waits.longestMs, performance.now() - since)
        }
      }
      for (let rest = FIRST_REST_MS; ; rest = Math.min(rest * 2, MOST_REST_MS)) {
        throwIfAborted(stop)
        try {
          return { end: await once(), ...waits }
        } catch (error) {
          if (!session.alive || !isPostgresBusy(error)) throw error
          await session.rollBack()
          waits.tries++
          if (performance.now() + rest > until) throw error
        }
        // Random, so that two programs with the same task do not collide again and again.
        await restUnder(AbortSignal.any([signal, stop]), rest * (0.75 + Math.random() / 2))
      }
    })
  }

  /** Runs the body outside of any transaction. @throws as `run` */
  inOtherSession<T>(step: LedgerCheckedStep, body: (session: CopySession) => Promise<T>): Promise<T> {
    return this.#with(step, (session) => underSignal(session, step.signal, () => body(session)))
  }

  /** Runs the body on one session, which ends with its locks if the body throws. @throws as `run` */
  onOneSession<T>(step: LedgerCheckedStep, body: (session: CopySession) => Promise<T>): Promise<T> {
    return this.#with(step, body)
  }

  /**
   * Runs the body in a transaction on the caller's session, and completes the ledger entry; rolls back unless the body
   * ends with `done`.
   * @throws as `run`
   */
  async within(
    session: CopySession,
    { closing, signal }: LedgerCheckedStep,
    body: () => Promise<StepBodyEnd>,
  ): Promise<StepEnd> {
    const end = await underSignal(session, signal, async () => {
      await session.begin(
        'ISOLATION LEVEL READ COMMITTED READ WRITE',
        `SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}; SET LOCAL idle_in_transaction_session_timeout = ${FROZEN_MS}`,
      )
      const { sql, parameters } = closing.guard
      return (await session.all(sql, parameters)).length === 0 ? 'fenced' : body()
    })
    if (end !== 'done') {
      await session.ask('ROLLBACK')
      return end
    }
    return (await commitChunk(session, closing, this.#settings, signal)) === 'committed' ? 'done' : 'fenced'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions.close()
  }

  async #with<T>({ table }: LedgerCheckedStep, body: (session: CopySession, locks: Locks) => Promise<T>): Promise<T> {
    const about = { settings: this.#settings, table: tableText(table) }
    let session: CopySession
    try {
      session = await this.#sessions.take()
    } catch (error) {
      throw stepError(error, about)
    }
    const locks = new Locks(session)
    let sound = false
    try {
      const result = await body(session, locks)
      sound = true
      return result
    } catch (error) {
      if (!isPostgresBusy(error) || !session.alive) throw stepError(error, about)
      throw stepError(error, { ...about, holders: await locks.holders() })
    } finally {
      if (!sound) session.destroy()
      await this.#sessions.give(session)
    }
  }
}
