/**
 * Reads a token range in pages, in ring order. If the servers cannot return a page, it is requested with fewer rows.
 * If this fails too, the remaining range is divided, down to one token, whose partitions are read one by one. Rows that
 * are still unreadable are reported, never silently left out.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { errors, type types } from 'cassandra-driver'
import { tableText, type RingSpec, type TableSpec } from '../../../model/copy/column-type.ts'
import { halveTokens, splitTokens, type TokenRange } from '../../../model/copy/ring.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { whileBusy } from '../busy.ts'
import type { CassandraLink } from '../connect.ts'
import { cassandraFailure } from '../failure.ts'
import { driverText } from './key-text.ts'
import type { PageSize } from './page-size.ts'
import { repairSeam, wholeSecond, type DriverPage, type SharedColumns } from './seams.ts'
import { byKey, byTokens, tokenExpression, type CqlQuery } from './select.ts'
import { nameInRow, selectedCqlColumn } from './selected.ts'

export type DriverRow = types.Row

export type CassandraPageRequest = {
  readonly link: CassandraLink
  readonly table: TableSpec
  readonly ring: RingSpec
  /** List of columns, including the whole key. */
  readonly what: string
  /** The static columns among these; null if there are none. */
  readonly shared: SharedColumns | null
  readonly where: string | null
  readonly size: PageSize
  /** True: all unreadable parts are reported. False: the first unreadable part ends the read with an error. */
  readonly careful: boolean
  /**
   * Called with the key of a partition that cannot be read to its end, or with its token if even the key cannot be
   * read.
   */
  readonly unreadable: (partition: readonly unknown[] | bigint, thrown: unknown) => void
}

/** Pauses before a partition is given up: the servers may recover. */
const PAUSES_MS = [500, 2000] as const
/**
 * Parts into which a range is divided if the failing token is unknown. Many, because each further division costs a
 * timeout, and readable parts cost none.
 */
const PARTS = 16
/** Name of the column with the token, which is read in addition to the table's columns. */
const TOKEN = 'sluice_token'

/** A page, and the state for the next one. */
type Fetched = DriverPage & { readonly state: string | null }

type Piece = {
  readonly tokens: TokenRange
  /** Last emitted row: rows up to it are skipped. Only set for a piece of one token; otherwise null. */
  readonly after: DriverRow | null
  /**
   * True if the first token of the piece could not be read either: then only further division finds the failing token.
   */
  readonly blind?: true
}

export class Pages {
  readonly #request: CassandraPageRequest
  readonly #signal: AbortSignal
  readonly #keyColumns: readonly string[]

  constructor(request: CassandraPageRequest, signal: AbortSignal) {
    this.#request = request
    this.#signal = signal
    this.#keyColumns = request.table.key
  }

