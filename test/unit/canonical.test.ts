import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  canonicalJson,
  canonicalCellText,
  isPlainType,
  normalizer,
  type RawValue,
} from '../../src/model/copy/canonical.ts'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { canonicalDecimal } from '../../src/model/copy/decimal.ts'
import { rangeText } from '../../src/model/copy/range.ts'
import { RowChecksum, rowHash, rowText, checksumText } from '../../src/model/copy/row-hash.ts'

const BYTES: ColumnType = { kind: 'bytes' }
const INT: ColumnType = { kind: 'int', bits: 64 }
const DECIMAL: ColumnType = { kind: 'decimal' }
const FLOAT: ColumnType = { kind: 'float', bits: 64 }
const TEXT: ColumnType = { kind: 'text' }
const WALL: ColumnType = { kind: 'timestamp', zone: false, digits: 6 }
const MOMENT: ColumnType = { kind: 'timestamp', zone: true, digits: 6 }
const TIME: ColumnType = { kind: 'time', digits: 6 }
const UUID = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'

const GIVEN: readonly (readonly [ColumnType, RawValue, unknown])[] = [
  [{ kind: 'bool' }, 't', '1'],
  [{ kind: 'bool' }, false, '0'],
  [{ kind: 'bool' }, 1n, '1'],
  [INT, '9223372036854775807', '9223372036854775807'],
  [INT, -9_223_372_036_854_775_808n, '-9223372036854775808'],
  [INT, 7.0, '7'],
  [INT, '7.0', '7'],
  [INT, '-0', '0'],
  [INT, '+7', '7'],
  [INT, '007', '7'],
  [INT, 2 ** 70, (2n ** 70n).toString()],
  [INT, true, '1'],
  [DECIMAL, '1.50', '1.5'],
  [DECIMAL, '-0.00', '0'],
  [DECIMAL, '.5', '0.5'],
  [DECIMAL, '1e-7', '0.0000001'],
  [DECIMAL, 1e21, '1000000000000000000000'],
  [DECIMAL, '12e1', '120'],
  [DECIMAL, 'nan', 'NaN'],
  [DECIMAL, '-inf', '-Infinity'],
  [FLOAT, '1e400', Number.POSITIVE_INFINITY],
  [FLOAT, 'NaN', Number.NaN],
  [FLOAT, '-0', -0],
  [FLOAT, '.5', 0.5],
  [{ kind: 'float', bits: 32 }, '0.1', Math.fround(0.1)],
  [TEXT, 'a ', 'a '],
  [TEXT, Buffer.from('\u{feff}ü\0'), '\u{feff}ü\0'],
  [{ kind: 'text', padded: true }, 'a  ', 'a'],
  [BYTES, '\\x00ff', Buffer.from([0, 255])],
  [{ kind: 'uuid' }, UUID.toUpperCase(), UUID],
  [{ kind: 'uuid' }, `{${UUID.replaceAll('-', '')}}`, UUID],
  [{ kind: 'date' }, '2024-02-29', '2024-02-29'],
  [{ kind: 'date' }, '2024-02-29 00:00:00', '2024-02-29'],
  [{ kind: 'date' }, '0044-03-15 (BC)', '0044-03-15 BC'],
  [{ kind: 'date' }, '12024-01-01', '12024-01-01'],
  [{ kind: 'date' }, '-Infinity', '-infinity'],
  [TIME, '12:00', '12:00:00'],
  [TIME, '12:00:00.500000', '12:00:00.5'],
  [TIME, '24:00:00', '24:00:00'],
  [TIME, '-838:59:59.000', '-838:59:59'],
  [WALL, '2024-01-01T12:00:00.120', '2024-01-01 12:00:00.12'],
  [WALL, '2024-01-01', '2024-01-01 00:00:00'],
  [WALL, '2024-01-01 12:34', '2024-01-01 12:34:00'],
  [WALL, '0044-03-15 (BC) 12:00:00', '0044-03-15 12:00:00 BC'],
  [WALL, '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00 BC'],
  [WALL, 'infinity', 'infinity'],
  [MOMENT, '2024-01-01 12:00:00.000001+00', '2024-01-01 12:00:00.000001'],
  [MOMENT, '2024-01-01T12:00:00Z', '2024-01-01 12:00:00'],
  [MOMENT, '2024-01-01 01:00:00.5+05:30', '2023-12-31 19:30:00.5'],
  [MOMENT, '2024-01-01 01:00:00 -0100', '2024-01-01 02:00:00'],
  [MOMENT, '1891-01-01 00:00:00+00:09:21', '1890-12-31 23:50:39'],
  [MOMENT, '0001-01-01 00:00:00+01', '0001-12-31 23:00:00 BC'],
  [MOMENT, '9999-12-31 23:30:00-01', '10000-01-01 00:30:00'],
  [MOMENT, '0044-03-15 12:00:00+00 BC', '0044-03-15 12:00:00 BC'],
  [MOMENT, '2024-01-01 12:00', '2024-01-01 12:00:00'],
  [{ kind: 'json' }, '{"b": [1.0, 1e2], "a":null}', '{"a":null,"b":[1,100]}'],
  [{ kind: 'list', of: INT }, '[1, 2]', '[1,2]'],
  [{ kind: 'native', name: 'point' }, '(1,2)', '(1,2)'],
]

