/**
 * Lower bound of the row count of each table of an apply worker: a batch deletes at most as many rows as it names, and
 * leaves at least those that it writes. Row counts are not added up, because changes that are delivered again during
 * catch-up would count twice.
 */
import type { ChangeBatch } from '../../../model/copy/change.ts'
import { IS_DELETED, type PackedRows } from '../../../model/copy/packed-rows.ts'
import { countChanges, knownRows, type ChangeCounts } from '../../copy/ledger/stream-row.ts'

export class RowBounds {
  readonly #names: readonly string[]
  /** Lower bound of the rows by table number; absent if unknown. */
  readonly #rows = new Map<number, number>()
  /** Tables that may be empty: their lower bound is 0. */
  readonly #unknown = new Set<number>()
  /** True if a check found rows in a table, and the ledger does not record this yet. */
  #isUnrecorded = false

  /**
   * @param names of the source's tables
   * @param counts counts of the ledger, by name of the source's table
   * @param own numbers of the tables that only this apply worker writes, and from which no trigger deletes rows
   */
  constructor(names: readonly string[], counts: Readonly<Record<string, ChangeCounts>>, own: readonly number[]) {
    this.#names = names
    for (const at of own) this.#set(at, knownRows(counts[names[at] ?? '']) ?? 0)
  }

  /** Tables for which the target must be queried. */
  get unknownTables(): readonly number[] {
    return [...this.#unknown]
  }

  /** True if a check found rows in a table, and the ledger does not record this yet. */
  get isUnrecorded(): boolean {
    return this.#isUnrecorded
  }

  /** @param lacking number of rows in `puts` that were not written */
  applied(at: number, { puts, gone, packed }: ChangeBatch, lacking: number): void {
    const held = this.#rows.get(at)
    if (held === undefined) return
    const bytesGone = packed === undefined ? 0 : goneOf(packed)
    const going = gone.length + bytesGone
    const coming = puts.length - lacking + (packed?.count ?? 0) - bytesGone
    this.#set(at, Math.max(0, held - going, coming))
  }

  /** Notes that the tables are empty, like their source tables. */
  emptied(tables: readonly number[]): void {
    for (const at of tables) {
      if (!this.#rows.has(at)) continue
      this.#rows.set(at, 0)
      this.#unknown.delete(at)
    }
  }

  /** Notes the result of a check of the target, made while no transaction was half written. */
  found(at: number, hasRows: boolean): void {
    this.#unknown.delete(at)
    if (!hasRows || !this.#rows.has(at)) return
    this.#rows.set(at, 1)
    this.#isUnrecorded = true
  }

  /** Sets the known row counts in `counts`, which is then written to the ledger; removes those of other tables. */
  withRowCounts(counts: Record<string, ChangeCounts>): Record<string, ChangeCounts> {
    for (const one of Object.values(counts)) delete one.held
    for (const [at, rows] of this.#rows) {
      const name = this.#names[at] ?? ''
      const known = counts[name]
      if (rows === 0 && known === undefined) continue
      const own = known ?? { inserts: 0, updates: 0, deletes: 0, truncates: 0 }
      counts[name] = { ...own, held: { rows, changes: countChanges(own) } }
    }
    this.#isUnrecorded = false
    return counts
  }

  #set(at: number, rows: number): void {
    this.#rows.set(at, rows)
    if (rows > 0) this.#unknown.delete(at)
    else this.#unknown.add(at)
  }
}

function goneOf(packed: PackedRows): number {
  let gone = 0
  for (let slot = 0; slot < packed.length; slot++)
    if (packed.isUsed(slot) && (packed.flags(slot) & IS_DELETED) !== 0) gone++
  return gone
}
