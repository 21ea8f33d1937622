/** What every SQL store offers the catalog: reads, one-writer transactions, bulk loads. Differences are data in `SqlAbilities`. */
import type { DeclaredType } from './answer-file.ts'

export type SqlValue = null | string | number | bigint | Uint8Array
export type SqlRow = readonly SqlValue[]

/** Names a dialect of SQL: a ledger can live in each, and a catalog in those that `catalog/dialect.ts` lists. */
export type SqlDialect = 'postgresql' | 'mysql' | 'sqlite' | 'duckdb'

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

/** A lock that ends with the session that took it, whatever ends that session. */
export interface SessionLock extends AsyncDisposable {
  /** False once the session is gone: somebody else may hold the lock now. */
  readonly held: boolean
}

/** Asks a new connection whether the effects of a transaction are there. */
export type Landed = (reader: SqlReader) => Promise<boolean>

/** For bodies that do no harm when they run a second time. */
export const REPEATABLE: Landed = async () => false

/** Rows of a query that somebody typed. */
export type QueryPage = {
  readonly columns: readonly string[]
  /** What the database says of them; undefined for one that it says nothing of, or nothing that others have too. */
  readonly types?: readonly (DeclaredType | undefined)[]
  readonly rows: readonly SqlRow[]
}

/** A table or view, as a statement names it: with its schema only where it is not found without. */
export type KnownRelation = {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

export type QueryOptions = {
  readonly pageRows: number
  /** How long the database may work on it, ms. */
  readonly timeoutMs?: number
  /** Ends the query at the server too. */
  readonly signal: AbortSignal
}

export interface SqlDatabase extends SqlReader, AsyncDisposable {
  /** URL without password, for messages. */
  readonly label: string
  /** Whether several write transactions can run at once; where false, calls of `write` queue up behind each other. */
  readonly parallelWrites: boolean
  /** A transaction that sees one state of the database; writes are refused. */
  read<T>(body: (reader: SqlReader) => Promise<T>): Promise<T>
  /**
   * One write transaction; commits when the body resolves, rolls back when it throws. A server's store runs the body again, after a
   * pause, when the transaction surely did not commit and the cause passes by itself (deadlock, restart, cut connection).
   * @param landed asked where the connection broke during COMMIT, so that nothing is written twice; without it that ends in COMMIT_UNKNOWN
   * @throws SluiceError CONNECTION_LOST when retries ran out, COMMIT_UNKNOWN, NO_SPACE, TARGET_DENIED …
   */
  write<T>(body: (transaction: SqlTransaction) => Promise<T>, landed?: Landed): Promise<T>
  /**
   * One statement that somebody typed, over a connection that refuses to write and, as far as the system can, to reach anything but the database.
   * Pages come as they are read, and one at least, so that the names of the columns are known. Integers beyond 2^53 are bigints,
   * instants ISO 8601 text in UTC.
   * @throws SluiceError BAD_QUERY with the server's message for several statements, for one that writes and for one that is wrong; DEADLINE; the
   * signal's reason
   */
  query(sql: string, options: QueryOptions): AsyncIterable<QueryPage>
  /** What stands before a statement to be told how it would be answered; it is not run. */
  readonly explains: string
  /** What statements can name, for whoever types one. */
  relations(): Promise<readonly KnownRelation[]>
  /**
   * Of a server where tables of other roles run code of theirs; asked before the first write by itself.
   * @throws SluiceError TABLE_REFUSED where one of the tables is there and may not be written to
   */
  refuseStrangers?(names: readonly string[]): Promise<void>
  /** Takes a lock at once or returns null when another session holds it. Absent where the store has no sessions that the server watches. */
  lock?(name: string): Promise<SessionLock | null>
  /** Milliseconds since the epoch by the database's own clock. */
  now(): Promise<number>
  close(): Promise<void>
}

export type OpenMode = 'read' | 'write'
