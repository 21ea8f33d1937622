/**
 * Folds changes of one table, in commit order, to one final state per row key. So a target writes each row once, and
 * the order of writes within a batch cannot break a unique constraint that the source kept.
 */
import type { ChangeBatch, ChangeRow, Put, RowChange } from '../../../model/copy/change.ts'
import type { RowFrame } from '../../../model/copy/frame.ts'
import { identityName } from '../../../model/copy/identity-name.ts'
import { NameIndex } from '../../../model/copy/name-index.ts'
import { IS_DELETED, MAY_EXIST, IS_NEW, PackedRows } from '../../../model/copy/packed-rows.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'

/** `row` is null for a deleted row. */
type FoldedRow = {
  readonly key: Row
  readonly row: ChangeRow | null
  readonly base: Row | null
  readonly isNew: boolean
  /** True if the target may hold an older row with this key, which must be deleted. */
  readonly isLeft: boolean
}

export class Fold {
  readonly #identity: readonly number[]
  /** Rows received as bytes. */
  #packed = new PackedRows()
  /** Finds packed rows by key name, as long as the batch has no other rows. */
  readonly #index = new NameIndex()
  /** Last state by `identityName` of the row key: index of a packed row, or cells. Used if not all rows are packed. */
  readonly #last = new Map<string, number | FoldedRow>()
  #isByName = false

  /** @param identity positions of the key columns in a row */
  constructor(identity: readonly number[]) {
    this.#identity = identity
  }

  /** Number of rows that the batch changes. */
  get size(): number {
    return this.#isByName ? this.#last.size : this.#packed.count
  }

  /**
   * @param live true if the target has the state of the source just before this change. It affects only new rows and
   * changed row keys. During catch-up the target's row with the old key may be newer, so its values are not used.
   * @throws Error if a change does not name its row key
   */
  add(change: RowChange, live: boolean): void {
    const { frame } = change
    switch (change.type) {
      case 'insert':
        return frame === undefined ? this.#insert(change.row, live) : this.#frame(frame, live, false)
      case 'update':
        if (frame !== undefined && change.key === null) return this.#frame(frame, false, false)
        return this.#update(change.row, change.key, live)
      case 'delete':
        return frame === undefined ? this.#remove(change.key) : this.#frame(frame, false, true)
    }
  }

  /**
   * Deletes a row whose chunk is not copied yet: the copy will write the row in its state after this change. Until then
   * the target has no row with the old or new key, so later changes cannot use stored values.
   * @returns the new row key
   */
  deleteUncopied(change: Exclude<RowChange, { type: 'delete' }>): Row {
    const key = this.#keyOf(change.row)
    for (const one of change.type === 'update' && change.key !== null ? [change.key, key] : [key])
      this.#set(identityName(one), { key: one, row: null, base: null, isNew: false, isLeft: true })
    return key
  }

  /** Returns what was added since the last call, and keys of rows whose values must be read from the source. */
  take(): { readonly batch: ChangeBatch; readonly lacking: readonly Row[] } {
    const puts: Put[] = []
    const gone: Row[] = []
    const lacking: Row[] = []
    if (this.#isByName)
      for (const last of this.#last.values()) {
        if (typeof last === 'number') continue
        const { key, row, base, isNew, isLeft } = last
        if (row === null) {
          gone.push(key)
          continue
        }
        const isLacking = base === null && row.includes(undefined)
        if (isLacking && isLeft) gone.push(key)
        if (isLacking) lacking.push(key)
        else puts.push(isNew ? { key, row, base, isNew } : { key, row, base })
      }
    const packed = this.#packed
    this.#index.clear()
    this.#last.clear()
    this.#isByName = false
    // The next batch probably has a similar size.
    if (packed.length > 0) this.#packed = new PackedRows(packed.length)
    return { batch: packed.count === 0 ? { puts, gone } : { puts, gone, packed }, lacking }
  }

  /** @param isNew true if the target has no such row, unless this batch changed it before */
  #insert(row: ChangeRow, isNew: boolean): void {
    const key = this.#keyOf(row)
    const name = identityName(key)
    this.#put(name, { key, row, base: null, isNew }, this.#known(name))
  }

