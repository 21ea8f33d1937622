/** Pictures of rings of tokens: each is asked for by an operation of its own, when somebody wants to see it. */
import type { RunningOperation, Workbench } from '../../engine/workbench.ts'
import type { RingEvent, RingHostEvent, RingPartEvent } from '../../model/event.ts'
import type { ErrorInfo } from '../../shared/errors.ts'
import type { Action } from '../state/action.ts'
import type { RelationRow } from '../state/relation-row.ts'
import type { State } from '../state/state.ts'
import type { Store } from '../state/store.ts'
import { cursorRow } from '../state/tables-list.ts'
import { ringText } from '../views/ring.ts'
import { tokensOf } from './operations.ts'

/** Cells of a dialog that its frame takes. */
const FRAME = 4
const MOST_CELLS = 136

export class Rings {
  readonly #workbench: Workbench
  readonly #store: Store<State, Action>
  readonly #asking = new Map<string, RunningOperation>()

  constructor(workbench: Workbench, store: Store<State, Action>) {
    this.#workbench = workbench
    this.#store = store
  }

  /** Reads some of the ring of a table, and shows what it found unless the user has gone on to something else. */
  look(row: RelationRow): void {
    const { key, url, name } = row
    if (this.#asking.has(key)) return
    this.#store.dispatch({ type: 'ring-reading', key })
    this.#store.dispatch({ type: 'flash', flash: { text: `reading some of the ring of ${name} …`, tone: 'plain' } })
    const { operation, commandLine } = tokensOf(url, name)
    const running = this.#workbench.start(operation, commandLine)
    this.#asking.set(key, running)
    const parts: RingPartEvent[] = []
    const hosts: RingHostEvent[] = []
    let ring: RingEvent | null = null
    let error: ErrorInfo | null = null
    running.subscribe((event) => {
      if (event.type === 'ring.part') parts.push(event)
      if (event.type === 'ring.host') hosts.push(event)
      if (event.type === 'ring') ring = event
      if (event.type === 'run.finished') error = event.error ?? null
    })
    void running.done.then(() => {
      this.#asking.delete(key)
      const state = error === null && ring !== null ? 'ready' : 'failed'
      this.#store.dispatch({ type: 'ring-read', key, shown: { state, parts, hosts, ring, error } })
      this.#show(row)
    })
  }

  #show({ key, name }: RelationRow): void {
    const state = this.#store.get()
    this.#store.dispatch({ type: 'flash', flash: null })
    const shown = state.rings.get(key)
    const elsewhere = state.dialog !== null || state.prompt !== null || cursorRow(state)?.key !== key
    if (shown === undefined || elsewhere || state.screen !== 'tables') return
    const cells = Math.min(state.size.columns - FRAME, MOST_CELLS)
    const [title, ...lines] = ringText(shown, cells, state.ascii)
    this.#store.dispatch({
      type: 'dialog',
      dialog: { kind: 'text', title: `${name} · ${title ?? ''}`, lines, top: 0, copy: lines.join('\n') },
    })
  }

  close(): void {
    for (const running of this.#asking.values()) running.abort()
  }
}
