/** One session of a copy: statements one after the other, rows out and in by COPY, and settings under which texts mean the same everywhere. */
import type { Duplex } from 'node:stream'
import type { Client, QueryArrayConfig } from 'pg'
import { SluiceError } from '../../../shared/errors.ts'
import type { Pooled } from '../../pool.ts'
import type { OpenMode, SqlRow } from '../../port.ts'
import { connect, type Backend, type Connected } from '../connect.ts'
import { numbered } from '../placeholders.ts'
import type { PostgresSettings } from '../settings.ts'
import { SilenceWatch } from '../silence.ts'
import { toPostgres } from '../values.ts'
import { isWorking, terminate } from './beside.ts'
import { CopyIn, type Pieces } from './copy-in.ts'
import { CopyOut, type Flow } from './copy-out.ts'
import { pooled } from './errors.ts'
import { literal } from './sql.ts'

const END_TIMEOUT_MS = 1000

/** Where a server knows them. Roles and databases may have others, under which rows would be printed, hidden or cut off in another way. */
const SETTINGS: Readonly<Record<string, string>> = {
  extra_float_digits: '1',
  IntervalStyle: 'iso_8601',
  lc_monetary: 'C',
  xmloption: 'content',
  row_security: 'off',
  // Compiling the plan of a chunk takes longer than running it.
  jit: 'off',
  idle_session_timeout: '0',
  transaction_timeout: '0',
}

export type TextRow = readonly (string | null)[]
type Answer = { readonly command: string; readonly rowCount: number | null; readonly rows: readonly TextRow[] }

/** Everything as the server prints it. */
const TEXTS = { getTypeParser: () => (text: string) => text }

export class CopySession implements Pooled {
  readonly backend: Backend
  /** As `server_version_num`. */
  readonly version: number
  readonly #client: Client
  readonly #socket: Duplex
  readonly #settings: PostgresSettings
  readonly #driver: (data: Buffer) => void
  readonly #watch: SilenceWatch
  readonly #flow: Flow
  #alive = true
  /** Statements that the server has not answered. */
  #busy = 0
  #out: CopyOut | null = null

  /** @throws SluiceError as `connect` does */
  static async open(settings: PostgresSettings, mode: OpenMode): Promise<CopySession> {
    const connected = await connect(settings, mode)
    const known = Object.entries({
      ...SETTINGS,
      ...(settings.statementTimeoutMs === null ? { statement_timeout: '0' } : {}),
    }).map(([name, value]) => `(${literal(name)}, ${literal(value)})`)
    try {
      const { rows } = await connected.client.query<[string]>({
        text: `SELECT current_setting('server_version_num'), count(set_config(name, value, false)) FROM (VALUES ${known.join(', ')})
               AS known (name, value) WHERE current_setting(name, true) IS NOT NULL`,
        rowMode: 'array',
        types: TEXTS,
      })
      return new CopySession(settings, connected, Number(rows[0]?.[0]))
    } catch (error) {
      connected.socket.destroy()
      throw error
    }
  }

