/** PostgreSQL as the source of copies: all requests read the same snapshot. */
import { tableText, type TableSpec } from '../../../model/copy/column-type.ts'
import type { KeyBound, Range } from '../../../model/copy/range.ts'
import type { Digest, FrameFormat } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type {
  BatchSize,
  CountRequest,
  Extent,
  RowBatch,
  RowRequest,
  SourceView,
} from '../../../model/copy/source-port.ts'
import { cutByKey, keyColumns, lastKey } from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { csvByReading, csvList, CSV_BATCH } from '../archive/csv-out.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { postgresSelection } from '../server/cells.ts'
import { copyRows, FRAME_FORMATS, framesQuery } from './copy-rows.ts'
import { postgresSourceError } from '../server/errors.ts'
import { batches } from '../server/lines.ts'
import { missingTable, RelationCache, type PostgresRelation } from '../server/relation.ts'
import { digestPostgresRows } from './row-digest.ts'
import type { CopySession } from '../server/session.ts'
import { PostgresSnapshot } from './snapshot.ts'
import { filled, tableFromSql, keyDialect, literal, orderSql, rangeSql } from '../server/sql.ts'
import { UnchangedTables } from './unchanged.ts'
import { streamUnderSignal, underSignal } from '../server/under-signal.ts'

const NEVER = new AbortController().signal

export type ViewOptions = {
  /** True if another read view may replace this one at any time. */
  readonly isMoving?: boolean
  /**
   * If set, sessions release their tables when another session waits for an exclusive lock, and reads fail with
   * SOURCE_BUSY. The function returns the other sessions of this program in the database.
   */
  readonly yields?: (() => readonly CopySession[]) | undefined
  /** True if the server ends the sessions when this program is frozen for as long as a lease. */
  readonly isMortal?: boolean
}

/** Assumed rows per block if their number is unknown: that of very small rows. */
const GUESS = 100n

/** @throws SluiceError as `postgresSourceError` returns: CONNECT_FAILED, TLS_FAILED, SOURCE_DENIED … */
export async function openPostgresSource(
  settings: PostgresSettings,
  readers: number,
  { isMoving = false, yields, isMortal = false }: ViewOptions = {},
): Promise<SourceView> {
  try {
    const snapshot = await PostgresSnapshot.open(settings, readers, isMortal)
    if (yields !== undefined) snapshot.releaseForWaiters(isMoving, yields)
    return new PostgresView(settings, snapshot, isMoving)
  } catch (error) {
    throw postgresSourceError(error, settings)
  }
}

/**
 * Joins the snapshot of another program.
 * @throws SluiceError CONNECTION_LOST if its holder has ended; CONNECT_FAILED …
 */
export async function joinedSource(settings: PostgresSettings, exported: string, readers: number): Promise<SourceView> {
  try {
    return new PostgresView(settings, await PostgresSnapshot.joined(settings, exported, readers), true)
  } catch (error) {
    throw postgresSourceError(error, settings)
  }
}

/**
 * Read view of a session's snapshot.
 * @param holder session in a transaction; the view closes it
 * @throws errors of the server
 */
export async function postgresSnapshotView(
  settings: PostgresSettings,
  holder: CopySession,
  readers: number,
): Promise<SourceView> {
  return new PostgresView(settings, await PostgresSnapshot.ofSession(settings, holder, readers), true)
}

class PostgresView implements SourceView {
  readonly #settings: PostgresSettings
  readonly #snapshot: PostgresSnapshot
  readonly #relations = new RelationCache()
  readonly #unchanged: UnchangedTables

  constructor(settings: PostgresSettings, snapshot: PostgresSnapshot, isMoving: boolean) {
    this.#settings = settings
    this.#snapshot = snapshot
    this.#unchanged = new UnchangedTables(isMoving)
  }

  get point(): SourceView['point'] {
    return this.#snapshot.point
  }

  get exported(): string {
    return this.#snapshot.exported
  }

  isValid(): boolean {
    return this.#snapshot.isValid
  }

  extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent> {
    return this.#use(where, NEVER, async (session) => {
      const relation = await this.#relation(table, session)
      const from = tableFromSql(relation)
      const condition = rangeSql(table, relation, { by: 'all' }, where)
      const columns = keyColumns(table)
      const rows = exact
        ? BigInt((await session.askOne(`SELECT count(*) FROM ${from} WHERE ${condition}`))[0]?.[0] ?? 0)
        : await estimate(session, `SELECT 1 FROM ${from} WHERE ${condition}`)
      const [low = null, high = null] =
        columns.length === 1 ? await keyBounds(session, table, relation, exact ? where : null) : []
      const nullable = columns.some((column) => column.nullable)
      const nulls = nullable ? rangeSql(table, relation, { by: 'nullKey' }, where) : ''
      const [found] = nullable ? await session.askOne(`SELECT EXISTS (SELECT FROM ${from} WHERE ${nulls})`) : []
      return { rows, exact, low, high, nullKeys: found?.[0] === 't' }
    })
  }

  async *cut(
    table: TableSpec,
    within: Range,
    where: string | null,
    rows: number,
    signal: AbortSignal,
  ): AsyncGenerator<Range> {
    if (within.by === 'key') {
      const relation = await this.#use(null, signal, (session) => this.#relation(table, session))
      const ask = (sql: string, parameters: SqlRow): Promise<readonly SqlRow[]> =>
        this.#use(where, signal, (session) => session.askOne(filled(sql, parameters)))
      yield* cutByKey(table, within, where, rows, table.rows, keyDialect(relation), ask)
    } else if (within.by === 'block') {
      // Block numbers are valid in one snapshot only. If it is lost, a table without a key is copied again from its
      // start.
      this.#snapshot.keep()
      const blocks = await this.#use(null, signal, async (session) => {
        const { oid } = await this.#relation(table, session)
        const size = `SELECT pg_catalog.pg_relation_size(${literal(oid)}::oid) / pg_catalog.current_setting('block_size')::bigint`
        return BigInt((await session.ask(size))[0]?.[0] ?? 0)
      })
      yield* cutByBlock(within, blocks, table.rows, rows)
    } else yield within
  }

  async *read(request: RowRequest, size: BatchSize, signal: AbortSignal): AsyncGenerator<RowBatch> {
    const { columns, onRefused, asStored } = request
    const table = tableText(request.table.table)
    const stored = asStored === undefined ? {} : { stored: { key: request.table.key, odd: new WeakSet() } }
    yield* this.#stream(request, signal, (session, { from, condition, order }) => {
      const list = columns.map(postgresSelection).join(', ')
      const { pieces } = copyRows(session, `SELECT ${list} FROM ${from} WHERE ${condition}${order}`, 'text')
      return batches(pieces, { table, columns, size, ...(onRefused === undefined ? {} : { onRefused }), ...stored })
    })
  }

  async *frames(request: RowRequest, format: FrameFormat, signal: AbortSignal): AsyncGenerator<Buffer, bigint> {
    let rows = (): bigint => 0n
    yield* this.#stream(request, signal, (session, { from, condition, order }) => {
      const names = request.columns.map(({ name }) => name)
      const copied = copyRows(session, framesQuery(names, from, condition, order), FRAME_FORMATS[format])
      rows = copied.rows
      return copied.pieces
    })
    return rows()
  }

  async *csv(request: RowRequest, signal: AbortSignal): AsyncGenerator<Buffer, bigint> {
    const list = csvList(request.columns)
    if (list === null) return yield* csvByReading(request.columns, this.read(request, CSV_BATCH, signal))
    let rows = (): bigint => 0n
    yield* this.#stream(request, signal, (session, { from, condition, order }) => {
      const copied = copyRows(session, `SELECT ${list} FROM ${from} WHERE ${condition}${order}`, 'csv')
      rows = copied.rows
      return copied.pieces
    })
    return rows()
  }

  digest(request: RowRequest, signal: AbortSignal): Promise<Digest> {
    return this.#use(request.where, signal, async (session) => {
      const { table, columns, asStored } = request
      const { from, condition } = await this.#rows(request, session)
      return digestPostgresRows(session, {
        columns,
        from,
        condition,
        whole: isWhole(request.range),
        table: tableText(table.table),
        ...(asStored === undefined ? {} : { storedKey: table.key }),
      })
    })
  }

  counts({ table, ranges, where }: CountRequest, signal: AbortSignal): Promise<readonly bigint[]> {
    return this.#use(where, signal, async (session) => {
      const relation = await this.#relation(table, session)
      const from = tableFromSql(relation)
      // Each range uses the index of the key; together they read it once.
      const counts = ranges.map(
        (range) => `(SELECT count(*) FROM ${from} WHERE ${rangeSql(table, relation, range, where)})`,
      )
      const [row = []] = counts.length === 0 ? [] : await session.askOne(`SELECT ${counts.join(', ')}`)
      return row.map((count) => BigInt(count ?? 0))
    })
  }

  last(table: TableSpec, range: Range, where: string | null, signal: AbortSignal): Promise<KeyBound | null> {
    if (table.key.length === 0 || (range.by !== 'key' && range.by !== 'all')) return Promise.resolve(null)
    return this.#use(where, signal, async (session) => {
      const relation = await this.#relation(table, session)
      const keys: Range = range.by === 'key' ? range : { by: 'key', after: null, through: null }
      return lastKey(table, keys, where, keyDialect(relation), (sql, parameters) =>
        session.askOne(filled(sql, parameters)),
      )
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#snapshot[Symbol.asyncDispose]()
  }

  async #relation(spec: TableSpec, session: CopySession): Promise<PostgresRelation> {
    const { table } = spec
    const found = await this.#relations.of(table, (sql) => session.ask(sql))
    if (found !== null) {
      await this.#unchanged.hold(session, found, spec, this.#settings)
      return found
    }
    throw new SluiceError('SOURCE_GONE', missingTable(table), {
      where: this.#settings.label,
      hint: 'it was renamed or dropped: run the same command again',
    })
  }

  async #rows(request: RowRequest, session: CopySession): Promise<RowsSql> {
    const { table, range, where, ordered } = request
    const relation = await this.#relation(table, session)
    return {
      from: tableFromSql(relation),
      condition: rangeSql(table, relation, range, where),
      order: ordered ? orderSql(table) : '',
    }
  }

  async #use<T>(where: string | null, signal: AbortSignal, body: (session: CopySession) => Promise<T>): Promise<T> {
    try {
      return await this.#snapshot.use((session) => underSignal(session, signal, () => body(session)))
    } catch (error) {
      throw this.#failure(error, signal, where)
    }
  }

  /** Returns `lost` if all sessions were ended on purpose and `signal` has not aborted; otherwise a mapped error. */
  #failure(thrown: unknown, signal: AbortSignal, where: string | null): unknown {
    const { lost } = this.#snapshot
    return lost === null || signal.aborted ? postgresSourceError(thrown, this.#settings, where) : lost
  }

  async *#stream<T>(
    request: RowRequest,
    signal: AbortSignal,
    items: (session: CopySession, sql: RowsSql) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    let session: CopySession | null = null
    let sound = false
    try {
      session = await this.#snapshot.take()
      yield* streamUnderSignal(session, signal, items(session, await this.#rows(request, session)))
      sound = true
    } catch (error) {
      throw this.#failure(error, signal, request.where)
    } finally {
      if (session !== null) await this.#snapshot.give(session, sound)
    }
  }
}

