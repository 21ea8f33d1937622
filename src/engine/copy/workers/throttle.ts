/**
 * Two rate limits for rows. The user sets one. The other is halved when target or source is overloaded or answers
 * slowly, and then grows again (additive increase, multiplicative decrease).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TargetLatency } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import { SluiceError } from '../../../shared/errors.ts'

/** Shortest time between two halvings of the rate, and from a halving to the first growth. */
const COOL_DOWN_MS = 10_000
/** Shortest time between two steps of growth; each step is a twentieth of the rate before the halving. */
const QUIET_MS = 5_000
const SLOWEST = 50
/** The limit is lifted once it has grown to this multiple of the rate before the halving. */
const LIFT_FACTOR = 1.5
/** After a pause, the rows of this many seconds may be sent at once. */
const BURST_SECONDS = 1

/** How long a batch may continue at its rate after a stop, ms; after that it fails with STOPPED. */
const STOP_MS = 3_000

/** If answers are only slow, the rate is not lowered below this share of the rate before they became slow. */
const LEAST_SHARE = 1 / 8

/** @property latency set if there is no error, only slow answers */
export type Slowdown = { readonly reason: string; readonly rate: number; readonly latency?: TargetLatency }

export type ThrottleOptions = {
  readonly clock: Clock
  /** The user's limit; null for none. */
  readonly requestedRate: () => number | null
  readonly onChange: (pressure: Slowdown | null) => void
  /** Aborted when no further chunk may begin. */
  readonly stop?: AbortSignal
  readonly sleep?: (ms: number) => Promise<unknown>
}

export class Throttle {
  readonly #options: ThrottleOptions
  #allowance = 0
  #filledAt: number
  #limit: number | null = null
  #before = 0
  #changedAt = 0
  #last: Promise<void> = Promise.resolve()
  /** Rows of the last seconds, for the rate at which the overload began. */
  #recent: { readonly at: number; rows: number }[] = []
  /** True if the rate may grow again. */
  mayGrow = true
  /** Rows per second before the current slowness. */
  #rateBeforeSlowness: number | null = null
  #stoppedAt: number | null = null
  /** Number of chunks whose rows wait. */
  #waiting = 0

  constructor(options: ThrottleOptions) {
    this.#options = options
    this.#filledAt = options.clock.ticks()
  }

