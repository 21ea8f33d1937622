/**
 * Key ranges that chunks cover, and the gaps between them. Adjacent chunks are merged, so that a million chunks need
 * little memory. Bounds are compared only as texts: adjacent chunks have equal bounds.
 */
import type { KeyBound, Range } from '../../../model/copy/range.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { StoredChunk } from '../ledger/stored-chunk.ts'

export type KeyRange = Range & { readonly by: 'key' }

/** Adjacent chunks as one range. */
export type AdjacentChunks = { after: KeyBound | null; through: KeyBound | null; ids: number[] }

export class ChunkCoverage {
  readonly #keepsIds: boolean
  readonly #starts = new Map<string, AdjacentChunks>()
  readonly #ends = new Map<string, AdjacentChunks>()
  /** Chunks with the same lower or upper bound as another chunk. */
  readonly #more: AdjacentChunks[] = []

  /** @param keepsIds true to keep chunk ids, for `mergedRanges` */
  constructor(keepsIds = false) {
    this.#keepsIds = keepsIds
  }

  add({ id, range }: Pick<StoredChunk, 'id' | 'range'>): void {
    if (range.by !== 'key') return
    let stretch: AdjacentChunks = { after: range.after, through: range.through, ids: this.#keepsIds ? [id] : [] }
    const before = range.after === null ? undefined : this.#ends.get(boundText(range.after))
    if (before !== undefined) stretch = this.#joined(before, stretch)
    const behind = stretch.through === null ? undefined : this.#starts.get(boundText(stretch.through))
    if (behind !== undefined && behind !== stretch) stretch = this.#joined(stretch, behind)
    const [start, end] = [boundText(stretch.after), boundText(stretch.through)]
    if (this.#starts.has(start) || this.#ends.has(end)) {
      this.#more.push(stretch)
      return
    }
    this.#starts.set(start, stretch)
    this.#ends.set(end, stretch)
  }

  /** Merged ranges: no two of them are adjacent. */
  get mergedRanges(): readonly AdjacentChunks[] {
    return [...this.#starts.values(), ...this.#more]
  }

  /**
   * Ranges that no chunk covers.
   * @param integers true if the key is one integer column: gaps between chunks can then be found; otherwise only the
   * range after the last chunk can be found
   * @throws SluiceError LEDGER_DAMAGED if chunks are missing in the middle and their range is unknown
   */
  gaps(integers: boolean): readonly KeyRange[] {
    const all = this.mergedRanges
    if (all.length === 0) return [{ by: 'key', after: null, through: null }]
    return integers ? gapsOfNumbers(all) : gapAfter(all)
  }

  #joined(first: AdjacentChunks, second: AdjacentChunks): AdjacentChunks {
    for (const one of [first, second]) {
      if (this.#starts.get(boundText(one.after)) === one) this.#starts.delete(boundText(one.after))
      if (this.#ends.get(boundText(one.through)) === one) this.#ends.delete(boundText(one.through))
    }
    const [most, fewer] = first.ids.length < second.ids.length ? [second.ids, first.ids] : [first.ids, second.ids]
    for (const id of fewer) most.push(id)
    return { after: first.after, through: second.through, ids: most }
  }
}

/** True if the second chunk begins where the first one ends. */
export function beginsWhereEnds({ range: before }: StoredChunk, { range }: StoredChunk): boolean {
  return (
    before.by === 'key' &&
    range.by === 'key' &&
    before.through !== null &&
    boundText(before.through) === boundText(range.after)
  )
}

function gapAfter(stretches: readonly AdjacentChunks[]): readonly KeyRange[] {
  const [only] = stretches
  if (stretches.length === 1 && only?.after === null)
    return only.through === null ? [] : [{ by: 'key', after: only.through, through: null }]
  throw new SluiceError(
    'LEDGER_DAMAGED',
    'the ledger lacks chunks in the middle of the table, and their key ranges are unknown',
    {
      hint: 'run the same command with --restart; existing rows of the target are not removed',
    },
  )
}

function gapsOfNumbers(stretches: readonly AdjacentChunks[]): readonly KeyRange[] {
  const chain = stretches.toSorted((a, b) => compareBounds(number(a.after), number(b.after)))
  const gaps: KeyRange[] = []
  let at: KeyBound | null = null
  let first = true
  for (const { after, through } of chain) {
    if (!first && at === null) break
    // Skip a range that ends within an earlier range: it covers nothing more.
    if (!first && through !== null && (number(through) ?? 0n) <= (number(at) ?? 0n)) continue
    if (first ? after !== null : (number(after) ?? 0n) > (number(at) ?? 0n))
      gaps.push({ by: 'key', after: at, through: after })
    first = false
    at = through
  }
  if (at !== null) gaps.push({ by: 'key', after: at, through: null })
  return gaps
}

/** Bound of a key of one integer column. */
function number(bound: KeyBound | null): bigint | null {
  return bound === null ? null : BigInt(bound[0] ?? 0)
}

/** Compares lower bounds; null, which is no bound, comes first. */
function compareBounds(a: bigint | null, b: bigint | null): number {
  if (a === b) return 0
  if (a === null) return -1
  if (b === null) return 1
  return a < b ? -1 : 1
}

export function boundText(bound: KeyBound | null): string {
  return bound === null ? '' : JSON.stringify(bound)
}
