/**
 * MySQL and MariaDB as a store of the catalog. Short reads, long reads and writes use separate connections, so that a
 * write whose body queries the database never waits for itself.
 */
import { Pool } from '../common/pool.ts'
import { MOST_LISTED_COLUMNS, relationsOfRows } from '../common/known-relations.ts'
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
} from '../../model/run/sql-port.ts'
import { retrying } from '../common/retry.ts'
import type { Route } from '../../model/run/route.ts'
import { PLAIN_NAMES } from '../common/own-tables.ts'
import { nameConflictError } from '../common/name-conflict.ts'
import { mysqlConfig, type MysqlConfig } from './config.ts'
import { MysqlColumnTypes } from './load.ts'
import { lockName, takeMysqlLock } from './lock.ts'
import { mysqlReader } from './pages.ts'
import { queryMysqlServer } from './query.ts'
import type { MysqlSession } from './session.ts'
import { connectTo } from './sessions.ts'
import { isMysqlTransient, isTransientBeforeLogin } from './transaction.ts'
import { translateSql } from './translate.ts'
import { MysqlWriter } from './writer.ts'
import { backquotedName } from '../../shared/sql-text.ts'

export interface MysqlDatabase extends SqlDatabase {
  readonly flavour: 'mysql' | 'mariadb'
  /** Collation in which `a`, `A` and `a ` differ; migrations put it in the place of `${binary}`. */
  readonly binaryCollation: string
  /** @returns null if another session holds the lock */
  lock(name: string): Promise<SessionLock | null>
}

const RELATIONS = `SELECT table_name, column_name, column_type FROM information_schema.columns WHERE table_schema = DATABASE()
  ORDER BY table_name, ordinal_position LIMIT ${MOST_LISTED_COLUMNS}`

/** Connections of each kind that stay open between reads. */
const IDLE_READERS = 2

const NAMES = `(${PLAIN_NAMES.map((name) => `'${name}'`).join(', ')})`
const VIEWS = `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND LOWER(TABLE_NAME) IN ${NAMES}
  AND TABLE_TYPE <> 'BASE TABLE' LIMIT 1`
const TRIGGERS = `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE()
  AND LOWER(EVENT_OBJECT_TABLE) IN ${NAMES} AND DEFINER <> CURRENT_USER() LIMIT 1`

type Ask = (sql: string) => Promise<readonly SqlRow[]>

/**
 * Connects to an existing database. In `read` mode the server itself refuses writes.
 * @param url `mysql://user:password@host:port/database`, see `mysqlConfig` for parameters
 * @param options.env for MYSQL_PWD, which fills in a missing password
 * @param options.route the route to the server, if not direct
 * @throws SluiceError BAD_CONFIG, CONNECT_FAILED (also for a server that is too old), TLS_FAILED, TABLE_REFUSED as
 * `refuseViews`
 */
