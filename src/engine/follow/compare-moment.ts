/** Compares followed tables as of one moment of both sides. What differs then differs: no change is on its way. */
import { tableText } from '../../model/copy/column-type.ts'
import { addedSums, sumText } from '../../model/copy/row-hash.ts'
import type { RowKey } from '../../model/copy/row-key.ts'
import type { Emit } from '../../model/event.ts'
import type { Clock } from '../../shared/clock.ts'
import { compareRange, type Difference } from '../copy/diff/compare.ts'
import { DiffProgress } from '../copy/diff/progress.ts'
import { segments, SEGMENT_ROWS } from '../copy/diff/segments.ts'
import type { Sides } from '../copy/diff/sides.ts'
import type { FollowTable } from './followed-table.ts'
import type { Moment } from './moment.ts'

/** Differences that are named and mended in one round; those behind them wait for the next. */
const MOST_DIFFERENCES = 20_000

export type TableComparison = {
  /** The table's number in the stream. */
  readonly table: number
  readonly rows: bigint
  readonly targetRows: bigint
  /** Sums of all rows of both sides, as docs/CANONICAL.md has them; null where a row of the source cannot be read. */
  readonly sums: readonly [source: string, target: string] | null
  readonly differences: readonly Difference[]
  /** Beside those: counted, and not named. */
  readonly more: number
  /** Rows of the source that cannot be read: nobody can say whether they are equal. */
  readonly unread: number
  /** Rows that one side has more of than the differing keys explain: several of one key. They are among `more`. */
  readonly doubled: number
  readonly ms: number
}

/**
 * @param tables numbers and tables, compared one after the other
 * @throws what the stores throw; where the signal is aborted, its reason
 */
export async function compareMoment(
  tables: readonly (readonly [at: number, table: FollowTable])[],
  moment: Moment,
  {
    emit,
    clock,
    signal,
    found,
  }: {
    readonly emit: Emit<'diff.progress'>
    readonly clock: Clock
    readonly signal: AbortSignal
    /** Told of each table when it is compared. */
    readonly found: (one: TableComparison) => void
  },
): Promise<readonly TableComparison[]> {
  const compared: TableComparison[] = []
  for (const [table, { plan, targetWhere }] of tables) {
    const begun = clock.ticks()
    const sides: Sides = {
      plan,
      source: moment.source,
      target: moment.target,
      signal,
      ...(targetWhere === undefined ? {} : { targetWhere }),
    }
    const extent = await moment.source.extent(plan.source, plan.where ?? null, false)
    const ranges = Math.max(1, Math.ceil(Number(extent.rows) / SEGMENT_ROWS))
    const told = { rows: extent.rows, estimated: !extent.exact, ranges }
    const progress = new DiffProgress(tableText(plan.source.table), told, emit, clock)
    const differences: Difference[] = []
    let [rows, targetRows, more, unread, missing, extra] = [0n, 0n, 0, 0, 0n, 0n]
    let sums: TableComparison['sums'] = [sumText(0n), sumText(0n)]
    for await (const { range } of segments(sides, null)) {
      signal.throwIfAborted()
      const one = await compareRange(
        sides,
        range,
        async (what) => {
          if (what.kind === 'key' && what.difference.kind === 'missing') missing++
          if (what.kind === 'key' && what.difference.kind === 'extra') extra++
          if (what.kind === 'unread') unread++
          else if (what.kind === 'range' || differences.length >= MOST_DIFFERENCES) more++
          else differences.push(what.difference)
        },
        progress,
      )
      const [source, target] = one.digests ?? []
      rows += source?.rows ?? one.rows
      targetRows += target?.rows ?? one.targetRows
      sums =
        sums === null || source === undefined || target === undefined
          ? null
          : [addedSums(sums[0], source.sum), addedSums(sums[1], target.sum)]
    }
    // What a comparison by keys does not see, the counts do.
    const lost = rows - targetRows - missing + extra
    const doubled = sums === null || plan.source.key.length === 0 ? 0 : Number(lost < 0n ? -lost : lost)
    more += doubled
    const ms = Math.round(clock.ticks() - begun)
    const one = { table, rows, targetRows, sums, differences, more, unread, doubled, ms }
    found(one)
    compared.push(one)
  }
  return compared
}

/** Identities of the rows that differ, in the columns by which the stream names rows; null where those are not the key that was compared by. */
export function identitiesOf(
  { plan, source }: FollowTable,
  differences: readonly Difference[],
): readonly RowKey[] | null {
  const places = source.identity.map((name) => plan.source.key.indexOf(name))
  if (places.includes(-1)) return null
  return differences.map(({ key }) => places.map((at) => key[at] ?? null))
}
