/**
 * One connection to the server and what can be asked over it, one statement at a time. Parameters only ever travel in the binary protocol:
 * the driver's own interpolation escapes with backslashes, which are plain characters in our sessions.
 */
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { Connection, FieldPacket, PrepareStatementInfo, QueryError, ResultSetHeader } from 'mysql2'
import { SluiceError } from '../../shared/errors.ts'
import type { Pooled } from '../common/pool.ts'
import type { SqlRow, SqlValue } from '../../model/run/sql-port.ts'
import type { MysqlConfig } from './config.ts'
import { mysqlError, packetTooLarge } from './errors.ts'
import { RowStream } from './row-stream.ts'
import { parameterOf, rowReader, sizeOf } from './values.ts'
import { watch } from './watch.ts'

export type ServerFacts = {
  readonly flavour: 'mysql' | 'mariadb'
  readonly version: string
  /** Largest packet the server accepts, in bytes. */
  readonly maxPacket: number
  readonly localInfile: boolean
  /** The server's number of this session. */
  readonly id: number
  /** Names of tables are one where they differ by upper and lower case alone (`lower_case_table_names`). */
  readonly foldsTables: boolean
  readonly binaryCollation: string
}

/** Asks over another connection whether the server still works on a session's statement. */
export type StillWorking = (session: Session) => Promise<boolean>

const UNPREPARABLE = 1295
/** Room for the head of a packet and the text of a statement. */
const PACKET_MARGIN = 1_024

type Settle<T> = (error: unknown, value?: T) => void

export class Session implements Pooled {
  facts: ServerFacts = {
    flavour: 'mysql',
    version: '',
    maxPacket: 2 ** 20,
    localInfile: false,
    id: 0,
    foldsTables: false,
    binaryCollation: '',
  }
  /** Name of a lock that this session holds while it lives; null where the server has none. */
  mark: string | null = null
  readonly label: string
  readonly #connection: Connection
  readonly #socket: Socket
  readonly #responseMs: number
  readonly #stillWorking: StillWorking
  readonly #inFlight = new Set<Settle<never>>()
  #stream: RowStream | null = null
  #broken: unknown = null

  constructor(connection: Connection, socket: Socket, config: MysqlConfig, stillWorking: StillWorking) {
    this.#connection = connection
    this.#socket = socket
    this.label = config.label
    this.#responseMs = config.responseMs
    this.#stillWorking = stillWorking
    connection.on('error', (error: unknown) => this.fail(error))
    socket.once('close', () =>
      this.fail(Object.assign(new Error('the server closed the connection'), { code: 'PROTOCOL_CONNECTION_LOST' })),
    )
  }

  get alive(): boolean {
    return this.#broken === null
  }

  /** What ended the connection; null while it lives. */
  get broken(): unknown {
    return this.#broken
  }

  /** `broken` under the name that callers know. */
  lost(): unknown {
    return this.#named(this.#broken)
  }

  /** Rows of a query. */
  async rows(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    const { rows } = await this.execute(sql, parameters)
    return rows
  }

