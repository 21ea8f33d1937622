/** Record counts in statistics, compared with JSON.parse. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { numRecordsOf } from '../../src/delta/stats.ts'

const name = fc.oneof(fc.constantFrom('numRecords', 'minValues', 'x'), fc.string())
const scalar = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string(), fc.boolean(), fc.constant(null)) // prettier-ignore
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ maxDepth: 5 }, scalar, fc.array(tie('tree'), { maxLength: 4 }), fc.dictionary(name, tie('tree'), { maxKeys: 4 })), // prettier-ignore
}))
const stats = fc
  .record({ before: fc.dictionary(name, tree, { maxKeys: 3 }), count: fc.option(fc.oneof(fc.nat(), tree)), indent: fc.nat(2) }) // prettier-ignore
  .map(({ before, count, indent }) => JSON.stringify(count === null ? before : { ...before, numRecords: count }, null, indent)) // prettier-ignore
it('the count in plain JSON is that of JSON.parse', () => {
  fc.assert(
    fc.property(stats, (text) => {
      const { numRecords = 0 } = JSON.parse(text) as { numRecords?: unknown }
      const isPlain = !/[\\\ud800-\udfff]/.test(text) && Number.isInteger(numRecords)
      fc.pre(isPlain && (numRecords as number) >= 0 && (numRecords as number) < 1e15 && !Object.is(numRecords, -0))
      expect(numRecordsOf(text)).toBe('numRecords' in (JSON.parse(text) as object) ? numRecords : null)
    }),
    { numRuns: 2_000 },
  )
})
