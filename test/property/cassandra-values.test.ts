/** Values of Cassandra are encoded and decoded; the driver's own encoding is the reference. */
import cassandra from 'cassandra-driver'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../src/model/copy/canonical.ts'
import type { ColumnType } from '../../src/model/copy/column-type.ts'
import { cassandraDecoder } from '../../src/stores/cassandra/copy/decode.ts'
import { cassandraEncoder } from '../../src/stores/cassandra/copy/encode.ts'
import { inetBytes, inetText } from '../../src/stores/cassandra/copy/inet.ts'
import { eraDayText } from '../../src/model/run/civil-day.ts'
import { daysOf, timestampText, msOfTimestamp } from '../../src/stores/cassandra/copy/time-values.ts'
import { varintBytes, varintOf } from '../../src/stores/cassandra/copy/numbers.ts'
import { columnTypeOf, cqlText, parseCql, type CqlField, type CqlType } from '../../src/stores/cassandra/copy/types.ts'
import { driverEncoder, samples, SINGLES, single, type Sample } from '../support/cql-values.ts'

const native: ColumnType = { kind: 'native', name: 'x' }
const anySample = samples(Object.keys(SINGLES), 3)
const withValue = (source: fc.Arbitrary<Sample>) =>
  source.chain((sample) => sample.values.map((value) => ({ ...sample, value })))

