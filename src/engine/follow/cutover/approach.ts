/**
 * Base class of the cutovers that the stream's loop calls, and the requirements of an attempt: all rows were found
 * equal, the rows changed since then are known, and the lag is small.
 */
import type { Clock } from '../../../shared/clock.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChangeSource } from '../../../model/follow/port.ts'
import type { FurthestValues, SwitchFinding } from '../../../model/follow/switch-port.ts'
import { TouchedRows } from '../compare/touched-rows.ts'
import type { AppliedState, Watch } from '../progress/watch.ts'
import { findingsCheck, type CutoverChecks } from './cutover-checks.ts'
import type { CreatedStream } from './reverse-stream.ts'

/** Largest lag with which an attempt begins, ms. */
const MOST_LAG_MS = 500
/** Interval at which an unknown lag is measured, ms. */
const MEASURE_MS = 100
const FIRST_PAUSE_MS = 500
const LAST_PAUSE_MS = 15_000
/** Delay before the touched rows are compared again if there was no common snapshot, ms. */
const AGAIN_MS = 500

export type ApproachParts = {
  /** Change source of the stream that ends. */
  readonly changes: ChangeSource
  readonly checks: CutoverChecks
  /** How long attempts are made, ms, from the end of the first comparison. */
  readonly triesForMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
  /** @returns null while publication and slot of the reverse stream are being created */
  readonly reverseStream: () => CreatedStream | null
  /**
   * Why the reverse stream would miss changes; null if it would not. With a fault, `reverseStream` creates it again.
   */
  readonly reverseStreamFault: (made: CreatedStream) => Promise<string | null>
  /** Reads again the ledger rows that may have changed since the run began. */
  readonly rereadLedger: () => Promise<void>
  readonly findings: () => Promise<readonly SwitchFinding[]>
  /** Reads the furthest values in the columns of the new table that get their values from sequences. */
  readonly furthest: () => Promise<FurthestValues>
  /** How long attempts of killed programs blocked other sessions; absent if there were none. */
  readonly earlier?: BlockedTime | undefined
}

/** Prerequisites of an attempt. */
export type AttemptReady = {
  readonly made: CreatedStream
  readonly findings: readonly SwitchFinding[]
  /** Furthest values in all rows, except in rows changed since the last comparison of all rows. */
  readonly furthest: FurthestValues
}

/** How a cutover ended. */
type WatchEnd<Facts> =
  | { readonly type: 'switched'; readonly facts: Facts }
  /** No attempt succeeded in time: the first unmet cutover check is the reason. */
  | { readonly type: 'late' }
  /** The server did not report the outcome of the commit, and the ledger cannot be queried. */
  | { readonly type: 'unknown' }

/** Common part of cutovers within one database and between two; the subclasses implement the attempt. */
export abstract class CutoverWatch<Facts extends { pauseMs: number; waitedMs: number }> implements Watch {
  protected readonly approach: AttemptSchedule
  protected ended: WatchEnd<Facts> | null = null
  /** Attempts so far. */
  protected tried = 0
  /** True if an attempt took too long to compare the touched rows: compare them before the next attempt. */
  protected isComparing = false
  readonly #begin: () => Promise<void>
  readonly #clock: Clock
  /** When the touched rows may be compared again. */
  #againAt = -Infinity
  #isBegun = false

  /** @param parts.begin records the cutover before anything is created for it */
  constructor(parts: ApproachParts & { readonly begin: () => Promise<void> }) {
    this.approach = new AttemptSchedule(parts)
    this.#begin = parts.begin
    this.#clock = parts.clock
  }

  get touched(): TouchedRows {
    return this.approach.touched
  }

  /** True if anything may have been created for the cutover. */
  get isBegun(): boolean {
    return this.#isBegun
  }

  /** How the cutover ended; null if the run ended for another reason. */
  get end(): WatchEnd<Facts> | null {
    return this.ended
  }

  get tries(): number {
    return this.tried
  }

  mustEnd(): boolean {
    if (this.ended !== null) return true
    if (!this.approach.isLate) return false
    this.ended = { type: 'late' }
    return true
  }

