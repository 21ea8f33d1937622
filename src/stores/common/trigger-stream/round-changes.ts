/**
 * Changes of a round in the order in which they are safe. The apply worker writes a large round in pieces, and a unique
 * value may have moved from a row of a later piece to one of an earlier piece. So in a large round, if a table has a
 * unique index besides its key, all noted keys are deleted before its rows are written. Whether a round is large is
 * known only once its rows are read, so the changes of these tables are held until then.
 */
import { changeBytes, MOST_BYTES } from '../../../model/copy/change-bytes.ts'
import type { RowChange } from '../../../model/copy/change.ts'
import { keyText, keyTextOf } from '../../../model/copy/key-text.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { FollowedTable } from '../../../model/follow/port.ts'

/** A round with more notes is large. A note is reported as two changes at most, and 20,000 changes are one piece. */
const MANY = 10_000

/**
 * @property place index of the table
 * @property hasOtherUnique true if the table has another unique index than its key
 * @property gone noted keys that have no row; with `isAll`, all noted keys
 * @property rows the rows that have a noted key
 */
export type NotedChanges = {
  readonly place: number
  readonly table: FollowedTable
  readonly hasOtherUnique: boolean
  readonly gone: (isAll: boolean) => AsyncIterable<readonly Row[]>
  readonly rows: () => AsyncIterable<readonly Row[]>
}

export class ReportedChanges {
  readonly #notes: number
  /** Bytes of the changes that were read so far, as the apply worker counts them. */
  #bytes = 0

  /** @param notes number of notes of the round, in all tables; Infinity if all rows of a table are reported */
  constructor(notes: number) {
    this.#notes = notes
  }

  async *of(noted: NotedChanges): AsyncGenerator<readonly RowChange[]> {
    if (!noted.hasOtherUnique || this.#isLarge) {
      yield* this.#read(noted)
      return
    }
    let held: RowChange[] = []
    for await (const changes of this.#read(noted)) {
      held.push(...changes)
      if (!this.#isLarge) continue
      yield held
      held = []
    }
    if (held.length > 0) yield this.#isLarge ? held : withoutFound(held, noted.table)
  }

  get #isLarge(): boolean {
    return this.#notes > MANY || this.#bytes >= MOST_BYTES
  }

  async *#read({ place, hasOtherUnique, gone, rows }: NotedChanges): AsyncGenerator<readonly RowChange[]> {
    for await (const keys of gone(hasOtherUnique))
      yield this.#counted(keys.map((key) => ({ type: 'delete', table: place, key })))
    for await (const some of rows())
      yield this.#counted(some.map((row) => ({ type: 'update', table: place, key: null, row })))
  }

  #counted(changes: readonly RowChange[]): readonly RowChange[] {
    for (const change of changes) this.#bytes += changeBytes(change)
    return changes
  }
}

/** The changes without deletes of keys that have a row. */
function withoutFound(changes: readonly RowChange[], { columns, identity }: FollowedTable): readonly RowChange[] {
  const places = identity.map((name) => columns.findIndex((column) => column.name === name))
  const found = new Set(changes.map((change) => (change.type === 'delete' ? '' : keyTextOf(change.row as Row, places))))
  return changes.filter((change) => change.type !== 'delete' || !found.has(keyText(change.key)))
}
