/** The transaction of a chunk, on a session that no other chunk uses meanwhile. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { Cell, Digest, Row } from '../../../model/copy/rows.ts'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkRequest, ChunkWriter, DigestRequest } from '../../../model/copy/target-port.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { Closing } from '../../../model/run/ledger-port.ts'
import type { RowRequest } from '../../../model/copy/source-port.ts'
import { refuseReordered } from '../../common/column-order.ts'
import { needKeyLookup, digestOfKeys, rowKeysOf } from '../../common/key-digest.ts'
import type { Pool } from '../../common/pool.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'
import type { MysqlConfig } from '../config.ts'
import { refuseCascadingDelete } from '../cascades.ts'
import type { MysqlSession } from '../session.ts'
import { isMysqlTransient } from '../transaction.ts'
import { closeMysqlChunk, type MysqlChunkEnd } from './commit.ts'
import { mysqlCanonicalDigest, countDigest } from './digest.ts'
import { mysqlEncoder } from './encode.ts'
import { mysqlTargetError } from './errors.ts'
import { addRows, appendRows, upsertRows, type InsertInto } from './insert.ts'
import { mysqlTableSql } from './names.ts'
import { mysqlRangeCondition } from './ranges.ts'
import { readMysqlRows } from './read.ts'
import { keyIndex, type MysqlTableShape } from './shape.ts'
import { columnsInOrder } from './same-table.ts'
import { isPrintedDay, ALLOW_INVALID_DATES, RESTORE_SQL_MODE } from './printed-days.ts'
import { takeUserLock } from '../user-lock.ts'

export type WriterContext = {
  readonly config: MysqlConfig
  readonly pool: Pool<MysqlSession>
  readonly request: ChunkRequest
  readonly shape: MysqlTableShape
}

/** A way to copy that removes no rows. */
const UPSERT = 'copy with --on-existing upsert'
const STORED = { rows: 1_000, bytes: 8 * 2 ** 20 }

/** @throws SluiceError TARGET_BUSY, TARGET_DENIED, … */
export async function openMysqlWriter(writing: WriterContext, session: MysqlSession): Promise<ChunkWriter> {
  const writer = new Writer(writing, session)
  try {
    await writer.begin()
    return writer
  } catch (error) {
    await writer[Symbol.asyncDispose]()
    throw error
  }
}

class Writer implements ChunkWriter {
  readonly #writing: WriterContext
  readonly #session: MysqlSession
  readonly #into: InsertInto
  readonly #encoders: readonly ((cell: Cell) => SqlValue)[]
  readonly #stop = (): void => this.#session.destroy()
  /** User lock of this session, held until its end: other sessions find the session by it. */
  #mark: string | null = null
  /** Error after which nothing can be written or committed any more; null if there is none. */
  #fatalError: unknown = null
  #done = false
  /** True if earlier rows of the range still have to be removed. */
  #toEmpty: boolean

  constructor(writing: WriterContext, session: MysqlSession) {
    const { table, columns, signal } = writing.request
    this.#writing = writing
    this.#session = session
    this.#toEmpty = writing.request.onExisting === 'replace-range'
    const where = `${writing.config.label}: ${tableText(table.table)}`
    this.#into = { table: mysqlTableSql(table.table), name: table.table.name, columns, key: table.key, where }
    this.#encoders = columns.map((column) => mysqlEncoder(column, session.facts.flavour, where))
    signal.addEventListener('abort', this.#stop)
  }

  get #hasPrintedDays(): boolean {
    return this.#writing.request.columns.some(isPrintedDay)
  }

  get session(): string {
    return this.#mark ?? ''
  }

  async begin(): Promise<void> {
    await this.#try(async () => {
      this.#mark = await takeUserLock(this.#session)
      if (this.#hasPrintedDays) await this.#session.command(ALLOW_INVALID_DATES)
      const { table } = this.#writing.request
      // Reading the table locks its columns until the transaction ends.
      await this.#session.rows(`SELECT 1 FROM ${this.#into.table} LIMIT 0`)
      const [now = []] = await columnsInOrder(this.#session, [table.table])
      refuseReordered(table, now, 'target', this.#writing.config.label)
    })
  }

  get seesRange(): boolean {
    return this.#writing.request.sortsAlike !== false && this.#writing.request.range.by !== 'block'
  }

  async hasRows(): Promise<boolean> {
    await this.#empty()
    const { sql, parameters } = this.#condition()
    const rows = await this.#try(() =>
      this.#session.rows(`SELECT 1 FROM ${this.#into.table} WHERE ${sql} LIMIT 1`, parameters),
    )
    return rows.length > 0
  }

  async write(rows: readonly Row[]): Promise<number> {
    await this.#empty()
    if (rows.length === 0) return 0
    const { careful } = this.#writing.request
    const encoded = rows.map((row) => this.#encode(row))
    try {
      return await this.#try(async () => {
        if (careful) await this.#session.command('SAVEPOINT batch')
        return await this.#put(encoded)
      })
    } catch (error) {
      // Rows that the statement wrote before it was refused may remain.
      if (!careful) this.#fatalError ??= error
      else if (this.#fatalError === null) await this.#try(() => this.#session.command('ROLLBACK TO SAVEPOINT batch'))
      throw error
    }
  }

