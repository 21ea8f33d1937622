/**
 * Compares the latency of a target with its usual latency: a copy must slow down if it slows the target down for other
 * programs. The usual latency is learned from the copy's own samples, and only in calm phases.
 */
import type { Clock } from '../../../shared/clock.ts'

/** Maximum age of samples for the current latency. */
const WINDOW_MS = 10_000
/** Minimum number of samples for a percentile. */
const MIN_SAMPLES = 5
/** With few writes, older samples are used too, up to this age. */
const OLDEST_MS = 120_000
/** Maximum number of samples that are kept. */
const MAX_SAMPLES = 4096
/** Calm ticks that are needed before the usual latency is known. Until then the target never counts as slow. */
const LEARNING_TICKS = 10
/** Calm ticks that are kept, from which the usual latency is computed. */
const KEPT_TICKS = 60
/**
 * The target becomes slow after SLOW_TICKS ticks in a row above SLOW_FACTOR times the usual latency. It is no longer
 * slow after CALM_TICKS ticks in a row at or below CALM_FACTOR times the usual latency.
 */
const SLOW_FACTOR = 4
const CALM_FACTOR = 2
const SLOW_TICKS = 3
const CALM_TICKS = 5

export class LatencyMeter {
  readonly #clock: Clock
  readonly #acceptable: number
  #samples: { readonly at: number; readonly cost: number }[] = []
  #calm: number[] = []
  #above = 0
  #below = 0
  /** The 95th percentile of recent samples; null while there are too few. */
  p95: number | null = null
  isSlow = false

  /** @param fine cost, in the unit of `note`, up to which the target is never slow */
  constructor(clock: Clock, fine: number) {
    this.#clock = clock
    this.#acceptable = fine
  }

  /** The usual p95; null until known. */
  get baseline(): number | null {
    return this.#calm.length < LEARNING_TICKS ? null : quantile(this.#calm, 0.5)
  }

  note(cost: number): void {
    this.#samples.push({ at: this.#clock.ticks(), cost })
    if (this.#samples.length > MAX_SAMPLES) this.#samples.splice(0, MAX_SAMPLES / 2)
  }

  /** Call once a second. */
  tick(): void {
    const now = this.#clock.ticks()
    const least = this.#samples.length - MIN_SAMPLES
    this.#samples = this.#samples.filter(({ at }, i) => at > now - (i < least ? WINDOW_MS : OLDEST_MS))
    if (this.#samples.length < MIN_SAMPLES) {
      // There are too few writes for a result.
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
    if (p95 <= Math.max(this.#acceptable, baseline * CALM_FACTOR)) {
      this.#learn(p95)
      this.#above = 0
      if (++this.#below >= CALM_TICKS) this.isSlow = false
      return
    }
    this.#below = 0
    this.#above = p95 > Math.max(this.#acceptable, baseline * SLOW_FACTOR) ? this.#above + 1 : 0
    if (this.#above >= SLOW_TICKS) this.isSlow = true
  }

  /** Forgets the usual latency; the following samples define it. */
  accept(): void {
    this.#calm = []
    this.isSlow = false
    this.#above = 0
  }

  #learn(p95: number): void {
    this.#calm.push(p95)
    if (this.#calm.length > KEPT_TICKS) this.#calm.shift()
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
