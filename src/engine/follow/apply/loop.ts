/** Applies a stream until it is stopped, has reached its goal, or changes may be missing. Reconnects if needed. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogPosition } from '../../../model/copy/change.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { pauseAfter } from '../../../shared/attempts.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { StreamStart } from '../../../model/follow/port.ts'
import { ReportedFailures } from '../../copy/workers/failure-events.ts'
import { durableStream } from '../stream/durable-stream.ts'
import { RowChecks } from './row-checks.ts'
import type { ApplyWorkers } from './apply-workers.ts'
import { SignOffLedger, type SignOffRequest } from '../ledger/sign-offs.ts'
import { checkedStream } from '../stream/checked-stream.ts'
import type { LoopEnd, LoopGoal, LoopParts } from './loop-parts.ts'
import { openApplyWorkers } from './open-apply-workers.ts'
import { PacedStream } from '../stream/paced-stream.ts'
import { answerOf, Proving, type ProvingRound, type Unanswered } from '../compare/proving.ts'
import { rereadRows } from '../compare/rereads.ts'
import { ProgressReporter } from '../progress/reporter.ts'
import { compareTouched } from '../compare/compare-touched.ts'
import { repairWaiting, waitingTables } from '../compare/waiting-rows.ts'
import type { Watch } from '../progress/watch.ts'
import { StreamVerifier } from '../stream/stream-verifier.ts'

const VERIFY_MS = 5000
/** Interval at which the position of an idle source is written. */
const IDLE_MS = 1000
/** Interval at which live tables are checked for rows to read again, left by a command or an ended program. */
const WAITING_MS = 1000
/** Interval of this check while rows to read again are known. */
const KNOWN_WAITING_MS = 100
/** Interval at which the ledger is checked for waiting sign-offs. */
const SIGN_OFF_MS = 1000
const WAIT_MS = 250

export class FollowLoop {
  readonly #parts: LoopParts
  readonly #wholeness: StreamVerifier
  readonly #rowChecks: RowChecks
  readonly #goal: LoopGoal
  /** Last requested number of apply workers that was applied; null if none was requested. */
  #workersApplied: number | null = null
  #provedAt: string | null = null
  /** Last comparison of all rows that found them equal; null if there is none, or a new one is running or requested. */
  #proof: ProvingRound | null = null
  /** An ended round whose result waits until the source confirms that the stream has missed no rows. */
  #unconfirmed: ProvingRound | null = null
  /** True if live tables have rows to read again. */
  #rowsWait = false
  /** True once live tables were checked for missing indexes and constraints. */
  #isBuilt = false
  #ran = false
  readonly #failures: ReportedFailures
  readonly #signOffs: SignOffLedger
  #askedAt = -Infinity

  constructor(parts: LoopParts, startRecord: StreamStart, goal: LoopGoal) {
    this.#parts = parts
    this.#goal = goal
    this.#wholeness = new StreamVerifier(parts, startRecord)
    this.#rowChecks = new RowChecks(parts)
    this.#failures = new ReportedFailures(parts.run.emit, undefined, (error) => sideOf(error, parts))
    this.#signOffs = new SignOffLedger(parts.database)
  }

