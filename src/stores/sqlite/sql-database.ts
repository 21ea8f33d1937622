/**
 * SQLite through better-sqlite3. One connection writes and another reads, so that readers of this process see committed
 * rows only, as readers of other processes do.
 */
import Database from 'better-sqlite3'
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
import { sqliteCode, sqliteError } from './errors.ts'
import { refusePlanted } from './planted.ts'
import { queryFile } from './query.ts'
import { BUSY_TIMEOUT_MS, existing, openReader } from './reader.ts'

const RELATIONS = `SELECT m.name, p.name, p.type FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) p
  WHERE m.type IN ('table', 'view') AND substr(m.name, 1, 7) <> 'sqlite_' ORDER BY m.name, p.cid LIMIT ${MOST_LISTED_COLUMNS}`

/** Number of rows of one INSERT: measured as best for rows of about twenty columns. */
const ROWS_A_STATEMENT = 8
const WAL_RETRY_MS = 20
/** Maximum number of connections that stay open for later paged reads. */
const IDLE_CONNECTIONS = 2

type Connection = Database.Database
type Statement = Database.Statement

/**
 * Opens a database file. `write` mode creates a missing file; `read` mode never writes.
 * @throws SluiceError CONNECT_FAILED, TARGET_DENIED, TARGET_CORRUPT
 */
export function openSqlite(file: string, mode: OpenMode, label: string = `sqlite:///${file}`): SqlDatabase {
  return new SqliteDatabase(file, mode, label)
}

class SqliteDatabase implements SqlDatabase {
  readonly dialect = 'sqlite'
  readonly explains = 'EXPLAIN QUERY PLAN'
  readonly label: string
  readonly parallelWrites = false
  readonly #file: string
  readonly #writer: Connection | null
  /** Null for a database in memory, and for one that is only read. */
  readonly #path: OpenPath | null
  #reader: Connection | null = null
  readonly #idle: Connection[] = []
  #closed = false
  readonly #writes = new Turn()
  readonly #reads = new Turn()
  readonly #statements = new Map<string, Statement>()

  constructor(file: string, mode: OpenMode, label: string) {
    this.#file = file
    this.label = label
    this.#writer = mode === 'write' ? this.#guard(() => openWriter(file)) : null
    this.#path = this.#writer === null || file === ':memory:' ? null : new OpenPath(file, label, 'target')
    if (mode === 'read') this.#reader = this.#open()
    this.#refusePlanted()
  }

  #refusePlanted(): void {
    const connection = this.#writer ?? this.#readConnection()
    try {
      this.#guard(() => refusePlanted(connection, this.#writer !== null, this.label))
    } catch (error) {
      connection.close()
      throw error
    }
  }

  async all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    return this.#guard(() => queryAll(this.#readConnection(), sql, parameters))
  }

  async *pages(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    // A connection with an open statement cannot begin a transaction, so paged reads use other connections. These are
    // kept, because their cache is filled.
    const connection = this.#idle.pop() ?? this.#open()
    try {
      yield* pagesOf(connection, sql, parameters, pageRows, this.label)
    } finally {
      if (this.#closed || this.#idle.length >= IDLE_CONNECTIONS) connection.close()
      else this.#idle.push(connection)
    }
  }

  async read<T>(body: (reader: SqlReader) => Promise<T>): Promise<T> {
    return this.#reads.take(async () => {
      const connection = this.#readConnection()
      this.#guard(() => connection.exec('BEGIN'))
      try {
        return await body(readerOf(connection, this.label))
      } finally {
        connection.exec('COMMIT')
      }
    })
  }

  async write<T>(body: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    const connection = this.#writer
    if (connection === null) throw new Error('the database was opened for reading')
    return this.#writes.take(async () => {
      this.#path?.check()
      this.#guard(() => connection.exec('BEGIN IMMEDIATE'))
      try {
        const result = await body(this.#transaction(connection))
        this.#path?.check()
        this.#guard(() => connection.exec('COMMIT'))
        return result
      } catch (error) {
        if (connection.inTransaction) connection.exec('ROLLBACK')
        throw sqliteError(error, this.label)
      }
    })
  }

  query(sql: string, options: QueryOptions): AsyncIterable<QueryPage> {
    return queryFile(this.#file, sql, options, this.label)
  }

  async relations(): Promise<readonly KnownRelation[]> {
    return relationsOfRows(await this.all(RELATIONS))
  }

  async now(): Promise<number> {
    return Date.now()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#statements.clear()
    for (const connection of this.#idle.splice(0)) connection.close()
    this.#reader?.close()
    this.#writer?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #transaction(connection: Connection): SqlTransaction {
    return {
      ...readerOf(connection, this.label),
      run: async (sql, parameters = []) =>
        this.#guard(() => this.#prepared(connection, sql).run(...parameters).changes),
      script: async (sql) => void this.#guard(() => connection.exec(sql)),
      load: async (table, columns, rows) => this.#guard(() => this.#load(connection, table, columns, rows)),
    }
  }

  #load(connection: Connection, table: string, columns: readonly string[], rows: readonly SqlRow[]): void {
    const head = `INSERT INTO "${table}" (${columns.map((c) => `"${c}"`).join(',')}) VALUES `
    const tuple = `(${columns.map(() => '?').join(',')})`
    const whole = rows.length - (rows.length % ROWS_A_STATEMENT)
    if (whole > 0) {
      const several = this.#prepared(connection, head + Array(ROWS_A_STATEMENT).fill(tuple).join(','))
      const width = columns.length
      const flat: unknown[] = new Array(width * ROWS_A_STATEMENT)
      for (let start = 0; start < whole; start += ROWS_A_STATEMENT) {
        let at = 0
        for (let r = start; r < start + ROWS_A_STATEMENT; r++) {
          const row = rows[r] as SqlRow
          for (let c = 0; c < width; c++) flat[at++] = row[c]
        }
        several.run(flat)
      }
    }
    if (whole < rows.length) {
      const one = this.#prepared(connection, head + tuple)
      for (let r = whole; r < rows.length; r++) one.run(rows[r])
    }
  }

  #prepared(connection: Connection, sql: string): Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = connection.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  #readConnection(): Connection {
    this.#reader ??= this.#open()
    return this.#reader
  }

  #open(): Connection {
    return this.#guard(() => openReader(existing(this.#file)))
  }

  #guard<T>(body: () => T): T {
    try {
      return body()
    } catch (error) {
      throw sqliteError(error, this.label)
    }
  }
}

