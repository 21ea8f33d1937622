/** Progress of the comparison of one table: rows, key ranges, differences found. */
import { dec, type Emit, type EventBody } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'

type Step = Extract<EventBody, { type: 'diff.progress' }>['step']

const REPORT_EVERY_MS = 250
export const EXTRA = 'looking for extra rows'

export type DiffExtent = { readonly rows: bigint; readonly estimated: boolean; readonly ranges: number }

export class DiffProgress {
  readonly #table: string
  readonly #extent: DiffExtent
  readonly #emit: Emit<'diff.progress'>
  readonly #clock: Clock
  #rows = 0n
  #ranges = 0
  #left: number
  #differences = 0
  seen = 0n
  reportedAt = Number.NEGATIVE_INFINITY

  /** @param extent rows and ranges to compare, as far as known */
  constructor(table: string, extent: DiffExtent, emit: Emit<'diff.progress'>, clock: Clock) {
    this.#table = table
    this.#extent = extent
    this.#emit = emit
    this.#clock = clock
    this.#left = extent.ranges
    this.step('comparing')
  }

  /** Call when a range with different checksums is divided. @param pieces approximate number of pieces */
  divided(pieces: number): void {
    this.#left += Math.max(1, pieces) - 1
  }

  /** Call when a range is compared. @param rows rows of the source that were not reported before */
  settled(rows: bigint): void {
    this.#ranges++
    this.#left = Math.max(0, this.#left - 1)
    this.compared(rows)
  }

  compared(rows: bigint): void {
    this.#rows += rows
    const now = this.#clock.ticks()
    if (now - this.reportedAt < REPORT_EVERY_MS) return
    this.reportedAt = now
    this.report('comparing')
  }

  /**
   * Counts rows of the target that were searched for in the source, and reports them: the search takes about as long as
   * all earlier steps.
   */
  addSearched(rows: number): void {
    this.seen += BigInt(rows)
    const now = this.#clock.ticks()
    if (now - this.reportedAt < REPORT_EVERY_MS) return
    this.reportedAt = now
    this.report(EXTRA)
  }

  /** Counts a difference. */
  found(): void {
    this.#differences++
  }

  /** @param differences new number of differences, given if some rows no longer differ */
  step(step: Step, differences = this.#differences): void {
    this.#differences = differences
    if (step !== 'comparing') this.#left = 0
    this.report(step)
  }

  report(step: Step): void {
    const { estimated } = this.#extent
    // In this step all rows of the source are compared already, so use their number instead of the estimate.
    const rows = step === EXTRA ? this.#rows : this.#extent.rows
    this.#emit({
      type: 'diff.progress',
      table: this.#table,
      step,
      done: dec(this.#rows),
      total: dec(rows > this.#rows ? rows : this.#rows),
      estimated: estimated && step === 'comparing',
      ranges: dec(this.#ranges),
      left: dec(this.#left),
      differences: dec(this.#differences),
      ...(step === EXTRA ? { looked: dec(this.seen) } : {}),
    })
  }
}