export async function openMysql(
  url: string,
  mode: OpenMode,
  options: {
    readonly env?: NodeJS.ProcessEnv
    readonly route?: Route | undefined
    /** See `CatalogOptions`. */
    readonly retryLimitMs?: number | undefined
    /** See `MysqlConfig`. */
    readonly frozenMs?: number
  } = {},
): Promise<MysqlDatabase> {
  const read = mysqlConfig(url, options.env)
  const retryMs = Math.min(read.retryMs, options.retryLimitMs ?? read.retryMs)
  const config = { ...read, retryMs, route: options.route, frozenMs: options.frozenMs }
  const store = new Store(config, mode, await connectTo(config, 'read'))
  try {
    await refuseViews((sql) => store.all(sql), config.label)
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/**
 * Refuses views under names of catalog tables. Stored functions need no check: built-in functions take precedence.
 * @throws SluiceError TABLE_REFUSED if a view has such a name
 */
async function refuseViews(ask: Ask, label: string): Promise<void> {
  const [view] = await ask(VIEWS)
  if (view !== undefined) throw nameConflictError({ what: `VIEW ${backquotedName(String(view[0]))}` }, label)
}

/** Refuses other accounts' triggers on catalog tables; needs TRIGGER to see them. @throws SluiceError TABLE_REFUSED */
async function refuseTriggers(ask: Ask, label: string): Promise<void> {
  const [trigger] = await ask(TRIGGERS)
  if (trigger === undefined) return
  throw nameConflictError({ what: `TRIGGER ${backquotedName(String(trigger[0]))}`, on: String(trigger[1]) }, label)
}

class Store implements MysqlDatabase {
  readonly dialect = 'mysql'
  readonly explains = 'EXPLAIN'
  readonly parallelWrites = true
  readonly label: string
  readonly flavour: 'mysql' | 'mariadb'
  readonly binaryCollation: string
  readonly #config: MysqlConfig
  readonly #short: Pool<MysqlSession>
  /** Pool without a limit: a caller may read again while it iterates, and would otherwise wait for itself. */
  readonly #long: Pool<MysqlSession>
  readonly #writer: MysqlWriter | null
  readonly #locks = new Set<MysqlSession>()
  /** The check for foreign triggers, run once. */
  #trusted: Promise<void> | null = null

  constructor(config: MysqlConfig, mode: OpenMode, first: MysqlSession) {
    this.#config = config
    this.label = config.label
    this.flavour = first.facts.flavour
    this.binaryCollation = first.facts.binaryCollation
    const reads = (): Promise<MysqlSession> => connectTo(config, 'read')
    this.#short = new Pool(reads, { most: config.poolSize, idle: IDLE_READERS }, config.label)
    this.#short.adopt(first)
    this.#long = new Pool(reads, { most: Infinity, idle: IDLE_READERS }, config.label)
    this.#writer = mode === 'read' ? null : new MysqlWriter(config, new MysqlColumnTypes())
  }

  async all(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    const text = translateSql(sql)
    return await this.#repeating(() => this.#short.use((session) => session.rows(text, parameters)))
  }

  async *pages(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    const text = translateSql(sql)
    const { session, stream, first } = await this.#repeating(async () => {
      const taken = await this.#long.take()
      try {
        const running = await taken.stream(text, parameters)
        return { session: taken, stream: running, first: await running.take(pageRows) }
      } catch (error) {
        await this.#long.give(taken)
        throw error
      }
    })
    try {
      for (let page = first; page.length > 0; page = await stream.take(pageRows)) yield page
    } finally {
      // Reading the remaining rows may take minutes; a new connection takes milliseconds.
      if (!stream.isDone) session.destroy()
      await this.#long.give(session)
    }
  }

  async read<T>(body: (reader: SqlReader) => Promise<T>): Promise<T> {
    const session = await this.#repeating(async () => {
      const taken = await this.#long.take()
      try {
        await taken.command('START TRANSACTION WITH CONSISTENT SNAPSHOT')
        return taken
      } catch (error) {
        await this.#long.give(taken)
        throw error
      }
    })
    try {
      return await body(mysqlReader(session))
    } finally {
      // Nothing was changed, so no COMMIT is needed: closing is faster than reading a long result to its end.
      if (session.isStreaming) session.destroy()
      else await session.command('COMMIT').catch(() => session.destroy())
      await this.#long.give(session)
    }
  }

  async write<T>(body: (transaction: SqlTransaction) => Promise<T>, landed?: HasCommitted): Promise<T> {
    if (this.#writer === null) throw new Error('the database was opened for reading')
    await (this.#trusted ??= refuseTriggers((sql) => this.all(sql), this.label).catch((error: unknown) => {
      this.#trusted = null
      throw error
    }))
    return await this.#writer.write(body, landed)
  }

  async lock(name: string): Promise<SessionLock | null> {
    for (const session of this.#locks) if (session.broken !== null) this.#locks.delete(session)
    return await this.#repeating(async () => {
      const session = await connectTo(this.#config, 'read')
      this.#locks.add(session)
      try {
        return await takeMysqlLock(session, lockName(this.#config.database, name))
      } catch (error) {
        session.destroy()
        throw error
      }
    })
  }

  query(sql: string, options: QueryOptions): AsyncIterable<QueryPage> {
    return queryMysqlServer(() => connectTo(this.#config, 'read'), sql, options)
  }

  async relations(): Promise<readonly KnownRelation[]> {
    return relationsOfRows(await this.all(RELATIONS))
  }

  async now(): Promise<number> {
    const [[ms] = []] = await this.all('SELECT CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)')
    return Number(ms)
  }

  async close(): Promise<void> {
    for (const session of this.#locks) session.destroy()
    await Promise.all([this.#short.close(), this.#long.close(), this.#writer?.close()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Repeats a read, on another connection if need be; a read changes nothing. */
  #repeating<T>(body: () => Promise<T>): Promise<T> {
    return retrying(body, {
      forMs: this.#config.retryMs,
      transient: (error) => isMysqlTransient(error) || isTransientBeforeLogin(error),
    })
  }
}