/**
 * Ranges of about `rows` rows of a table without a key, cut by block numbers.
 * @param blocks of the table
 * @param known rows of the table; 0 if unknown
 */
function* cutByBlock(
  within: Range & { readonly by: 'block' },
  blocks: bigint,
  known: bigint,
  rows: number,
): Generator<Range> {
  const step = blocksFor(blocks, known, BigInt(rows))
  const end = within.to !== null && within.to < blocks ? within.to : blocks
  let from = within.from
  for (; from + step < end; from += step) yield { by: 'block', from, to: from + step }
  yield { by: 'block', from, to: within.to }
}

function blocksFor(blocks: bigint, known: bigint, rows: bigint): bigint {
  const needed = known > 0n && blocks > 0n ? (rows * blocks) / known : rows / GUESS
  return needed > 0n ? needed : 1n
}

function isWhole(range: Range): boolean {
  return range.by === 'all' || (range.by === 'key' && range.after === null && range.through === null)
}

type RowsSql = { readonly from: string; readonly condition: string; readonly order: string }

/** Number of rows that the planner expects. */
async function estimate(session: CopySession, sql: string): Promise<bigint> {
  const [row] = await session.askOne(`EXPLAIN (FORMAT JSON) ${sql}`)
  const [plan] = JSON.parse(row?.[0] ?? '[]') as readonly { readonly Plan: { readonly 'Plan Rows': number } }[]
  return BigInt(Math.round(plan?.Plan['Plan Rows'] ?? 0))
}

/** Smallest and largest key, read from the index: SQL has no min() for some ordered types. */
async function keyBounds(
  session: CopySession,
  table: TableSpec,
  relation: PostgresRelation,
  where: string | null,
): Promise<readonly (string | null)[]> {
  const dialect = keyDialect(relation)
  const [column] = keyColumns(table)
  if (column === undefined) return []
  const condition = rangeSql(table, relation, { by: 'key', after: null, through: null }, where)
  const edge = (direction: string): string =>
    `(SELECT ${dialect.text(column)} FROM ${tableFromSql(relation)} WHERE ${condition} ORDER BY ${dialect.quote(column.name)} ${direction} LIMIT 1)`
  const [row] = await session.askOne(`SELECT ${edge('ASC')}, ${edge('DESC')}`)
  return row ?? []
}
