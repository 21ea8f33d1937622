/** A stream of which nothing is given out that empties a table before somebody has looked at the source. */
import type { Change, LogPosition } from '../../model/copy/change.ts'
import type { SourceView } from '../../stores/copy-port.ts'
import type { ChangeStream } from '../../stores/follow-port.ts'
import { tellsMoments, type MomentStream } from '../../stores/moment-port.ts'

/** @param look is asked before; what it throws the stream throws */
export function looking(stream: ChangeStream, look: () => Promise<void>): ChangeStream {
  return tellsMoments(stream) ? new LookingMoments(stream, look) : new LookingStream(stream, look)
}

class LookingStream implements ChangeStream {
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
    await this.lookedAt(changes)
    return changes
  }

  protected async lookedAt(changes: readonly Change[]): Promise<void> {
    if (changes.some(({ type }) => type === 'truncate')) await this.#look()
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

class LookingMoments extends LookingStream implements MomentStream {
  readonly #told: MomentStream

  constructor(stream: MomentStream, look: () => Promise<void>) {
    super(stream, look)
    this.#told = stream
  }

  moment(take: (changes: readonly Change[]) => Promise<void>): Promise<SourceView | null> {
    return this.#told.moment(async (changes) => {
      await this.lookedAt(changes)
      await take(changes)
    })
  }
}
