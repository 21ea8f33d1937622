/**
 * Rows whose collection elements had different write times or TTLs; all elements got the latest time and longest TTL.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { WriteTimes } from '../../../model/copy/rows.ts'
import { rowCountText } from './rows-text.ts'

export class UnevenElements {
  /** Number of rows with uneven elements, per column of the source. */
  readonly #rows = new Map<string, bigint>()

  /** Adds the rows of a batch. */
  note({ columns }: TablePlan, stamps: readonly WriteTimes[] | undefined): void {
    for (const { uneven = [] } of stamps ?? []) for (const at of uneven) this.#add(columns[at]?.from ?? '', 1n)
  }

  add(more: UnevenElements): void {
    for (const [column, rows] of more.#rows) this.#add(column, rows)
  }

  /** One sentence per column; none if all elements agreed. */
  notes(): readonly string[] {
    return [...this.#rows].map(
      ([column, rows]) =>
        `in ${rowCountText(rows)}, elements of ${column} had different write times or TTLs: in the target, all have the latest write time and the longest TTL`,
    )
  }

  #add(column: string, rows: bigint): void {
    this.#rows.set(column, (this.#rows.get(column) ?? 0n) + rows)
  }
}
