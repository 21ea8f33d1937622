/**
 * Rows whose write times or TTLs the target cannot get exactly: elements of collections had different ones, or the TTL
 * of the row itself, which no server returns, is unknown.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { Row, WriteTimes } from '../../../model/copy/rows.ts'
import type { TimeOptions } from '../diff/times.ts'
import { rowCountText } from './rows-text.ts'

export class TimeLosses {
  /** Number of rows with uneven elements, per column of the source. */
  readonly #uneven = new Map<string, bigint>()
  /** Rows of which no copied column has a value. */
  #bare = 0n
  /** Rows of which every value has a TTL. */
  #ending = 0n
  #hasTtl = false
  #hasValues = false

  /** Adds the rows of a batch. */
  note(plan: TablePlan, rows: readonly Row[], stamps: readonly WriteTimes[] | undefined): void {
    if (stamps === undefined) return
    const { source, columns } = plan
    const key = source.key.map((name) => columns.findIndex(({ from }) => from === name))
    const values = [...columns.keys()].filter((at) => !key.includes(at) && columns[at]?.source.static !== true)
    for (const [i, stamp] of stamps.entries()) {
      for (const at of stamp.uneven ?? []) this.#addUneven(columns[at]?.from ?? '', 1n)
      this.#noteRow(rows[i] ?? [], stamp, key, values)
    }
  }

  #noteRow(row: Row, { times, lifetimes }: WriteTimes, key: readonly number[], values: readonly number[]): void {
    this.#hasTtl ||= lifetimes.some((life) => life !== null)
    // Static values of a partition without rows are not a row.
    if (key.some((at) => (row[at] ?? null) === null)) return
    const present = values.filter((at) => (row[at] ?? null) !== null)
    if (present.length === 0) this.#bare += 1n
    else this.#hasValues = true
    if (present.length > 0 && present.every((at) => times[at] != null && lifetimes[at] != null)) this.#ending += 1n
  }

  add(more: TimeLosses): void {
    for (const [column, rows] of more.#uneven) this.#addUneven(column, rows)
    this.#bare += more.#bare
    this.#ending += more.#ending
    this.#hasTtl ||= more.#hasTtl
    this.#hasValues ||= more.#hasValues
  }

  /** One sentence per kind of loss; none if nothing was lost. @param options of the run, which may set all TTLs */
  notes(plan: TablePlan, options: Pick<TimeOptions, 'ttl' | 'dropStamps'> = {}): readonly string[] {
    const elements = [...this.#uneven].map(
      ([column, rows]) =>
        `in ${rowCountText(rows)}, elements of ${column} had different write times or TTLs: in the target, all have the latest write time and the longest TTL`,
    )
    return options.ttl !== undefined || options.dropStamps === true ? elements : [...elements, ...this.#rowNotes(plan)]
  }

  #rowNotes({ source, target, columns }: TablePlan): readonly string[] {
    // The plan names a table of key columns only, and a target that gives every row a TTL.
    const isNamed = columns.every(({ from }) => source.key.includes(from)) || target.times?.forced !== undefined
    // In a table that uses no TTLs, rows without values are ordinary rows.
    const mayEnd = this.#hasTtl || !this.#hasValues || (source.settings?.['default_time_to_live'] ?? '0') !== '0'
    const isOne = this.#bare === 1n
    return [
      ...(this.#bare > 0n && mayEnd && !isNamed
        ? [
            `${rowCountText(this.#bare)} without values: ${isOne ? 'its' : 'their'} own TTL cannot be read, so ${isOne ? 'it never expires' : 'they never expire'} in the target`,
          ]
        : []),
      ...(this.#ending > 0n
        ? [
            `${rowCountText(this.#ending)} whose values all expire: whether the row itself stays then cannot be read; in the target it expires with its last value`,
          ]
        : []),
    ]
  }

  #addUneven(column: string, rows: bigint): void {
    this.#uneven.set(column, (this.#uneven.get(column) ?? 0n) + rows)
  }
}
