/** Set of whole numbers from 0, one bit each, so that a million chunks take little memory. */
const BLOCK = 1024
const WORD = 32

export class NumberSet {
  readonly #blocks = new Map<number, Uint32Array>()
  #size = 0

  get size(): number {
    return this.#size
  }

  has(number: number): boolean {
    const { block, word, bit } = placeOf(number)
    return (((this.#blocks.get(block)?.[word] ?? 0) >>> bit) & 1) === 1
  }

  add(number: number): void {
    if (this.has(number)) return
    const { block, word, bit } = placeOf(number)
    const words = this.#blocks.get(block) ?? new Uint32Array(BLOCK / WORD)
    this.#blocks.set(block, words)
    words[word] = (words[word] ?? 0) | (1 << bit)
    this.#size++
  }

  /** @returns true if the number was in the set */
  delete(number: number): boolean {
    if (!this.has(number)) return false
    const { block, word, bit } = placeOf(number)
    const words = this.#blocks.get(block)
    if (words !== undefined) words[word] = (words[word] ?? 0) & ~(1 << bit)
    this.#size--
    return true
  }
}

function placeOf(number: number): { readonly block: number; readonly word: number; readonly bit: number } {
  const within = number % BLOCK
  return { block: Math.floor(number / BLOCK), word: within >> 5, bit: within & 31 }
}
