/**
 * COPY … TO STDOUT, read from the socket: row data is cut out of the messages without an object per row, which the
 * driver would create. Everything else goes to the driver.
 */
import type { Duplex } from 'node:stream'
import type { Connection, Submittable } from 'pg'

const HEADER = 5
const COPY_DATA = 100
/** Messages for the driver between rows, by type: `H`, notices, notifications, settings, replies to parse and bind. */
const SKIPPED: ReadonlySet<number> = new Set(Buffer.from('H12nNSA'))

/** Number of unread bytes at which reading from the socket is paused. */
const FULL = 1024 * 1024

type Listener = (data: Buffer) => void

/** `waiting` is called when this program begins to wait for the server; `paused` when the server has to wait for it. */
export type CopyFlow = { waiting(): void; paused(): void }

export class CopyOut implements Submittable {
  readonly #text: string
  readonly #socket: Duplex
  readonly #driver: Listener
  readonly #flow: CopyFlow
  readonly #mine: Listener = (data) => this.#take(data)
  /** First part of a message header that was cut off at the end of a piece. */
  #header: Buffer | null = null
  /** Bytes not yet received of the current row (`#row`) or of another message (`#other`). */
  #row = 0
  #other = 0
  #messages = 0n
  #tag: bigint | null = null
  #attached = false
  #paused = false
  #done = false
  #failure: unknown = null
  #queue: Buffer[] = []
  #queued = 0
  #wake: (() => void) | null = null

  /** @param driver listener of the socket while no rows arrive */
  constructor(text: string, socket: Duplex, driver: Listener, flow: CopyFlow) {
    this.#text = text
    this.#socket = socket
    this.#driver = driver
    this.#flow = flow
  }

  /** Messages with rows (servers send one per row), and the server's own row count. Both are known at the end. */
  get counted(): { readonly messages: bigint; readonly rows: bigint | null } {
    return { messages: this.#messages, rows: this.#tag }
  }

  /** True if the server has finished its reply, so that the session can be used again. */
  get done(): boolean {
    return this.#done
  }

  submit(connection: Connection): void {
    this.#socket.removeListener('data', this.#driver)
    this.#socket.on('data', this.#mine)
    this.#attached = true
    this.#flow.waiting()
    // The extended protocol, which allows one statement per text.
    connection.parse({ name: '', text: this.#text, types: [] }, true)
    connection.bind({}, true)
    connection.execute({}, true)
    connection.sync()
  }

  /** Rows that the server sent since the last call, in one piece; null at the end. */
  async next(): Promise<Buffer | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure
      if (this.#queue.length > 0) return this.#given()
      if (this.#done) return null
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const found = /^COPY (\d+)/.exec(text)
    if (found !== null) this.#tag = BigInt(found[1] ?? 0)
  }

  handleReadyForQuery(): void {
    this.#end()
  }

  handleError(error: unknown): void {
    this.#failure ??= error
    this.#end()
  }

  #end(): void {
    if (this.#done) return
    this.#done = true
    this.#detach()
    if (this.#paused) this.#socket.resume()
    else this.#flow.paused()
    this.#paused = false
    this.#wake?.()
  }

  #given(): Buffer {
    const pieces = this.#queue
    this.#queue = []
    this.#queued = 0
    if (this.#paused) {
      this.#paused = false
      this.#flow.waiting()
      this.#socket.resume()
    }
    const [first] = pieces
    return pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces)
  }

  /** Compacts the rows of a piece in place: each row overwrites the message header before it. */
  #take(given: Buffer): void {
    const data = this.#header === null ? given : Buffer.concat([this.#header, given])
    this.#header = null
    let at = 0
    let kept = 0
    while (at < data.length) {
      if (this.#row > 0) {
        const end = Math.min(at + this.#row, data.length)
        if (at !== kept) data.copyWithin(kept, at, end)
        kept += end - at
        this.#row -= end - at
        at = end
        continue
      }
      if (this.#other > 0) {
        const end = Math.min(at + this.#other, data.length)
        this.#driver(Buffer.from(data.subarray(at, end)))
        this.#other -= end - at
        at = end
        continue
      }
      if (data.length - at < HEADER) {
        this.#header = Buffer.from(data.subarray(at))
        break
      }
      const code = data[at] ?? 0
      if (code === COPY_DATA) {
        this.#row = data.readUInt32BE(at + 1) - 4
        this.#messages++
        at += HEADER
      } else if (SKIPPED.has(code)) this.#other = data.readUInt32BE(at + 1) + 1
      else {
        // The rows have ended, or an error arrived: from here on the driver reads the socket.
        this.#keep(data.subarray(0, kept))
        const rest = Buffer.from(data.subarray(at))
        this.#detach()
        this.#driver(rest)
        return
      }
    }
    this.#keep(data.subarray(0, kept))
  }

  #keep(rows: Buffer): void {
    if (rows.length === 0) return
    this.#queue.push(rows)
    this.#queued += rows.length
    if (this.#queued >= FULL && !this.#paused) {
      this.#paused = true
      this.#socket.pause()
      this.#flow.paused()
    }
    this.#wake?.()
  }

  #detach(): void {
    if (!this.#attached) return
    this.#attached = false
    this.#socket.removeListener('data', this.#mine)
    this.#socket.on('data', this.#driver)
  }
}