  async prepare(): Promise<void> {
    if (!this.#isBegun) {
      this.#isBegun = true
      await this.#begin()
    }
    await this.guard()
  }

  /** @throws SluiceError NOT_SWITCHABLE, LEASE_LOST, and what the stores throw */
  async between(now: AppliedState): Promise<'end' | 'prove' | 'on'> {
    if (this.mustEnd()) return 'end'
    // The next comparison of all rows includes the touched rows.
    if (now.proof === null) this.isComparing = false
    if (this.isComparing) {
      if (this.#clock.ticks() < this.#againAt) return 'on'
      this.isComparing = !(await now.compareTouched())
      this.#againAt = this.#clock.ticks() + AGAIN_MS
      this.approach.waited()
      return 'on'
    }
    const ready = await this.approach.ready(now)
    const answer = typeof ready === 'string' ? ready : await this.attempt(now, ready)
    if (answer === 'prove') this.isComparing = false
    return answer
  }

  protected switched(facts: Facts): void {
    const { longestMs, totalMs } = this.approach.waits
    this.ended = { type: 'switched', facts: { ...facts, pauseMs: longestMs, waitedMs: totalMs } }
  }

  /** Guards the new table, and notes the state of the tables before they are compared. */
  protected abstract guard(): Promise<void>

  protected abstract attempt(now: AppliedState, ready: AttemptReady): Promise<'end' | 'prove' | 'on'>
}

export class AttemptSchedule {
  readonly touched = new TouchedRows()
  /** How long attempts have blocked other sessions. */
  readonly waits: BlockedTimes
  readonly #parts: ApproachParts
  /** Tick of the clock when all rows had been compared for the first time, plus the time spent reading `furthest`. */
  #readySince: number | null = null
  #written: { readonly position: bigint; readonly at: number } | null = null
  #lagMs: number | null = null
  #measuredAt = -Infinity
  #nextAt = -Infinity
  #pauseMs = FIRST_PAUSE_MS
  /** Read once for each comparison of all rows; the attempt adds the values of rows that changed since. */
  #furthest: { readonly proof: AppliedState['proof']; readonly values: FurthestValues } | null = null

  constructor(parts: ApproachParts) {
    this.#parts = parts
    this.waits = new BlockedTimes(parts.earlier)
  }

  /** True if the time for attempts is over. */
  get isLate(): boolean {
    const { clock, triesForMs } = this.#parts
    return this.#readySince !== null && clock.ticks() - this.#readySince >= triesForMs
  }

  /** Schedules the next attempt after one was given up. @returns ms until then */
  scheduleNext(): number {
    const restMs = this.#pauseMs
    this.#nextAt = this.#parts.clock.ticks() + restMs
    this.#pauseMs = Math.min(LAST_PAUSE_MS, restMs * 2)
    return restMs
  }

  /** Call it after work during which the stream waited: the lag and the largest values of rows are read again. */
  waited(): void {
    this.#lagMs = null
    this.#furthest = null
  }

