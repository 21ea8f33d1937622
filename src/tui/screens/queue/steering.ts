/** Steering requests to shared runs, sent one after the other, and shown as pending until the queue has stored them. */
import type { SharedRun, Workbench } from '../../../app/workbench.ts'
import type { RunRequests, WorkerRow } from '../../../model/share/distributed.ts'
import type { Clock } from '../../../shared/clock.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import type { Action } from '../../state/action.ts'
import type { State } from '../../state/state.ts'
import type { Dialog } from '../../dialogs/state.ts'
import type { Store } from '../../state/store.ts'

type Flash = (text: string, tone?: 'plain' | 'ok' | 'bad') => void

const CHANGED = { pause: 'is paused', resume: 'is resumed', 'run-now': 'runs now' } as const

export class SharedRuns {
  readonly #queue: Workbench['queue']
  readonly #store: Store<State, Action>
  readonly #clock: Pick<Clock, 'now'>
  readonly #flash: Flash
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(workbench: Workbench, store: Store<State, Action>, clock: Pick<Clock, 'now'>, flash: Flash) {
    this.#queue = workbench.queue
    this.#store = store
    this.#clock = clock
    this.#flash = flash
  }

  /** Asks for confirmation before a run is stopped, or an ended run is queued again. */
  confirm(act: 'stop' | 'resume', { runId }: SharedRun): void {
    this.#store.dispatch({ type: 'dialog', dialog: { kind: 'shared', act, runId, choice: 0 } })
  }

  accept({ act, runId }: Extract<Dialog, { kind: 'shared' }>): void {
    this.order(runId, act === 'stop' ? { stop: true } : { held: false })
  }

  /** Asks for confirmation before a schedule is run now. */
  confirmRun(name: string): void {
    this.#store.dispatch({ type: 'dialog', dialog: { kind: 'schedule', name, choice: 0 } })
  }

  /** Asks for confirmation before a worker is drained. */
  confirmDrain(worker: WorkerRow): void {
    this.#store.dispatch({ type: 'dialog', dialog: { kind: 'drain', worker, choice: 0 } })
  }

  drain({ workerId, host, pid }: WorkerRow): void {
    const queue = this.#queue
    if (queue === undefined) return
    this.#last = this.#last.then(async () => {
      try {
        const workers = await queue.drain(workerId)
        this.#store.dispatch({ type: 'queue-workers', workers, now: this.#clock.now() })
        this.#flash(`process ${pid} on ${host} takes no new tasks, and ends`, 'ok')
      } catch (thrown) {
        const { message, hint } = asSluiceError(thrown)
        this.#flash(`not drained: ${message}${hint === undefined ? '' : `; ${hint}`}`, 'bad')
      }
    })
  }

  changeSchedule(name: string, change: keyof typeof CHANGED): void {
    const queue = this.#queue
    if (queue === undefined) return
    this.#last = this.#last.then(async () => {
      try {
        const { notes, schedules } = await queue.changeSchedule(name, change)
        this.#store.dispatch({ type: 'queue-schedules', schedules, now: this.#clock.now() })
        this.#flash([`${name} ${CHANGED[change]}`, ...notes].join('; '), 'ok')
      } catch (thrown) {
        const { message, hint } = asSluiceError(thrown)
        this.#flash(`not changed: ${message}${hint === undefined ? '' : `; ${hint}`}`, 'bad')
      }
    })
  }

  order(runId: string, options: RunRequests): void {
    const queue = this.#queue
    if (queue === undefined) return
    this.#waiting += 1
    this.#store.dispatch({ type: 'queue-ordered', runId, options })
    this.#last = this.#last.then(async () => {
      let run: SharedRun | null = null
      try {
        run = await queue.steer(runId, options)
      } catch (thrown) {
        const { message, hint } = asSluiceError(thrown)
        this.#flash(`not requested: ${message}${hint === undefined ? '' : `; ${hint}`}`, 'bad')
      }
      this.#waiting -= 1
      // While later requests are pending, keep showing all of them.
      if (this.#waiting === 0 || run === null) this.#store.dispatch({ type: 'queue-noted', run })
    })
  }
}
