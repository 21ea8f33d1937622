/** States of a stream's tables in this run. The ledger has them too, except `newer`, keys of rows just read again. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { CopiedRanges } from '../compare/copied-part.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { StreamTable, StreamTableState } from '../../copy/ledger/stream-row.ts'

type State = {
  readonly state: StreamTableState
  /** Catch-up position: once it is applied, the table is live. Null while the table is being copied. */
  readonly fence: LogPosition | null
  /** From this position on the target's rows equal the source's, except for `newer`. */
  readonly exactFrom: LogPosition | null
  /** `keyText` of rows that were read again: they may be newer than the applied changes. */
  readonly newer: ReadonlySet<string>
  /**
   * Copied ranges to which changes are applied while the rest of the table is still being copied; null if changes are
   * applied to the whole table, or not at all.
   */
  readonly part: CopiedRanges | null
}

const NONE: ReadonlySet<string> = new Set()
const NO_PARTS: ReadonlyMap<string, CopiedRanges> = new Map()

export class TableStates {
  #states: State[] = []

  /**
   * Loads the states from the ledger. Call it before a stream is opened again, because a commit of this run may have
   * succeeded without a reply.
   * @param tables in the order of the stream
   * @param parts of partly copied tables, by name
   */
  load(
    tables: readonly Pick<FollowTable, 'name'>[],
    stored: readonly StreamTable[],
    parts: ReadonlyMap<string, CopiedRanges> = NO_PARTS,
  ): void {
    const known = new Map(stored.map((one) => [one.source, one]))
    this.#states = tables.map(({ name }) => {
      const { state = 'copying', fence = null } = known.get(name) ?? {}
      const part = state === 'copying' ? (parts.get(name) ?? null) : null
      return { state, fence, exactFrom: fence, newer: NONE, part }
    })
  }

  get list(): readonly StreamTableState[] {
    return this.#states.map(({ state }) => state)
  }

  some(state: StreamTableState): boolean {
    return this.#states.some((one) => one.state === state)
  }

  all(state: StreamTableState): boolean {
    return this.#states.every((one) => one.state === state)
  }

  /** True if changes are applied to the table at all. */
  isApplied(at: number): boolean {
    return this.#states[at]?.fence != null || this.part(at) !== null
  }

  /** Copied ranges to which changes are applied; null if changes are applied to the whole table, or not at all. */
  part(at: number): CopiedRanges | null {
    return this.#states[at]?.part ?? null
  }

  /** True if changes are applied to a part of some table, and every other table is live. */
  get isPartlyApplied(): boolean {
    return (
      this.#states.some(({ part }) => part !== null) &&
      this.#states.every(({ state, part }) => state === 'live' || part !== null)
    )
  }

  isLive(at: number): boolean {
    return this.#states[at]?.state === 'live'
  }

  /** True if the target has a row as the source had it just before `commit`. @param key `keyText` of the row key */
  isExact(at: number, commit: LogPosition, key: string): boolean {
    const state = this.#states[at]
    if (state === undefined || state.exactFrom === null || commit < state.exactFrom) return false
    return !state.newer.has(key)
  }

  /** Tables in catch-up that have reached their catch-up position. */
  reached(applied: LogPosition): readonly number[] {
    return this.#states.flatMap(({ state, fence }, at) =>
      state === 'catchup' && fence !== null && applied >= fence ? [at] : [],
    )
  }

  /** Notes rows that were read from the source after the applied position. @param keys `keyText` of their row keys */
  catchUp(at: number, fence: LogPosition, keys: Iterable<string>): void {
    const before = this.#states[at]
    if (before === undefined) return
    this.#states[at] = { ...before, state: 'catchup', fence, newer: new Set([...before.newer, ...keys]) }
  }

  live(at: number): void {
    const before = this.#states[at]
    if (before !== undefined) this.#states[at] = { ...before, state: 'live', newer: NONE }
  }
}
