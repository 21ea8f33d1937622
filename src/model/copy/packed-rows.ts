/**
 * Changed rows of one table, packed: the bytes from the source, and typed arrays of offsets and flags. So thousands of
 * rows need only a few objects. With one object per row, garbage collection took a quarter of the time (measured with
 * one-row transactions).
 */
import type { FrameLayout, RowFrame } from './frame.ts'
import type { Row } from './rows.ts'

/** Flag of a row: the target probably has no row with this key yet. */
export const IS_NEW = 1
/** Flag of a row: the target may hold an older row with this key, which must be deleted. */
export const IS_LEFT = 2
/** Flag of a row: it is deleted, and its bytes hold the row key only. */
export const IS_GONE = 4
/** The entry is unused: the batch now has the row as cells. */
const IS_DROPPED = 8
const STAYS = IS_NEW | IS_LEFT

const FEWEST = 64

export class PackedRows {
  readonly #blocks: Buffer[] = []
  readonly #layouts: FrameLayout[] = []
  #blockOf: Int32Array
  #layoutOf: Int32Array
  #at: Int32Array
  #nameAt: Int32Array
  #nameLength: Int32Array
  #flags: Uint8Array
  #length = 0
  #dropped = 0

  /** @param capacity initial number of entries; grows as needed */
  constructor(room = FEWEST) {
    const slots = Math.max(room, FEWEST)
    this.#blockOf = new Int32Array(slots)
    this.#layoutOf = new Int32Array(slots)
    this.#at = new Int32Array(slots)
    this.#nameAt = new Int32Array(slots)
    this.#nameLength = new Int32Array(slots)
    this.#flags = new Uint8Array(slots)
  }

  /** Number of entries, including unused ones; indexes begin at 0. */
  get length(): number {
    return this.#length
  }

  /** Number of rows. */
  get count(): number {
    return this.#length - this.#dropped
  }

  /** @param flags any of `IS_NEW`, `MAY_EXIST` and `IS_DELETED`, combined @returns the index of the row */
  add(frame: RowFrame, flags: number): number {
    const slot = this.#length++
    if (slot === this.#flags.length) this.#grow()
    this.#put(slot, frame, flags)
    return slot
  }

  /**
   * Replaces the row by a later change of the same key. Keeps `IS_NEW` and `MAY_EXIST`, which describe the target
   * before the batch.
   */
  replace(slot: number, frame: RowFrame, isGone: boolean): void {
    this.#put(slot, frame, (this.flags(slot) & STAYS) | (isGone ? IS_GONE : 0))
  }

  /** Marks the entry as unused: from now on the batch has the row in another form. */
  drop(slot: number): void {
    if (!this.isThere(slot)) return
    this.#flags[slot] = IS_DROPPED
    this.#dropped++
  }

  /** True if the entry is in use. */
  isThere(slot: number): boolean {
    return (this.flags(slot) & IS_DROPPED) === 0
  }

  flags(slot: number): number {
    return this.#flags[slot] as number
  }

  data(slot: number): Buffer {
    return this.#blocks[this.#blockOf[slot] as number] as Buffer
  }

  /** Offset of the first value in `data`. */
  at(slot: number): number {
    return this.#at[slot] as number
  }

  /** `identityName` of the row key; only for a row with key bytes. */
  name(slot: number): string {
    return this.layout(slot).name(this.data(slot), this.nameAt(slot), this.nameLength(slot))
  }

  /** As `RowFrame.nameAt`. */
  nameAt(slot: number): number {
    return this.#nameAt[slot] as number
  }

  /** As `RowFrame.nameLength`. */
  nameLength(slot: number): number {
    return this.#nameLength[slot] as number
  }

  /** True if the key bytes of a row equal these. */
  isNamed(slot: number, data: Buffer, at: number, length: number): boolean {
    if (this.#nameLength[slot] !== length) return false
    const own = this.data(slot)
    const from = this.#nameAt[slot] as number
    for (let i = 0; i < length; i++) if (own[from + i] !== data[at + i]) return false
    return true
  }

  layout(slot: number): FrameLayout {
    return this.#layouts[this.#layoutOf[slot] as number] as FrameLayout
  }

  /** Decodes the row key. */
  key(slot: number): Row {
    return this.layout(slot).identity(this.data(slot), this.at(slot))
  }

  /** Decodes a row that was not deleted. @throws SluiceError VALUE_REFUSED */
  row(slot: number): Row {
    return this.layout(slot).cells(this.data(slot), this.at(slot))
  }

  #put(slot: number, { data, at, layout, nameAt, nameLength }: RowFrame, flags: number): void {
    // Rows arrive block by block, and nearly all have the same layout, so only the last ones are compared.
    if (this.#blocks[this.#blocks.length - 1] !== data) this.#blocks.push(data)
    if (this.#layouts[this.#layouts.length - 1] !== layout) this.#layouts.push(layout)
    this.#blockOf[slot] = this.#blocks.length - 1
    this.#layoutOf[slot] = this.#layouts.length - 1
    this.#at[slot] = at
    this.#nameAt[slot] = nameAt
    this.#nameLength[slot] = nameLength
    this.#flags[slot] = flags
  }

  #grow(): void {
    const slots = this.#flags.length * 2
    this.#blockOf = grown(this.#blockOf, new Int32Array(slots))
    this.#layoutOf = grown(this.#layoutOf, new Int32Array(slots))
    this.#at = grown(this.#at, new Int32Array(slots))
    this.#nameAt = grown(this.#nameAt, new Int32Array(slots))
    this.#nameLength = grown(this.#nameLength, new Int32Array(slots))
    this.#flags = grown(this.#flags, new Uint8Array(slots))
  }
}

function grown<T extends Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}
