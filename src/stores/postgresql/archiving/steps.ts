/** A change to tables and its closing in the ledger as one transaction, that waits only shortly for others. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import type { StepEnd } from '../../archive-port.ts'
import type { Closing } from '../../copy-port.ts'
import { Pool } from '../../pool.ts'
import type { PostgresSettings } from '../settings.ts'
import { commitChunk } from '../copy/commit.ts'
import { CopySession } from '../copy/session.ts'
import { underSignal } from '../copy/under-signal.ts'
import { isBusy, Locks } from './locks.ts'
import { stepError } from './step-errors.ts'

/** Sessions that stay open for the next step. */
const KEPT = 1
/** How long a statement may wait for a lock: meanwhile everybody else waits behind it. */
const PATIENCE_MS = 2000

export type Step = {
  /** The table that it is about, for messages. */
  readonly table: TableName
  readonly closing: Closing
  readonly signal: AbortSignal
}

/** What a body may use: its transaction's session, and what it waits for. */
export type Within = { readonly session: CopySession; readonly locks: Locks }

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
   * Runs the body in a transaction, closes it and commits; where the body does not end with `done`, nothing of it stays.
   * @throws SluiceError TARGET_BUSY where others hold what it needs, TARGET_DENIED, TABLE_REFUSED, CONNECTION_LOST, COMMIT_UNKNOWN
   */
  run(step: Step, body: (within: Within) => Promise<'done' | 'differs' | 'gone'>): Promise<StepEnd> {
    const { closing, signal } = step
    return this.#with(step, async (session, locks) => {
      const end = await underSignal(session, signal, async () => {
        await session.begin('ISOLATION LEVEL READ COMMITTED READ WRITE', `SET LOCAL lock_timeout = ${PATIENCE_MS}`)
        const { sql, parameters } = closing.guard
        if ((await session.all(sql, parameters)).length === 0) return 'fenced'
        return body({ session, locks })
      })
      if (end !== 'done') {
        await session.ask('ROLLBACK')
        return end
      }
      return (await commitChunk(session, closing, this.#settings, signal)) === 'committed' ? 'done' : 'fenced'
    })
  }

  /** Statements outside of any transaction. @throws as `run` */
  beside(step: Step, body: (session: CopySession) => Promise<void>): Promise<void> {
    return this.#with(step, (session) => underSignal(session, step.signal, () => body(session)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions.close()
  }

  async #with<T>({ table }: Step, body: (session: CopySession, locks: Locks) => Promise<T>): Promise<T> {
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
      if (!isBusy(error) || !session.alive) throw stepError(error, about)
      throw stepError(error, { ...about, holders: await locks.holders() })
    } finally {
      if (!sound) session.destroy()
      await this.#sessions.give(session)
    }
  }
}
