/** The token ring: split exactly as the Cassandra Data Migrator does, and covered once whatever was done before. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cutTokens,
  halveTokens,
  mergedTokens,
  rangeOfTokens,
  remainingTokens,
  RING_TOKENS,
  sampleTokens,
  shuffled,
  splitTokens,
  tokenCount,
  tokensOfRange,
  type TokenRange,
} from '../../src/model/copy/ring.ts'

const { murmur3, random, ycql } = RING_TOKENS

const ring = fc.constantFrom(murmur3, random, ycql)

/** Any range of a ring. */
const within = ring.chain((whole) =>
  fc
    .tuple(fc.bigInt({ min: whole.low, max: whole.high }), fc.bigInt({ min: whole.low, max: whole.high }))
    .map(([a, b]): TokenRange => (a < b ? { low: a, high: b } : { low: b, high: a })),
)

/** Ranges on a ring so small that every token can be listed. */
const small = fc.array(
  fc.tuple(fc.integer({ min: -60, max: 60 }), fc.integer({ min: 0, max: 30 })).map(([low, size]): TokenRange => ({
    low: BigInt(low),
    high: BigInt(low + size),
  })),
  { maxLength: 8 },
)

const tokensOf = (ranges: readonly TokenRange[]): bigint[] =>
  ranges.flatMap(({ low, high }) =>
    Array.from({ length: Number(tokenCount({ low, high })) }, (_, i) => low + BigInt(i)),
  )

const ascending = (tokens: readonly bigint[]): bigint[] => tokens.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))

/** Fails on a gap, an overlap, or other ends. */
function expectCover(parts: readonly TokenRange[], { low, high }: TokenRange): void {
  expect(parts[0]?.low).toBe(low)
  expect(parts.at(-1)?.high).toBe(high)
  const torn = parts.findIndex((part, i) => {
    const next = parts[i + 1]
    return part.low > part.high || (next !== undefined && next.low !== part.high + 1n)
  })
  expect(torn).toBe(-1)
}

describe('splitting', () => {
  it.each([1, 2, 3, 4, 10, 16, 64, 100, 1000, 5000, 10_000])('gives exactly %i parts of the Murmur3 ring', (parts) => {
    const split = splitTokens(murmur3.low, murmur3.high, parts)
    expect(split).toHaveLength(parts)
    expectCover(split, murmur3)
  })

  it('gives the same parts as the Cassandra Data Migrator', () => {
    const split = splitTokens(murmur3.low, murmur3.high, 5000)
    expect(split[0]).toEqual({ low: -9223372036854775808n, high: -9219682688040033898n })
    expect(split.at(-1)).toEqual({ low: 9219682688040037281n, high: 9223372036854775807n })
  })

  it('of 100,000 tokens into more parts gives one token per part', () => {
    expect(splitTokens(-9223372036854775808n, -9223372036854775800n, 64)).toEqual([
      { low: -9223372036854775808n, high: -9223372036854775800n },
    ])
    expect(splitTokens(0n, 150_000n, 200_000)).toEqual([
      { low: 0n, high: 100_000n },
      { low: 100_001n, high: 150_000n },
    ])
    expect(splitTokens(7n, 7n, 64)).toEqual([{ low: 7n, high: 7n }])
    expect(splitTokens(8n, 7n, 64)).toEqual([])
    expect(() => splitTokens(0n, 9n, 0)).toThrow('at least 1 part')
  })

  it('covers any range of any ring, with no more parts than tokens or than requested', () => {
    fc.assert(
      fc.property(within, fc.integer({ min: 1, max: 7919 }), (range, parts) => {
        const split = splitTokens(range.low, range.high, parts)
        expectCover(split, range)
        expect(split.length).toBeLessThanOrEqual(parts)
        expect(BigInt(split.length) <= tokenCount(range)).toBe(true)
        const sizes = split.slice(0, -1).map(tokenCount)
        expect(new Set(sizes).size).toBeLessThanOrEqual(1)
      }),
      { numRuns: 150 },
    )
  })
})

describe('halving', () => {
  it('ends at single tokens, and loses none', () => {
    fc.assert(
      fc.property(within, (range) => {
        const halves = halveTokens(range)
        if (halves === null) {
          expect(range.low).toBe(range.high)
          return
        }
        expectCover(halves, range)
        const [a, b] = halves.map(tokenCount)
        expect(Number((a ?? 0n) - (b ?? 0n))).toBeGreaterThanOrEqual(0)
        expect(Number((a ?? 0n) - (b ?? 0n))).toBeLessThanOrEqual(1)
      }),
    )
    let depth = 0
    for (let at: TokenRange = murmur3; ; depth++) {
      const halves = halveTokens(at)
      if (halves === null) break
      at = halves[depth % 2 === 0 ? 0 : 1]
    }
    expect(depth).toBeLessThanOrEqual(64)
  })
})

