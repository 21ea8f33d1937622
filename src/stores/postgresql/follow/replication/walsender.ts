/**
 * The connection of a stream: a walsender, and its messages in blocks. While too many bytes wait here, reading is
 * paused, but the position is still sent: without it the server would end the connection (wal_sender_timeout).
 */
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import type { Client } from 'pg'
import type { LogPosition } from '../../../../model/copy/change.ts'
import { connect } from '../../server/connect.ts'
import { DirectSocket, type SocketSink } from '../../server/direct-socket.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { ServerMessage } from './errors.ts'
import { ReplicationFrames, HEADER, type Visit } from './frames.ts'
import { agreeSettings, StartReplication, startSql, type WalRequest } from './start-replication.ts'
import { code } from './pgoutput.ts'

/** Bytes that wait for a reader: reading pauses at `FULL` and resumes at `RESUME_AT`. */
const FULL = 4 * 1024 * 1024
const RESUME_AT = 1024 * 1024
/** If fewer bytes arrive at a time, wake the reader after `REST_MS`: small transactions are then processed together. */
const FEW = 48 * 1024
const REST_MS = 4
/**
 * Bytes that are read during `REST_MS`, before reading stops. If a connection is not read at all, the server handles
 * each row separately until the buffer is full. That doubles the server's cost (measured on one machine).
 */
const RESTING = 16 * 1024
const STATUS_MS = 5000
const END_MS = 1000

const STATUS_LENGTH = 1 + 8 + 8 + 8 + 8 + 1
/** ms from 1970 to 2000, the epoch of PostgreSQL. */
const EPOCH_MS = 946_684_800_000

type Status = {
  readonly received: LogPosition
  /** Changes before this position are durable in the target: the server may remove their log. 0 confirms nothing. */
  readonly durable: LogPosition
  /** Requests an immediate answer. */
  readonly answer: boolean
}

/** Blocks of whole messages that wait for their reader. Adjacent parts of one buffer are joined to one block. */
export class Blocks {
  #queue: Buffer[] = []
  #bytes = 0

  /** Bytes of all blocks. */
  get bytes(): number {
    return this.#bytes
  }

  push(block: Buffer): void {
    this.#bytes += block.length
    const last = this.#queue.at(-1)
    if (last === undefined || last.buffer !== block.buffer || last.byteOffset + last.length !== block.byteOffset)
      this.#queue.push(block)
    else this.#queue[this.#queue.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + block.length)
  }

  /** The oldest block; null if none waits. */
  shift(): Buffer | null {
    const block = this.#queue.shift()
    if (block === undefined) return null
    this.#bytes -= block.length
    return block
  }

  clear(): void {
    this.#queue = []
    this.#bytes = 0
  }
}

const COPY_DATA = code('d')
const COPY_BOTH = code('W')
const ERROR = code('E')
const KEEPALIVE = code('k')
/** Offset of the reply flag in a keepalive, after its letter, the end of the log and the clock. */
const ASKS = 1 + 8 + 8

const COPY_DONE = Buffer.from([code('c'), 0, 0, 0, 4])
const TERMINATE = Buffer.from([code('X'), 0, 0, 0, 4])

export class WalSender implements AsyncDisposable {
  readonly #client: Client
  readonly #socket: Duplex
  readonly #settings: PostgresSettings
  readonly #frames = new ReplicationFrames()
  #timer: NodeJS.Timeout | null = null
  readonly #blocks = new Blocks()
  #paused = false
  /** Bytes received in this turn of the event loop; `#rested`: during the pause before the reader is woken. */
  #bytes = 0
  #rested = 0
  /** Timer that wakes the reader; set while the reader is not woken because few bytes came. */
  #rest: NodeJS.Timeout | null = null
  #failure: unknown = null
  #wake: (() => void) | null = null
  #lastReceivedAt = performance.now()
  readonly #from: LogPosition
  #received: LogPosition
  /** 0 is no position: until a position is confirmed here, the server keeps the slot's log. */
  #confirmed: LogPosition = 0n
  #closed = false
  /** For the current block: buffer, start and end of its last stream message; true if the server requests an answer. */
  #lastIn: Buffer | null = null
  #last = 0
  #lastEnd = 0
  #asked = false
  /** Set until START_REPLICATION is answered. */
  #onServerError: ((error: unknown) => void) | null = null

