/**
 * Parts of a table, compared one after the other. The first part has no lower bound and the last no upper bound, so
 * that target rows outside the source's keys are found. If a copy filled the table, parts end at bounds of its chunks,
 * so that each difference belongs to one chunk.
 */
import { hasWholeBounds, keyMayBeNull } from '../../../model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { ChunkCoverage, beginsWhereEnds, type KeyRange } from '../plan/covered.ts'
import type { ComparedPart } from './copied-part.ts'
import type { CopiedTable } from './copied-table.ts'
import type { DiffSides } from './sides.ts'

/** Limit of rows in a range that gets one checksum. */
export const SEGMENT_ROWS = 200_000

/** Limit of chunks in a segment, independent of their rows. */
const SEGMENT_CHUNKS = 1000

/** Number of pieces that a segment with different checksums is divided into. */
const PARTS = 32

/** A key range. `part`: the copied chunk, or the whole table, to which it belongs; null for none. */
export type RangePiece = { readonly range: Range; readonly part: ComparedPart | null }

/** One range and the pieces it consists of. Pieces are compared one by one if the checksums of the range differ. */
export type RangeSegment = { readonly range: Range; readonly pieces: readonly RangePiece[] }

/** @param copied null if no copy of the same rows is known */
export async function* segments(sides: DiffSides, copied: CopiedTable | null): AsyncGenerator<RangeSegment> {
  const { plan } = sides
  const whole = copied?.whole ?? null
  if (plan.source.key.length === 0) {
    yield one({ by: 'all' }, whole)
    return
  }
  const mayBeNull = keyMayBeNull(plan.source).length > 0
  if (copied !== null && whole === null) {
    const hasNullKeys = yield* ofChunks(sides, copied)
    if (mayBeNull && !hasNullKeys) yield one({ by: 'nullKey' }, null)
    return
  }
  if (plan.sortsAlike) for await (const range of cut(sides, EVERY_KEY)) yield one(range, whole)
  else yield one(EVERY_KEY, whole)
  if (mayBeNull) yield one({ by: 'nullKey' }, whole)
}

/** Divides a segment of several pieces into smaller ones. */
export function divided({ pieces }: RangeSegment): readonly RangeSegment[] {
  const size = Math.ceil(pieces.length / PARTS)
  return Array.from({ length: Math.ceil(pieces.length / size) }, (_, i) =>
    joinedPieces(pieces.slice(i * size, (i + 1) * size)),
  )
}

/** @param pieces adjacent key ranges, or one piece of any kind */
function joinedPieces(pieces: readonly RangePiece[]): RangeSegment {
  const [first, last] = [pieces[0]?.range, pieces.at(-1)?.range]
  if (first === undefined || last === undefined) throw new Error('a segment has no piece')
  if (pieces.length === 1 || first.by !== 'key' || last.by !== 'key') return { range: first, pieces }
  return { range: { by: 'key', after: first.after, through: last.through }, pieces }
}

/**
 * Segments of chunks. A chunk is in the state that it had when its page of the ledger was read. If another run divides
 * a chunk meanwhile, the old and the new chunks are compared; none is left out.
 * @returns true if one chunk has the rows with a NULL key
 */
async function* ofChunks(sides: DiffSides, copied: CopiedTable): AsyncGenerator<RangeSegment, boolean> {
  const integers = hasWholeBounds(sides.plan.source)
  // Report missing chunks before anything is compared.
  if (!integers) (await coverNow(copied)).cover.gaps(integers)
  const cover = new ChunkCoverage()
  let hasNullKeys = false
  let gaps: readonly KeyRange[] | null = null
  for (let last = 0; gaps === null;) {
    for await (const group of groups(copied.chunks(last), sides.plan.chunkRows)) {
      for (const chunk of group) {
        cover.add(chunk)
        hasNullKeys ||= chunk.range.by === 'nullKey'
        last = chunk.id
      }
      yield joinedPieces(group.map((chunk) => ({ range: chunk.range, part: copied.partOf(chunk) })))
    }
    gaps = await gapsAfterScan(copied, cover, last, integers)
  }
  for (const gap of gaps) for await (const range of cut(sides, gap)) yield one(range, null)
  return hasNullKeys
}

/**
 * Finds the key ranges that no chunk covers.
 * @param seen chunks read @param last largest id among them
 * @returns null if chunks were added since
 */
async function gapsAfterScan(
  copied: CopiedTable,
  seen: ChunkCoverage,
  last: number,
  integers: boolean,
): Promise<readonly KeyRange[] | null> {
  try {
    return seen.gaps(integers)
  } catch {
    // Some chunks were divided while they were read and overlap others: use the ledger's current coverage.
    const now = await coverNow(copied)
    return now.last > last ? null : now.cover.gaps(integers)
  }
}

async function coverNow(copied: CopiedTable): Promise<{ readonly cover: ChunkCoverage; readonly last: number }> {
  const cover = new ChunkCoverage()
  let last = 0
  for await (const chunk of copied.chunks()) {
    cover.add(chunk)
    last = chunk.id
  }
  return { cover, last }
}

/**
 * Groups adjacent chunks, up to SEGMENT_ROWS rows or SEGMENT_CHUNKS chunks. A chunk that does not fit starts a new
 * group.
 * @param rows assumed number of rows of an unfinished chunk
 */
async function* groups(chunks: AsyncIterable<StoredChunk>, rows: number): AsyncGenerator<readonly StoredChunk[]> {
  let group: StoredChunk[] = []
  let left = 0
  for await (const chunk of chunks) {
    const size = chunk.status === 'completed' ? Number(chunk.read) : rows
    const before = group.at(-1)
    if (before !== undefined && (size > left || group.length >= SEGMENT_CHUNKS || !beginsWhereEnds(before, chunk))) {
      yield group
      group = []
    }
    if (group.length === 0) left = SEGMENT_ROWS
    group.push(chunk)
    left -= size
  }
  if (group.length > 0) yield group
}

function cut({ plan, source, signal }: DiffSides, within: Range): AsyncIterable<Range> {
  return source.cut(plan.source, within, plan.where ?? null, SEGMENT_ROWS, signal)
}

const one = (range: Range, part: ComparedPart | null): RangeSegment => ({ range, pieces: [{ range, part }] })
