/** Keys that lose something on their way: rows are known at the source by what stands there, not by what they become. */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { rowKeyOf, type RowKey } from '../../../model/copy/row-key.ts'
import type { Row } from '../../../model/copy/rows.ts'
import type { ReadColumn } from '../../../model/copy/port.ts'
import { keyPositions } from '../table/context.ts'

/** Whether two rows of the source may become rows of one key. */
export function hasLossyKey(plan: TablePlan): boolean {
  return keyPositions(plan).some((at) => plan.columns[at]?.lossy !== undefined)
}

export class ExactKeys {
  /** The key as it stands at the source, to be read behind all other columns; none where the key loses nothing. */
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

  /**
   * Keeps the keys.
   * @returns the rows without them
   */
  taken(read: readonly Row[]): readonly Row[] {
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

  /** @param row as `taken` gave it */
  of(row: Row): RowKey {
    return this.#keys.get(row) ?? rowKeyOf(row, this.#positions)
  }

  /** Of a row that cannot be read. @param shown its texts, those of `columns` among them */
  ofShown(shown: readonly (string | null)[]): RowKey {
    const width = this.columns.length
    return width === 0 ? this.#positions.map((at) => shown[at] ?? null) : shown.slice(-width)
  }
}
