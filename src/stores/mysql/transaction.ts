/** One attempt at a write transaction. Records whether it can still commit, and whether a repeat may help. */
import { SluiceError } from '../../shared/errors.ts'
import type { SqlRow, SqlTransaction } from '../../model/run/sql-port.ts'
import { mysqlFailure, isConnectionGone, isLockLost, isMysqlReadOnly } from './error-numbers.ts'
import { statementsOf } from './lex.ts'
import { loadSqlRows, type MysqlColumnTypes } from './load.ts'
import type { MysqlSession } from './session.ts'
import { translateSql } from './translate.ts'

export class Transaction implements SqlTransaction {
  readonly dialect = 'mysql'
  readonly #session: MysqlSession
  readonly #types: MysqlColumnTypes
  #fatalError: unknown = null

  constructor(session: MysqlSession, types: MysqlColumnTypes) {
    this.#session = session
    this.#types = types
  }

  /**
   * Why this transaction cannot commit any more; null while it can. After a deadlock the server has rolled back
   * already, and another statement would begin a new transaction without the earlier changes.
   */
  get fatalError(): unknown {
    return this.#fatalError
  }

  async all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    return await this.#try(() => this.#session.rows(translateSql(sql), parameters))
  }

  async *pages(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    const stream = await this.#try(() => this.#session.stream(translateSql(sql), parameters))
    try {
      for (;;) {
        const page = await this.#try(() => stream.take(pageRows))
        if (page.length === 0) return
        yield page
      }
    } finally {
      if (!stream.isDone) stream.discard()
    }
  }

  /**
   * Number of changed rows. An UPDATE also counts rows that had the values already; an upsert counts rows as the server
   * does.
   */
  async run(sql: string, parameters: SqlRow = []): Promise<number> {
    const { changed } = await this.#try(() => this.#session.execute(translateSql(sql), parameters))
    return changed
  }

  /**
   * DDL statements commit in MySQL by themselves, with the changes before them. So a script of them is not undone if it
   * fails half-way, and a repeat finds what the first attempt created. Write scripts so that they can run again.
   */
  async script(sql: string): Promise<void> {
    this.#types.clear()
    for (const statement of statementsOf(translateSql(sql))) await this.#try(() => this.#session.command(statement))
    this.#types.clear()
  }

  async load(table: string, columns: readonly string[], rows: readonly SqlRow[]): Promise<void> {
    if (rows.length === 0) return
    await this.#try(async () => {
      try {
        await loadSqlRows(this.#session, this.#types, table, columns, rows)
      } catch (error) {
        // Some of the rows may have been written.
        this.#fatalError ??= error
        throw error
      }
    })
  }

  async #try<T>(body: () => Promise<T>): Promise<T> {
    if (this.#fatalError !== null) throw this.#fatalError
    try {
      return await body()
    } catch (error) {
      if (isMysqlTransient(error)) this.#fatalError ??= error
      throw error
    }
  }
}

/** True if a statement ended its transaction for a temporary cause. */
export function isMysqlTransient(error: unknown): boolean {
  const failure = mysqlFailure(error instanceof SluiceError ? error.cause : error)
  return failure !== null && (isLockLost(failure) || isConnectionGone(failure))
}

/** True if the server was read-only at the statement; nothing of its transaction is committed. */
export function isRefusedForNow(error: unknown): boolean {
  const failure = mysqlFailure(error instanceof SluiceError ? error.cause : error)
  return failure !== null && isMysqlReadOnly(failure)
}

/** True if connecting failed but may succeed later. */
export function isTransientBeforeLogin(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'CONNECT_FAILED' && error.retryable
}