const REFUSED: readonly (readonly [ColumnType, RawValue])[] = [
  [{ kind: 'bool' }, 'yes'],
  [{ kind: 'bool' }, 2],
  [INT, 'abc'],
  [INT, ''],
  [INT, 7.5],
  [INT, Number.NaN],
  [INT, 'Infinity'],
  [INT, Buffer.from('5')],
  [INT, new Uint8Array([5])],
  [DECIMAL, 'constructor'],
  [DECIMAL, '__proto__'],
  [DECIMAL, '.'],
  [DECIMAL, '1_000'],
  [DECIMAL, new Uint8Array([5])],
  [DECIMAL, true],
  [FLOAT, '0x10'],
  [FLOAT, ' 1'],
  [FLOAT, ''],
  [FLOAT, false],
  [TEXT, new Uint8Array([0xff])],
  [BYTES, '\\xzz'],
  [BYTES, '\\x1'],
  [BYTES, 1],
  [{ kind: 'uuid' }, 'a0eebc99'],
  [{ kind: 'date' }, 'abc'],
  [{ kind: 'date' }, 2024],
  [{ kind: 'date' }, '2024-01-01 12:00:00'],
  [TIME, '12'],
  [TIME, '12:00.5'],
  [WALL, '1704067200'],
  [WALL, '2024-01-01 12:00:00Z'],
  [WALL, 1_704_067_200_000],
  [MOMENT, 'yesterday'],
  [MOMENT, '2024-13-01 00:00:00+01'],
  [{ kind: 'json' }, '{'],
]

describe('the canonical form', () => {
  it.each(GIVEN)('%o of %s is %s', (type, raw, expected) => {
    expect(normalizer(type)(raw)).toEqual(expected)
  })

  it.each(GIVEN)('%o: the canonical form of %s does not change again', (type, raw) => {
    const once = normalizer(type)(raw)
    expect(normalizer(type)(once)).toEqual(once)
  })

  it.each(REFUSED)('%o refuses %s', (type, raw) => {
    expect(() => normalizer(type)(raw)).toThrow(expect.objectContaining({ code: 'VALUE_REFUSED' }) as Error)
  })

  it('reports which types need no check of each value', () => {
    expect([TEXT, { kind: 'native', name: 'x' } as const].map(isPlainType)).toEqual([true, true])
    expect([{ kind: 'text', padded: true } as const, INT, MOMENT].map(isPlainType)).toEqual([false, false, false])
  })
})

