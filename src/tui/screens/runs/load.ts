/** Refreshes the list of runs of other programs while it is shown. If nothing changed, nothing is drawn. */
import type { RunningOperation, Workbench } from '../../../app/workbench.ts'
import type { CopyRunEvent } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { SluiceError } from '../../../shared/errors.ts'
import type { Action } from '../../state/action.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'
import { copyRunsOf } from '../../session/operations.ts'

const POLL_MS = 2000
/** Maximum number of listed runs of this machine, and of each ledger. */
const MOST = 200
const MOST_OF_LEDGER = 50

export class RunsWatch {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #clock: Clock
  readonly #timer: NodeJS.Timeout
  readonly #asking = new Map<string, RunningOperation>()
  /** `State.generation` when each ledger was last read, by URL. */
  readonly #asked = new Map<string, number>()
  #isLooking = false
  #wasShown = false
  #last = ''
  #said = ''
  #closed = false

  constructor(workbench: Workbench, store: Store<State, Action>, clock: Clock) {
    this.#workbench = workbench
    this.#store = store
    this.#clock = clock
    this.#timer = setInterval(() => this.#tick(), POLL_MS).unref()
  }

  /** Called after a state change: refreshes the list at once when it becomes visible. */
  refresh(): void {
    const shown = isShown(this.#store.get())
    const hasCome = shown && !this.#wasShown
    this.#wasShown = shown
    if (hasCome) {
      this.#said = ''
      void this.#read()
    }
    if (shown) this.#askLedgers()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    for (const running of this.#asking.values()) running.abort()
  }

  #tick(): void {
    if (isShown(this.#store.get())) void this.#read()
  }

  async #read(): Promise<void> {
    const { machine } = this.#workbench
    if (machine === undefined || this.#isLooking || this.#closed) return
    this.#isLooking = true
    try {
      const runs = await machine.list(MOST)
      this.#report(machine.trouble?.() ?? null)
      const text = JSON.stringify(runs)
      if (text === this.#last || this.#closed) return
      this.#last = text
      this.#store.dispatch({ type: 'machine-runs', runs, now: this.#clock.now() })
    } catch {
      // If the run history cannot be read, it is not shown; the next refresh tries again.
    } finally {
      this.#isLooking = false
    }
  }

  /** Reports an error, unless the same error was reported last. */
  #report(trouble: SluiceError | null): void {
    const text = trouble === null ? '' : `${trouble.message}: ${trouble.where ?? ''}`
    if (text === this.#said || this.#closed) return
    this.#said = text
    if (text !== '') this.#store.dispatch({ type: 'flash', flash: { text, tone: 'bad' } })
  }

  #askLedgers(): void {
    const { databases, generation } = this.#store.get()
    for (const { url, state } of databases) {
      if (state !== 'ready' || this.#asking.has(url) || this.#asked.get(url) === generation) continue
      this.#asked.set(url, generation)
      this.#askLedger(url)
    }
  }

  #askLedger(url: string): void {
    const { operation, commandLine } = copyRunsOf(url, MOST_OF_LEDGER)
    const running = this.#workbench.start(operation, commandLine)
    this.#asking.set(url, running)
    const runs: CopyRunEvent[] = []
    running.subscribe((event) => {
      if (event.type === 'copy.run') runs.push(event)
    })
    void running.done.then(() => {
      this.#asking.delete(url)
      if (!this.#closed && runs.length > 0) this.#store.dispatch({ type: 'ledger-runs', url, runs })
    })
  }
}

function isShown({ screen, runs }: State): boolean {
  return screen === 'runs' && runs.open === null
}
