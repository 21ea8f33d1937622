/**
 * Folds changes of one table, in commit order, into what they come to: each identity once, as a row that is there afterwards or as one that is gone. So a
 * target writes a row once, however often it was changed, and no order of writes within a batch can break a unique value that the source never broke.
 */
import type { ChangeBatch, ChangeRow, Put, RowChange } from '../../../model/copy/change.ts'
import type { RowFrame } from '../../../model/copy/frame.ts'
import { identityName } from '../../../model/copy/identity-name.ts'
import { NameIndex } from '../../../model/copy/name-index.ts'
import { IS_GONE, IS_LEFT, IS_NEW, PackedRows } from '../../../model/copy/packed-rows.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'

/** `row` is null for a row that is gone. */
type Last = {
  readonly key: Row
  readonly row: ChangeRow | null
  readonly base: Row | null
  readonly isNew: boolean
  /** The target may hold an older row of this identity, which has to go. */
  readonly isLeft: boolean
}

export class Fold {
  readonly #identity: readonly number[]
  /** Rows that came as bytes. */
  #packed = new PackedRows()
  /** Finds them by their names, as long as the batch has no other rows. */
  readonly #index = new NameIndex()
  /** Else by `identityName` of the identity: the slot of a row that came as bytes, or a row as cells. */
  readonly #last = new Map<string, number | Last>()
  #isByName = false

  /** @param identity where in a row the identity columns stand */
  constructor(identity: readonly number[]) {
    this.#identity = identity
  }

  /** Rows that the batch will touch. */
  get size(): number {
    return this.#isByName ? this.#last.size : this.#packed.count
  }

  /**
   * @param live whether the target holds what the source held just before this change: of a moved row under its old key, and of a new one. While a table catches
   *   up, the row that the target has under the old key of a moved row may be another one, which came there later: it lends no values then
   * @throws Error for a change whose identity is not told
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
   * A row that is still to be copied as it stands behind this change: the target holds none of its kind for now, and nothing that could lend values to what comes of
   * it later.
   * @returns its identity
   */
  leave(change: Exclude<RowChange, { type: 'delete' }>): Row {
    const key = this.#keyOf(change.row)
    for (const one of change.type === 'update' && change.key !== null ? [change.key, key] : [key])
      this.#set(identityName(one), { key: one, row: null, base: null, isNew: false, isLeft: true })
    return key
  }

  /** What was added since the last call, and identities of rows whose values nobody can tell: they have to be read from the source. */
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
    // The next batch is likely to be about as large.
    if (packed.length > 0) this.#packed = new PackedRows(packed.length)
    return { batch: packed.count === 0 ? { puts, gone } : { puts, gone, packed }, lacking }
  }

  /** @param isNew whether the target has no such row, where this batch has not changed it before */
  #insert(row: ChangeRow, isNew: boolean): void {
    const key = this.#keyOf(row)
    const name = identityName(key)
    this.#put(name, { key, row, base: null, isNew }, this.#known(name))
  }

  /** A row that keeps its identity and comes with all of its values, or is gone: what it was before does not matter. */
  #frame(frame: RowFrame, isNew: boolean, isGone: boolean): void {
    if (this.#isByName || frame.nameLength === -1) return this.#named(frame, isNew, isGone)
    const slot = this.#index.find(this.#packed, frame)
    if (slot !== -1) return this.#packed.replace(slot, frame, isGone)
    this.#index.add(this.#packed, this.#packed.add(frame, flagsOf(isNew, false, isGone)))
  }

  /** The same where the batch has other rows too. */
  #named(frame: RowFrame, isNew: boolean, isGone: boolean): void {
    this.#goByName()
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
    const isLent = old === name || live
    // The row before stands in the target, unless this batch has changed it already.
    const there = isLent && known?.isLeft !== true ? (before ?? key) : null
    const base = known === undefined || known.row === null ? there : isLent ? known.base : null
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

  /** @param known what this batch has come to so far for the same identity */
  #put(name: string, { key, row, base, isNew }: Omit<Last, 'isLeft'>, known: Last | undefined): void {
    this.#set(name, {
      key,
      row,
      base: base !== null && row !== null && row.includes(undefined) ? base : null,
      isNew: known?.isNew ?? isNew,
      isLeft: known?.isLeft ?? false,
    })
  }

  /** What the batch has come to for an identity, decoded where it came as bytes. */
  #known(name: string): Last | undefined {
    this.#goByName()
    const last = this.#last.get(name)
    if (typeof last !== 'number') return last
    const flags = this.#packed.flags(last)
    return {
      key: this.#packed.key(last),
      row: (flags & IS_GONE) === 0 ? this.#packed.row(last) : null,
      base: null,
      isNew: (flags & IS_NEW) !== 0,
      isLeft: (flags & IS_LEFT) !== 0,
    }
  }

  #set(name: string, last: Last): void {
    this.#goByName()
    const before = this.#last.get(name)
    if (typeof before === 'number') this.#packed.drop(before)
    this.#last.set(name, last)
  }

  /** From here to the end of the batch rows are found by texts. */
  #goByName(): void {
    if (this.#isByName) return
    this.#isByName = true
    for (let slot = 0; slot < this.#packed.length; slot++) this.#last.set(this.#packed.name(slot), slot)
  }

  #keyOf(row: ChangeRow): Row {
    return this.#identity.map((at): Cell => {
      const cell = row[at]
      if (cell === undefined) throw new Error('a change does not tell the identity of its row')
      return cell
    })
  }
}

function flagsOf(isNew: boolean, isLeft: boolean, isGone: boolean): number {
  return (isNew ? IS_NEW : 0) | (isLeft ? IS_LEFT : 0) | (isGone ? IS_GONE : 0)
}

/** A row whose unchanged values are those of the row before it. */
function filled(row: ChangeRow, before: ChangeRow | null): ChangeRow {
  return before !== null && row.includes(undefined)
    ? row.map((cell, i) => (cell === undefined ? before[i] : cell))
    : row
}
