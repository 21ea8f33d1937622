/**
 * One snapshot of a DuckDB file, on its own connection, where requests take turns by statement. A file that was opened
 * for writing is read in one transaction; a file that was opened for reading does not change.
 */
import { randomUUID } from 'node:crypto'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { ReadPoint } from '../../../model/copy/plan.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Digest } from '../../../model/copy/rows.ts'
import { breathing } from '../../../shared/abort.ts'
import type {
  BatchSize,
  CountRequest,
  Extent,
  RowBatch,
  RowRequest,
  SourceView,
} from '../../../model/copy/source-port.ts'
import { keyColumns, keyOrder, keyBounds, lastKey, rangeCondition, type SqlCondition } from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { OpenPath } from '../../common/open-path.ts'
import { regrouped } from '../../common/regrouped.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { isDuckdbRowError } from '../errors.ts'
import { cutDuckdbKeys } from './cut.ts'
import { duckdbDigest } from './digest.ts'
import { fromTable, DUCKDB_SOURCE_KEYS } from './key-dialect.ts'
import { keyList } from './keys.ts'
import { duckdbRows, type DuckdbRowQuery } from './rows.ts'
import type { DuckdbCopySession } from './session.ts'

export class DuckdbView implements SourceView {
  readonly point: ReadPoint = { view: randomUUID(), at: new Date().toISOString() }
  readonly #session: DuckdbCopySession
  readonly #path: OpenPath

  /**
   * @param session used by no other code, in a transaction if the file was opened for writing; closed with the view
   * @param path of the file: rows are refused if another file has it at the end of a read
   */
  constructor(session: DuckdbCopySession, path: OpenPath) {
    this.#session = session
    this.#path = path
  }

