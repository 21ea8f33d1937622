/** One session: statements one after the other, each ending in rows or in an error of ours. */
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import type { Client } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import { SluiceError } from '../../shared/errors.ts'
import { quotedName } from '../../shared/sql-text.ts'
import type { Pooled } from '../pool.ts'
import type { OpenMode, SqlRow } from '../port.ts'
import { connect, type Backend, type Connected } from './connect.ts'
import { copyText, refuseNulCharacters } from './copy-text.ts'
import { connectionLost, isStalePlan, postgresError } from './errors.ts'
import type { PostgresSettings } from './settings.ts'
import { SilenceWatch } from './silence.ts'
import type { Statements } from './statements.ts'
import { toPostgres, TYPES } from './values.ts'

const END_TIMEOUT_MS = 1000
/** Of one page: what the protocol has room for. */
const MOST_ROWS = 2 ** 31 - 1

type Answer = { readonly command: string; readonly rowCount: number | null; readonly rows: readonly SqlRow[] }

let cursors = 0

export class Session implements Pooled {
  readonly backend: Backend
  readonly #client: Client
  readonly #settings: PostgresSettings
  readonly #statements: Statements
  readonly #watch: SilenceWatch
  readonly #broken: () => void
  #alive = true
  #last: Promise<unknown> = Promise.resolve()
  #failure: unknown = null

  /** @throws SluiceError as `connect` does */
  static async open(settings: PostgresSettings, mode: OpenMode, statements: Statements): Promise<Session> {
    return new Session(settings, statements, await connect(settings, mode))
  }

