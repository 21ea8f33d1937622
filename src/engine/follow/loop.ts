/** Follows a stream until it is asked to stop, has reached what was asked for, or changes may be missing. A lost connection is opened again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogPosition } from '../../model/copy/change.ts'
import { throwIfAborted } from '../../shared/abort.ts'
import type { SluiceError } from '../../shared/errors.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { Alerts } from '../alerts/alerts.ts'
import type { LedgerDatabase, SourceView } from '../../stores/copy-port.ts'
import type { ChangeTarget, StreamBirth, StreamFault } from '../../stores/follow-port.ts'
import { pauseAfter } from '../copy/failure.ts'
import type { Steering } from '../copy/steering.ts'
import { SourceSilence } from './behind.ts'
import type { CopiedPart } from './copied-part.ts'
import { haltStream } from './halt.ts'
import type { Lanes } from './lanes.ts'
import { openLanes } from './open-lanes.ts'
import { looking } from './looking-stream.ts'
import type { LaneRow } from './ledger/stream-row.ts'
import type { Watch } from './watch.ts'
import { SignOffLedger, type SignOffRequest } from './ledger/sign-offs.ts'
import { PacedStream } from './paced-stream.ts'
import { Progress } from './progress.ts'
import { Proving, type ProvingParts, type Round } from './proving.ts'
import { atMoment } from './moment.ts'
import { mendRows, rereadRows } from './rereads.ts'
import { answerOf } from './sign-off-answer.ts'
import { TableCounts } from './table-counts.ts'
import type { TableStates } from './table-states.ts'

const PROGRESS_MS = 1000
const VERIFY_MS = 5000
/** How often the position of an idle source is written down. */
const IDLE_MS = 1000
/** How often live tables are asked for rows that wait: somebody may have named them, or a program ended before it had read them. */
const WAITING_MS = 1000
/** The same while it is known that some do. */
const AGAIN_MS = 100
/** How often the ledger is asked for sign-offs that wait. */
const ASKED_MS = 1000
const WAIT_MS = 250
/** How often it is told what was applied to each table. */
const COUNTED_MS = 2000

type Mended = {
  readonly table: string
  readonly state: 'live' | 'copying'
  readonly reread: string
  readonly mended: string
}

export type LoopParts = ProvingParts & {
  readonly fence: number
  readonly target: ChangeTarget
  readonly database: LedgerDatabase
  readonly states: TableStates
  /** Lanes that the command asks for; null for those that there are. */
  readonly lanes: number | null
  /** Of tables that are copied in part, by their names: what changes are applied to. */
  readonly parts: ReadonlyMap<string, CopiedPart>
  /** Divides the stream anew. @returns false where its lanes do not stand at one position */
  readonly divide: (lanes: number) => Promise<boolean>
  readonly fireTriggers: boolean
  readonly steering: Steering
  /** The run whose repairs are noted. */
  readonly runId: bigint
  /** Who is told of lag and errors; null for nobody. */
  readonly alerts: Alerts | null
  /** Indexes and constraints of tables that have reached their fence. @param tables numbers in the stream */
  readonly build: (tables: readonly number[]) => Promise<void>
}

/** Why following ended. */
export type LoopEnd = {
  readonly why: 'stopped' | 'reached' | 'alerted'
  readonly row: LaneRow
  readonly applied: LogPosition
  /** Position as of which every row of every table was found equal by this run, as the source writes it; null where none was. */
  readonly provedAt: string | null
}

/** When a run ends by itself, and how often it compares. */
export type LoopGoal = {
  /** Ends once everything before this position is applied and all tables are live; null goes on. */
  readonly position: LogPosition | null
  /** Ends once a comparison has found every row equal. */
  readonly equal: boolean
  /** Ends once this sign-off is compared; null where none was asked for. */
  readonly signOff: string | null
  /** Ms between two rounds of comparisons; null for none. */
  readonly proveEveryMs: number | null
  /** Who is asked between two transactions, and ends the run; null for nobody. */
  readonly watch: Watch | null
}

export class FollowLoop {
  readonly #parts: LoopParts
  readonly #progress: Progress
  readonly #silence = new SourceSilence()
  readonly #counts = new TableCounts()
  #countedAt = -Infinity
  readonly #goal: LoopGoal
  #birth: StreamBirth
  /** Lanes that the stream was divided into as asked for last; null where nobody has asked. */
  #lanesAsked: number | null = null
  /** What a session before this one has learned of it, and may not have noted. */
  #isBirthNoted = true
  /** Of the session that runs. */
  #lane: Lanes | null = null
  #provedAt: string | null = null
  /** The round that the watch relies on; null while it needs another one. */
  #proof: Round | null = null
  /** Rows of live tables are known to wait. */
  #rowsWait = false
  /** Whether live tables were looked at for what they lack. */
  #isBuilt = false
  #ran = false
  #isHalted = false
  readonly #signOffs: SignOffLedger
  #askedAt = -Infinity
  /** Position that was applied last, and since when, by the run's clock. */
  #still: { readonly position: LogPosition; readonly since: number } | null = null

