/** What SQL stores offer to the catalog: reads, one-writer transactions, bulk loads. */
import type { DeclaredType } from './answer-file.ts'

export type SqlValue = null | string | number | bigint | Uint8Array
export type SqlRow = readonly SqlValue[]

/** SQL dialects. All can hold a ledger; `catalog/dialect.ts` lists those that can hold a catalog. */
export type SqlDialect = 'postgresql' | 'mysql' | 'sqlite' | 'duckdb'

export interface SqlReader {
  readonly dialect: SqlDialect
  /** All rows of a query, columns in select order. Integers are numbers: cast to text any that may exceed 2^53. */
  all(sql: string, parameters?: SqlRow): Promise<readonly SqlRow[]>
  /** Rows in pages of at most `pageRows`; the statement is open only during the iteration. */
  pages(sql: string, parameters: SqlRow, pageRows: number): AsyncIterable<readonly SqlRow[]>
}

export interface SqlTransaction extends SqlReader {
  /** Runs one statement; returns the number of changed rows. */
  run(sql: string, parameters?: SqlRow): Promise<number>
  /** Several statements without parameters, separated by semicolons. */
  script(sql: string): Promise<void>
  /** Bulk insert in the store's fastest way. Every row has a value for each column, in order. */
  load(table: string, columns: readonly string[], rows: readonly SqlRow[]): Promise<void>
}

/** A lock that ends with its session, whatever ends that session. */
export interface SessionLock extends AsyncDisposable {
  /** False once the session has ended: another session may hold the lock now. */
  readonly held: boolean
}

/** Checks on a new connection whether a transaction committed. */
export type HasCommitted = (reader: SqlReader) => Promise<boolean>

/** For idempotent transaction bodies: after a lost reply they simply run again. */
export const REPEATABLE: HasCommitted = async () => false

/** Rows of a query that a user entered. */
export type QueryPage = {
  readonly columns: readonly string[]
  /** Declared types; undefined for a column without a type, or with a type that other systems do not have. */
  readonly types?: readonly (DeclaredType | undefined)[]
  readonly rows: readonly SqlRow[]
}

/** A table or view as statements name it: with its schema only if needed. */
export type KnownRelation = {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

export type QueryOptions = {
  readonly pageRows: number
  /** Time limit of the database, ms. */
  readonly timeoutMs?: number
  /** Ends the query at the server too. */
  readonly signal: AbortSignal
}

export interface SqlDatabase extends SqlReader, AsyncDisposable {
  /** URL without password, for messages. */
  readonly label: string
  /** True if several write transactions can run at the same time; otherwise calls of `write` are queued. */
  readonly parallelWrites: boolean
  /** Runs `body` in one snapshot; writes are refused. */
  read<T>(body: (reader: SqlReader) => Promise<T>): Promise<T>
  /**
   * One write transaction: commits when the body resolves, rolls back when it throws. On a server the body is run
   * again, after a pause, if the transaction surely did not commit and the cause is transient (deadlock, restart, cut
   * connection).
   * @param hasCommitted called if the connection broke during COMMIT, to avoid writing twice; if absent, COMMIT_UNKNOWN
   * is thrown then
   * @throws SluiceError CONNECTION_LOST after the last retry, COMMIT_UNKNOWN, NO_SPACE, TARGET_DENIED …
   */
  write<T>(body: (transaction: SqlTransaction) => Promise<T>, hasCommitted?: HasCommitted): Promise<T>
  /**
   * One statement that a user entered, on a connection that refuses writes and, as far as the system can, access to
   * anything but the database. Pages are streamed, at least one, so that the column names are known. Integers beyond
   * 2^53 are bigints, instants ISO 8601 text in UTC.
   * @throws SluiceError BAD_QUERY with the server's message for several statements, a write or an invalid one;
   * DEADLINE; the signal's reason
   */
  query(sql: string, options: QueryOptions): AsyncIterable<QueryPage>
  /** Prefix that makes a statement return its query plan instead of running. */
  readonly explains: string
  /** Tables and views for completion. */
  relations(): Promise<readonly KnownRelation[]>
  /**
   * Refuses tables of untrusted roles, because a write would run their triggers, rules and defaults. Absent for systems
   * without roles. Called automatically before the first write.
   * @param schema of the tables; absent: the server resolves the unqualified names
   * @throws SluiceError TABLE_REFUSED if one of the tables exists and must not be written to
   */
  refuseStrangers?(names: readonly string[], schema?: string): Promise<void>
  /** Takes a lock without waiting; null if another session has it. Absent without server sessions. */
  lock?(name: string): Promise<SessionLock | null>
  /** Milliseconds since the epoch by the database's own clock. */
  now(): Promise<number>
  close(): Promise<void>
}

export type OpenMode = 'read' | 'write'
