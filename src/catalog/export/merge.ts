/** Reads rows of the catalog in line order: pages by key, and the merge of two sorted streams of pages. */
import type { SqlReader, SqlRow } from '../../model/run/sql-port.ts'

/** An item with its line in a commit, or its row in a checkpoint. */
export type AtLine = { readonly line: number }

const PAGE_ROWS = 2_000

/**
 * All rows of a query, page by page. Each page is a separate statement, so that two queries can alternate on one
 * connection.
 * @param above start of the first page, exclusive
 * @param sql ends in `> ? ORDER BY … LIMIT ?`; its first column is a whole number by which the rows are ordered
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

/** Reads single items from a stream of pages. */
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

  /** True while there is another item. */
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

/** Merges two streams, each ordered by line. For equal lines the first stream comes first. */
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
