/** Rows that a message counts, and names some of by their keys. */
import { rowKeyText, type RowKey } from '../../model/copy/row-key.ts'

/** Rows of one kind, and the keys of some of them. */
export type NamedRows = {
  readonly rows: bigint
  readonly keys: readonly string[]
  /** The first of them whose key the table spells in another way: as it was archived, and as it stands there. */
  readonly spelled?: { readonly archived: string; readonly there: string }
  /** Those of them that stand outside of the bounds of the partition. */
  readonly outside?: NamedRows
}

/** Keys that a sentence names. */
const NAMED = 5

/** Counts rows, and keeps the keys of some of them. */
export class Naming {
  rows = 0n
  readonly #keys: string[] = []
  #spelled: NamedRows['spelled']

  /** @param there its key in the table, where that is spelled in another way */
  add(key: RowKey, there?: RowKey): void {
    this.rows++
    const text = rowKeyText(key)
    if (there !== undefined) this.#spelled ??= { archived: text, there: rowKeyText(there) }
    if (this.#keys.length < NAMED)
      this.#keys.push(there === undefined ? text : `${text}, in the table ${rowKeyText(there)}`)
  }

  named(): NamedRows {
    return { rows: this.rows, keys: this.#keys, ...(this.#spelled === undefined ? {} : { spelled: this.#spelled }) }
  }
}
