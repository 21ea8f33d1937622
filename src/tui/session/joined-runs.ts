/** Runs of other programs on this machine that are shown here. Leaving one does not stop it. */
import type { Story } from '../../app/command-port.ts'
import type { JoinedRun, RunningOperation } from '../../app/workbench.ts'
import type { Event } from '../../model/run/event.ts'
import type { Clock } from '../../shared/clock.ts'
import { asSluiceError } from '../../shared/errors.ts'
import type { Action } from '../state/action.ts'
import { activeRun, joinedRun } from '../state/selectors.ts'
import type { State } from '../state/state.ts'
import type { Store } from '../state/store.ts'
import { RunFlow } from './run-flow.ts'

const TICK_MS = 1000

/** Number of the first joined run; later ones count down. */
export const FIRST_JOINED = -1

export type JoinedTap = {
  /** Null if runs of this machine cannot be joined. */
  readonly join: ((runId: string) => Promise<JoinedRun>) | null
  /** Starts the line output of a run; null if unsupported. */
  story(): Story | null
  /** Called with every event of a run, including those before the join. */
  event(run: number, event: Event): void
}

/** @property seq largest number of an event of the run */
type Seen = { readonly run: JoinedRun; readonly flow: RunFlow; seq: number }

export class JoinedRuns {
  readonly #store: Store<State, Action>
  readonly #clock: Clock
  readonly #tap: JoinedTap
  readonly #seen = new Map<number, Seen>()
  readonly #asking = new Set<string>()
  #tick: ReturnType<typeof setInterval> | null = null
  #nextId = FIRST_JOINED
  #closed = false
  /** Called when a run has ended while it was shown. */
  onEnd: (run: number, exitCode: number) => void = () => undefined

  constructor(store: Store<State, Action>, clock: Clock, tap: JoinedTap) {
    this.#store = store
    this.#clock = clock
    this.#tap = tap
  }

  /** Shows a run by its id; a run that is already joined is only brought to the screen. */
  open(runId: string): void {
    const known = this.#store.get().runs.views.find((run) => run.joined !== null && run.runId === runId)
    if (known !== undefined && known.phase !== 'done') {
      this.#store.dispatch({ type: 'run-shown', id: known.id })
      return
    }
    const { join } = this.#tap
    if (join === null || this.#asking.has(runId)) return
    this.#asking.add(runId)
    void join(runId)
      .then((run) => this.show(run))
      .catch((thrown: unknown) => this.#report(asSluiceError(thrown).message))
      .finally(() => this.#asking.delete(runId))
  }

  show(run: JoinedRun): void {
    if (this.#closed) return run.leave()
    const id = this.#nextId
    this.#nextId -= 1
    this.#follow(id, run, true)
  }

  /** The open run, if another program runs it. */
  opened(): RunningOperation | null {
    const view = joinedRun(this.#store.get())
    const run = view === undefined ? undefined : this.#seen.get(view.id)?.run
    if (view === undefined || run === undefined) return null
    const abort = (): void => {
      run.abort()
      // The phase is set here, because no event reports an abort.
      this.#store.dispatch({ type: 'run-phase', id: view.id, phase: 'aborting' })
    }
    return { ...run, abort }
  }

  close(): void {
    this.#closed = true
    for (const { run, flow } of this.#seen.values()) {
      flow.stop()
      run.leave()
    }
    this.#seen.clear()
    this.#stopTicks()
  }

  /** @param after number of the last known event: a run that is joined again repeats its events */
  #follow(id: number, run: JoinedRun, show: boolean, after = 0): void {
    const flow = new RunFlow(id, this.#store, this.#clock, this.#tap.story())
    const seen: Seen = { run, flow, seq: after }
    this.#seen.set(id, seen)
    const tap = (event: Event): void => {
      seen.seq = Math.max(seen.seq, event.seq)
      if (event.seq > after) this.#tap.event(id, event)
    }
    const { about, snapshot } = run
    this.#store.dispatch({ type: 'run-joined', id, about, snapshot, now: this.#clock.now(), show })
    for (const event of snapshot) {
      flow.report(event)
      tap(event)
    }
    flow.flush()
    run.onRefused((message) => this.#report(message))
    run.subscribe((event) => {
      flow.take(event)
      tap(event)
    })
    this.#tick ??= setInterval(() => {
      for (const { flow: one } of this.#seen.values()) one.flush()
      // While a run of this program is active, no tick is needed here: that run sends ticks.
      if (activeRun(this.#store.get()) === undefined) this.#store.dispatch({ type: 'tick', now: this.#clock.now() })
    }, TICK_MS)
    void run.done.then((exitCode) => this.#ended(id, run, exitCode))
  }

  #ended(id: number, run: JoinedRun, exitCode: number): void {
    if (this.#closed) return
    const seen = this.#seen.get(id)
    seen?.flow.flush()
    this.#seen.delete(id)
    const again = run.again()
    if (again === null) this.#end(id, exitCode)
    else this.#follow(id, again, false, seen?.seq)
  }

  #end(id: number, exitCode: number): void {
    if (this.#seen.size === 0) this.#stopTicks()
    this.#store.dispatch({ type: 'run-ended', id, exitCode, now: this.#clock.now() })
    this.onEnd(id, exitCode)
  }

  #stopTicks(): void {
    if (this.#tick !== null) clearInterval(this.#tick)
    this.#tick = null
  }

  #report(text: string): void {
    this.#store.dispatch({ type: 'flash', flash: { text, tone: 'bad' } })
  }
}