  /**
   * @returns `prove` if all rows must be compared again, `on` if no attempt may begin yet
   * @throws SluiceError NOT_SWITCHABLE; what the stores throw
   */
  async ready(now: AppliedState): Promise<AttemptReady | 'prove' | 'on'> {
    const { checks, reverseStream, rereadLedger, clock } = this.#parts
    const isCompared = this.#isCompared(now)
    if (isCompared !== true) return isCompared
    if (this.#furthest === null || this.#furthest.proof !== now.proof) {
      const began = clock.ticks()
      const values = await this.#parts.furthest()
      // This read does not count as time for attempts: without an index it may take longer than all of them.
      if (this.#readySince !== null) this.#readySince += clock.ticks() - began
      this.waited()
      this.#furthest = { proof: now.proof, values }
      return 'on'
    }
    const isNear = await this.#isNear(now)
    const made = reverseStream()
    checks.set({
      name: 'reverse stream',
      state: made === null ? 'waiting' : 'ok',
      detail: made === null ? 'publication and slot are being created' : `slot ${made.slot} exists`,
    })
    if (!isNear || made === null || clock.ticks() < this.#nextAt) return 'on'
    await rereadLedger()
    const findings = await this.findings()
    // Locks may have delayed this attempt, and the server may have invalidated the reverse stream's slot meanwhile.
    const fault = await this.#parts.reverseStreamFault(made)
    if (fault !== null) {
      checks.set({ name: 'reverse stream', state: 'waiting', detail: `${fault}: it is created again` })
      return 'on'
    }
    return (await now.verify()) ? { made, findings, furthest: this.#furthest.values } : 'on'
  }

  /** Compares the definitions of both tables. @throws SluiceError NOT_SWITCHABLE for a refused one */
  async findings(): Promise<readonly SwitchFinding[]> {
    const findings = await this.#parts.findings()
    const gate = findingsCheck(findings)
    this.#parts.checks.set(gate)
    if (gate.state === 'refused') throw new SluiceError('NOT_SWITCHABLE', gate.detail, { hint: gate.hint })
    return findings
  }

  /** @returns true if all rows were found equal and the rows changed since are known; otherwise as `ready` */
  #isCompared({ proof }: AppliedState): true | 'prove' | 'on' {
    const { checks, clock } = this.#parts
    if (proof === null) {
      checks.set({ name: 'compared', state: 'waiting', detail: 'all rows are being compared' })
      return 'on'
    }
    this.#readySince ??= clock.ticks()
    if (this.touched.keys(0) === null) {
      const detail = 'too many rows were changed since the comparison: all are compared once more'
      checks.set({ name: 'compared', state: 'waiting', detail })
      return 'prove'
    }
    const rows = proof.compared.reduce((sum, one) => sum + one.rows, 0n)
    checks.set({ name: 'compared', state: 'ok', detail: `${rows} rows equal as of ${proof.position}` })
    return true
  }

  /** True if the lag is small enough. Measures how long the stream takes to apply what the source has just written. */
  async #isNear({ applyWorkers }: AppliedState): Promise<boolean> {
    const { clock, changes, signal, checks } = this.#parts
    if (this.#written !== null && applyWorkers.applied >= this.#written.position) {
      this.#lagMs = Math.round(clock.ticks() - this.#written.at)
      this.#written = null
    }
    const at = clock.ticks()
    if (this.#written === null && at - this.#measuredAt >= MEASURE_MS) {
      this.#measuredAt = at
      this.#written = { position: await changes.fence(signal), at }
    }
    const waits = this.#written === null ? 0 : clock.ticks() - this.#written.at
    const isNear = this.#lagMs !== null && this.#lagMs < MOST_LAG_MS && waits < MOST_LAG_MS
    checks.set({
      name: 'lag',
      state: isNear ? 'ok' : 'waiting',
      detail: this.#lagMs === null ? 'the lag is being measured' : `${Math.max(this.#lagMs, Math.round(waits))} ms`,
    })
    return isNear
  }
}

/**
 * Time for which attempts of a cutover may have blocked other sessions, ms: the longest attempt, and the sum of all.
 * @property isLeast true if the duration of an attempt is unknown: both times are lower bounds
 */
export type BlockedTime = {
  readonly longestMs: number
  readonly totalMs: number
  readonly tries: number
  readonly isLeast: boolean
}

const NOT_BLOCKED: BlockedTime = { longestMs: 0, totalMs: 0, tries: 0, isLeast: false }

/** Sums up how long attempts of a cutover blocked other sessions, including attempts of killed programs. */
export class BlockedTimes {
  #waited: BlockedTime

  constructor(earlier: BlockedTime = NOT_BLOCKED) {
    this.#waited = earlier
  }

  get all(): BlockedTime {
    return this.#waited
  }

  /** Longest attempt, ms. */
  get longestMs(): number {
    return this.#waited.longestMs
  }

  /** Sum of all attempts, ms. */
  get totalMs(): number {
    return this.#waited.totalMs
  }

  /** Adds an attempt. @param ms how long it blocked sessions; null if unknown */
  add(ms: number | null): void {
    const { longestMs, totalMs, tries, isLeast } = this.#waited
    const waited = Math.round(ms ?? 0)
    this.#waited = {
      longestMs: Math.max(longestMs, waited),
      totalMs: totalMs + waited,
      tries: tries + 1,
      isLeast: isLeast || ms === null,
    }
  }
}
