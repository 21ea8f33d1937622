import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readRoaring64 } from '../../src/delta/roaring.ts'
import { encodeRoaring64 } from '../support/roaring-encoder.ts'

/** Clustered numbers: few buckets and containers, with blocks of neighbours and single numbers. */
const rows = fc
  .array(
    fc.record({
      high: fc.constantFrom(0n, 1n, 5n, 0x7fff_ffffn, 0xffff_ffffn),
      key: fc.constantFrom(0n, 1n, 2n, 9n, 0xffffn),
      low: fc.integer({ min: 0, max: 65_535 }),
      more: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 9000 })),
      step: fc.constantFrom(1, 1, 2, 7),
    }),
    { maxLength: 12 },
  )
  .map((blocks) => {
    const set = new Set<bigint>()
    for (const { high, key, low, more, step } of blocks) {
      for (let i = 0; i <= more && low + i * step < 65_536; i++) {
        set.add((high << 32n) + (key << 16n) + BigInt(low + i * step))
      }
    }
    return set
  })

describe('readRoaring64', () => {
  it('has the written numbers, in order', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 0, max: 31 }), (set, mask) => {
        const bytes = encodeRoaring64([...set], (key) => ((mask >> (key % 5)) & 1 ? 'run' : 'auto'))
        const read = readRoaring64(bytes)
        const sorted = [...set].toSorted((a, b) => (a < b ? -1 : 1))
        expect(read.cardinality).toBe(set.size)
        expect([...read.rows()]).toEqual(sorted)
      }),
      { numRuns: 60 },
    )
  })

  it('supports any 64-bit numbers', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.bigInt(0n, (1n << 64n) - 1n), { maxLength: 100 }), (values) => {
        const read = readRoaring64(encodeRoaring64(values))
        expect([...read.rows()]).toEqual(values.toSorted((a, b) => (a < b ? -1 : 1)))
      }),
    )
  })
})
