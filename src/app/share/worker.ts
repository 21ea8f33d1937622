/**
 * A worker: takes tasks from the queue, runs each in its own program, and sends heartbeats for both every two seconds.
 * An unreachable queue or a late request never stops the work: leases and proofs are in the ledger.
 */
import { HEARTBEAT_MS, SILENT_AFTER_MS, SWEEP_MS, failuresFor, type EndedRun } from '../../model/share/distributed.ts'
import { dec } from '../../model/run/event.ts'
import { restUnder } from '../../shared/abort.ts'
import { asSluiceError } from '../../shared/errors.ts'
import { redactValue, secretsOfUrl } from '../../shared/redact.ts'
import type {
  ClaimedTask,
  QueueRunner,
  QueueWorker,
  RunQueue,
  TaskKey,
  WorkerAbout,
} from '../../model/share/queue-port.ts'
import type { ScheduleStore } from '../../model/share/schedule-port.ts'
import { memoryOfMachine, memoryOfProgram } from '../alerts/memory.ts'
import type { worker } from './operations/worker/declaration.ts'
import type { RunOf } from '../../engine/run/run-context.ts'
import { isFolderName } from './folder-identity.ts'
import { checkStores } from './identity.ts'
import { ownUrl, type NamedUrl } from '../../model/share/own-url.ts'
import type { OwnTask, QueueWatch } from '../../engine/run/watch-port.ts'
import { QueueContact } from './queue-contact.ts'
import { workerScheduler, type Scheduler } from './schedules/scheduler.ts'
import { REFUSED_LOGINS, taskEnd } from './task-end.ts'
import { orderOf, type TaskResult } from './task-messages.ts'
import { TaskProgram } from './task-program.ts'
import { requestsOf } from './task-requests.ts'
import { queueCounts } from './queue-status.ts'
import { SweptLines } from './swept-lines.ts'
import { WorkerAlerts } from './worker-alerts.ts'
import { oneAtATime } from '../../model/run/turn.ts'

type WorkerRun = RunOf<typeof worker>

/** Interval at which a worker checks whether its idle time has reached the limit, ms. */
const POLL_MS = 100
/** Time for a task's program to end after an abort, ms. */
const GRACE_MS = 20_000
/** Minimum interval of heartbeat events, ms. */
const REPORT_MS = 10_000
/** Pause between retries of calls to the queue, ms. */
const AGAIN_MS = 2_000
/** How long an ending worker tries to reach its queue, ms; after that another worker's sweep finds its tasks. */
const LEAVING_MS = 5_000
/** Time in which an ending worker may begin to send pending alerts, ms. The last one may take another 30 seconds. */
const LAST_ALERTS_MS = 20_000

export class Worker {
  readonly #queue: QueueWorker
  readonly #schedules: ScheduleStore
  readonly #alertBook: RunQueue['alerts']
  readonly #alerts: WorkerAlerts
  readonly #queueState: RunQueue['state']
  /** The scheduler; null if the program cannot parse commands: then other workers begin due schedules. */
  readonly #scheduler: Scheduler | null
  readonly #known: readonly NamedUrl[]
  readonly #run: WorkerRun
  readonly #concurrency: number
  readonly #secrets: readonly string[]
  readonly #refused = new Set<string>()
  /** Fires on a drain request through the queue. */
  readonly #drain = new AbortController()
  /** Fires when no new tasks are taken. */
  readonly #stop: AbortSignal
  readonly #programs = new Map<TaskProgram, { readonly runId: string; heardAt: number }>()
  #taskCount = 0
  #rows = 0n
  /** Tasks being claimed, processed or given back. */
  #taken = 0
  #busyAt: number
  #reportedAt = Number.NEGATIVE_INFINITY
  readonly #contact: QueueContact
  readonly #sweptLines = new SweptLines()
  #watch: QueueWatch | undefined

