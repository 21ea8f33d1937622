/**
 * How fast rows may go: a rate that a person sets, and one that halves when the target or the source says that it is too much, or answers slowly,
 * and grows again while all is well (additive increase, multiplicative decrease).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Latency } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import { SluiceError } from '../../../shared/errors.ts'

/** How long nothing changes after a halving, and after how many quiet seconds the rate grows by a twentieth of what it was. */
const COOL_DOWN_MS = 10_000
const QUIET_MS = 5_000
const SLOWEST = 50
/** A limit that the run has stayed below this many times over is none any more. */
const OUTGROWN = 1.5
/** Rows that may go at once after a pause: a second's worth. */
const BURST_SECONDS = 1

/** So long a batch may go on at its rate when the run is asked to stop, ms: what it has not written by then is given back. */
const STOP_MS = 3_000

/** How far a target that only answers slowly can push the rate down, of what it was. */
const LEAST_SHARE = 1 / 8

/** @param latency set where nobody complains, but answers take long */
export type Pressure = { readonly reason: string; readonly rate: number; readonly latency?: Latency }

export type ThrottleOptions = {
  readonly clock: Clock
  /** What a person has set; null for no limit. */
  readonly asked: () => number | null
  readonly onChange: (pressure: Pressure | null) => void
  /** Fires when no further chunk may begin. */
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
  /** Rows of the last seconds, for the rate at which trouble began. */
  #recent: { readonly at: number; rows: number }[] = []
  /** Whether the rate may go up again. */
  mayGrow = true
  /** Rows a second before any of the slowness that now is. */
  #unhurried: number | null = null
  #stoppedAt: number | null = null

  constructor(options: ThrottleOptions) {
    this.#options = options
    this.#filledAt = options.clock.ticks()
  }

  /** Rows a second that may go now; null for no limit. */
  get limit(): number | null {
    const asked = this.#options.asked()
    if (this.#limit === null) return asked
    return asked === null ? this.#limit : Math.min(asked, this.#limit)
  }

  /** Whether a target that only answers slowly can push it no further. */
  get isSlowest(): boolean {
    return this.#limit !== null && this.#unhurried !== null && this.#limit <= this.#least(this.#unhurried)
  }

  /** So many rows went, or are about to: with or without a limit. */
  moved(rows: number): void {
    const now = this.#options.clock.ticks()
    const last = this.#recent.at(-1)
    // Frames are many.
    if (last !== undefined && now - last.at < 100) last.rows += rows
    else this.#recent.push({ at: now, rows })
    while ((this.#recent[0]?.at ?? now) < now - COOL_DOWN_MS) this.#recent.shift()
  }

  /** So many more rows went than were taken, or fewer: they were guessed. What comes next waits for them. */
  settle(rows: number): void {
    this.moved(rows)
    if (this.limit !== null) this.#allowance -= rows
  }

  /**
   * As `take`, in parts of a second each, so that it is seen that a batch goes on, however slow the rate. Without a limit nothing waits.
   * @param left told after each part, and in the end, how many rows still wait
   * @throws SluiceError as `take`
   */
  async paced(rows: number, signal: AbortSignal, left: (rows: number) => void): Promise<void> {
    let rest = rows
    for (let limit = this.limit; limit !== null && rest > 0 && !signal.aborted; limit = this.limit) {
      const part = Math.min(rest, Math.max(1, limit * BURST_SECONDS))
      await this.take(part, signal)
      rest -= part
      if (rest > 0) left(rest)
    }
    left(0)
  }

  /**
   * Waits until so many rows may go; whoever came first goes first.
   * @throws SluiceError STOPPED where they may not go within three seconds after the run was asked to stop
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
      // Also while a large batch is being paid off, which may take longer than the trouble lasts.
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
      // A batch that is larger than all that may gather goes when as much as may gather is there, and is paid off afterwards.
      if (this.#allowance >= Math.min(rows, limit * BURST_SECONDS)) {
        this.#allowance -= rows
        return
      }
      if (signal.aborted) return
      this.#heedStop(now)
      const missing = Math.min(rows, limit * BURST_SECONDS) - this.#allowance
      await (this.#options.sleep ?? sleep)(Math.min(250, Math.max(5, (missing / limit) * 1000)))
    }
  }

  #heedStop(now: number): void {
    if (this.#options.stop?.aborted !== true) return
    this.#stoppedAt ??= now
    if (now - this.#stoppedAt < STOP_MS) return
    throw new SluiceError('STOPPED', 'at this rate the batch would have gone on for too long after the stop', {
      hint: 'the same command goes on with it',
    })
  }

  /**
   * The other side says that it is too much.
   * @param latency where it only answers slowly: that may have other causes than this copy, and pushes the rate down only so far
   */
  pressed(reason: string, latency?: Latency): void {
    const now = this.#options.clock.ticks()
    if (this.#limit !== null && now - this.#changedAt < COOL_DOWN_MS) return
    const rate = this.limit ?? this.#rate(now)
    if (latency !== undefined) this.#unhurried ??= rate
    const least = latency === undefined ? SLOWEST : this.#least(this.#unhurried ?? rate)
    const limit = Math.max(least, Math.floor(rate / 2))
    // Pushed as far as it goes: nothing changes, and nothing is told again.
    if (limit >= rate) return
    this.#before = rate
    this.#limit = limit
    this.#changedAt = now
    this.#options.onChange({ reason, rate: limit, ...(latency === undefined ? {} : { latency }) })
  }

  /** There is no limit any more but what a person has set. */
  lift(): void {
    if (this.#limit === null) return
    this.#limit = null
    this.#unhurried = null
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
    if (this.#limit >= this.#before * OUTGROWN) this.lift()
  }

  #rate(now: number): number {
    const first = this.#recent[0]
    if (first === undefined) return SLOWEST * 2
    const seconds = Math.max(1, (now - first.at) / 1000)
    return this.#recent.reduce((sum, { rows }) => sum + rows, 0) / seconds
  }
}
