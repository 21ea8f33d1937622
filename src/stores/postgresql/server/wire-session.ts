/**
 * One session of a server: sequential statements, transactions, COPY in both directions, detection of a lost
 * connection, and close. Queries, settings and result parsing of catalogs, copies and users' queries are in
 * `SqlSession`, `CopySession` and `QuerySession`.
 */
import type { Duplex } from 'node:stream'
import type { Client, CustomTypesConfig } from 'pg'
import { SluiceError } from '../../../shared/errors.ts'
import type { Pooled } from '../../common/pool.ts'
import { isBackendWorking, terminate } from './backend-control.ts'
import type { Backend, Connected } from './connect.ts'
import { CopyIn, type Pieces } from './copy-in.ts'
import { CopyOut, type CopyFlow } from './copy-out.ts'
import { connectionLost, isConnectionLoss, postgresError } from './server-errors.ts'
import { Pipeline, type PreparedNames, type PreparedStep } from './pipeline.ts'
import type { PostgresSettings } from './settings.ts'
import { SilenceWatch } from './silence.ts'

const END_TIMEOUT_MS = 1000
/** Maximum number of prepared statements of a session: the server keeps the plan of each in memory. */
const MOST_PREPARED = 500

export type WireQuery = {
  readonly text: string
  /** Name under which the statement is prepared. */
  readonly name?: string
  readonly values?: (null | string | Buffer)[]
  readonly types?: CustomTypesConfig
  /** The extended protocol: one statement per text, also without values. */
  readonly queryMode?: 'extended'
}

/** @property command command tag of the statement, such as `COMMIT` */
export type PostgresAnswer<R> = {
  readonly command: string
  readonly rowCount: number | null
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number; readonly dataTypeModifier: number }[]
  readonly rows: readonly R[]
}

/** A message of the server that is not an error. */
export type ServerNotice = Readonly<Partial<Record<'code' | 'message' | 'detail', string | undefined>>>

/** Outcome of a transaction: committed, rolled back after a failed statement, or unknown (the connection broke). */
export type TransactionEnd = 'committed' | 'rolled back' | { readonly lost: unknown }

export class WireSession implements Pooled {
  readonly backend: Backend
  /** As `server_version_num`. */
  readonly version: number
  protected readonly client: Client
  readonly settings: PostgresSettings
  readonly #socket: Duplex
  readonly #driver: (data: Buffer) => void
  readonly #local: string | null
  readonly #watch: SilenceWatch
  readonly #flow: CopyFlow
  #alive = true
  /** Count of statements that the server has not answered. */
  #busy = 0
  #out: CopyOut | null = null
  readonly #prepared: PreparedNames = new Map()
  #last: Promise<unknown> = Promise.resolve()

