/**
 * Reports the progress of a stream to frontends and alerts: on each round of the loop, or by timer while a write or a
 * query blocks it.
 */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { FollowCountedEvent } from '../../../model/follow/events.ts'
import type { SourceLag, StreamStart } from '../../../model/follow/port.ts'
import { dec } from '../../../model/run/event.ts'
import { totalChanges, type ApplyWorkerRow, type StreamTableState } from '../../copy/ledger/stream-row.ts'
import { SideAnswers } from './side-answers.ts'
import { LagMeter, type StreamLag } from './stream-lag.ts'
import type { ApplyWorkers } from '../apply/apply-workers.ts'
import type { LoopParts } from '../apply/loop-parts.ts'
import type { PacedStream } from '../stream/paced-stream.ts'
import { Progress } from './progress.ts'

/** Interval of progress reports. */
const REPORT_EVERY_MS = 1000
/** A loop without a round for this time is blocked. */
const OVERDUE_MS = 2000
/** Interval of reports of changes per table. */
const COUNTS_EVERY_MS = 2000
/** Longest wait for the source's first or last answer. */
const ANSWER_WAIT_MS = 250

/** What the loop passes on each round. */
type Session = { readonly applyWorkers: ApplyWorkers; readonly source: PacedStream; readonly startRecord: StreamStart }

/** Last report of the source, and its time by the run's clock. */
type KnownLag = { readonly lag: SourceLag; readonly askedAt: number; readonly at: number; isReported: boolean }

/** A stream is behind if its oldest transaction has waited longer than this. */
const BEHIND_MS = 5000
/** The rate is known once a stream has been behind for this time. */
const RATE_KNOWN_MS = 5000
/** Time over which the rate is computed. */
const WINDOW_MS = 10_000

type ReportedState = {
  /** Position up to which changes are durable in the target. */
  readonly applied: LogPosition
  readonly row: ApplyWorkerRow
  /** End of the received log; null while a received change is not applied. */
  readonly idleAt: LogPosition | null
  /** Commit time of the first waiting transaction, or else of the last applied one, source clock, ms; null if none. */
  readonly commitMs: number | null
  /** Commit time of the last applied transaction, as in the ledger. */
  readonly durableMs: number | null
  /** Ms since trigger records were last found empty, see `ChangeStream`. */
  readonly emptyForMs: number | null
  /** True if the source is not read because of a pause or a rate limit. */
  readonly isReadingPaused: boolean
  /** True if a received transaction is held back. */
  readonly isHolding: boolean
}

/** Maximum number of tables per report; other tables wait for the next report. */
const MOST_TABLES = 200

export class ProgressReporter implements AsyncDisposable {
  readonly #parts: LoopParts
  readonly #progress: Progress
  readonly #lagMeter = new LagMeter()
  readonly #counts = new TableCounts()
  readonly #backlog = new BacklogRate()
  readonly #source: SideAnswers
  readonly #target: SideAnswers
  readonly #timer: NodeJS.Timeout
  #countedAt = -Infinity
  #askedAt = -Infinity
  reportedAt = -Infinity
  /** End of the last overdue round: until then, changes that the source had sent were not read. */
  #unreadUntil = -Infinity
  /** Time of the last round. */
  #roundAt: number
  #session: Session | null = null
  /** State of the stream in the last report. */
  #lastState: ReportedState | null = null
  #startRecord: StreamStart
  #known: KnownLag | null = null
  /** Error of the query to the source. */
  #failure: { readonly thrown: unknown } | null = null
  #isStopReported = false
  /** Last applied position, and the time since which it has not advanced, by the run's clock. */
  #lastAdvance: { readonly position: LogPosition | null; readonly since: number } | null = null
  /** True once this run has applied something, or found that nothing waits. */
  #hasApplied = false

  /** @param startRecord as last recorded */
  constructor(parts: LoopParts, startRecord: StreamStart) {
    this.#parts = parts
    this.#startRecord = startRecord
    const { clock, run, from, to } = parts
    this.#progress = new Progress(clock)
    this.#roundAt = clock.ticks()
    const emit: LoopParts['run']['emit'] = (event) => run.emit(event)
    this.#source = new SideAnswers({ name: 'source', label: from.label, clock, emit })
    this.#target = new SideAnswers({ name: 'target', label: to.label, clock, emit })
    this.#timer = setInterval(() => this.#reportIfBlocked(), REPORT_EVERY_MS).unref()
  }

