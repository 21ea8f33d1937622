/**
 * Owner of stdout (data) and stderr (messages). It counts unwritten output, so that the program never ends with half a
 * line in a pipe. If a reader has left (`| head`), no error is shown.
 */
import type { Writable } from 'node:stream'
import { SluiceError } from '../../shared/errors.ts'

/** Error codes of a reader that has left, or a lost terminal: not reported. */
const READER_GONE_CODES = new Set(['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'ECONNRESET'])

class OutputStream {
  readonly #stream: Writable
  readonly #onGone: () => void
  #waiting = 0
  #gone = false
  #failure: Error | null = null
  #idle: (() => void)[] = []

  constructor(stream: Writable, onGone: () => void) {
    this.#stream = stream
    this.#onGone = onGone
    stream.on('error', (error) => this.#fail(error))
  }

  get gone(): boolean {
    return this.#gone
  }
  get failure(): Error | null {
    return this.#failure
  }
  /** True if the stream's buffer is full. */
  get congested(): boolean {
    return this.#stream.writableNeedDrain
  }

  write(text: string): void {
    if (this.#gone || text === '') return
    this.#waiting += 1
    this.#stream.write(text, (error) => {
      if (error) this.#fail(error)
      this.#waiting -= 1
      if (this.#waiting === 0) this.#resolveWaiting()
    })
  }

  async flushed(): Promise<void> {
    if (this.#waiting === 0 || this.#gone) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (this.#gone) return
    this.#gone = true
    if (!READER_GONE_CODES.has(error.code ?? '')) this.#failure = error
    this.#resolveWaiting()
    this.#onGone()
  }

  #resolveWaiting(): void {
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}

export type Output = {
  /** Writes to stdout. */
  data(text: string): void
  /** Writes to stderr. */
  talk(text: string): void
  /** True while the buffer of stdout is full: droppable lines should be dropped. */
  readonly congested: boolean
  /** True once stdout cannot be written any more, for example because its reader has left. */
  readonly gone: boolean
  /** Resolves once all output is written, or the reader has left. */
  flushed(): Promise<void>
  /** Error of stdout other than a reader that left, such as a full disk. */
  failure(): SluiceError | null
}

/** Takes over the two streams. `onGone` is called once, when stdout cannot be written any more. */
export function openOutput(stdout: Writable, stderr: Writable, onGone: () => void = () => {}): Output {
  const data = new OutputStream(stdout, onGone)
  const talk = new OutputStream(stderr, () => {})
  return {
    data: (text) => data.write(text),
    talk: (text) => talk.write(text),
    get congested() {
      return data.congested
    },
    get gone() {
      return data.gone
    },
    flushed: async () => {
      await Promise.all([data.flushed(), talk.flushed()])
    },
    failure: () => {
      const cause = data.failure
      if (cause === null) return null
      const full = 'code' in cause && cause.code === 'ENOSPC'
      return new SluiceError(full ? 'NO_SPACE' : 'TARGET_IO', 'the output cannot be written', {
        where: 'stdout',
        reason: cause.message,
        hint: full ? 'Free up disk space or use alternative storage' : 'redirect stdout to another place',
        cause,
      })
    },
  }
}
