/** Writes changed rows of one table by prepared statements. */
import type Database from 'better-sqlite3'
import type { Cell, Row } from '../../../../model/copy/rows.ts'
import { breathe, throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { applyIndexes } from '../../../common/apply/indexes.ts'
import { putColumns, type PartialPut, type SortedBatch, type WrittenColumn } from '../../../common/apply/puts.ts'
import { refuseReorderedTarget } from '../../../common/column-order.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import type { SqlRow, SqlValue } from '../../../../model/run/sql-port.ts'
import { ofValue } from '../../../common/refusals.ts'
import { binderOf, type Binder } from '../../../common/sqlite-dialect/bind.ts'
import { insertEnds, quote } from '../../../common/sqlite-dialect/ddl.ts'
import { objectQueries, objectsIn } from '../../../common/sqlite-dialect/object-list.ts'
import { affinityOf } from '../../../common/sqlite-dialect/types.ts'
import type { WriteColumn } from '../../../../model/copy/write-column.ts'
import { sqliteShape } from '../../copy/shape.ts'
import { rowsOf } from '../../reader.ts'

/** Number of values of a statement, as for the copy's own writer. */
const VALUES_A_STATEMENT = 256
/** Number of rows between two pauses for other work. */
const ROWS_PER_PAUSE = 2000

export class SqliteChangedRows {
  readonly #connection: Database.Database
  readonly #request: ChangeTable
  readonly #written: readonly WrittenColumn[]
  readonly #columns: readonly WriteColumn[]
  readonly #binders: readonly Binder[]
  /** For each column of the row key, in key order: its index in the written columns. */
  readonly #key: readonly number[]
  /**
   * True: rows are overwritten in place, because a unique index has the row key and no other unique index can refuse a
   * row. False: rows are deleted, then inserted.
   */
  readonly #isOver: boolean
  readonly #alias: number
  readonly #rowsAStatement: number
  readonly #statements = new Map<string, Database.Statement>()

  /** @param label of the database @throws SluiceError TABLE_REFUSED if columns have swapped names */
  constructor(connection: Database.Database, request: ChangeTable, label: string) {
    this.#connection = connection
    this.#request = request
    const { name } = request.table.table
    const shape = sqliteShape(connection, name)
    refuseReorderedTarget(request.table, shape.columns, label)
    this.#written = putColumns(request)
    this.#columns = this.#written.map(({ at }) => request.columns[at] as WriteColumn)
    this.#binders = this.#columns.map(({ as, column }) => binderOf(as, affinityOf(column.native, shape.strict)))
    this.#key = request.identity.map((one) => this.#written.findIndex((column) => column.name === one))
    this.#alias = this.#columns.findIndex((column) => column.name === shape.alias)
    this.#rowsAStatement = Math.max(1, Math.floor(VALUES_A_STATEMENT / Math.max(1, this.#columns.length)))
    const answers = objectQueries(request.table).map(({ sql, parameters }) => rowsOf(connection, sql, parameters))
    const { isUnique, secondary } = applyIndexes(objectsIn(request.table, answers), request.identity)
    this.#isOver = isUnique && secondary.length === 0
  }

  /** @returns partial rows that have no existing row in the target, so that their unchanged values are unknown */
  async apply({ gone, whole, partial }: SortedBatch, signal: AbortSignal): Promise<readonly PartialPut[]> {
    const rows: SqlRow[] = []
    const lacking: PartialPut[] = []
    const each = async <T>(all: readonly T[], body: (one: T) => void): Promise<void> => {
      for (const [i, one] of all.entries()) {
        body(one)
        if (i % ROWS_PER_PAUSE !== ROWS_PER_PAUSE - 1) continue
        throwIfAborted(signal)
        await breathe()
      }
    }
    // First read the existing rows, which have the unchanged values: the deletes below may remove them.
    await each(partial, (one) => {
      const filled = this.#filled(one)
      if (filled === null) lacking.push(one)
      else rows.push(filled)
    })
    await each(whole, (cells) => rows.push(this.#bound(cells)))
    const remove = this.#statement('remove', () => `DELETE FROM ${this.#table} WHERE ${this.#same}`)
    await each(gone, (key) => remove.run(this.#boundKey(key)))
    if (!this.#isOver) await each(rows, (row) => remove.run(this.#key.map((place) => row[place] as SqlValue)))
    const size = this.#rowsAStatement
    const stretches = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
      rows.slice(i * size, (i + 1) * size),
    )
    await each(stretches, (some) => this.#put(some))
    return lacking
  }

  clear(): void {
    this.#connection.exec(`DELETE FROM ${this.#table}`)
  }

  get #table(): string {
    return quote(this.#request.table.table.name)
  }

  get #same(): string {
    return this.#request.identity.map((name) => `${quote(name)} = ?`).join(' AND ')
  }

  #put(rows: readonly SqlRow[]): void {
    if (rows.length === this.#rowsAStatement) this.#insert(rows.length).run(rows.flat())
    else for (const row of rows) this.#insert(1).run(row)
  }

  #insert(rows: number): Database.Statement {
    return this.#statement(`put ${rows}`, () => {
      const names = this.#columns.map(({ name }) => name)
      const { table, identity } = this.#request
      const { head, tail } = insertEnds({ ...table, key: identity }, names, this.#isOver ? 'overwrite' : 'fail')
      const tuple = `(${names.map(() => '?').join(', ')})`
      return `${head}VALUES ${new Array(rows).fill(tuple).join(', ')}${tail}`
    })
  }

  /** The complete row, with the unchanged values of the existing row; null if the target has no such row. */
  #filled({ put, base }: PartialPut): SqlRow | null {
    const found = this.#statement('base', () => {
      const names = this.#columns.map(({ name }) => quote(name))
      return `SELECT ${names.join(', ')} FROM ${this.#table} WHERE ${this.#same}`
    })
    const there = found.raw(true).safeIntegers(true).get(this.#boundKey(base)) as SqlRow | undefined
    if (there === undefined) return null
    return this.#written.map(({ at, inIdentity, name }, place) => {
      const reported = put.row[at]
      const cell = reported === undefined && inIdentity ? put.key[this.#request.identity.indexOf(name)] : reported
      return cell === undefined ? (there[place] as SqlValue) : this.#value(cell, place, put.key)
    })
  }

  #bound(cells: Row): SqlRow {
    return cells.map((cell, place) => this.#value(cell, place, cells))
  }

  #boundKey(key: Row): SqlRow {
    return key.map((cell, i) => this.#value(cell, this.#key[i] as number, key))
  }

  #value(cell: Cell, place: number, row: Row): SqlValue {
    try {
      if (cell !== null) return (this.#binders[place] as Binder)(cell)
      if (place !== this.#alias) return null
      throw new SluiceError('ROW_REFUSED', 'SQLite would replace NULL by a generated number', {
        hint: 'give the column a value in this row of the source',
      })
    } catch (error) {
      throw ofValue(error, { table: this.#request.table, columns: this.#columns }, row, place)
    }
  }

  #statement(kind: string, sql: () => string): Database.Statement {
    let statement = this.#statements.get(kind)
    if (statement === undefined) this.#statements.set(kind, (statement = this.#connection.prepare(sql())))
    return statement
  }
}