  private constructor(settings: PostgresSettings, statements: Statements, connected: Connected) {
    this.#settings = settings
    this.#statements = statements
    this.#client = connected.client
    this.backend = connected.backend
    this.#broken = () => (this.#alive = false)
    connected.client.on('error', this.#broken)
    connected.client.on('end', this.#broken)
    this.#watch = new SilenceWatch(connected.socket, settings.responseTimeoutMs, () => this.#serverIsWorking())
  }

  /** False once the connection has ended, whoever ended it. */
  get alive(): boolean {
    return this.#alive
  }

  /** What the first statement that failed since `begin` threw; null where none did. */
  get failure(): unknown {
    return this.#failure
  }

  /** What to throw where the connection was found broken between two statements. */
  loss(): unknown {
    const error = new Error('Connection terminated between two statements')
    return (this.#failure ??= connectionLost(error, this.#settings))
  }

  async begin(kind: string): Promise<void> {
    this.#failure = null
    await this.command(`BEGIN ${kind}`)
  }

  /** One statement of our own; returns the tag of its end, as `COMMIT`. */
  async command(sql: string): Promise<string> {
    return (await this.#ask({ text: sql })).command
  }

  async all(sql: string, parameters: SqlRow): Promise<readonly SqlRow[]> {
    return (await this.#statement(sql, parameters)).rows
  }

  async run(sql: string, parameters: SqlRow): Promise<number> {
    return (await this.#statement(sql, parameters)).rowCount ?? 0
  }

  async script(sql: string): Promise<void> {
    await this.#ask({ text: this.#statements.of(sql, 0).text })
  }

  /** Needs a transaction. The fast way to walk; until it ends, the driver keeps the session from every other statement. */
  async *walk(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    const { text } = this.#statements.of(sql, parameters.length)
    const cursor = new Cursor<SqlRow>(text, toPostgres(parameters), { rowMode: 'array', types: TYPES })
    let ended = false
    try {
      this.#client.query(cursor)
      while (!ended) {
        const rows = await this.#inTurn(() => cursor.read(Math.min(pageRows, MOST_ROWS)))
        ended = rows.length < pageRows
        if (rows.length > 0) yield rows
      }
    } finally {
      // A cursor that failed is closed; one whose connection breaks meanwhile would wait for ever.
      if (this.#alive && this.#failure === null) {
        await this.#inTurn(() => this.#closed(cursor))
      }
    }
  }

  /**
   * Needs a transaction, whose body may ask and write while it walks: a cursor of SQL, which takes half as long again because the
   * server collects each page before it sends it.
   */
  async *pages(sql: string, parameters: SqlRow, pageRows: number): AsyncGenerator<readonly SqlRow[]> {
    const name = quotedName(`sluice_${++cursors}`)
    const { text } = this.#statements.of(sql, parameters.length)
    await this.#ask({ text: `DECLARE ${name} NO SCROLL CURSOR FOR ${text}`, values: toPostgres(parameters) })
    let ended = false
    try {
      while (!ended) {
        const { rows } = await this.#ask({ text: `FETCH ${Math.min(pageRows, MOST_ROWS)} FROM ${name}` })
        ended = rows.length < pageRows
        if (rows.length > 0) yield rows
      }
    } finally {
      // After a failure the transaction is over, and its cursors with it.
      if (this.#alive && this.#failure === null) await this.#ask({ text: `CLOSE ${name}` })
    }
  }

  async load(table: string, columns: readonly string[], rows: readonly SqlRow[]): Promise<void> {
    if (rows.length === 0) return
    refuseNulCharacters(table, columns, rows)
    const text = `COPY ${quotedName(table)} (${columns.map(quotedName).join(',')}) FROM STDIN`
    const loaded = await this.#inTurn(() => this.#copy(text, rows))
    if (loaded !== rows.length) {
      throw new SluiceError('INTERNAL', `PostgreSQL took ${loaded} of ${rows.length} rows`)
    }
  }

  /** Never throws; a server that does not say goodbye is left without one. */
  async close(): Promise<void> {
    if (!this.#alive) return
    this.#alive = false
    const socket = this.#client.connection.stream
    const timer = setTimeout(() => socket.destroy(), END_TIMEOUT_MS)
    await this.#client.end().catch(() => undefined)
    clearTimeout(timer)
  }

  /** As `close`: the driver says goodbye only where no statement runs. */
  destroy(): Promise<void> {
    return this.close()
  }

  #closed(cursor: Cursor<SqlRow>): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#client.off('end', done)
        resolve()
      }
      this.#client.once('end', done)
      cursor.close(done)
    })
  }

  async #statement(sql: string, parameters: SqlRow): Promise<Answer> {
    const { text, name } = this.#statements.of(sql, parameters.length)
    try {
      return await this.#ask({ text, values: toPostgres(parameters), ...(name === undefined ? {} : { name }) })
    } catch (error) {
      if (isStalePlan(error)) this.#statements.forget(sql)
      throw error
    }
  }

  #ask(query: {
    readonly text: string
    readonly name?: string
    readonly values?: (null | string | Buffer)[]
  }): Promise<Answer> {
    if (query.text.includes('\0')) {
      return Promise.reject(new SluiceError('VALUE_REFUSED', 'a statement cannot hold the character U+0000'))
    }
    return this.#inTurn(async () => {
      const result = await this.#client.query({ ...query, rowMode: 'array' })
      // Several statements in one text have several results.
      const results: unknown = result
      return (Array.isArray(results) ? results.at(-1) : results) as Answer
    })
  }

  /** Statements of one session wait for each other here and not in the driver, so that each is watched from its own start. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => {
      this.#watch.begin()
      try {
        return await work()
      } catch (error) {
        const known = postgresError(error, this.#settings)
        this.#failure ??= known
        throw known
      } finally {
        this.#watch.end()
      }
    })
    this.#last = mine.catch(() => undefined)
    return mine
  }

  async #copy(sql: string, rows: readonly SqlRow[]): Promise<number> {
    const stream = this.#client.query(copyFrom(sql))
    const ended = new Promise<void>((resolve, reject) => {
      stream.once('finish', resolve)
      stream.on('error', reject)
    })
    ended.catch(() => undefined)
    try {
      for (const piece of copyText(rows)) {
        // One piece at a time: the stream does not survive an error of the server while it still holds some.
        if (!stream.write(piece)) await Promise.race([once(stream, 'drain'), ended])
        this.#watch.heard()
      }
      stream.end()
    } catch (error) {
      stream.destroy(error instanceof Error ? error : undefined)
      await ended
    }
    await ended
    return stream.rowCount
  }

  /** Asks over a connection of its own; a failure of that is an answer too. */
  async #serverIsWorking(): Promise<boolean> {
    const { responseTimeoutMs, connectTimeoutMs } = this.#settings
    const started = performance.now()
    const settings = { ...this.#settings, connectTimeoutMs: Math.min(connectTimeoutMs, responseTimeoutMs) }
    const { client, socket } = await connect(settings, 'read')
    const timer = setTimeout(() => socket.destroy(), Math.max(0, connectTimeoutMs - (performance.now() - started)))
    try {
      const { rows } = await client.query({
        text: `SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND backend_start = $2::timestamptz
                 AND state IN ('active', 'fastpath function call') AND wait_event_type IS DISTINCT FROM 'Client'`,
        values: [this.backend.pid, this.backend.startedAt],
      })
      return rows.length > 0
    } finally {
      clearTimeout(timer)
      void client.end().catch(() => undefined)
    }
  }
}
