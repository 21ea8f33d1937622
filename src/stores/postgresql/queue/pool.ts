/** Connections of a queue: what graphile-worker and the rows about runs and workers share. */
import { TLSSocket } from 'node:tls'
import { Client, Pool, type ClientConfig, type PoolClient, type QueryResult, type QueryResultRow } from 'pg'
import { connect } from '../server/connect.ts'
import { isConnectionLoss, pooled, postgresError, sqlStateOf } from '../server/server-errors.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { OF_QUEUE, refuseStrangersInQueue, Strangers } from '../server/trusted-tables.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import { postgresSettings, type PostgresSettings } from '../server/settings.ts'
import { QueueIdentity } from './identity.ts'
import { deniedInQueue, type QueueUse } from './denied.ts'

export class QueuePool implements AsyncDisposable {
  readonly pool: Pool
  readonly settings: PostgresSettings
  /** Of the database that its sessions are in. */
  readonly identity = new QueueIdentity((text) => this.ask(text))
  readonly #strangers: Strangers
  #isWritable = false

  private constructor(pool: Pool, settings: PostgresSettings) {
    this.pool = pool
    this.settings = settings
    this.#strangers = new Strangers(OF_QUEUE, settings.label)
  }

  /** @param most connections at once @throws SluiceError CONNECT_FAILED (also behind a pooler that lends sessions), TABLE_REFUSED, TLS_FAILED, TARGET_DENIED, BAD_CONFIG */
  static async open(url: string, most: number): Promise<QueuePool> {
    const settings = postgresSettings(url)
    // Says what is wrong with the server in our words, and whether it is spoken to in plain text.
    const { client, socket, local } = await connect(settings, 'write')
    const isEncrypted = socket instanceof TLSSocket
    await client.end().catch(() => undefined)
    if (local !== null) throw pooled(settings, 'a queue is waited for by LISTEN, which ends with the transaction there')
    const pool = new Pool({
      host: settings.host,
      port: settings.port,
      user: settings.user,
      database: settings.database,
      password: () => settings.password() ?? '',
      application_name: `${settings.applicationName} queue`,
      // Tables of the queue have their schema in each statement, so nothing that another role makes meanwhile is found.
      options: '-c search_path=pg_catalog,pg_temp',
      Client: isEncrypted ? encryptedClient(settings) : Client,
      max: most,
      keepAlive: true,
      connectionTimeoutMillis: settings.connectTimeoutMs,
      // A server that is cut off must not keep a beat waiting for longer than a worker is believed in.
      query_timeout: 15_000,
    })
    // A connection that breaks between two statements is opened again by the next one.
    pool.on('error', () => undefined)
    pool.on('connect', (connected) => connected.on('error', () => undefined))
    const queue = new QueuePool(pool, settings)
    try {
      await queue.#strangers.opened((sql) => queue.#rows(sql))
    } catch (error) {
      await queue[Symbol.asyncDispose]()
      throw postgresError(error, settings)
    }
    return queue
  }

  /** @throws SluiceError CONNECTION_LOST, TARGET_DENIED … */
  async ask<R extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<QueryResult<R>> {
    const isRead = !/\b(?:INSERT|UPDATE|DELETE)\b/i.test(text)
    if (!isRead) await this.writable()
    try {
      return isRead && !this.#isWritable && !this.#strangers.areNone
        ? await this.#askJudged<R>(text, values)
        : await this.pool.query<R>(text, [...values])
    } catch (error) {
      throw await this.said(error, isRead ? 'look' : 'change')
    }
  }

  async #askJudged<R extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<QueryResult<R>> {
    const client = await this.pool.connect()
    let isSound = false
    try {
      await this.#strangers.begin({
        begin: async () => void (await client.query('BEGIN READ ONLY')),
        ask: (sql) => this.#rows(sql, client),
        rollBack: async () => void (await client.query('ROLLBACK').catch(() => undefined)),
      })
      const result = await client.query<R>(text, [...values])
      await client.query('COMMIT')
      isSound = true
      return result
    } finally {
      client.release(!isSound)
    }
  }

  /**
   * Before anything of the queue is written to. A queue that is not whole may become that of any role: it is asked about again.
   * @throws SluiceError TABLE_REFUSED where a part of it belongs to a role that is not trusted
   */
  async writable(): Promise<void> {
    if (this.#isWritable) return
    try {
      const [whole] = await this.#rows(IS_WHOLE)
      await refuseStrangersInQueue((sql) => this.#rows(sql), this.settings.label)
      this.#isWritable = whole !== undefined
    } catch (error) {
      throw postgresError(error, this.settings)
    }
  }

  async #rows(sql: string, client: Pool | PoolClient = this.pool): Promise<readonly SqlRow[]> {
    return (await client.query<SqlValue[]>({ text: sql, rowMode: 'array' })).rows
  }

  /** @throws as `ask`; nothing is committed then, or the outcome is unknown */
  async transaction<T>(body: (client: PoolClient) => Promise<T>): Promise<T> {
    await this.writable()
    return await this.administer(body)
  }

  /** A transaction that writes to no table of the queue, such as one of GRANT. @throws as `transaction` */
  async administer<T>(body: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | null = null
    try {
      client = await this.pool.connect()
      await client.query('BEGIN')
      const result = await body(client)
      await client.query('COMMIT')
      client.release()
      return result
    } catch (error) {
      await client?.query('ROLLBACK').catch(() => undefined)
      client?.release(true)
      throw await this.said(error, 'change')
    }
  }

  /** What the server or the way to it says, as an error of ours. @param use what was asked for, to name the right that is missing */
  async said(thrown: unknown, use: QueueUse): Promise<unknown> {
    const error = firstLoss(thrown)
    if (MISSING.has(sqlStateOf(error) ?? '')) return await this.#notWhole(error)
    if (sqlStateOf(error) !== '42501') return postgresError(error, this.settings)
    return await deniedInQueue(error, { pool: this.pool, settings: this.settings, use })
  }

  /** A schema of this name without the tables of a queue: of another role it is refused as that. */
  async #notWhole(cause: unknown): Promise<unknown> {
    try {
      await this.writable()
    } catch (refused) {
      return refused
    }
    return new SluiceError('TABLE_REFUSED', 'the schema sluice_queue is no whole queue', {
      where: this.settings.label,
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: 'restore it from a backup; or drop it, and the next sluice worker makes it anew',
      cause,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end().catch(() => undefined)
  }
}

/** Gives a row where the schemas of a queue are there, and the table that is made first in ours. */
const IS_WHOLE = `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'sluice_queue' AND c.relname = 'sluice_queue_version' AND EXISTS (SELECT FROM pg_catalog.pg_namespace j WHERE j.nspname = 'graphile_worker')`

/** A table, a column or a schema is not there. */
const MISSING: ReadonlySet<string> = new Set(['42P01', '42703', '3F000'])

/** Reads the files of certificates for each connection. */
function encryptedClient({ tls, host }: PostgresSettings): typeof Client {
  return class extends Client {
    constructor(config: ClientConfig) {
      super({ ...config, ssl: { ...tls.options, host } })
    }
  }
}

/** graphile-worker ends with all that went wrong at once: where one of it is a lost connection, that is the cause. */
function firstLoss(thrown: unknown): unknown {
  if (!(thrown instanceof AggregateError)) return thrown
  const errors: readonly unknown[] = thrown.errors
  return errors.find(isConnectionLoss) ?? thrown
}
