/**
 * Reads the data that the screen lacks: one read per kind of data at a time, so that a held key does not queue reads.
 */
import type { Workbench } from '../../app/workbench.ts'
import type { TableRow } from '../../model/lake/answers.ts'
import type { Clock } from '../../shared/clock.ts'
import { asSluiceError, type SluiceError } from '../../shared/errors.ts'
import type { Action, Loaded } from '../state/action.ts'
import type { DataName, State } from '../state/state.ts'
import type { Store } from '../state/store.ts'
import { needs, type Need } from './needs.ts'
import { catalogError, WorkbenchReach, wholeError, type ShowFlash } from './reach.ts'

/** Kinds of data that do not depend on the row under the cursor. */
const LISTS: ReadonlySet<DataName> = new Set(['tables', 'runs'])

export class ScreenReads {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #clock: Clock
  readonly #inFlight = new Set<DataName>()
  readonly #passing: Passing
  readonly #reach: WorkbenchReach
  #closed = false

  /** @param restMs how long the cursor rests on a row before its details are read, ms */
  constructor(workbench: Workbench, store: Store<State, Action>, clock: Clock, restMs: number, flash: ShowFlash) {
    this.#workbench = workbench
    this.#store = store
    this.#clock = clock
    this.#passing = new Passing(restMs, () => this.readMissing())
    this.#reach = new WorkbenchReach(flash, () => store.dispatch({ type: 'reload', now: clock.now() }))
  }

  /** Reports a read that failed elsewhere: retries begin if the catalog cannot be reached. */
  failed(slot: DataName, error: SluiceError): void {
    this.#reach.failed(slot, error)
  }

  /** Starts reads of data that the screen lacks. */
  readMissing(): void {
    if (this.#closed) return
    const state = this.#store.get()
    const isPassing = this.#passing.moveTo(state.detail.key)
    for (const need of needs(state)) {
      const slot = state.slots[need.slot]
      if (slot.key === need.key || this.#inFlight.has(need.slot)) continue
      if (isPassing && !LISTS.has(need.slot)) continue
      this.#inFlight.add(need.slot)
      void this.#ask(need)
    }
  }

  close(): void {
    this.#closed = true
    this.#reach.close()
    this.#passing.close()
  }

  async #ask(need: Need): Promise<void> {
    const { slot, key, identity } = need
    const stopWaiting = this.#reach.waiting()
    try {
      // Start the read before dispatching: the dispatch starts further reads, and the tables must be read first.
      const asked = need.ask(this.#workbench)
      this.#store.dispatch({ type: 'loading', slot, key })
      const value = await asked
      this.#inFlight.delete(slot)
      const away = slot === 'tables' ? catalogError(value as readonly TableRow[]) : null
      if (away === null) this.#reach.answered(slot)
      else this.#reach.failed(slot, away)
      this.#store.dispatch({ type: 'loaded', slot, key, identity, value, now: this.#clock.now() } as Loaded)
    } catch (thrown) {
      this.#inFlight.delete(slot)
      const error = asSluiceError(thrown)
      this.#reach.failed(slot, error)
      this.#store.dispatch({ type: 'load-failed', slot, key, identity, error: wholeError(error) })
    } finally {
      stopWaiting()
    }
  }
}

/**
 * Detects a cursor that moves on without resting: details of the rows it passes are not read. After a rest, the details
 * of the next row are read at once.
 */
class Passing {
  readonly #restMs: number
  readonly #rested: () => void
  #timer: NodeJS.Timeout | null = null
  #key: string | null = null
  #isPassing = false

  /**
   * @param restMs time on a row after which the cursor is resting, ms; 0: at once @param rested called when the cursor
   * rests after passing rows
   */
  constructor(restMs: number, rested: () => void) {
    this.#restMs = restMs
    this.#rested = rested
  }

  /** @param key of the row under the cursor @returns true if the cursor is only passing */
  moveTo(key: string | null): boolean {
    if (key === this.#key || this.#restMs === 0) return this.#isPassing
    this.#key = key
    this.#isPassing = this.#timer !== null
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = null
      if (!this.#isPassing) return
      this.#isPassing = false
      this.#rested()
    }, this.#restMs)
    return this.#isPassing
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
  }
}
