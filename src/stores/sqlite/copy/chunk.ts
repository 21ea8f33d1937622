/** Writes one chunk, in a write transaction on the only connection that writes. */
import type Database from 'better-sqlite3'
import { tableText } from '../../../model/copy/column-type.ts'
import { keyTextOf } from '../../../model/copy/key-text.ts'
import type { Range } from '../../../model/copy/range.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Digest, Row } from '../../../model/copy/rows.ts'
import { breathe, throwIfAborted } from '../../../shared/abort.ts'
import type { ChunkRequest, ChunkWriter, DigestRequest } from '../../../model/copy/target-port.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { Closing } from '../../../model/run/ledger-port.ts'
import { keyOrder, rangeCondition, type KeyDialect, type SqlCondition } from '../../common/key-ranges.ts'
import { closesChunk, rollBack } from './connection.ts'
import { quote } from '../../common/sqlite-dialect/ddl.ts'
import { sqliteCopyError, sqliteRefusal } from './errors.ts'
import { Inserter } from './insert.ts'
import { KEY_TERMS, SQLITE_SOURCE_KEYS, sqliteTargetKeys } from './key-dialect.ts'
import { keyListParts } from '../../common/key-parts.ts'
import { notAKeyRange } from '../../common/refusals.ts'
import { rangeMeansTheSame, typesOf } from '../../common/same-range.ts'
import { sqliteDigest, keysDigest, ownDigest, type Stored } from './proof.ts'
import { slices, type ReadMode } from './rows.ts'
import type { SqliteShape } from './shape.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'
import type { Turn } from '../../../model/run/turn.ts'

/** Number of rows between two pauses for other work. */
const ROWS_PER_PAUSE = 2000

type SqliteChunkParts = {
  readonly shape: SqliteShape
  /** Stored keys that are equal to requested keys but have other texts: their rows belong to the range, too. */
  readonly others: readonly RowKey[]
  readonly label: string
  /** Called when the transaction has ended. */
  readonly leave: () => void
  /** Lock that is kept until the transaction has ended. */
  readonly turn: Turn
}

export class SqliteChunk implements ChunkWriter {
  /** Empty, because no session has to be ended: the transaction ends with this program. */
  readonly session = ''
  readonly turn: Turn
  readonly #connection: Database.Database
  readonly #request: ChunkRequest
  readonly #label: string
  readonly #leave: () => void
  readonly #inserter: Inserter
  readonly #stored: Stored
  /** Keys of the rows that this chunk wrote; null if the range or the rowid distinguishes these rows from others. */
  readonly #written: Set<string> | null
  readonly #keyAt: readonly number[]
  readonly #byRange: boolean
  readonly #others: readonly SqlCondition[]
  /** True if earlier rows of the range must still be removed. */
  #toClear: boolean
  #wrote = false
  #over = false

