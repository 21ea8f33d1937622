/**
 * COPY … FROM STDIN: sends pieces unchanged. An error of the server ends the reading of pieces; an error of the pieces
 * ends the COPY.
 */
import type { Duplex } from 'node:stream'
import type { Connection, Submittable } from 'pg'
import type { CopyFlow } from './copy-out.ts'

const COPY_DATA = 100
const COPY_DONE = Buffer.from([99, 0, 0, 0, 4])
/** Maximum number of bytes of one message; servers accept almost a gigabyte. */
const MOST = 64 * 1024 * 1024

export type Pieces = AsyncIterable<Buffer> | Iterable<Buffer>

/** Methods that the driver has but does not declare. */
type CopyConnection = Connection & { sendCopyFail(reason: string): void }

export class CopyIn implements Submittable {
  readonly #text: string
  readonly #socket: Duplex
  readonly #flow: CopyFlow
  readonly #started: Promise<void>
  readonly #ended: Promise<bigint>
  #connection: CopyConnection | null = null
  #start: () => void = () => undefined
  #resolve: (rows: bigint) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined
  #rows: bigint | null = null
  #over = false
  #wake: () => void = () => undefined

  constructor(text: string, socket: Duplex, flow: CopyFlow) {
    this.#text = text
    this.#socket = socket
    this.#flow = flow
    this.#started = new Promise((resolve) => (this.#start = resolve))
    this.#ended = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#ended.catch(() => undefined)
  }

  submit(connection: Connection): void {
    this.#connection = connection as CopyConnection
    connection.query(this.#text)
  }

  /**
   * Sends all pieces. Returns the number of rows that the server stored.
   * @param isEager true: sends rows right after the statement, without waiting for the server. By the protocol, a
   * server that refuses the statement skips the rows
   * @throws errors of the server; or the error of `pieces`, after the server was asked to discard the rows
   */
  async send(pieces: Pieces, isEager = false): Promise<bigint> {
    if (!isEager || this.#connection === null) await this.#server(this.#started)
    if (this.#over) return this.#ended
    try {
      for await (const piece of pieces) {
        for (let at = 0; at < piece.length && !this.#over; at += MOST) await this.#write(piece.subarray(at, at + MOST))
        // Leaving the loop ends the generator of the pieces.
        if (this.#over) break
      }
    } catch (error) {
      // Without CopyFail the server would store the rows that it has received. Its reply is ignored.
      if (!this.#over) this.#connection?.sendCopyFail('the rows ended with an error')
      await this.#server(this.#ended).catch(() => undefined)
      throw error
    }
    if (!this.#over) this.#socket.write(COPY_DONE)
    return this.#server(this.#ended)
  }

  handleCopyInResponse(): void {
    this.#start()
  }

  handleRowDescription(): void {
    // Result rows come only from statements other than COPY, and are ignored.
  }

  handleDataRow(): void {
    // Ignored, as in `handleRowDescription`.
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const found = /^COPY (\d+)/.exec(text)
    if (found !== null) this.#rows = BigInt(found[1] ?? 0)
  }

  handleReadyForQuery(): void {
    if (this.#rows === null) return this.handleError(new Error('the server did not report the number of stored rows'))
    this.#over = true
    this.#resolve(this.#rows)
  }

  handleError(error: unknown): void {
    this.#over = true
    this.#reject(error)
    this.#start()
    this.#wake()
  }

  async #write(piece: Buffer): Promise<void> {
    const header = Buffer.allocUnsafe(5)
    header[0] = COPY_DATA
    header.writeUInt32BE(piece.length + 4, 1)
    this.#socket.cork()
    this.#socket.write(header)
    const room = this.#socket.write(piece)
    this.#socket.uncork()
    if (room) return
    await this.#server(
      new Promise<void>((resolve) => {
        this.#wake = resolve
        this.#socket.once('drain', resolve)
      }),
    )
    this.#socket.removeListener('drain', this.#wake)
  }

  /** Waits for the server. The response timeout runs only during these waits, not while this program waits for rows. */
  async #server<T>(promise: Promise<T>): Promise<T> {
    this.#flow.waiting()
    try {
      return await promise
    } finally {
      this.#flow.paused()
    }
  }
}
