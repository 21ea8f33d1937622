/**
 * DuckDB as a SQL database: in memory as the validator's scratch, or a file. Nothing here streams a query: DuckDB's streams end
 * without an error when the query fails half-way, so rows are taken from results that were finished before the first is handed out.
 */
import { existsSync } from 'node:fs'
import type { DuckDBConnection, DuckDBMaterializedResult } from '@duckdb/node-api'
import { SluiceError } from '../../shared/errors.ts'
import { OpenFile } from './open-file.ts'
import { connectFailed, duckdbError } from './sql-errors.ts'
import { append, fromDuckdb, toDuckdb } from './sql-values.ts'
import { queryPages } from './query.ts'
import type { OpenMode, QueryOptions, QueryPage, SqlDatabase, SqlReader, SqlRow, SqlTransaction } from '../port.ts'

export type DuckdbOptions = {
  /** DuckDB's own notation; what does not fit goes to the temporary folder. */
  readonly memoryLimit?: string
  readonly threads?: number
  /** Where queries spill; made when first needed and removed on close. */
  readonly temporaryFolder?: string
  /** For messages. */
  readonly label?: string
}

/**
 * Opens a file, or an empty database in memory. In `write` mode the file is created when missing.
 * @throws SluiceError TARGET_BUSY when another program holds the file, CONNECT_FAILED, TARGET_DENIED, TARGET_CORRUPT
 */
export async function openDuckdb(file: string, mode: OpenMode, options: DuckdbOptions = {}): Promise<SqlDatabase> {
  const label = options.label ?? (file === ':memory:' ? 'duckdb::memory:' : `duckdb:///${file}`)
  if (mode === 'read' && file !== ':memory:' && !existsSync(file)) {
    throw connectFailed(new Error('there is no such file'), label)
  }
  try {
    const { memoryLimit, threads, temporaryFolder: spill } = options
    const database = await OpenFile.open(file, {
      mode,
      label,
      ...(memoryLimit === undefined ? {} : { memoryLimit }),
      ...(threads === undefined ? {} : { threads }),
      ...(spill === undefined ? {} : { spill }),
    })
    const writer = await database.connect().catch(async (error: unknown) => {
      await database.close()
      throw error
    })
    return new DuckdbDatabase(database, writer, mode, label)
  } catch (error) {
    throw duckdbError(error, label)
  }
}

class DuckdbDatabase implements SqlDatabase {
  readonly dialect = 'duckdb'
  readonly label: string
  readonly parallelWrites = false
  readonly #file: OpenFile
  readonly #writer: DuckDBConnection
  readonly #mode: OpenMode
  #lastWrite: Promise<unknown> = Promise.resolve()

  constructor(file: OpenFile, writer: DuckDBConnection, mode: OpenMode, label: string) {
    this.#file = file
    this.#writer = writer
    this.#mode = mode
    this.label = label
  }

  all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    return this.#connected((connection) => allOf(connection, sql, parameters, this.label))
  }

  async *pages(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    const connection = await this.#file.connect()
    try {
      yield* pagesOf(connection, sql, parameters, pageRows, this.label)
    } finally {
      connection.closeSync()
    }
  }

  read<T>(body: (reader: SqlReader) => Promise<T>): Promise<T> {
    return this.#connected(async (connection) => {
      await connection.run('BEGIN TRANSACTION READ ONLY')
      try {
        return await body(readerOf(connection, this.label))
      } finally {
        await connection.run('ROLLBACK')
      }
    })
  }

  write<T>(body: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    if (this.#mode === 'read') throw new Error('the database was opened for reading')
    const mine = this.#lastWrite.then(() => this.#transact(body))
    this.#lastWrite = mine.catch(() => undefined)
    return mine
  }

  async *query(sql: string, options: QueryOptions): AsyncGenerator<QueryPage> {
    const connection = await this.#file.connect()
    try {
      yield* queryPages(connection, sql, options, this.label)
    } finally {
      connection.closeSync()
    }
  }

  async now(): Promise<number> {
    return Date.now()
  }

  async close(): Promise<void> {
    await this.#lastWrite
    this.#writer.closeSync()
    await this.#file.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #transact<T>(body: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    const connection = this.#writer
    await connection.run('BEGIN TRANSACTION')
    try {
      const result = await body(transactionOf(connection, this.label))
      await connection.run('COMMIT')
      return result
    } catch (error) {
      // A failed commit has ended the transaction already; then there is nothing left to roll back.
      await connection.run('ROLLBACK').catch(() => undefined)
      throw duckdbError(error, this.label)
    }
  }

  async #connected<T>(body: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const connection = await this.#file.connect()
    try {
      return await body(connection)
    } catch (error) {
      throw duckdbError(error, this.label)
    } finally {
      connection.closeSync()
    }
  }
}

function readerOf(connection: DuckDBConnection, label: string): SqlReader {
  return {
    dialect: 'duckdb',
    all: (sql, parameters = []) => allOf(connection, sql, parameters, label),
    pages: (sql, parameters, pageRows) => pagesOf(connection, sql, parameters, pageRows, label),
  }
}

function transactionOf(connection: DuckDBConnection, label: string): SqlTransaction {
  return {
    ...readerOf(connection, label),
    run: async (sql, parameters = []) => (await execute(connection, sql, parameters, label)).rowsChanged,
    script: async (sql) => void (await execute(connection, sql, [], label)),
    load: async (table, columns, rows) => {
      try {
        await append(connection, table, columns, rows)
      } catch (error) {
        throw duckdbError(error, label)
      }
    },
  }
}

/** `run` finishes the whole query before it resolves: it is the one call that raises what goes wrong half-way. */
async function execute(
  connection: DuckDBConnection,
  sql: string,
  parameters: SqlRow,
  label: string,
): Promise<DuckDBMaterializedResult> {
  try {
    if (parameters.length === 0) return await connection.run(sql)
    return await connection.run(sql, parameters.map(toDuckdb))
  } catch (error) {
    throw duckdbError(error, label)
  }
}

async function allOf(
  connection: DuckDBConnection,
  sql: string,
  parameters: SqlRow,
  label: string,
): Promise<readonly SqlRow[]> {
  const rows: SqlRow[] = []
  for await (const page of pagesOf(connection, sql, parameters, Infinity, label)) {
    for (const row of page) rows.push(row)
  }
  return rows
}

async function* pagesOf(
  connection: DuckDBConnection,
  sql: string,
  parameters: SqlRow,
  pageRows: number,
  label: string,
): AsyncGenerator<readonly SqlRow[]> {
  const result = await execute(connection, sql, parameters, label)
  const expected = result.rowCount
  let seen = 0
  let page: SqlRow[] = []
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    seen += chunk.rowCount
    for (const row of chunk.getRows()) {
      page.push(row.map(fromDuckdb))
      if (page.length >= pageRows) {
        yield page
        page = []
      }
    }
  }
  if (seen !== expected) throw new SluiceError('INTERNAL', `DuckDB promised ${expected} rows and gave ${seen}`)
  if (page.length > 0) yield page
}
