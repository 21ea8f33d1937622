/**
 * Pages of a range of tokens, in the order of the ring. A page that the servers cannot give is asked for with fewer rows, then the rest of the range is
 * divided, down to one token; within it partitions are read one by one. What cannot be read even so is told, and never left out in silence.
 */
import { hexDigits } from '../../../model/copy/bytes-text.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { errors, type types } from 'cassandra-driver'
import { tableText, type RingSpec, type TableSpec } from '../../../model/copy/column-type.ts'
import { halveTokens, splitTokens, type TokenRange } from '../../../model/copy/ring.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { whileBusy } from '../busy.ts'
import type { CassandraLink } from '../connect.ts'
import { failureOf } from '../failure.ts'
import type { PageSize } from './page-size.ts'
import { mendSeam, wholeSecond, type DriverPage, type SharedColumns } from './seams.ts'
import { byKey, byTokens, hashOf, type Query } from './select.ts'
import { nameInRow, selected } from './selected.ts'

export type DriverRow = types.Row

export type PageRequest = {
  readonly link: CassandraLink
  readonly table: TableSpec
  readonly ring: RingSpec
  /** List of columns, the whole key among them. */
  readonly what: string
  /** The static ones among them; null where there are none. */
  readonly shared: SharedColumns | null
  readonly where: string | null
  readonly size: PageSize
  /** Whether somebody hears of what cannot be read; else the first of it ends the reading, wherever in a range it lies. */
  readonly careful: boolean
  /** Told of what is left of a partition that nobody can read, by its key; by its token where even the key cannot be read. */
  readonly unreadable: (partition: readonly unknown[] | bigint, thrown: unknown) => void
}

/** Before a partition is given up: servers that only stumbled get up. */
const PAUSES_MS = [500, 2000] as const
/** Where nothing tells where in a range the trouble lies: many, since each step down costs one timeout, and the good parts cost nothing. */
const PARTS = 16
/** Names of our own beside those of the table. */
const TOKEN = 'sluice_token'

/** A page, and where the next one goes on. */
type Fetched = DriverPage & { readonly state: string | null }

type Piece = {
  readonly tokens: TokenRange
  /** The last row of it that was given already: what lies before it is passed over. Such a piece is one token. */
  readonly after: DriverRow | null
  /** Its first token could not be had either, so that a failure is looked for by division alone. */
  readonly blind?: true
}

export class Pages {
  readonly #request: PageRequest
  readonly #signal: AbortSignal
  readonly #keyColumns: readonly string[]

  constructor(request: PageRequest, signal: AbortSignal) {
    this.#request = request
    this.#signal = signal
    this.#keyColumns = request.table.key
  }

