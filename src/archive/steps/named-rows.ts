/** Counts rows for a message, and names some by key. */
import { rowKeyText, type RowKey } from '../../model/copy/row-key.ts'

/** A number of rows, and the keys of some of them. */
export type NamedRows = {
  readonly rows: bigint
  readonly keys: readonly string[]
  /** The first key that is spelled differently in the table, in both spellings. */
  readonly spelled?: { readonly archived: string; readonly there: string }
  /** The rows outside of the bounds of the partition. */
  readonly outside?: NamedRows
}

/** @param keys some of the keys of these rows */
export function keysText(rows: bigint, keys: readonly string[]): string {
  return `${keys.join('; ')}${rows > BigInt(keys.length) ? ' …' : ''}`
}

/** Maximum number of keys that a message names. */
const NAMED = 5

/** Counts rows, and keeps the keys of some of them. */
export class NamedRowCounter {
  rows = 0n
  readonly #keys: string[] = []
  #spelled: NamedRows['spelled']

  /** @param there the key in the table, if it is spelled differently */
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
