/** A D1 database as a source. No snapshots: rows may change between two requests, which the copy reports. */
import { conditionHint } from '../../common/query-errors.ts'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { ReadPoint } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { isoTime } from '../../../shared/clock.ts'
import { SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import type {
  BatchSize,
  CountRequest,
  Extent,
  RowBatch,
  RowRequest,
  SourceView,
} from '../../../model/copy/source-port.ts'
import { cutStoredKeys } from '../../common/sqlite-dialect/cut-keys.ts'
import { Spellings } from '../../common/sqlite-dialect/spellings.ts'
import { keyBounds, lastKey, rangeCondition } from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { D1Client } from '../client.ts'
import { d1Error, whereOf } from '../errors.ts'
import { D1Failure } from '../failure.ts'
import { cutBlocks } from './blocks.ts'
import { d1CanonicalDigest, countD1Rows } from './digest.ts'
import { D1_SOURCE_KEYS } from './keys.ts'
import { d1Scan, type D1Scan } from './scan.ts'
import { d1Statement, plainMessage } from './statements.ts'

const OF_SOURCE: Partial<Record<ErrorCode, ErrorCode>> = { TARGET_DENIED: 'SOURCE_DENIED', TARGET_IO: 'SOURCE_IO' }

export class D1Source implements SourceView {
  readonly point: ReadPoint
  readonly #client: D1Client
  readonly #signal: AbortSignal
  readonly #spellings = new Spellings(this)

  constructor(client: D1Client, now: number, signal: AbortSignal) {
    this.#client = client
    this.#signal = signal
    this.point = { view: isoTime(now), at: isoTime(now) }
  }

  /** Row count and key bounds. An exact count reads every row of an index, which D1 charges. */
  async extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent> {
    return this.#guard(where, async () => {
      const every: Range = { by: 'all' }
      const rows = exact
        ? await countD1Rows(this.#client, { table, range: every, where, keys: D1_SOURCE_KEYS }, this.#signal)
        : table.rows
      const keyed: Range = { by: 'key', after: null, through: null }
      const span =
        table.key.length === 1 ? await keyBounds(table, keyed, where, D1_SOURCE_KEYS, this.#ask(this.#signal)) : null
      const nullable = table.columns.some(({ name, nullable: may }) => may && table.key.includes(name))
      return {
        rows,
        exact,
        low: span?.low ?? null,
        high: span?.high ?? null,
        nullKeys: nullable && (await this.#hasNullKeys(table, where)),
      }
    })
  }

  async *cut(
    table: TableSpec,
    within: Range,
    where: string | null,
    rows: number,
    signal: AbortSignal,
  ): AsyncGenerator<Range> {
    try {
      if (within.by === 'key') yield* cutStoredKeys(table, within, where, rows, D1_SOURCE_KEYS, this.#ask(signal))
      else if (within.by === 'block') yield* cutBlocks(table, within, where, rows, this.#ask(signal))
      else yield within
    } catch (error) {
      throw sourceError(error, this.#client, where)
    }
  }

  async *read(request: RowRequest, size: BatchSize, signal: AbortSignal): AsyncGenerator<RowBatch> {
    try {
      for await (const { rows, bytes } of d1Scan(this.#client, await this.#scan(request, signal), signal)) {
        const rowBytes = bytes / rows.length
        const most = Math.max(1, Math.min(size.rows, Math.floor(size.bytes / rowBytes)))
        for (let at = 0; at < rows.length; at += most) {
          const some = rows.slice(at, at + most)
          yield { rows: some, bytes: Math.round(rowBytes * some.length) }
        }
      }
    } catch (error) {
      throw sourceError(error, this.#client, request.where)
    }
  }

  async digest(request: RowRequest, signal: AbortSignal): Promise<Digest> {
    return this.#guard(request.where, async () =>
      d1CanonicalDigest(this.#client, await this.#scan(request, signal), null, signal),
    )
  }

  /** One request; reads every key of the ranges, which D1 charges as rows read. */
  async counts({ table, ranges, where }: CountRequest, signal: AbortSignal): Promise<readonly bigint[]> {
    if (ranges.length === 0) return []
    return this.#guard(where, async () => {
      const statements = ranges.map((range) => {
        const { sql, parameters } = rangeCondition(table, range, where, D1_SOURCE_KEYS)
        const count = `SELECT CAST(COUNT(*) AS TEXT) FROM ${D1_SOURCE_KEYS.from(table)} WHERE ${sql}`
        return d1Statement({ sql: count, parameters })
      })
      const results = await this.#client.read(statements, { signal })
      return results.map(({ rows }) => BigInt(String(rows[0]?.[0] ?? 0)))
    })
  }

  async last(
    table: TableSpec,
    range: Range,
    where: string | null,
    signal: AbortSignal,
  ): Promise<readonly string[] | null> {
    return this.#guard(where, () => lastKey(table, range, where, D1_SOURCE_KEYS, this.#ask(signal)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing to close: there is no connection between two requests.
  }

  async #scan({ table, columns, range, where, onRefused, asStored }: RowRequest, signal: AbortSignal): Promise<D1Scan> {
    return {
      table,
      columns,
      range: await this.#spellings.found(table, range, signal),
      where,
      keys: D1_SOURCE_KEYS,
      blame: 'source',
      ...(onRefused === undefined ? {} : { onRefused }),
      ...(asStored === undefined ? {} : { odd: new WeakSet<Row>() }),
    }
  }

  async #hasNullKeys(table: TableSpec, where: string | null): Promise<boolean> {
    const { sql, parameters } = rangeCondition(table, { by: 'nullKey' }, where, D1_SOURCE_KEYS)
    const rows = await this.#ask(this.#signal)(
      `SELECT 1 FROM ${D1_SOURCE_KEYS.from(table)} WHERE ${sql} LIMIT 1`,
      parameters,
    )
    return rows.length > 0
  }

  #ask(signal: AbortSignal): (sql: string, parameters: SqlRow) => Promise<readonly SqlRow[]> {
    return async (sql, parameters) => {
      const [result] = await this.#client.read([d1Statement({ sql, parameters })], { signal })
      // Keys are selected as texts.
      return (result?.rows ?? []) as readonly SqlRow[]
    }
  }

  async #guard<T>(where: string | null, body: () => Promise<T>): Promise<T> {
    try {
      return await body()
    } catch (error) {
      throw sourceError(error, this.#client, where)
    }
  }
}

/** @param where the user's condition, named as the cause of errors @returns a SluiceError of the source */
function sourceError(thrown: unknown, client: D1Client, where: string | null): unknown {
  const { settings } = client
  if (thrown instanceof D1Failure && thrown.kind === 'sql' && !/not authorized/i.test(thrown.message)) {
    const said = plainMessage(thrown.message)
    const gone = said.startsWith('no such table')
    if (where !== null && !gone) {
      return new SluiceError('BAD_PREDICATE', `the condition cannot be used: ${said}`, {
        where,
        hint: conditionHint('SQLite'),
        cause: thrown,
      })
    }
    if (gone || said.startsWith('no such column')) {
      return new SluiceError('SOURCE_GONE', said, {
        where: whereOf(thrown, settings),
        reason: 'the table has changed since it was planned, or was dropped',
        hint: 'run the same command again',
        cause: thrown,
      })
    }
    return new SluiceError('SOURCE_IO', said, { where: whereOf(thrown, settings), cause: thrown })
  }
  const known = d1Error(thrown, settings)
  if (!(known instanceof SluiceError) || known === thrown || known.kind !== 'target') return known
  const { code, message, where: at, reason, hint, retryable, cause } = known
  return new SluiceError(OF_SOURCE[code] ?? code, message, {
    kind: 'source',
    retryable,
    cause,
    where: at,
    reason,
    hint,
  })
}
