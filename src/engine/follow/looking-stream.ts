/** A stream of which nothing is given out that empties a table before somebody has looked at the source. */
import type { Change, LogPosition } from '../../model/copy/change.ts'
import type { ChangeStream } from '../../stores/follow-port.ts'

export class LookingStream implements ChangeStream {
  readonly #stream: ChangeStream
  readonly #look: () => Promise<void>

  constructor(stream: ChangeStream, look: () => Promise<void>) {
    this.#stream = stream
    this.#look = look
  }

  get end(): LogPosition {
    return this.#stream.end
  }

  /** @throws what the stream throws, and what the look does */
  async next(waitMs: number): Promise<readonly Change[]> {
    const changes = await this.#stream.next(waitMs)
    if (changes.some(({ type }) => type === 'truncate')) await this.#look()
    return changes
  }

  confirm(position: LogPosition): void {
    this.#stream.confirm(position)
  }

  ask(): void {
    this.#stream.ask()
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#stream[Symbol.asyncDispose]()
  }
}
