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
  /** By `nameOf` their identities. */
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
        return this.#insert(change.row, live)
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
      this.#last.set(nameOf(one), { key: one, row: null, base: null, isNew: false, isLeft: true })
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

  /** @param isNew whether the target has no such row, where this batch has not changed it before */
  #insert(row: ChangeRow, isNew: boolean): void {
    const key = this.#keyOf(row)
    const name = nameOf(key)
    this.#put(name, { key, row, base: null, isNew }, this.#last.get(name))
  }

  #update(row: ChangeRow, before: Row | null, live: boolean): void {
    const key = this.#keyOf(row)
    const name = nameOf(key)
    const old = before === null ? name : nameOf(before)
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
    const name = nameOf(key)
    this.#put(name, { key, row: null, base: null, isNew: false }, this.#last.get(name))
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

/** Equal for equal identities of one table, and for no others. */
function nameOf(key: Row): string {
  const [only] = key
  // Beside texts a column has NULL at most, and no text of a source with a log holds this character.
  return key.length === 1 && typeof only === 'string' ? only : `\0${keyText(key)}`
}
