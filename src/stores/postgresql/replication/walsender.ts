/**
 * The connection of a stream: a walsender of the server, and what it sends, in blocks of whole messages. The server is kept from sending more while too
 * much waits here, and is told our position all the same: it would take silence for a dead client (wal_sender_timeout).
 */
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { Client } from 'pg'
import type { LogPosition } from '../../../model/copy/change.ts'
import { connect } from '../connect.ts'
import type { PostgresSettings } from '../settings.ts'
import { ServerMessage } from './errors.ts'
import { Frames, HEADER } from './frames.ts'
import { agree, Begun, startSql, type WalRequest } from './start-replication.ts'
import { statusUpdate } from './status.ts'

/** Bytes that wait for a reader before the server is kept from sending more, and below which it may go on. */
const FULL = 4 * 1024 * 1024
const ROOM = 1024 * 1024
/** Where fewer bytes than this come at a time, there is a rest before the connection is read again: else each small transaction of the source is a read of its own. */
const FEW = 48 * 1024
const REST_MS = 4
const STATUS_MS = 5000
const END_MS = 1000

const COPY_DATA = code('d')
const COPY_BOTH = code('W')
const ERROR = code('E')
const KEEPALIVE = code('k')
/** Of a keepalive, behind its letter: the end of the log, the clock, and whether an answer is wanted at once. */
const ASKS = 1 + 8 + 8

const COPY_DONE = Buffer.from([code('c'), 0, 0, 0, 4])
const TERMINATE = Buffer.from([code('X'), 0, 0, 0, 4])

export class WalSender implements AsyncDisposable {
  readonly #client: Client
  readonly #socket: Duplex
  readonly #settings: PostgresSettings
  readonly #frames = new Frames()
  #timer: NodeJS.Timeout | null = null
  #blocks: Buffer[] = []
  #queued = 0
  #paused = false
  /** Bytes that have come in this turn of the event loop. */
  #came = 0
  /** Set while the connection is not read because little came. */
  #rest: NodeJS.Timeout | null = null
  #failure: unknown = null
  #wake: (() => void) | null = null
  #heard = performance.now()
  readonly #from: LogPosition
  #received: LogPosition
  /** 0 is no position: until one is confirmed here, the server keeps what it has of the slot. */
  #confirmed: LogPosition = 0n
  #closed = false
  /** Of the block under way: where its last message of the stream begins, and whether the server asks for an answer. */
  #last = 0
  #asked = false
  /** Set while START_REPLICATION has no answer. */
  #onServerError: ((error: unknown) => void) | null = null

  /** @throws what the server says; SluiceError CONNECT_FAILED … as `connect` does */
  static async start(settings: PostgresSettings, request: WalRequest): Promise<WalSender> {
    const { client, socket, version } = await connect(settings, 'read', 'replication')
    try {
      const timeoutMs = await agree(client, settings)
      const sender = new WalSender(client, socket, settings, request.from)
      await sender.#begin(startSql(request, version), timeoutMs)
      return sender
    } catch (error) {
      // The server lets go of a slot only behind its error message.
      await leave(socket, TERMINATE)
      throw error
    }
  }

  private constructor(client: Client, socket: Duplex, settings: PostgresSettings, from: LogPosition) {
    this.#client = client
    this.#socket = socket
    this.#settings = settings
    this.#from = from
    this.#received = from
  }

  /** End of the server's log, as it told last. */
  get end(): LogPosition {
    return this.#received
  }

