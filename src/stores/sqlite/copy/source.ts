/**
 * A view of a database file: one connection within one read transaction, so that everything is read from one snapshot.
 * Requests run in parallel on that connection, each with its own iteration; none blocks the thread for longer than one
 * slice of rows. A database in WAL mode can be written meanwhile. With a rollback journal no program can commit until
 * the view has ended.
 */
import { randomUUID } from 'node:crypto'
import type Database from 'better-sqlite3'
import type { TableSpec } from '../../../model/copy/column-type.ts'
import type { ReadPoint } from '../../../model/copy/plan.ts'
import type { Range } from '../../../model/copy/range.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { breathe, breathing, throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { addStored, type MistypedRows } from '../../common/as-stored.ts'
import type { OpenPath } from '../../common/open-path.ts'
import { refuseReordered } from '../../common/column-order.ts'
import type {
  BatchSize,
  CountRequest,
  Extent,
  RowBatch,
  RowRequest,
  SourceView,
} from '../../../model/copy/source-port.ts'
import { keyOrder, keyBounds, lastKey, rangeCondition, type SqlCondition } from '../../common/key-ranges.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { cutStoredKeys } from '../../common/sqlite-dialect/cut-keys.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { Spellings } from '../../common/sqlite-dialect/spellings.ts'
import { conditionHint } from '../../common/query-errors.ts'
import { sqliteCopyError } from './errors.ts'
import { KEY_TERMS, SQLITE_SOURCE_KEYS, sqliteCondition } from './key-dialect.ts'
import { keyListParts } from '../../common/key-parts.ts'
import { regrouped } from '../../common/regrouped.ts'
import { RespelledTimes } from './respelled-times.ts'
import { slices, type ReadMode, type Open, type ScanColumn, type SqliteScan, type Slice } from './rows.ts'
import { sqliteShape, type SqliteShape } from './shape.ts'
import { wideRowsOf } from '../reader.ts'

const COUNT_STEP = 50_000

type Ask = (sql: string, parameters: SqlRow) => readonly SqlRow[]

export class SqliteView implements SourceView {
  readonly point: ReadPoint
  readonly #connection: Database.Database
  readonly #label: string
  readonly #path: OpenPath | null
  readonly #open: Open = new Set()
  readonly #readModes = new Map<string, ReadMode>()
  readonly #shapes = new Map<string, SqliteShape>()
  readonly #spellings = new Spellings(this)
  /** By table and names of columns. */
  readonly #respelled = new Map<string, RespelledTimes>()

