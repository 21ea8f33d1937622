/**
 * Folds changes of one table, in commit order, into what they come to: each identity once, as a row that is there afterwards or as one that is gone. So a
 * target writes a row once, however often it was changed, and no order of writes within a batch can break a unique value that the source never broke.
 */
import type { ChangeBatch, ChangeRow, Put, RowChange } from '../../model/copy/change.ts'
import { keyText } from '../../model/copy/key-text.ts'
import type { Cell, Row } from '../../model/copy/rows.ts'

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
  readonly #last = new Map<string, Last>()

  /** @param identity where in a row the identity columns stand */
  constructor(identity: readonly number[]) {
    this.#identity = identity
  }

  /** Rows that the batch will touch. */
  get size(): number {
    return this.#last.size
  }

  /**
   * @param live whether the target holds what the source held just before this change: of a moved row under its old key, and of a new one. While a table catches
   *   up, the row that the target has under the old key of a moved row may be another one, which came there later: it lends no values then
   * @throws Error for a change whose identity is not told
   */
  add(change: RowChange, live: boolean): void {
    switch (change.type) {
      case 'insert':
        return this.#put(change.row, null, live)
      case 'update':
        return this.#update(change.row, change.key, live)
      case 'delete':
        this.#remove(change.key)
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
      this.#last.set(keyText(one), { key: one, row: null, base: null, isNew: false, isLeft: true })
    return key
  }

  /** What was added since the last call, and identities of rows whose values nobody can tell: they have to be read from the source. */
  take(): { readonly batch: ChangeBatch; readonly lacking: readonly Row[] } {
    const puts: Put[] = []
    const gone: Row[] = []
    const lacking: Row[] = []
    for (const { key, row, base, isNew, isLeft } of this.#last.values()) {
      const isLacking = row !== null && base === null && row.includes(undefined)
      if (row === null || (isLacking && isLeft)) gone.push(key)
      if (row === null) continue
      if (isLacking) lacking.push(key)
      else puts.push(isNew ? { key, row, base, isNew } : { key, row, base })
    }
    this.#last.clear()
    return { batch: { puts, gone }, lacking }
  }

  #update(row: ChangeRow, before: Row | null, live: boolean): void {
    const key = before ?? this.#keyOf(row)
    const known = this.#last.get(keyText(key))
    // The row before stands in the target, unless this batch has changed it already.
    const filled = known?.row == null ? row : row.map((cell, i) => (cell === undefined ? known.row?.[i] : cell))
    const isMoved = before !== null && keyText(before) !== keyText(this.#keyOf(row))
    const there = (isMoved && !live) || known?.isLeft === true ? null : key
    const base = known === undefined || known.row === null ? there : isMoved && !live ? null : known.base
    if (before !== null) this.#remove(before)
    this.#put(filled, base, false)
  }

  #remove(key: Row): void {
    const text = keyText(key)
    const known = this.#last.get(text)
    this.#last.set(text, { key, row: null, base: null, isNew: known?.isNew ?? false, isLeft: known?.isLeft ?? false })
  }

  /** @param isNew whether the target has no such row, where this batch has not changed it before */
  #put(row: ChangeRow, base: Row | null, isNew: boolean): void {
    const key = this.#keyOf(row)
    const text = keyText(key)
    const known = this.#last.get(text)
    this.#last.set(text, {
      key,
      row,
      base: row.includes(undefined) ? base : null,
      isNew: known?.isNew ?? isNew,
      isLeft: known?.isLeft ?? false,
    })
  }

  #keyOf(row: ChangeRow): Row {
    return this.#identity.map((at): Cell => {
      const cell = row[at]
      if (cell === undefined) throw new Error('a change does not tell the identity of its row')
      return cell
    })
  }
}
