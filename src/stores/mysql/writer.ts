/** Write transactions: repeated while the cause passes by itself and the transaction surely did not commit. */
import { SluiceError } from '../../shared/errors.ts'
import { Pool } from '../pool.ts'
import type { Landed, SqlTransaction } from '../port.ts'
import { retrying } from '../retry.ts'
import type { MysqlConfig } from './config.ts'
import type { Purpose } from './connect.ts'
import { ended } from './fate.ts'
import type { ColumnTypes } from './load.ts'
import { readerOf } from './pages.ts'
import type { Session } from './session.ts'
import { settled } from './settle.ts'
import { isPassing, passesBeforeLogin, Transaction } from './transaction.ts'

/** Connections that stay open between transactions: what we keep, others on a small server cannot have, nor can our own reads. */
const IDLE_WRITERS = 4
/** How long the server may take to end a session that was cut off, in milliseconds. */
const END_MS = 10_000
/** Before a mere repeat nothing depends on it; the old session's locks would make it wait, that is all. */
const END_BEFORE_REPEAT_MS = 2_000

/** Wraps what made an attempt fail where another may succeed. */
class Repeatable extends Error {
  readonly failure: unknown

  constructor(failure: unknown) {
    super('the transaction may be repeated')
    this.failure = failure
  }
}

export class Writer {
  readonly #config: MysqlConfig
  readonly #open: (purpose: Purpose) => Promise<Session>
  readonly #types: ColumnTypes
  readonly #pool: Pool<Session>

  constructor(config: MysqlConfig, open: (purpose: Purpose) => Promise<Session>, types: ColumnTypes) {
    this.#config = config
    this.#open = open
    this.#types = types
    this.#pool = new Pool(() => open('write'), { most: config.poolSize, idle: IDLE_WRITERS }, config.label)
  }

  /** As `SqlDatabase.write`. */
  async write<T>(body: (transaction: SqlTransaction) => Promise<T>, landed: Landed | undefined): Promise<T> {
    try {
      return await this.#retrying(() => this.#attempt(body, landed), isRepeatable)
    } catch (error) {
      throw error instanceof Repeatable ? error.failure : error
    }
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }

  async #attempt<T>(body: (transaction: SqlTransaction) => Promise<T>, landed: Landed | undefined): Promise<T> {
    const session = await this.#pool.take().catch((error: unknown) => {
      // A connection may break while it is being made ready, too.
      throw passesBeforeLogin(error) || isPassing(error) ? new Repeatable(error) : error
    })
    try {
      const transaction = new Transaction(session, this.#types)
      let result: T
      try {
        result = await body(transaction)
        session.dropStream()
        if (transaction.doom !== null) throw transaction.doom
      } catch (error) {
        await this.#rollBack(session)
        const { doom } = transaction
        throw doom !== null && isPassing(doom) ? new Repeatable(doom) : error
      }
      await this.#commit(session, landed)
      return result
    } finally {
      await this.#pool.give(session)
    }
  }

  async #rollBack(session: Session): Promise<void> {
    if (session.isStreaming) session.destroy()
    if (session.broken === null) await session.command('ROLLBACK').catch(() => session.destroy())
    if (session.broken === null || session.mark === null) return
    const { mark } = session
    // The server may not have noticed yet, or be gone itself; either way nothing was committed.
    await this.#asking((asker) => ended(mark, asker, END_BEFORE_REPEAT_MS)).catch(() => undefined)
  }

  async #commit(session: Session, landed: Landed | undefined): Promise<void> {
    if (session.broken !== null) throw new Repeatable(session.lost())
    try {
      await session.command('COMMIT')
    } catch (error) {
      if (session.broken === null && !isConnectionLost(error)) {
        await session.command('ROLLBACK').catch(() => session.destroy())
        throw isPassing(error) ? new Repeatable(error) : error
      }
      session.destroy()
      if (await this.#hasLanded(session, landed, error)) return
      throw new Repeatable(error)
    }
  }

  /** @throws SluiceError COMMIT_UNKNOWN when nobody can tell */
  #hasLanded({ mark }: Session, landed: Landed | undefined, lost: unknown): Promise<boolean> {
    return settled(this.#config, {
      mark,
      endMs: END_MS,
      answer: landed === undefined ? undefined : (asker) => landed(readerOf(asker)),
      lost,
      ask: (body) => this.#asking(body),
    })
  }

  async #asking<T>(body: (asker: Session) => Promise<T>): Promise<T> {
    const asker = await this.#open('read')
    try {
      return await body(asker)
    } finally {
      await asker.close()
    }
  }

  #retrying<T>(body: () => Promise<T>, transient: (error: unknown) => boolean): Promise<T> {
    return retrying(body, { forMs: this.#config.retryMs, transient })
  }
}

/** What the body itself threw is its own matter, whatever it is called. */
function isRepeatable(error: unknown): boolean {
  return error instanceof Repeatable
}

function isConnectionLost(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'CONNECTION_LOST'
}