  /** Any statement, prepared; statements that cannot be prepared run as text if they have no parameters. */
  async execute(sql: string, parameters: SqlRow = [], keep = true): Promise<Outcome> {
    const values = this.#parameters(parameters)
    const answer = await this.#ask<Answer>((settle) => {
      this.#connection.execute({ sql, values }, (error: QueryError | null, result: unknown, fields: unknown) => {
        if (!keep) this.#connection.unprepare(sql)
        settle(error, { result, fields })
      })
    }).catch(async (error: unknown) => {
      const { errno } = error as { readonly errno?: unknown }
      if (errno !== UNPREPARABLE || parameters.length > 0) throw this.#named(error)
      return await this.#text(sql)
    })
    return read(answer)
  }

  /** A statement without parameters as text, with its rows if it has any. */
  async command(sql: string): Promise<readonly SqlRow[]> {
    return read(await this.#text(sql)).rows
  }

  /**
   * Ends a transaction with its effects.
   * @returns null once they are there; what the connection broke of, where nobody answered: the session has ended then
   * @throws what the server says where it refuses; the transaction is open still
   */
  async commit(): Promise<{ readonly lost: unknown } | null> {
    try {
      await this.command('COMMIT')
      return null
    } catch (error) {
      const isLost = this.#broken !== null || (error instanceof SluiceError && error.code === 'CONNECTION_LOST')
      if (!isLost) throw error
      this.destroy()
      return { lost: error }
    }
  }

  /** Ends a transaction without its effects; a session that does not take even that is ended. Never throws. */
  async rollBack(): Promise<void> {
    if (this.#broken === null) await this.command('ROLLBACK').catch(() => this.destroy())
  }

  /** How many columns a statement will give, as the server says before it runs it. */
  async columnCount(sql: string): Promise<number> {
    try {
      return await this.#ask<number>((settle) => {
        this.#connection.prepare(sql, (error: QueryError | null, statement: PrepareStatementInfo) => {
          // The driver's types do not know what it learned of the columns.
          const columns = error === null && 'columns' in statement ? statement.columns : null
          settle(error, Array.isArray(columns) ? columns.length : 0)
        })
      })
    } catch (error) {
      throw this.#named(error)
    }
  }

  /**
   * Rows as they arrive. The next statement of this session makes the stream keep the rest in memory.
   * @param mostBytes of rows that wait for their reader
   */
  async stream(sql: string, parameters: SqlRow, mostBytes = Infinity): Promise<RowStream> {
    const values = this.#parameters(parameters)
    await this.#lineFree()
    const line = {
      pause: () => this.#connection.pause(),
      resume: () => this.#connection.resume(),
      named: (error: unknown) => this.#named(error),
    }
    const stream = new RowStream(this.#connection.execute({ sql, values }), line, mostBytes)
    this.#stream = stream
    const timer = this.#watch(() => stream.isWaiting)
    void stream.ended.then(() => {
      clearInterval(timer)
      if (this.#stream === stream) this.#stream = null
    })
    return stream
  }

  /** LOAD DATA LOCAL from chunks. @returns rows that were written and the number of the server's warnings */
  async infile(
    sql: string,
    chunks: Iterable<Buffer>,
  ): Promise<{ readonly changed: number; readonly warnings: number }> {
    let isAsked = false
    let isRead = false
    const source = function* (): Generator<Buffer> {
      // The protocol ends the load at an empty packet.
      for (const chunk of chunks) if (chunk.length > 0) yield chunk
      isRead = true
    }
    try {
      const header = await this.#ask<ResultSetHeader>((settle) => {
        const infileStreamFactory = (): Readable => {
          isAsked = true
          return Readable.from(source(), { objectMode: false })
        }
        this.#connection.query({ sql, infileStreamFactory }, (error: QueryError | null, result: unknown) =>
          settle(error, result as ResultSetHeader),
        )
      })
      return { changed: header.affectedRows, warnings: header.warningStatus }
    } catch (error) {
      // What the driver still sends of the file would be taken for the next statement.
      if (isAsked && !isRead && !(error instanceof SluiceError)) this.fail(error)
      throw this.#named(error)
    }
  }

  /** Whether a statement still sends rows. */
  get isStreaming(): boolean {
    return this.#stream !== null
  }

  /** Nobody will read the rows of a statement that still streams. */
  dropStream(): void {
    this.#stream?.discard()
  }

  /** Ends the connection at once, whatever it does. */
  destroy(): void {
    this.fail(Object.assign(new Error('the connection was closed'), { code: 'PROTOCOL_CONNECTION_LOST' }))
  }

  /** Says goodbye, so that the server does not count an aborted connection. */
  async close(): Promise<void> {
    if (this.#broken !== null) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 1_000)
      this.#socket.once('close', () => {
        clearTimeout(timer)
        resolve()
      })
      this.#connection.end(() => this.#socket.end())
    })
    this.destroy()
  }

  /** Everything that waits for this connection ends with this error. */
  fail(error: unknown): void {
    if (this.#broken !== null) return
    this.#broken = error
    for (const settle of this.#inFlight) settle(error)
    this.#stream?.fail(error)
    this.#connection.destroy()
    this.#socket.destroy()
  }

  async #text(sql: string): Promise<Answer> {
    try {
      return await this.#ask<Answer>((settle) => {
        this.#connection.query({ sql }, (error: QueryError | null, result: unknown, fields: unknown) =>
          settle(error, { result, fields }),
        )
      })
    } catch (error) {
      throw this.#named(error)
    }
  }

  async #ask<T>(start: (settle: Settle<T>) => void): Promise<T> {
    await this.#lineFree()
    const timer = this.#watch(() => true)
    let settle: Settle<T> = () => undefined
    try {
      return await new Promise<T>((resolve, reject) => {
        settle = (error, value) => {
          if (error === null || error === undefined) resolve(value as T)
          else reject(error)
        }
        this.#inFlight.add(settle)
        start(settle)
      })
    } finally {
      this.#inFlight.delete(settle)
      clearInterval(timer)
    }
  }

  #watch(isWaiting: () => boolean): NodeJS.Timeout {
    return watch({
      socket: this.#socket,
      responseMs: this.#responseMs,
      isWaiting,
      stillWorking: async () => await this.#stillWorking(this),
      onDead: (error) => this.fail(error),
    })
  }

  #parameters(row: SqlRow): ReturnType<typeof parameterOf>[] {
    let bytes = PACKET_MARGIN
    for (const value of row) bytes += sizeOf(value)
    if (bytes > this.facts.maxPacket) {
      bytes = PACKET_MARGIN
      for (const value of row) bytes += typeof value === 'string' ? Buffer.byteLength(value) + 9 : sizeOf(value)
      if (bytes > this.facts.maxPacket) throw packetTooLarge(bytes, this.facts.maxPacket, this.label)
    }
    return row.map(parameterOf)
  }

  /** Two callers may have waited for the same stream. */
  async #lineFree(): Promise<void> {
    while (this.#stream !== null) await this.#stream.keepRest()
    if (this.#broken !== null) throw this.#named(this.#broken)
  }

  #named(error: unknown): unknown {
    return mysqlError(error, this.label)
  }
}

/** `changed` rows, and how many warnings the server has about a statement that gives no rows. */
export type Outcome = { readonly rows: readonly SqlRow[]; readonly changed: number; readonly warnings: number }

type Answer = { readonly result: unknown; readonly fields: unknown }

function read({ result, fields }: Answer): Outcome {
  if (!Array.isArray(fields)) {
    const { affectedRows, warningStatus } = result as ResultSetHeader
    return { rows: [], changed: affectedRows, warnings: warningStatus }
  }
  const reader = rowReader(fields as readonly FieldPacket[])
  const rows = result as SqlValue[][]
  return { rows: rows.map(reader), changed: rows.length, warnings: 0 }
}