  /** Adds a row with all values and an unchanged key, or a deleted one: its earlier state does not matter. */
  #frame(frame: RowFrame, isNew: boolean, isGone: boolean): void {
    if (this.#isByName || frame.nameLength === -1) return this.#named(frame, isNew, isGone)
    const slot = this.#index.find(this.#packed, frame)
    if (slot !== -1) return this.#packed.replace(slot, frame, isGone)
    this.#index.add(this.#packed, this.#packed.add(frame, flagsOf(isNew, false, isGone)))
  }

  /** `#frame` for a batch that also holds rows as cells. */
  #named(frame: RowFrame, isNew: boolean, isGone: boolean): void {
    this.#findByName()
    const { name } = frame
    const known = this.#last.get(name)
    if (typeof known === 'number') return this.#packed.replace(known, frame, isGone)
    const flags = known === undefined ? flagsOf(isNew, false, isGone) : flagsOf(known.isNew, known.isLeft, isGone)
    this.#last.set(name, this.#packed.add(frame, flags))
  }

  #update(row: ChangeRow, before: Row | null, live: boolean): void {
    const key = this.#keyOf(row)
    const name = identityName(key)
    const old = before === null ? name : identityName(before)
    const known = this.#known(old)
    const isPooled = old === name || live
    // The target holds the earlier row, unless this batch has changed it already.
    const there = isPooled && known?.isLeft !== true ? (before ?? key) : null
    const base = known === undefined || known.row === null ? there : isPooled ? known.base : null
    const put = { key, row: filled(row, known?.row ?? null), base, isNew: false }
    if (before === null || old === name) return this.#put(name, put, known)
    this.#remove(before)
    this.#put(name, put, this.#known(name))
  }

  #remove(key: Row): void {
    const name = identityName(key)
    const known = this.#known(name)
    this.#set(name, { key, row: null, base: null, isNew: known?.isNew ?? false, isLeft: known?.isLeft ?? false })
  }

  /** @param known result of this batch so far for the same key */
  #put(name: string, { key, row, base, isNew }: Omit<FoldedRow, 'isLeft'>, known: FoldedRow | undefined): void {
    this.#set(name, {
      key,
      row,
      base: base !== null && row !== null && row.includes(undefined) ? base : null,
      isNew: known?.isNew ?? isNew,
      isLeft: known?.isLeft ?? false,
    })
  }

  /** Result of this batch so far for a key, decoded if it came as bytes. */
  #known(name: string): FoldedRow | undefined {
    this.#findByName()
    const last = this.#last.get(name)
    if (typeof last !== 'number') return last
    const flags = this.#packed.flags(last)
    return {
      key: this.#packed.key(last),
      row: (flags & IS_DELETED) === 0 ? this.#packed.row(last) : null,
      base: null,
      isNew: (flags & IS_NEW) !== 0,
      isLeft: (flags & MAY_EXIST) !== 0,
    }
  }

  #set(name: string, last: FoldedRow): void {
    this.#findByName()
    const before = this.#last.get(name)
    if (typeof before === 'number') this.#packed.drop(before)
    this.#last.set(name, last)
  }

  /** From here to the end of the batch, rows are found by key name. */
  #findByName(): void {
    if (this.#isByName) return
    this.#isByName = true
    for (let slot = 0; slot < this.#packed.length; slot++) this.#last.set(this.#packed.name(slot), slot)
  }

  #keyOf(row: ChangeRow): Row {
    return this.#identity.map((at): Cell => {
      const cell = row[at]
      if (cell === undefined) throw new Error('a change lacks the key of its row')
      return cell
    })
  }
}

function flagsOf(isNew: boolean, isLeft: boolean, isGone: boolean): number {
  return (isNew ? IS_NEW : 0) | (isLeft ? MAY_EXIST : 0) | (isGone ? IS_DELETED : 0)
}

/** Fills unchanged values from the earlier row. */
function filled(row: ChangeRow, before: ChangeRow | null): ChangeRow {
  return before !== null && row.includes(undefined)
    ? row.map((cell, i) => (cell === undefined ? before[i] : cell))
    : row
}