  async digest({ scheme, only, columns: other }: DigestRequest): Promise<Digest> {
    if (scheme === 'echo') throw new Error('MySQL prints no frames')
    await this.#empty()
    const { table, range, signal } = this.#writing.request
    const columns = other ?? this.#writing.request.columns
    const request: RowRequest = { table, columns, range, where: null, ordered: false }
    if (only !== undefined && needKeyLookup(this.#writing.request)) {
      return await digestOfKeys(rowKeysOf(only, this.#writing.request), (some) =>
        this.#try(() => mysqlCanonicalDigest(this.#session, { ...request, range: some }, null, signal)),
      )
    }
    return await this.#try(() =>
      scheme === 'count' && only === undefined
        ? countDigest(this.#session, request)
        : mysqlCanonicalDigest(this.#session, request, only ?? null, signal),
    )
  }

  async stored(columns: readonly WriteColumn[]): Promise<readonly Row[]> {
    const { table, range, signal } = this.#writing.request
    const { sql, parameters } = this.#condition()
    return await this.#try(async () => {
      // This statement waits for locks of other sessions; only a later statement sees what they have committed.
      await this.#session.rows(`SELECT COUNT(*) FROM ${this.#into.table} WHERE ${sql} FOR UPDATE`, parameters)
      const request: RowRequest = { table, columns, range, where: null, ordered: false, asStored: true }
      const rows: Row[] = []
      for await (const batch of readMysqlRows(this.#session, request, STORED, signal)) rows.push(...batch.rows)
      return rows
    })
  }

  async commit(closing: Closing): Promise<MysqlChunkEnd> {
    await this.#empty()
    const outcome = await this.#try(() => closeMysqlChunk(this.#writing.config, this.#session, this.#mark, closing))
    this.#done = true
    return outcome
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const session = this.#session
    this.#writing.request.signal.removeEventListener('abort', this.#stop)
    if (session.isStreaming) session.destroy()
    if (!this.#done) await session.rollBack()
    if (session.broken === null && this.#hasPrintedDays)
      await session.command(RESTORE_SQL_MODE).catch(() => session.destroy())
    if (session.broken === null && this.#mark !== null) {
      await session.rows('SELECT RELEASE_LOCK(?)', [this.#mark]).catch(() => session.destroy())
      if (session.broken === null) await session.command('COMMIT').catch(() => session.destroy())
    }
    await this.#writing.pool.give(session)
  }

  async #put(rows: readonly SqlRow[]): Promise<number> {
    const { request, shape } = this.#writing
    if (request.onExisting === 'upsert') {
      keyIndex(request, shape)
      return await upsertRows(this.#session, this.#into, rows)
    }
    if (request.onExisting === 'append' && request.table.key.length > 0) {
      return await appendRows(this.#session, this.#into, rows, keyIndex(request, shape))
    }
    return await addRows(this.#session, this.#into, rows)
  }

  async #empty(): Promise<void> {
    if (!this.#toEmpty) return
    this.#toEmpty = false
    const { sql, parameters } = this.#condition()
    const rows = `FROM ${this.#into.table} WHERE ${sql}`
    await this.#try(async () => {
      // Locks the table: no foreign key can be added to it after the check.
      await this.#session.rows(`SELECT 1 ${rows} LIMIT 1 FOR UPDATE`, parameters)
      const { table } = this.#writing.request.table
      const remedy = `${UPSERT}, or drop these foreign keys first`
      await refuseCascadingDelete(this.#session, { table, refused: 'all', remedy, without: UPSERT })
    })
    try {
      await this.#try(() => this.#session.execute(`DELETE ${rows}`, parameters))
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'ROW_REFUSED') throw error
      throw new SluiceError('TABLE_REFUSED', `existing rows cannot be deleted: ${error.message}`, {
        where: this.#into.where,
        hint: `${UPSERT}, or drop the foreign keys that refer to the table first`,
        cause: error,
      })
    }
  }

  #encode(row: Row): SqlRow {
    const values = new Array<SqlValue>(this.#encoders.length)
    for (let i = 0; i < this.#encoders.length; i++) values[i] = this.#encoders[i]?.(row[i] ?? null) ?? null
    return values
  }

  #condition() {
    const { table, range } = this.#writing.request
    return mysqlRangeCondition(table, range, null)
  }

  /** A deadlock rolls the transaction back: a later statement would begin a new one without the earlier changes. */
  async #try<T>(body: () => Promise<T>): Promise<T> {
    const { signal } = this.#writing.request
    throwIfAborted(signal)
    if (this.#fatalError !== null) throw this.#fatalError
    try {
      return await body()
    } catch (thrown) {
      throwIfAborted(signal)
      const error = mysqlTargetError(thrown, this.#into.where)
      if (isMysqlTransient(thrown) || this.#session.broken !== null) this.#fatalError ??= error
      throw error
    }
  }
}
