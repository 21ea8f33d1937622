/** A view of a MySQL source: sessions that read, with snapshots that were taken at the same time. */
import { throwIfAborted } from '../../../shared/abort.ts'
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { ReadPoint } from '../../../model/copy/plan.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import type { Digest } from '../../../model/copy/rows.ts'
import type {
  BatchSize,
  CountRequest,
  Extent,
  RowBatch,
  RowRequest,
  SourceView,
} from '../../../model/copy/source-port.ts'
import { keyColumns, keyBounds } from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import type { MysqlConfig } from '../config.ts'
import type { MysqlSession } from '../session.ts'
import { mysqlCanonicalDigest } from './digest.ts'
import { mysqlSourceError } from './errors.ts'
import { mysqlTableSql } from './names.ts'
import { mysqlRangeCondition, cutMysqlKeys, KEYS, lastOf } from './ranges.ts'
import { readMysqlRows } from './read.ts'
import { Readers } from './readers.ts'
import { SameTables } from './same-table.ts'
import { interruptibleMysql, stopOn } from './sessions.ts'

/**
 * Requests run in parallel, each on one of the `pool_size` readers; further requests wait. With `pool_size=1` all
 * requests see one snapshot; with more, each reader has its own. Tables of engines without transactions are read in
 * their current state.
 * @throws SluiceError CONNECT_FAILED, TLS_FAILED
 */
export async function openView(config: MysqlConfig): Promise<SourceView> {
  return new View(config, await Readers.open(config))
}

/**
 * A view that reads in the snapshot of one session, and closes this session at its end.
 * @param session as `Readers.of`
 */
export async function mysqlSnapshotView(config: MysqlConfig, session: MysqlSession): Promise<SourceView> {
  try {
    return new View(config, await Readers.of(config, session))
  } catch (error) {
    session.destroy()
    throw error
  }
}

class View implements SourceView {
  readonly point: ReadPoint
  readonly #config: MysqlConfig
  readonly #readers: Readers
  readonly #same = new SameTables()

  constructor(config: MysqlConfig, readers: Readers) {
    this.#config = config
    this.#readers = readers
    this.point = readers.point
  }

  isValid(): boolean {
    return this.#readers.isComplete
  }

  async extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent> {
    const ask = this.#asker(table, where, null)
    await this.#lockTable(table)
    const [column, ...others] = keyColumns(table)
    const single = column !== undefined && others.length === 0
    const span = single ? await keyBounds(table, EVERY_KEY, where, KEYS, ask) : null
    const nullable = keyColumns(table).some((one) => one.nullable)
    const nulls = nullable ? await ask(...exists(table, { by: 'nullKey' }, where)) : []
    return {
      ...(exact ? await count(table, where, ask) : { rows: table.rows, exact: false }),
      low: span?.low ?? null,
      high: span?.high ?? null,
      nullKeys: nulls.length > 0,
    }
  }

  async *cut(
    table: TableSpec,
    within: Range,
    where: string | null,
    rows: number,
    signal: AbortSignal,
  ): AsyncIterable<Range> {
    if (within.by === 'key') yield* cutMysqlKeys(table, within, where, rows, this.#asker(table, where, signal))
    else yield within
  }

  async *read(request: RowRequest, size: BatchSize, signal: AbortSignal): AsyncIterable<RowBatch> {
    const session = await this.#readers.take(signal)
    const undo = stopOn(this.#config, session, signal)
    try {
      await this.#same.hold(session, request.table, this.#config.label)
      yield* readMysqlRows(session, request, size, signal)
    } catch (error) {
      throwIfAborted(signal)
      throw this.#named(error, request)
    } finally {
      await undo()
      await this.#readers.give(session)
    }
  }

  async digest(request: RowRequest, signal: AbortSignal): Promise<Digest> {
    try {
      return await this.#readers.use(signal, (session) =>
        interruptibleMysql(this.#config, session, signal, async () => {
          await this.#same.hold(session, request.table, this.#config.label)
          return mysqlCanonicalDigest(session, request, null, signal)
        }),
      )
    } catch (error) {
      throw this.#named(error, request)
    }
  }

  async counts({ table, ranges, where }: CountRequest, signal: AbortSignal): Promise<readonly bigint[]> {
    if (ranges.length === 0) return []
    const parts = ranges.map((range) => mysqlRangeCondition(table, range, where))
    const counts = parts.map(
      ({ sql }) => `(SELECT CAST(COUNT(*) AS CHAR) FROM ${mysqlTableSql(table.table)} WHERE ${sql})`,
    )
    const parameters = parts.flatMap((part) => part.parameters)
    await this.#lockTable(table)
    const [row = []] = await this.#asker(table, where, signal)(`SELECT ${counts.join(', ')}`, parameters)
    return row.map((one) => BigInt(String(one)))
  }

  async last(
    table: TableSpec,
    range: Range,
    where: string | null,
    signal: AbortSignal,
  ): Promise<readonly string[] | null> {
    return await lastOf(table, range, where, this.#asker(table, where, signal))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#readers[Symbol.asyncDispose]()
  }

  #asker(table: TableSpec, where: string | null, signal: AbortSignal | null) {
    return async (sql: string, parameters: SqlRow): Promise<readonly SqlRow[]> => {
      try {
        return await this.#readers.use(signal, (session) => {
          const answer = (): Promise<readonly SqlRow[]> => session.rows(sql, parameters)
          return signal === null ? answer() : interruptibleMysql(this.#config, session, signal, answer)
        })
      } catch (error) {
        throw this.#named(error, { table, where })
      }
    }
  }

  async #lockTable(table: TableSpec): Promise<void> {
    try {
      await this.#readers.use(null, (session) => this.#same.hold(session, table, this.#config.label))
    } catch (error) {
      throw this.#named(error, { table, where: null })
    }
  }

  #named(error: unknown, { table, where }: Pick<RowRequest, 'table' | 'where'>): unknown {
    return mysqlSourceError(error, `${this.#config.label}: ${tableText(table.table)}`, where)
  }
}

type Ask = (sql: string, parameters: SqlRow) => Promise<readonly SqlRow[]>

async function count(table: TableSpec, where: string | null, ask: Ask): Promise<Pick<Extent, 'rows' | 'exact'>> {
  const { sql, parameters } = mysqlRangeCondition(table, { by: 'all' }, where)
  const [[rows] = []] = await ask(
    `SELECT CAST(COUNT(*) AS CHAR) FROM ${mysqlTableSql(table.table)} WHERE ${sql}`,
    parameters,
  )
  return { rows: BigInt(String(rows)), exact: true }
}

function exists(table: TableSpec, range: Range, where: string | null): [sql: string, parameters: SqlRow] {
  const { sql, parameters } = mysqlRangeCondition(table, range, where)
  return [`SELECT 1 FROM ${mysqlTableSql(table.table)} WHERE ${sql} LIMIT 1`, parameters]
}
