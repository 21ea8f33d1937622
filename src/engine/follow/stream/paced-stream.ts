/**
 * A stream that somebody holds back: by a rate of changes a second, or until it is let go on. Whole transactions are held, and never a part of one: those that are
 * larger than the rate go at once, and are paid off behind them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Change } from '../../../model/copy/change.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { ChangeStream } from '../../../model/follow/port.ts'
import { tellsMoments } from '../../../model/follow/moment-port.ts'
import { StreamBehind } from './stream-behind.ts'

const NOTHING: readonly Change[] = []
/** Changes that may go at once after a rest: a second's worth. */
const BURST_SECONDS = 1

export type Pace = {
  /** Changed rows a second; null for no limit. */
  readonly rate: () => number | null
  readonly isPaused: () => boolean
  readonly clock: Clock
}

export class PacedStream extends StreamBehind {
  readonly #pace: Pace
  /** Begins to read when it is asked, and holds a snapshot and locks of the source until it has told all: so it is not asked, and what it tells is not held. */
  readonly #isLazy: boolean
  #held: readonly Change[] = []
  /** Whether what was given out last ends within a transaction. */
  #isOpen = false
  #allowance = 0
  #filledAt: number

  constructor(stream: ChangeStream, pace: Pace) {
    super(stream)
    this.#pace = pace
    this.#isLazy = tellsMoments(stream)
    this.#filledAt = pace.clock.ticks()
  }

  /** Whether a transaction has come that is held back. */
  get isHolding(): boolean {
    return this.#held.length > 0
  }

  /** Whether nothing is asked for, so that nobody knows what would come. */
  get isShut(): boolean {
    return this.#isLazy && !this.#isOpen && this.#mayNotBegin()
  }

  /** When the first transaction that is held back was committed, ms since the epoch by the clock of the source; null where none is. */
  get heldMs(): number | null {
    const [first] = this.#held
    return first?.type === 'begin' ? first.at : null
  }

  /** The stream itself, for whoever waits for a position. @throws Error where something is held back, which comes before it */
  get unpaced(): ChangeStream {
    if (this.isHolding) throw new Error('what is held back comes before what the stream gives now')
    return this.stream
  }

  async next(waitMs: number): Promise<readonly Change[]> {
    if (this.isShut) {
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
      // What is open is given to its end; what is no transaction costs nothing.
      if (change.type === 'begin') {
        if (!this.#isLazy && (this.#pace.isPaused() || (rate !== null && this.#allowance <= 0))) break
        this.#isOpen = true
      } else if (change.type === 'commit') this.#isOpen = false
      else if (this.#isOpen && change.type !== 'idle') this.#allowance -= 1
    }
    this.#held = at === held.length ? NOTHING : held.slice(at)
    return at === held.length ? held : held.slice(0, at)
  }

  /** Whether no transaction may begin now. */
  #mayNotBegin(): boolean {
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
