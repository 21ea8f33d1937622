/**
 * One connection to the server; it runs one statement at a time. Parameters are sent only in the binary protocol: the
 * driver's own interpolation escapes with backslashes, which are plain characters in our sessions.
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
import { parameterOf, portRowReader, packetBytes } from './values.ts'
import { watch } from './watch.ts'

export type ServerFacts = {
  readonly flavour: 'mysql' | 'mariadb'
  readonly version: string
  /** Largest packet the server accepts, in bytes. */
  readonly maxPacket: number
  readonly localInfile: boolean
  /** Connection id on the server. */
  readonly id: number
  /** True if the server treats table names that differ only in case as one (`lower_case_table_names`). */
  readonly foldsTables: boolean
  /** True if a new TIMESTAMP that is NOT NULL gets a default that is not declared. */
  readonly impliesTimes: boolean
  readonly binaryCollation: string
}

/** Asks over another connection whether the server still works on a session's statement. */
export type StillWorking = (session: MysqlSession) => Promise<boolean>

const UNPREPARABLE = 1295
/** Bytes for the header of a packet and the text of a statement. */
const PACKET_MARGIN = 1_024

type Settle<T> = (error: unknown, value?: T) => void

export class MysqlSession implements Pooled {
  facts: ServerFacts = {
    flavour: 'mysql',
    version: '',
    maxPacket: 2 ** 20,
    localInfile: false,
    id: 0,
    foldsTables: false,
    impliesTimes: false,
    binaryCollation: '',
  }
  /** Name of the user lock that this session holds until it ends; null if the server has none. */
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

  /** The error that ended the connection; null while it is open. */
  get broken(): unknown {
    return this.#broken
  }

  /** `broken` mapped to a SluiceError. */
  lost(): unknown {
    return this.#named(this.#broken)
  }

  async rows(sql: string, parameters: SqlRow = []): Promise<readonly SqlRow[]> {
    const { rows } = await this.execute(sql, parameters)
    return rows
  }

  /** Prepares and runs a statement; one that cannot be prepared is sent as text if it has no parameters. */
  async execute(sql: string, parameters: SqlRow = [], keep = true): Promise<MysqlResult> {
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

  /** Runs a statement without parameters as text. @returns its rows, if any */
  async command(sql: string): Promise<readonly SqlRow[]> {
    return read(await this.#text(sql)).rows
  }

  /**
   * Commits.
   * @returns null once committed; the connection's error if the reply was lost: then the session has ended, and the
   * commit may or may not have happened
   * @throws the server's error if it refuses; the transaction is still open
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

  /** Rolls back; a session that cannot roll back is ended. Never throws. */
  async rollBack(): Promise<void> {
    if (this.#broken === null) await this.command('ROLLBACK').catch(() => this.destroy())
  }

  /** Number of columns that a statement will return, before it runs. */
  async columnCount(sql: string): Promise<number> {
    try {
      return await this.#ask<number>((settle) => {
        this.#connection.prepare(sql, (error: QueryError | null, statement: PrepareStatementInfo) => {
          // The driver's types lack the columns of a prepared statement.
          const columns = error === null && 'columns' in statement ? statement.columns : null
          settle(error, Array.isArray(columns) ? columns.length : 0)
        })
      })
    } catch (error) {
      throw this.#named(error)
    }
  }

  /**
   * Streams rows as they arrive. The next statement of this session makes the stream buffer its remaining rows in
   * memory.
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

  /** LOAD DATA LOCAL from chunks. @returns rows written and the number of the server's warnings */
  async infile(
    sql: string,
    chunks: Iterable<Buffer>,
  ): Promise<{ readonly changed: number; readonly warnings: number }> {
    let isAsked = false
    let isRead = false
    const source = function* (): Generator<Buffer> {
      // An empty packet ends the load in the protocol.
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
      // End the connection: the server would read the rest of the file, which is still being sent, as the next
      // statement.
      if (isAsked && !isRead && !(error instanceof SluiceError)) this.fail(error)
      throw this.#named(error)
    }
  }

  /** True while a statement still sends rows. */
  get isStreaming(): boolean {
    return this.#stream !== null
  }

  /** Discards the remaining rows of the statement that still streams. */
  dropStream(): void {
    this.#stream?.discard()
  }

  /** Ends the connection at once, even during a statement. */
  destroy(): void {
    this.fail(Object.assign(new Error('the connection was closed'), { code: 'PROTOCOL_CONNECTION_LOST' }))
  }

  /** Closes the session properly, so that the server does not count an aborted connection. Waits at most 1 s. */
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Ends the connection; everything that waits for it fails with this error. */
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
    for (const value of row) bytes += packetBytes(value)
    if (bytes > this.facts.maxPacket) {
      bytes = PACKET_MARGIN
      for (const value of row) bytes += typeof value === 'string' ? Buffer.byteLength(value) + 9 : packetBytes(value)
      if (bytes > this.facts.maxPacket) throw packetTooLarge(bytes, this.facts.maxPacket, this.label)
    }
    return row.map(parameterOf)
  }

  /** Resolves once no statement streams rows. A loop, because two callers may have waited for the same stream. */
  async #lineFree(): Promise<void> {
    while (this.#stream !== null) await this.#stream.keepRest()
    if (this.#broken !== null) throw this.#named(this.#broken)
  }

  #named(error: unknown): unknown {
    return mysqlError(error, this.label)
  }
}

/** `changed`: affected rows. `warnings`: number of the server's warnings, for a statement that returns no rows. */
export type MysqlResult = { readonly rows: readonly SqlRow[]; readonly changed: number; readonly warnings: number }

type Answer = { readonly result: unknown; readonly fields: unknown }

function read({ result, fields }: Answer): MysqlResult {
  if (!Array.isArray(fields)) {
    const { affectedRows, warningStatus } = result as ResultSetHeader
    return { rows: [], changed: affectedRows, warnings: warningStatus }
  }
  const reader = portRowReader(fields as readonly FieldPacket[])
  const rows = result as SqlValue[][]
  return { rows: rows.map(reader), changed: rows.length, warnings: 0 }
}