  /** @param connection with a write transaction that has just begun */
  constructor(
    connection: Database.Database,
    request: ChunkRequest,
    { shape, others, label, leave, turn }: SqliteChunkParts,
  ) {
    this.turn = turn
    this.#connection = connection
    this.#request = request
    this.#label = label
    this.#leave = leave
    this.#inserter = new Inserter(connection, request, shape)
    this.#others = this.#conditions({ by: 'keys', keys: others }, SQLITE_SOURCE_KEYS)
    // Decimals in columns without REAL affinity are stored as text, which sorts differently from numbers.
    const byRange = rangeMeansTheSame(
      request,
      (kind, { native }) => kind !== 'decimal' || affinityOf(native) === 'real',
    )
    this.#keyAt = request.table.key.map((name) => request.columns.findIndex((column) => column.name === name))
    this.#stored = byRange ? this.#range() : this.#newRows(shape)
    this.#byRange = byRange
    this.#written = byRange || shape.rowid !== null ? null : new Set()
    this.#toClear = request.onExisting === 'replace-range'
    if (this.#toClear && !byRange) throw notAKeyRange('SQLite', tableText(request.table.table))
  }

  /**
   * See `ChunkWriter.seesRange`. If it is false, `occupied` finds no rows, and the unique key refuses a row that exists
   * already.
   */
  get seesRange(): boolean {
    return this.#byRange
  }

  async hasRows(): Promise<boolean> {
    return this.#guard(() => {
      if (!this.#byRange) return false
      this.#clearRange()
      return this.#stored.conditions.some(({ sql, parameters }) => {
        const rows = this.#connection.prepare(`SELECT 1 FROM ${this.#table} WHERE ${sql} LIMIT 1`)
        return rows.get(...parameters) !== undefined
      })
    })
  }

  async write(rows: readonly Row[]): Promise<number> {
    const { careful, onExisting, signal } = this.#request
    this.#begun()
    this.#guard(() => this.#clearRange())
    this.#wrote = true
    if (careful) this.#guard(() => this.#connection.exec('SAVEPOINT sluice_write'))
    let written = 0
    try {
      // A stored row whose key is equal but has another text does not conflict with the new row, so it is deleted
      // first.
      if (onExisting === 'upsert') this.#deleteRows(this.#others)
      for (let at = 0; at < rows.length; at += ROWS_PER_PAUSE) {
        throwIfAborted(signal)
        written += this.#inserter.insert(rows, at, Math.min(rows.length, at + ROWS_PER_PAUSE))
        if (at + ROWS_PER_PAUSE < rows.length) await breathe()
      }
      if (careful) this.#connection.exec('RELEASE sluice_write')
      if (this.#written !== null) for (const row of rows) this.#written.add(keyTextOf(row, this.#keyAt))
      return written
    } catch (error) {
      // A trigger or a full disk may have ended the transaction already.
      if (careful && this.#connection.inTransaction)
        this.#connection.exec('ROLLBACK TO sluice_write; RELEASE sluice_write')
      else this.#end()
      throw this.#refusal(error)
    }
  }

  async digest({ scheme, only, columns }: DigestRequest): Promise<Digest> {
    const { signal } = this.#request
    if (scheme === 'echo') throw new Error('SQLite prints no frames')
    this.#begun()
    this.#guard(() => this.#clearRange())
    try {
      const keys = only ?? this.#written
      const stored = columns === undefined ? this.#stored : { ...this.#stored, columns }
      if (keys !== null) return await keysDigest(this.#connection, stored, keys, scheme === 'count', signal)
      if (scheme === 'canonical') {
        const isOurs = columns === undefined && this.#onlyOurs()
        return await (isOurs ? ownDigest : sqliteDigest)(this.#connection, stored, signal)
      }
      const rows = this.#stored.conditions.reduce((sum, { sql, parameters }) => {
        const count = this.#connection.prepare(`SELECT count(*) FROM ${this.#table} WHERE ${sql}`).pluck()
        return sum + (count.safeIntegers(true).get(...parameters) as bigint)
      }, 0n)
      return { rows, sum: '' }
    } catch (error) {
      throw sqliteCopyError(error, this.#label, 'target')
    }
  }

  async stored(columns: readonly WriteColumn[]): Promise<readonly Row[]> {
    this.#begun()
    const { table, conditions, order } = this.#stored
    const care: ReadMode = { wide: false, bytes: false }
    return this.#guard(() =>
      conditions.flatMap((condition) => {
        const scan = { table, columns, condition, order, odd: new WeakSet<Row>() }
        return [...slices(this.#connection, scan, care, new Set())].flatMap(({ rows }) => rows)
      }),
    )
  }

  async commit({ statements }: Closing): Promise<'committed' | 'fenced'> {
    this.#begun()
    return this.#guard(() => {
      this.#clearRange()
      if (!closesChunk(this.#connection, statements)) {
        this.#end()
        return 'fenced'
      }
      this.#connection.exec('COMMIT')
      this.#end()
      return 'committed'
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#guard(() => this.#end())
  }

  /** Refuses calls after the end of the transaction: a statement would commit by itself. */
  #begun(): void {
    if (this.#over) throw new Error('the transaction of the chunk has ended')
  }

  get #table(): string {
    return quote(this.#request.table.table.name)
  }

  /** True if all rows of the range were written by this program, and so are stored in canonical form. */
  #onlyOurs(): boolean {
    const { onExisting } = this.#request
    return this.#wrote && (onExisting === 'refuse' || onExisting === 'replace-range')
  }

  /** Rolls back if the transaction was not committed, and lets the next chunk begin. */
  #end(): void {
    if (this.#over) return
    this.#over = true
    try {
      rollBack(this.#connection)
    } finally {
      this.#leave()
    }
  }

  #clearRange(): void {
    if (!this.#toClear) return
    this.#toClear = false
    this.#deleteRows(this.#stored.conditions)
  }

  #deleteRows(conditions: readonly SqlCondition[]): void {
    for (const { sql, parameters } of conditions)
      this.#connection.prepare(`DELETE FROM ${this.#table} WHERE ${sql}`).run(...parameters)
  }

  #range(): Stored {
    const { table, columns, range } = this.#request
    const keys = sqliteTargetKeys(typesOf(this.#request))
    return {
      table,
      columns,
      conditions: [...this.#conditions(range, keys), ...this.#others],
      order: keyOrder(table, keys),
    }
  }

  #conditions(range: Range, keys: KeyDialect): readonly SqlCondition[] {
    const { table } = this.#request
    return keyListParts(range, table.key.length, KEY_TERMS).map((part) => rangeCondition(table, part, null, keys))
  }

  /**
   * Rows of the chunk if its bounds cannot be used. New rows get rowids above all existing ones, so these are the rows
   * with such rowids. In a table without rowid these are all rows; `#written` then distinguishes the rows of the chunk.
   */
  #newRows({ rowid }: SqliteShape): Stored {
    const { table, columns } = this.#request
    if (rowid === null) return { table, columns, conditions: [{ sql: '1 = 1', parameters: [] }], order: '' }
    const most = this.#connection
      .prepare(`SELECT ifnull(max(${rowid}), 0) FROM ${quote(table.table.name)}`)
      .pluck()
      .safeIntegers(true)
      .get() as bigint
    return { table, columns, conditions: [{ sql: `${rowid} > ?`, parameters: [most] }], order: rowid }
  }

  #refusal(error: unknown): unknown {
    return sqliteRefusal(error, this.#label, tableText(this.#request.table.table))
  }

  #guard<T>(body: () => T): T {
    try {
      return body()
    } catch (error) {
      this.#end()
      throw sqliteCopyError(error, this.#label, 'target')
    }
  }
}
