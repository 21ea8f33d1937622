/**
 * Folds changes of one table, in commit order, into what they come to: each identity once, as a row that is there afterwards or as one that is gone. So a
 * target writes a row once, however often it was changed, and no order of writes within a batch can break a unique value that the source never broke.
 */
import type { ChangeBatch, ChangeRow, Put, RowChange, RowFrame } from '../../model/copy/change.ts'
import { identityName } from '../../model/copy/identity-name.ts'
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

/** A row that came as bytes. It is whole, and handed to the target as it is. */
class Framed implements Last, Put {
  readonly frame: RowFrame
  readonly base = null
  readonly isNew: boolean
  readonly isLeft: boolean

  constructor(frame: RowFrame, isNew: boolean, isLeft: boolean) {
    this.frame = frame
    this.isNew = isNew
    this.isLeft = isLeft
  }

  get key(): Row {
    return this.frame.identity
  }

  get row(): Row {
    return this.frame.row
  }
}

export class Fold {
  readonly #identity: readonly number[]
  /** By `identityName` their identities. */
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
        return change.frame === undefined ? this.#insert(change.row, live) : this.#frame(change.frame, live)
      case 'update':
        if (change.frame !== undefined && change.key === null) return this.#frame(change.frame, false)
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
      this.#last.set(identityName(one), { key: one, row: null, base: null, isNew: false, isLeft: true })
    return key
  }

  /** What was added since the last call, and identities of rows whose values nobody can tell: they have to be read from the source. */
  take(): { readonly batch: ChangeBatch; readonly lacking: readonly Row[] } {
    const puts: Put[] = []
    const gone: Row[] = []
    const lacking: Row[] = []
    this.#last.forEach((last) => {
      if (last instanceof Framed) {
        puts.push(last)
        return
      }
      const { key, row, base, isNew, isLeft } = last
      if (row === null) {
        gone.push(key)
        return
      }
      const isLacking = base === null && row.includes(undefined)
      if (isLacking && isLeft) gone.push(key)
      if (isLacking) lacking.push(key)
      else puts.push(isNew ? { key, row, base, isNew } : { key, row, base })
    })
    this.#last.clear()
    return { batch: { puts, gone }, lacking }
  }

  /** @param isNew whether the target has no such row, where this batch has not changed it before */
  #insert(row: ChangeRow, isNew: boolean): void {
    const key = this.#keyOf(row)
    const name = identityName(key)
    this.#put(name, { key, row, base: null, isNew }, this.#last.get(name))
  }

  /** A row that stays where it is, and tells all of itself: what it was before does not matter. */
  #frame(frame: RowFrame, isNew: boolean): void {
    const known = this.#last.get(frame.name)
    this.#last.set(frame.name, new Framed(frame, known?.isNew ?? isNew, known?.isLeft ?? false))
  }

  #update(row: ChangeRow, before: Row | null, live: boolean): void {
    const key = this.#keyOf(row)
    const name = identityName(key)
    const old = before === null ? name : identityName(before)
    const known = this.#last.get(old)
    const isLent = old === name || live
    // The row before stands in the target, unless this batch has changed it already.
    const there = isLent && known?.isLeft !== true ? (before ?? key) : null
    const base = known === undefined || known.row === null ? there : isLent ? known.base : null
    const put = { key, row: filled(row, known?.row ?? null), base, isNew: false }
    if (before === null || old === name) return this.#put(name, put, known)
    this.#remove(before)
    this.#put(name, put, this.#last.get(name))
  }

  #remove(key: Row): void {
    const name = identityName(key)
    const known = this.#last.get(name)
    this.#last.set(name, { key, row: null, base: null, isNew: known?.isNew ?? false, isLeft: known?.isLeft ?? false })
  }

  /** @param known what this batch has come to so far for the same identity */
  #put(name: string, { key, row, base, isNew }: Omit<Last, 'isLeft'>, known: Last | undefined): void {
    this.#last.set(name, {
      key,
      row,
      base: base !== null && row !== null && row.includes(undefined) ? base : null,
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

/** A row whose unchanged values are those of the row before it. */
function filled(row: ChangeRow, before: ChangeRow | null): ChangeRow {
  return before !== null && row.includes(undefined)
    ? row.map((cell, i) => (cell === undefined ? before[i] : cell))
    : row
}