  /** Blocks of whole messages, the oldest first; null where nothing waits. @throws what ended the connection, behind the last block */
  shift(): Buffer | null {
    const block = this.#blocks.shift()
    if (block === undefined) {
      if (this.#failure !== null) throw this.#failure
      return null
    }
    this.#queued -= block.length
    if (this.#paused && this.#queued <= ROOM) {
      this.#paused = false
      this.#heard = performance.now()
      this.#socket.resume()
    }
    return block
  }

  /** Ends when something waits, when the connection has ended, after so long, or by `wake`. */
  async arrival(waitMs: number): Promise<void> {
    if (this.#blocks.length > 0 || this.#failure !== null) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = null
  }

  /** Ends `arrival` now. */
  wake(): void {
    this.#wake?.()
  }

  /** The source may forget what lies before this position. One before `from`, or before the last one, is not told. */
  confirm(position: LogPosition): void {
    if (position < this.#from || position <= this.#confirmed) return
    this.#confirmed = position
    this.#tell(false)
  }

  /** The server tells at once how far it is, and does not wait until it would tell by itself. */
  ask(): void {
    this.#tell(true)
  }

  /** Ends when the server has let go of the slot, or does not answer. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    if (this.#rest !== null) clearTimeout(this.#rest)
    this.#blocks = []
    await leave(this.#socket, Buffer.concat([COPY_DONE, TERMINATE]))
  }

  async #begin(sql: string, timeoutMs: number): Promise<void> {
    const [driver] = this.#socket.listeners('data') as ((data: Buffer) => void)[]
    if (driver === undefined) throw new Error('the driver does not listen to its socket')
    await new Promise<void>((resolve, reject) => {
      const begun = new Begun(sql, this.#socket, driver, {
        data: (data) => this.#take(data, resolve),
        failed: (error) => {
          this.#fail(error)
          reject(error)
        },
      })
      this.#client.query(begun)
      this.#client.once('end', () => begun.handleError(new Error('Connection terminated by the server')))
      this.#onServerError = (error) => begun.handleError(error)
    })
    this.#onServerError = null
    // Four in the time after which the server takes the client for dead.
    const everyMs = timeoutMs === 0 ? STATUS_MS : Math.max(50, Math.min(STATUS_MS, timeoutMs / 4))
    this.#timer = setInterval(() => this.#beat(), everyMs).unref()
    this.#tell(false)
  }

  #take(data: Buffer, begun: () => void): void {
    if (this.#closed) return
    this.#heard = performance.now()
    if (this.#came === 0) setImmediate(() => this.#restBehindFew())
    this.#came += data.length
    let block: Buffer | null
    try {
      block = this.#frames.take(data, (buffer, at, end) => this.#see(buffer, at, end, begun))
    } catch (error) {
      this.#fail(error)
      this.#socket.destroy()
      return
    }
    if (block === null) return
    this.#note(block)
    this.#blocks.push(block)
    this.#queued += block.length
    if (this.#queued >= FULL && !this.#paused) {
      this.#paused = true
      this.#socket.pause()
    }
    this.#wake?.()
  }

  #restBehindFew(): void {
    const isLittle = this.#came < FEW
    this.#came = 0
    if (!isLittle || this.#closed || this.#paused || this.#rest !== null) return
    this.#socket.pause()
    this.#rest = setTimeout(() => {
      this.#rest = null
      if (!this.#paused) this.#socket.resume()
    }, REST_MS)
  }

  /** What cannot wait until somebody reads. */
  #see(data: Buffer, at: number, end: number, begun: () => void): void {
    const kind = data[at]
    if (kind === COPY_DATA) {
      this.#last = at + HEADER
      if (data[at + HEADER] === KEEPALIVE && end > at + HEADER + ASKS && data[at + HEADER + ASKS] === 1)
        this.#asked = true
    } else if (kind === COPY_BOTH) begun()
    else if (kind === ERROR) this.#onServerError?.(new ServerMessage(data.subarray(at + HEADER, end)))
  }

  /** Where the log ended when the last message of a block was sent: one of a block will do. */
  #note(block: Buffer): void {
    const end = this.#last + (block[this.#last] === KEEPALIVE ? 1 : 1 + 8)
    if (this.#last > 0 && end + 8 <= block.length) {
      const position = block.readBigUInt64BE(end)
      if (position > this.#received) this.#received = position
    }
    this.#last = 0
    if (this.#asked) this.#tell(false)
    this.#asked = false
  }

  #beat(): void {
    if (!this.#paused && performance.now() - this.#heard > this.#settings.responseTimeoutMs) {
      const seconds = this.#settings.responseTimeoutMs / 1000
      const error = new Error(`no answer from the server for ${seconds} seconds`)
      this.#fail(Object.assign(error, { code: 'ETIMEDOUT' }))
      this.#socket.destroy()
      return
    }
    // What the server answers shows that it is there, and where its log ends; while nothing is read, answers would only pile up.
    this.#tell(!this.#paused)
  }

  #tell(answer: boolean): void {
    if (this.#closed || this.#failure !== null || !this.#socket.writable) return
    const received = this.#received > this.#confirmed ? this.#received : this.#confirmed
    this.#socket.write(statusUpdate({ received, durable: this.#confirmed, answer }))
  }

  #fail(error: unknown): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#failure ??= error
    this.#wake?.()
  }
}

/** Ends when the server has closed the connection, or does not answer. */
async function leave(socket: Duplex, farewell: Buffer): Promise<void> {
  if (socket.destroyed) return
  const ended = new Promise<void>((resolve) => socket.once('close', resolve))
  const timer = setTimeout(() => socket.destroy(), END_MS)
  // What is still on its way has to be read, or the end behind it is never seen.
  socket.resume()
  socket.end(farewell)
  await ended
  clearTimeout(timer)
}

function code(letter: string): number {
  return letter.charCodeAt(0)
}
