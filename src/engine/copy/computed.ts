/** Generated columns that both sides compute: they are read on both sides, and never written. */
import type { ColumnPlan, TablePlan } from '../../model/copy/plan.ts'
import type { Range } from '../../model/copy/range.ts'
import { RowSum } from '../../model/copy/row-hash.ts'
import { equalDigests, type Row } from '../../model/copy/rows.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { ChunkWriter, ReadColumn, SourceView, WriteColumn } from '../../stores/copy-port.ts'
import { keyPositions } from './context.ts'

export class Computed {
  readonly #plan: TablePlan
  readonly #checked: readonly ColumnPlan[]
  readonly #key: readonly number[]
  readonly #sum = new RowSum()

  constructor(plan: TablePlan) {
    this.#plan = plan
    this.#checked = plan.checked ?? []
    this.#key = keyPositions(plan)
  }

  /** To be read behind the columns that are written. */
  get columns(): readonly ReadColumn[] {
    return this.#checked.map(({ from, as, source }) => ({ name: from, as, column: source }))
  }

  /** Adds up the computed values. @returns the rows without them */
  taken(rows: readonly Row[]): readonly Row[] {
    if (this.#checked.length === 0) return rows
    const width = this.#plan.columns.length
    return rows.map((row) => {
      this.#sum.add([...this.#key.map((at) => row[at] ?? null), ...row.slice(width)])
      return row.slice(0, width)
    })
  }

  /**
   * Compares key and computed values of a range.
   * @param view from which the rows were forwarded without a look inside; null where `taken` has seen them
   * @throws SluiceError PROOF_FAILED
   */
  async prove(writer: ChunkWriter, range: Range, view: SourceView | null, signal: AbortSignal): Promise<void> {
    if (this.#checked.length === 0) return
    const { columns, source: table, where = null } = this.#plan
    const key = this.#key.flatMap((at) => columns.slice(at, at + 1))
    const all = [...key, ...this.#checked]
    const read =
      view === null
        ? this.#sum.digest()
        : await view.digest(
            {
              table,
              columns: all.map(({ from, as, source }) => ({ name: from, as, column: source })),
              range,
              where,
              ordered: false,
            },
            signal,
          )
    const stored = await writer.digest({
      scheme: 'canonical',
      columns: all.map(({ to, as, target }): WriteColumn => ({ name: to, as, column: target })),
    })
    if (equalDigests(read, stored)) return
    const names = this.#checked.map(({ to }) => to).join(', ')
    throw new SluiceError('PROOF_FAILED', `the target computes other values of ${names} than ${table.table.name} has`, {
      reason: 'both sides have the same expression, and their servers or settings do not compute alike',
      hint: 'create the table in the target yourself, without these generated columns, and copy again with --restart',
    })
  }
}
