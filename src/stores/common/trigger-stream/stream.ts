/** Replication stream of changes that triggers have noted, round by round. */
import { performance } from 'node:perf_hooks'
import type { Change, LogPosition } from '../../../model/copy/change.ts'
import { restUnder, throwIfAborted } from '../../../shared/abort.ts'
import type { SourceView } from '../../../model/copy/source-port.ts'
import type { SnapshotStream } from '../../../model/follow/snapshot-port.ts'
import type { StreamRound, Rounds, RoundChanges } from './rounds.ts'

/** Shortest and longest pause (ms) before the notes are read again, if there were none. */
const [FIRST_REST_MS, MOST_REST_MS] = [20, 200]

export class TriggerStream implements SnapshotStream {
  readonly #rounds: Rounds
  readonly #signal: AbortSignal
  #reporting: RoundChanges | null = null
  /** An emitted round that is not durable in the target yet, with its position. */
  notified: { readonly round: StreamRound; readonly position: LogPosition } | null = null
  #forgetting: Promise<void> | null = null
  #last: LogPosition
  #end: LogPosition
  #restMs = FIRST_REST_MS
  /** When the latest check that found no notes began; null if there was none. */
  #emptyAt: number | null = null

  /** @param rounds closed with the stream @param from durable position in the target */
  constructor(rounds: Rounds, from: LogPosition, signal: AbortSignal) {
    this.#rounds = rounds
    this.#signal = signal
    this.#last = from
    this.#end = from
  }

  get end(): LogPosition {
    return this.#end
  }

  get emptyForMs(): number | null {
    return this.#emptyAt === null ? null : performance.now() - this.#emptyAt
  }

  async next(waitMs: number): Promise<readonly Change[]> {
    const until = performance.now() + waitMs
    return await this.#rounds.guarded(async () => {
      for (;;) {
        throwIfAborted(this.#signal)
        await this.#forgotten()
        // The notes of the emitted round still exist: another round would emit the same changes again.
        if (this.notified !== null) return []
        if (this.#reporting !== null) {
          const { value, done } = await this.#reporting.next()
          if (done !== true) return value
          this.#reporting = null
          // Null: a table is unavailable. Returns without waiting for the table, because the caller has other work.
          return value === null ? [] : this.#ended(value)
        }
        const idle = await this.#checkNotes()
        if (this.#reporting !== null) continue
        const left = until - performance.now()
        if (left > 0) await restUnder(this.#signal, Math.min(left, this.#rest()))
        if (idle !== null) return [{ type: 'idle', position: idle }]
        if (left <= 0) return []
      }
    })
  }

  async snapshot(take: (changes: readonly Change[]) => Promise<void>): Promise<SourceView | null> {
    return await this.#rounds.guarded(async () => {
      await this.#forgotten()
      if (this.notified !== null || this.#reporting !== null) throw new Error('a snapshot begins between two rounds')
      const telling = this.#rounds.report(true)
      try {
        for (;;) {
          throwIfAborted(this.#signal)
          const { value, done } = await telling.next()
          if (done !== true) await take(value)
          else if (value === null) return null
          else return await this.#viewed(value, take)
        }
      } finally {
        await telling.return(null)
      }
    })
  }

  confirm(position: LogPosition): void {
    const reported = this.notified
    if (reported === null || position < reported.position || this.#forgetting !== null) return
    this.#forgetting = reported.round.forget(reported.position)
    // The next call of `next` or `snapshot` awaits this promise, and throws its error.
    this.#forgetting.catch(() => undefined)
  }

  ask(): void {
    this.#restMs = FIRST_REST_MS
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#forgetting?.catch(() => undefined)
    await this.#reporting?.return(null).catch(() => undefined)
    await this.#rounds.close()
  }

  async #viewed(round: StreamRound, take: (changes: readonly Change[]) => Promise<void>): Promise<SourceView> {
    const view = await round.view()
    try {
      await take(this.#ended(round))
      return view
    } catch (error) {
      await view[Symbol.asyncDispose]()
      throw error
    }
  }

  async #forgotten(): Promise<void> {
    if (this.#forgetting === null) return
    await this.#forgetting
    this.#forgetting = null
    this.notified = null
  }

  /** The last change of a round: its commit, or `idle` if it was empty. */
  #ended(round: StreamRound): readonly Change[] {
    this.#restMs = FIRST_REST_MS
    if (round.isEmpty) return [{ type: 'idle', position: this.#last }]
    if (round.position > this.#last) this.#last = round.position
    this.notified = { round, position: this.#last }
    return [{ type: 'commit', end: this.#last }]
  }

  /** Begins a round if something is noted. Else returns the position of the source if it has moved, or null. */
  async #checkNotes(): Promise<LogPosition | null> {
    const at = performance.now()
    const { end, isNoted, idle } = await this.#rounds.state()
    this.#end = end
    if (!isNoted) this.#emptyAt = at
    if (isNoted) {
      this.#reporting = this.#rounds.report(false)
      return null
    }
    if (idle <= this.#last) return null
    this.#last = idle
    return idle
  }

  #rest(): number {
    const rest = this.#restMs
    this.#restMs = Math.min(rest * 2, MOST_REST_MS)
    return rest
  }
}
