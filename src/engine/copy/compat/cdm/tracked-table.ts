/**
 * Records one run over one table in `cdm_run_info` and `cdm_run_details`. Changes of ranges are written together after
 * a short delay, and all of them before the run ends. Changes that a killed process did not write are read from the
 * ledger by the next run.
 */
import type { TokenRange } from '../../../../model/copy/ring.ts'
import type { RunType, TrackedRange, TrackStatus, TrackStore } from '../../../../model/copy/track-port.ts'
import { runInfo, sumCounts, type CdmCounts } from './run-info.ts'

/** Longest delay before a change is written, in milliseconds: changes within this time are written together. */
const WAIT_MS = 250

export type TrackedTableOptions = {
  readonly store: TrackStore
  /** Name of the table without a schema. */
  readonly table: string
  readonly runId: bigint
  readonly type: RunType
  /** Id of the earlier run; 0 for none. */
  readonly previous: bigint
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Called when the tables cannot be written; the changes are tried again. */
  readonly onTrouble: (error: unknown) => void
}

export class TrackedTable {
  readonly #options: TrackedTableOptions
  readonly #ranges = new Map<bigint, TrackedRange>()
  readonly #counts = new Map<bigint, CdmCounts>()
  readonly #dirty = new Set<bigint>()
  #started = 0
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> = Promise.resolve()

  constructor(options: TrackedTableOptions) {
    this.#options = options
  }

  get runId(): bigint {
    return this.#options.runId
  }

  get previous(): bigint {
    return this.#options.previous
  }

  /** Number of recorded ranges. */
  get size(): number {
    return this.#ranges.size
  }

  /** Writes the run and all of its ranges. @throws SluiceError errors of the target */
  async begin(ranges: readonly TokenRange[]): Promise<void> {
    const { store, table, runId, now } = this.#options
    this.#started = now()
    await this.#putRun('NOT_STARTED')
    for (const { low, high } of ranges)
      this.#ranges.set(low, { low, high, status: 'NOT_STARTED', info: null, started: null })
    await store.putRanges(table, runId, [...this.#ranges.values()])
    this.#started = now()
    await this.#putRun('STARTED')
  }

  /** Call when a worker has taken the range. */
  started(range: TokenRange): void {
    this.#set(range, 'STARTED', null, this.#options.now())
  }

  /** Call when the worker has released the range: its rows have to be copied again. */
  released(range: TokenRange): void {
    this.#set(range, 'NOT_STARTED', null, null)
  }

  ended(range: TokenRange, status: 'PASS' | 'FAIL' | 'DIFF' | 'DIFF_CORRECTED', counts: CdmCounts): void {
    this.#counts.set(range.low, counts)
    const failed = status === 'FAIL'
    this.#set(range, status, runInfo(this.#options.type, counts, failed ? 0 : 1, failed ? 1 : 0), null)
  }

  /** Current ranges, ascending. */
  ranges(): readonly TrackedRange[] {
    return [...this.#ranges.values()].toSorted((a, b) => (a.low < b.low ? -1 : 1))
  }

  /** Counters of all ended ranges. */
  totals(): { readonly counts: CdmCounts; readonly passed: number; readonly failed: number } {
    const ranges = [...this.#ranges.values()]
    const passed = ranges.filter(({ status }) => ['PASS', 'DIFF', 'DIFF_CORRECTED'].includes(status)).length
    const failed = ranges.filter(({ status }) => status === 'FAIL').length
    return { counts: sumCounts(this.#counts.values()), passed, failed }
  }

  /**
   * Writes pending changes and the end of the run. The run becomes ENDED even if ranges failed. A run that was stopped
   * before all of its ranges were done stays STARTED.
   * @param elsewhere lower bounds of ranges that another run completed: this run may end without them
   * @throws SluiceError errors of the target
   */
  async end(elsewhere: ReadonlySet<bigint> = new Set()): Promise<void> {
    await this.flush()
    const open = [...this.#ranges.values()].some(
      ({ low, status }) => (status === 'NOT_STARTED' || status === 'STARTED') && !elsewhere.has(low),
    )
    await this.#putRun(open ? 'STARTED' : 'ENDED', true)
  }

  /** @throws SluiceError errors of the target */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const before = this.#writing
    this.#writing = before.catch(() => undefined).then(() => this.#write())
    await this.#writing
  }

  async #write(): Promise<void> {
    const { store, table, runId } = this.#options
    const lows = [...this.#dirty]
    this.#dirty.clear()
    try {
      await store.putRanges(
        table,
        runId,
        lows.flatMap((low) => this.#ranges.get(low) ?? []),
      )
    } catch (error) {
      for (const low of lows) this.#dirty.add(low)
      throw error
    }
  }

  #set({ low, high }: TokenRange, status: TrackStatus, info: string | null, started: number | null): void {
    this.#ranges.set(low, { low, high, status, info, started: started ?? this.#ranges.get(low)?.started ?? null })
    this.#dirty.add(low)
    this.#timer ??= setTimeout(() => {
      this.flush().catch((error: unknown) => this.#options.onTrouble(error))
    }, WAIT_MS).unref()
  }

  async #putRun(status: TrackStatus, isEnd = false): Promise<void> {
    const { store, table, runId, type, previous, now } = this.#options
    const { counts, passed, failed } = this.totals()
    const info = isEnd ? runInfo(type, counts, passed, failed) : null
    const ended = isEnd && status === 'ENDED' ? now() : null
    await store.putRun({ table, runId, type, previous, started: this.#started, ended, info, status })
  }
}