describe('values of Cassandra', () => {
  it.each(Object.keys(SINGLES))('%s keeps every byte', (name) => {
    for (const protocol of [3, 4]) {
      const driver = driverEncoder(protocol)
      const { info, type, values } = single(name)
      const decode = cassandraDecoder(type, native)
      const encode = cassandraEncoder(type, native)
      fc.assert(
        fc.property(values, (value) => {
          const stored = driver.encode(value, info)
          const cell = decode(driver.decode(stored, info))
          expect(encode(cell)).toEqual(stored)
        }),
        { numRuns: 300 },
      )
    }
  })

  it('nested values are equal byte by byte between two Cassandra clusters', () => {
    const driver = driverEncoder(4)
    fc.assert(
      fc.property(withValue(anySample), ({ info, type, value }) => {
        const stored = driver.encode(value, info)
        const cell = cassandraDecoder(type, native)(driver.decode(stored, info))
        expect(cassandraEncoder(type, native)(cell)).toEqual(stored)
      }),
      { numRuns: 1500 },
    )
  })

  it('JSON for other systems is canonical, and is read back as the same JSON', () => {
    const driver = driverEncoder(4)
    fc.assert(
      fc.property(
        withValue(anySample.filter(({ type }) => columnTypeOf(type).kind === 'json')),
        ({ info, type, value }) => {
          const as: ColumnType = { kind: 'json' }
          const decode = cassandraDecoder(type, as)
          const cell = decode(driver.decode(driver.encode(value, info), info))
          expect(canonicalJson(String(cell))).toBe(cell)
          let again: Buffer | null
          try {
            again = cassandraEncoder(type, as)(cell)
          } catch (error) {
            // The driver stores sets in any order; a server would sort them.
            expect(String(error)).toMatch(/sorted|twice/)
            return
          }
          expect(decode(driver.decode(again, info))).toBe(cell)
        },
      ),
      { numRuns: 1500 },
    )
  })

  it('a type is read back from its text', () => {
    const fields = new Map<string, readonly CqlField[]>()
    const note = (type: CqlType): boolean => {
      switch (type.kind) {
        case 'list':
        case 'set':
        case 'vector':
          return note(type.of)
        case 'map':
          return note(type.key) && note(type.value)
        case 'tuple':
          return type.parts.every(note)
        case 'udt':
          // Types with fields all have one name here: only if there is a single one can its fields be found by the
          // name.
          if (fields.has(type.name) || type.fields === null) return false
          fields.set(type.name, type.fields)
          return type.fields.every((field) => note(field.type))
        default:
          return true
      }
    }
    fc.assert(
      fc.property(anySample, ({ type }) => {
        fields.clear()
        const text = cqlText(type)
        const once = note(type)
        const parsed = parseCql(text, (name) => fields.get(name) ?? null)
        expect(cqlText(parsed)).toBe(text)
        if (once) expect(parsed).toEqual(type)
      }),
    )
  })

  it('days, timestamps, numbers and addresses are read back from their texts', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (days) => daysOf(eraDayText(days)) === days),
    )
    const ms = fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 })
    fc.assert(fc.property(ms, (at) => msOfTimestamp(timestampText(at)) === at))
    const common = fc.integer({ min: Date.UTC(1, 0), max: Date.UTC(9999, 11) }).filter((at) => at > -62_135_596_800_000)
    fc.assert(
      fc.property(common, (at) => {
        const iso = new Date(at)
          .toISOString()
          .replace('T', ' ')
          .replace(/\.?0*Z$/, '')
        expect(timestampText(at)).toBe(/:\d$/.test(iso) ? `${iso}0` : iso.replace(/ (\d\d:\d\d)$/, ' $1:00'))
      }),
    )
    const big = fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n })
    fc.assert(fc.property(big, (value) => varintOf(varintBytes(value)) === value))
    const word = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }))
    fc.assert(
      fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), (words) => {
        const bytes = Buffer.alloc(16)
        for (const [at, one] of words.entries()) bytes.writeUInt16BE(one, at * 2)
        expect(inetBytes(inetText(bytes))).toEqual(bytes)
      }),
    )
  })

  it('values that Cassandra cannot store are refused', () => {
    const refuses = (type: string, as: ColumnType, cell: string): void => {
      expect(() => cassandraEncoder(parseCql(type), as)(cell), `${type} ${cell}`).toThrow(
        expect.objectContaining({ code: 'VALUE_REFUSED' }),
      )
    }
    const json: ColumnType = { kind: 'json' }
    for (const cell of ['2147483648', '-2147483649', '1.5', '', '1e3', 'NaN']) refuses('int', { kind: 'decimal' }, cell)
    for (const cell of ['9223372036854775808', '-9223372036854775809', '1.5'])
      refuses('bigint', { kind: 'decimal' }, cell)
    for (const cell of ['128', '-129']) refuses('tinyint', { kind: 'int', bits: 32 }, cell)
    for (const cell of ['NaN', 'Infinity', '']) refuses('decimal', { kind: 'decimal' }, cell)
    for (const cell of [
      'infinity',
      '2024-02-30 00:00:00',
      '2024-01-01 00:00:00.0001',
      '2024-01-01 24:00:00',
      '275761-01-01 00:00:00 x',
    ])
      refuses('timestamp', { kind: 'timestamp', zone: true, digits: 6 }, cell)
    refuses('time', { kind: 'time', digits: 6 }, '24:00:00')
    refuses('ascii', { kind: 'text' }, 'ü')
    refuses('text', { kind: 'text' }, 'half \ud800')
    refuses('timeuuid', { kind: 'uuid' }, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')
    refuses('inet', { kind: 'text' }, '2001:DB8::1')
    refuses('inet', { kind: 'text' }, '10.0.0.0/8')
    refuses('list<int>', json, '[]')
    refuses('map<text, int>', json, '{}')
    refuses('list<int>', json, '[1,null]')
    refuses('list<int>', json, '["1"]')
    refuses('set<int>', json, '[2,1]')
    refuses('set<int>', json, '[1,1]')
    refuses('set<int>', json, '{"a":1}')
    refuses('map<int, int>', json, '{"a":1}')
    refuses('map<int, int>', json, '{"1":1,"01":2}')
    refuses('list<float>', json, '[0.123456789012]')
    refuses('frozen<tuple<int, int>>', json, '[1]')
    refuses('list<blob>', json, '["0xAB"]')
    expect(cassandraEncoder(parseCql('frozen<list<int>>'), json)('[]')).toEqual(Buffer.from([0, 0, 0, 0]))
  })

  it('maps in JSON are written in the key order of Cassandra', () => {
    const bytes = cassandraEncoder(parseCql('map<int, text>'), { kind: 'json' })(
      '{"-5":"d","10":"b","9":"a","100":"c"}',
    )
    const info = { code: 33, info: [{ code: 9 }, { code: 13 }] }
    const map = driverEncoder(4).decode(bytes, info) as Map<number, string>
    expect([...map.keys()]).toEqual([-5, 9, 10, 100])
  })

  it('a decimal keeps its spelling between two Cassandra clusters, and is plain for other systems', () => {
    const stored = cassandra.types.BigDecimal.fromBuffer(Buffer.from('fffffffd0c', 'hex'))
    const type = parseCql('decimal')
    expect(cassandraDecoder(type, native)(stored)).toBe('12e3')
    expect(cassandraDecoder(type, { kind: 'decimal' })(stored)).toBe('12000')
    expect(cassandraDecoder(type, native)(cassandra.types.BigDecimal.fromString('1.50'))).toBe('1.50')
    expect(cassandraDecoder(type, { kind: 'decimal' })(cassandra.types.BigDecimal.fromString('1.50'))).toBe('1.5')
  })
})
