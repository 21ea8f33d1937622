/**
 * Connections of a queue, shared by graphile-worker and by the statements of sluice. If a role lacks a right in the
 * database, the error contains the right and the statement that grants it.
 */
import { TLSSocket } from 'node:tls'
import { Client, Pool, type ClientConfig, type PoolClient, type QueryResult, type QueryResultRow } from 'pg'
import { connect, quoteName } from '../server/connect.ts'
import { isConnectionLoss, pooled, postgresError, sqlStateOf } from '../server/server-errors.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { OF_QUEUE, refuseStrangersInQueue, Strangers } from '../server/trusted-tables.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import { postgresSettings, type PostgresSettings } from '../server/settings.ts'
import { QueueIdentity } from './identity.ts'
import { permissionDenied } from '../../../shared/guide-errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { QUEUE_SCHEMA } from './schema.ts'

export class QueuePool implements AsyncDisposable {
  readonly pool: Pool
  readonly settings: PostgresSettings
  /** Identity of the database of these sessions. */
  readonly identity = new QueueIdentity((text) => this.ask(text))
  readonly #strangers: Strangers
  #isWritable = false

  private constructor(pool: Pool, settings: PostgresSettings) {
    this.pool = pool
    this.settings = settings
    this.#strangers = new Strangers(OF_QUEUE, settings.label)
  }

  /**
   * @param most maximum number of connections
   * @throws SluiceError CONNECT_FAILED (also for a pooler that shares sessions), TABLE_REFUSED, TLS_FAILED,
   * TARGET_DENIED, BAD_CONFIG
   */
  static async open(url: string, most: number): Promise<QueuePool> {
    const settings = postgresSettings(url)
    // This first connection shows if connections are encrypted. `connect` maps errors of the server to SluiceErrors.
    const { client, socket, local } = await connect(settings, 'write')
    const isEncrypted = socket instanceof TLSSocket
    await client.end().catch(() => undefined)
    if (local !== null)
      throw pooled(settings, 'workers wait with LISTEN, which ends with the transaction in such a pooler')
    const pool = new Pool({
      host: settings.host,
      port: settings.port,
      user: settings.user,
      database: settings.database,
      password: () => settings.password() ?? '',
      application_name: `${settings.applicationName} queue`,
      ...HOOKS,
      Client: isEncrypted ? encryptedClient(settings) : Client,
      max: most,
      keepAlive: true,
      connectionTimeoutMillis: settings.connectTimeoutMs,
      // If the connection is cut off, a heartbeat must fail before the worker is treated as lost.
      query_timeout: 15_000,
    })
    // A connection that breaks between two statements is reopened by the next statement.
    pool.on('error', () => undefined)
    pool.on('connect', (connected) => connected.on('error', () => undefined))
    const queue = new QueuePool(pool, settings)
    try {
      await queue.#strangers.checkOnOpen((sql) => queue.#rows(sql))
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
        ? await this.#askChecked<R>(text, values)
        : await this.pool.query<R>(text, [...values])
    } catch (error) {
      throw await this.mapError(error, isRead ? 'read' : 'change')
    }
  }

  async #askChecked<R extends QueryResultRow>(text: string, values: readonly unknown[]): Promise<QueryResult<R>> {
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
   * Checks the owners; call this before a write to the queue. An incomplete queue is checked again each time, because
   * any role may still create parts of it.
   * @throws SluiceError TABLE_REFUSED if a part of it belongs to a role that is not trusted
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

  /** A transaction that writes to no table of the queue, such as a GRANT. @throws as `transaction` */
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
      throw await this.mapError(error, 'change')
    }
  }

  /** Maps an error of the server or of the connection to a SluiceError. @param use what the role tried to do */
  async mapError(thrown: unknown, use: QueueUse): Promise<unknown> {
    const error = firstLoss(thrown)
    if (MISSING.has(sqlStateOf(error) ?? '')) return await this.#incompleteQueue(error)
    if (sqlStateOf(error) !== '42501') return postgresError(error, this.settings)
    return await deniedInQueue(error, { pool: this.pool, settings: this.settings, use })
  }

  /**
   * Error for an incomplete queue. If an untrusted role owns a part of the queue, returns the error of `writable`
   * instead.
   */
  async #incompleteQueue(cause: unknown): Promise<unknown> {
    try {
      await this.writable()
    } catch (refused) {
      return refused
    }
    return new SluiceError('TABLE_REFUSED', 'the schema sluice_queue is not a complete queue', {
      where: this.settings.label,
      reason: cause instanceof Error ? cause.message : String(cause),
      hint: 'restore it from a backup; or drop it, and the next sluice worker recreates it',
      cause,
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end().catch(() => undefined)
  }
}

