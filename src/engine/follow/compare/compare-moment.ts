/** Compares followed tables as of one moment of both sides. What differs then differs: no change is on its way. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Emit } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { Difference } from '../../copy/diff/difference.ts'
import { DiffProgress } from '../../copy/diff/progress.ts'
import { segments, SEGMENT_ROWS } from '../../copy/diff/segments.ts'
import { MetKeys } from '../../copy/diff/met-keys.ts'
import { findsByKey, type Sides } from '../../copy/diff/sides.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { Moment } from './moment.ts'
import { answerOfRange, TableAnswer } from './range-answer.ts'

export type TableComparison = {
  /** The table's number in the stream. */
  readonly table: number
  readonly rows: bigint
  readonly targetRows: bigint
  /** Sums of all rows of both sides, as docs/CANONICAL.md has them; null where a row of the source cannot be read. */
  readonly sums: readonly [source: string, target: string] | null
  readonly differences: readonly Pick<Difference, 'key' | 'kind' | 'columns'>[]
  /** Beside those: counted, and not named. */
  readonly more: number
  /** Rows of the source that cannot be read: nobody can say whether they are equal. */
  readonly unread: number
  /** Rows that one side has more of than the differing keys explain: several of one key. They are among `more`. */
  readonly doubled: number
  readonly ms: number
  /** Ranges of it that were compared by other workers; absent where nobody was asked. */
  readonly elsewhere?: number
}

/** Numbers and tables of a stream. */
export type NumberedTables = readonly (readonly [at: number, table: FollowTable])[]

export type ComparingOptions = {
  readonly emit: Emit<'diff.progress'>
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told of each table when it is compared. */
  readonly found: (one: TableComparison) => void
}

/**
 * @param tables numbers and tables, compared one after the other
 * @throws what the stores throw; where the signal is aborted, its reason
 */
export async function compareMoment(
  tables: NumberedTables,
  moment: Moment,
  { emit, clock, signal, found }: ComparingOptions,
): Promise<readonly TableComparison[]> {
  const compared: TableComparison[] = []
  for (const [table, followed] of tables) {
    const begun = clock.ticks()
    const sides = sidesAt(followed, moment, signal)
    const progress = await progressOf(followed, moment, emit, clock)
    const answer = new TableAnswer()
    for await (const { range } of segments(sides, null)) answer.add(await answerOfRange(sides, range, progress))
    const ms = Math.round(clock.ticks() - begun)
    const one = { table, ...answer.whole(followed.plan.source.key.length > 0), ms }
    found(one)
    compared.push(one)
  }
  return compared
}

/** Both sides of a table as of a moment. */
export function sidesAt(
  { plan, targetWhere }: Pick<FollowTable, 'plan' | 'targetWhere'>,
  { source, target }: Pick<Moment, 'source' | 'target'>,
  signal: AbortSignal,
): Sides {
  const met = findsByKey(plan) ? {} : { met: new MetKeys().pass() }
  return { plan, source, target, signal, ...met, ...(targetWhere === undefined ? {} : { targetWhere }) }
}

/** What tells how far the comparison of a table is. */
export async function progressOf(
  { plan }: Pick<FollowTable, 'plan'>,
  { source }: Pick<Moment, 'source'>,
  emit: Emit<'diff.progress'>,
  clock: Clock,
): Promise<DiffProgress> {
  const extent = await source.extent(plan.source, plan.where ?? null, false)
  const ranges = Math.max(1, Math.ceil(Number(extent.rows) / SEGMENT_ROWS))
  const told = { rows: extent.rows, estimated: !extent.exact, ranges }
  return new DiffProgress(tableText(plan.source.table), told, emit, clock)
}

/** Identities of the rows that differ, in the columns by which the stream names rows; null where those are not the key that was compared by. */
export function identitiesOf(
  { plan, source }: FollowTable,
  differences: readonly Pick<Difference, 'key'>[],
): readonly RowKey[] | null {
  const places = source.identity.map((name) => plan.source.key.indexOf(name))
  if (places.includes(-1)) return null
  return differences.map(({ key }) => places.map((at) => key[at] ?? null))
}
