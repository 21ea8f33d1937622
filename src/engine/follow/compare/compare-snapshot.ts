/** Compares replicated tables as of a common snapshot of both sides. Differences are real: no change is pending. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { RowKey } from '../../../model/copy/row-key.ts'
import type { Emit } from '../../../model/run/event.ts'
import type { Clock } from '../../../shared/clock.ts'
import type { RowDifference } from '../../copy/diff/difference.ts'
import { DiffProgress } from '../../copy/diff/progress.ts'
import { segments, SEGMENT_ROWS } from '../../copy/diff/segments.ts'
import { ComparedKeys } from '../../copy/diff/compared-keys.ts'
import { findsByKey, type DiffSides } from '../../copy/diff/sides.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import type { ComparedSnapshot } from './common-snapshot.ts'
import { compareOneRange, TableResult, type RowComparison } from './range-answer.ts'

export type TableComparison = RowComparison & {
  /** The table's number in the stream. */
  readonly table: number
  readonly ms: number
  /** Number of ranges that other workers compared; absent without other workers. */
  readonly elsewhere?: number
}

/** Tables of a stream, each with its number. */
export type NumberedTables = readonly (readonly [at: number, table: FollowTable])[]

export type ComparingOptions = {
  readonly emit: Emit<'diff.progress'>
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Receives the result of each table. */
  readonly found: (one: TableComparison) => void
}

/** @param tables compared one after the other @throws what the stores throw, or the reason of the signal */
export async function compareSnapshot(
  tables: NumberedTables,
  snapshot: ComparedSnapshot,
  { emit, clock, signal, found }: ComparingOptions,
): Promise<readonly TableComparison[]> {
  const compared: TableComparison[] = []
  for (const [table, followed] of tables) {
    const begun = clock.ticks()
    const sides = sidesAt(followed, snapshot, signal)
    const progress = await progressOf(followed, snapshot, emit, clock)
    const answer = new TableResult()
    for await (const { range } of segments(sides, null)) answer.add(await compareOneRange(sides, range, progress))
    const ms = Math.round(clock.ticks() - begun)
    const one = { table, ...answer.whole(followed.plan.source.key.length > 0), ms }
    found(one)
    compared.push(one)
  }
  return compared
}

/** Both sides of a table in a snapshot. */
export function sidesAt(
  { plan, targetWhere }: Pick<FollowTable, 'plan' | 'targetWhere'>,
  { source, target }: Pick<ComparedSnapshot, 'source' | 'target'>,
  signal: AbortSignal,
): DiffSides {
  const met = findsByKey(plan) ? {} : { met: new ComparedKeys().pass() }
  return { plan, source, target, signal, ...met, ...(targetWhere === undefined ? {} : { targetWhere }) }
}

/** Progress reporter for the comparison of a table. */
export async function progressOf(
  { plan }: Pick<FollowTable, 'plan'>,
  { source }: Pick<ComparedSnapshot, 'source'>,
  emit: Emit<'diff.progress'>,
  clock: Clock,
): Promise<DiffProgress> {
  const extent = await source.extent(plan.source, plan.where ?? null, false)
  const ranges = Math.max(1, Math.ceil(Number(extent.rows) / SEGMENT_ROWS))
  const reported = { rows: extent.rows, estimated: !extent.exact, ranges }
  return new DiffProgress(tableText(plan.source.table), reported, emit, clock)
}

/** Keys of the rows that differ, in the stream's row key columns; null if the comparison used another key. */
export function differingKeys(
  { plan, source }: FollowTable,
  differences: readonly Pick<RowDifference, 'key'>[],
): readonly RowKey[] | null {
  const places = source.identity.map((name) => plan.source.key.indexOf(name))
  if (places.includes(-1)) return null
  return differences.map(({ key }) => places.map((at) => key[at] ?? null))
}
