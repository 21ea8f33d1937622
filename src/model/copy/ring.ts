/** Token ring arithmetic in bigint, because tokens exceed a double: splitting, remaining ranges, samples. */
import { INT64 } from '../../shared/int64.ts'
import type { RingSpec } from './column-type.ts'
import type { Range } from './range.ts'

/** Tokens from `low` to `high`, both inclusive. */
export type TokenRange = { readonly low: bigint; readonly high: bigint }

/**
 * The tokens that keys can have, as the Cassandra Data Migrator counts them. The RandomPartitioner has two more tokens,
 * which only open bounds cover: its minimum −1, which no key has, and 2^127, the token of one hash in 2^128.
 */
export const RING_TOKENS: Readonly<Record<RingSpec['partitioner'], TokenRange>> = {
  murmur3: { low: INT64.least, high: INT64.most },
  random: { low: 0n, high: 2n ** 127n - 1n },
  ycql: { low: 0n, high: 65_535n },
}

/** Tokens per part if there are fewer tokens than requested parts. */
const SMALL_PART = 100_000n

/**
 * Equal parts with the bounds that the Cassandra Data Migrator computes, so that parts of both tools can be compared.
 * @param parts 1 or more; the result may have fewer if there are too few tokens
 * @returns ascending, without gaps; empty if `low` is above `high`
 */
export function splitTokens(low: bigint, high: bigint, parts: number): readonly TokenRange[] {
  if (!Number.isSafeInteger(parts) || parts < 1) throw new Error(`a ring is split into at least 1 part, not ${parts}`)
  const equal = (high - low) / BigInt(parts)
  const size = equal > 0n ? equal : SMALL_PART
  const ranges: TokenRange[] = []
  for (let at = low; at <= high; at += size + 1n) {
    ranges.push({ low: at, high: at + size > high ? high : at + size })
  }
  return ranges
}

/** Two halves; null for a single token. */
export function halveTokens({ low, high }: TokenRange): readonly [TokenRange, TokenRange] | null {
  if (low >= high) return null
  // Round towards the low end, for negative numbers too.
  const middle = low + (high - low) / 2n
  return [
    { low, high: middle },
    { low: middle + 1n, high },
  ]
}

/**
 * The parts of the wanted ranges that no done range covers, independent of how both lists were split.
 * @returns in the order of `wanted`, ascending within each; tokens in two wanted ranges are returned for both
 */
export function remainingTokens(wanted: readonly TokenRange[], done: readonly TokenRange[]): readonly TokenRange[] {
  const covered = mergedTokens(done)
  return wanted.flatMap((range) => cutTokens(range, covered).between)
}

/** Sorted ranges; those that touch or overlap are merged. */
export function mergedTokens(ranges: readonly TokenRange[]): readonly TokenRange[] {
  const merged: TokenRange[] = []
  for (const range of ranges.toSorted(byLow)) {
    if (range.low > range.high) continue
    const last = merged.at(-1)
    if (last === undefined || range.low > last.high + 1n) merged.push(range)
    else if (range.high > last.high) merged[merged.length - 1] = { low: last.low, high: range.high }
  }
  return merged
}

/**
 * Cuts a range at the bounds of `others`.
 * @param others sorted, without overlaps
 * @returns `within`: the pieces inside of `others`; `between`: the pieces that `others` do not cover
 */
export function cutTokens(
  { low, high }: TokenRange,
  others: readonly TokenRange[],
): { readonly within: readonly TokenRange[]; readonly between: readonly TokenRange[] } {
  const within: TokenRange[] = []
  const between: TokenRange[] = []
  let at = low
  for (let i = firstEndingFrom(others, low); i < others.length; i++) {
    const one = others[i]
    if (one === undefined || one.low > high) break
    const piece = { low: one.low > low ? one.low : low, high: one.high < high ? one.high : high }
    if (piece.low > at) between.push({ low: at, high: piece.low - 1n })
    within.push(piece)
    at = piece.high + 1n
  }
  if (at <= high) between.push({ low: at, high })
  return { within, between }
}

/**
 * The first `percent` percent of each range, at least its first token.
 * @param percent 1 to 100
 */
export function sampleTokens(ranges: readonly TokenRange[], percent: number): readonly TokenRange[] {
  if (percent === 100) return ranges
  return ranges.map(({ low, high }) => ({ low, high: low + ((high - low) * BigInt(percent)) / 100n }))
}

/** Number of tokens in a range. */
export function tokenCount({ low, high }: TokenRange): bigint {
  return high < low ? 0n : high - low + 1n
}

/** A random order, the same for the same seed. */
export function shuffled<T>(list: readonly T[], seed: string): readonly T[] {
  const next = numbersFrom(seed)
  const all = [...list]
  for (let i = all.length - 1; i > 0; i--) {
    const j = next() % (i + 1)
    const [a, b] = [all[i], all[j]]
    if (a === undefined || b === undefined) continue
    all[i] = b
    all[j] = a
  }
  return all
}

/** Token range as a key range: open at either end of the ring. */
export function rangeOfTokens({ low, high }: TokenRange, ring: TokenRange): Range & { readonly by: 'key' } {
  return {
    by: 'key',
    after: low <= ring.low ? null : [(low - 1n).toString()],
    through: high >= ring.high ? null : [high.toString()],
  }
}

/** Key range as a token range. */
export function tokensOfRange(range: Range & { readonly by: 'key' }, ring: TokenRange): TokenRange {
  const [after] = range.after ?? []
  const [through] = range.through ?? []
  return {
    low: after === undefined ? ring.low : BigInt(after) + 1n,
    high: through === undefined ? ring.high : BigInt(through),
  }
}

function byLow(a: TokenRange, b: TokenRange): number {
  return a.low < b.low ? -1 : a.low > b.low ? 1 : 0
}

/** Index of the first of the sorted ranges that does not end before a token. */
function firstEndingFrom(ranges: readonly TokenRange[], token: bigint): number {
  let [from, to] = [0, ranges.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    const one = ranges[middle]
    if (one !== undefined && one.high < token) from = middle + 1
    else to = middle
  }
  return from
}

/** 32-bit xorshift, seeded with FNV-1a of the text. */
function numbersFrom(seed: string): () => number {
  let state = 0x811c9dc5
  for (let i = 0; i < seed.length; i++) state = Math.imul(state ^ seed.charCodeAt(i), 0x01000193)
  if (state === 0) state = 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}
