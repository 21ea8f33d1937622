/** A Cassandra cluster as a source. No snapshots: rows may change while they are read, which the copy reports. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { ReadPoint } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import { rangeOfTokens, RING_TOKENS, splitTokens, tokenCount, tokensOfRange } from '../../../model/copy/ring.ts'
import type { Digest } from '../../../model/copy/rows.ts'
import { isoTime, systemClock } from '../../../shared/clock.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { addStored, type MistypedRows } from '../../common/as-stored.ts'
import type { BatchSize, Extent, RowBatch, RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import type { CassandraLink } from '../connect.ts'
import { clockSkew } from '../cluster-facts.ts'
import { timeFilterOf } from '../archive/time.ts'
import { cassandraScan } from './scan.ts'
import { refuseChanged } from './schema-tables.ts'
import { refuseInvalidCondition } from './select.ts'
import { CASSANDRA_COUNT_UP_TO, countCassandraRows } from './size.ts'
import { cassandraSourceError } from './source-errors.ts'

/** Batch size for reading rows of which only the digest is computed. */
const DIGEST_BATCH: BatchSize = { rows: 5000, bytes: 4 * 1024 * 1024 }

export class CassandraSource implements SourceView {
  readonly point: ReadPoint
  readonly #link: CassandraLink
  readonly #signal: AbortSignal
  readonly #pageRows: number | undefined

  /** @param now milliseconds since 1970 @param options `pageRows`: maximum rows of a page */
  constructor(link: CassandraLink, now: number, signal: AbortSignal, options: { readonly pageRows?: number } = {}) {
    this.#link = link
    this.#signal = signal
    this.#pageRows = options.pageRows
    this.point = { view: isoTime(now), at: isoTime(now) }
  }

  /** Counts small tables only: a count reads the whole table, and a large one would load the servers for little use. */
  async extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent> {
    refuseInvalidCondition(where)
    const counted = exact && table.rows <= CASSANDRA_COUNT_UP_TO
    try {
      const rows = counted ? await this.#count(table, where) : null
      return { rows: rows ?? table.rows, exact: rows !== null, low: null, high: null, nullKeys: false }
    } catch (thrown) {
      throwIfAborted(this.#signal)
      throw cassandraSourceError(thrown, this.#link, table, where)
    }
  }

  /** Counts rows: in the cluster, or by reading them if only the reader can evaluate the condition. */
  async #count(table: TableSpec, where: string | null): Promise<bigint | null> {
    if (timeFilterOf(table, where) === null) return countCassandraRows(this.#link, table, where, this.#signal)
    const request = { table, columns: [], range: { by: 'all' }, where, ordered: false } as const
    return (await this.digest(request, this.#signal)).rows
  }

  /** Divides a range by arithmetic: if partitions are spread evenly, so are tokens. */
  async *cut(table: TableSpec, within: Range, _where: string | null, rows: number): AsyncGenerator<Range> {
    const { ring } = table
    if (ring === undefined || within.by !== 'key') {
      yield within
      return
    }
    const whole = RING_TOKENS[ring.partitioner]
    const tokens = tokensOfRange(within, whole)
    const share = Number((tokenCount(tokens) * 1_000_000n) / tokenCount(whole)) / 1e6
    const parts = Math.max(1, Math.ceil((Number(table.rows) * share) / rows))
    for (const part of splitTokens(tokens.low, tokens.high, parts)) yield rangeOfTokens(part, whole)
  }

  async *read(
    request: RowRequest,
    size: BatchSize,
    signal: AbortSignal,
    mistyped?: MistypedRows,
  ): AsyncGenerator<RowBatch> {
    const { table, where } = request
    refuseInvalidCondition(where)
    const both = AbortSignal.any([signal, this.#signal])
    try {
      await refuseChanged(this.#link, table)
      yield* cassandraScan(this.#link, request, size, this.#pageRows, both, mistyped)
      // Check again: if the table was changed meanwhile, these rows may not match the plan.
      await refuseChanged(this.#link, table)
    } catch (thrown) {
      throwIfAborted(both)
      throw cassandraSourceError(thrown, this.#link, table, where)
    }
  }

  async digest(request: RowRequest, signal: AbortSignal): Promise<Digest> {
    const mistyped: MistypedRows = new WeakSet()
    return digestOfRows(this.read(request, DIGEST_BATCH, signal, mistyped), mistyped)
  }

  /** Always null: new rows may have any token, so there is no largest key. */
  last(): Promise<null> {
    return Promise.resolve(null)
  }

  async clockApartMs(): Promise<number> {
    return Math.abs((await clockSkew(this.#link, systemClock)).ms)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A view holds no resources.
  }
}

/** Digest of a range, summed up row by row: Cassandra cannot compute it. */
async function digestOfRows(batches: AsyncIterable<RowBatch>, mistyped: MistypedRows): Promise<Digest> {
  const sum = new RowChecksum()
  for await (const { rows } of batches) for (const row of rows) addStored(sum, row, mistyped)
  return sum.digest()
}
