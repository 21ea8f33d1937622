/** Totals of a shared run from the ledger: task reports would count a killed task's chunks twice, or lose them. */
import type { LedgerTotals } from '../../../model/share/distributed.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { SharedTables } from '../ledger/shared-tables.ts'

/** Between two reads, ms. */
const EVERY_MS = 5_000
/** Summing millions of chunks takes seconds: reads take at most this share of the time. */
const PART = 1 / 50

export class SharedCount {
  readonly #shared: SharedTables
  readonly #report: (totals: LedgerTotals) => void
  readonly #clock: Clock
  #timer: NodeJS.Timeout | null = null
  #reading: Promise<void> = Promise.resolve()
  #isOver = false

  /** Reads at once, so that a worker killed within seconds leaves a reading too, and every five seconds until `end`. */
  constructor(shared: SharedTables, report: (totals: LedgerTotals) => void, clock: Clock) {
    this.#shared = shared
    this.#report = report
    this.#clock = clock
    this.#reading = this.#readAndWait()
  }

  /** Reads once more, after this execution's last chunk. An unreachable ledger is no failure: the next one reads it. */
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
    // A failed read does not show how long summing takes.
    const tookMs = (await this.#read()) ? this.#clock.ticks() - from : 0
    if (!this.#isOver) this.#wait(Math.max(EVERY_MS, tookMs / PART))
  }

  /** @returns false if the ledger did not answer */
  async #read(): Promise<boolean> {
    try {
      this.#report(await this.#shared.totals())
      return true
    } catch {
      return false
    }
  }
}
