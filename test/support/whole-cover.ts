/**
 * Reference implementation for `Cover` and the segments of a comparison: it gets all chunks together, and they get one
 * after the other.
 */
import type { KeyBound, Range } from '../../src/model/copy/range.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { StoredChunk } from '../../src/engine/copy/ledger/stored-chunk.ts'

type KeyRange = Range & { readonly by: 'key' }

type WholeCover = {
  /** Chunks of keys from the smallest to the largest. */
  readonly chain: readonly StoredChunk[]
  /** Key ranges that no chunk covers. */
  readonly gaps: readonly KeyRange[]
}

/**
 * @param integers the key is one integer, so that gaps between chunks can be found; otherwise only a gap after the last
 * chunk can
 * @throws SluiceError LEDGER_DAMAGED if chunks are missing in the middle and their key ranges cannot be found
 */
export function coverOf(chunks: readonly StoredChunk[], integers: boolean): WholeCover {
  const keyed = chunks.filter(({ range }) => range.by === 'key')
  if (keyed.length === 0) return { chain: [], gaps: [{ by: 'key', after: null, through: null }] }
  return integers ? byNumber(keyed) : byLinks(keyed)
}

/** Groups of chunks whose key ranges adjoin. */
export function neighbours(chain: readonly StoredChunk[]): readonly (readonly StoredChunk[])[] {
  const groups: StoredChunk[][] = []
  for (const chunk of chain) {
    const last = groups.at(-1)?.at(-1)
    if (last !== undefined && boundText(endOf(last)) === boundText(startOf(chunk))) groups.at(-1)?.push(chunk)
    else groups.push([chunk])
  }
  return groups
}

function byLinks(chunks: readonly StoredChunk[]): WholeCover {
  const byStart = new Map(chunks.map((chunk) => [boundText(startOf(chunk)), chunk]))
  const chain: StoredChunk[] = []
  let at: KeyBound | null = null
  for (;;) {
    const next: StoredChunk | undefined = byStart.get(boundText(at))
    if (next === undefined) break
    byStart.delete(boundText(at))
    chain.push(next)
    at = endOf(next)
    if (at === null) break
  }
  if (byStart.size === 0)
    return { chain, gaps: at === null && chain.length > 0 ? [] : [{ by: 'key', after: at, through: null }] }
  throw new SluiceError(
    'LEDGER_DAMAGED',
    'the ledger lacks chunks in the middle of the table, and their key ranges are unknown',
    {
      hint: 'run the same command with --restart; existing rows of the target are not removed',
    },
  )
}

function byNumber(chunks: readonly StoredChunk[]): WholeCover {
  const chain = chunks.toSorted((a, b) => compareBounds(wholeBound(startOf(a)), wholeBound(startOf(b))))
  const gaps: KeyRange[] = []
  let at: KeyBound | null = null
  let first = true
  for (const chunk of chain) {
    const start = startOf(chunk)
    if (first ? start !== null : boundText(start) !== boundText(at)) gaps.push({ by: 'key', after: at, through: start })
    first = false
    at = endOf(chunk)
  }
  if (at !== null) gaps.push({ by: 'key', after: at, through: null })
  return { chain, gaps }
}

function startOf({ range }: StoredChunk): KeyBound | null {
  return range.by === 'key' ? range.after : null
}

function endOf({ range }: StoredChunk): KeyBound | null {
  return range.by === 'key' ? range.through : null
}

/** The bound of a key that is one integer. */
function wholeBound(bound: KeyBound | null): bigint | null {
  return bound === null ? null : BigInt(bound[0] ?? 0)
}

/** An open lower bound comes first. */
function compareBounds(a: bigint | null, b: bigint | null): number {
  if (a === b) return 0
  if (a === null) return -1
  if (b === null) return 1
  return a < b ? -1 : 1
}

function boundText(bound: KeyBound | null): string {
  return bound === null ? '' : JSON.stringify(bound)
}
