/**
 * Applies rows whose unchanged values the source left out. A temporary table receives the values of the stream; the
 * server adds the missing values from the rows of the target. The table is created before the first transaction,
 * because a server with a binary log may refuse that in a transaction. It is emptied by DELETE: TRUNCATE commits.
 */
import { randomBytes } from 'node:crypto'
import type { Cell } from '../../../../model/copy/rows.ts'
import type { WriteColumn } from '../../../../model/copy/write-column.ts'
import { putCell, type PartialPut, type WrittenColumn } from '../../../common/apply/puts.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import type { SqlRow, SqlValue } from '../../../../model/run/sql-port.ts'
import { tableEnd } from '../../charset.ts'
import { isCollated, plainMembers } from '../../copy/ddl.ts'
import { addRows, refuseWarnings, type InsertInto } from '../../copy/insert.ts'
import { isNull, quoted, mysqlTableSql } from '../../copy/names.ts'
import type { MysqlSession } from '../../session.ts'
import { forceIndex } from './by-row-key.ts'
import type { ApplyShape, MysqlShapeColumn } from './shape.ts'
import { groupBy } from '../../../../shared/group-by.ts'

export type MysqlCellEncoder = (cell: Cell) => SqlValue

export class MysqlStage {
  readonly #session: MysqlSession
  readonly #request: ChangeTable
  readonly #written: readonly WrittenColumn[]
  readonly #encoders: readonly MysqlCellEncoder[]
  readonly #name = `sluice_changes_${randomBytes(6).toString('hex')}`
  readonly #into: InsertInto
  /** Number of the first row that is inserted; rows with smaller numbers are updated in place. */
  #filledFrom = 0

