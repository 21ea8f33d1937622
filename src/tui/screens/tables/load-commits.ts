/**
 * Updates of the Tables screen without a key press: new commits, their state in the catalog, and ages. If no text
 * changes, nothing is written.
 */
import type { Workbench } from '../../../app/workbench.ts'
import type { Clock } from '../../../shared/clock.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { Action } from '../../state/action.ts'
import { drawnLines } from './drawn-list.ts'
import { geometry, tablesHeight } from '../../state/geometry.ts'
import { activeRun } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'

/**
 * Interval of requests to the reader thread, ms. The next request returns the changes that the thread has found
 * meanwhile.
 */
const POLL_MS = 200
/** Interval of redrawing ages when nothing else is drawn, ms. */
export const AGES_MS = 60_000

export class Live {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #clock: Clock
  readonly #failed: (error: SluiceError) => void
  readonly #timer: NodeJS.Timeout
  #aging: NodeJS.Timeout
  #asking = false
  #closed = false

  /** @param failed called with the error when the tables could not be read */
  constructor(workbench: Workbench, store: Store<State, Action>, clock: Clock, failed: (error: SluiceError) => void) {
    this.#workbench = workbench
    this.#store = store
    this.#clock = clock
    this.#failed = failed
    this.#timer = setInterval(() => void this.#poll(), POLL_MS).unref()
    this.#aging = setInterval(() => this.#age(), AGES_MS).unref()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    clearInterval(this.#aging)
  }

  /** Sends at most one request at a time, and none while the tables are not visible. */
  async #poll(): Promise<void> {
    const state = this.#store.get()
    if (this.#asking || this.#closed || !isShown(state)) return
    this.#asking = true
    try {
      const rows = await this.#workbench.changed(seenKeys(state))
      if (rows.length === 0 || this.#closed) return
      this.#store.dispatch({ type: 'rows', rows, now: this.#clock.now() })
      // Restart the timer, because the new rows are drawn with current ages.
      clearInterval(this.#aging)
      this.#aging = setInterval(() => this.#age(), AGES_MS).unref()
    } catch (thrown) {
      if (!this.#closed) this.#failed(asSluiceError(thrown))
    } finally {
      this.#asking = false
    }
  }

  #age(): void {
    // An active run updates the clock itself.
    if (activeRun(this.#store.get()) === undefined) this.#store.dispatch({ type: 'aged', now: this.#clock.now() })
  }
}

function isShown(state: State): boolean {
  const { tables } = state.slots
  return state.screen === 'tables' && geometry(state).mode !== 'small' && tables.loading === null && hasDelta(state)
}

const hasDelta = ({ slots }: State): boolean => slots.tables.value?.some(({ kind }) => kind === 'delta') === true

/** Keys of the visible tables: rows of the list, and the table in the detail pane. */
function seenKeys(state: State): readonly string[] {
  const { top } = state.tables
  const lines = geometry(state).list === 0 ? [] : drawnLines(state).slice(top, top + tablesHeight(state))
  const keys = lines.flatMap((line) => (line.kind === 'row' && line.row.kind === 'delta' ? [line.row.key] : []))
  const { key } = state.detail
  return key === null ? keys : [...new Set([...keys, key])]
}
