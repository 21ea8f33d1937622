/** The tables of a stream as this run knows them; the ledger has the same, but for the rows that were just read again. */
import type { LogPosition } from '../../../model/copy/change.ts'
import type { CopiedPart } from '../compare/copied-part.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { StreamTable, TableState } from '../../copy/ledger/stream-row.ts'

type State = {
  readonly state: TableState
  /** The table becomes live once this position is applied; of a live one, where it became so. Null while it is copied. */
  readonly fence: LogPosition | null
  /** From here on rows that the target holds are those that the source held, but for `newer`. */
  readonly exactFrom: LogPosition | null
  /** Rows that were read again behind the applied position: they may be newer than what is applied to them. By `keyText` of their identities. */
  readonly newer: ReadonlySet<string>
  /** Rows that changes are applied to while the others are still to be copied; null where they are applied to all, or to none. */
  readonly part: CopiedPart | null
}

const NONE: ReadonlySet<string> = new Set()
const NO_PARTS: ReadonlyMap<string, CopiedPart> = new Map()

export class TableStates {
  #states: State[] = []

  /**
   * As the ledger has them; again before a stream is opened again, because what this run knew may be behind what it had committed.
   * @param tables in the order of the stream
   * @param parts of tables that are copied in part, by their names
   */
  load(
    tables: readonly Pick<FollowTable, 'name'>[],
    stored: readonly StreamTable[],
    parts: ReadonlyMap<string, CopiedPart> = NO_PARTS,
  ): void {
    const known = new Map(stored.map((one) => [one.source, one]))
    this.#states = tables.map(({ name }) => {
      const { state = 'copying', fence = null } = known.get(name) ?? {}
      const part = state === 'copying' ? (parts.get(name) ?? null) : null
      return { state, fence, exactFrom: fence, newer: NONE, part }
    })
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

  /** Whether changes are applied to the table at all. */
  isApplied(at: number): boolean {
    return this.#states[at]?.fence != null || this.part(at) !== null
  }

  /** Rows of the table that changes are applied to; null for all of them. */
  part(at: number): CopiedPart | null {
    return this.#states[at]?.part ?? null
  }

  /** Whether changes are applied to a part of some table, and to nothing that is not live beside it. */
  get isInPart(): boolean {
    return (
      this.#states.some(({ part }) => part !== null) &&
      this.#states.every(({ state, part }) => state === 'live' || part !== null)
    )
  }

  isLive(at: number): boolean {
    return this.#states[at]?.state === 'live'
  }

  /**
   * Whether the target holds a row as the source held it just before a transaction.
   * @param commit of the transaction @param key `keyText` of the row's identity
   */
  isExact(at: number, commit: LogPosition, key: string): boolean {
    const state = this.#states[at]
    if (state === undefined || state.exactFrom === null || commit < state.exactFrom) return false
    return !state.newer.has(key)
  }

  /** Tables that catch up and have reached their fence. */
  reached(applied: LogPosition): readonly number[] {
    return this.#states.flatMap(({ state, fence }, at) =>
      state === 'catchup' && fence !== null && applied >= fence ? [at] : [],
    )
  }

  /** Rows were read from the source behind the applied position. @param keys `keyText` of their identities */
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