  /**
   * @param connection used by nothing else, and closed with the view; it may be in a transaction already
   * @param path of a file whose rows are refused if another file has its path at the end of a read
   */
  constructor(connection: Database.Database, label: string, path: OpenPath | null = null) {
    this.#connection = connection
    this.#label = label
    this.#path = path
    this.#guard(null, () => {
      // If a snapshot was already taken, the view shows that one.
      if (!connection.inTransaction) connection.exec('BEGIN')
      // The first read takes the snapshot.
      connection.prepare('SELECT count(*) FROM sqlite_schema').get()
    })
    this.point = { view: randomUUID(), at: new Date().toISOString() }
  }

  async extent(table: TableSpec, where: string | null, exact: boolean): Promise<Extent> {
    const span =
      table.key.length === 1
        ? await keyBounds(table, { by: 'key', after: null, through: null }, where, SQLITE_SOURCE_KEYS, this.#ask(where))
        : null
    const { rowid } = this.#shape(table)
    const order = rowid === null ? table.key.map(quote) : [rowid]
    const rows = exact
      ? await countRows(table, order, where, (sql, parameters) => this.#guard(where, () => this.#all(sql, parameters)))
      : table.rows
    return { rows, exact, low: span?.low ?? null, high: span?.high ?? null, nullKeys: this.#hasNullKeys(table, where) }
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
        ? cutStoredKeys(table, within, where, rows, SQLITE_SOURCE_KEYS, this.#ask(where))
        : within.by === 'block'
          ? this.#cutBlocks(table, within, where, rows)
          : [within]
    yield* breathing(ranges, signal)
  }

  async *read(request: RowRequest, size: BatchSize, signal: AbortSignal): AsyncGenerator<RowBatch> {
    yield* regrouped(this.#slices(request, signal), size)
    this.#path?.check()
  }

  async digest(request: RowRequest, signal: AbortSignal): Promise<Digest> {
    const sum = new RowChecksum()
    const odd = new WeakSet<Row>()
    for await (const { rows } of this.#slices(request, signal, odd)) {
      for (const row of rows) addStored(sum, row, odd)
    }
    // If the view is closed meanwhile, the iteration ends as usual, and the checksum would lack rows.
    if (!this.#connection.open) throw new Error('the snapshot was closed while its checksum was computed')
    this.#path?.check()
    return sum.digest()
  }

  async counts({ table, ranges, where }: CountRequest, signal: AbortSignal): Promise<readonly bigint[]> {
    const counts: bigint[] = []
    for (const range of ranges) {
      throwIfAborted(signal)
      if (range.by === 'all') counts.push((await this.extent(table, where, true)).rows)
      else {
        const { sql, parameters } = this.#condition(table, range, where)
        const rows = this.#guard(where, () =>
          this.#all(`SELECT count(*) FROM ${quote(table.table.name)} WHERE ${sql}`, parameters),
        )
        counts.push(BigInt(String(rows[0]?.[0] ?? 0)))
      }
      await breathe()
    }
    return counts
  }

  async last(
    table: TableSpec,
    range: Range,
    where: string | null,
    signal: AbortSignal,
  ): Promise<readonly string[] | null> {
    throwIfAborted(signal)
    return lastKey(table, range, where, SQLITE_SOURCE_KEYS, this.#ask(where))
  }

  /** Ends the iterations that are still running, and closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const rows of this.#open) rows.return?.()
    this.#connection.close()
  }

  async *#slices(
    request: RowRequest,
    signal: AbortSignal,
    odd: MistypedRows = new WeakSet<Row>(),
  ): AsyncGenerator<Slice> {
    const { table, columns, where, onRefused, asStored, instead } = request
    let care = this.#readModes.get(table.table.name)
    if (care === undefined) this.#readModes.set(table.table.name, (care = { wide: false, bytes: false }))
    const wanted = await this.#spellings.found(table, request.range, signal)
    for (const range of keyListParts(wanted, table.key.length, KEY_TERMS)) {
      const scan: SqliteScan = {
        table,
        columns: this.#scanned(table, columns),
        condition: this.#condition(table, range, where),
        order: this.#order(request),
        ...(onRefused === undefined ? {} : { onRefused }),
        ...(asStored === undefined ? {} : { odd }),
        ...(instead === undefined ? {} : { instead }),
      }
      const rows = slices(this.#connection, scan, care, this.#open)
      try {
        for (;;) {
          throwIfAborted(signal)
          const next = this.#guard(where, () => rows.next())
          if (next.done === true) break
          yield next.value
          await breathe()
        }
      } finally {
        rows.return(undefined)
      }
    }
  }

  /** Adds to each column whether another spelling of its times would lose something. */
  #scanned({ table: { name } }: TableSpec, columns: readonly ScanColumn[]): readonly ScanColumn[] {
    if (!columns.some(({ spelled }) => spelled === true)) return columns
    const wanted = JSON.stringify([name, ...columns.map((one) => one.name)])
    const times = this.#respelled.get(wanted) ?? new RespelledTimes(this.#connection, name, columns)
    this.#respelled.set(wanted, times)
    return columns.map((one) => (one.spelled === true ? { ...one, loses: () => times.lose(one.name) } : one))
  }

  /**
   * Order of the rows, the same for a repeated statement. It is the order of the key if the request needs it, if the
   * range is a key range, or if the table has no rowid. Otherwise it is the order of the rowid.
   */
  #order({ table, range, ordered }: RowRequest): string {
    const { rowid } = this.#shape(table)
    if (ordered || range.by === 'key' || rowid === null) return keyOrder(table, SQLITE_SOURCE_KEYS)
    return rowid
  }

  #condition(table: TableSpec, range: Range, where: string | null): SqlCondition {
    return sqliteCondition(table, range, where, range.by === 'block' ? this.#shape(table).rowid : null)
  }

  async *#cutBlocks(
    table: TableSpec,
    within: Range & { readonly by: 'block' },
    where: string | null,
    rows: number,
  ): AsyncGenerator<Range> {
    const { rowid } = this.#shape(table)
    for (let { from } = within; ;) {
      const rest: Range = { by: 'block', from, to: within.to }
      const { sql, parameters } = this.#condition(table, rest, where)
      const [found] = await this.#ask(where)(
        `SELECT CAST(${rowid} AS TEXT) FROM ${quote(table.table.name)} WHERE ${sql} ORDER BY ${rowid} LIMIT 1 OFFSET ${rows}`,
        parameters,
      )
      if (found === undefined) {
        yield rest
        return
      }
      // The first block contains all rows with a rowid below 1.
      const to: bigint = BigInt(String(found[0])) > 0n ? BigInt(String(found[0])) : 1n
      yield { by: 'block', from, to }
      from = to
    }
  }

  #hasNullKeys(table: TableSpec, where: string | null): boolean {
    const nullable = table.columns.some(({ name, nullable: may }) => may && table.key.includes(name))
    if (!nullable) return false
    const { sql, parameters } = rangeCondition(table, { by: 'nullKey' }, where, SQLITE_SOURCE_KEYS)
    const rows = this.#guard(where, () =>
      this.#all(`SELECT 1 FROM ${quote(table.table.name)} WHERE ${sql} LIMIT 1`, parameters),
    )
    return rows.length > 0
  }

  /** @throws SluiceError SOURCE_GONE if columns have swapped names since the copy was planned */
  #shape(spec: TableSpec): SqliteShape {
    const { name } = spec.table
    const known = this.#shapes.get(name)
    if (known !== undefined) return known
    const shape = sqliteShape(this.#connection, name)
    refuseReordered(spec, shape.columns, 'source', this.#label)
    this.#shapes.set(name, shape)
    return shape
  }

  #ask(where: string | null): (sql: string, parameters: SqlRow) => Promise<readonly SqlRow[]> {
    return async (sql, parameters) => this.#guard(where, () => this.#all(sql, parameters))
  }

  #all(sql: string, parameters: SqlRow): readonly SqlRow[] {
    return wideRowsOf(this.#connection, sql, parameters)
  }

  /** @param where condition of the user, to which syntax errors are attributed */
  #guard<T>(where: string | null, body: () => T): T {
    try {
      return body()
    } catch (error) {
      if (error instanceof SluiceError) throw error
      const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
      if (where !== null && (code === 'SQLITE_ERROR' || error instanceof RangeError)) {
        throw new SluiceError('BAD_PREDICATE', `SQLite does not understand the condition: ${String(message)}`, {
          where: this.#label,
          hint: conditionHint('SQLite'),
          cause: error,
        })
      }
      throw sqliteCopyError(error, this.#label, 'source')
    }
  }
}

