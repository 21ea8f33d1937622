/**
 * Applies one batch to one table: reads values to keep, then deletes, then writes. So keys and unique values can move
 * between rows within a batch, although the server checks each row immediately.
 */
import { tableText } from '../../../../model/copy/column-type.ts'
import type { CellBatch } from '../../../../model/copy/change.ts'
import type { Row } from '../../../../model/copy/rows.ts'
import { putCell, sorted, putColumns, type PartialPut, type WrittenColumn } from '../../../common/apply/puts.ts'
import type { WriteColumn } from '../../../../model/copy/write-column.ts'
import type { ChangeTable } from '../../../../model/follow/port.ts'
import type { SqlRow } from '../../../../model/run/sql-port.ts'
import { mysqlEncoder } from '../../copy/encode.ts'
import { addRows, KEPT_ROWS, updateRow, upsertRows, type InsertInto } from '../../copy/insert.ts'
import { quoted, mysqlTableSql } from '../../copy/names.ts'
import { isPrintedDay } from '../../copy/printed-days.ts'
import type { MysqlSession } from '../../session.ts'
import { forceIndex, equalSql, keyValues, removeRowsByKey } from './by-row-key.ts'
import type { ApplyShape } from './shape.ts'
import { MysqlStage, type MysqlCellEncoder } from './stage.ts'

/** Numbers of rows in one INSERT, largest first. */
const SIZES = [1000, ...KEPT_ROWS]
/** Up to this many rows with values that the source left out, single UPDATEs are faster than the staging table. */
const FEW = 4

/** Types that the source never leaves out of a change. */
const FIXED = new Set(['bool', 'int', 'float', 'uuid', 'date', 'time', 'timestamp'])

function isFixed(column: WriteColumn | undefined): boolean {
  return column !== undefined && (FIXED.has(column.as.kind) || isPrintedDay(column))
}

export class TableChanges {
  readonly #session: MysqlSession
  readonly #request: ChangeTable
  readonly #written: readonly WrittenColumn[]
  /** Indexes of the row key columns among the written columns, in key order. */
  readonly #key: readonly number[]
  readonly #encoders: readonly MysqlCellEncoder[]
  readonly #into: InsertInto
  /** Staging table for partial rows; null if the source never leaves out a value of this table. */
  readonly #stage: MysqlStage | null

  /** @param label of the server, for messages */
  constructor(session: MysqlSession, request: ChangeTable, label: string) {
    const where = `${label}: ${tableText(request.table.table)}`
    const columns = (written: readonly WrittenColumn[]): readonly WriteColumn[] =>
      written.map(({ at }) => request.columns[at] as WriteColumn)
    this.#session = session
    this.#request = request
    this.#written = putColumns(request)
    this.#key = request.identity.map((key) => this.#written.findIndex(({ name }) => name === key))
    this.#encoders = columns(this.#written).map((column) => mysqlEncoder(column, session.facts.flavour, where))
    const { table } = request.table
    this.#into = {
      table: mysqlTableSql(table),
      name: table.name,
      columns: columns(this.#written),
      key: request.identity,
      where,
    }
    const mayLack = this.#written.some(({ at, inIdentity }) => !inIdentity && !isFixed(request.columns[at]))
    this.#stage = mayLack ? new MysqlStage(session, request, this.#written, this.#encoders, where) : null
  }

  /** Call it outside of a transaction. */
  async prepare(shape: ApplyShape): Promise<void> {
    await this.#stage?.make(shape)
  }

  /**
   * @returns keys of changed rows whose previous version is missing in the target: the values that the source left out
   * are unknown, so nothing is written for them
   */
  async apply(batch: CellBatch, shape: ApplyShape): Promise<readonly Row[]> {
    const { gone, whole, partial } = sorted(batch, this.#request, this.#written)
    const stays = (put: PartialPut): boolean => shape.way === 'merge' && !put.isMoved
    const isFew = partial.length <= FEW && partial.every(stays)
    const lacking = isFew ? await this.#keep(partial, shape) : await this.#taken(partial, shape, stays)
    const filled = partial.filter((put) => !stays(put) && !lacking.has(put)).map(({ put }) => put.key)
    const replaced = shape.way === 'replace' ? whole.map((cells) => this.#key.map((place) => cells[place] ?? null)) : []
    await removeRowsByKey(this.#session, this.#request, shape, [...gone, ...replaced, ...filled])
    const rows = whole.map((cells) => cells.map((cell, place) => (this.#encoders[place] as MysqlCellEncoder)(cell)))
    await (shape.way === 'merge' ? this.#upsert(rows) : addRows(this.#session, this.#into, rows))
    if (filled.length > 0) {
      const inserted = await this.#stage?.insert()
      if (inserted !== filled.length)
        throw new Error(`${inserted} of ${filled.length} rows were read from the staging table`)
    }
    if (!isFew) await this.#stage?.clear()
    return [...lacking].map(({ put }) => put.key)
  }

  async #taken(
    partial: readonly PartialPut[],
    shape: ApplyShape,
    stays: (put: PartialPut) => boolean,
  ): Promise<ReadonlySet<PartialPut>> {
    if (this.#stage === null)
      throw new Error(
        `values of ${tableText(this.#request.table.table)} are missing, although sources always send them`,
      )
    const staying = partial.filter(stays)
    return await this.#stage.take(
      shape,
      staying,
      partial.filter((put) => !stays(put)),
    )
  }

  /** Updates rows in place, one by one. @returns those that are missing in the target */
  async #keep(puts: readonly PartialPut[], shape: ApplyShape): Promise<ReadonlySet<PartialPut>> {
    const lacking = new Set<PartialPut>()
    const from = `${mysqlTableSql(this.#request.table.table)} AS t${forceIndex(shape)}`
    for (const one of puts) {
      const changed = this.#written.flatMap((column, place) =>
        column.inIdentity || one.mask[column.at] === '1' ? [] : [{ column, place }],
      )
      const sets = changed.map(({ column }) => `t.${quoted(column.name)} = ?`).join(', ')
      const values = changed.map(({ column, place }) =>
        (this.#encoders[place] as MysqlCellEncoder)(putCell(one.put, column, this.#request) ?? null),
      )
      const same = equalSql(this.#request)
      const sql = sets === '' ? `SELECT 1 FROM ${from} WHERE ${same}` : `UPDATE ${from} SET ${sets} WHERE ${same}`
      const columns = changed.map(({ place }) => this.#into.columns[place] as WriteColumn)
      const parameters = [...values, ...keyValues(this.#request, one.base)]
      if (!(await updateRow(this.#session, this.#into, columns, sql, parameters))) lacking.add(one)
    }
    return lacking
  }

  async #upsert(rows: readonly SqlRow[]): Promise<void> {
    for (let at = 0; at < rows.length;) {
      const left = rows.length - at
      const size = SIZES.find((one) => one <= left) ?? 1
      await upsertRows(this.#session, this.#into, rows.slice(at, at + size))
      at += size
    }
  }
}
