/** Invalid binary values are refused, whatever their bytes. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { binaryText, type ValueText } from '../../src/stores/postgresql/follow/replication/binary-text.ts'

const OIDS = [16, 17, 20, 21, 23, 25, 114, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184, 1700, 2950, 3802]
const textOf = (oid: number): ValueText => {
  const text = binaryText(oid, 'b')
  if (text === null) throw new Error(`no text of type ${oid}`)
  return text
}

test('types without a decoder are requested as text; enum labels are texts', () => {
  // interval, inet, money, point, an array
  for (const oid of [1186, 869, 790, 600, 1007]) expect(binaryText(oid, 'b')).toBeNull()
  const label = Buffer.from('a é')
  expect(binaryText(70_000, 'e')?.(label, 0, label.length)).toBe('a é')
})

test.each([
  [23, '0000'],
  [20, '00000000'],
  [1082, '000000'],
  [1083, 'ffffffffffffffff'],
  [1700, '0001000000000000'],
  [1700, '000000001000000a'],
  [2950, '00'],
  [3802, ''],
  [3802, '027b7d'],
])('of type %i, %j is invalid', (oid, hex) => {
  const data = Buffer.from(hex, 'hex')
  expect(() => textOf(oid)(data, 0, data.length)).toThrow(SluiceError)
})

test('any bytes give a text or BAD_STREAM', () => {
  fc.assert(
    fc.property(fc.constantFrom(...OIDS), fc.uint8Array({ maxLength: 24 }), (oid, bytes) => {
      try {
        expect(typeof textOf(oid)(Buffer.from(bytes), 0, bytes.length)).toBe('string')
      } catch (error) {
        expect(error).toMatchObject({ code: 'BAD_STREAM' })
      }
    }),
    { numRuns: 2000 },
  )
})
