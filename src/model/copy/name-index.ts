/**
 * Finds the row with the same key bytes (`RowFrame.nameAt`), by a hash table of row indexes that is reused for each
 * batch. A map of texts would create a text and an entry per row, which the garbage collector copies twice.
 */
import type { RowFrame } from './frame.ts'
import type { PackedRows } from './packed-rows.ts'

const FREE = -1
const FEWEST = 1024
const FNV_PRIME = 16_777_619
/** Random seed: user-chosen keys cannot be crafted to collide. */
const SEED = Math.floor(Math.random() * 2 ** 31)

export class NameIndex {
  #entries = new Int32Array(FEWEST).fill(FREE)
  #count = 0
  /** Index of the free entry that `find` found. */
  #freeEntry = 0

  /** @param frame a row with key bytes @returns index of the row with the same key; -1 if there is none */
  find(packed: PackedRows, frame: RowFrame): number {
    const { data, nameAt, nameLength } = frame
    const slots = this.#entries
    const mask = slots.length - 1
    for (let place = hash(data, nameAt, nameLength) & mask; ; place = (place + 1) & mask) {
      const slot = slots[place] as number
      if (slot === FREE) {
        this.#freeEntry = place
        return FREE
      }
      if (packed.isNamed(slot, data, nameAt, nameLength)) return slot
    }
  }

  /**
   * Adds a row. Call it directly after a `find` that did not find this row. @param packed holds the row at this index
   */
  add(packed: PackedRows, index: number): void {
    this.#entries[this.#freeEntry] = index
    this.#count++
    if (this.#count * 2 > this.#entries.length) this.#grow(packed)
  }

  clear(): void {
    if (this.#count > 0) this.#entries.fill(FREE)
    this.#count = 0
  }

  #grow(packed: PackedRows): void {
    const before = this.#entries
    const slots = new Int32Array(before.length * 4).fill(FREE)
    const mask = slots.length - 1
    for (const slot of before) {
      if (slot === FREE) continue
      let place = hash(packed.data(slot), packed.nameAt(slot), packed.nameLength(slot)) & mask
      while (slots[place] !== FREE) place = (place + 1) & mask
      slots[place] = slot
    }
    this.#entries = slots
  }
}

/** FNV-1a with a final mix: consecutive keys differ in their last bytes only. */
function hash(data: Buffer, at: number, length: number): number {
  let sum = SEED
  for (let i = at; i < at + length; i++) sum = Math.imul(sum ^ (data[i] as number), FNV_PRIME)
  sum ^= sum >>> 15
  return Math.imul(sum, 0x2c1b3c6d) >>> 8
}