  protected constructor(settings: PostgresSettings, { client, socket, backend, version, local }: Connected) {
    this.settings = settings
    this.client = client
    this.#socket = socket
    this.backend = backend
    this.version = version
    this.#local = local
    const [driver] = socket.listeners('data') as ((data: Buffer) => void)[]
    if (driver === undefined) throw new Error('the driver does not listen to its socket')
    this.#driver = driver
    const broken = (): void => void (this.#alive = false)
    client.on('error', broken)
    client.on('end', broken)
    this.#watch = new SilenceWatch(socket, settings.responseTimeoutMs, () => isBackendWorking(settings, this.backend))
    this.#flow = { waiting: () => this.#watch.begin(), paused: () => this.#watch.end() }
  }

  /** False once either side has ended the connection. */
  get alive(): boolean {
    return this.#alive
  }

  /** True if a pooler shares the server process between transactions: then no state may be kept after a transaction. */
  get isPooled(): boolean {
    return this.#local !== null
  }

  /** Begins a transaction. @param kind the text after BEGIN */
  async begin(kind: string): Promise<void> {
    await this.command(`BEGIN ${kind}${this.#local === null ? '' : `;${this.#local}`}`)
  }

  /**
   * Commits a transaction.
   * @throws errors of the server if it refuses, and SluiceError CONNECTION_LOST if the connection was lost before
   * COMMIT was sent: nothing is committed
   */
  async commit(): Promise<TransactionEnd> {
    if (!this.#alive) throw this.loss()
    try {
      return (await this.command('COMMIT')) === 'COMMIT' ? 'committed' : 'rolled back'
    } catch (error) {
      if (!isConnectionLoss(error)) throw error
      return { lost: error }
    }
  }

  /** Rolls a transaction back; if that fails, closes the session. Never throws. */
  async rollBack(): Promise<void> {
    if (!this.#alive) return
    try {
      await this.command('ROLLBACK')
    } catch {
      await this.close()
    }
  }

  /** Runs statements of sluice without parameters; returns the command tag of the last one. */
  async command(sql: string): Promise<string> {
    return (await this.answer({ text: sql })).command
  }

  /** Error for a connection that broke between two statements. */
  loss(): unknown {
    return connectionLost(new Error('Connection terminated between two statements'), this.settings)
  }

  /**
   * Sends rows to `COPY … FROM STDIN`; returns their count from the server.
   * @throws errors of the server, or of `pieces`
   */
  copyIn(sql: string, pieces: Pieces): Promise<bigint> {
    return this.copyAmong([sql], pieces)
  }

  /**
   * `copyIn` among other statements, all in one message. Statements before the COPY run first, statements after it run
   * after the rows. The first failure ends all of them.
   * @param statements one of them is a COPY; result rows of the others are not read
   */
  copyAmong(statements: readonly string[], pieces: Pieces): Promise<bigint> {
    const isEager = statements.length > 1
    const sql = statements.join(';\n')

    const copy = new CopyIn(sql, this.#socket, this.#flow)
    return this.#inTurn(() => this.client.query(copy).send(pieces, isEager))
  }

  /**
   * Runs prepared statements in one message; returns how many rows each has changed.
   * @throws the server's error of the first failed statement: later ones do not run, and `forgetPrepared` must follow
   */
  async pipeline(steps: readonly PreparedStep[]): Promise<readonly number[]> {
    if (steps.length === 0) return []
    if (this.#prepared.size > MOST_PREPARED) await this.forgetPrepared()
    return this.watched(() => this.client.query(new Pipeline(steps, this.#prepared)).ended)
  }

  /** Forgets all prepared statements: after a failed message, some may not exist on the server. */
  async forgetPrepared(): Promise<void> {
    if (this.#prepared.size === 0) return
    this.#prepared.clear()
    await this.command('DEALLOCATE ALL')
  }

  /** Returns the rows of `COPY … TO STDOUT`. If they are not read to the end, the session must be destroyed. */
  copyOut(sql: string): CopyOut {
    refuseNul(sql)
    this.#out = this.client.query(new CopyOut(sql, this.#socket, this.#driver, this.#flow))
    return this.#out
  }

  /** Closes the connection. Never throws; waits at most END_TIMEOUT_MS for the server. */
  async close(): Promise<void> {
    if (!this.#alive) return
    this.#alive = false
    const timer = setTimeout(() => this.#socket.destroy(), END_TIMEOUT_MS)
    await this.client.end().catch(() => undefined)
    clearTimeout(timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /**
   * Ends the connection in any state. Also terminates a busy server process, which would notice the end only when it
   * replies.
   */
  destroy(): void {
    if (!this.#alive) return
    this.#alive = false
    const busy = this.#busy > 0 || this.#out?.done === false
    this.#socket.destroy()
    if (busy) void terminate(this.settings, this.backend).catch(() => undefined)
  }

  /** Result of the last statement in a text. */
  protected async answer<R>(query: WireQuery): Promise<PostgresAnswer<R>> {
    refuseNul(query.text)
    return this.watched(() => (this.#needsTransaction(query) ? this.#inTransaction(query) : this.#send(query)))
  }

  async #send<R>(query: WireQuery): Promise<PostgresAnswer<R>> {
    const result: unknown = await this.client.query({ ...query, rowMode: 'array' })
    // A text with several statements has several results; the last one is returned.
    return (Array.isArray(result) ? result.at(-1) : result) as PostgresAnswer<R>
  }

  /** True if a single statement needs its own transaction, because a pooler's session lacks the settings. */
  #needsTransaction({ text }: WireQuery): boolean {
    return this.#local !== null && this.client.getTransactionStatus() === 'I' && !text.startsWith('BEGIN ')
  }

  async #inTransaction<R>(query: WireQuery): Promise<PostgresAnswer<R>> {
    await this.client.query(`BEGIN;${this.#local}`)
    try {
      const answer = await this.#send<R>(query)
      await this.client.query('COMMIT')
      return answer
    } catch (error) {
      await this.client.query('ROLLBACK').catch(() => undefined)
      throw error
    }
  }

  /** Runs `work` after all earlier work, and watches for silence. So `work` must do nothing but wait for the server. */
  protected watched<T>(work: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      this.#watch.begin()
      try {
        return await work()
      } finally {
        this.#watch.end()
      }
    })
  }

  /** Maps an error to a SluiceError if its meaning does not depend on the statement. */
  protected named(error: unknown): unknown {
    return postgresError(error, this.settings)
  }

  /**
   * Queues the statements of a session here, not in the driver, so that the silence of each is measured from its own
   * start.
   */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => {
      this.#busy++
      try {
        return await work()
      } catch (error) {
        throw this.named(error)
      } finally {
        this.#busy--
      }
    })
    this.#last = mine.catch(() => undefined)
    return mine
  }
}

/** Refuses U+0000, at which the protocol ends a text. */
function refuseNul(sql: string): void {
  if (sql.includes('\0')) throw new SluiceError('VALUE_REFUSED', 'a statement cannot contain the character U+0000')
}