describe('canonical JSON', () => {
  it.each([
    ['{"a":1,"a":2}', '{"a":2}'],
    ['{"__proto__":1,"\\u0061":"\\u00e9\\/\\u0001"}', '{"__proto__":1,"a":"é/\\u0001"}'],
    ['{"é":1,"z":2,"😀":3,"\uffff":4}', '{"z":2,"é":1,"😀":3,"\uffff":4}'],
    ['[-0.0, 123456789012345678901234567890.10, 1E-2]', '[0,123456789012345678901234567890.1,0.01]'],
    [' \t\n[ ] ', '[]'],
    ['{}', '{}'],
    ['"\\ud83d\\ude00 \\ud83d"', '"😀 \\ud83d"'],
    ['true', 'true'],
  ])('%s is %s', (text, expected) => {
    expect(canonicalJson(text)).toBe(expected)
  })

  it.each([
    '',
    ' ',
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    "'a'",
    '01',
    '1.',
    '+1',
    'NaN',
    '[1 2]',
    '1 2',
    '"\n"',
    'nulls',
    '{"a"}',
    '[,1]',
  ])('%j is not valid JSON', (text) => {
    expect(() => canonicalJson(text)).toThrow(expect.objectContaining({ code: 'VALUE_REFUSED' }) as Error)
  })

  it('refuses deep nesting instead of overflowing the stack', () => {
    expect(() => canonicalJson('['.repeat(100_000))).toThrow(/nested more than 2000 deep/)
    expect(canonicalJson(`${'['.repeat(1000)}${']'.repeat(1000)}`)).toHaveLength(2000)
  })
})

describe('decimals', () => {
  it('keeps a hundred digits, and refuses exponents that would fill the memory', () => {
    const digits = '1234567890'.repeat(10)
    expect(canonicalDecimal(`+00${digits}.${digits}00`)).toBe(`${digits}.${digits}`.replace(/0$/, ''))
    expect(() => canonicalDecimal('1e999999')).toThrow(/exponent/)
  })
})

describe('the text of a row that is hashed', () => {
  it('distinguishes NULL, empty text and the letter N, and counts bytes', () => {
    expect(rowText([null, '', 'N', 'ü'.repeat(40), new Uint8Array([1, 255])])).toBe(`N0:1:N80:${'ü'.repeat(40)}4:01ff`)
  })

  it('writes floats as the digits of their IEEE 754 form', () => {
    expect([1, -0, Number.NaN, Number.NEGATIVE_INFINITY].map(canonicalCellText)).toEqual([
      '3ff0000000000000',
      '8000000000000000',
      '7ff8000000000000',
      'fff0000000000000',
    ])
  })

  it('adds the low 48 bits of md5 in any order, and can remove rows', () => {
    const rows = [
      ['a', null],
      ['b', 1.5],
      ['', 'ü'],
    ]
    const expected = rows.reduce(
      (sum, row) => sum + (BigInt(`0x${createHash('md5').update(rowText(row)).digest('hex')}`) & 0xffffffffffffn),
      0n,
    )
    const sum = new RowChecksum()
    for (const row of rows.toReversed()) sum.add(row)
    sum.add(['away'])
    sum.addText(rowText(['text away']))
    sum.remove(['away'])
    sum.remove(['text away'])
    expect(sum.digest()).toEqual({ rows: 3n, sum: checksumText(expected) })
    expect(sum.digest()).toEqual({ rows: sum.rows, sum: checksumText(expected) })
    expect(rowHash(['a', null])).toBe(createHash('md5').update('1:aN').digest('hex'))
    expect(checksumText(0n)).toBe('0000000000000000')
  })
})

describe('ranges as text', () => {
  it.each([
    [{ by: 'key', after: ['400000'], through: ['450000'] } as const, '400001–450000'],
    [{ by: 'key', after: ['a', '7'], through: null } as const, 'after (a, 7) … end'],
    [{ by: 'key', after: null, through: ['-1'] } as const, 'start–-1'],
    [{ by: 'key', after: ['a'], through: ['b'] } as const, 'after a … b'],
    [{ by: 'block', from: 0n, to: 129n } as const, 'blocks 0–128'],
    [{ by: 'block', from: 5n, to: null } as const, 'blocks 5–end'],
    [{ by: 'nullKey' } as const, 'no key'],
    [{ by: 'all' } as const, 'all rows'],
  ])('%o', (range, text) => {
    expect(rangeText(range)).toBe(text)
  })
})
