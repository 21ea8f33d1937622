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
export const MAY_EXIST = 2
/** Flag of a row: it is deleted, and its bytes hold the row key only. */
export const IS_DELETED = 4
/** The entry is unused: the batch now has the row as cells. */
const IS_UNUSED = 8
const STAYS = IS_NEW | MAY_EXIST

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
  constructor(capacity = FEWEST) {
    const slots = Math.max(capacity, FEWEST)
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
  replace(index: number, frame: RowFrame, isGone: boolean): void {
    this.#put(index, frame, (this.flags(index) & STAYS) | (isGone ? IS_DELETED : 0))
  }

  /** Marks the entry as unused: from now on the batch has the row in another form. */
  drop(index: number): void {
    if (!this.isUsed(index)) return
    this.#flags[index] = IS_UNUSED
    this.#dropped++
  }

  /** True if the entry is in use. */
  isUsed(index: number): boolean {
    return (this.flags(index) & IS_UNUSED) === 0
  }

  flags(index: number): number {
    return this.#flags[index] as number
  }

  data(index: number): Buffer {
    return this.#blocks[this.#blockOf[index] as number] as Buffer
  }

  /** Offset of the first value in `data`. */
  at(index: number): number {
    return this.#at[index] as number
  }

  /** `identityName` of the row key; only for a row with key bytes. */
  name(index: number): string {
    return this.layout(index).name(this.data(index), this.nameAt(index), this.nameLength(index))
  }

  /** As `RowFrame.nameAt`. */
  nameAt(index: number): number {
    return this.#nameAt[index] as number
  }

  /** As `RowFrame.nameLength`. */
  nameLength(index: number): number {
    return this.#nameLength[index] as number
  }

  /** True if the key bytes of a row equal these. */
  isNamed(index: number, data: Buffer, at: number, length: number): boolean {
    if (this.#nameLength[index] !== length) return false
    const own = this.data(index)
    const from = this.#nameAt[index] as number
    for (let i = 0; i < length; i++) if (own[from + i] !== data[at + i]) return false
    return true
  }

  layout(index: number): FrameLayout {
    return this.#layouts[this.#layoutOf[index] as number] as FrameLayout
  }

  /** Decodes the row key. */
  key(index: number): Row {
    return this.layout(index).identity(this.data(index), this.at(index))
  }

  /** Decodes a row that was not deleted. @throws SluiceError VALUE_REFUSED */
  row(index: number): Row {
    return this.layout(index).cells(this.data(index), this.at(index))
  }

  #put(index: number, { data, at, layout, nameAt, nameLength }: RowFrame, flags: number): void {
    // Rows arrive block by block, and nearly all have the same layout, so only the last ones are compared.
    if (this.#blocks[this.#blocks.length - 1] !== data) this.#blocks.push(data)
    if (this.#layouts[this.#layouts.length - 1] !== layout) this.#layouts.push(layout)
    this.#blockOf[index] = this.#blocks.length - 1
    this.#layoutOf[index] = this.#layouts.length - 1
    this.#at[index] = at
    this.#nameAt[index] = nameAt
    this.#nameLength[index] = nameLength
    this.#flags[index] = flags
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