  /** @throws SluiceError UNSUPPORTED_KEY for a key that DuckDB cannot convert to text */
  async extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent> {
    const span =
      table.key.length === 1 ? await keyBounds(table, EVERY_KEY, where, DUCKDB_SOURCE_KEYS, this.#ask(where)) : null
    const nulls = rangeCondition(table, { by: 'nullKey' }, where, DUCKDB_SOURCE_KEYS)
    const mayBeNull = keyColumns(table).some(({ nullable }) => nullable)
    const [missing] = mayBeNull
      ? await this.#ask(where)(`SELECT 1 FROM ${fromTable(table)} WHERE ${nulls.sql} LIMIT 1`, nulls.parameters)
      : []
    const all = where === null ? '1 = 1' : `(${where}\n)`
    const [counted] = exact
      ? await this.#ask(where)(`SELECT CAST(count(*) AS VARCHAR) FROM ${fromTable(table)} WHERE ${all}`, [])
      : [[table.rows.toString()]]
    return {
      rows: BigInt(String(counted?.[0] ?? 0)),
      exact,
      low: span?.low ?? null,
      high: span?.high ?? null,
      nullKeys: missing !== undefined,
    }
  }

  async *cut(
    table: TableSpec,
    within: Range,
    where: string | null,
    rows: number,
    signal: AbortSignal,
  ): AsyncGenerator<Range> {
    const ranges =
      within.by === 'key'
        ? cutDuckdbKeys(table, within, where, rows, this.#ask(where, signal))
        : within.by === 'block'
          ? this.#cutBlocks(table, within, rows)
          : [within]
    yield* breathing(ranges, signal)
  }

  async *read(request: RowRequest, size: BatchSize, signal: AbortSignal): AsyncGenerator<RowBatch> {
    await using query = await this.#query(request)
    yield* regrouped(duckdbRows(this.#session, query, signal), size)
    this.#path.check()
  }

  async digest(request: RowRequest, signal: AbortSignal): Promise<Digest> {
    await using query = await this.#query(request)
    const digest = await duckdbDigest(this.#session, query, false, signal)
    this.#path.check()
    return digest
  }

  async counts({ table, ranges, where }: CountRequest, signal: AbortSignal): Promise<readonly bigint[]> {
    if (ranges.length === 0) return []
    // One scan for all ranges.
    const parts = ranges.map((range) => conditionOf(table, range, null))
    const counts = parts.map(({ sql }) => `CAST(count(*) FILTER (WHERE ${sql}) AS VARCHAR)`)
    const wanted = where === null ? '1 = 1' : `(${where}\n)`
    const [row = []] = await this.#ask(where, signal)(
      `SELECT ${counts.join(', ')} FROM ${fromTable(table)} WHERE ${wanted}`,
      parts.flatMap(({ parameters }) => parameters),
    )
    return row.map((one) => BigInt(String(one)))
  }

  async last(
    table: TableSpec,
    range: Range,
    where: string | null,
    signal: AbortSignal,
  ): Promise<readonly string[] | null> {
    return lastKey(table, range, where, DUCKDB_SOURCE_KEYS, this.#ask(where, signal))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.close()
  }

  async #query(request: RowRequest): Promise<DuckdbRowQuery & AsyncDisposable> {
    const { table, range, where, ordered } = request
    const order = ordered ? keyOrder(table, DUCKDB_SOURCE_KEYS) : ''
    const list = range.by === 'keys' ? await keyList(this.#session, table, keyTexts(table, range.keys), true) : null
    const { sql, parameters } =
      list === null
        ? conditionOf(table, range, where)
        : { ...list.condition, sql: `${list.condition.sql}${where === null ? '' : ` AND (${where}\n)`}` }
    return {
      request,
      condition: sql,
      parameters,
      where,
      order,
      [Symbol.asyncDispose]: async () => list?.drop(),
    }
  }

  async *#cutBlocks(table: TableSpec, within: Range & { readonly by: 'block' }, rows: number): AsyncGenerator<Range> {
    const [most] = await this.#ask(null)(`SELECT CAST(coalesce(max(rowid), 0) AS VARCHAR) FROM ${fromTable(table)}`, [])
    const end = within.to ?? BigInt(String(most?.[0] ?? 0)) + 1n
    let { from } = within
    for (const step = BigInt(rows); from + step < end; from += step) yield { by: 'block', from, to: from + step }
    yield { by: 'block', from, to: within.to }
  }

  #ask(where: string | null, signal?: AbortSignal): (sql: string, parameters: SqlRow) => Promise<readonly SqlRow[]> {
    return async (sql, parameters) => {
      try {
        return await this.#session.rows(sql, parameters, { where, ...(signal === undefined ? {} : { signal }) })
      } catch (error) {
        throw isDuckdbRowError(error) ? unprinted(error) : error
      }
    }
  }
}

/** Error of a failed conversion: these statements convert only keys. */
function unprinted(cause: unknown): SluiceError {
  return new SluiceError('UNSUPPORTED_KEY', 'DuckDB cannot convert a key of a row to text', {
    reason: 'a time in seconds or milliseconds can be later than the latest time in microseconds of DuckDB',
    hint: 'correct the row in the source, or choose other columns with --key',
    cause,
  })
}

/** Texts of keys in the form of `DUCKDB_SOURCE_KEYS`. */
function* keyTexts(table: TableSpec, keys: readonly RowKey[]): Generator<RowKey> {
  const columns = keyColumns(table)
  for (const key of keys) {
    yield columns.map((column, i) => {
      const text = key[i] ?? null
      return text === null ? null : String(DUCKDB_SOURCE_KEYS.value(column, text))
    })
  }
}

function conditionOf(table: TableSpec, range: Range, where: string | null): SqlCondition {
  const condition = rangeCondition(table, range, where, DUCKDB_SOURCE_KEYS)
  if (range.by !== 'block') return condition
  const to = range.to === null ? '' : ` AND rowid < ${range.to}`
  return { ...condition, sql: `rowid >= ${range.from}${to} AND ${condition.sql}` }
}
