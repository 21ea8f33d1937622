/** The strict reader of counts against JSON.parse: what it decides is JSON with that count, and plain JSON it decides. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { countedRecords } from '../../src/delta/counted-records.ts'
import { numRecordsOf, statsReader } from '../../src/delta/stats.ts'

const name = fc.oneof(fc.constantFrom('numRecords', 'minValues', 'x'), fc.string())
const scalar = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string(), fc.boolean(), fc.constant(null)) // prettier-ignore
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ maxDepth: 5 }, scalar, fc.array(tie('tree'), { maxLength: 4 }), fc.dictionary(name, tie('tree'), { maxKeys: 4 })), // prettier-ignore
}))
const stats = fc
  .record({ before: fc.dictionary(name, tree, { maxKeys: 3 }), count: fc.option(fc.oneof(fc.nat(), tree)), indent: fc.nat(2) }) // prettier-ignore
  .map(({ before, count, indent }) => JSON.stringify(count === null ? before : { ...before, numRecords: count }, null, indent)) // prettier-ignore
/** One character is taken out, put in, or doubled. */
const damaged = fc
  .record({
    text: stats,
    at: fc.nat(),
    put: fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '0', '-', '.', 'e', ' ', '\\', '\n', 'u', '\u00a0'),
    gone: fc.nat(2),
  }) // prettier-ignore
  .map(({ text, at, put, gone }) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + gone))

it('what it decides is a JSON object with this count', () => {
  fc.assert(
    fc.property(fc.oneof(stats, damaged), (text) => {
      const count = countedRecords(text)
      if (count === undefined) return
      const parsed = JSON.parse(text) as Record<string, unknown>
      expect(parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed)).toBe(true)
      const first = statsReader([]).read(text)?.numRecords
      expect(count).toBe(first === undefined ? null : Number(first))
      expect(numRecordsOf(text)).toBe(count)
    }),
    { numRuns: 5_000 },
  )
})

it('plain JSON is decided', () => {
  fc.assert(
    fc.property(stats, (text) => {
      const { numRecords = 0 } = JSON.parse(text) as { numRecords?: unknown }
      const isPlain = !/[\\\ud800-\udfff]/.test(text) && Number.isInteger(numRecords)
      fc.pre(isPlain && (numRecords as number) >= 0 && (numRecords as number) < 1e15 && !Object.is(numRecords, -0))
      expect(countedRecords(text)).toBe('numRecords' in (JSON.parse(text) as object) ? numRecords : null)
    }),
    { numRuns: 2_000 },
  )
})

it.each([
  '{"numRecords":1',
  '{"numRecords":01}',
  '{"numRecords":1,}',
  '{"numRecords":1}}',
  '[1]',
  '{"a":"\t"}',
  '{"a":+1}',
  '{"a":1.}',
  '{"a":.5}',
  '{"a":1e}',
  '{"a" 1}',
  '{a:1}',
  '{"a":nul}',
  '{"a":[1}}',
  '{"a":NaN}',
  '',
])(
  // prettier-ignore
  'leaves %j to the slow reader',
  (text) => expect(countedRecords(text)).toBeUndefined(),
)