/**
 * Opens a view. Its connection is closed with the view, or at once if the view cannot begin.
 * @throws SluiceError of the source
 */
export function sqliteView(connection: Database.Database, label: string, path: OpenPath | null = null): SourceView {
  try {
    return new SqliteView(connection, label, path)
  } catch (error) {
    connection.close()
    throw error
  }
}

/**
 * Counts rows in steps: a SQLite statement runs within one call, which for a large table would block all other work.
 * @param order columns that sort the rows, as names in SQL, never NULL; empty if there are none
 */
async function countRows(table: TableSpec, order: readonly string[], where: string | null, ask: Ask): Promise<bigint> {
  const from = `FROM ${quote(table.table.name)}`
  const wanted = where === null ? '' : `(${where}\n)`
  if (order.length === 0)
    return BigInt(String(ask(`SELECT count(*) ${from}${wanted === '' ? '' : ` WHERE ${wanted}`}`, [])[0]?.[0]))
  const list = order.join(', ')
  let after: SqlRow | null = null
  for (let rows = 0n; ; rows += BigInt(COUNT_STEP)) {
    const behind: string = after === null ? '' : `(${list}) > (${order.map(() => '?').join(', ')})`
    const condition = [behind, wanted].filter((part) => part !== '').join(' AND ')
    const body = `${from}${condition === '' ? '' : ` WHERE ${condition}`}`
    const [next] = ask(`SELECT ${list} ${body} ORDER BY ${list} LIMIT 1 OFFSET ${COUNT_STEP - 1}`, after ?? [])
    if (next === undefined) return rows + BigInt(String(ask(`SELECT count(*) ${body}`, after ?? [])[0]?.[0]))
    after = next
    await breathe()
  }
}
