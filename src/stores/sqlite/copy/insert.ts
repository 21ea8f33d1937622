/** Inserts rows with statements for several rows. */
import type Database from 'better-sqlite3'
import type { Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkRequest } from '../../../model/copy/target-port.ts'
import type { SqlValue } from '../../../model/run/sql-port.ts'
import { ofValue } from '../../common/refusals.ts'
import { binderOf, type Binder } from '../../common/sqlite-dialect/bind.ts'
import { insertEnds, type OnConflict } from '../../common/sqlite-dialect/ddl.ts'
import type { SqliteShape } from './shape.ts'
import { affinityOf } from '../../common/sqlite-dialect/types.ts'

/** Maximum number of values of a statement: the fastest in measurements, and far below SQLite's limit. */
const VALUES_A_STATEMENT = 256

const ON_CONFLICT: Readonly<Record<ChunkRequest['onExisting'], OnConflict>> = {
  refuse: 'fail',
  'replace-range': 'fail',
  append: 'skip',
  upsert: 'overwrite',
}

export class Inserter {
  readonly #connection: Database.Database
  readonly #request: ChunkRequest
  readonly #binders: readonly Binder[]
  /** Index of the rowid column, in which SQLite would replace NULL by a number. */
  readonly #alias: number
  readonly #rowsAStatement: number
  readonly #statements = new Map<number, Database.Statement>()
  readonly #values: SqlValue[]

  constructor(connection: Database.Database, request: ChunkRequest, shape: SqliteShape) {
    this.#connection = connection
    this.#request = request
    const { columns } = request
    this.#binders = columns.map(({ as, column }) => binderOf(as, affinityOf(column.native, shape.strict)))
    this.#alias = columns.findIndex(({ name }) => name === shape.alias)
    this.#rowsAStatement = Math.max(1, Math.floor(VALUES_A_STATEMENT / Math.max(1, columns.length)))
    this.#values = new Array<SqlValue>(this.#rowsAStatement * columns.length)
  }

  /** @returns number of rows that were inserted or overwritten @throws SluiceError ROW_REFUSED; the driver's errors */
  insert(rows: readonly Row[], from: number, to: number): number {
    const width = this.#request.columns.length
    const several = this.#rowsAStatement
    let changed = 0
    let at = from
    for (; at + several <= to; at += several) {
      for (let r = 0; r < several; r++) this.#bind(rows[at + r] as Row, r * width)
      changed += this.#statement(several).run(this.#values).changes
    }
    for (; at < to; at++) {
      this.#bind(rows[at] as Row, 0)
      changed += this.#statement(1).run(this.#values.slice(0, width)).changes
    }
    return changed
  }

  #bind(row: Row, at: number): void {
    const binders = this.#binders
    let i = 0
    try {
      for (; i < binders.length; i++) {
        const cell = row[i] as Row[number]
        if (cell !== null) this.#values[at + i] = (binders[i] as Binder)(cell)
        else if (i === this.#alias)
          throw new SluiceError('ROW_REFUSED', 'SQLite would replace NULL by a generated number', {
            hint: 'give the column a value in this row of the source',
          })
        else this.#values[at + i] = null
      }
    } catch (error) {
      throw ofValue(error, this.#request, row, i)
    }
  }

  #statement(rows: number): Database.Statement {
    let statement = this.#statements.get(rows)
    if (statement === undefined) {
      const { table, columns, onExisting } = this.#request
      const { head, tail } = insertEnds(
        table,
        columns.map(({ name }) => name),
        ON_CONFLICT[onExisting],
      )
      const tuple = `(${columns.map(() => '?').join(', ')})`
      statement = this.#connection.prepare(`${head}VALUES ${new Array(rows).fill(tuple).join(', ')}${tail}`)
      this.#statements.set(rows, statement)
    }
    return statement
  }
}