  /** @throws errors of the server; SluiceError CONNECT_FAILED … as `connect` */
  static async start(settings: PostgresSettings, request: WalRequest): Promise<WalSender> {
    const { client, socket, version } = await connect(settings, 'read', 'replication')
    try {
      const timeoutMs = await agreeSettings(client, settings)
      const sender = new WalSender(client, socket, settings, request.from)
      await sender.#begin(startSql(request, version), timeoutMs)
      return sender
    } catch (error) {
      // The server releases a slot only after its error message.
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

  /** End of the server's log, as last reported. */
  get end(): LogPosition {
    return this.#received
  }

  /**
   * The oldest block of whole messages; null if none waits.
   * @throws the error that ended the connection, after the last block
   */
  shift(): Buffer | null {
    const block = this.#blocks.shift()
    if (block === null) {
      if (this.#failure !== null) throw this.#failure
      return null
    }
    if (this.#paused && this.#blocks.bytes <= RESUME_AT) {
      this.#paused = false
      this.#lastReceivedAt = performance.now()
      this.#socket.resume()
    }
    return block
  }

  /** Resolves when a block waits, when the connection has ended, after `waitMs`, or by `wake`. */
  async arrival(waitMs: number): Promise<void> {
    if (this.#blocks.bytes > 0 || this.#failure !== null) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = null
  }

  /** Resolves `arrival` now. */
  wake(): void {
    this.#wake?.()
  }

  /** The source may remove the log before this position. A position before `from` or before the last one is ignored. */
  confirm(position: LogPosition): void {
    if (position < this.#from || position <= this.#confirmed) return
    this.#confirmed = position
    this.report(false)
  }

  /** Requests the server's position now, without waiting for its next keepalive. */
  ask(): void {
    this.report(true)
  }

  /** Resolves when the server has released the slot, or does not answer. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    if (this.#rest !== null) clearTimeout(this.#rest)
    this.#blocks.clear()
    await leave(this.#socket, Buffer.concat([COPY_DONE, TERMINATE]))
  }

  async #begin(sql: string, timeoutMs: number): Promise<void> {
    const [driver] = this.#socket.listeners('data') as ((data: Buffer) => void)[]
    if (driver === undefined) throw new Error('the driver does not listen to its socket')
    await new Promise<void>((resolve, reject) => {
      const sink = this.#sink(resolve)
      const begun = new StartReplication(sql, this.#socket, driver, {
        data: (data) => sink.take(data),
        failed: (error) => {
          this.#fail(error)
          reject(error)
        },
      })
      this.#client.query(begun)
      if (this.#socket instanceof DirectSocket) this.#socket.give(sink)
      this.#client.once('end', () => begun.handleError(new Error('Connection terminated by the server')))
      this.#onServerError = (error) => begun.handleError(error)
    })
    this.#onServerError = null
    // Four reports within wal_sender_timeout, after which the server would end the connection.
    const everyMs = timeoutMs === 0 ? STATUS_MS : Math.max(50, Math.min(STATUS_MS, timeoutMs / 4))
    this.#timer = setInterval(() => this.#sendStatus(), everyMs).unref()
    this.report(false)
  }

  /** @param begun is called when the server has confirmed that it streams */
  #sink(begun: () => void): SocketSink {
    const frames = this.#frames
    const see: Visit = (data, at, end) => this.#see(data, at, end, begun)
    return {
      room: () => frames.readBuffer(),
      took: (bytes) => this.#came(bytes, () => frames.addRead(bytes, see)),
      take: (given) => this.#came(given.length, () => frames.addBytes(given, see)),
    }
  }

  #came(bytes: number, framed: () => Buffer | null): void {
    if (this.#closed) return
    this.#lastReceivedAt = performance.now()
    if (this.#bytes === 0) setImmediate(() => this.#delayWake())
    this.#bytes += bytes
    let block: Buffer | null
    try {
      block = framed()
    } catch (error) {
      this.#fail(error)
      this.#socket.destroy()
      return
    }
    if (block === null) return
    this.#note()
    this.#blocks.push(block)
    if (this.#rest !== null) {
      this.#rested += bytes
      if (this.#rested >= RESTING) this.#socket.pause()
    } else this.#wake?.()
    if (this.#blocks.bytes < FULL || this.#paused) return
    this.#paused = true
    this.#socket.pause()
  }

  #delayWake(): void {
    const isLittle = this.#bytes < FEW
    this.#bytes = 0
    if (!isLittle || this.#closed || this.#paused || this.#rest !== null) return
    this.#rested = 0
    this.#rest = setTimeout(() => {
      this.#rest = null
      if (!this.#paused) this.#socket.resume()
      if (this.#blocks.bytes > 0) this.#wake?.()
    }, REST_MS)
  }

  /** Handles messages that cannot wait for the reader. */
  #see(data: Buffer, at: number, end: number, begun: () => void): void {
    const kind = data[at]
    if (kind === COPY_DATA) {
      this.#last = at + HEADER
      this.#lastEnd = end
      this.#lastIn = data
      if (data[at + HEADER] === KEEPALIVE && end > at + HEADER + ASKS && data[at + HEADER + ASKS] === 1)
        this.#asked = true
    } else if (kind === COPY_BOTH) begun()
    else if (kind === ERROR) this.#onServerError?.(new ServerMessage(data.subarray(at + HEADER, end)))
  }

  /** Notes the end of the log from the last message of a block; one message of a block is enough. */
  #note(): void {
    const data = this.#lastIn
    if (data !== null) {
      const at = this.#last + (data[this.#last] === KEEPALIVE ? 1 : 1 + 8)
      const position = at + 8 <= this.#lastEnd ? data.readBigUInt64BE(at) : 0n
      if (position > this.#received) this.#received = position
    }
    this.#lastIn = null
    if (this.#asked) this.report(false)
    this.#asked = false
  }

  #sendStatus(): void {
    if (!this.#paused && performance.now() - this.#lastReceivedAt > this.#settings.responseTimeoutMs) {
      const seconds = this.#settings.responseTimeoutMs / 1000
      const error = new Error(`no answer from the server for ${seconds} seconds`)
      this.#fail(Object.assign(error, { code: 'ETIMEDOUT' }))
      this.#socket.destroy()
      return
    }
    // The answer proves that the server is alive, and reports its log's end. During a pause, answers would pile up.
    this.report(!this.#paused)
  }

  report(answer: boolean): void {
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

/**
 * A standby status update, by which a client reports its position to a walsender.
 * @returns the whole message: a CopyData that contains the update
 */
export function statusUpdate({ received, durable, answer }: Status): Buffer {
  const message = Buffer.alloc(HEADER + STATUS_LENGTH)
  message.write('d', 0, 'latin1')
  message.writeUInt32BE(4 + STATUS_LENGTH, 1)
  message.write('r', HEADER, 'latin1')
  message.writeBigUInt64BE(received, HEADER + 1)
  message.writeBigUInt64BE(durable, HEADER + 9)
  message.writeBigUInt64BE(durable, HEADER + 17)
  message.writeBigInt64BE(BigInt(Date.now() - EPOCH_MS) * 1000n, HEADER + 25)
  message.writeUInt8(answer ? 1 : 0, HEADER + 33)
  return message
}

/** Resolves when the server has closed the connection, or does not answer. */
async function leave(socket: Duplex, farewell: Buffer): Promise<void> {
  if (socket.destroyed) return
  const ended = new Promise<void>((resolve) => socket.once('close', resolve))
  const timer = setTimeout(() => socket.destroy(), END_MS)
  // Remaining data must be read, or the end after it is never seen.
  socket.resume()
  socket.end(farewell)
  await ended
  clearTimeout(timer)
}