  /** Current limit in rows per second; null for none. */
  get limit(): number | null {
    const asked = this.#options.requestedRate()
    if (this.#limit === null) return asked
    return asked === null ? this.#limit : Math.min(asked, this.#limit)
  }

  /** True if slow answers alone cannot lower the rate further. */
  get isSlowest(): boolean {
    return (
      this.#limit !== null && this.#rateBeforeSlowness !== null && this.#limit <= this.#least(this.#rateBeforeSlowness)
    )
  }

  /** Counts rows that were sent, or are about to be sent, with or without a limit. */
  countRows(rows: number): void {
    const now = this.#options.clock.ticks()
    const last = this.#recent.at(-1)
    // Merge, because frames are many.
    if (last !== undefined && now - last.at < 100) last.rows += rows
    else this.#recent.push({ at: now, rows })
    while ((this.#recent[0]?.at ?? now) < now - COOL_DOWN_MS) this.#recent.shift()
  }

  /**
   * Corrects an estimate. With a limit, later rows wait until the limit also allows these rows.
   * @param rows number of rows sent in addition to those passed to `take`; negative if fewer were sent
   */
  correct(rows: number): void {
    this.countRows(rows)
    if (this.limit !== null) this.#allowance -= rows
  }

  /**
   * As `take`, but in parts: each waiting chunk gets a part within a second, so that each chunk shows progress at any
   * rate. Without a limit no rows wait.
   * @param left called after each part, and at the end, with the number of rows that still wait
   * @throws SluiceError as `take`
   */
  async paced(rows: number, signal: AbortSignal, left: (rows: number) => void): Promise<void> {
    let rest = rows
    this.#waiting++
    try {
      for (let limit = this.limit; limit !== null && rest > 0 && !signal.aborted; limit = this.limit) {
        const part = Math.min(rest, Math.max(1, (limit * BURST_SECONDS) / this.#waiting))
        await this.take(part, signal)
        rest -= part
        if (rest > 0) left(rest)
      }
    } finally {
      this.#waiting--
    }
    left(0)
  }

  /**
   * Waits until this many rows may be sent, in the order of calls.
   * @throws SluiceError STOPPED if the limit does not allow them within three seconds after a stop
   */
  async take(rows: number, signal: AbortSignal): Promise<void> {
    const before = this.#last
    let go: () => void = () => undefined
    this.#last = new Promise((resolve) => (go = resolve))
    await before
    try {
      await this.#take(rows, signal)
    } finally {
      go()
    }
  }

  async #take(rows: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      // Grow also while a large batch waits: this may take longer than the overload lasts.
      this.#grow()
      const limit = this.limit
      const now = this.#options.clock.ticks()
      if (limit === null) {
        this.#filledAt = now
        this.#allowance = 0
        return
      }
      this.#allowance = Math.min(limit * BURST_SECONDS, this.#allowance + ((now - this.#filledAt) / 1000) * limit)
      this.#filledAt = now
      // A batch larger than the burst is sent once the full burst is available. Later rows then wait for the excess.
      if (this.#allowance >= Math.min(rows, limit * BURST_SECONDS)) {
        this.#allowance -= rows
        return
      }
      if (signal.aborted) return
      this.honourStop(now)
      const missing = Math.min(rows, limit * BURST_SECONDS) - this.#allowance
      await (this.#options.sleep ?? sleep)(Math.min(250, Math.max(5, (missing / limit) * 1000)))
    }
  }

  honourStop(now: number): void {
    if (this.#options.stop?.aborted !== true) return
    this.#stoppedAt ??= now
    if (now - this.#stoppedAt < STOP_MS) return
    throw new SluiceError('STOPPED', 'the batch was stopped, because it would have taken too long at this rate', {
      hint: 'run the same command to continue',
    })
  }

  /**
   * Call when a server is overloaded: halves the rate, at most once in `COOL_DOWN_MS`.
   * @param latency set if the server only answers slowly: other causes are possible, so the rate is not lowered below
   * `LEAST_SHARE` of the earlier rate
   */
  slowDown(reason: string, latency?: TargetLatency): void {
    const now = this.#options.clock.ticks()
    if (this.#limit !== null && now - this.#changedAt < COOL_DOWN_MS) return
    const rate = this.limit ?? this.#rate(now)
    if (latency !== undefined) this.#rateBeforeSlowness ??= rate
    const least = latency === undefined ? SLOWEST : this.#least(this.#rateBeforeSlowness ?? rate)
    const limit = Math.max(least, Math.floor(rate / 2))
    // At the lowest rate: nothing changes, and nothing is reported again.
    if (limit >= rate) return
    this.#before = rate
    this.#limit = limit
    this.#changedAt = now
    this.#options.onChange({ reason, rate: limit, ...(latency === undefined ? {} : { latency }) })
  }

  /** Removes every limit except the user's. */
  lift(): void {
    if (this.#limit === null) return
    this.#limit = null
    this.#rateBeforeSlowness = null
    this.#options.onChange(null)
  }

  #least(rate: number): number {
    return Math.max(SLOWEST, Math.floor(rate * LEAST_SHARE))
  }

  #grow(): void {
    if (this.#limit === null || !this.mayGrow) return
    const now = this.#options.clock.ticks()
    if (now - this.#changedAt < QUIET_MS + (this.#limit * 2 <= this.#before ? COOL_DOWN_MS - QUIET_MS : 0)) return
    this.#changedAt = now
    this.#limit += Math.max(SLOWEST, Math.floor(this.#before / 20))
    if (this.#limit >= this.#before * LIFT_FACTOR) this.lift()
  }

  #rate(now: number): number {
    const first = this.#recent[0]
    if (first === undefined) return SLOWEST * 2
    const seconds = Math.max(1, (now - first.at) / 1000)
    return this.#recent.reduce((sum, { rows }) => sum + rows, 0) / seconds
  }
}
