/**
 * Parts of a table that are compared one after the other; open at both ends, so that rows outside the source's keys are found. Where a copy has filled the
 * table they end where its chunks do, so that what is found belongs to one of them.
 */
import { hasWholeBounds, keyMayBeNull } from '../../../model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { Cover, follows, type KeyRange } from '../plan/covered.ts'
import type { CopiedPart } from './copied-part.ts'
import type { CopiedTable } from './copied-table.ts'
import type { Sides } from './sides.ts'

/** Rows of a range that is summed at once. */
export const SEGMENT_ROWS = 200_000

/** Chunks of a segment, however few rows they hold. */
const SEGMENT_CHUNKS = 1000

/** Into how many a segment is divided whose sums differ. */
const PARTS = 32

export type Piece = { readonly range: Range; readonly part: CopiedPart | null }

/** One range, and the pieces that it is made of: looked at one by one where its sums differ. */
export type Segment = { readonly range: Range; readonly pieces: readonly Piece[] }

/** @param copied null where no copy of the same rows is known */
export async function* segments(sides: Sides, copied: CopiedTable | null): AsyncGenerator<Segment> {
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

/** Smaller segments of one with several pieces. */
export function divided({ pieces }: Segment): readonly Segment[] {
  const size = Math.ceil(pieces.length / PARTS)
  return Array.from({ length: Math.ceil(pieces.length / size) }, (_, i) =>
    joinedPieces(pieces.slice(i * size, (i + 1) * size)),
  )
}

/** @param pieces neighbours by their keys, or one of any kind */
function joinedPieces(pieces: readonly Piece[]): Segment {
  const [first, last] = [pieces[0]?.range, pieces.at(-1)?.range]
  if (first === undefined || last === undefined) throw new Error('a segment has no piece')
  if (pieces.length === 1 || first.by !== 'key' || last.by !== 'key') return { range: first, pieces }
  return { range: { by: 'key', after: first.after, through: last.through }, pieces }
}

/**
 * Each chunk as it is when its page of the ledger is read. What another run cuts again meanwhile is compared as it was, and as it is then: never left out.
 * @returns whether one of them holds the rows without a key
 */
async function* ofChunks(sides: Sides, copied: CopiedTable): AsyncGenerator<Segment, boolean> {
  const integers = hasWholeBounds(sides.plan.source)
  // That chunks are missing is said before anything is compared.
  if (!integers) (await coverNow(copied)).cover.gaps(integers)
  const cover = new Cover()
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
    gaps = await gapsBehind(copied, cover, last, integers)
  }
  for (const gap of gaps) for await (const range of cut(sides, gap)) yield one(range, null)
  return hasNullKeys
}

/** @param seen what was told @param last the largest id of it @returns null where chunks have come since */
async function gapsBehind(
  copied: CopiedTable,
  seen: Cover,
  last: number,
  integers: boolean,
): Promise<readonly KeyRange[] | null> {
  try {
    return seen.gaps(integers)
  } catch {
    // Some were cut again while they were told, and lie over others: the ledger says what is covered now.
    const now = await coverNow(copied)
    return now.last > last ? null : now.cover.gaps(integers)
  }
}

async function coverNow(copied: CopiedTable): Promise<{ readonly cover: Cover; readonly last: number }> {
  const cover = new Cover()
  let last = 0
  for await (const chunk of copied.chunks()) {
    cover.add(chunk)
    last = chunk.id
  }
  return { cover, last }
}

/** Neighbours in groups of about as many rows as are summed at once, and other chunks one by one. @param rows of a chunk that nobody has read yet */
async function* groups(chunks: AsyncIterable<StoredChunk>, rows: number): AsyncGenerator<readonly StoredChunk[]> {
  let group: StoredChunk[] = []
  let left = 0
  for await (const chunk of chunks) {
    const size = chunk.status === 'completed' ? Number(chunk.read) : rows
    const before = group.at(-1)
    if (before !== undefined && (size > left || group.length >= SEGMENT_CHUNKS || !follows(before, chunk))) {
      yield group
      group = []
    }
    if (group.length === 0) left = SEGMENT_ROWS
    group.push(chunk)
    left -= size
  }
  if (group.length > 0) yield group
}

function cut({ plan, source, signal }: Sides, within: Range): AsyncIterable<Range> {
  return source.cut(plan.source, within, plan.where ?? null, SEGMENT_ROWS, signal)
}

const one = (range: Range, part: CopiedPart | null): Segment => ({ range, pieces: [{ range, part }] })