  /** Called on each round of the loop. @throws the error of the query for the source's position */
  async round(applyWorkers: ApplyWorkers, source: PacedStream, startRecord: StreamStart): Promise<void> {
    // Ignore the error of a query that was sent before this session was opened.
    if (this.#session?.applyWorkers !== applyWorkers) this.#failure = null
    this.#session = { applyWorkers, source, startRecord }
    this.#startRecord = startRecord
    const now = this.#parts.clock.ticks()
    if (now - this.#roundAt > OVERDUE_MS) this.#unreadUntil = now
    this.#roundAt = now
    if (now - this.#askedAt >= REPORT_EVERY_MS) this.#ask()
    if (this.#known === null) await this.#source.settled(ANSWER_WAIT_MS)
    if (this.#failure !== null) throw this.#failure.thrown
    if (this.#known?.isReported !== false) {
      // The source's answer is late: report without it.
      if (this.#roundAt - this.reportedAt > OVERDUE_MS) this.report(false)
      return
    }
    this.report(false)
    this.#parts.alerts?.clear('error')
    if (this.#known.lag.status !== 'lost') this.#parts.alerts?.clear('slot-lost')
  }

  /** Called before both sides are opened again: until then reports show the stream's last state. */
  noteDisconnected(): void {
    if (this.#session !== null) this.#lastState = reportedStateOf(this.#session.applyWorkers, this.#session.source)
    this.#session = null
    this.#updateStalled(true)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    // Wait for a pending query: a session closed during a query would have to be terminated at the server.
    await this.#source.settled(ANSWER_WAIT_MS)
  }

  /** Reports by timer while the loop is blocked. */
  #reportIfBlocked(): void {
    const isOverdue = this.#parts.clock.ticks() - this.#roundAt > OVERDUE_MS
    for (const side of [this.#source, this.#target]) side.report()
    if (!isOverdue && this.#target.waitedMs === 0) return
    this.#ask()
    this.#askTarget()
    if (!isOverdue) return
    this.report(true)
    this.reportStop()
  }

  #ask(): void {
    const { changes, run, clock } = this.#parts
    const startRecord = this.#startRecord
    const askedAt = clock.ticks()
    this.#askedAt = askedAt
    this.#source.ask(
      () => changes.lag(startRecord, run.interrupt.abort),
      (lag) => (this.#known = { lag, askedAt, at: clock.ticks(), isReported: false }),
      (thrown) => (this.#failure = { thrown }),
    )
  }

  #askTarget(): void {
    const { to, ledger, stream, changes } = this.#parts
    // Do not query a target with a single writer: it does not answer while a batch is written. It is a local file, so
    // no connection can be lost.
    if (to.can.writers === 1) return
    this.#target.ask(
      () => ledger.progress(stream, changes),
      () => undefined,
      () => undefined,
    )
  }

  /** Reports state and changes per table. @param isOverdue true if the loop is blocked: the source is not read then */
  report(isOverdue: boolean): void {
    const { changes, states, run, tables, clock, alerts, steering } = this.#parts
    const [session, known] = [this.#session, this.#known]
    const now = session === null ? this.#lastState : reportedStateOf(session.applyWorkers, session.source)
    if (known === null) return
    // No session was opened yet, but the slot retains log all the same.
    if (now === null) return alerts?.update({ walBytes: Number(known.lag.heldBytes) })
    const { lag } = known
    const isOld = known.isReported
    known.isReported = true
    this.#lastState = now
    this.reportedAt = clock.ticks()
    const behind = this.#lagMeter.measure({
      ...now,
      lag,
      isOld,
      isUnread: isOverdue || known.askedAt < this.#unreadUntil,
      clockMs:
        lag.clockMs === undefined ? clock.now() : lag.clockMs + (isOld || isOverdue ? clock.ticks() - known.at : 0),
    })
    // Ask the source for its position: it answers immediately if it has read its log to the end.
    if (session !== null && lag.readerWaits === false && now.idleAt !== null && now.idleAt < lag.now)
      session.source.ask()
    const { applied, row, idleAt, isHolding, isReadingPaused } = now
    const isHeld = steering.isPaused && !isOverdue
    const text = (one: LogPosition): string => changes.text(one)
    const event = this.#progress.event(applied, row, behind, lag, states.list, text, isHeld)
    run.emit(event)
    if (clock.ticks() - this.#countedAt >= COUNTS_EVERY_MS) {
      this.#countedAt = clock.ticks()
      const names = tables.map(({ name }) => name)
      for (const one of this.#counts.changed(names, states.list, row.counts)) run.emit(one)
    }
    if (alerts === null) return
    // A loop blocked by its own work, such as building an index, reads no changes. Perhaps no changes wait, so this
    // raises no alert.
    const isOwnWork = isOverdue && idleAt !== null && !this.#source.isSilent && !this.#target.isSilent
    const isUnsure = behind.isEarly || isOwnWork
    const isBehind = event.lagMs > 0 && !isUnsure
    const rate = this.#backlog.measure(behind, clock.ticks(), Number(event.changes))
    alerts.update({
      ...(isUnsure ? {} : { lagMs: event.lagMs, ...(behind.lagIs === undefined ? {} : { lagIs: behind.lagIs }) }),
      walBytes: Number(event.heldBytes),
      ...(rate === undefined ? {} : { rate }),
    })
    this.#hasApplied ||= behind.isCaughtUp || (this.#lastAdvance?.position ?? applied) !== applied
    if (this.#lastAdvance?.position !== applied) this.#lastAdvance = { position: applied, since: clock.ticks() }
    // A pause or rate limit was requested, so it raises no alert.
    this.#updateStalled((isBehind || session === null) && !isHolding && !isReadingPaused)
  }

  /** @param isBehind true if changes are known to wait */
  #updateStalled(isBehind: boolean): void {
    const { alerts, clock } = this.#parts
    this.#lastAdvance ??= { position: null, since: clock.ticks() }
    // Time in which nothing was written at the source does not count as stalled.
    if (!isBehind) this.#lastAdvance = { ...this.#lastAdvance, since: clock.ticks() }
    const stalledMs = isBehind ? clock.ticks() - this.#lastAdvance.since : 0
    alerts?.update({ stalledMs, isStalledLonger: !this.#hasApplied })
  }

  /** Reports what delays a requested stop. */
  reportStop(): void {
    const { steering, run } = this.#parts
    const silent = [this.#target, this.#source].find(({ isSilent }) => isSilent)
    if (this.#isStopReported || !steering.stop.aborted || silent === undefined) return
    this.#isStopReported = true
    const message = `the stop waits for the ${silent.name}, which does not answer; a second stop ends the run without waiting; the next run applies what was not written`
    run.emit({ type: 'log', level: 'warn', message })
  }
}

/** Changes applied per table. A run reports all tables once at its start, then each table whose counts change. */
class TableCounts {
  readonly notified = new Map<string, string>()

  /** @param names and states of all tables, in the same order */
  changed(
    names: readonly string[],
    states: readonly StreamTableState[],
    counts: ApplyWorkerRow['counts'],
  ): readonly FollowCountedEvent[] {
    const found: FollowCountedEvent[] = []
    for (const [at, table] of names.entries()) {
      if (found.length >= MOST_TABLES) break
      const known = states[at] ?? 'copying'
      const state = known === 'resync' ? 'copying' : known
      const { inserts, updates, deletes, truncates } = totalChanges(counts[table])
      const now = [state, inserts, updates, deletes, truncates].join(' ')
      if (this.notified.get(table) === now) continue
      this.notified.set(table, now)
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

/** Present state of a stream, from the data of this program. */
function reportedStateOf(applyWorkers: ApplyWorkers, source: PacedStream): ReportedState {
  return {
    applied: applyWorkers.applied,
    row: applyWorkers.row,
    idleAt: applyWorkers.hasNothing && !source.isHolding ? applyWorkers.taken : null,
    // Waiting changes are younger than the last applied one, by hours if the source was idle in between.
    commitMs: applyWorkers.oldestMs ?? source.heldMs ?? applyWorkers.row.commitMs,
    durableMs: applyWorkers.row.commitMs,
    emptyForMs: source.emptyForMs,
    isReadingPaused: source.isReadingPaused,
    isHolding: source.isHolding,
  }
}

/**
 * How fast a stream works off its backlog. A stream that keeps up nearly always has changes in transit. Its rate is
 * then just the write rate of the source, and is not reported.
 */
class BacklogRate {
  /** Samples since the stream fell behind; empty while it keeps up. */
  #samples: { readonly at: number; readonly changes: number }[] = []

  /**
   * @param at ms of a steady clock
   * @param changes applied so far
   * @returns changed rows per second since the stream fell behind; `kept up` if it is not behind; undefined while
   * unknown
   */
  measure({ lagMs, isEarly }: StreamLag, at: number, changes: number): number | 'kept up' | undefined {
    if (isEarly || lagMs <= BEHIND_MS) this.#samples = []
    if (isEarly) return undefined
    if (lagMs <= BEHIND_MS) return 'kept up'
    this.#samples.push({ at, changes })
    while ((this.#samples[1]?.at ?? at) <= at - WINDOW_MS) this.#samples.shift()
    const [first = { at, changes }] = this.#samples
    const ms = at - first.at
    return ms < RATE_KNOWN_MS ? undefined : ((changes - first.changes) * 1000) / ms
  }
}
