/** The tables of a stream as this run knows them; the ledger has the same. */
import type { LogPosition } from '../../model/copy/change.ts'
import type { TableState } from './ledger/stream-row.ts'

type State = { readonly state: TableState; readonly fence: LogPosition | null }

export class TableStates {
  readonly #states: State[]

  /** @param states in the order of the stream's tables; the fence of a live table is where it became live, or before */
  constructor(states: readonly State[]) {
    this.#states = [...states]
  }

  get list(): readonly TableState[] {
    return this.#states.map(({ state }) => state)
  }

  some(state: TableState): boolean {
    return this.#states.some((one) => one.state === state)
  }

  all(state: TableState): boolean {
    return this.#states.every((one) => one.state === state)
  }

  /** From which position on the table holds what the source held; null while it is copied. */
  fenceOf(at: number): LogPosition | null {
    return this.#states[at]?.fence ?? null
  }

  /** Tables that catch up and have reached their fence. */
  reached(applied: LogPosition): readonly number[] {
    return this.#states.flatMap(({ state, fence }, at) =>
      state === 'catchup' && fence !== null && applied >= fence ? [at] : [],
    )
  }

  catchUp(at: number, fence: LogPosition): void {
    this.#states[at] = { state: 'catchup', fence }
  }

  live(at: number): void {
    const fence = this.fenceOf(at)
    this.#states[at] = { state: 'live', fence }
  }
}
