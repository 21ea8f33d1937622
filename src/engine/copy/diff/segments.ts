/**
 * Parts of a table that are compared one after the other; open at both ends, so that rows outside the source's keys are found. Where a copy has filled the
 * table they end where its chunks do, so that what is found belongs to one of them.
 */
import { hasWholeBounds } from '../../../model/copy/column-type.ts'
import { EVERY_KEY, type Range } from '../../../model/copy/range.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'
import { coverOf, joined } from '../plan/cover.ts'
import type { CopiedPart } from './copied-part.ts'
import type { CopiedTable } from './copied-table.ts'
import type { Sides } from './sides.ts'

/** Rows of a range that is summed at once. */
export const SEGMENT_ROWS = 200_000

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
  if (copied !== null && whole === null) yield* ofChunks(sides, copied)
  else if (plan.sortsAlike) for await (const range of cut(sides, EVERY_KEY)) yield one(range, whole)
  else yield one(EVERY_KEY, whole)
  if (plan.source.columns.some(({ name, nullable }) => nullable && plan.source.key.includes(name))) {
    const nullKeys = copied?.chunks.find(({ range }) => range.by === 'nullKey')
    yield one({ by: 'nullKey' }, nullKeys === undefined ? whole : (copied?.partOf(nullKeys) ?? whole))
  }
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

async function* ofChunks(sides: Sides, copied: CopiedTable): AsyncGenerator<Segment> {
  const { chain, gaps } = coverOf(copied.chunks, hasWholeBounds(sides.plan.source))
  for (const neighbours of joined(chain, () => true)) {
    for (const group of ofSize(neighbours, sides.plan.chunkRows)) {
      yield joinedPieces(group.map((chunk) => ({ range: chunk.range, part: copied.partOf(chunk) })))
    }
  }
  for (const gap of gaps) for await (const range of cut(sides, gap)) yield one(range, null)
}

function cut({ plan, source, signal }: Sides, within: Range): AsyncIterable<Range> {
  return source.cut(plan.source, within, plan.where ?? null, SEGMENT_ROWS, signal)
}

/** Neighbours in groups of about as many rows as are summed at once. @param rows of a chunk that nobody has read yet */
function ofSize(neighbours: readonly StoredChunk[], rows: number): readonly (readonly StoredChunk[])[] {
  const groups: StoredChunk[][] = []
  let left = 0
  for (const chunk of neighbours) {
    const size = chunk.status === 'completed' ? Number(chunk.read) : rows
    if (size > left) {
      groups.push([])
      left = SEGMENT_ROWS
    }
    groups.at(-1)?.push(chunk)
    left -= size
  }
  return groups
}

const one = (range: Range, part: CopiedPart | null): Segment => ({ range, pieces: [{ range, part }] })
