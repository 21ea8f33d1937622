/** Large batches: COPY into a temporary table of the session, then a few statements that merge it into the target. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { Cell, Row } from '../../../model/copy/rows.ts'
import type { WriteColumn } from '../../copy-port.ts'
import type { ChangeTable } from '../../follow-port.ts'
import { encoder } from '../copy/encode.ts'
import type { CopySession } from '../copy/session.ts'
import { identityColumns, OPERATION, stageSql, writtenColumns, type StageSql, type WrittenColumn } from './merge.ts'
import type { PartialPut, SortedBatch } from '../../apply/puts.ts'
import type { TableShape } from './shape.ts'

/** Sets of unchanged columns that get a statement of their own, which sets the others only. */
const MOST_MASKS = 8

export class Stage {
  readonly #session: CopySession
  readonly #name: string
  readonly #way: TableShape['way']
  readonly #isGuarded: boolean
  readonly #sql: StageSql
  readonly #written: readonly WrittenColumn[]
  /** Where the columns of the identity stand among the written ones, in the order of the identity. */
  readonly #keyPlaces: readonly number[]
  readonly #encodeWhole: (rows: readonly Row[]) => Generator<Buffer>
  readonly #encodePartial: (rows: readonly Row[]) => Generator<Buffer>
  #made = false
  /** The temporary table was made in the transaction that is open: it goes where that is rolled back. */
  #isNew = false
  /** Rows of this transaction stand in it. */
  #used = false

  /** @param name no two tables of a session may share it */
  constructor(session: CopySession, name: string, request: ChangeTable, shape: TableShape) {
    this.#session = session
    this.#name = name
    this.#way = shape.way
    this.#isGuarded = shape.guarded.length > 0
    this.#sql = stageSql(name, request, shape)
    this.#written = writtenColumns(request, shape)
    const key = identityColumns(request, this.#written)
    this.#keyPlaces = key.map((column) => this.#written.indexOf(column))
    const table = tableText(request.table.table)
    const columns = this.#written.map(({ at }) => request.columns[at] as WriteColumn)
    const bases = key.map(({ at }) => request.columns[at] as WriteColumn)
    this.#encodeWhole = encoder(table, [TEXT, ...columns])
    this.#encodePartial = encoder(table, [TEXT, TEXT, TEXT, ...bases, ...columns])
  }

  /** @returns which of the partial puts found no row to take values from */
  async apply({ gone, whole, partial }: SortedBatch): Promise<readonly PartialPut[]> {
    const stays = ({ isMoved }: PartialPut): boolean => this.#way === 'merge' && !isMoved
    const kept = new Set(partial.filter(stays))
    await this.#prepare()
    await this.#load(gone, whole, partial, kept)
    const demoted = this.#isGuarded && kept.size > 0 ? await this.#session.run(this.#sql.demote) : 0
    const staying = kept.size - demoted
    const filled = partial.length - staying
    const lacking = new Set<string>()
    const note = async (sql: string): Promise<void> => {
      for (const [n] of await this.#session.ask(sql)) if (n !== null && n !== undefined) lacking.add(n)
    }
    if (filled > 0 && (await this.#session.run(this.#sql.fill)) < filled) await note(this.#sql.unfilled)
    const puts = whole.length + filled > 0
    if (gone.length > 0 || (puts && (this.#way === 'replace' || this.#isGuarded)))
      await this.#session.ask(this.#sql.remove)
    if (staying > 0 && (await this.#keep(kept)) < staying) await note(this.#sql.absent)
    if (puts) await this.#session.ask(this.#sql.insert)
    return lacking.size === 0 ? [] : partial.filter((_, n) => lacking.has(String(n)))
  }

  /** The transaction has ended. */
  ended(outcome: 'committed' | 'rolled back'): void {
    if (outcome === 'rolled back' && this.#isNew) this.#made = false
    this.#isNew = false
    this.#used = false
  }

  /** For a table whose columns are others now. */
  async drop(): Promise<void> {
    if (this.#made) await this.#session.ask(`DROP TABLE IF EXISTS pg_temp.${this.#name}`)
    this.#made = false
  }

  /** @returns rows that were there; fewer where a row had nothing to set */
  async #keep(kept: ReadonlySet<PartialPut>): Promise<number> {
    const masks = new Set([...kept].map(({ mask }) => mask))
    const each = masks.size > MOST_MASKS ? [null] : masks
    let found = 0
    for (const mask of each) {
      const sql = this.#sql.keep(mask)
      if (sql !== '') found += await this.#session.run(sql)
    }
    return found
  }

  async #prepare(): Promise<void> {
    if (!this.#made) {
      await this.#session.ask(this.#sql.create)
      this.#made = true
      this.#isNew = true
    } else if (this.#used) {
      // The second one of a transaction empties the file of the first in its place, without another row of pg_class.
      await this.#session.ask(this.#sql.clear)
    }
    this.#used = true
  }

  async #load(
    gone: readonly Row[],
    whole: readonly Row[],
    partial: readonly PartialPut[],
    kept: ReadonlySet<PartialPut>,
  ): Promise<void> {
    const width = this.#written.length
    const wholeRows = function* (this: Stage): Generator<Row> {
      for (const key of gone) {
        const cells: Cell[] = Array.from({ length: width + 1 }, () => null)
        cells[0] = OPERATION.gone
        this.#keyPlaces.forEach((place, i) => (cells[place + 1] = key[i] as Cell))
        yield cells
      }
      for (const cells of whole) yield [OPERATION.put, ...cells]
    }
    if (gone.length + whole.length > 0) {
      await this.#session.copyIn(this.#sql.copy.whole, this.#encodeWhole([...wholeRows.call(this)]))
    }
    if (partial.length === 0) return
    const rows = partial.map((one, n): Row => {
      const { put, base, mask } = one
      const cells = this.#written.map(({ at }, place): Cell => {
        const key = this.#keyPlaces.indexOf(place)
        return put.row[at] ?? (key === -1 ? null : (put.key[key] as Cell))
      })
      return [kept.has(one) ? OPERATION.keep : OPERATION.fill, String(n), mask, ...base, ...cells]
    })
    await this.#session.copyIn(this.#sql.copy.partial, this.#encodePartial(rows))
  }
}

/** How the columns of a staging table that are not the target's are written. */
const TEXT: WriteColumn = {
  name: 'change',
  as: { kind: 'text' },
  column: { name: 'change', type: { kind: 'text' }, native: 'text', nullable: true },
}
