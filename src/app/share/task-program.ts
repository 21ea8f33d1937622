/** Starts, steers and monitors the program of one task, for its worker. */
import { fork, type ChildProcess } from 'node:child_process'
import {
  MOST_ACTIVE_CHUNKS,
  type LedgerTotals,
  type ActiveChunk,
  type TurnProgress,
} from '../../model/share/distributed.ts'
import type { Event } from '../../model/run/event.ts'
import { systemClock } from '../../shared/clock.ts'
import { compiledEntry } from '../../shared/compiled-entry.ts'
import { cpuOf } from '../../shared/owner.ts'
import { SluiceError, type ErrorInfo } from '../../shared/errors.ts'
import { openChunkKey, OpenChunks } from '../alerts/causes/standing-chunks.ts'
import { RunProgress } from '../live/run-progress.ts'
import { systemOf } from '../../engine/run/systems.ts'
import { TaskReplies } from './task-replies.ts'
import { NO_REQUESTS, optionsSince, type SharedRequests } from './task-requests.ts'
import { SteeredNames } from './steered-tables.ts'
import { FailureCauses, isCause, withCauses } from './causes.ts'
import type { AdvancedChunk } from '../../engine/run/watch-port.ts'
import type { AlertAnswer, AlertQuestion, FromTask, TaskResult, TaskOrder, ToTask } from './task-messages.ts'

/** Time over which a rate is computed, ms. */
const RATE_MS = 10_000

const FIRST_EVENTS = 60
const LAST_EVENTS = 140
/** Maximum number of causes of failures that are kept between the first and the last events. */
const MIDDLE_EVENTS = 100
/** Longer events are left out, because they may contain values of any length. */
const LONGEST_EVENT = 8_000

export class TaskProgram {
  readonly done: Promise<TaskResult>
  /** Id of the task's run in ledger, catalog and run history; null until the program reports it. */
  ledgerRun: string | null = null
  /** Latest ledger totals that the program read, and when they arrived, ms of a monotonic clock; null until then. */
  totals: { readonly read: LedgerTotals; readonly heardAt: number } | null = null
  /** Called with each event of the task's run. */
  onEvent: (event: Event) => void = () => undefined
  /** Called when a table is finished: the queue must record it in case this host is lost. */
  settled: () => void = () => undefined
  /** Called when a task with a stream requests that other workers help. */
  onHelpRequested: () => void = () => undefined
  /** Sends a question to the alert memory. Does not reject. */
  onAlertQuestion: (question: AlertQuestion) => Promise<AlertAnswer['answer']> = async () => null
  readonly #child: ChildProcess
  readonly #pulse: RunProgress
  readonly notified = new ReportedEvents()
  readonly #causes = new FailureCauses()
  #chunks = 0
  readonly #activeChunks = new OpenChunks()
  /** Latest progress of chunks, ms of a monotonic clock. */
  readonly #latestProgress = new Map<string, AdvancedChunk & { readonly at: number }>()
  readonly #onCall: boolean
  readonly #answers: TaskReplies
  #giveUp: () => void = () => undefined
  honoured: SharedRequests
  /** Tables that can be steered. */
  readonly steered = new SteeredNames()
  #points: { readonly at: number; readonly done: number }[] = []

