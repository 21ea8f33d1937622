/** Keeps what is shown of a queue fresh: asked every two seconds while a screen of it is open, one question at a time, and never else. */
import type { QueueWanted, Workbench } from '../../app/workbench.ts'
import type { Clock } from '../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import type { Action } from '../state/action.ts'
import { queueView } from '../state/queue/queue-open.ts'
import type { State } from '../state/state.ts'
import type { Store } from '../state/store.ts'

const LOOK_MS = 2_000
/** What is not answered by then is told as away, though the answer is still waited for. */
const PATIENCE_MS = 6_000
/** Runs that are listed. */
const MOST = 200

/** What the screen needs of the queue; null where it shows nothing of it. A further listing asks here for what it shows. */
export function wantedOf(state: State): QueueWanted | null {
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

export class QueueWatch {
  readonly #queue: Workbench['queue']
  readonly #store: Store<State, Action>
  readonly #clock: Clock
  readonly #timer: NodeJS.Timeout | null
  #isAsking = false
  /** What was asked last, as a text. */
  #asked = ''
  #isOpen = false
  #closed = false

  constructor(workbench: Workbench, store: Store<State, Action>, clock: Clock) {
    this.#queue = workbench.queue
    this.#store = store
    this.#clock = clock
    this.#timer = this.#queue === undefined ? null : setInterval(() => this.#tick(), LOOK_MS).unref()
  }

  /** The state has changed: what has just come on the screen is asked for at once. */
  look(): void {
    const wanted = wantedOf(this.#store.get())
    if (wanted !== null && JSON.stringify(wanted) !== this.#asked) void this.#ask(wanted)
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#queue?.rest()
  }

  #tick(): void {
    const wanted = wantedOf(this.#store.get())
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
    const silent = setTimeout(() => this.#away(SILENT), PATIENCE_MS).unref()
    try {
      const seen = await this.#queue.look(wanted)
      if (!this.#closed) this.#store.dispatch({ type: 'queue-seen', runId: wanted.run, seen, now: this.#clock.now() })
    } catch (thrown) {
      this.#away(asSluiceError(thrown))
    } finally {
      clearTimeout(silent)
      this.#isAsking = false
    }
    // Something else may have come on the screen meanwhile.
    this.look()
  }

  /** Told once as long as it is the same. */
  #away(error: SluiceError): void {
    const { queue } = this.#store.get()
    if (this.#closed || queue === null) return
    const info = error.info()
    if (queue.error?.message === info.message && queue.error.reason === info.reason) return
    this.#store.dispatch({ type: 'queue-away', error: info, now: this.#clock.now() })
  }
}

const SILENT = new SluiceError('CONNECT_FAILED', 'it does not answer', { retryable: true })
