/** Refreshes the queue every two seconds while a screen shows it; sends one request at a time. */
import type { QueueWanted, Workbench } from '../../../app/workbench.ts'
import type { Clock } from '../../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { Action } from '../../state/action.ts'
import { queueView } from './queue-open.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'

const POLL_MS = 2_000
/** Time without an answer after which the queue is shown as unreachable, ms. The answer is still awaited. */
const ANSWER_LIMIT_MS = 6_000
/** Maximum number of listed runs. */
const MOST = 200

/** Data that the open screen needs from the queue; null if none. */
export function wantedFromQueue(state: State): QueueWanted | null {
  if (state.queue === null) return null
  if (state.screen === 'runs' && state.runs.open === null)
    return { runs: MOST, workers: true, schedules: false, run: null }
  const view = queueView(state)
  if (view === null) return null
  switch (view.kind) {
    case 'workers':
      return { runs: MOST, workers: true, schedules: false, run: null }
    case 'schedules':
      return { runs: 0, workers: true, schedules: true, run: null }
    case 'run':
      return { runs: 0, workers: true, schedules: false, run: view.runId }
  }
}

export class QueuePolling {
  readonly #queue: Workbench['queue']
  readonly #store: Store<State, Action>
  readonly #clock: Clock
  readonly #timer: NodeJS.Timeout | null
  #isAsking = false
  /** The last request, as JSON. */
  #asked = ''
  #isOpen = false
  #closed = false

  constructor(workbench: Workbench, store: Store<State, Action>, clock: Clock) {
    this.#queue = workbench.queue
    this.#store = store
    this.#clock = clock
    this.#timer = this.#queue === undefined ? null : setInterval(() => this.#tick(), POLL_MS).unref()
  }

  /** Called after a state change: sends a request at once if another screen was opened. */
  refresh(): void {
    const wanted = wantedFromQueue(this.#store.get())
    if (wanted !== null && JSON.stringify(wanted) !== this.#asked) void this.#ask(wanted)
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#queue?.rest()
  }

  #tick(): void {
    const wanted = wantedFromQueue(this.#store.get())
    if (wanted !== null) void this.#ask(wanted)
    else if (this.#isOpen && !this.#isAsking) {
      this.#isOpen = false
      this.#asked = ''
      this.#queue?.rest()
    }
  }

  async #ask(wanted: QueueWanted): Promise<void> {
    if (this.#queue === undefined || this.#isAsking || this.#closed) return
    this.#isAsking = true
    this.#isOpen = true
    this.#asked = JSON.stringify(wanted)
    const silent = setTimeout(() => this.#reportError(SILENT), ANSWER_LIMIT_MS).unref()
    try {
      const seen = await this.#queue.snapshot(wanted)
      if (!this.#closed) this.#store.dispatch({ type: 'queue-seen', runId: wanted.run, seen, now: this.#clock.now() })
    } catch (thrown) {
      this.#reportError(asSluiceError(thrown))
    } finally {
      clearTimeout(silent)
      this.#isAsking = false
    }
    // The user may have opened another screen meanwhile.
    this.refresh()
  }

  /** Reports an error, unless the same error is already shown. */
  #reportError(error: SluiceError): void {
    const { queue } = this.#store.get()
    if (this.#closed || queue === null) return
    const info = error.info()
    if (queue.error?.message === info.message && queue.error.reason === info.reason) return
    this.#store.dispatch({ type: 'queue-away', error: info, now: this.#clock.now() })
  }
}

const SILENT = new SluiceError('CONNECT_FAILED', 'the queue does not answer', { retryable: true })