  /** @param honoured requests that were recorded before the start */
  constructor(order: Omit<TaskOrder, 'wishes'>, honoured: SharedRequests) {
    this.#pulse = new RunProgress(order.onCall)
    this.#onCall = order.onCall === true
    this.honoured = honoured
    const hasFiles = order.stores.some(({ url }) => systemOf(url)?.file !== undefined)
    this.#answers = new TaskReplies(hasFiles, () => cpuOf(this.#child.pid ?? 0))
    this.#child = fork(compiledEntry('app/share/slot-main'), [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    })
    let said: Omit<TaskResult, 'crashed'> | null = null
    let complaint = ''
    this.#child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (complaint = (complaint + text).slice(-LONGEST)))
    this.#child.on('message', (message: FromTask) => {
      this.#answers.onMessage('pong' in message)
      if ('pong' in message) return
      if ('done' in message) said = message.done
      else if ('callOthers' in message) this.onHelpRequested()
      else if ('totals' in message) this.totals = { read: message.totals, heardAt: systemClock.ticks() }
      else if ('alert' in message) void this.#answer(message.alert)
      else this.#take(message.event)
    })
    this.done = new Promise((resolve) => {
      const ended = (otherwise: () => TaskResult): void => {
        if (said === null) return resolve(otherwise())
        const error = said.error === undefined ? {} : { error: withCauses(said.error, this.#causes) }
        resolve({ ...said, ...error, crashed: false })
      }
      const crashed = (error: ErrorInfo): TaskResult => ({ exitCode: 70, crashed: true, error })
      // A reported end is used, even if the program then hangs.
      this.#giveUp = () => ended(() => ({ ...crashed(NO_REPLY), isGone: true }))
      this.#child.once('error', (error) => ended(() => crashed(crash(error.message))))
      this.#child.once('exit', (code, signal) => {
        ended(() => crashed(crash(signal ?? `exit ${code}`, complaint)))
      })
    })
    this.#send({ order: { ...order, wishes: optionsSince(NO_REQUESTS, honoured, this.#onCall) } })
  }

  /** @param now ms of a monotonic clock */
  progress(now: number): TurnProgress {
    const { done, rows, open } = this.#pulse
    this.#points = [...this.#points.filter(({ at }) => now - at <= RATE_MS), { at: now, done }]
    const [first] = this.#points
    const rate = first === undefined || now - first.at < 1 ? 0 : ((done - first.done) * 1000) / (now - first.at)
    return {
      rows: BigInt(rows),
      open: BigInt(open),
      chunks: this.#chunks,
      rate: Math.max(0, rate),
      standing: this.standing(now),
    }
  }

  /** Chunks that have started and not ended, with their time without progress. @param now ms of a monotonic clock */
  standing(now: number): readonly ActiveChunk[] {
    return this.#activeChunks
      .stalled(now, 0)
      .slice(0, MOST_ACTIVE_CHUNKS)
      .map(({ table, chunk, since }) => ({ table, chunk, stoodMs: Math.round(now - since) }))
  }

  /** Chunks with progress within the last `ms`, and finished tables. @param now ms of a monotonic clock */
  movedChunks(ms: number, now: number): readonly AdvancedChunk[] {
    return [...this.#latestProgress.values()].filter(({ at }) => now - at < ms)
  }

  /** Passes on new requests. */
  applyRequests(reported: SharedRequests): void {
    for (const request of optionsSince(this.honoured, reported, this.#onCall)) this.#send({ wish: request })
    if (reported.wishes.stop === true && this.honoured.wishes.stop !== true) this.stop()
    this.honoured = reported
  }

  /** Kept events of the task, without progress events. */
  get keptEvents(): readonly Event[] {
    return this.notified.kept
  }

  /** Requests that the program ends after its batch. */
  stop(): void {
    this.#answers.stopped()
    this.#send({ stop: true })
  }

  /** Requests that the program aborts its batch. */
  abort(): void {
    this.#answers.stopped()
    this.#send({ abort: true })
  }

  /** Kills the program. Call it if the program does not end by itself. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /**
   * Call every `HEARTBEAT_MS`: tests whether the program replies. After too long without a reply, the program is killed
   * and treated as ended. A program that a disk blocks may survive the kill; this is safe: it has nothing but leases.
   */
  ask(): void {
    if (this.#answers.isGone) {
      this.#giveUp()
      this.kill()
    } else if (this.#answers.nextCheck()) this.#send({ ping: true })
  }

  /** True if the program has not replied for a while. */
  get isLate(): boolean {
    return this.#answers.isLate
  }

  async #answer(question: AlertQuestion): Promise<void> {
    this.#send({ alert: { id: question.id, answer: await this.onAlertQuestion(question) } })
  }

  #send(message: ToTask): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  #take(event: Event): void {
    this.ledgerRun ??= event.runId
    this.#pulse.take(event)
    this.notified.take(event)
    this.steered.take(event)
    this.#causes.take(event)
    this.#noteMove(event)
    if (event.type === 'chunk.done') this.#chunks += 1
    if (event.type === 'table.finished') this.settled()
    this.onEvent(event)
  }

  #noteMove(event: Event): void {
    const at = systemClock.ticks()
    const move = this.#activeChunks.take(event, at)
    if (event.type === 'table.finished' && event.error === undefined && event.status !== 'stopped')
      this.#keepMove({ table: event.table, chunk: null }, at)
    else if (move?.is === 'let go') this.#latestProgress.delete(openChunkKey(move))
    else if (move !== null) this.#keepMove({ table: move.table, chunk: move.chunk }, at)
  }

  #keepMove(move: AdvancedChunk, at: number): void {
    const key = openChunkKey({ ...move, chunk: move.chunk ?? '' })
    // Move the entry to the end of the map: if the map is full, its first entry is removed.
    this.#latestProgress.delete(key)
    this.#latestProgress.set(key, { ...move, at })
    const [oldest] = this.#latestProgress.keys()
    if (this.#latestProgress.size > MOVES && oldest !== undefined) this.#latestProgress.delete(oldest)
  }
}

/** Kept events of a task: the first, the last, and causes of failures, without progress events. */
export class ReportedEvents {
  readonly #first: Event[] = []
  readonly #middle: Event[] = []
  readonly #last: Event[] = []

  take(event: Event): void {
    if (isDropped(event) || JSON.stringify(event).length > LONGEST_EVENT) return
    if (this.#first.length < FIRST_EVENTS) {
      this.#first.push(event)
      return
    }
    this.#last.push(event)
    const oldest = this.#last.length > LAST_EVENTS ? this.#last.shift() : undefined
    if (oldest !== undefined && isCause(oldest) && this.#middle.length < MIDDLE_EVENTS) this.#middle.push(oldest)
  }

  get kept(): readonly Event[] {
    return [...this.#first, ...this.#middle, ...this.#last]
  }
}

/** True for events that are not kept: progress, latency, and events of chunks except failures. */
function isDropped({ type }: Event): boolean {
  return (
    type.endsWith('.progress') || (type.startsWith('chunk.') && type !== 'chunk.failed') || type === 'target.latency'
  )
}

const LONGEST = 2_000
/** Limit of chunks whose latest progress is kept. */
const MOVES = 5_000

const NO_REPLY = new SluiceError('INTERNAL', 'the program of a task did not answer for too long, and was killed', {
  hint: 'check the disks and the memory of the host of this worker; the task is tried again',
}).info()

function crash(how: string, complaint = ''): ErrorInfo {
  return new SluiceError('INTERNAL', `the program of a task ended without a result: ${how}`, {
    ...(complaint.trim() === '' ? {} : { reason: complaint.trim() }),
    hint: 'check the log of the worker; the task is tried again',
  }).info()
}
