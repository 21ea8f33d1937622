/** Key range of one chunk in a series of consecutive chunks. */
import type { KeySpan } from './event.ts'
import type { ChunkRange } from '../copy/summary-events.ts'

/**
 * Key range of one chunk. If only the outer bounds are known, equal widths of all chunks are assumed, which is enough
 * for display.
 * @param no number of one of the chunks @returns undefined if unknown
 */
export function keyRangeOfChunk({ first, last, edges }: ChunkRange, no: number): KeySpan | undefined {
  if (edges === undefined) return undefined
  const [at, chunks] = [no - first, last - first + 1]
  if (edges.length <= chunks) return evenRange(edges, at, chunks)
  const [before = null, end = null] = [edges[at], edges[at + 1]]
  const begin = before === null || at === 0 ? before : String(BigInt(before) + 1n)
  return { from: begin === null ? null : [begin], to: end === null ? null : [end] }
}

function evenRange([begin = null, end = null]: readonly (string | null)[], at: number, chunks: number): KeySpan {
  const isLast = at === chunks - 1
  // If one bound of the series is open, its width is unknown. Then every bound between two chunks is the known bound.
  if (begin === null || end === null) {
    return {
      from: at === 0 ? asBound(begin) : asBound(begin ?? end),
      to: isLast ? asBound(end) : asBound(begin ?? end),
    }
  }
  const [low, width] = [BigInt(begin), BigInt(end) - BigInt(begin) + 1n]
  const edge = (part: number): bigint => low + (width * BigInt(part)) / BigInt(chunks)
  return { from: [String(edge(at))], to: [String(edge(at + 1) - 1n)] }
}

const asBound = (edge: string | null): readonly string[] | null => (edge === null ? null : [edge])
