/**
 * Evaluates the alerts of a stream before it applies changes: while its slot is created, and while its tables are
 * copied. The slot already retains log at the source, and connections can be lost.
 */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ChangeSource, SourceLag, StreamStart } from '../../../model/follow/port.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { Alerts } from '../../run/alerts/alerts.ts'
import type { CopyEvent, CopyRun } from '../../copy/copy-run.ts'
import { yieldedText } from '../../copy/workers/failure.ts'
import type { PlannedCopy } from '../../copy/plan/plan-copy.ts'
import { SideAnswers } from './side-answers.ts'
import { LagMeter } from './stream-lag.ts'
import type { ApplyWorkerRow } from '../../copy/ledger/stream-row.ts'
import { alertExitError } from '../stream/stream-ending.ts'

/** Interval at which both sides are queried. */
const QUERY_EVERY_MS = 1000
/** Longest wait for the last answer. */
const LAST_ANSWER_MS = 250

export type CopyWatchParts = {
  readonly alerts: Alerts
  readonly changes: ChangeSource
  readonly planned: PlannedCopy
  readonly database: LedgerDatabase
  readonly run: CopyRun
  /** Called once, when an alert must end the run. */
  readonly stop: () => void
}

export class CopyWatch implements AsyncDisposable {
  readonly #parts: CopyWatchParts
  readonly #lagMeter = new LagMeter()
  readonly #source: SideAnswers
  readonly #target: SideAnswers
  readonly #timer: NodeJS.Timeout
  /** Sides that do not answer, and chunks that are being retried. */
  readonly #failing = new Set<string>()
  #startRecord: StreamStart
  #isStarted: boolean
  /** Progress of the stream before the copy; null if no table of the stream takes changes yet. */
  #applied: ApplyWorkerRow | null = null
  #ended: SluiceError | null = null

  /** @param slot queried from now on, even before it exists @param startRecord null while the slot is being created */
  constructor(parts: CopyWatchParts, slot: string, startRecord: StreamStart | null) {
    this.#parts = parts
    this.#isStarted = startRecord !== null
    this.#startRecord = startRecord ?? { slot, publication: slot, facts: {}, start: '', shapes: {} }
    const { planned, run } = parts
    const side = { clock: run.clock, emit: (event: Parameters<CopyRun['emit']>[0]) => run.emit(event) }
    this.#source = new SideAnswers({ ...side, name: 'source', label: planned.from.label })
    this.#target = new SideAnswers({ ...side, name: 'target', label: planned.to.label })
    this.#timer = setInterval(() => this.#askSides(), QUERY_EVERY_MS).unref()
  }

  /**
   * Notes that publication and slot exist. @param applied as `progress` returns it; null if no table takes changes yet
   */
  noteStarted(startRecord: StreamStart, applied: ApplyWorkerRow | null): void {
    this.#startRecord = startRecord
    this.#applied = applied
    this.#isStarted = true
  }

  /** Receives every event of the run. */
  handleEvent(event: CopyEvent): void {
    if (event.type === 'chunk.retried') {
      if (yieldedText(event.error) === null) this.#failed(chunkName(event), event.error.message)
    } else if (
      event.type === 'chunk.done' ||
      event.type === 'chunk.failed' ||
      event.type === 'chunk.released' ||
      (event.type === 'chunk.progress' && event.step === 'proving')
    )
      this.#passed(chunkName(event))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    // Wait for pending queries: a session closed during a query would have to be terminated at the server.
    await Promise.all([this.#source.settled(LAST_ANSWER_MS), this.#target.settled(LAST_ANSWER_MS)])
  }

  /** Error with the alerts that stopped the run, even if they were cleared later; null if no alert did. */
  get ended(): SluiceError | null {
    return this.#ended
  }

  #askSides(): void {
    if (this.#ended !== null) return
    const { planned, database } = this.#parts
    for (const side of [this.#source, this.#target]) side.report()
    this.#source.ask(
      () => this.#lag(),
      (lag) => this.#evaluate(lag),
      (thrown) => this.#noteUnanswered('source', thrown),
    )
    // Do not query a target with a single writer: it does not answer while a chunk is written. It is a local file, so
    // no connection can be lost.
    if (planned.to.can.writers === 1) return
    this.#target.ask(
      () => database.all('SELECT 1'),
      () => this.#passed('target'),
      (thrown) => this.#noteUnanswered('target', thrown),
    )
  }

  /** Lag at the source; null if the query fails before slot or trigger logs exist, which is no error. */
  async #lag(): Promise<SourceLag | null> {
    const { changes, run } = this.#parts
    const isBorn = this.#isStarted
    try {
      return await changes.lag(this.#startRecord, run.interrupt.abort)
    } catch (thrown) {
      if (isBorn) throw thrown
      return null
    }
  }

  #evaluate(lag: SourceLag | null): void {
    if (this.#ended !== null) return
    const { alerts, run } = this.#parts
    this.#passed('source')
    if (lag === null) return
    if (lag.status === 'lost') alerts.raise('slot-lost', `replication slot ${this.#startRecord.slot} is lost`)
    else alerts.clear('slot-lost')
    alerts.update({ walBytes: Number(lag.heldBytes), ...this.#lagOf(lag, lag.clockMs ?? run.clock.now()) })
    this.#stopIfAsked()
  }

  /** Lag of tables that already take changes: waiting changes are no older than the last applied one. */
  #lagOf(lag: SourceLag, clockMs: number): { readonly lagMs: number; readonly lagIs?: 'at most' | 'at least' } | null {
    const row = this.#applied
    if (row === null) return null
    const applied = this.#parts.changes.position(row.position)
    const sample = { applied, idleAt: applied, commitMs: row.commitMs, durableMs: row.commitMs, lag, clockMs }
    const { lagMs, lagIs, isEarly } = this.#lagMeter.measure({ ...sample, isUnread: true })
    return isEarly ? null : { lagMs, ...(lagIs === undefined ? {} : { lagIs }) }
  }

  #noteUnanswered(side: string, thrown: unknown): void {
    if (this.#parts.run.interrupt.abort.aborted) return
    const { code, message } = asSluiceError(thrown)
    if (code === 'SLOT_LOST') this.#parts.alerts.raise('slot-lost', message)
    else this.#failed(side, message)
    this.#stopIfAsked()
  }

  #failed(what: string, message: string): void {
    this.#failing.add(what)
    this.#parts.alerts.raise('error', message)
    this.#stopIfAsked()
  }

  #passed(what: string): void {
    // Chunks aborted by the end of the run do not clear the alert that ended it.
    if (this.#ended !== null) return
    this.#failing.delete(what)
    if (this.#failing.size === 0) this.#parts.alerts.clear('error')
  }

  #stopIfAsked(): void {
    const { alerts, stop } = this.#parts
    if (this.#ended !== null || !alerts.mustEndRun) return
    this.#ended = alertExitError(alerts)
    stop()
  }
}

function chunkName({ table, chunk }: { readonly table: string; readonly chunk: string }): string {
  return `${table}/${chunk}`
}
