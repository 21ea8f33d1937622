/** A stream that checks the source before it returns a TRUNCATE. */
import type { Change } from '../../../model/copy/change.ts'
import type { SourceView } from '../../../model/copy/port.ts'
import type { ChangeStream } from '../../../model/follow/port.ts'
import { tellsMoments, type MomentStream } from '../../../model/follow/moment-port.ts'
import { StreamBehind } from './stream-behind.ts'

/** @param look is called before; the stream throws what it throws */
export function looking(stream: ChangeStream, look: () => Promise<void>): ChangeStream {
  return tellsMoments(stream) ? new LookingMoments(stream, look) : new LookingStream(stream, look)
}

class LookingStream extends StreamBehind {
  readonly #look: () => Promise<void>

  constructor(stream: ChangeStream, look: () => Promise<void>) {
    super(stream)
    this.#look = look
  }

  /** @throws what the stream and the check throw */
  async next(waitMs: number): Promise<readonly Change[]> {
    const changes = await this.stream.next(waitMs)
    await this.lookedAt(changes)
    return changes
  }

  protected async lookedAt(changes: readonly Change[]): Promise<void> {
    if (changes.some(({ type }) => type === 'truncate')) await this.#look()
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
