/**
 * One connection to a DuckDB database, of a catalog or a copy: one statement at a time, transactions, and mapped
 * errors. Nothing is streamed: DuckDB's streams end without an error when the query fails half-way, so each result is
 * complete before its first row is returned.
 */
import type { DuckDBConnection, DuckDBMaterializedResult } from '@duckdb/node-api'
import { throwIfAborted } from '../../shared/abort.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlRow } from '../../model/run/sql-port.ts'
import { Turn } from '../../model/run/turn.ts'
import { conditionHint } from '../common/query-errors.ts'
import { ResultReturnType } from './api.ts'
import { duckdbError, isExpressionError, duckdbErrorLine } from './errors.ts'
import { append, fromDuckdb, toDuckdb } from './sql-values.ts'

export type DuckdbStatementOptions = {
  /** A condition written by a user, which may be wrong. */
  readonly where?: string | null
  readonly signal?: AbortSignal
}

export class DuckdbSession {
  protected readonly connection: DuckDBConnection
  protected readonly label: string
  readonly #turn = new Turn()
  #closed = false

  /** @param label of the database, for messages */
  constructor(connection: DuckDBConnection, label: string) {
    this.connection = connection
    this.label = label
  }

  /** @throws SluiceError BAD_PREDICATE if the condition is wrong, the signal's reason; DuckDB's error about rows */
  async rows(sql: string, parameters: SqlRow = [], asked: DuckdbStatementOptions = {}): Promise<readonly SqlRow[]> {
    return rowsIn(await this.result(sql, parameters, asked))
  }

  /** Rows of a statement, by page. @throws as `rows` */
  async *pages(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    yield* pagesIn(await this.result(sql, parameters), pageRows)
  }

  /** @returns number of rows that the statement returned, or else changed */
  async change(sql: string, parameters: SqlRow = [], signal?: AbortSignal): Promise<number> {
    const result = await this.result(sql, parameters, signal === undefined ? {} : { signal })
    return result.returnType === ResultReturnType.QUERY_RESULT ? result.rowCount : result.rowsChanged
  }

  /** Rows of a statement; none if it is not a query. */
  async rowsIfAny(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    const result = await this.result(sql, parameters)
    return result.returnType === ResultReturnType.QUERY_RESULT ? rowsIn(result) : []
  }

  /** Runs exactly one statement; a text with a second one is refused. @throws as `rows` */
  async result(
    sql: string,
    parameters: SqlRow = [],
    asked: DuckdbStatementOptions = {},
  ): Promise<DuckDBMaterializedResult> {
    const { where = null, signal } = asked
    try {
      return await this.#turn.take(() => this.#run(sql, parameters, signal))
    } catch (error) {
      if (signal !== undefined) throwIfAborted(signal)
      if (where !== null && isExpressionError(error)) {
        throw new SluiceError('BAD_PREDICATE', `DuckDB does not understand the condition: ${duckdbErrorLine(error)}`, {
          where: this.label,
          hint: conditionHint('DuckDB'),
          cause: error,
        })
      }
      throw this.named(error)
    }
  }

  /** Runs a statement without parameters and without text of a user. */
  async raw(sql: string): Promise<void> {
    await this.result(sql)
  }

  /** Runs several statements of sluice, without parameters. */
  async script(sql: string): Promise<void> {
    await this.exclusively(() => this.connection.run(sql))
  }

  /** Bulk insert into a table. */
  async load(table: string, columns: readonly string[], rows: readonly SqlRow[]): Promise<void> {
    await this.exclusively(() => append(this.connection, table, columns, rows))
  }

  async begin(kind: '' | 'READ ONLY' = ''): Promise<void> {
    await this.raw(`BEGIN TRANSACTION ${kind}`)
  }

  /** @throws the reason why the transaction cannot be committed; it is then rolled back */
  async commit(): Promise<void> {
    await this.raw('COMMIT')
  }

  /** Rolls a transaction back. Never throws: after a failed commit it has already ended. */
  async rollBack(): Promise<void> {
    await this.raw('ROLLBACK').catch(() => undefined)
  }

  /** Runs the body in a transaction: commits it, or rolls back if the body throws. */
  async transaction<T>(body: () => Promise<T>): Promise<T> {
    await this.begin()
    try {
      const result = await body()
      await this.commit()
      return result
    } catch (error) {
      await this.rollBack()
      throw error
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.connection.closeSync()
  }

  /** Maps the error of a statement; an unknown one is returned unchanged. */
  protected named(error: unknown): unknown {
    return duckdbError(error, this.label)
  }

  /** Runs the body with exclusive use of the connection. */
  protected async exclusively<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await this.#turn.take(body)
    } catch (error) {
      throw this.named(error)
    }
  }

  async #run(sql: string, parameters: SqlRow, signal: AbortSignal | undefined): Promise<DuckDBMaterializedResult> {
    if (signal !== undefined) throwIfAborted(signal)
    const interrupt = (): void => this.connection.interrupt()
    signal?.addEventListener('abort', interrupt)
    try {
      // Only one statement can be prepared: a condition that contains a second one is refused.
      const statement = await this.connection.prepare(sql)
      try {
        if (parameters.length > 0) statement.bind(parameters.map(toDuckdb))
        return await statement.run()
      } finally {
        statement.destroySync()
      }
    } finally {
      signal?.removeEventListener('abort', interrupt)
    }
  }
}

async function rowsIn(result: DuckDBMaterializedResult): Promise<readonly SqlRow[]> {
  const rows: SqlRow[] = []
  for await (const chunk of chunksOf(result)) for (const row of chunk.getRows()) rows.push(row.map(fromDuckdb))
  return rows
}

async function* pagesIn(result: DuckDBMaterializedResult, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
  let page: SqlRow[] = []
  for await (const chunk of chunksOf(result)) {
    for (const row of chunk.getRows()) {
      page.push(row.map(fromDuckdb))
      if (page.length >= pageRows) {
        yield page
        page = []
      }
    }
  }
  if (page.length > 0) yield page
}

/** Error: a result has fewer or more rows than DuckDB announced. */
export function otherCount(announced: number, returned: number): SluiceError {
  return new SluiceError('INTERNAL', `DuckDB announced ${announced} rows and returned ${returned}`)
}

/** @throws SluiceError INTERNAL if DuckDB returns fewer rows than it announced */
export async function* chunksOf(result: DuckDBMaterializedResult) {
  const { rowCount } = result
  let seen = 0
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    seen += chunk.rowCount
    yield chunk
  }
  if (seen !== rowCount) throw otherCount(rowCount, seen)
}
