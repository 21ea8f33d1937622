/** Keys that lose precision on their way to the target: rows are identified by the key as the source stores it. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { rowKeyOf, type RowKey } from '../../../model/copy/row-key.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import { mayMerge } from '../plan/sorts-alike.ts'
import { keyPositions } from '../table/context.ts'

/** True if two rows of the source may get the same key in the target. */
export function hasLossyKey(plan: TablePlan): boolean {
  return plan.columns.some((one) => plan.source.key.includes(one.from) && mayMerge(one))
}

export class ExactKeys {
  /** Key columns as the source stores them, read after all other columns; empty if the key loses nothing. */
  readonly columns: readonly ReadColumn[]
  readonly #positions: readonly number[]
  readonly #keys = new WeakMap<Row, RowKey>()

  constructor(plan: TablePlan) {
    this.#positions = keyPositions(plan)
    const key = this.#positions.flatMap((at) => plan.columns[at] ?? [])
    const isPlain = plan.source.ring === undefined && key.every(({ codec }) => codec === undefined)
    this.columns =
      isPlain && hasLossyKey(plan)
        ? key.map(({ from, source }) => ({ name: from, as: source.type, column: source }))
        : []
  }

  /** Remembers the exact keys. @returns the rows without the extra key columns */
  withoutKeyColumns(read: readonly Row[]): readonly Row[] {
    const width = this.columns.length
    if (width === 0) return read
    const rows = read.map((row) => row.slice(0, -width))
    for (const [i, row] of rows.entries()) {
      const whole = read[i] ?? []
      const places = this.columns.map((_, part) => whole.length - width + part)
      this.#keys.set(row, rowKeyOf(whole, places))
    }
    return rows
  }

  /** @param row as `withoutKeyColumns` returned it */
  of(row: Row): RowKey {
    return this.#keys.get(row) ?? rowKeyOf(row, this.#positions)
  }

  /** Key of an unreadable row. @param shown its texts, including those of `columns` */
  ofShown(shown: readonly (string | null)[]): RowKey {
    const width = this.columns.length
    return width === 0 ? this.#positions.map((at) => shown[at] ?? null) : shown.slice(-width)
  }
}
