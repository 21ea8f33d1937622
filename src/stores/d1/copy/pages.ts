/** Reads a range page by page. Each page is one request, as large as sensible: the API counts requests. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { Range } from '../../../model/copy/range.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import type { KeyDialect } from '../../common/key-ranges.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import type { D1Client, D1Result, D1Row, D1Statement, D1Value } from '../client.ts'
import { D1Failure } from '../failure.ts'
import { brokenTexts, type BrokenTexts } from './broken-text.ts'
import { namesInOrder, refuseUnordered } from './column-order.ts'
import { d1PageOrder, type Order } from './order.ts'
import { selectSql } from './select.ts'
import { d1Statement } from './statements.ts'

/** Desired bytes of an answer. */
export const ANSWER_BYTES = 4_000_000
/** A larger answer is aborted, and requested in smaller pieces. */
export const MOST_ANSWER_BYTES = 16_000_000
const FIRST_ROWS = 500
const MOST_ROWS = 50_000
/** Maximum factor by which the rows per page grow from page to page: rows may suddenly be long. */
const GROWTH = 8
const MOST_RESULT_COLUMNS = 100

export type D1PageRequest = {
  readonly table: TableSpec
  readonly columns: readonly ReadColumn[]
  readonly range: Range
  readonly where: string | null
  readonly keys: KeyDialect
  /** Side of the table; decides the kind of the error for a value that does not fit its column's type. */
  readonly blame: 'source' | 'target'
}

export type D1Page = {
  readonly rows: readonly D1Row[]
  /** Index of the first requested column in a row; the values of the row's position precede it. */
  readonly from: number
  readonly bytes: number
  /** Stored bytes of texts that are not valid UTF-8. */
  readonly broken: BrokenTexts
}

/**
 * Requests the next page while the caller works on one. @throws D1Failure; SluiceError SOURCE_GONE, TABLE_REFUSED if
 * the table's columns have exchanged their names
 */
export async function* d1Pages(client: D1Client, request: D1PageRequest, signal: AbortSignal): AsyncGenerator<D1Page> {
  const reader = new PageReader(client, request, signal)
  let next: Promise<D1Page> | null = reader.read(null)
  while (next !== null) {
    const page: D1Page = await next
    const last = page.rows.at(-1)
    next = last === undefined || reader.ended ? null : reader.read(last.slice(0, page.from))
    // Prevents an unhandled rejection: the next turn of this loop awaits the page, and throws its error.
    next?.catch(() => undefined)
    if (page.rows.length > 0) yield page
    throwIfAborted(signal)
  }
}

class PageReader {
  readonly #client: D1Client
  readonly #request: D1PageRequest
  readonly #order: Order
  readonly #signal: AbortSignal
  readonly #table: string
  /** Lists of columns, each short enough for one statement: all read the same rows in one transaction. */
  readonly #selects: readonly string[]
  #rows = FIRST_ROWS
  ended = false

  constructor(client: D1Client, request: D1PageRequest, signal: AbortSignal) {
    const { table, columns, range, where, keys } = request
    this.#client = client
    this.#request = request
    this.#order = d1PageOrder(table, range, where, keys)
    this.#signal = signal
    this.#table = quote(table.table.name)
    const all = [...this.#order.places, ...columns.map(selectSql)]
    const lists: string[] = []
    for (let at = 0; at < all.length; at += MOST_RESULT_COLUMNS)
      lists.push(all.slice(at, at + MOST_RESULT_COLUMNS).join(', '))
    this.#selects = lists
  }

  /** @param place of the last row of the previous page */
  async read(place: D1Row | null): Promise<D1Page> {
    const { places, by } = this.#order
    const { table, blame } = this.#request
    for (;;) {
      const most = this.#rows
      const { sql, parameters } = this.#order.after(place)
      const behind = d1Statement({ sql: ` FROM ${this.#table} WHERE ${sql} ORDER BY ${by} LIMIT ${most}`, parameters })
      const statements = this.#selects.map((list) => ({ sql: `SELECT ${list}${behind.sql}`, params: behind.params }))
      try {
        const { results, bytes } = await this.#client.readPage([...statements, namesInOrder(table)], {
          signal: this.#signal,
          mostBytes: MOST_ANSWER_BYTES,
        })
        refuseUnordered(table, results.at(-1), blame, this.#client)
        const rows = sideBySide(results.slice(0, -1))
        this.ended = rows.length < most
        this.#adapt(rows.length, bytes)
        return { rows, from: places.length, bytes, broken: await this.#broken(rows, behind) }
      } catch (error) {
        if (!(error instanceof D1Failure) || error.kind !== 'size' || most === 1) throw error
        this.#rows = Math.max(1, most >> 2)
      }
    }
  }

  /** Reads texts with U+FFFD again, as bytes: they may contain this character, or D1 replaced invalid UTF-8 by it. */
  async #broken(rows: readonly D1Row[], behind: D1Statement): Promise<BrokenTexts> {
    const { places } = this.#order
    const columns = this.#request.columns.filter((_, i) => rows.some((row) => holdsMark(row[places.length + i])))
    if (columns.length === 0) return new Map()
    return brokenTexts(this.#client, { places, columns, behind, rows }, this.#signal)
  }

  #adapt(rows: number, bytes: number): void {
    if (rows === 0) return
    const fitting = Math.floor(ANSWER_BYTES / (bytes / rows))
    this.#rows = Math.max(1, Math.min(MOST_ROWS, fitting, this.#rows * GROWTH))
  }
}

function sideBySide([first, ...more]: readonly D1Result[]): readonly D1Row[] {
  const rows = first?.rows ?? []
  if (more.length === 0) return rows
  return rows.map((row, at) => [...row, ...more.flatMap((result) => result.rows[at] ?? [])])
}

function holdsMark(value: D1Value | undefined): boolean {
  return typeof value === 'string' && value.includes('\ufffd')
}
