/** PostgreSQL as a SQL database: connection pools, loads by COPY, and transactions that are retried if that is safe. */
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { Pool } from '../../common/pool.ts'
import { retrying } from '../../common/retry.ts'
import type { Route } from '../../../model/run/route.ts'
import { MOST_LISTED_COLUMNS, relationsOfRows } from '../../common/known-relations.ts'
import type {
  KnownRelation,
  HasCommitted,
  OpenMode,
  QueryOptions,
  QueryPage,
  SessionLock,
  SqlDatabase,
  SqlReader,
  SqlRow,
  SqlTransaction,
  SqlValue,
} from '../../../model/run/sql-port.ts'
import { readOnly, transact } from './commit.ts'
import type { Backend } from './connect.ts'
import {
  postgresConnectFailed,
  connectionLost,
  isConnectionLoss,
  isPostgresReadOnly,
  isTransient,
  postgresError,
  sqlStateOf,
} from './server-errors.ts'
import { takePostgresLock } from './lock.ts'
import { unlessMadeMeanwhile } from './made-meanwhile.ts'
import { queryPostgresServer } from './query.ts'
import { SqlSession } from './sql-session.ts'
import { backendIsGone, isCommitted } from './commit-outcome.ts'
import { postgresSettings, type PostgresEnvironment, type PostgresSettings } from './settings.ts'
import { PreparedStatements } from './statements.ts'
import { UNQUALIFIED_PLACE, refuseStrangers, hasOwnSchema, Strangers } from './trusted-tables.ts'

/** How long opening waits for a server that is starting, ms. */
const STARTING_MS = 5000
/**
 * Maximum number of lock timeouts after which a write is retried; each of them has waited for the whole `lock_timeout`.
 */
const MOST_LOCK_TIMEOUTS = 2

/** Columns of users' relations, without partitions, which are found through their parents. */
const RELATIONS = `SELECT CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname::text || '.' || c.relname::text END AS name,
    a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'::text
  ORDER BY name, a.attnum LIMIT ${MOST_LISTED_COLUMNS}`

export type PostgresOptions = {
  /** libpq's variables (PGHOST, PGPASSWORD …); default: the variables of this process. */
  readonly environment?: PostgresEnvironment
  /** Route to the server, if it is not direct. */
  readonly route?: Route | undefined
  /** As in `CatalogOptions`. */
  readonly retryLimitMs?: number | undefined
  /** As in `CatalogOptions`. */
  readonly rightsOnly?: true | undefined
  /** As in `PostgresSettings`. */
  readonly frozenMs?: number
  /** As in `PostgresSettings`. */
  readonly isDurable?: boolean
  /** First schema for unqualified names, instead of the URL's. */
  readonly schema?: string | null
  /** Called for every retry: the cause, the attempts so far, and milliseconds until the next. */
  onRetry?(error: unknown, attempts: number, pauseMs: number): void
}

/**
 * Opens a database by its URL. `write` mode creates a missing schema of the URL; `read` mode never writes.
 * @throws SluiceError BAD_CONFIG, CONNECT_FAILED, TLS_FAILED, TARGET_DENIED
 */
export async function openPostgres(url: string, mode: OpenMode, options: PostgresOptions = {}): Promise<SqlDatabase> {
  const read = postgresSettings(url, options.environment)
  const retryMs = Math.min(read.retryMs, options.retryLimitMs ?? read.retryMs)
  const { route, frozenMs, isDurable, schema = read.schema } = options
  const settings = { ...read, schema, retryMs, route, frozenMs, isDurable }
  const database = new PostgresDatabase(settings, mode, options)
  try {
    await retrying(() => database.start(), { transient: isConnectionLoss, forMs: Math.min(STARTING_MS, retryMs) })
    return database
  } catch (error) {
    await database.close()
    throw isConnectionLoss(error) ? postgresConnectFailed(error, settings) : postgresError(error, settings)
  }
}

