/** Compact states and key ranges of chunks whose events are no longer kept, for one table. Updated in place. */
import type { ChunkRange, ClosedState, KeySpan } from '../../model/run/event.ts'

const STATES: readonly (ClosedState | null)[] = [null, 'pending', 'proved', 'written', 'aside', 'failed']
/** Largest chunk number that is stored. Plans contain no larger ones. */
const MOST = 4_000_000
const WHOLE = /^-?\d{1,40}$/
/** A number with this many digits always fits into 64 bits. */
const SHORT = 18

/** State of a bound of a chunk: `unreported`, `whole` for an integer, `open` for no bound or no integer. */
const EDGE = { unreported: 0, open: 1, whole: 2 } as const

type Growing = { first: number; last: number; state: ClosedState; edges?: (string | null)[] }

export class ChunkStates {
  #states = new Uint8Array(64)
  /** Kinds of bounds (`EDGE`), two per chunk: of its lower and of its upper bound. */
  #kinds: Uint8Array
  #edges: BigInt64Array
  #largest = -1
  /** Bounds of more than 64 bits, such as tokens of some rings. */
  readonly #wide = new Map<number, bigint>()
  readonly #isPlaced: boolean

  /** @param isPlaced true if the key is one integer, so that a map can draw chunks by position */
  constructor(isPlaced: boolean) {
    this.#isPlaced = isPlaced
    this.#kinds = new Uint8Array(isPlaced ? 128 : 0)
    this.#edges = new BigInt64Array(isPlaced ? 128 : 0)
  }

  /** @returns true if the chunk has a number that can be stored */
  set(chunk: string, state: ClosedState, { from, to }: KeySpan): boolean {
    const no = Number(chunk)
    if (!/^\d{1,7}$/.test(chunk) || no > MOST) return false
    this.#grow(no)
    this.#largest = Math.max(this.#largest, no)
    this.#states[no] = STATES.indexOf(state)
    if (this.#isPlaced && (from !== undefined || to !== undefined)) {
      this.#edge(2 * no, from)
      this.#edge(2 * no + 1, to)
    }
    return true
  }

  /** Resets every failed chunk to pending. */
  forgetFailed(): void {
    for (let no = 0; no <= this.#largest; no++) if (STATES[this.#states[no] ?? 0] === 'failed') this.#states[no] = 1
  }

  /** The known states, as the longest possible ranges of adjacent chunks with the same state. */
  stateRanges(): readonly ChunkRange[] {
    const found: Growing[] = []
    let last: Growing | null = null
    for (let no = 0; no <= this.#largest; no++) {
      const state = STATES[this.#states[no] ?? 0] ?? null
      if (state === null) {
        last = null
        continue
      }
      const isReported = this.#isPlaced && this.#kinds[2 * no] !== EDGE.unreported
      if (last === null || !this.#goesOn(last, no, state, isReported)) {
        last = { first: no, last: no, state, ...(isReported ? { edges: [this.#text(2 * no)] } : {}) }
        found.push(last)
      }
      last.last = no
      if (isReported) last.edges?.push(this.#text(2 * no + 1))
    }
    return found
  }

  #goesOn(stretch: Growing, no: number, state: ClosedState, isReported: boolean): boolean {
    if (stretch.state !== state || isReported !== (stretch.edges !== undefined)) return false
    return !isReported || this.#joins(no)
  }

  /** True if a chunk begins directly after the previous one. */
  #joins(no: number): boolean {
    if (this.#kinds[2 * no - 1] !== EDGE.whole || this.#kinds[2 * no] !== EDGE.whole) return false
    return this.#valueAt(2 * no - 1) + 1n === this.#valueAt(2 * no)
  }

  #valueAt(at: number): bigint {
    return this.#wide.get(at) ?? this.#edges[at] ?? 0n
  }

  #text(at: number): string | null {
    return this.#kinds[at] === EDGE.whole ? String(this.#valueAt(at)) : null
  }

  #edge(at: number, bound: readonly string[] | null | undefined): void {
    const [text] = bound ?? []
    const isWhole = text !== undefined && WHOLE.test(text)
    this.#kinds[at] = isWhole ? EDGE.whole : EDGE.open
    this.#wide.delete(at)
    if (isWhole && text.length > SHORT) this.#wide.set(at, BigInt(text))
    else this.#edges[at] = isWhole ? BigInt(text) : 0n
  }

  #grow(no: number): void {
    if (no < this.#states.length) return
    const size = Math.max(no + 1, this.#states.length * 2)
    const states = new Uint8Array(size)
    states.set(this.#states)
    this.#states = states
    if (!this.#isPlaced) return
    const kinds = new Uint8Array(2 * size)
    kinds.set(this.#kinds)
    this.#kinds = kinds
    const edges = new BigInt64Array(2 * size)
    edges.set(this.#edges)
    this.#edges = edges
  }
}
