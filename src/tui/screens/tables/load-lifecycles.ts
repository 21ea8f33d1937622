/**
 * The four phases of a table as `lifecycle status` reports them, and the commands that they offer. The settings come
 * from the table's entry in the config file; a table without an entry is inspected as it is.
 */
import type { RunningOperation, Workbench } from '../../../app/workbench.ts'
import type { LifecycleStatusOperation } from '../../../partition/operations/lifecycle-status/declaration.ts'
import type { LifecyclePhaseEvent } from '../../../model/partition/lifecycle-events.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import type { RelationRow } from './relation-row.ts'
import type { Action } from '../../state/action.ts'
import type { State } from '../../state/state.ts'
import type { Store } from '../../state/store.ts'
import { cursorRow } from './tables-list.ts'
import type { Operation } from '../../../app/operations/list.ts'
import { lifecycleOf } from '../../session/operations.ts'

export class Lifecycles {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  /** Settings of the config file; null without one. */
  readonly wanted: LifecycleStatusOperation | null
  readonly #asking = new Map<string, RunningOperation>()
  /** A run started from the phases of a table, until the phases are shown again. */
  #begun: { readonly row: RelationRow; readonly operation: Operation } | null = null

  /** @param asked settings of the config file; null without one */
  constructor(workbench: Workbench, store: Store<State, Action>, asked: LifecycleStatusOperation | null) {
    this.#workbench = workbench
    this.#store = store
    this.wanted = asked
  }

  /** Shows the phases of a table, and reads them again. */
  open(row: RelationRow): void {
    this.#store.dispatch({ type: 'dialog', dialog: { kind: 'lifecycle', row, chosen: null, top: 0 } })
    this.read(row)
  }

  /** Reads the phases without opening the dialog. */
  read(row: RelationRow): void {
    const { key, url, name } = row
    const store = this.#store
    if (this.#asking.has(key)) return
    store.dispatch({ type: 'lifecycle-reading', key })
    const { operation, commandLine } = lifecycleOf(url, name, this.wanted)
    const running = this.#workbench.start(operation, commandLine)
    this.#asking.set(key, running)
    const phases: LifecyclePhaseEvent[] = []
    let error: ErrorInfo | null = null
    running.subscribe((event) => {
      if (event.type === 'lifecycle.phase') phases.push(event)
      if (event.type === 'run.finished') error = event.error ?? null
    })
    void running.done.then(() => {
      this.#asking.delete(key)
      store.dispatch({ type: 'lifecycle-read', key, shown: { phases, error, reading: false } })
    })
  }

  /** Remembers the started run, so that the phases are read again when it has ended. */
  begun(row: RelationRow, operation: Operation): void {
    this.#begun = { row, operation }
  }

  /** Called after every state change: reopens the phases when the run started from them has ended. */
  reopen(): void {
    if (this.#begun === null) return
    const { row, operation } = this.#begun
    const state = this.#store.get()
    const { views } = state.runs
    const run = views.find((view) => view.operation === operation)
    if (run?.phase !== 'done' || state.screen !== 'tables' || state.dialog !== null || state.prompt !== null) return
    this.#begun = null
    if (cursorRow(state)?.key === row.key) this.open(row)
  }

  close(): void {
    for (const running of this.#asking.values()) running.abort()
  }
}