  /** @throws SluiceError STREAM_HALTED, SLOT_LOST, LEASE_LOST, and errors that a retry does not repair */
  async run(): Promise<LoopEnd> {
    await using telling = new ProgressReporter(this.#parts, this.#wholeness.startRecord)
    return await this.#run(telling)
  }

  async #run(telling: ProgressReporter): Promise<LoopEnd> {
    const { run, steering } = this.#parts
    for (let attempt = 1; ; attempt++) {
      const before = this.#ran
      this.#ran = false
      try {
        const end = await this.#session(telling)
        if (end !== null) return end
        attempt = 0
        this.#wholeness.applyWorkers = null
      } catch (thrown) {
        this.#wholeness.applyWorkers = null
        const said = asSluiceError(thrown)
        if (said.code === 'STREAM_HALTED' && said.where !== undefined) await this.#wholeness.haltForChange(said)
        const error = said.code === 'SLOT_LOST' ? await this.#wholeness.explain(said) : said
        if (this.#ran) attempt = 1
        // A server that restarts refuses connections for a while.
        const passes = error.retryable || ((before || this.#ran || attempt > 1) && error.code === 'CONNECT_FAILED')
        if (!passes) throw error
        this.#failures.failed(error, 'the stream is opened again')
        this.#parts.alerts?.raise('error', error.message)
        telling.noteDisconnected()
        if (this.#parts.alerts?.mustEndRun === true) return await this.#ended('alerted')
        await sleep(pauseAfter(attempt), undefined, { signal: steering.stop }).catch(() => undefined)
        throwIfAborted(run.interrupt.abort)
        if (steering.stop.aborted) return await this.#ended('stopped')
      }
    }
  }

  /** Runs one session. @returns null if the connections of both sides must be opened again */
  async #session(telling: ProgressReporter): Promise<LoopEnd | null> {
    const { stream, fence, ledger, changes, tables, clock, run, steering } = this.#parts
    const signal = run.interrupt.abort
    await ledger.lease.refuseLost(stream, fence)
    await this.#wholeness.verify()
    const workers = this.#requestedWorkers
    if (workers !== null && workers !== this.#workersApplied && (await this.#parts.divide(workers)))
      this.#workersApplied = workers
    const applyWorkerOf = await this.#load()
    await using side = await openApplyWorkers({
      ...this.#parts,
      applyWorkerOf,
      positions: changes,
      touched: this.#goal.watch?.touched,
      signal,
    })
    const reported = await changes.open(
      this.#wholeness.startRecord,
      tables.map((one) => one.source),
      side.workers.applied,
      signal,
      this.#parts.target.frames,
    )
    await using opened = durableStream(reported, this.#parts.to, signal)
    // Verify the source before a TRUNCATE is applied, so that the replaced table is recorded first. Otherwise a kill
    // between the two steps would lose this record.
    const source = new PacedStream(
      checkedStream(opened, async () => void (await this.#wholeness.verify())),
      { rate: () => steering.rateNow, isPaused: () => steering.isPaused, clock },
    )
    side.confirmTo((position) => source.confirm(position))
    const applyWorkers = side.workers
    // Confirm at once: an earlier run may have ended before it did so, and later calls come only with new changes.
    source.confirm(applyWorkers.applied)
    this.#wholeness.applyWorkers = applyWorkers
    await this.#rowChecks.checkNow(applyWorkers)
    const everyMs = this.#goal.equal || this.#goal.watch !== null ? null : this.#goal.proveEveryMs
    await using proving = new Proving(this.#parts, everyMs)
    const end = await this.#follow(applyWorkers, source, proving, telling)
    // After a cutover, users write to the target, so do not check the target.
    if (end !== null && this.#goal.watch === null) {
      await this.#rowChecks.checkNow(applyWorkers)
      await opened.passed?.()
    }
    return end
  }

  /** Loads table states from the ledger, also those of commits without reply. @returns apply worker number by table */
  async #load(): Promise<readonly number[]> {
    const { states, ledger, stream, changes, tables } = this.#parts
    const stored = await ledger.tables(stream, changes)
    states.load(tables, stored, this.#parts.parts)
    return tables.map(({ name }) => stored.find(({ source }) => source === name)?.worker ?? 0)
  }

  get #requestedWorkers(): number | null {
    return this.#parts.steering.applyWorkersNow ?? this.#parts.requestedWorkers
  }

  async #follow(
    applyWorkers: ApplyWorkers,
    source: PacedStream,
    proving: Proving,
    telling: ProgressReporter,
  ): Promise<LoopEnd | null> {
    const { steering, clock, states } = this.#parts
    let [waitingAt, verifyAt, idleAt] = [-Infinity, clock.ticks(), clock.ticks()]
    let moved: LogPosition | null = null
    for (;;) {
      throwIfAborted(this.#parts.run.interrupt.abort)
      if (steering.stop.aborted) return await this.#commitAndEnd('stopped', applyWorkers)
      if (this.#requestedWorkers !== this.#workersApplied && applyWorkers.isBoundary && applyWorkers.isAtOnePosition) {
        await applyWorkers.commit()
        return null
      }
      if (this.#goal.watch?.mustEnd() === true && applyWorkers.isBoundary)
        return await this.#commitAndEnd('reached', applyWorkers)
      if (steering.isPaused && applyWorkers.isBoundary) {
        await applyWorkers.commit()
        // While paused, no transaction begins: this read only shows whether changes wait.
        await applyWorkers.take(await source.next(WAIT_MS))
      } else {
        const changes = await source.next(Math.min(applyWorkers.dueMs ?? WAIT_MS, WAIT_MS))
        await applyWorkers.take(changes)
        if (!this.#ran) this.#failures.passed('the stream continues')
        this.#ran = true
        if (changes.length === 0 && applyWorkers.hasTransactions) await applyWorkers.commitTransactions()
        if (
          applyWorkers.isBoundary &&
          !source.isHolding &&
          clock.ticks() - waitingAt >= (this.#rowsWait ? KNOWN_WAITING_MS : WAITING_MS)
        ) {
          await this.repairWaiting(applyWorkers, source)
          waitingAt = clock.ticks()
        }
        const { equal: wantsEqual, signOff: wantsSignOff, watch, position: wantsPosition } = this.#goal
        const waits = wantsEqual || wantsSignOff !== null || watch !== null
        const wanted = states.some('catchup') || wantsPosition !== null || (waits && !proving.isComparing)
        if (!applyWorkers.isSettled && !applyWorkers.hasTransactions && (wanted || clock.ticks() - idleAt >= IDLE_MS)) {
          await applyWorkers.commit()
          idleAt = clock.ticks()
        }
        if (wanted && !applyWorkers.isSettled) source.ask()
        await this.#rowChecks.checkIfDue(applyWorkers)
        if (applyWorkers.isSettled) await this.#buildLacking(applyWorkers)
        if (applyWorkers.isSettled) await this.#advance(applyWorkers)
        const { position } = this.#goal
        // If `verify` returns false, only changes after the goal can show whether changes were lost. Apply these, too:
        // move the goal to the newest position.
        if (
          applyWorkers.isSettled &&
          (states.all('live') || states.isPartlyApplied) &&
          position !== null &&
          applyWorkers.applied >= (moved ?? position)
        ) {
          await this.repairWaiting(applyWorkers, source)
          if (this.#rowsWait) continue
          if (await this.#wholeness.verify()) return this.#end('reached', applyWorkers)
          moved = await this.#parts.changes.fence(this.#parts.run.interrupt.abort)
        }
        if (await this.#isProved(applyWorkers, source, proving)) return this.#end('reached', applyWorkers)
      }
      if (clock.ticks() - verifyAt >= VERIFY_MS) {
        await this.#wholeness.verify()
        verifyAt = clock.ticks()
      }
      await telling.round(applyWorkers, source, this.#wholeness.startRecord)
      if (this.#parts.alerts?.mustEndRun === true && applyWorkers.isBoundary)
        return await this.#commitAndEnd('alerted', applyWorkers)
    }
  }

  /**
   * Compares all rows if that is due and all tables are live. Then calls the watch. While changes are held back, there
   * is no common snapshot for either. @returns true to end the run
   */
  async #isProved(applyWorkers: ApplyWorkers, source: PacedStream, proving: Proving): Promise<boolean> {
    const { equal, signOff, watch } = this.#goal
    if (!applyWorkers.isSettled || !this.#parts.states.all('live') || source.isHolding) return false
    const round = await this.#prove(applyWorkers, source, proving)
    if (round !== null && (round.request === null ? equal && round.isEqual : round.request.id === signOff)) return true
    return watch !== null && !source.isHolding && (await this.#callWatch(watch, applyWorkers, source))
  }

  /** Calls the watch. @returns true if its answer ends the run */
  async #callWatch(watch: Watch, applyWorkers: ApplyWorkers, source: PacedStream): Promise<boolean> {
    if (!applyWorkers.isSettled || this.#rowsWait) return false
    const sides = { applyWorkers, stream: source.unpaced, signal: this.#parts.run.interrupt.abort }
    const answer = await watch.between({
      ...sides,
      fence: this.#parts.fence,
      proof: this.#proof,
      verify: () => this.#wholeness.verify(),
      compareTouched: () => compareTouched({ ...this.#parts, ...sides }, watch.touched),
    })
    if (answer === 'prove') this.#proof = null
    return answer === 'end'
  }

  /** @returns the round that has just ended; null if none has */
  async #prove(applyWorkers: ApplyWorkers, source: PacedStream, proving: Proving): Promise<ProvingRound | null> {
    const { proveEveryMs, watch } = this.#goal
    const equal = this.#goal.equal || (watch !== null && this.#proof === null)
    if (proving.isFree && !this.#rowsWait && this.#unconfirmed === null) {
      const request = await this.#waitingSignOff()
      // Write this before the snapshot: after it a transaction may be half written, and a target with a single writer
      // accepts no other write.
      if (request !== null) await this.#signOffs.begun(request.id)
      if (request !== null || ((equal || proveEveryMs !== null) && proving.isDue)) {
        if (request === null) {
          this.#proof = null
          await watch?.prepare()
        }
        await proving.begin(applyWorkers, source.unpaced, request, () => {
          if (request === null) watch?.touched.begin()
        })
      }
    }
    const round = applyWorkers.isSettled ? (this.#unconfirmed ?? (await proving.ended())) : null
    if (round === null) return null
    if ('refused' in round) {
      await this.#refuse(round)
      return null
    }
    this.#unconfirmed = null
    const { tables, run } = this.#parts
    // The source may lose rows without a change in the stream. After a repair has deleted them in the target, both
    // sides are equal. So check the source for lost changes before reporting equality.
    if ((round.request !== null || (this.#goal.equal && round.isEqual)) && !(await this.#wholeness.verify())) {
      this.#unconfirmed = round
      source.ask()
      return null
    }
    if (round.request !== null) {
      await this.#signOffs.answer(round.request.id, answerOf(round, tables, run.runId))
      return round
    }
    if (round.isEqual) {
      this.#provedAt = round.position
      this.#proof = round
    } else await this.repairWaiting(applyWorkers, source)
    return round
  }

  /** Records a refused sign-off; other tables continue. @throws SluiceError if the run is only for this sign-off */
  async #refuse({ request, refused }: Unanswered): Promise<void> {
    await this.#signOffs.refuse(request.id, refused.info())
    if (request.id === this.#goal.signOff) throw refused
    const { reason, hint } = refused
    const message = `sign-off ${request.id} is refused, and the stream continues: ${refused.message}${reason === undefined ? '' : ` (${reason})`}`
    this.#parts.run.emit({ type: 'log', level: 'warn', message, ...(hint === undefined ? {} : { hint }) })
  }

  /** The waiting sign-off; read at most once per SIGN_OFF_MS, unless the run is for one sign-off. */
  async #waitingSignOff(): Promise<SignOffRequest | null> {
    const { clock, stream } = this.#parts
    if (this.#goal.signOff === null && clock.ticks() - this.#askedAt < SIGN_OFF_MS) return null
    this.#askedAt = clock.ticks()
    return (await this.#signOffs.exists()) ? await this.#signOffs.waiting(stream) : null
  }

  /** Reads waiting rows of live tables again, if both sides can have a common snapshot. */
  async repairWaiting(applyWorkers: ApplyWorkers, source: PacedStream): Promise<void> {
    // With held-back changes there is no common snapshot of both sides.
    if (source.isHolding) return
    const waiting = await waitingTables(this.#parts)
    this.#rowsWait = waiting.length > 0
    if (this.#rowsWait) this.#rowsWait = !(await repairWaiting(waiting, this.#parts, applyWorkers, source))
  }

  async #commitAndEnd(why: LoopEnd['why'], applyWorkers: ApplyWorkers): Promise<LoopEnd> {
    await applyWorkers.commit()
    return this.#end(why, applyWorkers)
  }

  #end(why: LoopEnd['why'], { row, applied }: ApplyWorkers): LoopEnd {
    return { why, row, applied, provedAt: this.#provedAt }
  }

  /** Once per run: creates indexes and constraints of live tables that an earlier run left out or a user dropped. */
  async #buildLacking(applyWorkers: ApplyWorkers): Promise<void> {
    if (this.#isBuilt) return
    this.#isBuilt = true
    const { states, build } = this.#parts
    const live = states.list.flatMap((state, at) => (state === 'live' ? [at] : []))
    await build(live)
    applyWorkers.forget(live)
  }

  /** Rereads waiting rows of tables that have caught up, builds their indexes and constraints, then makes them live. */
  async #advance(applyWorkers: ApplyWorkers): Promise<void> {
    const { states, tables, stream, ledger, changes, run, build } = this.#parts
    const reached = (): readonly number[] => states.reached(applyWorkers.applied)
    if (reached().length === 0) return
    for (const at of reached()) {
      const table = tables[at]
      if (table === undefined) continue
      const again = await rereadRows(applyWorkers, stream, table, at, { ...this.#parts, signal: run.interrupt.abort })
      if (again === null) continue
      states.catchUp(at, again.position, again.keys)
      run.emit({
        type: 'follow.table',
        table: table.name,
        state: 'catchup',
        position: changes.text(again.position),
        reread: String(again.keys.size),
        ...(again.repaired === 0 ? {} : { mended: String(again.repaired) }),
      })
    }
    const ready = reached()
    if (ready.length === 0) return
    await build(ready)
    applyWorkers.forget(ready)
    const position = changes.text(applyWorkers.applied)
    const keys = ready.flatMap((at) => tables[at]?.key ?? [])
    await ledger.noteState(stream, keys, 'live', position)
    for (const at of ready) {
      states.live(at)
      run.emit({ type: 'follow.table', table: tables[at]?.name ?? '', state: 'live', position })
    }
  }

  async #ended(why: LoopEnd['why']): Promise<LoopEnd> {
    const { ledger, stream, changes } = this.#parts
    const row = await ledger.progress(stream, changes)
    return { why, row, applied: changes.position(row.position), provedAt: this.#provedAt }
  }
}

/** Side of an error, whose `where` begins with the label of a store; null if neither or both labels match. */
function sideOf({ where = '' }: SluiceError, { from, to }: LoopParts): 'source' | 'target' | null {
  const [isSource, isTarget] = [where.startsWith(from.label), where.startsWith(to.label)]
  return isSource === isTarget ? null : isSource ? 'source' : 'target'
}
