/**
 * Tells how far a stream is while it is followed: those who watch it, and whoever asked for alerts. The loop tells as it goes round; where a write or a question
 * keeps it, the clock does, from what is known here.
 */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { FollowCountedEvent } from '../../../model/follow/events.ts'
import type { SourceLag, StreamBirth } from '../../../model/follow/port.ts'
import { dec } from '../../../model/run/event.ts'
import { countedInAll, type LaneRow, type TableState } from '../../copy/ledger/stream-row.ts'
import { Answers } from './sides-answer.ts'
import { SourceSilence, type Behind } from './behind.ts'
import type { Lanes } from '../apply/lanes.ts'
import type { LoopParts } from '../apply/loop-parts.ts'
import type { PacedStream } from '../stream/paced-stream.ts'
import { Progress } from './progress.ts'

/** How often it is told how far the stream is. */
const TELL_MS = 1000
/** A loop that has not come round for so long is kept by something. */
const OVERDUE_MS = 2000
/** How often it is told what was applied to each table. */
const COUNTED_MS = 2000
/** How long the first answer of the source, or the last, is waited for. */
const BRIEFLY_MS = 250

/** What the loop goes round with. */
type Session = { readonly lane: Lanes; readonly source: PacedStream; readonly birth: StreamBirth }

/** What the source has said of itself, and when, by the run's clock. */
type Known = { readonly lag: SourceLag; readonly askedAt: number; readonly at: number; isTold: boolean }

/** A stream is behind whose oldest transaction has waited longer. */
const BEHIND_MS = 5000
/** A rate is known once a stream has been behind for so long. */
const JUDGED_MS = 5000
/** The rate is that of the last seconds. */
const WINDOW_MS = 10_000

type Standing = {
  /** Durable in the target. */
  readonly applied: LogPosition
  readonly row: LaneRow
  /** Behind everything that has come; null while something that has come is not applied. */
  readonly idleAt: LogPosition | null
  /** When what waits first was committed, or what was applied last, ms by the clock of the source; null where nothing was applied yet. */
  readonly commitMs: number | null
  /** When the transaction was committed that was applied last, as the ledger has it. */
  readonly durableMs: number | null
  /** Ms since the stream has found no notes, see `ChangeStream`. */
  readonly emptyForMs: number | null
  /** Whether the source is not read, by a pause or a rate. */
  readonly isShut: boolean
  /** Whether a transaction has come that is held back. */
  readonly isHolding: boolean
}

/** Tables that are told of at once; others wait for the next time. */
const MOST_TABLES = 200

export class Telling implements AsyncDisposable {
  readonly #parts: LoopParts
  readonly #progress: Progress
  readonly #silence = new SourceSilence()
  readonly #counts = new TableCounts()
  readonly #backlog = new BacklogRate()
  readonly #source: Answers
  readonly #target: Answers
  readonly #beat: NodeJS.Timeout
  #countedAt = -Infinity
  #askedAt = -Infinity
  #toldAt = -Infinity
  /** When the loop came round that was overdue last: what the source had sent by then lay unread. */
  #keptUntil = -Infinity
  /** When the loop came round last. */
  #roundAt: number
  #session: Session | null = null
  /** Where the stream stood when it was told last. */
  #standing: Standing | null = null
  #birth: StreamBirth
  #known: Known | null = null
  /** What the question to the source has failed with. */
  #failure: { readonly thrown: unknown } | null = null
  #isStopTold = false
  /** Position that was applied last, and since when, by the run's clock. */
  #still: { readonly position: LogPosition; readonly since: number } | null = null

  /** @param birth as it was noted last */
  constructor(parts: LoopParts, birth: StreamBirth) {
    this.#parts = parts
    this.#birth = birth
    const { clock, run, from, to } = parts
    this.#progress = new Progress(clock)
    this.#roundAt = clock.ticks()
    const emit: LoopParts['run']['emit'] = (event) => run.emit(event)
    this.#source = new Answers({ name: 'source', label: from.label, clock, emit })
    this.#target = new Answers({ name: 'target', label: to.label, clock, emit })
    this.#beat = setInterval(() => this.#look(), TELL_MS).unref()
  }

