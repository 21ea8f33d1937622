/** DuckDB as a SQL database: in memory, as the validator uses it, or in a file. */
import { existsSync } from 'node:fs'
import { OpenFile } from './open-file.ts'
import { duckdbConnectFailed, duckdbError } from './errors.ts'
import { MEMORY } from './instance.ts'
import { queryPages } from './query.ts'
import { DuckdbSession } from './session.ts'
import { MOST_LISTED_COLUMNS, relationsOfRows } from '../common/known-relations.ts'
import { OpenPath } from '../common/open-path.ts'
import type {
  KnownRelation,
  OpenMode,
  QueryOptions,
  QueryPage,
  SqlDatabase,
  SqlReader,
  SqlRow,
  SqlTransaction,
} from '../../model/run/sql-port.ts'

const RELATIONS = `SELECT CASE WHEN schema_name = current_schema() THEN table_name ELSE schema_name || '.' || table_name END, column_name, data_type
  FROM duckdb_columns() WHERE NOT internal AND database_name = current_database() ORDER BY 1, column_index LIMIT ${MOST_LISTED_COLUMNS}`

export type DuckdbOptions = {
  /** Memory limit in DuckDB's notation. Data beyond it goes to the spill folder. */
  readonly memoryLimit?: string
  readonly threads?: number
  /** Spill folder, created when first needed and removed on close. */
  readonly temporaryFolder?: string
  /** Name of the database in messages. */
  readonly label?: string
}

/**
 * Opens a file, or an empty database in memory. `write` mode creates a missing file.
 * @throws SluiceError TARGET_BUSY if another program has the file open, CONNECT_FAILED, TARGET_DENIED, TARGET_CORRUPT
 */
export async function openDuckdb(file: string, mode: OpenMode, options: DuckdbOptions = {}): Promise<SqlDatabase> {
  const label = options.label ?? (file === MEMORY ? 'duckdb::memory:' : `duckdb:///${file}`)
  if (mode === 'read' && file !== MEMORY && !existsSync(file)) {
    throw duckdbConnectFailed(new Error('there is no such file'), label)
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
    const path = file === MEMORY || mode === 'read' ? null : new OpenPath(file, label, 'target')
    return new DuckdbDatabase({ database, path, mode, label }, new DuckdbSession(writer, label))
  } catch (error) {
    throw duckdbError(error, label)
  }
}

type Opened = {
  readonly database: OpenFile
  /** Null for a database in memory, and for one that is only read. */
  readonly path: OpenPath | null
  readonly mode: OpenMode
  readonly label: string
}

class DuckdbDatabase implements SqlDatabase {
  readonly dialect = 'duckdb'
  readonly explains = 'EXPLAIN'
  readonly label: string
  readonly parallelWrites = false
  readonly #file: OpenFile
  readonly #writer: DuckdbSession
  readonly #mode: OpenMode
  readonly #path: OpenPath | null
  #lastWrite: Promise<unknown> = Promise.resolve()

  constructor({ database, path, mode, label }: Opened, writer: DuckdbSession) {
    this.#file = database
    this.#path = path
    this.#writer = writer
    this.#mode = mode
    this.label = label
  }

  all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    return this.#connected((session) => session.rows(sql, parameters))
  }

  async *pages(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    const session = await this.#session()
    try {
      yield* session.pages(sql, parameters, pageRows)
    } finally {
      session.close()
    }
  }

  read<T>(body: (reader: SqlReader) => Promise<T>): Promise<T> {
    return this.#connected(async (session) => {
      await session.begin('READ ONLY')
      try {
        return await body(readerOf(session))
      } finally {
        await session.rollBack()
      }
    })
  }

  write<T>(body: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    if (this.#mode === 'read') throw new Error('the database was opened for reading')
    const mine = this.#lastWrite.then(() => {
      this.#path?.check()
      return this.#writer.transaction(async () => {
        const result = await body(transactionOf(this.#writer))
        this.#path?.check()
        return result
      })
    })
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

  async relations(): Promise<readonly KnownRelation[]> {
    return relationsOfRows(await this.all(RELATIONS))
  }

  async now(): Promise<number> {
    return Date.now()
  }

  async close(): Promise<void> {
    await this.#lastWrite
    this.#writer.close()
    await this.#file.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #connected<T>(body: (session: DuckdbSession) => Promise<T>): Promise<T> {
    const session = await this.#session()
    try {
      return await body(session)
    } finally {
      session.close()
    }
  }

  async #session(): Promise<DuckdbSession> {
    try {
      return new DuckdbSession(await this.#file.connect(), this.label)
    } catch (error) {
      throw duckdbError(error, this.label)
    }
  }
}

function readerOf(session: DuckdbSession): SqlReader {
  return {
    dialect: 'duckdb',
    all: (sql, parameters = []) => session.rows(sql, parameters),
    pages: (sql, parameters, pageRows) => session.pages(sql, parameters, pageRows),
  }
}

function transactionOf(session: DuckdbSession): SqlTransaction {
  return {
    ...readerOf(session),
    run: (sql, parameters = []) => session.change(sql, parameters),
    script: (sql) => session.script(sql),
    load: (table, columns, rows) => session.load(table, columns, rows),
  }
}
