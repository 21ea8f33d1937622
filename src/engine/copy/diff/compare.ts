/**
 * Finds keys that differ between two tables. Ranges with equal checksums are done. Other ranges are divided and
 * compared again, until few enough rows are left to compare one by one. Where the two sides sort differently, ranges do
 * not correspond, so rows are fetched by key.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import { equalDigests, type Digest, type Row } from '../../../model/copy/rows.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { RowRequest } from '../../../model/copy/source-port.ts'
import { findExtra } from './extra.ts'
import { differenceOf, sharedKeyDifference, type RowDifference } from './difference.ts'
import type { DiffProgress } from './progress.ts'
import { completeShared, differenceOfKey } from './same-key.ts'
import {
  rowBound,
  digests,
  findsByKey,
  keepKeys,
  KeyedRows,
  rowsByKey,
  requestsOf,
  sourceRequest,
  targetRequest,
  type DiffSides,
} from './sides.ts'

/** Maximum number of rows of either side in a range that is compared row by row. */
const LEAF_ROWS = 16_384
const PIECES = 32
const KEYS_AT_ONCE = 500
/** Limit of searches of a range that changes during each search. */
const MOST_SEARCHES = 3

/** Receives the progress of a comparison. */
export type CompareProgress = Pick<DiffProgress, 'divided' | 'settled' | 'compared'>

export type DiffRowCounts = {
  readonly rows: bigint
  readonly targetRows: bigint
  readonly equal: bigint
}

/** A difference. In a table without a key, only whole ranges can be reported as different. */
export type DiffFinding =
  | { readonly kind: 'key'; readonly difference: RowDifference }
  | { readonly kind: 'range'; readonly range: Range; readonly source: bigint; readonly target: bigint }
  /** The checksums of both sides differ, but the search found no differing row. */
  | { readonly kind: 'unexplained'; readonly range: Range }
  /** An unreadable row of the source, as texts. */
  | { readonly kind: 'unread'; readonly row: readonly (string | null)[]; readonly error: SluiceError }

/** @property digests of the range on both sides; null if a row of the source cannot be read */
export type ComparedRange = DiffRowCounts & { readonly digests: readonly [source: Digest, target: Digest] | null }

/** Compares one range. @param found called for every difference, in no order */
export async function compareRange(
  sides: DiffSides,
  range: Range,
  found: (what: DiffFinding) => Promise<void>,
  progress: CompareProgress,
): Promise<ComparedRange> {
  const both = await readableDigests(sides, range)
  if (both === null) return { ...(await compareWithUnread(sides, range, found, progress)), digests: null }
  return { ...(await compareChecksums(both, sides, range, found, progress)), digests: both }
}

async function compareChecksums(
  [source, target]: readonly [Digest, Digest],
  sides: DiffSides,
  range: Range,
  found: (what: DiffFinding) => Promise<void>,
  progress: CompareProgress,
): Promise<DiffRowCounts> {
  if (equalDigests(source, target)) {
    progress.settled(source.rows)
    return { rows: source.rows, targetRows: target.rows, equal: source.rows }
  }
  if (range.by !== 'key') {
    progress.settled(source.rows)
    await found({ kind: 'range', range, source: source.rows, target: target.rows })
    return { rows: source.rows, targetRows: target.rows, equal: 0n }
  }
  if (!sides.plan.sortsAlike)
    return searchAgain([source, target], sides, range, found, (each) => byKeys(sides, range, each, progress))
  const most = source.rows > target.rows ? source.rows : target.rows
  if (most <= BigInt(LEAF_ROWS)) {
    const one = await searchAgain([source, target], sides, range, found, (each) => leaf(sides, range, each))
    progress.settled(one.rows)
    return one
  }
  const size = Math.max(1, Math.ceil(Number(most) / PIECES))
  progress.divided(Math.ceil(Number(most) / size))
  const fuller = source.rows >= target.rows
  const { plan, signal } = sides
  const view = fuller ? sides.source : sides.target
  const request = fuller ? sourceRequest(sides, range) : targetRequest(sides, range)
  const where = fuller ? (plan.where ?? null) : null
  return compareRanges(sides, view.cut(request.table, request.range, where, size, signal), found, progress)
}

async function compareRanges(
  sides: DiffSides,
  ranges: AsyncIterable<Range> | readonly Range[],
  found: (what: DiffFinding) => Promise<void>,
  progress: CompareProgress,
): Promise<DiffRowCounts> {
  const sum = { rows: 0n, targetRows: 0n, equal: 0n }
  for await (const range of ranges) {
    const one = await compareRange(sides, range, found, progress)
    sum.rows += one.rows
    sum.targetRows += one.targetRows
    sum.equal += one.equal
  }
  return sum
}

/**
 * Searches a range whose checksums differ. If the search finds no difference, the checksums are computed once more:
 * without snapshots, rows may have been written or have expired meanwhile.
 * @param both checksums of the range, computed before
 */
async function searchAgain(
  both: readonly [Digest, Digest],
  sides: DiffSides,
  range: Range,
  found: (what: DiffFinding) => Promise<void>,
  search: (found: (what: DiffFinding) => Promise<void>) => Promise<DiffRowCounts>,
): Promise<DiffRowCounts> {
  let before = both
  for (let round = 1; ; round++) {
    let differ = 0
    const one = await search(async (what) => {
      differ++
      await found(what)
    })
    const isCounted = one.rows === before[0].rows && one.targetRows === before[1].rows
    if (differ > 0 && isCounted) return one
    const now = await readableDigests(sides, range)
    if (now === null) return one
    const isSteady = equalDigests(now[0], before[0]) && equalDigests(now[1], before[1])
    // A search by keys counts a target row once for each source row that finds it, so use the counts of the digests.
    const counted = isSteady ? { ...one, rows: now[0].rows, targetRows: now[1].rows } : one
    if (differ > 0 || equalDigests(...now)) return counted
    if (isSteady || round === MOST_SEARCHES) {
      await found({ kind: 'unexplained', range })
      return counted
    }
    before = now
  }
}

