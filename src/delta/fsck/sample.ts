/** A reproducible sample: the items with the smallest hashes; the same seed selects the same items. */
import { createHash } from 'node:crypto'

type Drawn<T> = { readonly rank: string; readonly item: T }

export class RandomSample<T> {
  readonly #size: number
  readonly #seed: string
  #drawn: Drawn<T>[] = []

  constructor(size: number, seed: string) {
    this.#size = size
    this.#seed = seed
  }

  /** @param key identifies the item; the order of the calls makes no difference */
  offer(key: string, item: T): void {
    this.#drawn.push({ rank: createHash('sha256').update(`${this.#seed}\0${key}`).digest('hex'), item })
    if (this.#drawn.length >= 2 * this.#size + 1000) this.#cut()
  }

  /** The selected items, smallest hash first. */
  items(): readonly T[] {
    this.#cut()
    return this.#drawn.map(({ item }) => item)
  }

  #cut(): void {
    this.#drawn = this.#drawn.toSorted((a, b) => (a.rank < b.rank ? -1 : 1)).slice(0, this.#size)
  }
}
