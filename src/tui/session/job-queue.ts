/** The active run and the waiting runs. */
import type { TableRequest } from '../../model/run/table-request.ts'
import type { RunningOperation, Workbench } from '../../app/workbench.ts'
import type { Event } from '../../model/run/event.ts'
import type { Clock } from '../../shared/clock.ts'
import type { Action } from '../state/action.ts'
import type { State } from '../state/state.ts'
import type { Store } from '../state/store.ts'
import type { Story } from '../../app/command-port.ts'
import type { TuiJob } from './operations.ts'
import { RunFlow } from './run-flow.ts'

const TICK_MS = 1000

type Current = {
  readonly id: number
  readonly handle: RunningOperation
  readonly flow: RunFlow
  finished: (Event & { type: 'run.finished' }) | null
}

/** Whether a run is shown when it begins: always, never, or only if the run before it is still shown. */
type Shown = 'yes' | 'no' | 'in its turn'

/** Connects a run to the UI. */
export type Tap = {
  /** Called with every event of a run, numbered from 1. */
  event(run: number, event: Event): void
  /** Starts the line output of a run; null if unsupported. */
  story(): Story | null
}

export class JobQueue {
  readonly #tap: Tap
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #clock: Clock
  readonly #waiting: { readonly job: TuiJob; readonly show: Shown }[] = []
  #current: Current | null = null
  #nextId = 1
  #tickTimer: ReturnType<typeof setInterval> | null = null
  #idleWaiters: (() => void)[] = []
  /** Exit code of the last run that ended; `stopped`: it was stopped and can be resumed. */
  lastExit = 0
  stopped = false
  /** Called when a run has ended, before the next one starts. */
  onEnd: (run: number, exitCode: number) => void = () => undefined

  constructor(workbench: Workbench, store: Store<State, Action>, clock: Clock, tap: Tap) {
    this.#tap = tap
    this.#workbench = workbench
    this.#store = store
    this.#clock = clock
  }

  get running(): boolean {
    return this.#current !== null
  }

  /** Queues jobs after the waiting ones, and starts the next job if no run is active. */
  add(jobs: readonly TuiJob[], show = true): void {
    // Jobs do not wait for a run that has sent `run.finished`.
    const behind = this.#current !== null && this.#current.finished === null
    for (const [index, job] of jobs.entries()) {
      this.#waiting.push({ job, show: !show || behind ? 'no' : index === 0 ? 'yes' : 'in its turn' })
      this.#store.dispatch({ type: 'run-queued', ...job })
    }
    if (behind) {
      const text = `waits for the end of the running operation (${this.#waiting.length} queued)`
      this.#store.dispatch({ type: 'flash', flash: { text, tone: 'plain' } })
    }
    this.#startNext()
  }

  /**
   * Finishes the running batches and drops waiting jobs.
   * @param exitCode exit code for the run, if a signal asks for it; default 75
   */
  stop(exitCode?: number): void {
    this.#dropWaiting()
    if (this.#current === null) return
    this.#store.dispatch({ type: 'run-phase', id: this.#current.id, phase: 'stopping' })
    this.#current.handle.stop(exitCode)
  }

  /** As `stop`, but aborts the running batches. */
  abort(exitCode?: number): void {
    this.#dropWaiting()
    if (this.#current === null) return
    this.#store.dispatch({ type: 'run-phase', id: this.#current.id, phase: 'aborting' })
    this.#current.handle.abort(exitCode)
  }

  pause(paused: boolean): void {
    if (this.#current === null) return
    this.#current.handle.pause(paused)
    this.#store.dispatch({ type: 'run-phase', id: this.#current.id, phase: paused ? 'paused' : 'running' })
  }

  workers(count: number): void {
    if (this.#current === null) return
    this.#current.handle.workers(count)
    this.#store.dispatch({ type: 'run-workers', id: this.#current.id, workers: count })
  }

  /** @param rows rows per second; `Infinity` for no limit */
  rate(rows: number): void {
    if (this.#current === null) return
    this.#current.handle.rate(rows)
    this.#store.dispatch({ type: 'run-rate', id: this.#current.id, rate: rows })
  }

  /** Sends a steering request to a copy; its result comes back as an event. */
  steer(options: TableRequest): void {
    this.#current?.handle.steer(options)
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    if (this.#current === null && this.#waiting.length === 0) return
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Stops the timers; a run that is still active continues without being shown. */
  dispose(): void {
    this.#current?.flow.stop()
    if (this.#tickTimer !== null) clearInterval(this.#tickTimer)
    this.#tickTimer = null
  }

  #dropWaiting(): void {
    if (this.#waiting.length === 0) return
    this.#waiting.length = 0
    this.#store.dispatch({ type: 'queue', take: 0 })
  }

  #startNext(): void {
    if (this.#current !== null) return
    const next = this.#waiting.shift()
    if (next === undefined) {
      for (const resolve of this.#idleWaiters.splice(0)) resolve()
      return
    }
    const { job, show } = next
    this.#store.dispatch({ type: 'queue', take: 1 })
    const id = this.#nextId
    this.#nextId += 1
    const { screen, runs } = this.#store.get()
    const isFollowed = show === 'in its turn' && (screen === 'compare' || (screen === 'runs' && runs.open === id - 1))
    this.#store.dispatch({ type: 'run-added', id, ...job, now: this.#clock.now(), show: show === 'yes' || isFollowed })
    const handle = this.#workbench.start(job.operation, job.commandLine)
    const flow = new RunFlow(id, this.#store, this.#clock, this.#tap.story())
    const current: Current = { id, handle, flow, finished: null }
    this.#current = current
    this.#tickTimer ??= setInterval(() => {
      this.#current?.flow.flush()
      this.#store.dispatch({ type: 'tick', now: this.#clock.now() })
    }, TICK_MS)
    const unsubscribe = handle.subscribe((event) => {
      this.#take(current, event)
    })
    void handle.done.then((exitCode) => {
      unsubscribe()
      flow.flush()
      this.#end(current, exitCode)
    })
  }

  #take(current: Current, event: Event): void {
    if (event.type === 'run.finished') current.finished = event
    this.#tap.event(current.id, event)
    current.flow.take(event)
  }

  #end(current: Current, exitCode: number): void {
    this.#current = null
    const { finished } = current
    this.lastExit = finished?.exitCode ?? exitCode
    this.stopped = finished?.status === 'stopped' && finished.resumeCommand !== undefined
    if (this.#waiting.length === 0 && this.#tickTimer !== null) {
      clearInterval(this.#tickTimer)
      this.#tickTimer = null
    }
    const now = this.#clock.now()
    this.#store.dispatch({ type: 'run-ended', id: current.id, exitCode: this.lastExit, now })
    this.#store.dispatch({ type: 'reload', now })
    this.onEnd(current.id, this.lastExit)
    this.#startNext()
  }
}