  /** @throws errors of the driver; SluiceError SOURCE_IO if rows were removed while a range was read again */
  async *ofTokens(tokens: TokenRange): AsyncGenerator<DriverPage> {
    const { table, ring, what, where } = this.#request
    const open: Piece[] = [{ tokens, after: null }]
    for (let piece = open.pop(); piece !== undefined; piece = open.pop()) {
      let last = piece.after
      let after = piece.after
      try {
        const isSmall = piece.blind !== true || piece.tokens.low === piece.tokens.high
        for await (const page of this.#ofQuery(byTokens(table, ring, what, piece.tokens, where), isSmall)) {
          const { rows, readMs } = page
          const fresh: readonly DriverRow[] | null = after === null ? rows : this.#rowsAfter(rows, after)
          if (fresh === null) continue
          after = null
          last = rows.at(-1) ?? last
          if (fresh.length > 0) yield { rows: fresh, readMs }
        }
      } catch (thrown) {
        if (!isTooMuch(thrown)) throw thrown
        await this.#throwIfUnreachable(thrown)
        if (piece.tokens.low === piece.tokens.high) {
          yield* this.#byPartition(piece.tokens.low, last)
          continue
        }
        open.push(...(await this.#pieces(piece, last, thrown)))
        continue
      }
      if (after !== null) throw this.#moved()
    }
  }

  /**
   * Rows of one statement; the next page is requested while one is processed.
   * @param shrinks true if failing pages are retried with fewer rows
   */
  async *#ofQuery(query: CqlQuery, shrinks = true): AsyncGenerator<DriverPage> {
    let next: Promise<Fetched> | null = this.#page(query, null, null, shrinks)
    let last: DriverRow | null = null
    while (next !== null) {
      const page: Fetched = await next
      last = page.rows.at(-1) ?? last
      next = page.state === null ? null : this.#page(query, page.state, last, shrinks)
      // If the reader stops, ignore the error of a page that it does not read.
      next?.catch(() => undefined)
      if (page.rows.length > 0) yield page
    }
  }

  /** @param last row of the previous pages */
  async #page(query: CqlQuery, state: string | null, last: DriverRow | null, shrinks: boolean): Promise<Fetched> {
    const { shared } = this.#request
    const page = await this.#fetched(query, state, shrinks)
    if (shared === null || last === null) return page
    const partition = this.#cells(last, shared.partition)
    await repairSeam(
      shared,
      last,
      page,
      (row) => same(this.#cells(row, shared.partition), partition),
      async (key) => this.#sharedOf(shared, key),
    )
    return page
  }

  async #sharedOf({ what }: SharedColumns, partition: readonly unknown[]): Promise<DriverPage> {
    const query = byKey(this.#request.table, what, partition, null, true)
    const readMs = wholeSecond(Date.now())
    return { rows: await this.#ask(query), readMs }
  }

  async #fetched({ cql, parameters }: CqlQuery, state: string | null, shrinks: boolean): Promise<Fetched> {
    const { link, size } = this.#request
    let readMs = 0
    for (;;) {
      throwIfAborted(this.#signal)
      try {
        const read = (): Promise<types.ResultSet> => {
          // Take the time of this request, because servers compute TTLs when they get it.
          readMs = wholeSecond(Date.now())
          return link.client.execute(cql, [...parameters], {
            prepare: true,
            consistency: link.readLevel,
            fetchSize: Math.min(size.rows, link.settings.mostPageRows ?? size.rows),
            ...(state === null ? {} : { pageState: state }),
          })
        }
        const { rows, pageState } = await whileBusy(read, link, this.#signal)
        return { rows, readMs, state: pageState ?? null }
      } catch (thrown) {
        throwIfAborted(this.#signal)
        // Smaller pages do not help if a node is down.
        if (!isTooMuch(thrown) || this.#missesNode() || !shrinks || !size.shrink()) throw thrown
      }
    }
  }

  /** Divides the range after a failure, without rows that were emitted. @param last emitted row; null if none was */
  async #pieces(
    { tokens: { low, high }, blind }: Piece,
    last: DriverRow | null,
    thrown: unknown,
  ): Promise<readonly Piece[]> {
    if (last !== null) {
      const token = await this.#tokenOf(last)
      const rest = token < high ? [{ tokens: { low: token + 1n, high }, after: null }] : []
      // The caller takes pieces from the end of the list.
      return [...rest, { tokens: { low: token, high: token }, after: last }]
    }
    const first = blind === true ? 'unknown' : await this.#firstToken({ low, high })
    if (first === null) return []
    if (first !== 'unknown') {
      const rest = first < high ? [{ tokens: { low: first + 1n, high }, after: null }] : []
      return [...rest, { tokens: { low: first, high: first }, after: null }]
    }
    if (blind !== true && !this.#request.careful) this.#request.unreadable(low, thrown)
    // `splitTokens` returns a range of a few tokens as one part: then halve it.
    const many = splitTokens(low, high, PARTS)
    const parts = many.length > 1 ? many : (halveTokens({ low, high }) ?? [])
    return parts.map((tokens): Piece => ({ tokens, after: null, blind: true })).toReversed()
  }

  async *#byPartition(token: bigint, last: DriverRow | null): AsyncGenerator<DriverPage> {
    const { table, ring, what, where } = this.#request
    const columns = table.key.slice(0, ring.columns)
    const list = columns.map(selectedCqlColumn).join(', ')
    const found = await this.#partitionsAt(token, list)
    if (found === null) return
    const partitions = found.map((row) => columns.map((name) => row[nameInRow(name)] as unknown))
    const begun = last === null ? -1 : partitions.findIndex((key) => same(key, this.#cells(last, columns)))
    if (last !== null && begun === -1) throw this.#moved()
    for (const [at, partition] of partitions.entries()) {
      if (at < begun) continue
      let after = at === begun ? last : null
      try {
        for await (const { rows, readMs } of this.#withRetries(byKey(table, what, partition, where))) {
          const fresh: readonly DriverRow[] | null = after === null ? rows : this.#rowsAfter(rows, after)
          if (fresh === null) continue
          after = null
          if (fresh.length > 0) yield { rows: fresh, readMs }
        }
      } catch (thrown) {
        if (!isTooMuch(thrown)) throw thrown
        await this.#throwIfUnreachable(thrown)
        this.#request.unreadable(partition, thrown)
        continue
      }
      if (after !== null) throw this.#moved()
    }
  }

  /** Partition keys at a token. If the servers cannot return even the first row, reports the token and returns null. */
  async #partitionsAt(token: bigint, list: string): Promise<readonly DriverRow[] | null> {
    const { table, ring, unreadable } = this.#request
    try {
      return await this.#ask(byTokens(table, ring, `DISTINCT ${list}`, { low: token, high: token }, null))
    } catch (thrown) {
      if (!isTooMuch(thrown)) throw thrown
      await this.#throwIfUnreachable(thrown)
      unreadable(token, thrown)
      return null
    }
  }

  /** Retries after a pause, as long as no row was emitted. */
  async *#withRetries(query: CqlQuery): AsyncGenerator<DriverPage> {
    for (const pause of [...PAUSES_MS, null]) {
      let given = false
      try {
        for await (const page of this.#ofQuery(query)) {
          given = true
          yield page
        }
        return
      } catch (thrown) {
        if (given || pause === null || !isTooMuch(thrown)) throw thrown
        await sleep(pause, undefined, { signal: this.#signal }).catch(() => undefined)
      }
    }
  }

  /** Throws `thrown` if a node is down, or if no node answers: then the rows are not the cause of the failure. */
  async #throwIfUnreachable(thrown: unknown): Promise<void> {
    const { client } = this.#request.link
    if (this.#missesNode()) throw thrown
    try {
      await client.execute('SELECT key FROM system.local', [], { prepare: true, consistency: 1 })
    } catch {
      throw thrown
    }
  }

  #missesNode(): boolean {
    return this.#request.link.client.hosts.values().some((host) => !host.isUp())
  }

  /** The first token of a range that has rows; null if the range is empty; `unknown` if the servers cannot read it. */
  async #firstToken(tokens: TokenRange): Promise<bigint | 'unknown' | null> {
    const { table, ring } = this.#request
    const columns = table.key.slice(0, ring.columns).map(selectedCqlColumn).join(', ')
    const what = `DISTINCT ${columns}, ${tokenExpression(table, ring)} AS ${TOKEN}`
    const { cql, parameters } = byTokens(table, ring, what, tokens, null)
    try {
      const [row] = await this.#ask({ cql: `${cql} LIMIT 1`, parameters })
      return row === undefined ? null : BigInt(String(row.get(TOKEN)))
    } catch (thrown) {
      if (!isTooMuch(thrown)) throw thrown
      return 'unknown'
    }
  }

  async #tokenOf(row: DriverRow): Promise<bigint> {
    const { table, ring } = this.#request
    const columns = table.key.slice(0, ring.columns)
    const what = `DISTINCT ${columns.map(selectedCqlColumn).join(', ')}, ${tokenExpression(table, ring)} AS ${TOKEN}`
    const [found] = await this.#ask(byKey(table, what, this.#cells(row, columns), null))
    if (found === undefined) throw this.#moved()
    return BigInt(String(found.get(TOKEN)))
  }

  async #ask({ cql, parameters }: CqlQuery): Promise<readonly DriverRow[]> {
    const { link } = this.#request
    const options = { prepare: true, consistency: link.readLevel, fetchSize: link.settings.pageRows }
    return (await whileBusy(() => link.client.execute(cql, [...parameters], options), link, this.#signal)).rows
  }

  /** The rows after the last emitted one; null if the emitted one is not among them. */
  #rowsAfter(rows: readonly DriverRow[], last: DriverRow): readonly DriverRow[] | null {
    const key = this.#cells(last, this.#keyColumns)
    const at = rows.findIndex((row) => same(this.#cells(row, this.#keyColumns), key))
    return at === -1 ? null : rows.slice(at + 1)
  }

  #cells(row: DriverRow, columns: readonly string[]): readonly unknown[] {
    return columns.map((name) => row[nameInRow(name)] as unknown)
  }

  #moved(): SluiceError {
    const table = tableText(this.#request.table.table)
    return new SluiceError(
      'SOURCE_IO',
      `a range of ${table} cannot be read to its end: rows were removed while it was read`,
      {
        where: table,
        reason: 'a page could not be read, and the start of the next one is unknown',
        hint: 'run the same command again: the range is read from its beginning',
        kind: 'source',
        retryable: true,
      },
    )
  }
}

const TOO_MUCH: ReadonlySet<string> = new Set(['read-timeout', 'read-failure', 'no-answer'])

/** True if a smaller request might succeed. */
export function isTooMuch(thrown: unknown): boolean {
  if (thrown instanceof SluiceError) return false
  if (thrown instanceof errors.NoHostAvailableError) {
    const inner = Object.values((thrown.innerErrors ?? {}) as Readonly<Record<string, unknown>>)
    return inner.length > 0 && inner.every(isTooMuch)
  }
  return TOO_MUCH.has(cassandraFailure(thrown).kind)
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.every((value, at) => driverText(value) === driverText(b[at]))
}
