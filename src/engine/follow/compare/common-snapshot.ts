/**
 * A common snapshot of both sides: a snapshot of the source, and a view of the target with exactly the same rows. The
 * stream waits only until that view is open; the comparison runs while changes are applied.
 */
import type { Change, LogPosition } from '../../../model/copy/change.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { ChangeSource, ChangeStream } from '../../../model/follow/port.ts'
import { reportsSnapshots, type SnapshotStream } from '../../../model/follow/snapshot-port.ts'
import { changeBytes, isRow, MOST_BYTES } from '../../../model/copy/change-bytes.ts'
import type { ApplyWorkers } from '../apply/apply-workers.ts'
import { isVisible, snapshotOf, type VisibleTransactions } from './visible.ts'

/** Maximum number of changes that wait in memory until the target's view is open. */
const MAX_WAITING = 50_000
const MAX_WAITING_BYTES = 4 * MOST_BYTES
/** Timeout until the source has sent everything before the position that is to be reached. */
const ARRIVAL_MS = 30_000
const WAIT_MS = 20

export type ComparedSnapshot = AsyncDisposable & {
  readonly source: SourceView
  readonly target: SourceView
  /** Both views show all changes before this position. */
  readonly position: LogPosition
  /** How long changes had to wait, ms. */
  readonly pauseMs: number
}

export type SnapshotParts = {
  readonly from: CopyStore
  readonly to: CopyStore
  readonly changes: ChangeSource
  readonly applyWorkers: ApplyWorkers
  readonly stream: ChangeStream
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Called while both sides are at the snapshot, before anything newer is applied. */
  readonly atSnapshot?: () => void
}

/**
 * Why there was no common snapshot. `order`: in the log, a transaction outside of the snapshot comes before a
 * transaction inside of the snapshot; another snapshot may succeed.
 */
export type NoSnapshot = 'order' | 'many changes' | 'late'

/**
 * @returns the snapshot, or why there is none; in both cases the apply worker has every received change
 * @throws errors of the stores and of the apply worker
 */
