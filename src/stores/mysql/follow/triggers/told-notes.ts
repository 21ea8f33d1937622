/** The numbers of notes that a round has told, exactly those. */

/** Numbers that are taken out of a log at once. */
const AT_ONCE = 2000

export class ToldNotes {
  /** First and last number of each run without a gap, one after the other: notes of one statement lie beside each other. */
  readonly #runs: number[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** @param id greater than those before */
  add(id: number): void {
    this.#size++
    const last = this.#runs.length - 1
    if (this.#runs[last] === id - 1) this.#runs[last] = id
    else this.#runs.push(id, id)
  }

  *pieces(): Generator<readonly number[]> {
    let piece: number[] = []
    for (let at = 0; at < this.#runs.length; at += 2) {
      const last = this.#runs[at + 1] ?? 0
      for (let id = this.#runs[at] ?? 0; id <= last; id++) {
        piece.push(id)
        if (piece.length === AT_ONCE) {
          yield piece
          piece = []
        }
      }
    }
    if (piece.length > 0) yield piece
  }
}
