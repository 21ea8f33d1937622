/** A stream that lets the source discard changes only after the target has them on disk. */
import type { Change, LogPosition } from '../../../model/copy/change.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { ChangeStream } from '../../../model/follow/port.ts'
import { reportsSnapshots, type SnapshotStream } from '../../../model/follow/snapshot-port.ts'
import { StreamWrapper } from './stream-wrapper.ts'

/**
 * Returns the stream itself if a commit of the target is on disk once it is acknowledged. Otherwise positions are
 * confirmed after a flush, several together if they come faster than flushes.
 * @returns a stream whose `next` and `passed` also throw errors of a flush
 */
export function durableStream(
  stream: ChangeStream,
  target: Pick<CopyStore, 'offers'>,
  signal: AbortSignal,
): ChangeStream & Partial<Pick<DurableStream, 'passed'>> {
  if (target.offers.durability === undefined) return stream
  const flush = async (): Promise<void> => target.offers.durability?.flushed(signal)
  return reportsSnapshots(stream) ? new DurableSnapshots(stream, flush) : new DurableStream(stream, flush)
}

class DurableStream extends StreamWrapper {
  readonly #flush: () => Promise<void>
  #wanted: LogPosition | null = null
  #passing: Promise<void> | null = null
  #failure: { readonly error: unknown } | null = null

  constructor(stream: ChangeStream, flush: () => Promise<void>) {
    super(stream)
    this.#flush = flush
  }

  async next(waitMs: number): Promise<readonly Change[]> {
    if (this.#failure !== null) throw this.#failure.error
    return this.stream.next(waitMs)
  }

  override confirm(position: LogPosition): void {
    this.#wanted = position
    this.#passing ??= this.#pass()
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#passing
    await super[Symbol.asyncDispose]()
  }

  /** Resolves once every confirmed position has been passed on to the source. @throws errors of the flush */
  async passed(): Promise<void> {
    await this.#passing
    if (this.#failure !== null) throw this.#failure.error
  }

  async #pass(): Promise<void> {
    try {
      while (this.#wanted !== null) {
        const position = this.#wanted
        this.#wanted = null
        await this.#flush()
        this.stream.confirm(position)
      }
    } catch (error) {
      this.#failure ??= { error }
    } finally {
      // Nothing is awaited between the last test of `#wanted` and this line, so a later position begins a new pass.
      this.#passing = null
    }
  }
}

/** Returns no further changes before the earlier ones are confirmed. */
class DurableSnapshots extends DurableStream implements SnapshotStream {
  readonly notified: SnapshotStream

  constructor(stream: SnapshotStream, flush: () => Promise<void>) {
    super(stream, flush)
    this.notified = stream
  }

  override async next(waitMs: number): Promise<readonly Change[]> {
    await this.passed()
    return super.next(waitMs)
  }

  async snapshot(take: (changes: readonly Change[]) => Promise<void>): Promise<SourceView | null> {
    await this.passed()
    return this.notified.snapshot(take)
  }
}
