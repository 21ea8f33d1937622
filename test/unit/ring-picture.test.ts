import { describe, expect, it } from 'vitest'
import { RING_TOKENS, splitTokens } from '../../src/model/copy/ring.ts'
import { rangeFraction, skewOf } from '../../src/model/copy/ring-distribution.ts'
import { ringGroups } from '../../src/model/copy/ring-groups.ts'
import type { RingPartEvent } from '../../src/model/run/event.ts'
import { estimated } from '../../src/stores/cassandra/copy/ring-estimates.ts'
import { wrappedRanges } from '../../src/stores/cassandra/copy/ring-hosts.ts'

const RING = RING_TOKENS.murmur3

describe('ranges of the driver', () => {
  it('exclude their start, and may wrap around the end', () => {
    expect(wrappedRanges('5', '9', RING)).toEqual([{ low: 6n, high: 9n }])
    expect(wrappedRanges('9', '9', RING)).toEqual([RING])
    expect(wrappedRanges('100', '-100', RING)).toEqual([
      { low: 101n, high: RING.high },
      { low: RING.low, high: -100n },
    ])
    expect(wrappedRanges(String(RING.high), '0', RING)).toEqual([{ low: RING.low, high: 0n }])
  })
})

describe('estimates of the servers', () => {
  it('are distributed over the parts, and keep their sum', () => {
    const of = estimated([
      { tokens: wrappedRanges('0', '-1', RING), partitions: 1000, bytes: 64_000 },
      { tokens: wrappedRanges('-1', '0', RING), partitions: 0, bytes: 0 },
    ])
    const parts = splitTokens(RING.low, RING.high, 16).map(of)
    expect(parts.every(({ partitions }) => Math.abs(partitions - 62.5) < 1)).toBe(true)
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBeCloseTo(64_000, -1)
  })
})

it('fraction of a range, and skew', () => {
  expect(rangeFraction({ low: 0n, high: 9n }, { low: 5n, high: 100n })).toBe(0.5)
  expect(rangeFraction({ low: 0n, high: 9n }, { low: 10n, high: 100n })).toBe(0)
  expect(skewOf([{ rows: 30 }, { rows: 10 }, { rows: 0 }, { rows: 0 }])).toBe(3)
  expect(skewOf([{ rows: 0 }])).toBe(1)
})

it('parts share lines if there are too many', () => {
  const parts = Array.from({ length: 10 }, (_, i): RingPartEvent => {
    const counts = { rows: '2', partitions: '1', bytes: '8' }
    return { type: 'ring.part', table: 't', from: String(i * 10), to: String(i * 10 + 9), ...counts, exact: i > 0 }
  })
  const groups = ringGroups(parts, 4)
  expect(groups.map(({ from, to, rows }) => [from, to, rows])).toEqual([
    ['0', '29', 6],
    ['30', '59', 6],
    ['60', '89', 6],
    ['90', '99', 2],
  ])
  expect(groups.map(({ exact }) => exact)).toEqual([false, true, true, true])
})
