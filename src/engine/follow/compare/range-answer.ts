/** Result of the comparison of one range, and the sum of a table's ranges. */
import { addChecksums, checksumText } from '../../../model/copy/row-hash.ts'
import type { Range } from '../../../model/copy/range.ts'
import { compareRange, type CompareProgress } from '../../copy/diff/compare.ts'
import type { RowDifference } from '../../copy/diff/difference.ts'
import type { DiffSides } from '../../copy/diff/sides.ts'

/** Maximum number of differences that one comparison of a range lists and repairs; the next one finds further ones. */
const MOST_DIFFERENCES = 20_000

/** Rows of a range or a table, compared on both sides. */
export type RowComparison = {
  readonly rows: bigint
  readonly targetRows: bigint
  /**
   * Checksums of all rows of both sides, see docs/reference/CANONICAL.md; null if a row of the source cannot be read.
   */
  readonly sums: readonly [source: string, target: string] | null
  readonly differences: readonly Pick<RowDifference, 'key' | 'kind' | 'columns'>[]
  /** Number of differences that are counted but not listed. */
  readonly more: number
  /** Rows of the source that cannot be read: whether they are equal is unknown. */
  readonly unread: number
  /** Surplus rows of one side that no differing key explains, because several rows have one key. Part of `more`. */
  readonly doubled: number
}

/** @property missing keys only in the source @property extra only in the target */
export type RangeResult = Omit<RowComparison, 'doubled'> & {
  readonly missing: number
  readonly extra: number
  /** Keys of several rows that are not the same on both sides; absent in answers of older versions. */
  readonly shared?: number
}

/** @throws what the stores throw; if the signal of the sides is aborted, its reason */
export async function compareOneRange(sides: DiffSides, range: Range, progress: CompareProgress): Promise<RangeResult> {
  sides.signal.throwIfAborted()
  const differences: RowDifference[] = []
  let [more, missing, extra, unread, shared] = [0, 0, 0, 0, 0]
  const one = await compareRange(
    sides,
    range,
    async (what) => {
      // The target cannot be queried for this key, so the row cannot be repaired: only the row counts include it.
      if (what.kind === 'key' && what.difference.kind === 'missing' && what.difference.unasked !== undefined) return
      if (what.kind === 'key' && what.difference.unasked !== undefined) {
        shared++
        return
      }
      if (what.kind === 'key' && what.difference.kind === 'missing') missing++
      if (what.kind === 'key' && what.difference.kind === 'extra') extra++
      if (what.kind === 'unread') unread++
      else if (what.kind !== 'key' || differences.length >= MOST_DIFFERENCES) more++
      else differences.push(what.difference)
    },
    progress,
  )
  const [source, target] = one.digests ?? []
  return {
    rows: source?.rows ?? one.rows,
    targetRows: target?.rows ?? one.targetRows,
    sums: source === undefined || target === undefined ? null : [source.sum, target.sum],
    differences,
    more,
    missing,
    extra,
    unread,
    shared,
  }
}

/** Sums up the results of all ranges of one table. */
export class TableResult {
  readonly #differences: Pick<RowDifference, 'key' | 'kind' | 'columns'>[] = []
  #rows = 0n
  #targetRows = 0n
  #sums: readonly [string, string] | null = [checksumText(0n), checksumText(0n)]
  #more = 0
  #unread = 0
  #lacking = 0
  #shared = 0

  add({ rows, targetRows, sums, differences, more, missing, extra, unread, shared = 0 }: RangeResult): void {
    this.#rows += rows
    this.#targetRows += targetRows
    this.#sums =
      this.#sums === null || sums === null
        ? null
        : [addChecksums(this.#sums[0], sums[0]), addChecksums(this.#sums[1], sums[1])]
    const named = differences.slice(0, MOST_DIFFERENCES - this.#differences.length)
    this.#differences.push(...named)
    this.#more += more + differences.length - named.length
    this.#unread += unread
    this.#lacking += missing - extra
    this.#shared += shared
  }

  /** @param hasKey true if the rows were compared by key */
  whole(hasKey: boolean): RowComparison {
    // A comparison by key does not find a row that one side has twice; only the row counts show it.
    const lost = this.#rows - this.#targetRows - BigInt(this.#lacking)
    const doubled = this.#sums === null || !hasKey ? 0 : Number(lost < 0n ? -lost : lost)
    return {
      rows: this.#rows,
      targetRows: this.#targetRows,
      sums: this.#sums,
      differences: this.#differences,
      more: this.#more + Math.max(doubled, this.#shared),
      unread: this.#unread,
      doubled,
    }
  }
}
