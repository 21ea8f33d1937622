/**
 * One cutover within a database, called by the stream's loop. Waits until every cutover check is met, then locks the
 * table with the public name. While it is locked, lets the stream apply what was committed before, compares the rows
 * changed since the proof, and renames both tables in one transaction. An attempt that takes too long is given up
 * before anything has changed, and waiting sessions continue.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { FollowedTable, StreamStart } from '../../../model/follow/port.ts'
import type { Closing } from '../../../model/run/ledger-port.ts'
import type {
  SwitchAttempt,
  SwitchFinding,
  SwitchMark,
  SwitchRequest,
  SwitchStore,
} from '../../../model/follow/switch-port.ts'
import type { AppliedState } from '../progress/watch.ts'
import { CutoverWatch, type ApproachParts, type AttemptReady } from './approach.ts'
import { PauseLimit } from './pause-limit.ts'

/** Longest wait for the lock in one attempt, ms. */
const LOCK_MS = 900
/** Longest single wait for changes during an attempt, ms. */
const NEXT_MS = 20
/** How often, and at which interval (ms), the ledger is queried for the outcome of a commit. */
const OUTCOME_TRIES = 20
const OUTCOME_MS = 500

export type CutoverParts = Omit<ApproachParts, 'findings' | 'furthest' | 'earlier'> & {
  readonly switches: SwitchStore
  readonly request: SwitchRequest
  /** Row key columns of the stream. */
  readonly identity: readonly string[]
  /** The new table, under the public name that it gets; source of the reverse stream. */
  readonly source: FollowedTable
  /** Records the cutover before anything is created for it. */
  readonly begin: () => Promise<void>
  readonly closing: (facts: ClosingFacts) => Closing
  /** True if the cutover has happened, according to the ledger. */
  readonly hasHappened: () => Promise<boolean>
  /** Longest time that a session may wait for one attempt, ms. */
  readonly pauseLimitMs: number
  /** Reports a step. */
  readonly report: (step: 'trying' | 'released' | 'again' | 'exchanged', detail: string) => void
}

export type ClosingFacts = {
  /** Fencing token under which this program owns the earlier stream. */
  readonly fence: number
  /** Start record of the reverse stream. */
  readonly startRecord: StreamStart
  /** Position up to which the earlier stream is applied; `position` is where the reverse stream starts. */
  readonly applied: string
  readonly position: string
  readonly pauseMs: number
  readonly waitedMs: number
  readonly tries: number
  readonly proof: CutoverProof
  readonly findings: readonly SwitchFinding[]
  readonly made: readonly SwitchFinding[]
}

export type CutoverProof = {
  /** Position at which all rows were compared. */
  readonly position: string
  readonly rows: bigint
  /** Number of rows that changed after `position`, and were compared during the cutover. */
  readonly touched: bigint
}

type CutoverFacts = Omit<ClosingFacts, 'fence' | 'birth'>

export class CutoverWithin extends CutoverWatch<CutoverFacts> {
  readonly #parts: CutoverParts
  /** State of the tables when the last comparison began. */
  #mark: SwitchMark | null = null
  /** Facts that the pending commit writes about the cutover. */
  #facts: CutoverFacts | null = null
  /** The step of an attempt that is in progress, for messages. */
  #currentStep = ''

  constructor(parts: CutoverParts) {
    const { switches, request, signal } = parts
    super({
      ...parts,
      findings: () => switches.inspect(request, signal),
      furthest: () => switches.furthest(request, signal),
    })
    this.#parts = parts
  }

  protected override async guard(): Promise<void> {
    const { switches, request, signal } = this.#parts
    // Repeat this on each call, because partitions may have been added.
    await switches.guard(request, signal)
    this.#mark = await switches.mark(request, signal)
  }