describe('remaining tokens', () => {
  it('are the requested ones that are not done, each once', () => {
    fc.assert(
      fc.property(small, small, (wanted, done) => {
        const apart = mergedTokens(wanted)
        const there = new Set(tokensOf(done))
        const left = tokensOf(remainingTokens(apart, done))
        expect(left).toEqual(tokensOf(apart).filter((token) => !there.has(token)))
      }),
    )
  })

  it('and the common tokens of two lists are all tokens of the first', () => {
    fc.assert(
      fc.property(small, small, (a, b) => {
        const both = tokensOf(
          mergedTokens(mergedTokens(a).flatMap((range) => cutTokens(range, mergedTokens(b)).within)),
        )
        const others = tokensOf(remainingTokens(mergedTokens(a), b))
        expect(ascending([...both, ...others])).toEqual(tokensOf(mergedTokens(a)))
      }),
    )
  })

  it('cover the ring once, for any number of parts, any ranges and any order of resuming', () => {
    const step = fc.record({
      parts: fc.integer({ min: 1, max: 300 }),
      part: fc.option(fc.tuple(fc.nat({ max: 1000 }), fc.nat({ max: 1000 }))),
      percent: fc.integer({ min: 1, max: 100 }),
      /** Selects the ranges of a run that are done before it is interrupted. */
      seed: fc.string(),
      done: fc.nat({ max: 100 }),
    })
    fc.assert(
      fc.property(ring, fc.array(step, { maxLength: 8 }), fc.integer({ min: 1, max: 300 }), (whole, steps, last) => {
        const span = whole.high - whole.low
        const done: TokenRange[] = []
        for (const { parts, part, percent, seed, done: share } of steps) {
          const [from, to] = [...(part ?? [0, 1000])].toSorted((a, b) => a - b)
          const low = whole.low + (span * BigInt(from ?? 0)) / 1000n
          const high = whole.low + (span * BigInt(to ?? 1000)) / 1000n
          const wanted = sampleTokens(splitTokens(low, high, parts), percent)
          const order = shuffled(remainingTokens(wanted, done), seed)
          done.push(...order.slice(0, Math.ceil((order.length * share) / 100)))
        }
        done.push(...remainingTokens(splitTokens(whole.low, whole.high, last), done))
        expectCover(
          done.toSorted((a, b) => (a.low < b.low ? -1 : 1)),
          whole,
        )
      }),
      { numRuns: 60 },
    )
  })
})

describe('a sample', () => {
  it('is the first percentage of each range, like in the Cassandra Data Migrator', () => {
    expect(sampleTokens([{ low: 0n, high: 200n }], 10)).toEqual([{ low: 0n, high: 20n }])
    expect(sampleTokens([{ low: -5n, high: -5n }], 1)).toEqual([{ low: -5n, high: -5n }])
    expect(sampleTokens(splitTokens(ycql.low, ycql.high, 2), 50)).toEqual([
      { low: 0n, high: 16_383n },
      { low: 32_768n, high: 49_151n },
    ])
    fc.assert(
      fc.property(within, fc.integer({ min: 1, max: 100 }), (range, percent) => {
        const [part] = sampleTokens([range], percent)
        expect(part?.low).toBe(range.low)
        expect((part?.high ?? range.high + 1n) <= range.high).toBe(true)
        if (percent === 100) expect(part).toEqual(range)
      }),
    )
  })
})

describe('a shuffled list', () => {
  it('has all elements, and the same order for the same seed', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer()), fc.string(), (list, seed) => {
        const order = shuffled(list, seed)
        expect(order.toSorted((a, b) => a - b)).toEqual(list.toSorted((a, b) => a - b))
        expect(shuffled(list, seed)).toEqual(order)
      }),
    )
    const list = Array.from({ length: 64 }, (_, i) => i)
    expect(shuffled(list, 'a')).not.toEqual(list)
    expect(shuffled(list, 'a')).not.toEqual(shuffled(list, 'b'))
  })
})

describe('token ranges as key ranges', () => {
  it('are converted back unchanged, and are open at the ends of the ring', () => {
    fc.assert(
      fc.property(ring, fc.nat({ max: 500 }), fc.nat({ max: 500 }), (whole, a, b) => {
        const range = { low: whole.low + BigInt(Math.min(a, b)), high: whole.high - BigInt(Math.max(a, b)) }
        expect(tokensOfRange(rangeOfTokens(range, whole), whole)).toEqual(range)
      }),
    )
    expect(rangeOfTokens(murmur3, murmur3)).toEqual({ by: 'key', after: null, through: null })
    expect(rangeOfTokens({ low: murmur3.low + 1n, high: 0n }, murmur3)).toEqual({
      by: 'key',
      after: ['-9223372036854775808'],
      through: ['0'],
    })
  })
})