  private constructor(settings: PostgresSettings, { client, socket, backend }: Connected, version: number) {
    this.#settings = settings
    this.#client = client
    this.#socket = socket
    this.backend = backend
    this.version = version
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

  /** What the ledger keeps, so that this process of the server and no other is ended where its owner vanished. */
  get name(): string {
    return `${this.backend.pid} ${this.backend.startedAt}`
  }

  /** Statements of our own, separated by semicolons; the rows of the last one. */
  async ask(sql: string): Promise<readonly TextRow[]> {
    return (await this.#answers(sql)).at(-1)?.rows ?? []
  }

  /** One statement that holds something a user wrote. */
  async askOne(sql: string): Promise<readonly TextRow[]> {
    const query: QueryArrayConfig & { readonly queryMode: 'extended' } = {
      text: sql,
      rowMode: 'array',
      queryMode: 'extended',
    }
    return (await this.#answers(query)).at(-1)?.rows ?? []
  }

  /** Rows of one statement with `?` for its parameters. */
  async all(sql: string, parameters: SqlRow = []): Promise<readonly TextRow[]> {
    return (await this.#answers(withParameters(sql, parameters))).at(-1)?.rows ?? []
  }

  /** One statement of our own; returns the tag of its end, as `COMMIT`, and how many rows it changed. */
  async run(sql: string, parameters: SqlRow = []): Promise<{ readonly command: string; readonly changed: number }> {
    const answer = (await this.#answers(withParameters(sql, parameters))).at(-1)
    return { command: answer?.command ?? '', changed: answer?.rowCount ?? 0 }
  }

  /**
   * Begins a transaction.
   * @param first statements that must stand before all others in it
   * @throws SluiceError CONNECT_FAILED where a pooler gives the transaction to another process of the server
   */
  async begin(kind: string, first = ''): Promise<void> {
    const [row] = await this.ask(`BEGIN ${kind};${first};SELECT pg_catalog.pg_backend_pid()`)
    if (row?.[0] === String(this.backend.pid)) return
    this.destroy()
    throw pooled(this.#settings)
  }

  /** Whether what we talk to gives other numbers to processes than the server behind it. */
  get isPooled(): boolean {
    const { processID } = this.#client as Client & { readonly processID?: number | null }
    return processID !== this.backend.pid
  }

  /** Rows of `COPY … TO STDOUT`. A session whose rows were not read to the end has to be destroyed. */
  copyOut(sql: string): CopyOut {
    refuseNul(sql)
    this.#out = this.#client.query(new CopyOut(sql, this.#socket, this.#driver, this.#flow))
    return this.#out
  }

  /** Gives rows to `COPY … FROM STDIN`; returns how many the server took. */
  async copyIn(sql: string, pieces: Pieces): Promise<bigint> {
    this.#busy++
    try {
      return await this.#client.query(new CopyIn(sql, this.#socket, this.#flow)).send(pieces)
    } finally {
      this.#busy--
    }
  }

  /** Never throws; a server that does not say goodbye is left without one. */
  async close(): Promise<void> {
    if (!this.#alive) return
    this.#alive = false
    const timer = setTimeout(() => this.#socket.destroy(), END_TIMEOUT_MS)
    await this.#client.end().catch(() => undefined)
    clearTimeout(timer)
  }

  /** Ends the connection whatever it does. A server that computes would notice only when it has an answer, so it is told. */
  destroy(): void {
    if (!this.#alive) return
    this.#alive = false
    const busy = this.#busy > 0 || this.#out?.done === false
    this.#socket.destroy()
    if (busy) void terminate(this.#settings, this.backend).catch(() => undefined)
  }

  async #answers(query: string | QueryArrayConfig): Promise<readonly Answer[]> {
    const config = typeof query === 'string' ? { text: query, rowMode: 'array' as const } : query
    if (config.text.includes('\0'))
      throw new SluiceError('VALUE_REFUSED', 'a statement cannot hold the character U+0000')
    this.#busy++
    this.#watch.begin()
    try {
      const result = await this.#client.query({ ...config, types: TEXTS })
      // Several statements in one text have several results.
      const results: unknown = result
      return (Array.isArray(results) ? results : [results]) as readonly Answer[]
    } finally {
      this.#watch.end()
      this.#busy--
    }
  }
}

function withParameters(sql: string, parameters: SqlRow): QueryArrayConfig {
  // A question mark is an operator too: where nothing is to be put in, the text is left alone.
  const text = parameters.length === 0 ? sql : numbered(sql).text
  return { text, values: toPostgres(parameters), rowMode: 'array' }
}

/** It would end the text within the protocol. */
function refuseNul(sql: string): void {
  if (sql.includes('\0')) throw new SluiceError('VALUE_REFUSED', 'a statement cannot hold the character U+0000')
}
