/** One connection to a DuckDB file: one statement at a time, its rows complete before the first is handed out. */
import {
  ResultReturnType,
  type DuckDBAppender,
  type DuckDBConnection,
  type DuckDBMaterializedResult,
} from '@duckdb/node-api'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { SqlRow } from '../../port.ts'
import { Turn } from '../../turn.ts'
import { fromDuckdb, toDuckdb } from '../sql-values.ts'
import { copyError, isExpressionError, messageOf, type Side } from './errors.ts'

export type Asked = {
  /** What somebody wrote as a condition, and may have written wrongly. */
  readonly where?: string | null
  readonly signal?: AbortSignal
}

export class Session {
  readonly #connection: DuckDBConnection
  readonly #label: string
  readonly #side: Side
  readonly #turn = new Turn()
  #closed = false

  constructor(connection: DuckDBConnection, label: string, side: Side) {
    this.#connection = connection
    this.#label = label
    this.#side = side
  }

  /** Whether a statement that fails ends the transaction of those around it. A source is read-only, and needs none for one moment. */
  get inTransaction(): boolean {
    return this.#side === 'target'
  }

  /** Moments are printed and read in UTC here. */
  async begin(): Promise<this> {
    await this.raw(`SET TimeZone = 'UTC'`)
    return this
  }

  /** @throws SluiceError BAD_PREDICATE where the condition is wrong, the signal's reason; DuckDB's error where it is about rows */
  async rows(sql: string, parameters: SqlRow = [], asked: Asked = {}): Promise<readonly SqlRow[]> {
    return rowsIn(await this.result(sql, parameters, asked))
  }

  /** @returns rows that a statement changed; of one that gives rows, how many it gave */
  async change(sql: string, parameters: SqlRow = [], signal?: AbortSignal): Promise<number> {
    const result = await this.result(sql, parameters, signal === undefined ? {} : { signal })
    return result.returnType === ResultReturnType.QUERY_RESULT ? result.rowCount : result.rowsChanged
  }

  /** Rows of a statement that may be no query, and gives none then. */
  async given(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    const result = await this.result(sql, parameters)
    return result.returnType === ResultReturnType.QUERY_RESULT ? rowsIn(result) : []
  }

  async result(
    sql: string,
    parameters: SqlRow = [],
    { where = null, signal }: Asked = {},
  ): Promise<DuckDBMaterializedResult> {
    try {
      return await this.#turn.take(() => this.#run(sql, parameters, signal))
    } catch (error) {
      if (signal !== undefined) throwIfAborted(signal)
      if (where !== null && isExpressionError(error)) {
        throw new SluiceError('BAD_PREDICATE', `DuckDB does not understand the condition: ${messageOf(error)}`, {
          where: this.#label,
          hint: 'write --where as DuckDB writes what stands behind WHERE',
          cause: error,
        })
      }
      throw copyError(error, this.#label, this.#side)
    }
  }

  /** Fills a temporary table by the shortest way; with nothing, where `fill` throws. */
  async append(table: string, fill: (appender: DuckDBAppender) => Promise<void>): Promise<void> {
    await this.#turn.take(async () => {
      const appender = await this.#connection.createAppender(table, 'main', 'temp')
      try {
        await fill(appender)
      } catch (error) {
        appender.clear()
        throw error
      } finally {
        appender.closeSync()
      }
    })
  }

  /** A statement without parameters, for which no copy can be to blame. */
  async raw(sql: string): Promise<void> {
    await this.result(sql)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#connection.closeSync()
  }

  async #run(sql: string, parameters: SqlRow, signal: AbortSignal | undefined): Promise<DuckDBMaterializedResult> {
    if (signal !== undefined) throwIfAborted(signal)
    const interrupt = (): void => this.#connection.interrupt()
    signal?.addEventListener('abort', interrupt)
    try {
      // Only one statement can be prepared: a condition that holds a second one is refused.
      const statement = await this.#connection.prepare(sql)
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

/** @throws SluiceError INTERNAL where fewer rows come than were promised */
export async function* chunksOf(result: DuckDBMaterializedResult) {
  const { rowCount } = result
  let seen = 0
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    seen += chunk.rowCount
    yield chunk
  }
  if (seen !== rowCount) throw new SluiceError('INTERNAL', `DuckDB promised ${rowCount} rows and gave ${seen}`)
}
