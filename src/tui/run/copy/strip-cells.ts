/** Cells of a strip, updated chunk by chunk: drawing costs the same for 100 chunks as for 100,000. */
import type { AxisPart } from './key-axis.ts'

/** Tolerance for sums of fractions that should be 1. */
const NEARLY = 1e-6

export class StripCells {
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
