/** How far the comparison of one table is: rows, ranges of keys, and what was found. */
import { dec, type Emit, type EventBody } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'

type Step = Extract<EventBody, { type: 'diff.progress' }>['step']

const TOLD_EVERY_MS = 250
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
  #looked = 0n
  #toldAt = Number.NEGATIVE_INFINITY

  /** @param extent what there is to compare, as far as is known */
  constructor(table: string, extent: DiffExtent, emit: Emit<'diff.progress'>, clock: Clock) {
    this.#table = table
    this.#extent = extent
    this.#emit = emit
    this.#clock = clock
    this.#left = extent.ranges
    this.step('comparing')
  }

  /** A range whose sums differ is looked at in about so many pieces. */
  divided(pieces: number): void {
    this.#left += Math.max(1, pieces) - 1
  }

  /** A range is compared; `rows` of the source that were not told of before. */
  settled(rows: bigint): void {
    this.#ranges++
    this.#left = Math.max(0, this.#left - 1)
    this.compared(rows)
  }

  compared(rows: bigint): void {
    this.#rows += rows
    const now = this.#clock.ticks()
    if (now - this.#toldAt < TOLD_EVERY_MS) return
    this.#toldAt = now
    this.#tell('comparing')
  }

  /** So many more rows of the target were looked up in the source; nothing else says how far that is, and it takes as long as everything before. */
  lookedUp(rows: number): void {
    this.#looked += BigInt(rows)
    const now = this.#clock.ticks()
    if (now - this.#toldAt < TOLD_EVERY_MS) return
    this.#toldAt = now
    this.#tell(EXTRA)
  }

  found(): void {
    this.#differences++
  }

  /** @param differences as they are known now, where some have gone away */
  step(step: Step, differences = this.#differences): void {
    this.#differences = differences
    if (step !== 'comparing') this.#left = 0
    this.#tell(step)
  }

  #tell(step: Step): void {
    const { estimated } = this.#extent
    // By then every row of the source is compared, and an estimate is none any more.
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
      ...(step === EXTRA ? { looked: dec(this.#looked) } : {}),
    })
  }
}
