/**
 * One session of a server: statements one after the other, transactions, rows in and out by COPY, the notice that its connection is lost, and its end.
 * What catalogs, copies and people's queries ask, under
 * which settings, and how they read the answers stands with each (`SqlSession`, `CopySession`, `QuerySession`).
 */
import type { Duplex } from 'node:stream'
import type { Client, CustomTypesConfig } from 'pg'
import { SluiceError } from '../../../shared/errors.ts'
import type { Pooled } from '../../common/pool.ts'
import { isWorking, terminate } from './beside.ts'
import type { Backend, Connected } from './connect.ts'
import { CopyIn, type Pieces } from './copy-in.ts'
import { CopyOut, type Flow } from './copy-out.ts'
import { connectionLost, isConnectionLoss, postgresError } from './server-errors.ts'
import { Pipeline, type PreparedNames, type PreparedStep } from './pipeline.ts'
import type { PostgresSettings } from './settings.ts'
import { SilenceWatch } from './silence.ts'

const END_TIMEOUT_MS = 1000
/** Statements that a session keeps prepared: the server holds the plan of each in its memory. */
const MOST_PREPARED = 500

export type Query = {
  readonly text: string
  /** To prepare it under. */
  readonly name?: string
  readonly values?: (null | string | Buffer)[]
  readonly types?: CustomTypesConfig
  /** The protocol that takes one statement a text, also without values. */
  readonly queryMode?: 'extended'
}

/** @property command the tag of its end, as `COMMIT` */
export type Answer<R> = {
  readonly command: string
  readonly rowCount: number | null
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number; readonly dataTypeModifier: number }[]
  readonly rows: readonly R[]
}

/** How a transaction ended: with its effects, without them because a statement had failed, or nobody knows, because the connection broke meanwhile. */
export type Ending = 'committed' | 'rolled back' | { readonly lost: unknown }

