/**
 * How long a target takes for what it is given, against what is usual: a copy that slows its target down for everybody else should go slower itself.
 * What is usual is learned from the copy's own seconds, and only from calm ones.
 */
import type { Clock } from '../../../shared/clock.ts'

/** Samples that count for how it is now. */
const WINDOW_MS = 10_000
const FEWEST = 5
/** Where little is written, older ones count too, up to here. */
const OLDEST_MS = 120_000
const MOST = 4096
/** Calm ticks that have to be seen before anything is called slow, and that make up what is usual. */
const LEARNED = 10
const REMEMBERED = 60
/** So many times what is usual is slow, when it lasts for some ticks; below so many times it is calm again. */
const SLOW = 4
const CALM = 2
const SLOW_TICKS = 3
const CALM_TICKS = 5

export class Latency {
  readonly #clock: Clock
  readonly #fine: number
  #samples: { readonly at: number; readonly cost: number }[] = []
  #calm: number[] = []
  #above = 0
  #below = 0
  /** What 95 of 100 samples of the last seconds stayed below; null while there are too few. */
  p95: number | null = null
  isSlow = false

  /** @param fine a cost that harms nobody, however unusual it is */
  constructor(clock: Clock, fine: number) {
    this.#clock = clock
    this.#fine = fine
  }

  /** The usual p95; null before it is known. */
  get baseline(): number | null {
    return this.#calm.length < LEARNED ? null : quantile(this.#calm, 0.5)
  }

  note(cost: number): void {
    this.#samples.push({ at: this.#clock.ticks(), cost })
    if (this.#samples.length > MOST) this.#samples.splice(0, MOST / 2)
  }

  /** To be called once a second. */
  tick(): void {
    const now = this.#clock.ticks()
    const least = this.#samples.length - FEWEST
    this.#samples = this.#samples.filter(({ at }, i) => at > now - (i < least ? WINDOW_MS : OLDEST_MS))
    if (this.#samples.length < FEWEST) {
      // Of what is not written nothing can be said.
      this.p95 = null
      this.isSlow = false
      return
    }
    const p95 = quantile(
      this.#samples.map(({ cost }) => cost),
      0.95,
    )
    this.p95 = p95
    const { baseline } = this
    if (baseline === null) return this.#learn(p95)
    if (p95 <= Math.max(this.#fine, baseline * CALM)) {
      this.#learn(p95)
      this.#above = 0
      if (++this.#below >= CALM_TICKS) this.isSlow = false
      return
    }
    this.#below = 0
    this.#above = p95 > Math.max(this.#fine, baseline * SLOW) ? this.#above + 1 : 0
    if (this.#above >= SLOW_TICKS) this.isSlow = true
  }

  /** How it is now is what is usual from now on. */
  accept(): void {
    this.#calm = []
    this.isSlow = false
    this.#above = 0
  }

  #learn(p95: number): void {
    this.#calm.push(p95)
    if (this.#calm.length > REMEMBERED) this.#calm.shift()
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