  /** @throws errors of the driver; SluiceError SOURCE_IO where rows moved away while a range was read again */
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
          const fresh: readonly DriverRow[] | null = after === null ? rows : this.#behind(rows, after)
          if (fresh === null) continue
          after = null
          last = rows.at(-1) ?? last
          if (fresh.length > 0) yield { rows: fresh, readMs }
        }
      } catch (thrown) {
        if (!isTooMuch(thrown)) throw thrown
        await this.#proveAlive(thrown)
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
   * Rows of one statement, the next page on its way while one is looked at.
   * @param shrinks whether pages that do not come are asked for with fewer rows
   */
  async *#ofQuery(query: Query, shrinks = true): AsyncGenerator<DriverPage> {
    let next: Promise<Fetched> | null = this.#page(query, null, null, shrinks)
    let last: DriverRow | null = null
    while (next !== null) {
      const page: Fetched = await next
      last = page.rows.at(-1) ?? last
      next = page.state === null ? null : this.#page(query, page.state, last, shrinks)
      // Whoever stops reading never hears of it.
      next?.catch(() => undefined)
      if (page.rows.length > 0) yield page
    }
  }

  /** @param last row of the pages before */
  async #page(query: Query, state: string | null, last: DriverRow | null, shrinks: boolean): Promise<Fetched> {
    const { shared } = this.#request
    const page = await this.#fetched(query, state, shrinks)
    if (shared === null || last === null) return page
    const partition = this.#cells(last, shared.partition)
    await mendSeam(
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

  async #fetched({ cql, parameters }: Query, state: string | null, shrinks: boolean): Promise<Fetched> {
    const { link, size } = this.#request
    let readMs = 0
    for (;;) {
      throwIfAborted(this.#signal)
      try {
        const read = (): Promise<types.ResultSet> => {
          // Servers count what is left of a life from when they are asked.
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
        // Smaller pages are no help where a node is down.
        if (!isTooMuch(thrown) || this.#missesNode() || !shrinks || !size.shrink()) throw thrown
      }
    }
  }

  /** What is left of a range, in pieces that lie better. @param last row that was given */
  async #pieces(
    { tokens: { low, high }, blind }: Piece,
    last: DriverRow | null,
    thrown: unknown,
  ): Promise<readonly Piece[]> {
    if (last !== null) {
      const token = await this.#tokenOf(last)
      const rest = token < high ? [{ tokens: { low: token + 1n, high }, after: null }] : []
      // The last of them is the next.
      return [...rest, { tokens: { low: token, high: token }, after: last }]
    }
    const first = blind === true ? 'unknown' : await this.#firstToken({ low, high })
    if (first === null) return []
    if (first !== 'unknown') {
      const rest = first < high ? [{ tokens: { low: first + 1n, high }, after: null }] : []
      return [...rest, { tokens: { low: first, high: first }, after: null }]
    }
    if (blind !== true && !this.#request.careful) this.#request.unreadable(low, thrown)
    // A handful of tokens is not divided by so many.
    const many = splitTokens(low, high, PARTS)
    const parts = many.length > 1 ? many : (halveTokens({ low, high }) ?? [])
    return parts.map((tokens): Piece => ({ tokens, after: null, blind: true })).toReversed()
  }

  async *#byPartition(token: bigint, last: DriverRow | null): AsyncGenerator<DriverPage> {
    const { table, ring, what, where } = this.#request
    const columns = table.key.slice(0, ring.columns)
    const list = columns.map(selected).join(', ')
    const found = await this.#partitionsAt(token, list)
    if (found === null) return
    const partitions = found.map((row) => columns.map((name) => row[nameInRow(name)] as unknown))
    const begun = last === null ? -1 : partitions.findIndex((key) => same(key, this.#cells(last, columns)))
    if (last !== null && begun === -1) throw this.#moved()
    for (const [at, partition] of partitions.entries()) {
      if (at < begun) continue
      let after = at === begun ? last : null
      try {
        for await (const { rows, readMs } of this.#patiently(byKey(table, what, partition, where))) {
          const fresh: readonly DriverRow[] | null = after === null ? rows : this.#behind(rows, after)
          if (fresh === null) continue
          after = null
          if (fresh.length > 0) yield { rows: fresh, readMs }
        }
      } catch (thrown) {
        if (!isTooMuch(thrown)) throw thrown
        await this.#proveAlive(thrown)
        this.#request.unreadable(partition, thrown)
        continue
      }
      if (after !== null) throw this.#moved()
    }
  }

  /** Keys of a token's partitions; null, and told, where the servers do not get as far as the first row of one. */
  async #partitionsAt(token: bigint, list: string): Promise<readonly DriverRow[] | null> {
    const { table, ring, unreadable } = this.#request
    try {
      return await this.#ask(byTokens(table, ring, `DISTINCT ${list}`, { low: token, high: token }, null))
    } catch (thrown) {
      if (!isTooMuch(thrown)) throw thrown
      await this.#proveAlive(thrown)
      unreadable(token, thrown)
      return null
    }
  }

  /** Again after a pause, as long as nothing of it was given. */
  async *#patiently(query: Query): AsyncGenerator<DriverPage> {
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

  /** A cluster that answers nothing is no reason to look for a row that does not go. */
  async #proveAlive(thrown: unknown): Promise<void> {
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

  /** The first token of a range that has rows; null where none has. */
  async #firstToken(tokens: TokenRange): Promise<bigint | 'unknown' | null> {
    const { table, ring } = this.#request
    const columns = table.key.slice(0, ring.columns).map(selected).join(', ')
    const what = `DISTINCT ${columns}, ${hashOf(table, ring)} AS ${TOKEN}`
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
    const what = `DISTINCT ${columns.map(selected).join(', ')}, ${hashOf(table, ring)} AS ${TOKEN}`
    const [found] = await this.#ask(byKey(table, what, this.#cells(row, columns), null))
    if (found === undefined) throw this.#moved()
    return BigInt(String(found.get(TOKEN)))
  }

  async #ask({ cql, parameters }: Query): Promise<readonly DriverRow[]> {
    const { link } = this.#request
    const options = { prepare: true, consistency: link.readLevel, fetchSize: link.settings.pageRows }
    return (await whileBusy(() => link.client.execute(cql, [...parameters], options), link, this.#signal)).rows
  }

  /** The rows behind the one that was given last; null where that one is not among them. */
  #behind(rows: readonly DriverRow[], last: DriverRow): readonly DriverRow[] | null {
    const key = this.#cells(last, this.#keyColumns)
    const at = rows.findIndex((row) => same(this.#cells(row, this.#keyColumns), key))
    return at === -1 ? null : rows.slice(at + 1)
  }

  #cells(row: DriverRow, columns: readonly string[]): readonly unknown[] {
    return columns.map((name) => row[nameInRow(name)] as unknown)
  }

  #moved(): SluiceError {
    const table = tableText(this.#request.table.table)
    return new SluiceError('SOURCE_IO', `rows of ${table} were removed while a range of it was read again`, {
      where: table,
      reason: 'a page could not be had, and where the next one begins cannot be told any more',
      hint: 'run the same command again: the range is read from its beginning',
      kind: 'source',
      retryable: true,
    })
  }
}

const TOO_MUCH: ReadonlySet<string> = new Set(['read-timeout', 'read-failure', 'no-answer'])

/** Whether less may be had where this was refused. */
export function isTooMuch(thrown: unknown): boolean {
  if (thrown instanceof SluiceError) return false
  if (thrown instanceof errors.NoHostAvailableError) {
    const inner = Object.values((thrown.innerErrors ?? {}) as Readonly<Record<string, unknown>>)
    return inner.length > 0 && inner.every(isTooMuch)
  }
  return TOO_MUCH.has(failureOf(thrown).kind)
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.every((value, at) => text(value) === text(b[at]))
}

/** Values of a key, as the driver gives them: numbers, texts, bytes, and classes of its own that print their value. */
function text(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Uint8Array) return hexDigits(value)
  if (value instanceof Date) return String(value.getTime())
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return value.toString()
  if (typeof value !== 'object') return ''
  const { toString } = value as { toString(): string }
  if (toString !== Object.prototype.toString && !Array.isArray(value) && !(value instanceof Map))
    return toString.call(value)
  const entries = value instanceof Map || value instanceof Set ? [...value] : Object.values(value)
  return `[${entries.map(text).join(',')}]`
}
