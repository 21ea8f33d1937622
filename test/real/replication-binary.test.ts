/** Values in the server's binary formats: the decoded texts are those that the server prints. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { binaryText, isPrinted } from '../../src/stores/postgresql/follow/replication/binary-text.ts'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { startLogical, type LogicalServer } from './replication-kit.ts'

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
/** Values near a power of two, where carries and signs go wrong. */
const near = (bits: number): fc.Arbitrary<string> =>
  fc
    .tuple(fc.nat(bits), fc.integer({ min: -2, max: 2 }), fc.boolean())
    .map(([power, off, isMinus]) => 2n ** BigInt(power) * (isMinus ? -1n : 1n) + BigInt(off))
    .filter((value) => BigInt.asIntN(bits, value) === value)
    .map(String)
const us = fc.oneof(fc.bigInt({ min: -211_813_488_000_000_000n, max: 9_223_371_331_199_999_999n }), fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n })) // prettier-ignore
const moment = fc.oneof(
  us.map((value) => `(SELECT moment_of(${value}))`),
  fc.constantFrom(`'infinity'`, `'-infinity'`, `'4714-11-24 00:00:00 BC'`, `'294276-12-31 23:59:59.999999'`),
  fc.constantFrom(`'0001-12-31 23:59:59.999999 BC'`, `'0001-01-01'`, `'2000-02-29'`, `'1900-03-01'`, `'9999-12-31'`),
)
const digits = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 30 }).map((all) => all.join(''))
const decimal = fc.oneof(
  fc.tuple(fc.constantFrom('', '-'), digits, digits).map(([sign, whole, rest]) => `${sign}${whole}0.${rest}0`),
  fc.tuple(fc.integer({ min: -300, max: 300 }), fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n })).map(([power, value]) => `${value}e${power}`), // prettier-ignore
  fc.constantFrom('NaN', 'Infinity', '-Infinity', '0', '0.0000', '-0.00001', '10000', '9999.9999', '0.00009999'),
)

/** Literals by type, with the type's OID. */
const TYPES: Readonly<Record<string, readonly [oid: number, values: fc.Arbitrary<string>]>> = {
  bool: [16, fc.constantFrom('true', 'false')],
  bytea: [17, fc.uint8Array({ maxLength: 40 }).map((bytes) => `'\\x${Buffer.from(bytes).toString('hex')}'`)],
  int8: [20, near(64).map(quoted)],
  int2: [21, near(16).map(quoted)],
  int4: [23, near(32).map(quoted)],
  text: [25, fc.string({ unit: 'grapheme', maxLength: 200 }).filter((text) => !text.includes('\0')).map(quoted)],
  json: [114, fc.json().filter((text) => !text.includes('\\u0000')).map(quoted)],
  float4: [700, fc.float().map((value) => quoted(Object.is(value, -0) ? '-0' : String(value)))],
  float8: [701, fc.double().map((value) => quoted(Object.is(value, -0) ? '-0' : String(value)))],
  bpchar: [1042, fc.string({ maxLength: 9 }).filter((text) => !text.includes('\0')).map((text) => `${quoted(text)}::char(12)`)],
  varchar: [1043, fc.constantFrom(`''`, `' x '`)],
  date: [1082, fc.oneof(fc.integer({ min: -2_451_545, max: 2_145_031_948 }).map((days) => `('2000-01-01'::date + ${days})`), fc.constantFrom(`'infinity'`, `'-infinity'`, `'0001-12-31 BC'`))],
  time: [1083, fc.oneof(fc.integer({ min: 0, max: 86_399_999_999 }).map((value) => `('00:00'::time + ${value} * interval '1 us')`), fc.constant(`'24:00:00'`))],
  timestamp: [1114, moment],
  timestamptz: [1184, moment],
  numeric: [1700, decimal.map(quoted)],
  uuid: [2950, fc.uuid().map(quoted)],
  jsonb: [3802, fc.json().filter((text) => !text.includes('\\u0000')).map(quoted)],
} // prettier-ignore

describe.skipIf(!POSTGRES_OWN)('binary formats (needs a server of its own)', () => {
  let live: LogicalServer

  beforeAll(async () => {
    live = await startLogical()
    // Any number of microseconds since 2000, which an interval cannot hold.
    await live.sql.run(`SET TimeZone TO 'UTC'; SET DateStyle TO ISO; SET bytea_output TO 'hex';
      CREATE FUNCTION moment_of(us numeric) RETURNS timestamp LANGUAGE sql AS $$
        SELECT '2000-01-01'::timestamp + div(us, 86400000000)::int * interval '1 day' + mod(us, 86400000000)::bigint * interval '1 us' $$`)
  })

  afterAll(async () => {
    await live.sql.close()
    await live.server[Symbol.asyncDispose]()
  })

  test.each(Object.entries(TYPES))('%s', async (type, [oid, values]) => {
    const text = binaryText(oid, 'b')
    if (text === null) throw new Error('this type has no text')
    const number = (one: string): number => (type === 'float4' ? Math.fround(Number(one)) : Number(one))
    await fc.assert(
      fc.asyncProperty(fc.array(values, { minLength: 1, maxLength: 100 }), async (literals) => {
        const list = literals.map((one) => `((${one})::${type})`).join(', ')
        const rows = await live.sql.rows(
          `SELECT ${send(type)}(v), pg_catalog.format('%s', v) FROM (VALUES ${list}) AS w (v)`,
        )
        for (const [sent, printed] of rows as [string, string][]) {
          const bytes = Buffer.from(sent.slice(2), 'hex')
          const around = Buffer.concat([Buffer.from([7]), bytes, Buffer.from([7])])
          const made = text(around, 1, around.length - 1)
          if (isPrinted(oid)) expect(made).toBe(printed)
          else expect(number(made)).toBe(number(printed))
        }
      }),
      { numRuns: 20 },
    )
  })
})

/** The name of `pg_type.typsend`. */
function send(type: string): string {
  return /^(?:json|jsonb|date|time|timestamp|timestamptz|numeric|uuid)$/.test(type) ? `${type}_send` : `${type}send`
}
