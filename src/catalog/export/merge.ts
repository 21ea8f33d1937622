/** Rows of the catalog in the order of their lines: pages by key, and two sorted streams of pages as one. */
import type { SqlReader, SqlRow } from '../../model/run/sql-port.ts'

/** Something that stood at a line of a commit, or in a row of a checkpoint. */
export type AtLine = { readonly line: number }

const PAGE_ROWS = 2_000

/**
 * All rows of a query, page by page. Each page is a statement of its own, so that two queries can take turns on one connection.
 * @param above where the first page begins, exclusive
 * @param sql ends in `> ? ORDER BY … LIMIT ?`, with a whole number as the first column, by which the rows are ordered
 */
export async function* keyedPages(
  reader: SqlReader,
  sql: string,
  parameters: SqlRow,
  above = -1,
): AsyncGenerator<readonly SqlRow[]> {
  for (let after = above; ;) {
    const page = await reader.all(sql, [...parameters, after, PAGE_ROWS])
    if (page.length > 0) yield page
    if (page.length < PAGE_ROWS) return
    after = page.at(-1)?.[0] as number
  }
}

/** One at a time from a stream of pages. */
class Cursor<T> {
  readonly #pages: AsyncIterator<readonly T[]>
  #page: readonly T[] = []
  #at = 0

  constructor(pages: AsyncIterator<readonly T[]>) {
    this.#pages = pages
  }

  get next(): T | null {
    return this.#page[this.#at] ?? null
  }

  advance(): void {
    this.#at++
  }

  /** True while there is something to look at. */
  async fill(): Promise<boolean> {
    while (this.#at >= this.#page.length) {
      const { value, done } = await this.#pages.next()
      if (done === true) return false
      this.#page = value
      this.#at = 0
    }
    return true
  }
}

/** Two streams, each ordered by line, as one. Of equal lines the first stream's comes first. */
export async function* mergeByLine<T extends AtLine>(
  first: AsyncIterable<readonly T[]>,
  second: AsyncIterable<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  const a = new Cursor(first[Symbol.asyncIterator]())
  const b = new Cursor(second[Symbol.asyncIterator]())
  let block: T[] = []
  for (;;) {
    const [more, other] = [await a.fill(), await b.fill()]
    if (!more && !other) break
    while ((a.next !== null || !more) && (b.next !== null || !other) && (a.next !== null || b.next !== null)) {
      const from = b.next === null || (a.next !== null && a.next.line <= b.next.line) ? a : b
      block.push(from.next as T)
      from.advance()
    }
    if (block.length >= PAGE_ROWS) {
      yield block
      block = []
    }
  }
  if (block.length > 0) yield block
}
