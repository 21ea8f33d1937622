/** The ring of tokens, as whole numbers: how it is split, what of it is left to do, which part of it is a sample. A number of JavaScript holds none of them. */
import type { RingSpec } from './column-type.ts'
import type { Range } from './range.ts'

/** Tokens from `low` to `high`, both included. */
export type TokenRange = { readonly low: bigint; readonly high: bigint }

/**
 * The tokens that keys can have, as the Cassandra Data Migrator counts them. The RandomPartitioner has two more, which open ends of ranges cover:
 * −1 is its minimum, the token of no key, and 2^127 is that of one hash in 2^128.
 */
export const RINGS: Readonly<Record<RingSpec['partitioner'], TokenRange>> = {
  murmur3: { low: -(2n ** 63n), high: 2n ** 63n - 1n },
  random: { low: 0n, high: 2n ** 127n - 1n },
  ycql: { low: 0n, high: 65_535n },
}

/** Tokens of a part where there are fewer tokens than parts are asked for. */
const SMALL_PART = 100_000n

/**
 * Equal parts, as the Cassandra Data Migrator cuts them: to the token, so that its parts and ours can be compared.
 * @param parts 1 or more; there may be fewer where there are not so many tokens
 * @returns ascending, without gaps; none where `low` is above `high`
 */
export function splitTokens(low: bigint, high: bigint, parts: number): readonly TokenRange[] {
  if (!Number.isSafeInteger(parts) || parts < 1) throw new Error(`a ring is split in 1 part or more, not in ${parts}`)
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
  // Towards the low end, for numbers below zero too.
  const middle = low + (high - low) / 2n
  return [
    { low, high: middle },
    { low: middle + 1n, high },
  ]
}

/**
 * What of the wanted ranges lies in none of those that are done, however either were split.
 * @returns in the order of `wanted`, ascending within each; wanted ranges that overlap are given as often as they were wanted
 */
export function remainingTokens(wanted: readonly TokenRange[], done: readonly TokenRange[]): readonly TokenRange[] {
  const covered = mergedTokens(done)
  return wanted.flatMap((range) => cutTokens(range, covered).between)
}

/** Ranges in ascending order; those that touch or overlap are one. */
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

/** The tokens that two lists have, ascending; ranges that touch or overlap are one. */
export function sharedTokens(a: readonly TokenRange[], b: readonly TokenRange[]): readonly TokenRange[] {
  const right = mergedTokens(b)
  return mergedTokens(a).flatMap((range) => cutTokens(range, right).within)
}

/**
 * A range, cut where others begin and end.
 * @param others ascending, and none over another
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
 * The beginning of each range, at least its first token.
 * @param percent 1 to 100
 */
export function sampleTokens(ranges: readonly TokenRange[], percent: number): readonly TokenRange[] {
  if (percent === 100) return ranges
  return ranges.map(({ low, high }) => ({ low, high: low + ((high - low) * BigInt(percent)) / 100n }))
}

/** How many tokens lie in a range. */
export function tokenCount({ low, high }: TokenRange): bigint {
  return high < low ? 0n : high - low + 1n
}

/** Another order, the same for the same seed. */
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

/** As ranges of keys are written: what begins or ends with the ring is open there. */
export function rangeOfTokens({ low, high }: TokenRange, ring: TokenRange): Range & { readonly by: 'key' } {
  return {
    by: 'key',
    after: low <= ring.low ? null : [(low - 1n).toString()],
    through: high >= ring.high ? null : [high.toString()],
  }
}

/** The tokens of a range of keys. */
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

/** Index of the first of some ascending ranges that does not end before a token. */
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

/** xorshift of 32 bits, begun with FNV-1a of the seed. */
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
