/** State of every chunk of one table, in a few bytes each: a table may have 100,000 chunks. It is changed in place. */
import type { KeySpan } from '../../../model/run/event.ts'
import { axisPlace, type KeyAxis, type AxisPart } from './key-axis.ts'

export const CHUNK_STATES = ['pending', 'proved', 'written', 'copying', 'aside', 'waits', 'failed'] as const
/** `aside`: proved except for quarantined rows. `waits`: failed, and will be tried again. */
export type ChunkState = (typeof CHUNK_STATES)[number]

/** States that outrank pending in a cell of the strip, worst first. */
const WORSE: readonly ChunkState[] = ['failed', 'waits', 'aside', 'copying', 'written']
const PROVED = CHUNK_STATES.indexOf('proved')
/** Chunk numbers beyond this are treated as names, because the arrays are indexed by number. */
const MOST = 4_000_000

export class ChunkMap {
  readonly axis: KeyAxis
  readonly #chunks: number
  #states = new Uint8Array(64)
  #from: Float64Array
  #to: Float64Array
  #largest = 0
  #known = 0
  #cells: StripCells | null = null
  readonly #named = new Map<string, number>()
  readonly #counts = CHUNK_STATES.map(() => 0)

  /** @param chunks number of chunks, as far as known */
  constructor(axis: KeyAxis, chunks: number) {
    this.axis = axis
    this.#chunks = chunks
    const places = axis.by === 'value' ? 64 : 0
    this.#from = new Float64Array(places)
    this.#to = new Float64Array(places)
  }

