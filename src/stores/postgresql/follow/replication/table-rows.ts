/** Converts rows of one table of the stream: the requested columns as cells, in the requested order. */
import type { ChangeRow, RowChange } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import type { Cell, Row } from '../../../../model/copy/rows.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import { inColumn, type Reader } from '../../server/cells.ts'
import { Framer } from './framer.ts'
import type { ReplicationWire } from './wire.ts'
import { broken, type OldRow, type RelationMessage, type Tuple } from './pgoutput.ts'

type Text = string | null | undefined

/** The message of a row lacks a column of the row key: from this row on the table cannot be followed. */
export class MisfitRow extends Error {}

export class TableRows {
  readonly #place: number
  readonly #table: FollowedTable
  readonly #readers: readonly (Reader | null)[]
  /** Position of each column in a tuple. */
  readonly #at: readonly number[]
  /** Columns of the row key, as indexes of the requested columns. */
  readonly #identity: readonly number[]
  readonly #width: number
  readonly #framer: Framer

  /** @param message contains every requested column */
  constructor(
    place: number,
    table: FollowedTable,
    readers: readonly (Reader | null)[],
    message: RelationMessage,
    wire: ReplicationWire,
  ) {
    this.#place = place
    this.#table = table
    this.#readers = readers
    this.#at = table.columns.map(({ name }) => message.columns.findIndex((column) => column.name === name))
    this.#identity = table.identity.map((name) => table.columns.findIndex((column) => column.name === name))
    this.#width = message.columns.length
    this.#framer = new Framer(
      place,
      table,
      readers,
      (column, text) => this.#cell(column, text),
      this.#at,
      this.#identity,
      { isBinary: wire.isBinary, texts: message.columns.map(({ type }) => wire.text(type)) },
    )
  }

  /** A message as undecoded bytes. @returns null if it has to be read value by value */
  frame(data: Buffer, start: number, end: number): RowChange | null {
    return this.#framer.frame(data, start, end)
  }

  /** @throws SluiceError VALUE_REFUSED, BAD_STREAM */
  insert(row: Tuple): RowChange {
    return { type: 'insert', table: this.#place, row: this.#row(row, null) }
  }

  /** @throws SluiceError VALUE_REFUSED, BAD_STREAM; MisfitRow */
  update(old: OldRow | null, row: Tuple): RowChange {
    const cells = this.#row(row, old)
    return { type: 'update', table: this.#place, key: old === null ? null : this.#moved(old, cells), row: cells }
  }

  /** @throws SluiceError VALUE_REFUSED, BAD_STREAM; MisfitRow */
  delete(old: OldRow): RowChange {
    return { type: 'delete', table: this.#place, key: this.#key(old) }
  }

  #row(tuple: Tuple, old: OldRow | null): ChangeRow {
    this.#measure(tuple)
    const at = this.#at
    const cells = new Array<Cell | undefined>(at.length)
    for (let i = 0; i < at.length; i++) {
      const place = at[i] as number
      const text = tuple[place]
      cells[i] = text === undefined ? this.#kept(i, place, old) : this.#cell(i, text)
    }
    return cells
  }

  /** Reads an unchanged value, which the new row omits, from the old row; undefined if the old row omits it too. */
  #kept(column: number, place: number, old: OldRow | null): Cell | undefined {
    const isKey = this.#identity.includes(column)
    const text = old === null || !(old.whole || isKey) ? undefined : old.row[place]
    if (text !== undefined) return this.#cell(column, text)
    if (isKey) throw new MisfitRow(`${this.#name(column)} belongs to the row key, but the server does not send it`)
    return undefined
  }

  /** The row key before the change; null if it is the same. */
  #moved(old: OldRow, row: ChangeRow): Row | null {
    const key = this.#key(old)
    return key.every((cell, i) => isSame(cell, row[this.#identity[i] as number])) ? null : key
  }

  #key({ whole, row }: OldRow): Row {
    this.#measure(row)
    return this.#identity.map((column) => {
      const text = row[this.#at[column] as number]
      // A partition may have another replica identity than its root: then other columns of the old row are NULL.
      if (text === undefined || (text === null && !whole)) {
        throw new MisfitRow(`${this.#name(column)} belongs to the row key, but is missing in an old row`)
      }
      return this.#cell(column, text)
    })
  }

  #cell(column: number, text: Exclude<Text, undefined>): Cell {
    if (text === null) return null
    const read = this.#readers[column]
    if (read == null) return text
    try {
      return read(text)
    } catch (error) {
      const { table, columns } = this.#table
      const asked = columns[column]
      throw asked === undefined ? error : inColumn(error, asked, tableText(table.table), false)
    }
  }

  #measure({ length }: Tuple): void {
    if (length !== this.#width) throw broken(`a row of ${this.#width} columns has ${length} values`)
  }

  #name(column: number): string {
    const { table, columns } = this.#table
    return `${tableText(table.table)}.${columns[column]?.name ?? ''}`
  }
}

function isSame(a: Cell, b: Cell | undefined): boolean {
  if (a === b) return true
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return typeof a === 'number' && Number.isNaN(a) && Number.isNaN(b)
}