  /** @param encoders of the written columns @param where for messages */
  constructor(
    session: MysqlSession,
    request: ChangeTable,
    written: readonly WrittenColumn[],
    encoders: readonly MysqlCellEncoder[],
    where: string,
  ) {
    this.#session = session
    this.#request = request
    this.#written = written
    this.#encoders = encoders
    const columns = written.map(({ at }) => request.columns[at])
    const bases = request.identity.map((_, i) => named(columns[this.#placeOf(i)], `b${i}`))
    const cells = written.map(({ at }, place) => named(columns[place], `c${at}`))
    this.#into = {
      table: quoted(this.#name),
      name: this.#name,
      columns: [NUMBER, ...bases, ...cells],
      key: ['n'],
      where,
    }
  }

  /** Creates the temporary table. Call it outside of a transaction. */
  async make({ columns }: ApplyShape): Promise<void> {
    const declared = (name: string, column: MysqlShapeColumn): string => {
      const collation = column.collation !== null && isCollated(column.native) ? ` COLLATE ${column.collation}` : ''
      return `${quoted(name)} ${plainMembers(column.native)}${collation} NULL`
    }
    const shaped = this.#written.map(({ at }) => columns[at] as MysqlShapeColumn)
    const lines = [
      ...this.#request.identity.map((_, i) => declared(`b${i}`, shaped[this.#placeOf(i)] as MysqlShapeColumn)),
      ...this.#written.map(({ at }, place) => declared(`c${at}`, shaped[place] as MysqlShapeColumn)),
    ]
    await this.#session.command(
      `CREATE TEMPORARY TABLE ${quoted(this.#name)} (n INT NOT NULL PRIMARY KEY, ${lines.join(', ')})${tableEnd(this.#session.facts.binaryCollation)}`,
    )
  }

  /**
   * Updates the rows of `stays` in place. Adds to the rows of `fills` their unchanged values from the target; `insert`
   * writes these rows.
   * @returns partial rows without an existing row in the target
   */
  async take(
    shape: ApplyShape,
    stays: readonly PartialPut[],
    fills: readonly PartialPut[],
  ): Promise<ReadonlySet<PartialPut>> {
    // One statement for all rows that leave out the same columns.
    const alike = (puts: readonly PartialPut[]) => [...groupBy(puts, ({ mask }) => mask).values()]
    const [left, right] = [alike(stays), alike(fills)]
    const puts = [...left.flat(), ...right.flat()]
    this.#filledFrom = stays.length
    await addRows(
      this.#session,
      this.#into,
      puts.map((put, n) => this.#row(put, n)),
    )
    const lacking = new Set<PartialPut>()
    let first = 0
    for (const group of [...left, ...right]) {
      const isStaying = first < stays.length
      const last = first + group.length - 1
      if ((await this.#bring(shape, group, first, last, isStaying)) < group.length) {
        for (const n of await this.#missing(shape, first, last)) {
          lacking.add(puts[n] as PartialPut)
          if (!isStaying) await this.#session.execute(`DELETE FROM ${quoted(this.#name)} WHERE n = ?`, [n])
        }
      }
      first = last + 1
    }
    return lacking
  }

  /** Writes the completed rows. Rows with the same keys must have been deleted. @returns number of rows */
  async insert(): Promise<number> {
    const names = this.#written.map(({ name }) => quoted(name)).join(', ')
    const cells = this.#written.map(({ at }) => quoted(`c${at}`)).join(', ')
    const { changed, warnings } = await this.#session.execute(
      `INSERT INTO ${mysqlTableSql(this.#request.table.table)} (${names}) SELECT ${cells} FROM ${quoted(this.#name)} WHERE n >= ?`,
      [this.#filledFrom],
    )
    if (warnings > 0) await refuseWarnings(this.#session, this.#into, changed)
    return changed
  }

  async clear(): Promise<void> {
    await this.#session.execute(`DELETE FROM ${quoted(this.#name)}`)
  }

  /** Sets the values of rows. @returns number of rows that exist in the target; -1 if no value had to be set */
  async #bring(
    shape: ApplyShape,
    [one]: readonly PartialPut[],
    first: number,
    last: number,
    isStaying: boolean,
  ): Promise<number> {
    const sets = this.#written.flatMap(({ at, name, inIdentity }) => {
      const [theirs, ours] = [`t.${quoted(name)}`, `s.${quoted(`c${at}`)}`]
      const isUnchanged = one?.mask[at] === '1'
      if (!isStaying) return isUnchanged ? [`${ours} = ${theirs}`] : []
      return isUnchanged || inIdentity ? [] : [`${theirs} = ${ours}`]
    })
    // Nothing to set, but the caller must still find out whether the rows exist.
    if (sets.length === 0) return -1
    const { changed, warnings } = await this.#session.execute(
      `UPDATE ${this.#joined('STRAIGHT_JOIN', shape)} SET ${sets.join(', ')} WHERE s.n BETWEEN ? AND ?`,
      [first, last],
    )
    if (warnings > 0) await refuseWarnings(this.#session, this.#into, changed)
    return changed
  }

  async #missing(shape: ApplyShape, first: number, last: number): Promise<readonly number[]> {
    const [name = ''] = this.#request.identity
    const rows = await this.#session.rows(
      `SELECT s.n FROM ${this.#joined('LEFT JOIN', shape)} WHERE s.n BETWEEN ? AND ? AND ${isNull(`t.${quoted(name)}`)}`,
      [first, last],
    )
    return rows.map(([n]) => Number(n))
  }

  #joined(join: string, shape: ApplyShape): string {
    const { table, identity } = this.#request
    const same = identity.map((name, i) => `t.${quoted(name)} = s.${quoted(`b${i}`)}`).join(' AND ')
    return `${quoted(this.#name)} AS s ${join} ${mysqlTableSql(table.table)} AS t${forceIndex(shape)} ON ${same}`
  }

  #row({ put, base }: PartialPut, n: number): SqlRow {
    const bases = base.map((cell, i) => this.#encoded(cell, this.#placeOf(i)))
    const cells = this.#written.map((column, place) => this.#encoded(putCell(put, column, this.#request), place))
    return [n, ...bases, ...cells]
  }

  #encoded(cell: Cell | undefined, place: number): SqlValue {
    return cell === undefined ? null : (this.#encoders[place] as MysqlCellEncoder)(cell)
  }

  /** Index of a row key column among the written columns. */
  #placeOf(keyAt: number): number {
    return this.#written.findIndex(({ name }) => name === this.#request.identity[keyAt])
  }
}

function named(column: WriteColumn | undefined, name: string): WriteColumn {
  if (column === undefined) throw new Error('a row key column is not among the written columns')
  return { ...column, name }
}

const NUMBER: WriteColumn = {
  name: 'n',
  as: { kind: 'int', bits: 32 },
  column: { name: 'n', type: { kind: 'int', bits: 32 }, native: 'int', nullable: false },
}
