/** Counts changes of an apply worker by table and kind. Uses plain numbers, because 100,000s come per second. */
import type { RowChange } from '../../../model/copy/change.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { ChangeCounts } from '../../copy/ledger/stream-row.ts'

/** Number of counts per table: inserts, updates, deletes, truncates. */
const KINDS = 4

export class ApplyWorkerCounts {
  readonly #tables: readonly FollowTable[]
  readonly #sums: Record<string, ChangeCounts>
  /** Counts of changes since the last call of `sums`. */
  readonly #newCounts: Float64Array

  /** @param sums counts of the ledger, by name of the source's table */
  constructor(tables: readonly FollowTable[], sums: Readonly<Record<string, ChangeCounts>>) {
    this.#tables = tables
    this.#sums = structuredClone(sums)
    this.#newCounts = new Float64Array(tables.length * KINDS)
  }

  /** @param table its number in the stream */
  add(table: number, type: RowChange['type'] | 'truncate'): void {
    const kind = type === 'insert' ? 0 : type === 'update' ? 1 : type === 'delete' ? 2 : 3
    const at = table * KINDS + kind
    this.#newCounts[at] = (this.#newCounts[at] as number) + 1
  }

  /** Copy of all counts, by name of the source's table; a table without changes is absent. */
  sums(): Record<string, ChangeCounts> {
    for (const [at, { name }] of this.#tables.entries()) {
      const [inserts = 0, updates = 0, deletes = 0, truncates = 0] = this.#newCounts.subarray(
        at * KINDS,
        (at + 1) * KINDS,
      )
      if (inserts + updates + deletes + truncates === 0) continue
      const sum = (this.#sums[name] ??= { inserts: 0, updates: 0, deletes: 0, truncates: 0 })
      sum.inserts += inserts
      sum.updates += updates
      sum.deletes += deletes
      sum.truncates += truncates
    }
    this.#newCounts.fill(0)
    return structuredClone(this.#sums)
  }
}
