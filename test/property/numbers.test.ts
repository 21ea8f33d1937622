/** A set of numbers in bits, compared with Set. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { NumberSet } from '../../src/engine/copy/again/numbers.ts'

const number = fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.nat({ max: Number.MAX_SAFE_INTEGER }))
const step = fc.record({ number, adds: fc.boolean() })

test('has the same numbers as a Set after any adds and deletes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const [bits, set] = [new NumberSet(), new Set<number>()]
      for (const { number: one, adds } of steps) {
        if (adds) {
          bits.add(one)
          set.add(one)
        } else expect(bits.delete(one)).toBe(set.delete(one))
        expect(bits.size).toBe(set.size)
      }
      for (const { number: one } of steps) expect(bits.has(one)).toBe(set.has(one))
    }),
  )
})
