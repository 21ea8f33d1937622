/** The cells of a strip, kept up to date chunk by chunk: drawing them costs as much for a hundred chunks as for a hundred thousand. */
import type { Place } from './key-axis.ts'

/** Sums of shares end a little beside 1. */
const NEARLY = 1e-6

export class StripCells {
  readonly width: number
  readonly #states: number
  /** Chunks of each state in each cell. */
  readonly #counts: Uint32Array
  /** How much of a cell belongs to chunks that somebody has spoken of. */
  readonly #covered: Float64Array

  /** @param states how many there are; 0 is that of what nobody has spoken of, and is not counted */
  constructor(width: number, states: number) {
    this.width = width
    this.#states = states
    this.#counts = new Uint32Array(width * states)
    this.#covered = new Float64Array(width)
  }

  /** @param by 1 for a chunk that comes, -1 for one that goes, with the place and the state it came with */
  add(place: Place, state: number, by: 1 | -1): void {
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

  /** Whether a chunk of a state lies in a cell. */
  has(cell: number, state: number): boolean {
    return (this.#counts[cell * this.#states + state] ?? 0) > 0
  }

  isCovered(cell: number): boolean {
    return (this.#covered[cell] ?? 0) >= 1 - NEARLY
  }
}
