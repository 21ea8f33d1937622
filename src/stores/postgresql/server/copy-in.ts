/** COPY … FROM STDIN: pieces go to the server as they are, and what goes wrong on either side ends it on both. */
import type { Duplex } from 'node:stream'
import type { Connection, Submittable } from 'pg'
import type { Flow } from './copy-out.ts'

const COPY_DATA = 100
const COPY_DONE = Buffer.from([99, 0, 0, 0, 4])
/** Bytes of one message; servers take less than a gigabyte. */
const MOST = 64 * 1024 * 1024

export type Pieces = AsyncIterable<Buffer> | Iterable<Buffer>

/** The driver has this and does not say so. */
type CopyConnection = Connection & { sendCopyFail(reason: string): void }

export class CopyIn implements Submittable {
  readonly #text: string
  readonly #socket: Duplex
  readonly #flow: Flow
  readonly #started: Promise<void>
  readonly #ended: Promise<bigint>
  #connection: CopyConnection | null = null
  #start: () => void = () => undefined
  #resolve: (rows: bigint) => void = () => undefined
  #reject: (error: unknown) => void = () => undefined
  #rows: bigint | null = null
  #over = false
  #wake: () => void = () => undefined

  constructor(text: string, socket: Duplex, flow: Flow) {
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
   * Sends everything, and returns how many rows the server took.
   * @param isEager rows follow the statement at once: a server that refuses it leaves them out, as the protocol has it. Nobody waits for its word then
   * @throws what the server complained about; or what `pieces` threw, after the server was told to forget what it has
   */
  async send(pieces: Pieces, isEager = false): Promise<bigint> {
    if (!isEager || this.#connection === null) await this.#server(this.#started)
    if (this.#over) return this.#ended
    try {
      for await (const piece of pieces) {
        for (let at = 0; at < piece.length && !this.#over; at += MOST) await this.#write(piece.subarray(at, at + MOST))
        // Leaving the loop ends whoever makes the pieces.
        if (this.#over) break
      }
    } catch (error) {
      // Without this word the server would take the rows so far for all of them. Its answer is of no interest.
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
    // Of statements beside the COPY: nobody asks for their rows.
  }

  handleDataRow(): void {
    // The same.
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const found = /^COPY (\d+)/.exec(text)
    if (found !== null) this.#rows = BigInt(found[1] ?? 0)
  }

  handleReadyForQuery(): void {
    if (this.#rows === null) return this.handleError(new Error('the server did not say how many rows it took'))
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

  /** Silence is the server's while we wait for it, and ours while we wait for rows. */
  async #server<T>(promise: Promise<T>): Promise<T> {
    this.#flow.waiting()
    try {
      return await promise
    } finally {
      this.#flow.paused()
    }
  }
}