  /** @param span key range of the chunk, if the event has it */
  set(chunk: string, state: ChunkState, span?: KeySpan): void {
    const index = this.#index(chunk)
    this.#grow(index)
    const all = this.#all
    const together = this.#isCompact
    const before = this.#states[index] ?? 0
    this.#cells?.add(this.#place(index), before, -1)
    const after = CHUNK_STATES.indexOf(state)
    this.#states[index] = after
    this.#count(before, -1)
    this.#count(after, 1)
    this.#largest = Math.max(this.#largest, index)
    if (span !== undefined && this.axis.by === 'value') {
      const place = axisPlace(this.axis, span)
      this.#from[index] = place.from
      this.#to[index] = place.to
    }
    // On an axis by order, one new chunk can change the positions of all others: then all cells are computed again.
    if (this.axis.by === 'order' && (together || this.#isCompact || this.#all !== all)) this.#cells = null
    this.#cells?.add(this.#place(index), after, 1)
  }

  state(chunk: string): ChunkState {
    return CHUNK_STATES[this.#states[this.#index(chunk)] ?? 0] ?? 'pending'
  }

  /** Number of chunks, in total and by state. */
  counts(): Readonly<Record<ChunkState | 'all', number>> {
    const [, proved = 0, written = 0, copying = 0, aside = 0, waits = 0, failed = 0] = this.#counts
    return { all: this.#all, pending: this.#all - this.#known, proved, written, copying, aside, waits, failed }
  }

  /** Sets all chunks in state `from` to state `to`. */
  replaceState(from: ChunkState, to: ChunkState): void {
    const [before, after] = [CHUNK_STATES.indexOf(from), CHUNK_STATES.indexOf(to)]
    for (let i = 0; i <= this.#largest; i++) {
      if (this.#states[i] !== before) continue
      this.#states[i] = after
      this.#count(before, -1)
      this.#count(after, 1)
    }
    this.#cells = null
  }

  /** The strip: for each of `width` cells the worst state of the chunks in it. */
  cells(width: number): readonly ChunkState[] {
    const cells = this.#cells?.width === width ? this.#cells : this.#filled(width)
    this.#cells = cells
    return Array.from({ length: width }, (_, cell) => {
      const worst = WORSE.find((state) => cells.has(cell, CHUNK_STATES.indexOf(state)))
      if (worst !== undefined) return worst
      return cells.has(cell, PROVED) && cells.isCovered(cell) ? 'proved' : 'pending'
    })
  }

  #filled(width: number): StripCells {
    const cells = new StripCells(width, CHUNK_STATES.length)
    const together = this.#isCompact
    const all = this.#all
    let seen = 0
    for (let i = 0; i <= this.#largest; i++) {
      const state = this.#states[i] ?? 0
      if (state === 0) continue
      cells.add(together ? { from: seen / all, to: (seen + 1) / all } : this.#place(i), state, 1)
      seen++
    }
    return cells
  }

  /**
   * True if chunks are drawn without gaps: a table was cut into chunks again, so that some chunk numbers are not used.
   */
  get #isCompact(): boolean {
    return this.axis.by === 'order' && this.#largest > this.#all
  }

  #place(index: number): AxisPart {
    if (this.axis.by === 'value') return { from: this.#from[index] ?? 0, to: this.#to[index] ?? 0 }
    const all = this.#all
    return { from: Math.max(0, index - 1) / all, to: Math.max(1, index) / all }
  }

  #index(chunk: string): number {
    if (/^\d{1,7}$/.test(chunk) && Number(chunk) <= MOST) return Number(chunk)
    const known = this.#named.get(chunk)
    if (known !== undefined) return known
    const index = this.#named.size + 1
    this.#named.set(chunk, index)
    return index
  }

  #count(state: number, by: number): void {
    // Chunks without an event are pending too; they are counted as the remainder.
    if (state === 0) return
    this.#counts[state] = (this.#counts[state] ?? 0) + by
    this.#known += by
  }

  get #all(): number {
    return Math.max(this.#chunks, this.#known)
  }

  #grow(index: number): void {
    if (index < this.#states.length) return
    const size = Math.max(index + 1, this.#states.length * 2)
    const states = new Uint8Array(size)
    states.set(this.#states)
    this.#states = states
    if (this.axis.by !== 'value') return
    const [from, to] = [new Float64Array(size), new Float64Array(size)]
    from.set(this.#from)
    to.set(this.#to)
    this.#from = from
    this.#to = to
  }
}

// Cells of a strip, updated chunk by chunk: drawing costs the same for 100 chunks as for 100,000.

/** Tolerance for sums of fractions that should be 1. */
const NEARLY = 1e-6

class StripCells {
  readonly width: number
  readonly #states: number
  /** Number of chunks by state and cell. */
  readonly #counts: Uint32Array
  /** Fraction of each cell that known chunks cover. */
  readonly #covered: Float64Array

  /** @param states number of states; state 0 means unknown and is not counted */
  constructor(width: number, states: number) {
    this.width = width
    this.#states = states
    this.#counts = new Uint32Array(width * states)
    this.#covered = new Float64Array(width)
  }

  /** @param by 1 adds a chunk; -1 removes a chunk that was added with the same place and state */
  add(place: AxisPart, state: number, by: 1 | -1): void {
    if (state === 0) return
    const [a, b] = [place.from * this.width, place.to * this.width]
    const first = Math.min(this.width - 1, Math.floor(a))
    const last = Math.max(first, Math.min(this.width - 1, Math.ceil(b - NEARLY) - 1))
    for (let cell = first; cell <= last; cell++) {
      const at = cell * this.#states + state
      this.#counts[at] = (this.#counts[at] ?? 0) + by
      const share = Math.max(0, Math.min(b, cell + 1) - Math.max(a, cell))
      this.#covered[cell] = (this.#covered[cell] ?? 0) + by * share
    }
  }

  /** True if a chunk of a state lies in a cell. */
  has(cell: number, state: number): boolean {
    return (this.#counts[cell * this.#states + state] ?? 0) > 0
  }

  isCovered(cell: number): boolean {
    return (this.#covered[cell] ?? 0) >= 1 - NEARLY
  }
}