  /** The loop has come round. @throws what the source said when it was asked how far it is */
  async round(lane: Lanes, source: PacedStream, birth: StreamBirth): Promise<void> {
    // What was asked before this session was opened is no failure of it.
    if (this.#session?.lane !== lane) this.#failure = null
    this.#session = { lane, source, birth }
    this.#birth = birth
    const now = this.#parts.clock.ticks()
    if (now - this.#roundAt > OVERDUE_MS) this.#keptUntil = now
    this.#roundAt = now
    if (now - this.#askedAt >= TELL_MS) this.#ask()
    if (this.#known === null) await this.#source.settled(BRIEFLY_MS)
    if (this.#failure !== null) throw this.#failure.thrown
    if (this.#known?.isTold !== false) {
      // The source is late with its answer, and the loop goes on.
      if (this.#roundAt - this.#toldAt > OVERDUE_MS) this.#tell(false)
      return
    }
    this.#tell(false)
    this.#parts.alerts?.passed('error')
  }

  /** Both sides are opened again: until then the stream stands where it stood. */
  broken(): void {
    if (this.#session !== null) this.#standing = standingOf(this.#session.lane, this.#session.source)
    this.#session = null
    this.#stands(true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beat)
    // A session that is closed under a question has to be ended at the server.
    await this.#source.settled(BRIEFLY_MS)
  }

  /** What the clock tells while the loop does not. */
  #look(): void {
    const isOverdue = this.#parts.clock.ticks() - this.#roundAt > OVERDUE_MS
    for (const side of [this.#source, this.#target]) side.tell()
    if (!isOverdue && this.#target.waitedMs === 0) return
    this.#ask()
    this.#askTarget()
    if (!isOverdue) return
    this.#tell(true)
    this.#tellStop()
  }

  #ask(): void {
    const { changes, run, clock } = this.#parts
    const birth = this.#birth
    const askedAt = clock.ticks()
    this.#askedAt = askedAt
    this.#source.ask(
      () => changes.lag(birth, run.interrupt.abort),
      (lag) => (this.#known = { lag, askedAt, at: clock.ticks(), isTold: false }),
      (thrown) => (this.#failure = { thrown }),
    )
  }

  #askTarget(): void {
    const { to, ledger, stream, changes } = this.#parts
    // One with a single writer answers nobody while a batch is written, and is a file of this machine.
    if (to.can.writers === 1) return
    this.#target.ask(
      () => ledger.progress(stream, changes),
      () => undefined,
      () => undefined,
    )
  }

  /** What stands now, and what was applied to each table. @param isOverdue the loop does not come round: nobody reads what the source sends */
  #tell(isOverdue: boolean): void {
    const { changes, states, run, tables, clock, alerts, steering } = this.#parts
    const [session, known] = [this.#session, this.#known]
    const now = session === null ? this.#standing : standingOf(session.lane, session.source)
    if (known === null) return
    // No session was opened yet: the log is held back all the same.
    if (now === null) return alerts?.look({ walBytes: Number(known.lag.heldBytes) })
    const { lag } = known
    const isOld = known.isTold
    known.isTold = true
    this.#standing = now
    this.#toldAt = clock.ticks()
    const behind = this.#silence.look({
      ...now,
      lag,
      isOld,
      isUnread: isOverdue || known.askedAt < this.#keptUntil,
      clockMs:
        lag.clockMs === undefined ? clock.now() : lag.clockMs + (isOld || isOverdue ? clock.ticks() - known.at : 0),
    })
    // A source that has read its log answers at once.
    if (session !== null && lag.readerWaits === false && now.idleAt !== null && now.idleAt < lag.now)
      session.source.ask()
    const { applied, row, idleAt, isHolding, isShut } = now
    const isHeld = steering.isPaused && !isOverdue
    const text = (one: LogPosition): string => changes.text(one)
    const event = this.#progress.event(applied, row, behind, lag, states.list, text, isHeld)
    run.emit(event)
    if (clock.ticks() - this.#countedAt >= COUNTED_MS) {
      this.#countedAt = clock.ticks()
      const names = tables.map(({ name }) => name)
      for (const one of this.#counts.changed(names, states.list, row.counts)) run.emit(one)
    }
    if (alerts === null) return
    // A loop that is kept by its own work, such as an index, has read nothing since: what waits may be nothing, and nobody is alarmed by that.
    const isOwnWork = isOverdue && idleAt !== null && !this.#source.isSilent && !this.#target.isSilent
    const isUnsure = behind.isEarly || isOwnWork
    const isBehind = event.lagMs > 0 && !isUnsure
    const rate = this.#backlog.look(behind, clock.ticks(), Number(event.changes))
    alerts.look({
      ...(isUnsure ? {} : { lagMs: event.lagMs, ...(behind.lagIs === undefined ? {} : { lagIs: behind.lagIs }) }),
      walBytes: Number(event.heldBytes),
      ...(rate === undefined ? {} : { rate }),
    })
    if (this.#still?.position !== applied) this.#still = { position: applied, since: clock.ticks() }
    // Whoever holds it back knows that it stands still.
    this.#stands((isBehind || session === null) && !isHolding && !isShut)
  }

  /** @param isBehind whether something waits to be applied, as far as is known */
  #stands(isBehind: boolean): void {
    const { alerts, clock } = this.#parts
    this.#still ??= { position: -1n, since: clock.ticks() }
    // The time in which nobody wrote is none in which something stood still.
    if (!isBehind) this.#still = { ...this.#still, since: clock.ticks() }
    alerts?.look({ stalledMs: isBehind ? clock.ticks() - this.#still.since : 0 })
  }

  /** Whoever has asked for the end is told what keeps it. */
  #tellStop(): void {
    const { steering, run } = this.#parts
    const silent = [this.#target, this.#source].find(({ isSilent }) => isSilent)
    if (this.#isStopTold || !steering.stop.aborted || silent === undefined) return
    this.#isStopTold = true
    const message = `stopping waits for the ${silent.name}, which does not answer; asked once more, the run ends without it: what is not written comes again`
    run.emit({ type: 'log', level: 'warn', message })
  }
}

/** What was applied to each table, told when it has changed: once for all when a run begins to follow. */
class TableCounts {
  readonly #told = new Map<string, string>()

  /** @param names and states of all tables, in the same order */
  changed(
    names: readonly string[],
    states: readonly TableState[],
    counts: LaneRow['counts'],
  ): readonly FollowCountedEvent[] {
    const found: FollowCountedEvent[] = []
    for (const [at, table] of names.entries()) {
      if (found.length >= MOST_TABLES) break
      const known = states[at] ?? 'copying'
      const state = known === 'resync' ? 'copying' : known
      const { inserts, updates, deletes, truncates } = countedInAll(counts[table])
      const now = [state, inserts, updates, deletes, truncates].join(' ')
      if (this.#told.get(table) === now) continue
      this.#told.set(table, now)
      found.push({
        type: 'follow.counted',
        table,
        state,
        inserts: dec(inserts),
        updates: dec(updates),
        deletes: dec(deletes),
        truncates: dec(truncates),
      })
    }
    return found
  }
}

/** Where a stream stands at one moment, as far as this program knows. */
function standingOf(lane: Lanes, source: PacedStream): Standing {
  return {
    applied: lane.applied,
    row: lane.row,
    idleAt: lane.hasNothing && !source.isHolding ? lane.taken : null,
    // What waits is younger than what was applied last, by hours where nobody wrote meanwhile.
    commitMs: lane.oldestMs ?? source.heldMs ?? lane.row.commitMs,
    durableMs: lane.row.commitMs,
    emptyForMs: source.emptyForMs,
    isShut: source.isShut,
    isHolding: source.isHolding,
  }
}

/**
 * How fast a stream works off what waits. At a stream that keeps up something is on its way nearly always, and its rate
 * says how much is written at the source: nothing that anybody has to be told.
 */
class BacklogRate {
  /** Since the stream is behind; none while it is not. */
  #samples: { readonly at: number; readonly changes: number }[] = []

  /**
   * @param at ms of a steady clock @param changes applied so far
   * @returns changed rows a second since the stream is behind, `kept up` where it is not, undefined where nobody knows yet
   */
  look({ lagMs, isEarly }: Behind, at: number, changes: number): number | 'kept up' | undefined {
    if (isEarly || lagMs <= BEHIND_MS) this.#samples = []
    if (isEarly) return undefined
    if (lagMs <= BEHIND_MS) return 'kept up'
    this.#samples.push({ at, changes })
    while ((this.#samples[1]?.at ?? at) <= at - WINDOW_MS) this.#samples.shift()
    const [first = { at, changes }] = this.#samples
    const ms = at - first.at
    return ms < JUDGED_MS ? undefined : ((changes - first.changes) * 1000) / ms
  }
}