  constructor(queue: RunQueue, about: WorkerAbout, known: readonly NamedUrl[], run: WorkerRun) {
    this.#queue = queue.worker(about)
    this.#concurrency = about.concurrency
    this.#schedules = queue.schedules
    this.#alertBook = queue.alerts
    const log = (level: 'note' | 'warn', message: string): void => this.#log(level, message)
    this.#alerts = new WorkerAlerts({
      queue: queue.alerts,
      own: run.book === undefined ? memoryOfProgram() : memoryOfMachine(run.book, (what) => log('warn', what)),
      note: (error) => this.#contact.failed(error),
      cleared: (ended, key, since) => this.#watch?.cleared(ended, key, since),
    })
    this.#queueState = () => queue.state()
    this.#known = known
    this.#run = run
    this.#secrets = known.flatMap(({ url }) => secretsOfUrl(url))
    this.#busyAt = run.clock.ticks()
    this.#contact = new QueueContact(run.clock, this.#secrets, log, () => {
      log('warn', 'the queue refuses the login of this worker: the worker ends, and returns its work after the batch')
      this.#drain.abort()
    })
    this.#stop = AbortSignal.any([run.interrupt.stop, this.#drain.signal])
    const failed = (error: unknown): void => this.#contact.failed(error)
    this.#scheduler = workerScheduler(queue, run, { known, secrets: this.#secrets, queues: about.queues, log }, failed)
  }

  /**
   * Works until stopped. An unreachable queue does not end it.
   * @param idleMs ends after this time without work; null: never
   * @returns number of tasks, and of their rows
   * @throws SluiceError CONNECT_FAILED if the queue refused its login for two minutes, after its tasks have ended
   */
  async work(idleMs: number | null): Promise<{ readonly slots: number; readonly rows: bigint }> {
    const { abort } = this.#run.interrupt
    const stop = this.#stop
    await this.#heartbeat(false)
    const over = new AbortController()
    const beats = this.#every(HEARTBEAT_MS, over.signal, async () => this.#heartbeat(stop.aborted))
    const sweeps = this.#every(SWEEP_MS, AbortSignal.any([stop, over.signal]), async () => {
      await this.#sweep()
      await this.#scheduler?.check()
    })
    const { watchRuns, host, emit } = this.#run
    const watch = await watchRuns?.({ queue: this.#queue, alerts: this.#alertBook, known: this.#known, host, emit })
    this.#watch = watch
    const watches = this.#every(HEARTBEAT_MS, over.signal, async () => {
      await this.#alerts.deliver()
      await watch?.evaluate(this.#ownTasks())
      await watch?.countEnds()
    })
    stop.addEventListener('abort', () => this.#each((program) => program.stop()), { once: true })
    abort.addEventListener('abort', () => this.#each((program) => this.#drop(program)), { once: true })
    // Schedules that became due without a worker do not wait for the first sweep.
    await this.#scheduler?.check().catch((error: unknown) => this.#contact.failed(error))
    while (!stop.aborted) {
      let runner: QueueRunner | null = null
      try {
        runner = await this.#queue.take(
          (key) => this.#perform(key),
          () => [...this.#refused],
        )
        // The runner may also end by itself: then the loop starts another one.
        await Promise.race([
          runner.ended.catch((error: unknown) => this.#contact.failed(error)),
          this.#idle(idleMs, stop),
        ])
      } catch (error) {
        this.#contact.failed(error)
      }
      const isIdle = this.#isIdle(idleMs)
      await runner?.stop().catch((error: unknown) => this.#contact.failed(error))
      if (isIdle) break
      if (!stop.aborted) await restUnder(stop, AGAIN_MS)
    }
    over.abort()
    await Promise.all([beats, sweeps, watches])
    // Deliver the last changes of alerts now, so that they need not wait for another worker.
    if (this.#contact.isReached) {
      await this.#alerts.deliver().catch((error: unknown) => this.#contact.failed(error))
      await watch?.evaluate([]).catch((error: unknown) => this.#contact.failed(error))
    }
    const left = await Promise.all([watch?.sent(LAST_ALERTS_MS), this.#scheduler?.sent(LAST_ALERTS_MS)])
    const unsent = left.reduce<number>((sum, one) => sum + (one ?? 0), 0)
    if (unsent > 0)
      this.#log('warn', `alerts that were not sent before this worker ended: ${unsent}; another worker sends them`)
    await this.#queue.recordEnd().catch(() => undefined)
    if (this.#contact.refusal !== null) throw this.#contact.refusal
    return { slots: this.#taskCount, rows: this.#rows }
  }

  /** Never throws: the queue would treat an exception as a failure of the task. */
  async #perform(key: TaskKey): Promise<void> {
    if (this.#stop.aborted) return
    this.#taken += 1
    try {
      const slot = await this.#queue.claim(key)
      if (slot !== null) await this.#runTask(slot)
    } catch (error) {
      // The task was not claimed, or the result is unknown: a sweep finds it.
      this.#contact.failed(error)
    } finally {
      this.#taken -= 1
      this.#busyAt = this.#run.clock.ticks()
    }
  }

  async #runTask(slot: ClaimedTask): Promise<void> {
    let stores: readonly NamedUrl[]
    try {
      const urls = slot.stores.filter(({ name }) => !isFolderName(name))
      stores = urls.map(({ name }) => ({ name, url: ownUrl(name, this.#known) }))
      await checkStores(slot.stores, this.#known)
      await this.#run.checkTableFolders?.(slot.operation, this.#known)
    } catch (thrown) {
      const error = redactValue(asSluiceError(thrown).info(), this.#secrets)
      // The worker could not read the identity of the database. Retry the task: the next try reads the password again.
      // If the login is still refused, only this worker refuses the task: other workers may use another login.
      if (error.retryable || (error.code === 'CONNECT_FAILED' && failuresFor(slot.rested, error) < REFUSED_LOGINS))
        return await this.#end(slot, { exitCode: asSluiceError(thrown).exitCode, error, crashed: false }, 0)
      this.#refused.add(slot.runId)
      this.#report(slot, { state: 'refused', error })
      return await this.#writeToQueue(async () => {
        const ended = await this.#queue.refuse(slot, error)
        if (ended !== null) this.#run.slots?.ended(ended)
      })
    }
    this.#taskCount += 1
    this.#report(slot, { state: 'begun', command: slot.kind })
    const began = this.#run.clock.ticks()
    const program = new TaskProgram(orderOf(slot, stores, this.#run), requestsOf(slot, slot.orders))
    const { slots } = this.#run
    if (slots !== undefined) program.onEvent = (event) => slots.event(slot, event)
    // If the queue is unreachable, no other worker is called, and the task continues without help.
    program.onHelpRequested = () =>
      void this.#queue.callOthers(slot).catch((error: unknown) => this.#contact.failed(error))
    const beat = async (): Promise<void> => await this.#heartbeatTask(slot, program)
    program.settled = oneAtATime(async () => await beat().catch((error: unknown) => this.#contact.failed(error)))
    program.onAlertQuestion = async (question) => await this.#alerts.answer(question, slot)
    this.#programs.set(program, { runId: slot.runId, heardAt: this.#run.clock.ticks() })
    if (this.#stop.aborted) program.stop()
    await beat().catch((error: unknown) => this.#contact.failed(error))
    const over = new AbortController()
    const beats = this.#every(HEARTBEAT_MS, over.signal, beat)
    const questions = this.#every(HEARTBEAT_MS, over.signal, async () => program.ask())
    // A crashed program may have printed secrets on stderr.
    const done = redactValue(await program.done, this.#secrets)
    over.abort()
    await Promise.all([beats, questions])
    this.#programs.delete(program)
    const { rows } = program.progress(this.#run.clock.ticks())
    this.#rows += rows
    await this.#end(slot, done, this.#run.clock.ticks() - began, program)
  }

  async #heartbeat(isDraining: boolean): Promise<void> {
    if ((await this.#queue.sendHeartbeat(isDraining)) && !this.#drain.signal.aborted) {
      this.#log('note', 'this worker was asked to end: it returns its tasks after the batch')
      this.#drain.abort()
    }
    this.#contact.wrote()
    const now = this.#run.clock.ticks()
    if (now - this.#reportedAt < REPORT_MS) return
    this.#reportedAt = now
    const [concurrency, working] = [dec(this.#concurrency), dec(this.#programs.size)]
    this.#run.emit({ type: 'worker.beat', concurrency, working, queue: queueCounts(await this.#queueState()) })
  }

  async #heartbeatTask(slot: ClaimedTask, program: TaskProgram): Promise<void> {
    if (program.isLate) return
    const { fresh } = program.steered
    const orders = await this.#queue.progress(slot, program.progress(this.#run.clock.ticks()), program.ledgerRun, fresh)
    program.steered.markSent(fresh)
    await this.#count(slot, program)
    // Another worker has the task, because this one was considered lost: the ledger's fencing tokens stop late writes.
    if (orders === null || orders.isOver) return program.abort()
    const known = this.#programs.get(program)
    if (known !== undefined) known.heardAt = this.#run.clock.ticks()
    program.applyRequests(requestsOf(slot, orders))
  }

  #ownTasks(): readonly OwnTask[] {
    const now = this.#run.clock.ticks()
    return [...this.#programs].map(([program, { runId, heardAt }]) => ({
      runId,
      standing: now - heardAt < SILENT_AFTER_MS ? program.standing(now) : [],
      moved: (ms) => program.movedChunks(ms, now),
    }))
  }

  /** Records new ledger totals of the run. @throws SluiceError if the queue is unreachable */
  async #count(slot: ClaimedTask, program: TaskProgram): Promise<void> {
    const { totals } = program
    if (totals === null) return
    await this.#queue.count(slot, totals.read, this.#run.clock.ticks() - totals.heardAt)
    if (program.totals === totals) program.totals = null
  }

  async #end(slot: ClaimedTask, done: TaskResult, ms: number, program: TaskProgram | null = null): Promise<void> {
    const end = {
      ...taskEnd(done, slot.rested),
      isUnworked: program === null || done.crashed || done.isUnworked === true,
      isLost: done.isGone === true,
    }
    let [isMine, goesOn, ended]: [boolean, boolean, EndedRun | null] = [true, true, null]
    await this.#writeToQueue(async () => {
      // For a lost task, the queue keeps the data of its last heartbeat.
      if (program !== null && !end.isLost) await this.#recordFinal(slot, program)
      // Refuse the schedule before the run ends, so that it begins no run in between.
      if (end.error?.code === 'SCHEDULE_VOID') await this.#schedules.refuseRun(slot.runId, end.error)
      const released = await this.#queue.release(slot, end)
      ;({ isMine, goesOn, ended } = released)
      if (ended !== null) this.#run.slots?.ended(ended)
    })
    if (ended !== null) await this.#watch?.countEnds().catch((error: unknown) => this.#contact.failed(error))
    const state = !isMine ? 'lost' : !goesOn ? 'ended' : end.left === 'rest' ? 'resting' : 'queued'
    const progress = program?.progress(this.#run.clock.ticks())
    this.#report(slot, {
      state,
      ms: Math.round(ms),
      exitCode: end.exitCode,
      ...(progress === undefined ? {} : { rows: dec(progress.rows), chunks: dec(progress.chunks) }),
      ...(end.error === undefined ? {} : { error: end.error }),
    })
  }

  /**
   * Records final progress and events, before the task is given back and may belong to another worker. @throws
   * SluiceError if the queue is unreachable
   */
  async #recordFinal(slot: ClaimedTask, program: TaskProgram): Promise<void> {
    await this.#queue.progress(slot, program.progress(this.#run.clock.ticks()), program.ledgerRun)
    await this.#count(slot, program)
    try {
      await this.#queue.storeEvents(slot, redactValue(program.keptEvents, this.#secrets))
    } catch (error) {
      if (asSluiceError(error).retryable) throw error
      this.#contact.failed(error)
    }
  }

  /** Repeats a write until the queue has it. If this worker ends first, another worker's sweep finds the task. */
  async #writeToQueue(say: () => Promise<void>): Promise<void> {
    const { interrupt, clock } = this.#run
    const { abort } = interrupt
    let since: number | null = null
    while (!abort.aborted) {
      try {
        await say()
        return
      } catch (error) {
        this.#contact.failed(error)
        since ??= clock.ticks()
        if (this.#stop.aborted && clock.ticks() - since >= LEAVING_MS) return
        await restUnder(abort, AGAIN_MS)
      }
    }
  }

  async #sweep(): Promise<void> {
    const swept = await this.#queue.sweep()
    for (const run of swept.ended) this.#run.slots?.ended(run)
    // Forget refused runs: a resumed run may be acceptable now.
    this.#refused.clear()
    for (const run of swept.own) this.#refused.add(run)
    // A worker that waits for withheld tasks is not idle.
    if (swept.isWithheld) this.#busyAt = this.#run.clock.ticks()
    for (const line of this.#sweptLines.of(swept)) this.#run.emit({ type: 'log', ...line })
  }

  async #every(ms: number, until: AbortSignal, what: () => Promise<void>): Promise<void> {
    while (!until.aborted) {
      await restUnder(until, ms)
      if (until.aborted) return
      try {
        await what()
      } catch (error) {
        this.#contact.failed(error)
      }
    }
  }

  async #idle(idleMs: number | null, stop: AbortSignal): Promise<void> {
    while (!stop.aborted && !this.#isIdle(idleMs)) await restUnder(stop, POLL_MS)
  }

  #isIdle(idleMs: number | null): boolean {
    if (idleMs === null || this.#taken > 0) return false
    return this.#run.clock.ticks() - this.#busyAt >= idleMs
  }

  #drop(program: TaskProgram): void {
    program.abort()
    setTimeout(() => program.kill(), GRACE_MS).unref()
  }

  #each(what: (program: TaskProgram) => void): void {
    for (const program of this.#programs.keys()) what(program)
  }

  #log(level: 'note' | 'warn', message: string): void {
    this.#run.emit({ type: 'log', level, message })
  }

  #report(
    slot: ClaimedTask,
    more: Omit<Parameters<WorkerRun['emit']>[0] & { type: 'worker.slot' }, 'type' | 'run' | 'slot'>,
  ): void {
    this.#run.emit({
      type: 'worker.slot',
      run: slot.runId,
      slot: dec(slot.no),
      ...(slot.about === '' ? {} : { about: slot.about }),
      ...more,
    })
  }
}
