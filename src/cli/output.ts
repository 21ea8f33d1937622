/**
 * The one owner of stdout and stderr: stdout is data, stderr is talk. It counts what is still unwritten, so that the
 * program never ends with half a line in a pipe, and it stays quiet when a reader has left (`| head`).
 */
import type { Writable } from 'node:stream'
import { SluiceError } from '../shared/errors.ts'

/** The reader has left, or the terminal is gone: nobody to tell. */
const LEFT = new Set(['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'ECONNRESET'])

class Side {
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
  /** Whether more is waiting than the stream wants to hold. */
  get congested(): boolean {
    return this.#stream.writableNeedDrain
  }

  write(text: string): void {
    if (this.#gone || text === '') return
    this.#waiting += 1
    this.#stream.write(text, (error) => {
      if (error) this.#fail(error)
      this.#waiting -= 1
      if (this.#waiting === 0) this.#settle()
    })
  }

  async flushed(): Promise<void> {
    if (this.#waiting === 0 || this.#gone) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (this.#gone) return
    this.#gone = true
    if (!LEFT.has(error.code ?? '')) this.#failure = error
    this.#settle()
    this.#onGone()
  }

  #settle(): void {
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}

export type Output = {
  /** Writes to stdout. */
  data(text: string): void
  /** Writes to stderr. */
  talk(text: string): void
  /** True while stdout has more to write than it wants to hold: droppable lines should be dropped. */
  readonly congested: boolean
  /** True once nobody reads stdout any more. */
  readonly gone: boolean
  /** Resolves when all that was written has left the process, or nobody reads it. */
  flushed(): Promise<void>
  /** What went wrong with stdout other than a reader that left, such as a full disk. */
  failure(): SluiceError | null
}

/** Takes over the two streams. `onGone` is called once, when the reader of stdout has left. */
export function openOutput(stdout: Writable, stderr: Writable, onGone: () => void = () => {}): Output {
  const data = new Side(stdout, onGone)
  const talk = new Side(stderr, () => {})
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
        hint: full ? 'Free up disk space or use alternative storage' : 'send stdout elsewhere',
        cause,
      })
    },
  }
}
