/** Reports what the ledger has of a run that workers share: sums of what single slots reported would count twice, or lose, the chunks of a killed one. */
import type { LedgerTotals } from '../../../model/share/distributed.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { SharedTables } from '../ledger/shared-tables.ts'

/** Between two readings, ms. */
const EVERY_MS = 5_000
/** A ledger of millions of chunks takes seconds to add up: reading takes at most this part of the time. */
const PART = 1 / 50

export class SharedCount {
  readonly #shared: SharedTables
  readonly #report: (totals: LedgerTotals) => void
  readonly #clock: Clock
  #timer: NodeJS.Timeout | null = null
  #reading: Promise<void> = Promise.resolve()
  #isOver = false

  /** Reads every five seconds until `end`. */
  constructor(shared: SharedTables, report: (totals: LedgerTotals) => void, clock: Clock) {
    this.#shared = shared
    this.#report = report
    this.#clock = clock
    this.#wait(EVERY_MS)
  }

  /** Reads once more, behind the last chunk of this turn. A ledger that is away is no failure: the next turn reads it. */
  async end(): Promise<void> {
    this.#isOver = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#reading
    await this.#read()
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => void (this.#reading = this.#readAndWait()), ms).unref()
  }

  async #readAndWait(): Promise<void> {
    const from = this.#clock.ticks()
    // How long a ledger that is away was waited for says nothing of how long it takes to add up.
    const tookMs = (await this.#read()) ? this.#clock.ticks() - from : 0
    if (!this.#isOver) this.#wait(Math.max(EVERY_MS, tookMs / PART))
  }

  /** @returns whether the ledger has answered */
  async #read(): Promise<boolean> {
    try {
      this.#report(await this.#shared.totals())
      return true
    } catch {
      return false
    }
  }
}