/**
 * Switches to WAL, with retries: if two programs create one file at the same time, SQLite reports busy at once, because
 * this switch ignores the busy timeout.
 */
export function useWal(connection: Connection): void {
  const deadline = performance.now() + BUSY_TIMEOUT_MS
  for (;;) {
    try {
      connection.pragma('journal_mode = WAL')
      return
    } catch (error) {
      if (sqliteCode(error) !== 'SQLITE_BUSY' || performance.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAL_RETRY_MS)
    }
  }
}

/** Runs asynchronous bodies one after the other. */
class Turn {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(body: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(body, body)
    this.#last = mine.catch(() => undefined)
    return mine
  }
}

function openWriter(file: string): Connection {
  const connection = new Database(file, { timeout: BUSY_TIMEOUT_MS })
  // With 8 KiB pages and fewer WAL checkpoints, an import takes 1.33 times its lower bound instead of 1.5 times.
  connection.pragma('page_size = 8192')
  useWal(connection)
  connection.pragma('synchronous = NORMAL')
  connection.pragma('wal_autocheckpoint = 8000')
  connection.pragma('cache_size = -32768')
  return connection
}

function readerOf(connection: Connection, label: string): SqlReader {
  return {
    dialect: 'sqlite',
    all: async (sql, parameters = []) => {
      try {
        return queryAll(connection, sql, parameters)
      } catch (error) {
        throw sqliteError(error, label)
      }
    },
    pages: (sql, parameters, pageRows) => pagesOf(connection, sql, parameters, pageRows, label),
  }
}

const prepared = new WeakMap<Connection, Map<string, Statement>>()

function queryAll(connection: Connection, sql: string, parameters: SqlRow): readonly SqlRow[] {
  let cache = prepared.get(connection)
  if (cache === undefined) prepared.set(connection, (cache = new Map()))
  let statement = cache.get(sql)
  if (statement === undefined) {
    statement = connection.prepare(sql)
    if (statement.reader) statement.raw(true)
    if (cache.size < 500) cache.set(sql, statement)
  }
  return statement.all(...parameters) as readonly SqlRow[]
}

async function* pagesOf(
  connection: Connection,
  sql: string,
  parameters: SqlRow,
  pageRows: number,
  label: string,
): AsyncGenerator<readonly SqlRow[]> {
  try {
    let page: SqlRow[] = []
    const rows = connection
      .prepare(sql)
      .raw(true)
      .iterate(...parameters) as Iterable<SqlRow>
    for (const row of rows) {
      page.push(row)
      if (page.length >= pageRows) {
        yield page
        page = []
      }
    }
    if (page.length > 0) yield page
  } catch (error) {
    throw sqliteError(error, label)
  }
}
