/**
 * Totals of a distributed run from the ledger: reports of tasks would count chunks of a killed task twice, or not at
 * all.
 */
import type { LedgerTotals } from '../../../model/share/distributed.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { SharedTables } from '../ledger/shared-tables.ts'

/** Pause between two reads, ms. */
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
  /** Duration of the read before, ms. */
  #beforeMs = 0

  /**
   * Reads at once, so that totals are reported even if the worker is killed within seconds, then every five seconds
   * until `end`.
   */
  constructor(shared: SharedTables, report: (totals: LedgerTotals) => void, clock: Clock) {
    this.#shared = shared
    this.#report = report
    this.#clock = clock
    this.#reading = this.#readAndWait()
  }

  /**
   * Reads once more, after this execution's last chunk. An unreachable ledger is no failure: the next execution reads
   * it.
   */
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
    // One slow read may have waited for a server that was away, or for this program while it stood still.
    const summedMs = Math.min(tookMs, this.#beforeMs)
    this.#beforeMs = tookMs
    if (!this.#isOver) this.#wait(Math.max(EVERY_MS, summedMs / PART))
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