export async function openComparedSnapshot(parts: SnapshotParts): Promise<ComparedSnapshot | NoSnapshot> {
  const { from, to, stream, signal } = parts
  const source = reportsSnapshots(stream) ? await applyShown(stream, parts) : await from.source(signal)
  if (source === null) return 'late'
  try {
    const got = await whileHalted(parts, source, () => {
      parts.atSnapshot?.()
      return to.source(signal)
    })
    if (typeof got === 'string') {
      await source[Symbol.asyncDispose]()
      return got
    }
    const { value: target, ...comparedSnapshot } = got
    const dispose = async (): Promise<void> => {
      await Promise.allSettled([source[Symbol.asyncDispose](), target[Symbol.asyncDispose]()])
    }
    return { ...comparedSnapshot, source, target, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await Promise.allSettled([source[Symbol.asyncDispose]()])
    throw error
  }
}

/**
 * Runs `body` while the target holds exactly what a view of the source shows; changes wait meanwhile.
 * @throws what the stores, the apply worker and `body` throw
 */
export async function atSnapshot<T>(
  parts: SnapshotParts,
  body: (source: SourceView) => Promise<T>,
): Promise<{ readonly value: T; readonly position: LogPosition; readonly pauseMs: number } | NoSnapshot> {
  const { from, stream, signal } = parts
  await using source = reportsSnapshots(stream) ? await applyShown(stream, parts) : await from.source(signal)
  return source === null ? 'late' : await whileHalted(parts, source, () => body(source))
}

/**
 * For a stream that reads by snapshots: applies everything that its next view shows. The stream reads newer changes
 * only when it is asked for them.
 */
async function applyShown(stream: SnapshotStream, { applyWorkers }: SnapshotParts): Promise<SourceView | null> {
  await applyWorkers.commit()
  return await stream.snapshot((changes) => applyWorkers.take(changes))
}

async function whileHalted<T>(
  parts: SnapshotParts,
  source: SourceView,
  body: () => Promise<T>,
): Promise<{ readonly value: T; readonly position: LogPosition; readonly pauseMs: number } | NoSnapshot> {
  const { changes, applyWorkers, stream, clock, signal } = parts
  if (reportsSnapshots(stream)) {
    const since = clock.ticks()
    await applyWorkers.commit()
    const value = await body()
    return { value, position: applyWorkers.applied, pauseMs: Math.round(clock.ticks() - since) }
  }
  const snapshot = snapshotOf(source.point.view)
  if (snapshot === null) throw new Error(`the source has no snapshot that names transactions: ${source.point.view}`)
  const halt = new SnapshotFilter(snapshot, applyWorkers, clock)
  const why = await halt.run(parts, await changes.fence(signal))
  if (why !== null) {
    await halt.release()
    return why
  }
  await applyWorkers.commit()
  const value = await body()
  const position = applyWorkers.applied
  await halt.release()
  return { value, position, pauseMs: halt.pauseMs }
}

/** Passes on transactions that a snapshot shows. Holds the first one that it does not show, and everything after it. */
class SnapshotFilter {
  readonly #snapshot: VisibleTransactions
  readonly #applyWorkers: ApplyWorkers
  readonly #clock: Clock
  readonly #waiting: Change[] = []
  #bytes = 0
  #since: number | null = null
  pauseMs = 0

  constructor(snapshot: VisibleTransactions, applyWorkers: ApplyWorkers, clock: Clock) {
    this.#snapshot = snapshot
    this.#applyWorkers = applyWorkers
    this.#clock = clock
  }

  /** @returns null once the apply worker has taken everything that the snapshot shows, and nothing else */
  async run({ stream, signal }: SnapshotParts, goalPosition: LogPosition): Promise<NoSnapshot | null> {
    if (!this.#applyWorkers.isShownBy(this.#snapshot)) return 'order'
    const until = this.#clock.ticks() + ARRIVAL_MS
    // An idle source sends nothing more if everything before that position is already taken.
    for (let reached = this.#applyWorkers.isBoundary && this.#applyWorkers.taken >= goalPosition; !reached;) {
      if (this.#clock.ticks() > until) return 'late'
      stream.ask()
      const changes = await stream.next(WAIT_MS)
      signal.throwIfAborted()
      for (const [i, change] of changes.entries()) {
        if (change.type === 'begin' && this.#since === null && !isVisible(change.xid, this.#snapshot))
          this.#since = this.#clock.ticks()
        if (this.#since === null) await this.#applyWorkers.take([change])
        else {
          this.#keepWaiting(change)
          if (change.type === 'begin' && isVisible(change.xid, this.#snapshot)) {
            changes.slice(i + 1).forEach((one) => this.#keepWaiting(one))
            return 'order'
          }
        }
        if (
          (change.type === 'commit' && change.end >= goalPosition) ||
          (change.type === 'idle' && change.position >= goalPosition)
        )
          reached = true
        if (change.type === 'begin' && change.commit >= goalPosition) reached = true
      }
      if (this.#waiting.length > MAX_WAITING || this.#bytes > MAX_WAITING_BYTES) return 'many changes'
      // Read on to the end of a transaction that was taken in part.
      if (reached && this.#since === null && !this.#applyWorkers.isBoundary) reached = false
    }
    return null
  }

  #keepWaiting(change: Change): void {
    this.#waiting.push(change)
    if (isRow(change)) this.#bytes += changeBytes(change)
  }

  /** Passes the held changes to the apply worker. */
  async release(): Promise<void> {
    if (this.#since !== null) this.pauseMs = Math.round(this.#clock.ticks() - this.#since)
    this.#since = null
    this.#bytes = 0
    await this.#applyWorkers.take(this.#waiting.splice(0))
  }
}
