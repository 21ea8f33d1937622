/** What every SQL store offers the catalog: reads, one-writer transactions, bulk loads. Differences are data in `SqlAbilities`. */

export type SqlValue = null | string | number | bigint | Uint8Array
export type SqlRow = readonly SqlValue[]

/** Names a dialect of SQL; the catalog keeps one set of statements a dialect. */
export type SqlDialect = 'sqlite' | 'duckdb' | 'postgresql' | 'mysql'

export interface SqlReader {
  readonly dialect: SqlDialect
  /** All rows of a query, columns in select order. Integers come as numbers: cast to text what may pass 2^53. */
  all(sql: string, parameters?: SqlRow): Promise<readonly SqlRow[]>
  /** Rows in pages of at most `pageRows`; the statement is open only while the iteration runs. */
  pages(sql: string, parameters: SqlRow, pageRows: number): AsyncIterable<readonly SqlRow[]>
}

export interface SqlTransaction extends SqlReader {
  /** Runs one statement; returns the number of rows it changed. */
  run(sql: string, parameters?: SqlRow): Promise<number>
  /** Several statements without parameters, separated by semicolons. */
  script(sql: string): Promise<void>
  /** Bulk insert by the store's fastest way. Every row has a value for each column, in order. */
  load(table: string, columns: readonly string[], rows: readonly SqlRow[]): Promise<void>
}

export interface SqlDatabase extends SqlReader, AsyncDisposable {
  /** URL without password, for messages. */
  readonly label: string
  /** A transaction that sees one state of the database; writes are refused. */
  read<T>(body: (reader: SqlReader) => Promise<T>): Promise<T>
  /** One write transaction; commits when the body resolves, rolls back when it throws. Calls queue up behind each other. */
  write<T>(body: (transaction: SqlTransaction) => Promise<T>): Promise<T>
  /** Milliseconds since the epoch by the database's own clock. */
  now(): Promise<number>
  close(): Promise<void>
}

export type OpenMode = 'read' | 'write'