/**
 * Sets a search path without schemas of other roles. Statements name the schema of each table of the queue. The path is
 * not a startup option, because poolers refuse or ignore startup options.
 */
const HOOKS = {
  onConnect: async (client: Pick<Client, 'query'>): Promise<void> => {
    await client.query('SET search_path TO pg_catalog, pg_temp')
  },
}

/** Returns a row if both schemas of a queue exist, and the table that sluice creates first. */
const IS_WHOLE = `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'sluice_queue' AND c.relname = 'sluice_queue_version' AND EXISTS (SELECT FROM pg_catalog.pg_namespace j WHERE j.nspname = 'graphile_worker')`

/** SQLSTATEs for a missing table, column or schema. */
const MISSING: ReadonlySet<string> = new Set(['42P01', '42703', '3F000'])

/** Reads the certificate files again for each connection. */
function encryptedClient({ tls, host }: PostgresSettings): typeof Client {
  return class extends Client {
    constructor(config: ClientConfig) {
      super({ ...config, ssl: { ...tls.options, host } })
    }
  }
}

/** graphile-worker throws several failures as one error. Returns the first connection loss; else the whole error. */
function firstLoss(thrown: unknown): unknown {
  if (!(thrown instanceof AggregateError)) return thrown
  const errors: readonly unknown[] = thrown.errors
  return errors.find(isConnectionLoss) ?? thrown
}

/**
 * `read`: reads rows. `change`: starts and steers runs, runs tasks, changes schedules. `make`: creates a missing queue.
 */
type QueueUse = 'read' | 'change' | 'make'

/**
 * Maps a refusal of the server to an error that names the refused use and the GRANT that permits it. If the queue has
 * no owner, or the server does not answer, the hint explains how a queue is created.
 */
async function deniedInQueue(
  thrown: unknown,
  { pool, settings, use }: { readonly pool: Pool; readonly settings: PostgresSettings; readonly use: QueueUse },
): Promise<SluiceError> {
  const said = thrown instanceof Error ? thrown.message : String(thrown)
  const owner = await ownerOf(pool)
  const hint = hintFor(use, owner, settings)
  return new SluiceError(
    ...permissionDenied('TARGET_DENIED', {
      where: settings.label,
      reason: `${settings.user} may not ${USES[use]}: ${said}`,
      hint,
      cause: thrown,
    }),
  )
}

const USES: Readonly<Record<QueueUse, string>> = {
  read: 'read the tables of this queue',
  change: 'change the rows of this queue',
  make: 'create the schemas of a queue here',
}

/** Hint for a queue of a superuser: no hint advises to grant membership in one. */
export const SEPARATE_OWNER = `give the queue to a separate role: ALTER … OWNER TO for the schemas ${QUEUE_SCHEMA} and graphile_worker and all of their objects; then run the same command again`

function hintFor(use: QueueUse, owner: QueueOwner | null, { user, database, label }: PostgresSettings): string {
  const role = quoteName(user)
  const command = `sluice grants --connect ${shellQuote(label)} --role ${use === 'read' ? 'observer' : 'worker'} --to ${shellQuote(user)}`
  if (owner === null) {
    const unless = use === 'make' ? '' : 'if there is no queue yet: '
    const make = `GRANT CREATE ON DATABASE ${quoteName(database)}`
    return `${unless}start the first worker as a separate role, which creates and owns the queue (as the owner of the database: ${make} TO that role); then ${command} prints the rights that ${role} needs`
  }
  const { name, superuser } = owner
  // `change` writes only after the owner was found to be a role that the login trusts.
  if (use !== 'read' && superuser) return SEPARATE_OWNER
  // Since PostgreSQL 16 an owner cannot grant membership in itself.
  if (use !== 'read')
    return `as a superuser, or a role that may administer ${name}: GRANT ${quoteName(name)} TO ${role}; ${command} prints all of it`
  const schema = quoteName(QUEUE_SCHEMA)
  return `as ${name}, who owns the queue: GRANT USAGE ON SCHEMA ${schema} TO ${role}; GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role}; ${command} prints all of it`
}

type QueueOwner = { readonly name: string; readonly superuser: boolean }

/** Role that owns the queue; null if there is no queue, or the server does not answer. */
async function ownerOf(pool: Pool): Promise<QueueOwner | null> {
  try {
    const { rows } = await pool.query<QueueOwner>(
      `SELECT r.rolname::text AS name, r.rolsuper AS superuser
       FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner WHERE n.nspname = $1`,
      [QUEUE_SCHEMA],
    )
    return rows[0] ?? null
  } catch {
    return null
  }
}
