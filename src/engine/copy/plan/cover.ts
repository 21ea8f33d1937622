/** Which parts of a table are chunks already, and which are not. Bounds are compared as bytes only: neighbours have equal ones. */
import type { Bound, Range } from '../../../model/copy/range.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'

export type KeyRange = Range & { readonly by: 'key' }

export type Cover = {
  /** Chunks of keys from the smallest to the largest. */
  readonly chain: readonly StoredChunk[]
  /** Ranges that no chunk covers. */
  readonly gaps: readonly KeyRange[]
}

/**
 * @param integers the key is one whole number, so that gaps between chunks can be told; elsewhere only what lies behind the last chunk can
 * @throws SluiceError LEDGER_DAMAGED where somebody took chunks out of the middle and nobody can tell which
 */
export function coverOf(chunks: readonly StoredChunk[], integers: boolean): Cover {
  const keyed = chunks.filter(({ range }) => range.by === 'key')
  if (keyed.length === 0) return { chain: [], gaps: [{ by: 'key', after: null, through: null }] }
  return integers ? byNumber(keyed) : byLinks(keyed)
}

/** Neighbours that are to be cut again, as one range each. */
export function joined(
  chain: readonly StoredChunk[],
  open: (chunk: StoredChunk) => boolean,
): readonly (readonly StoredChunk[])[] {
  const groups: StoredChunk[][] = []
  let group: StoredChunk[] = []
  for (const chunk of chain) {
    const last = group.at(-1)
    if (!open(chunk)) {
      if (group.length > 0) groups.push(group)
      group = []
    } else if (last !== undefined && boundText(endOf(last)) !== boundText(startOf(chunk))) {
      groups.push(group)
      group = [chunk]
    } else group.push(chunk)
  }
  if (group.length > 0) groups.push(group)
  return groups
}

/** From the beginning of the first chunk to the end of the last. */
export function spanOf(group: readonly StoredChunk[]): KeyRange {
  const [first] = group
  const last = group.at(-1)
  if (first === undefined || last === undefined) throw new Error('a group of chunks is empty')
  return { by: 'key', after: startOf(first), through: endOf(last) }
}

function byLinks(chunks: readonly StoredChunk[]): Cover {
  const byStart = new Map(chunks.map((chunk) => [boundText(startOf(chunk)), chunk]))
  const chain: StoredChunk[] = []
  let at: Bound | null = null
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
    'chunks are missing from the ledger, and the table cannot say which rows they held',
    {
      hint: 'begin again with --restart; rows that the target holds stay there',
    },
  )
}

function byNumber(chunks: readonly StoredChunk[]): Cover {
  const chain = chunks.toSorted((a, b) => compareBounds(wholeBound(startOf(a)), wholeBound(startOf(b))))
  const gaps: KeyRange[] = []
  let at: Bound | null = null
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

function startOf({ range }: StoredChunk): Bound | null {
  return range.by === 'key' ? range.after : null
}

function endOf({ range }: StoredChunk): Bound | null {
  return range.by === 'key' ? range.through : null
}

/** Of a key that is one whole number. */
export function wholeBound(bound: Bound | null): bigint | null {
  return bound === null ? null : BigInt(bound[0] ?? 0)
}

/** An open beginning comes first. */
export function compareBounds(a: bigint | null, b: bigint | null): number {
  if (a === b) return 0
  if (a === null) return -1
  if (b === null) return 1
  return a < b ? -1 : 1
}

export function boundText(bound: Bound | null): string {
  return bound === null ? '' : JSON.stringify(bound)
}
