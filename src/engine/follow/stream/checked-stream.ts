/** A stream that checks the source before it returns a TRUNCATE, or the first row of a new partition. */
import type { Change } from '../../../model/copy/change.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { ChangeStream } from '../../../model/follow/port.ts'
import { reportsSnapshots, type SnapshotStream } from '../../../model/follow/snapshot-port.ts'
import { StreamWrapper } from './stream-wrapper.ts'

/** @param inspect checks the source; the stream throws its errors */
export function checkedStream(stream: ChangeStream, inspect: () => Promise<void>): ChangeStream {
  return reportsSnapshots(stream) ? new CheckedSnapshots(stream, inspect) : new CheckedStream(stream, inspect)
}

class CheckedStream extends StreamWrapper {
  readonly #check: () => Promise<void>

  constructor(stream: ChangeStream, check: () => Promise<void>) {
    super(stream)
    this.#check = check
  }

  /** @throws what the stream and the check throw */
  async next(waitMs: number): Promise<readonly Change[]> {
    const changes = await this.stream.next(waitMs)
    await this.inspectedAt(changes)
    return changes
  }

  protected async inspectedAt(changes: readonly Change[]): Promise<void> {
    if (changes.some(({ type }) => type === 'truncate' || type === 'partition')) await this.#check()
  }
}

class CheckedSnapshots extends CheckedStream implements SnapshotStream {
  readonly notified: SnapshotStream

  constructor(stream: SnapshotStream, check: () => Promise<void>) {
    super(stream, check)
    this.notified = stream
  }

  snapshot(take: (changes: readonly Change[]) => Promise<void>): Promise<SourceView | null> {
    return this.notified.snapshot(async (changes) => {
      await this.inspectedAt(changes)
      await take(changes)
    })
  }
}
