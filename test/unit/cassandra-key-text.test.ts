/** Keys as the driver returns them, and their texts: equal only if the values are. */
import { types } from 'cassandra-driver'
import { describe, expect, it } from 'vitest'
import { driverText } from '../../src/stores/cassandra/copy/key-text.ts'
import { varintBytes } from '../../src/stores/cassandra/copy/numbers.ts'

describe('the text of a key', () => {
  it.each([
    { value: new types.Tuple(null, '', null), text: '[null,"",null]' },
    { value: new types.Tuple(1, new types.Tuple(undefined, true)), text: '[1,[null,true]]' },
    { value: new Map([['a', new Set([1, null])]]), text: '[["a",[1,null]]]' },
    { value: { a: 1.5, 'b c': null }, text: '[1.5,null]' },
    { value: Buffer.from([0, 255]), text: String.raw`\x00ff` },
    { value: new Date(0), text: '1970-01-01 00:00:00' },
    { value: new Date(Number.NaN), text: 'a timestamp outside of the years 271822 BC to 275760' },
    {
      value: types.Uuid.fromString('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
      text: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    },
    { value: -0, text: '-0' },
    { value: 12n, text: '12' },
    { value: types.BigDecimal.fromBuffer(Buffer.from('fffffffd0c', 'hex')), text: '12e3' },
    { value: null, text: '' },
  ])('$text', ({ value, text }) => {
    expect(driverText(value)).toBe(text)
  })

  it('a decimal of more than 308 digits has one', () => {
    const digits = `1${'0'.repeat(400)}`
    const value = types.BigDecimal.fromBuffer(Buffer.concat([Buffer.alloc(4), varintBytes(BigInt(digits))]))
    expect(driverText([value])).toBe(`[${digits}]`)
  })

  it('differs if the values differ', () => {
    const pairs = [
      [new types.Tuple('a,b', 'c'), new types.Tuple('a', 'b,c')],
      [new types.Tuple(null, ''), new types.Tuple('', null)],
      [0, -0],
    ]
    for (const [one, other] of pairs) expect(driverText(one)).not.toBe(driverText(other))
  })
})