class PostgresDatabase implements SqlDatabase {
  readonly dialect = 'postgresql'
  readonly explains = 'EXPLAIN'
  readonly label: string
  readonly parallelWrites = true
  readonly #settings: PostgresSettings
  readonly #mode: OpenMode
  readonly #options: PostgresOptions
  readonly #statements: PreparedStatements
  /**
   * Three pools, because code that has a connection may need a second one. A write that reads outside its transaction
   * would wait forever if writes had taken all connections. Sessions of the first pool are held for one statement only.
   * Page walks and read transactions keep their sessions for long and may nest, but there are few of them. The URL
   * limits the number of writes.
   */
  readonly #single: Pool<SqlSession>
  readonly #held: Pool<SqlSession>
  readonly #writers: Pool<SqlSession>
  #closed = false
  #hasWritten = false
  /** Session of a released lock, kept for the next lock. */
  #spare: SqlSession | null = null
  readonly #strangers: Strangers
  /** Check that sluice's tables may be written to; null if the next write must run it. */
  #trusted: Promise<void> | null = null

  constructor(settings: PostgresSettings, mode: OpenMode, options: PostgresOptions) {
    this.label = settings.label
    this.#settings = settings
    this.#mode = mode
    this.#options = options
    this.#strangers = new Strangers(UNQUALIFIED_PLACE, settings.label)
    this.#statements = new PreparedStatements(settings.prepare)
    const reader = (): Promise<SqlSession> => SqlSession.open(settings, 'read', this.#statements)
    const limited = { most: settings.poolSize, idle: settings.poolSize }
    this.#single = new Pool(reader, limited, settings.label)
    this.#held = new Pool(reader, { ...limited, most: Infinity }, settings.label)
    const writer = (): Promise<SqlSession> => SqlSession.open(settings, 'write', this.#statements)
    this.#writers = new Pool(writer, limited, settings.label)
  }

  /** Makes a first connection and, in `write` mode, the schema. */
  async start(): Promise<void> {
    const { schema } = this.#settings
    // IF NOT EXISTS needs the right to create, which a user of an existing schema may lack.
    const exists = 'SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = ?'
    const found = await this.#single.use(
      async (session) => schema === null || (await session.all(exists, [schema])).length > 0,
    )
    await this.#retrying(() =>
      this.#single.use((session) => this.#strangers.checkOnOpen((sql) => session.all(sql, []))),
    )
    if (this.#mode === 'read' || found || schema === null) return
    await this.#writers.use((session) =>
      unlessMadeMeanwhile(async () => {
        if (!(await hasOwnSchema((sql) => session.all(sql, []), schema, this.label)))
          await session.script(`CREATE SCHEMA ${quotedName(schema)}`)
      }),
    )
  }

