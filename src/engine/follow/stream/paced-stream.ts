/**
 * A stream with a rate limit (changes per second) or a pause. Whole transactions are held back, never a part of one: a
 * transaction larger than the rate passes immediately, and later ones wait for it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Change } from '../../../model/copy/change.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { ChangeStream } from '../../../model/follow/port.ts'
import { reportsSnapshots } from '../../../model/follow/snapshot-port.ts'
import { StreamWrapper } from './stream-wrapper.ts'

const NOTHING: readonly Change[] = []
/** After a pause, the changes of this many seconds may pass without delay. */
const BURST_SECONDS = 1

export type StreamPace = {
  /** Changed rows per second; null for no limit. */
  readonly rate: () => number | null
  readonly isPaused: () => boolean
  readonly clock: Clock
}

export class PacedStream extends StreamWrapper {
  readonly #pace: StreamPace
  /**
   * True for a stream that reads only on request, and keeps a snapshot and locks of the source until all is sent.
   * During a pause nothing is requested, so nothing has to be held back.
   */
  readonly #isLazy: boolean
  #held: readonly Change[] = []
  /** True if the last returned changes end within a transaction. */
  #isOpen = false
  #allowance = 0
  #filledAt: number

  constructor(stream: ChangeStream, pace: StreamPace) {
    super(stream)
    this.#pace = pace
    this.#isLazy = reportsSnapshots(stream)
    this.#filledAt = pace.clock.ticks()
  }

  /** True if a received transaction is held back. */
  get isHolding(): boolean {
    return this.#held.length > 0
  }

  /** True if nothing is requested, so it is unknown whether changes wait. */
  get isReadingPaused(): boolean {
    return this.#isLazy && !this.#isOpen && this.#isBlocked()
  }

  /** Commit time of the first transaction that is held back, ms since the epoch by the source's clock; null if none. */
  get heldMs(): number | null {
    const [first] = this.#held
    return first?.type === 'begin' ? first.at : null
  }

  /** The stream without limit or pause, to wait for a position. @throws Error if earlier changes are held back */
  get unpaced(): ChangeStream {
    if (this.isHolding) throw new Error('earlier changes that the rate limit or a pause holds back are not yet applied')
    return this.stream
  }

  async next(waitMs: number): Promise<readonly Change[]> {
    if (this.isReadingPaused) {
      await sleep(waitMs)
      return []
    }
    if (this.#held.length === 0) this.#held = await this.stream.next(waitMs)
    const given = this.#released()
    if (given.length === 0 && this.#held.length > 0) await sleep(waitMs)
    return given
  }

  #released(): readonly Change[] {
    this.#fill()
    const rate = this.#pace.rate()
    const held = this.#held
    let at = 0
    for (; at < held.length; at++) {
      const change = held[at] as Change
      // An open transaction passes to its end; changes outside of transactions do not count for the rate limit.
      if (change.type === 'begin') {
        if (!this.#isLazy && (this.#pace.isPaused() || (rate !== null && this.#allowance <= 0))) break
        this.#isOpen = true
      } else if (change.type === 'commit') this.#isOpen = false
      else if (this.#isOpen && change.type !== 'idle') this.#allowance -= 1
    }
    this.#held = at === held.length ? NOTHING : held.slice(at)
    return at === held.length ? held : held.slice(0, at)
  }

  /** True if no transaction may begin now. */
  #isBlocked(): boolean {
    this.#fill()
    return this.#pace.isPaused() || (this.#pace.rate() !== null && this.#allowance <= 0)
  }

  #fill(): void {
    const [rate, now] = [this.#pace.rate(), this.#pace.clock.ticks()]
    const more = rate === null ? 0 : ((now - this.#filledAt) / 1000) * rate
    this.#allowance = rate === null ? 0 : Math.min(rate * BURST_SECONDS, this.#allowance + more)
    this.#filledAt = now
  }
}