  protected override async attempt(now: AppliedState, ready: AttemptReady): Promise<'end' | 'prove' | 'on'> {
    const limit = new PauseLimit(this.#parts.signal)
    const answer = await this.#tryOnce(now, ready, limit)
    // The table is unlocked by now.
    await limit.settled()
    return answer
  }

  async #tryOnce(now: AppliedState, ready: AttemptReady, limit: PauseLimit): Promise<'end' | 'prove' | 'on'> {
    const { switches, request, pauseLimitMs, clock, checks, report } = this.#parts
    this.tried++
    const asked = clock.ticks()
    const lockTimeoutMs = Math.max(1, Math.min(LOCK_MS, Math.floor(pauseLimitMs / 2)))
    await using attempt = await switches.open(request, { lockTimeoutMs, pauseLimitMs }, limit.signal)
    if (attempt === null) {
      this.approach.waits.add(clock.ticks() - asked)
      const detail = `other sessions lock the table: try ${this.tried} was given up after ${Math.round(clock.ticks() - asked)} ms`
      checks.set({ name: 'lock', state: 'waiting', detail })
      return this.#scheduleNext(detail)
    }
    checks.set({ name: 'lock', state: 'ok', detail: `locked in try ${this.tried}` })
    report('trying', `try ${this.tried}: the table is locked, other sessions wait`)
    this.#facts = null
    try {
      const answer = await this.#runSteps(now, attempt, ready, limit)
      if (answer === 'end') return answer
      this.approach.waits.add(attempt.waitedMs())
      return answer
    } catch (thrown) {
      const waitedMs = attempt.waitedMs()
      this.approach.waits.add(waitedMs)
      if (this.#facts !== null && (await this.#hasHappened(thrown, this.#facts))) return 'end'
      const error = asSluiceError(thrown)
      // The server has terminated the idle session of this program.
      if (error.code === 'CONNECTION_LOST' && waitedMs > pauseLimitMs) {
        this.#currentStep = 'an idle session of this program'
        return this.#timeoutResult(attempt)
      }
      if (error.code !== 'TARGET_BUSY') throw thrown
      checks.set({ name: 'lock', state: 'waiting', detail: error.message })
      return this.#scheduleNext(`${error.message}: try ${this.tried} is given up`)
    }
  }

  /** Takes all steps while other sessions wait. */
  async #runSteps(
    now: AppliedState,
    attempt: SwitchAttempt,
    ready: AttemptReady,
    limit: PauseLimit,
  ): Promise<'end' | 'prove' | 'on'> {
    this.#currentStep = 'the catch-up of the stream'
    const left = this.#parts.pauseLimitMs - attempt.waitedMs()
    const closing = await limit.within(left, () => this.#prepared(now, attempt, ready))
    if (closing === null) return this.#timeoutResult(attempt)
    if (closing === 'prove') return closing
    if (closing === 'no way back')
      return this.#scheduleNext(`slot ${ready.made.slot} has lost changes: try ${this.tried} is given up`)
    this.#facts = closing
    if ((await attempt.commit(this.#parts.closing(closing))) === 'fenced') {
      throw new SluiceError('LEASE_LOST', 'another program runs this stream now', {
        hint: 'no table was exchanged; end one of the two programs',
      })
    }
    this.approach.waits.add(attempt.waitedMs())
    this.switched(closing)
    this.#parts.report('exchanged', `both tables were exchanged in ${Math.round(attempt.waitedMs())} ms`)
    return 'end'
  }

  /**
   * Takes all steps before the commit.
   * @returns facts that the commit writes to the ledger; null if the time is over
   */
  async #prepared(
    { applyWorkers, stream, fence, proof }: AppliedState,
    attempt: SwitchAttempt,
    { made, findings, furthest }: AttemptReady,
  ): Promise<ClosingFacts | 'prove' | 'no way back' | null> {
    const { changes, pauseLimitMs, source, identity, report } = this.#parts
    const isOver = (): boolean => attempt.waitedMs() > pauseLimitMs
    while (!(applyWorkers.isBoundary && applyWorkers.taken >= attempt.fence)) {
      if (isOver()) return null
      stream.ask()
      await applyWorkers.take(await stream.next(NEXT_MS))
    }
    await applyWorkers.commit()
    const keys = this.touched.keys(0)
    if (keys === null || proof === null || this.#mark === null) {
      report('released', 'all rows were removed at once while other sessions waited: all are compared once more')
      return 'prove'
    }
    if (isOver()) return null
    const [change, ...more] = await attempt.changesSince(this.#mark)
    if (change !== undefined) {
      const others = more.length === 0 ? '' : `, and ${more.length} more`
      report('again', `${change}${others}: all rows are compared once more`)
      return 'prove'
    }
    this.#currentStep = `comparing ${keys.length} changed rows`
    this.isComparing = true
    const compared = await attempt.compare(identity, keys)
    if (!compared.isEqual) {
      const detail = `${compared.rows} of ${keys.length} changed rows in one table and ${compared.targetRows} in the other differ: all are compared once more`
      report('again', detail)
      return 'prove'
    }
    if (isOver()) return null
    this.isComparing = false
    this.#currentStep = 'recreating objects that depend on the table'
    const exchanged = await attempt.exchange(furthest)
    const startRecord = await attempt.startRecord(made.slot, made.start, [source])
    if (startRecord === null) return 'no way back'
    const position = changes.text(await attempt.position())
    if (isOver()) return null
    const pauseMs = Math.round(attempt.waitedMs())
    return {
      fence,
      startRecord,
      applied: changes.text(applyWorkers.applied),
      position,
      pauseMs: Math.max(this.approach.waits.longestMs, pauseMs),
      waitedMs: this.approach.waits.totalMs + pauseMs,
      tries: this.tried,
      proof: {
        position: proof.position,
        rows: proof.compared.reduce((sum, one) => sum + one.rows, 0n),
        touched: BigInt(keys.length),
      },
      findings,
      made: exchanged,
    }
  }

  #timeoutResult(attempt: SwitchAttempt): 'on' {
    const { pauseLimitMs, checks } = this.#parts
    const detail = `${this.#currentStep} took longer than --pause-budget ${pauseLimitMs} ms (${Math.round(attempt.waitedMs())} ms)`
    checks.set({ name: 'pause', state: 'waiting', detail })
    return this.#scheduleNext(`${detail}: try ${this.tried} is given up`)
  }

  #scheduleNext(detail: string): 'on' {
    this.#parts.report(
      'released',
      `${detail}; nothing has changed, the next try begins in ${this.approach.scheduleNext()} ms`,
    )
    return 'on'
  }

  /** Reads from the ledger whether a commit without a reply succeeded. @throws `thrown` if the ledger cannot be read */
  async #hasHappened(thrown: unknown, facts: CutoverFacts): Promise<boolean> {
    for (let i = 0; i < OUTCOME_TRIES; i++) {
      const happened = await this.#parts.hasHappened().catch(() => null)
      if (happened === true) this.switched(facts)
      if (happened === false) this.#facts = null
      if (happened !== null) return happened
      await sleep(OUTCOME_MS)
    }
    this.ended = { type: 'unknown' }
    throw thrown
  }
}