  all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    // Read-only sessions refuse writes, so a retry changes nothing.
    return this.#retrying(() =>
      this.#single.use((session) =>
        this.#strangers.areNone
          ? session.all(sql, parameters)
          : readOnly(
              session,
              (kind) => this.#begin(session, kind),
              (reader) => reader.all(sql, parameters),
            ),
      ),
    )
  }

  async *pages(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    const { pages, session, first } = await this.#retrying(async () => {
      const taken = await this.#held.take()
      try {
        await this.#begin(taken, 'READ ONLY')
        const iterator = taken.walk(sql, parameters, pageRows)
        return { session: taken, pages: iterator, first: await iterator.next() }
      } catch (error) {
        await this.#end(taken)
        throw error
      }
    })
    try {
      if (first.done === true) return
      yield first.value
      yield* pages
    } finally {
      await pages.return(undefined)
      await this.#end(session)
    }
  }

  async read<T>(body: (reader: SqlReader) => Promise<T>): Promise<T> {
    let begun = false
    return this.#retrying(
      () =>
        this.#held.use((session) =>
          readOnly(
            session,
            (kind) => this.#begin(session, kind),
            (reader) => {
              begun = true
              return body(reader)
            },
          ),
        ),
      () => !begun,
    )
  }

  async write<T>(body: (transaction: SqlTransaction) => Promise<T>, landed?: HasCommitted): Promise<T> {
    if (this.#mode === 'read') throw new Error('the database was opened for reading')
    if (this.#options.rightsOnly !== true) await (this.#trusted ??= this.#mayWrite())
    let orphan: Backend | null = null
    let lockTimeouts = 0
    const ask = <A>(question: (reader: SqlReader) => Promise<A>): Promise<A> =>
      this.#retrying(() => this.#held.use((session) => question(readerOf(session))))
    let foreign = false
    // A server that accepted writes before and refuses them now may soon be promoted, so it is asked again. One that
    // never accepted a write is the wrong server.
    let isTurned = false
    return this.#retrying(
      async () => {
        if (orphan !== null) {
          const old = orphan
          await ask((reader) => backendIsGone(reader, old))
          orphan = null
        }
        foreign = false
        const session = await this.#writers.take()
        try {
          const outcome = await transact(session, body)
          this.#hasWritten ||= outcome.committed
          if (outcome.committed) return outcome.result
          const { lost } = outcome
          const { backend } = session
          if (await isCommitted({ what: 'a transaction', backend, landed, lost, label: this.label, ask }))
            return outcome.result
          throw lost
        } catch (error) {
          if (!session.alive) orphan = session.backend
          // After a failed statement, later statements fail too, and their errors do not name the cause.
          const cause = sqlStateOf(error) === '25P02' ? session.failure : error
          // The error may come from another database that the body uses: such an error is not retried here.
          foreign = !causedBy(cause, session.failure)
          if (sqlStateOf(cause) === '55P03') lockTimeouts++
          isTurned = this.#hasWritten && isPostgresReadOnly(cause)
          throw cause
        } finally {
          await this.#writers.give(session)
        }
      },
      () => !foreign && lockTimeouts <= MOST_LOCK_TIMEOUTS,
      () => isTurned,
    )
  }

  refuseStrangers(names?: readonly string[], schema?: string): Promise<void> {
    return refuseStrangers((sql) => this.all(sql), this.label, names, schema)
  }

  async lock(name: string): Promise<SessionLock | null> {
    return this.#retrying(async () => {
      const spare = this.#spare
      this.#spare = null
      const session = spare?.alive === true ? spare : await SqlSession.open(this.#settings, 'read', this.#statements)
      return takePostgresLock(session, name, (free) => this.#keepSpare(free))
    })
  }

  async #keepSpare(session: SqlSession): Promise<void> {
    if (this.#closed || this.#spare?.alive === true) return session.close()
    this.#spare = session
  }

  query(sql: string, options: QueryOptions): AsyncIterable<QueryPage> {
    return queryPostgresServer(this.#settings, sql, options)
  }

  async relations(): Promise<readonly KnownRelation[]> {
    return relationsOfRows(await this.all(RELATIONS))
  }

  async now(): Promise<number> {
    const rows = await this.all(
      'SELECT pg_catalog.floor(extract(epoch FROM clock_timestamp())::numeric * 1000::numeric)::int8',
    )
    return Number(rows[0]?.[0] satisfies SqlValue | undefined)
  }

  async close(): Promise<void> {
    this.#closed = true
    const spare = this.#spare
    this.#spare = null
    await Promise.all([this.#single.close(), this.#held.close(), this.#writers.close(), spare?.close()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Checks sluice's tables. While they are missing, another role may create them, so each write checks again. */
  async #mayWrite(): Promise<void> {
    let areTrusted = false
    try {
      await this.refuseStrangers()
      areTrusted = this.#strangers.areNone
    } finally {
      if (!areTrusted) this.#trusted = null
    }
  }

  /** Begins a transaction in which tables of other roles stay as they were checked. */
  #begin(session: SqlSession, kind: string): Promise<void> {
    return this.#strangers.begin({
      begin: () => session.begin(kind),
      ask: (sql) => session.all(sql, []),
      rollBack: () => session.rollBack(),
    })
  }

  async #end(session: SqlSession): Promise<void> {
    await session.rollBack()
    await this.#held.give(session)
  }

  async #retrying<T>(
    body: () => Promise<T>,
    may: () => boolean = () => true,
    passesToo: () => boolean = () => false,
  ): Promise<T> {
    try {
      return await retrying(body, {
        forMs: this.#settings.retryMs,
        transient: (error) => !this.#closed && may() && (isTransient(error) || passesToo()),
        onRetry: (error, attempts, pauseMs) => this.#options.onRetry?.(error, attempts, pauseMs),
      })
    } catch (error) {
      // If a new session is refused after an existing one was lost, report a lost connection.
      const refused = error instanceof SluiceError && error.code === 'CONNECT_FAILED' && isConnectionLoss(error)
      throw refused && may() ? connectionLost(error.cause, this.#settings) : error
    }
  }
}

/** True if an error is the given one or wraps it. */
function causedBy(error: unknown, origin: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (at === origin) return true
  return false
}

function readerOf(session: SqlSession): SqlReader {
  return {
    dialect: 'postgresql',
    all: (sql, parameters = []) => session.all(sql, parameters),
    pages: async function* (sql, parameters, pageRows) {
      await session.begin('READ ONLY')
      try {
        yield* session.walk(sql, parameters, pageRows)
      } finally {
        await session.rollBack()
      }
    },
  }
}
