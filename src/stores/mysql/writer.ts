/** Write transactions, repeated while the cause is temporary and the transaction certainly did not commit. */
import { Pool } from '../common/pool.ts'
import type { HasCommitted, SqlTransaction } from '../../model/run/sql-port.ts'
import { retrying } from '../common/retry.ts'
import type { MysqlConfig } from './config.ts'
import { ended } from './session-end.ts'
import type { MysqlColumnTypes } from './load.ts'
import { mysqlReader } from './pages.ts'
import type { MysqlSession } from './session.ts'
import { asking, connectTo } from './sessions.ts'
import { commitOutcome } from './commit-outcome.ts'
import { isMysqlTransient, isRefusedForNow, isTransientBeforeLogin, Transaction } from './transaction.ts'

/**
 * Maximum number of connections that stay open between transactions. Each takes a connection from other clients and
 * from our own reads.
 */
const IDLE_WRITERS = 4
/** How long the server may take to end a session that was cut off, in milliseconds. */
const END_MS = 10_000
/** The same limit before a repeat, ms. It is short: without this wait, the repeat waits for the old session's locks. */
const END_BEFORE_REPEAT_MS = 2_000

/** Wraps the error of an attempt after which another may succeed. */
class Repeatable extends Error {
  readonly failure: unknown

  constructor(failure: unknown) {
    super('the transaction may be repeated')
    this.failure = failure
  }
}

export class MysqlWriter {
  readonly #config: MysqlConfig
  readonly #types: MysqlColumnTypes
  readonly #pool: Pool<MysqlSession>
  #hasWritten = false

  constructor(config: MysqlConfig, types: MysqlColumnTypes) {
    this.#config = config
    this.#types = types
    this.#pool = new Pool(() => connectTo(config, 'write'), { most: config.poolSize, idle: IDLE_WRITERS }, config.label)
  }

  /** See `SqlDatabase.write`. */
  async write<T>(body: (transaction: SqlTransaction) => Promise<T>, landed: HasCommitted | undefined): Promise<T> {
    try {
      return await this.#retrying(() => this.#attempt(body, landed), isRepeatable)
    } catch (error) {
      throw error instanceof Repeatable ? error.failure : error
    }
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }

  async #attempt<T>(body: (transaction: SqlTransaction) => Promise<T>, landed: HasCommitted | undefined): Promise<T> {
    const session = await this.#pool.take().catch((error: unknown) => {
      // A connection may also break while its session is prepared.
      throw isTransientBeforeLogin(error) || isMysqlTransient(error) ? new Repeatable(error) : error
    })
    try {
      const transaction = new Transaction(session, this.#types)
      let result: T
      try {
        result = await body(transaction)
        session.dropStream()
        if (transaction.fatalError !== null) throw transaction.fatalError
      } catch (error) {
        await this.#rollBack(session)
        const { fatalError } = transaction
        if (fatalError !== null && isMysqlTransient(fatalError)) throw new Repeatable(fatalError)
        // A server that accepted writes before may accept them again later; one that never did is the wrong server.
        throw this.#hasWritten && isRefusedForNow(error) ? new Repeatable(error) : error
      }
      await this.#commit(session, landed)
      this.#hasWritten = true
      return result
    } finally {
      await this.#pool.give(session)
    }
  }

  async #rollBack(session: MysqlSession): Promise<void> {
    if (session.isStreaming) session.destroy()
    await session.rollBack()
    if (session.broken === null || session.mark === null) return
    const { mark } = session
    // The server may not have noticed the lost connection yet, or may be down: in both cases nothing was committed.
    await asking(this.#config, (asker) => ended(mark, asker, END_BEFORE_REPEAT_MS)).catch(() => undefined)
  }

  async #commit(session: MysqlSession, landed: HasCommitted | undefined): Promise<void> {
    if (session.broken !== null) throw new Repeatable(session.lost())
    const unanswered = await session.commit().catch(async (error: unknown) => {
      await session.rollBack()
      throw isMysqlTransient(error) ? new Repeatable(error) : error
    })
    if (unanswered === null || (await this.#hasLanded(session, landed, unanswered.lost))) return
    throw new Repeatable(unanswered.lost)
  }

  /** @throws SluiceError COMMIT_UNKNOWN if the outcome cannot be found out */
  #hasLanded({ mark }: MysqlSession, landed: HasCommitted | undefined, lost: unknown): Promise<boolean> {
    return commitOutcome(this.#config, {
      mark,
      endMs: END_MS,
      answer: landed === undefined ? undefined : (asker) => landed(mysqlReader(asker)),
      lost,
      ask: (body) => asking(this.#config, body),
    })
  }

  #retrying<T>(body: () => Promise<T>, transient: (error: unknown) => boolean): Promise<T> {
    return retrying(body, { forMs: this.#config.retryMs, transient })
  }
}

/** True for an error of the transaction itself. An error that the body threw is not repeated, whatever its code. */
function isRepeatable(error: unknown): boolean {
  return error instanceof Repeatable
}