/** @returns number of rows if both digests are equal; null if they differ or a row of the source cannot be read */
export async function equalRows(sides: DiffSides, range: Range): Promise<bigint | null> {
  const sums = await readableDigests(sides, range)
  return sums !== null && equalDigests(...sums) ? sums[0].rows : null
}

/** Digests of both sides. Null if a row of the source cannot be read, because such a range has no checksum. */
export async function readableDigests(sides: DiffSides, range: Range): Promise<readonly [Digest, Digest] | null> {
  try {
    return await digests(sides, range)
  } catch (thrown) {
    if (asSluiceError(thrown).code !== 'VALUE_REFUSED' || range.by !== 'key') throw thrown
    return null
  }
}

/** Divides a range with an unreadable row until few enough rows are left to compare one by one. */
async function compareWithUnread(
  sides: DiffSides,
  range: Range,
  found: (what: DiffFinding) => Promise<void>,
  progress: CompareProgress,
): Promise<DiffRowCounts> {
  const { plan, source, signal } = sides
  if (!plan.sortsAlike) return byKeys(sides, range, found, progress)
  const pieces: Range[] = []
  for await (const piece of source.cut(plan.source, range, plan.where ?? null, LEAF_ROWS, signal)) pieces.push(piece)
  if (pieces.length <= 1) {
    const one = await leaf(sides, range, found)
    progress.settled(one.rows)
    return one
  }
  progress.divided(pieces.length)
  return compareRanges(sides, pieces, found, progress)
}

async function leaf(
  sides: DiffSides,
  range: Range,
  found: (what: DiffFinding) => Promise<void>,
): Promise<DiffRowCounts> {
  const { plan, signal } = sides
  const unread: DiffFinding[] = []
  const onRefused: RowRequest['onRefused'] = (row, error) => unread.push({ kind: 'unread', row, error })
  const [here, there] = requestsOf(sides, range)
  const [source, target] = await Promise.all([
    rowsByKey(sides.source, { ...here, onRefused }, plan, signal),
    rowsByKey(sides.target, there, plan, signal),
  ])
  for (const one of unread) await found(one)
  const equal = await compareMaps(plan, source, target, found)
  if (!findsByKey(plan))
    for (const row of source.others) await found({ kind: 'key', difference: sharedKeyDifference(plan, row) })
  return { rows: source.count(), targetRows: target.count(), equal }
}

/** @returns number of keys with equal rows */
async function compareMaps(
  plan: TablePlan,
  source: KeyedRows,
  target: KeyedRows,
  found: (what: DiffFinding) => Promise<void>,
): Promise<bigint> {
  let equal = 0n
  const byKey = findsByKey(plan)
  for (const [key, row] of source) {
    const difference = byKey ? differenceOfKey(plan, key, source, target) : differenceOf(plan, row, target.get(key))
    if (difference === null) equal += BigInt(source.all(key).length)
    else await found({ kind: 'key', difference })
  }
  for (const [key, row] of target) {
    if (source.has(key)) continue
    const difference = differenceOf(plan, undefined, row)
    if (difference !== null) await found({ kind: 'key', difference })
  }
  return equal
}

/** Searches the target for every row of the source, then reports rows of the target that the source does not have. */
async function byKeys(
  sides: DiffSides,
  range: Range,
  found: (what: DiffFinding) => Promise<void>,
  progress: CompareProgress,
): Promise<DiffRowCounts> {
  const { plan, signal } = sides
  const sum = { rows: 0n, targetRows: 0n, equal: 0n }
  const size = { rows: KEYS_AT_ONCE, bytes: 4 * 1024 * 1024 }
  const shared = new Set<string>()
  const unread: DiffFinding[] = []
  const onRefused: RowRequest['onRefused'] = (row, error) => unread.push({ kind: 'unread', row, error })
  for await (const { rows } of sides.source.read({ ...sourceRequest(sides, EVERY_KEY), onRefused }, size, signal)) {
    const { first, others } = sides.met?.taken(plan, rows) ?? { first: rows, others: [] }
    for (const row of others) await found({ kind: 'key', difference: sharedKeyDifference(plan, row) })
    sum.rows += BigInt(others.length)
    const source = new KeyedRows(plan)
    source.take([...first])
    sum.rows += source.count()
    const target = await rowsByKey(sides.target, targetRequest(sides, keysOf(plan, [...source.values()])), plan, signal)
    // Leave out target rows with other keys: `findExtra` below reports them.
    keepKeys(target, source)
    if (findsByKey(plan)) await completeShared(source, target, shared, (some) => readAll(sides, some))
    sum.equal += await compareMaps(plan, source, target, found)
    sum.targetRows += target.count()
    progress.compared(BigInt(rows.length))
  }
  for (const one of unread) await found(one)
  await findExtra(sides, range, async (difference) => {
    sum.targetRows += 1n
    await found({ kind: 'key', difference })
  })
  progress.settled(0n)
  return sum
}

function keysOf(plan: TablePlan, rows: readonly Row[]): Range {
  return { by: 'keys', keys: rows.map((row) => rowBound(plan, row)) }
}

/** Rows of the source with the keys of `some`. Unreadable rows are left out: the caller reports them. */
async function readAll(sides: DiffSides, some: readonly Row[]): Promise<KeyedRows> {
  const { plan, source, signal } = sides
  const request = sourceRequest(sides, keysOf(plan, some))
  return await rowsByKey(source, { ...request, onRefused: () => undefined }, plan, signal)
}
