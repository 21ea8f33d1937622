/**
 * A socket that reads bytes directly into its reader's buffer. A stream of small transactions makes thousands of small
 * reads a second. Each would otherwise allocate a buffer of 64 kB and copy the bytes out of it.
 */
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net'

/** Destination of the bytes. */
export interface SocketSink {
  /** Buffer for the next bytes. */
  room(): Buffer
  /** Called with the number of bytes written there. */
  took(bytes: number): void
  /** Receives bytes that were read elsewhere. */
  take(given: Buffer): void
}

const FIRST = 16 * 1024

export class DirectSocket extends Socket {
  /** Buffer until there is a sink. */
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

  /** Gives all later bytes to the sink: `data` is no longer emitted. */
  give(sink: SocketSink): void {
    this.#sink = sink
  }

  #came(bytes: number, buffer: Uint8Array): void {
    const sink = this.#sink
    if (buffer !== this.#own && sink !== null) return sink.took(bytes)
    // Copied: a listener may keep it.
    const data = Buffer.from(buffer.subarray(0, bytes))
    if (sink === null) this.emit('data', data)
    else sink.take(data)
  }
}