  constructor(parts: LoopParts, birth: StreamBirth, goal: LoopGoal) {
    this.#parts = parts
    this.#birth = birth
    this.#goal = goal
    this.#progress = new Progress(parts.clock)
    this.#signOffs = new SignOffLedger(parts.database)
  }

  /** @throws SluiceError STREAM_HALTED, SLOT_LOST, LEASE_LOST, and what does not pass by itself */
  async run(): Promise<LoopEnd> {
    const { run, steering } = this.#parts
    for (let attempt = 1; ; attempt++) {
      const before = this.#ran
      this.#ran = false
      try {
        const end = await this.#session()
        if (end !== null) return end
        attempt = 0
        this.#lane = null
      } catch (thrown) {
        this.#lane = null
        const said = asSluiceError(thrown)
        if (said.code === 'STREAM_HALTED' && said.where !== undefined) await this.#reshaped(said)
        const error = said.code === 'SLOT_LOST' && !this.#isHalted ? await this.#explained(said) : said
        if (this.#ran) attempt = 1
        // A server that restarts refuses connections for a while.
        const passes = error.retryable || ((before || this.#ran || attempt > 1) && error.code === 'CONNECT_FAILED')
        if (!passes) throw error
        run.emit({ type: 'log', level: 'warn', message: `${error.message}; the stream is opened again` })
        this.#parts.alerts?.happened('error', error.message)
        this.#alertStill(true)
        if (this.#parts.alerts?.ends === true) return await this.#ended('alerted')
        await sleep(pauseAfter(attempt), undefined, { signal: steering.stop }).catch(() => undefined)
        throwIfAborted(run.interrupt.abort)
        if (steering.stop.aborted) return await this.#ended('stopped')
      }
    }
  }

  /** From one opening of both sides to the next. @returns null where both are to be opened again */
  async #session(): Promise<LoopEnd | null> {
    const { stream, fence, ledger, changes, tables, clock, run, steering } = this.#parts
    const signal = run.interrupt.abort
    await ledger.refuseLost(stream, fence)
    await this.#verify()
    const lanes = this.#lanesWanted
    if (lanes !== null && lanes !== this.#lanesAsked && (await this.#parts.divide(lanes))) this.#lanesAsked = lanes
    const laneOf = await this.#load()
    await using side = await openLanes({
      ...this.#parts,
      laneOf,
      positions: changes,
      touched: this.#goal.watch?.touched,
      signal,
    })
    await using opened = await changes.open(
      this.#birth,
      tables.map((one) => one.source),
      side.lanes.applied,
      signal,
      this.#parts.target.frames,
    )
    // What a TRUNCATE has replaced is noted before it is applied: a program that is killed in between does not know any more that the stream told it.
    const source = new PacedStream(
      looking(opened, async () => void (await this.#verify())),
      { rate: () => steering.rateNow, isPaused: () => steering.isPaused, clock },
    )
    side.answerTo((position) => source.confirm(position))
    const lane = side.lanes
    this.#lane = lane
    const everyMs = this.#goal.equal || this.#goal.watch !== null ? null : this.#goal.proveEveryMs
    await using proving = new Proving(this.#parts, everyMs)
    return await this.#follow(lane, source, proving)
  }

  /** States of the tables as the ledger has them: what was committed and not answered is in it. @returns by table, the number of its lane */
  async #load(): Promise<readonly number[]> {
    const { states, ledger, stream, changes, tables } = this.#parts
    const stored = await ledger.tables(stream, changes)
    states.load(tables, stored, this.#parts.parts)
    return tables.map(({ name }) => stored.find(({ source }) => source === name)?.lane ?? 0)
  }

  get #lanesWanted(): number | null {
    return this.#parts.steering.lanesNow ?? this.#parts.lanes
  }

  async #follow(lane: Lanes, source: PacedStream, proving: Proving): Promise<LoopEnd | null> {
    const { steering, clock, states } = this.#parts
    let [progressAt, waitingAt, verifyAt, idleAt] = [-Infinity, -Infinity, clock.ticks(), clock.ticks()]
    let moved: LogPosition | null = null
    for (;;) {
      throwIfAborted(this.#parts.run.interrupt.abort)
      if (steering.stop.aborted) {
        await lane.commit()
        return this.#end('stopped', lane)
      }
      if (this.#lanesWanted !== this.#lanesAsked && lane.isBoundary && lane.isLevel) {
        await lane.commit()
        return null
      }
      if (this.#goal.watch?.isOver() === true && lane.isBoundary) {
        await lane.commit()
        return this.#end('reached', lane)
      }
      if (steering.isPaused && lane.isBoundary) {
        await lane.commit()
        // Read as far as to know whether anything waits, and no further.
        await lane.take(await source.next(WAIT_MS))
      } else {
        const changes = await source.next(Math.min(lane.dueMs ?? WAIT_MS, WAIT_MS))
        await lane.take(changes)
        this.#ran = true
        if (changes.length === 0 && lane.hasTransactions) await lane.commitTransactions()
        if (
          lane.isBoundary &&
          !source.isHolding &&
          clock.ticks() - waitingAt >= (this.#rowsWait ? AGAIN_MS : WAITING_MS)
        ) {
          await this.#mendWaiting(lane, source)
          waitingAt = clock.ticks()
        }
        const { equal: wantsEqual, signOff: wantsSignOff, watch, position: wantsPosition } = this.#goal
        const waits = wantsEqual || wantsSignOff !== null || watch !== null
        const wanted = states.some('catchup') || wantsPosition !== null || (waits && !proving.isAtWork)
        if (!lane.isSettled && !lane.hasTransactions && (wanted || clock.ticks() - idleAt >= IDLE_MS)) {
          await lane.commit()
          idleAt = clock.ticks()
        }
        if (wanted && !lane.isSettled) source.ask()
        if (lane.isSettled) await this.#buildLacking()
        if (lane.isSettled) await this.#advance(lane)
        const { position } = this.#goal
        // The end that was asked for moves on where only later changes tell whether something was lost before it.
        if (
          lane.isSettled &&
          (states.all('live') || states.isInPart) &&
          position !== null &&
          lane.applied >= (moved ?? position)
        ) {
          await this.#mendWaiting(lane, source)
          if (this.#rowsWait) continue
          if (await this.#verify()) return this.#end('reached', lane)
          moved = await this.#parts.changes.fence(this.#parts.run.interrupt.abort)
        }
        if (lane.isSettled && states.all('live')) {
          const { equal, signOff } = this.#goal
          // What is held back would come too late for a moment of both sides.
          const round = source.isHolding ? null : await this.#prove(lane, source, proving)
          if (round !== null && (round.request === null ? equal && round.isEqual : round.request.id === signOff))
            return this.#end('reached', lane)
          if (watch !== null && !source.isHolding && (await this.#watched(watch, lane, source)))
            return this.#end('reached', lane)
        }
      }
      if (clock.ticks() - verifyAt >= VERIFY_MS) {
        await this.#verify()
        verifyAt = clock.ticks()
      }
      if (clock.ticks() - progressAt >= PROGRESS_MS) {
        await this.#tell(lane, source)
        progressAt = clock.ticks()
        if (this.#parts.alerts?.ends === true && lane.isBoundary) {
          await lane.commit()
          return this.#end('alerted', lane)
        }
      }
    }
  }

  /** @returns whether the run ends with it */
  async #watched(watch: Watch, lane: Lanes, source: PacedStream): Promise<boolean> {
    if (!lane.isSettled || this.#rowsWait) return false
    const answer = await watch.between({
      lane,
      stream: source.unpaced,
      fence: this.#parts.fence,
      proof: this.#proof,
      verify: () => this.#verify(),
    })
    if (answer === 'prove') this.#proof = null
    return answer === 'end'
  }

  /** @returns the round that has just ended; null while none has */
  async #prove(lane: Lanes, source: PacedStream, proving: Proving): Promise<Round | null> {
    const { proveEveryMs, watch } = this.#goal
    const equal = this.#goal.equal || (watch !== null && this.#proof === null)
    if (proving.isFree && !this.#rowsWait) {
      const request = await this.#asked()
      // Before the moment: behind it a transaction may be half written, and a target with one writer lets nobody else in.
      if (request !== null) await this.#signOffs.begun(request.id)
      if (request !== null || ((equal || proveEveryMs !== null) && proving.isDue)) {
        if (request === null) {
          this.#proof = null
          await watch?.prepare()
        }
        await proving.begin(lane, source.unpaced, request, () => {
          if (request === null) watch?.touched.begin()
        })
      }
    }
    const round = lane.isSettled ? await proving.ended() : null
    if (round === null) return null
    const { tables, run } = this.#parts
    if (round.request !== null) {
      // What may have been lost before that moment is looked for before anybody is told that nothing is.
      await this.#verify()
      await this.#signOffs.answer(round.request.id, answerOf(round, tables, run.runId))
      return round
    }
    if (round.isEqual) {
      this.#provedAt = round.position
      this.#proof = round
    } else await this.#mendWaiting(lane, source)
    return round
  }

  /** The sign-off that waits to be compared, asked for now and then. */
  async #asked(): Promise<SignOffRequest | null> {
    const { clock, stream } = this.#parts
    if (this.#goal.signOff === null && clock.ticks() - this.#askedAt < ASKED_MS) return null
    this.#askedAt = clock.ticks()
    return (await this.#signOffs.isThere()) ? await this.#signOffs.waiting(stream) : null
  }

  /** Rows of live tables that somebody has named, or a comparison found to differ, are read again while both sides stand at one moment. */
  async #mendWaiting(lane: Lanes, source: PacedStream): Promise<void> {
    // Behind what is held back there is no moment of both sides.
    if (source.isHolding) return
    const { states, ledger, stream, tables, changes, run } = this.#parts
    const waiting = await ledger.waiting(stream)
    const live = [...tables.entries()].filter(
      ([at, { key }]) =>
        (states.list[at] === 'live' || states.part(at) !== null) &&
        waiting.some(
          ({ schema, name, reason }) =>
            schema === key.schema && name === key.name && (reason !== 'bound' || states.part(at) === null),
        ),
    )
    this.#rowsWait = live.length > 0
    if (live.length === 0) return
    const signal = run.interrupt.abort
    const mend = async (view: SourceView): Promise<readonly Mended[]> => {
      const mended: Mended[] = []
      for (const [at, table] of live) {
        const part = states.part(at)
        const { read, mended: changed } = await mendRows(view, lane, stream, table, at, {
          ...this.#parts,
          signal,
          part,
        })
        const state = part === null ? 'live' : 'copying'
        if (read > 0) mended.push({ table: table.name, state, reread: String(read), mended: String(changed) })
      }
      return mended
    }
    const got = await atMoment({ ...this.#parts, lane, stream: source.unpaced, signal }, mend)
    // Another snapshot is luckier.
    if (typeof got === 'string') return
    this.#rowsWait = false
    for (const one of got.value) run.emit({ type: 'follow.table', position: changes.text(got.position), ...one })
  }

  #end(why: LoopEnd['why'], { row, applied }: Lanes): LoopEnd {
    return { why, row, applied, provedAt: this.#provedAt }
  }

  /** What a live table lacks of what the plan wants, because an earlier run could not make it or somebody dropped it; once a run. */
  async #buildLacking(): Promise<void> {
    if (this.#isBuilt) return
    this.#isBuilt = true
    const { states, build } = this.#parts
    const live = states.list.flatMap((state, at) => (state === 'live' ? [at] : []))
    if (live.length > 0) await build(live)
  }

  /** Tables that have reached their fence become live, once rows that nobody told are read again and what is made beside rows is there. */
  async #advance(lane: Lanes): Promise<void> {
    const { states, tables, stream, ledger, changes, run, build } = this.#parts
    const reached = (): readonly number[] => states.reached(lane.applied)
    if (reached().length === 0) return
    for (const at of reached()) {
      const table = tables[at]
      if (table === undefined) continue
      const again = await rereadRows(lane, stream, table, at, { ...this.#parts, signal: run.interrupt.abort })
      if (again === null) continue
      states.catchUp(at, again.fence, again.keys)
      run.emit({
        type: 'follow.table',
        table: table.name,
        state: 'catchup',
        position: changes.text(again.fence),
        reread: String(again.keys.size),
        ...(again.mended === 0 ? {} : { mended: String(again.mended) }),
      })
    }
    const ready = reached()
    if (ready.length === 0) return
    await build(ready)
    await ledger.noteState(
      stream,
      ready.flatMap((at) => tables[at]?.key ?? []),
      'live',
      changes.text(lane.applied),
    )
    for (const at of ready) {
      states.live(at)
      const table = tables[at]?.name ?? ''
      run.emit({ type: 'follow.table', table, state: 'live', position: changes.text(lane.applied) })
    }
  }

  /**
   * @returns false where only changes that are not applied yet can tell whether something was lost
   * @throws SluiceError STREAM_HALTED, SLOT_LOST
   */
  async #verify(): Promise<boolean> {
    const { changes, ledger, stream, tables, run } = this.#parts
    // A batch that is committed between both looks would be ahead of what was read.
    await this.#lane?.written()
    const { position } = await ledger.progress(stream, changes)
    const sources = tables.map((one) => one.source)
    const { faults, moved, unclear } = await changes.verify(
      this.#birth,
      sources,
      changes.position(position),
      run.interrupt.abort,
    )
    if (faults.length > 0) return await this.#halt(faults)
    if (Object.keys(moved).length > 0) {
      this.#birth = { ...this.#birth, shapes: { ...this.#birth.shapes, ...moved } }
      this.#isBirthNoted = false
    }
    await this.#noteBirth()
    return unclear.length === 0
  }

  /** With the rows that wait, or before them: what is applied is never ahead of what is known of it. */
  async #noteBirth(): Promise<void> {
    if (this.#isBirthNoted) return
    const { ledger, stream } = this.#parts
    const statement = ledger.birthStatement(stream, this.#birth)
    if (this.#lane === null) await ledger.database.batch([statement])
    this.#isBirthNoted = this.#lane === null || (await this.#lane.note([statement]))
  }

  /** A table is no longer what was planned, as the stream told: a look at the source says the same in more words, or more. */
  async #reshaped({ message, where: table = '' }: SluiceError): Promise<never> {
    await this.#verify()
    const { ledger, stream, changes } = this.#parts
    const { position } = await ledger.progress(stream, changes)
    return await this.#halt([{ code: 'TABLE_CHANGED', tables: [table], message, since: position }])
  }

  /** A server that has no such slot may be another one: a look at it says so. */
  async #explained(error: SluiceError): Promise<SluiceError> {
    try {
      await this.#verify()
      return error
    } catch (found) {
      return asSluiceError(found)
    }
  }

  async #halt(faults: readonly StreamFault[]): Promise<never> {
    const { ledger, stream, run } = this.#parts
    await this.#lane?.giveUp()
    const error = await haltStream(ledger, stream, faults, run)
    this.#isHalted = true
    this.#parts.alerts?.happened(error.code === 'SLOT_LOST' ? 'slot-lost' : 'error', error.message)
    throw error
  }

  async #tell(lane: Lanes, source: PacedStream): Promise<void> {
    const { changes, states, run, tables, clock } = this.#parts
    const lag = await changes.lag(this.#birth, run.interrupt.abort)
    const idleAt = lane.hasNothing && !source.isHolding ? lane.taken : null
    const behind = this.#silence.look({
      applied: lane.applied,
      idleAt,
      // What waits is younger than what was applied last, by hours where nobody wrote meanwhile.
      commitMs: lane.oldestMs ?? source.heldMs ?? lane.row.commitMs,
      lag,
      clockMs: lag.clockMs ?? clock.now(),
    })
    // A source that has read its log answers at once.
    if (lag.readerWaits === false && idleAt !== null && idleAt < lag.now) source.ask()
    const event = this.#progress.event(lane.applied, lane.row, behind, lag, states.list, (one) => changes.text(one))
    run.emit(event)
    if (clock.ticks() - this.#countedAt >= COUNTED_MS) {
      this.#countedAt = clock.ticks()
      const names = tables.map(({ name }) => name)
      for (const one of this.#counts.changed(names, states.list, lane.row.counts)) run.emit(one)
    }
    const { alerts } = this.#parts
    if (alerts === null) return
    alerts.passed('error')
    const isBehind = event.lagMs > 0 && !behind.isEarly
    alerts.look({
      ...(behind.isEarly ? {} : { lagMs: event.lagMs }),
      walBytes: Number(event.heldBytes),
      ...(isBehind ? { rate: Number(event.rate) } : {}),
    })
    if (this.#still?.position !== lane.applied)
      this.#still = { position: lane.applied, since: this.#parts.clock.ticks() }
    // Whoever holds it back knows that it stands still.
    this.#alertStill(isBehind && !source.isHolding)
  }

  /** @param isBehind whether something waits to be applied, as far as is known */
  #alertStill(isBehind: boolean): void {
    const { alerts, clock } = this.#parts
    this.#still ??= { position: -1n, since: clock.ticks() }
    // The time in which nobody wrote is none in which something stood still.
    if (!isBehind) this.#still = { ...this.#still, since: clock.ticks() }
    alerts?.look({ stalledMs: isBehind ? clock.ticks() - this.#still.since : 0 })
  }

  async #ended(why: LoopEnd['why']): Promise<LoopEnd> {
    const { ledger, stream, changes } = this.#parts
    const row = await ledger.progress(stream, changes)
    return { why, row, applied: changes.position(row.position), provedAt: this.#provedAt }
  }
}
