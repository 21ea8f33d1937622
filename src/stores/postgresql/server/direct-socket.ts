/**
 * A socket whose bytes are read to where their reader wants them. A stream of small transactions is thousands of small readings a second, each of which would else take a
 * buffer of 64 kB, copy a row out of it and give it back.
 */
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net'

/** Where bytes are read to. */
export interface Sink {
  /** Where the next bytes belong. */
  room(): Buffer
  /** So many bytes came there. */
  took(bytes: number): void
  /** Bytes that were read elsewhere. */
  take(given: Buffer): void
}

const FIRST = 16 * 1024

export class DirectSocket extends Socket {
  /** For all that comes before there is a sink. */
  readonly #own: Buffer
  #sink: Sink | null = null

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

  /** From now on nobody hears `data`. */
  give(sink: Sink): void {
    this.#sink = sink
  }

  #came(bytes: number, buffer: Uint8Array): void {
    const sink = this.#sink
    if (buffer !== this.#own && sink !== null) return sink.took(bytes)
    // Copied: who listens may keep it.
    const data = Buffer.from(buffer.subarray(0, bytes))
    if (sink === null) this.emit('data', data)
    else sink.take(data)
  }
}
