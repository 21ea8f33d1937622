/**
 * A socket that reads bytes directly into its reader's buffer. A stream of small transactions makes thousands of small
 * reads a second. Each would otherwise allocate a buffer of 64 kB and copy the bytes out of it.
 */
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net'

/** Receiver of the bytes. */
export interface SocketSink {
  /** Returns the buffer for the next bytes. */
  room(): Buffer
  /** Called with the number of bytes that were written into the buffer of `room`. */
  took(bytes: number): void
  /** Receives bytes that were read into another buffer. */
  take(given: Buffer): void
}

const FIRST = 16 * 1024

export class DirectSocket extends Socket {
  /** Buffer that is used until there is a sink. */
  readonly #own: Buffer
  #sink: SocketSink | null = null

  constructor() {
    const own = Buffer.allocUnsafeSlow(FIRST)
    const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
      onread: {
        buffer: () => this.#sink?.room() ?? own,
        callback: (bytes, buffer) => {
          this.#came(bytes, buffer)
          return true
        },
      },
    }
    super(options)
    this.#own = own
  }

  /** Passes all later bytes to the sink; `data` events are no longer emitted. */
  give(sink: SocketSink): void {
    this.#sink = sink
  }

  #came(bytes: number, buffer: Uint8Array): void {
    const sink = this.#sink
    if (buffer !== this.#own && sink !== null) return sink.took(bytes)
    // Copied, because a listener may keep the bytes.
    const data = Buffer.from(buffer.subarray(0, bytes))
    if (sink === null) this.emit('data', data)
    else sink.take(data)
  }
}