export class Session implements Pooled {
  readonly backend: Backend
  /** As `server_version_num`. */
  readonly version: number
  protected readonly client: Client
  readonly settings: PostgresSettings
  readonly #socket: Duplex
  readonly #driver: (data: Buffer) => void
  readonly #local: string | null
  readonly #watch: SilenceWatch
  readonly #flow: Flow
  #alive = true
  /** Statements that the server has not answered. */
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
    this.#watch = new SilenceWatch(socket, settings.responseTimeoutMs, () => isWorking(settings, this.backend))
    this.#flow = { waiting: () => this.#watch.begin(), paused: () => this.#watch.end() }
  }

  /** False once the connection has ended, whoever ended it. */
  get alive(): boolean {
    return this.#alive
  }

  /** Whether a pooler gives the process of the server to other clients between two transactions: nothing may outlive one. */
  get isLent(): boolean {
    return this.#local !== null
  }

  /** Begins a transaction. @param kind what stands behind BEGIN */
  async begin(kind: string): Promise<void> {
    await this.command(`BEGIN ${kind}${this.#local === null ? '' : `;${this.#local}`}`)
  }

  /**
   * Ends a transaction with its effects.
   * @throws what the server says where it refuses, and SluiceError CONNECTION_LOST where the connection was gone before COMMIT was sent: nothing is committed
   */
  async commit(): Promise<Ending> {
    if (!this.#alive) throw this.loss()
    try {
      return (await this.command('COMMIT')) === 'COMMIT' ? 'committed' : 'rolled back'
    } catch (error) {
      if (!isConnectionLoss(error)) throw error
      return { lost: error }
    }
  }

  /** Ends a transaction without its effects; a session that does not take even that is closed. Never throws. */
  async rollBack(): Promise<void> {
    if (!this.#alive) return
    try {
      await this.command('ROLLBACK')
    } catch {
      await this.close()
    }
  }

  /** Statements of our own, without parameters; returns the tag of the last one's end. */
  async command(sql: string): Promise<string> {
    return (await this.answer({ text: sql })).command
  }

  /** What to throw where the connection was found broken between two statements. */
  loss(): unknown {
    return connectionLost(new Error('Connection terminated between two statements'), this.settings)
  }

  /** Gives rows to `COPY … FROM STDIN`; returns how many the server took. @throws what the server says, or `pieces` */
  copyIn(sql: string, pieces: Pieces): Promise<bigint> {
    return this.copyAmong([sql], pieces)
  }

  /**
   * The same among other statements, all in one message: those before it are run first, those behind it once the rows are there. The first that fails ends all.
   * @param statements one of them a COPY; rows that others return are not read
   */
  copyAmong(statements: readonly string[], pieces: Pieces): Promise<bigint> {
    const isEager = statements.length > 1
    const sql = statements.join(';\n')

    const copy = new CopyIn(sql, this.#socket, this.#flow)
    return this.#inTurn(() => this.client.query(copy).send(pieces, isEager))
  }

  /**
   * Runs prepared statements in one message; returns how many rows each has changed.
   * @throws what the server says of the first that fails: none behind it is run, and `forgetPrepared` has to follow
   */
  async pipeline(steps: readonly PreparedStep[]): Promise<readonly number[]> {
    if (steps.length === 0) return []
    if (this.#prepared.size > MOST_PREPARED) await this.forgetPrepared()
    return this.watched(() => this.client.query(new Pipeline(steps, this.#prepared)).ended)
  }

  /** Statements of a message that failed may not have been prepared at all. */
  async forgetPrepared(): Promise<void> {
    if (this.#prepared.size === 0) return
    this.#prepared.clear()
    await this.command('DEALLOCATE ALL')
  }

  /** Rows of `COPY … TO STDOUT`. A session whose rows were not read to the end has to be destroyed. */
  copyOut(sql: string): CopyOut {
    refuseNul(sql)
    this.#out = this.client.query(new CopyOut(sql, this.#socket, this.#driver, this.#flow))
    return this.#out
  }

  /** Never throws; a server that does not say goodbye is left without one. */
  async close(): Promise<void> {
    if (!this.#alive) return
    this.#alive = false
    const timer = setTimeout(() => this.#socket.destroy(), END_TIMEOUT_MS)
    await this.client.end().catch(() => undefined)
    clearTimeout(timer)
  }

  /** Ends the connection whatever it does. A server that computes would notice only when it has an answer, so it is told. */
  destroy(): void {
    if (!this.#alive) return
    this.#alive = false
    const busy = this.#busy > 0 || this.#out?.done === false
    this.#socket.destroy()
    if (busy) void terminate(this.settings, this.backend).catch(() => undefined)
  }

  /** The answer to the last of the statements in a text. */
  protected async answer<R>(query: Query): Promise<Answer<R>> {
    refuseNul(query.text)
    return this.watched(() => (this.#needsTransaction(query) ? this.#inTransaction(query) : this.#send(query)))
  }

  async #send<R>(query: Query): Promise<Answer<R>> {
    const result: unknown = await this.client.query({ ...query, rowMode: 'array' })
    // Several statements in one text have several results.
    return (Array.isArray(result) ? result.at(-1) : result) as Answer<R>
  }

  /** A statement by itself has settings only in a transaction of its own, where the session has none. */
  #needsTransaction({ text }: Query): boolean {
    return this.#local !== null && this.client.getTransactionStatus() === 'I' && !text.startsWith('BEGIN ')
  }

  async #inTransaction<R>(query: Query): Promise<Answer<R>> {
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

  /** Something that waits for the server all the time, in turn. */
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

  /** What a statement throws: an error of ours, where it is known by itself and not by what was being done. */
  protected named(error: unknown): unknown {
    return postgresError(error, this.settings)
  }

  /** Statements of one session wait for each other here and not in the driver, so that each is watched from its own start. */
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

/** It would end the text within the protocol. */
function refuseNul(sql: string): void {
  if (sql.includes('\0')) throw new SluiceError('VALUE_REFUSED', 'a statement cannot hold the character U+0000')
}
