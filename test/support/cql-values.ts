/** Random types of Cassandra with random values of them, as its driver represents both. */
import cassandra from 'cassandra-driver'
import fc from 'fast-check'
import { cqlTypeOf, type CqlType, type DriverType } from '../../src/stores/cassandra/copy/types.ts'

const { types } = cassandra
const { dataTypes: codes } = types

/** Methods of the driver that its type declarations omit. */
type DriverEncoder = {
  encode(value: unknown, type: DriverType): Buffer | null
  decode(bytes: Buffer | null, type: DriverType): unknown
}
const { Encoder } = cassandra as unknown as {
  readonly Encoder: new (protocol: number, options: { encoding: object }) => DriverEncoder
}

export const ENCODING = { useBigIntAsLong: true, useBigIntAsVarint: true, map: Map, set: Set }

export function driverEncoder(protocol: number): DriverEncoder {
  return new Encoder(protocol, { encoding: ENCODING })
}

export type Sample = { readonly info: DriverType; readonly type: CqlType; readonly values: fc.Arbitrary<unknown> }

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((all) => Buffer.from(all))
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const varint = fc.oneof(fc.bigInt({ min: -(10n ** 45n), max: 10n ** 45n }), fc.bigInt({ min: -300n, max: 300n }))
const text = fc.string({ unit: 'grapheme', maxLength: 12 })
const words = fc.oneof(text, fc.constantFrom('', '\ufeffbom', 'a\0b', '\u{1f600}', 'ﬀ', '"\\\n', '-0', 'NaN', '1.50'))

function varintBuffer(value: bigint): Buffer {
  return driverEncoder(4).encode(value, { code: codes.varint }) ?? Buffer.alloc(0)
}

const decimal = fc
  .tuple(varint, fc.oneof(fc.integer({ min: -8, max: 12 }), fc.integer({ min: -400, max: 400 })))
  .map(([unscaled, scale]) => {
    const head = Buffer.alloc(4)
    head.writeInt32BE(scale)
    return types.BigDecimal.fromBuffer(Buffer.concat([head, varintBuffer(unscaled)]))
  })

const timeUuid = bytes(16).map((all) => {
  all[6] = ((all[6] ?? 0) & 0x0f) | 0x10
  return types.TimeUuid.fromString(new types.Uuid(all).toString())
})

const duration = fc
  .tuple(
    fc.constantFrom(-1, 1),
    fc.integer({ min: 0, max: 0x7fffffff }),
    fc.integer({ min: 0, max: 0x7fffffff }),
    fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  )
  .map(
    ([sign, months, days, nanos]) =>
      new types.Duration(sign * months || 0, sign * days || 0, types.Long.fromString(String(BigInt(sign) * nanos))),
  )

const day = fc
  .integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
  .map((days) => new (types.LocalDate as unknown as new (days: number) => unknown)(days))

const float32 = fc.oneof(fc.float(), fc.constantFrom(-0, 0.1, Infinity, -Infinity, NaN)).map(Math.fround)
const float64 = fc.oneof(fc.double(), fc.constantFrom(-0, 0.1, Infinity, -Infinity, NaN, 5e-324))

/** Types of one value by the name of their code. */
export const SINGLES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  ascii: fc.string({ unit: 'grapheme-ascii' }),
  bigint: int64,
  blob: fc.uint8Array({ maxLength: 20 }).map((all) => Buffer.from(all)),
  boolean: fc.boolean(),
  date: day,
  decimal,
  double: float64,
  duration,
  float: float32,
  inet: fc
    .oneof(
      bytes(4),
      bytes(16),
      fc.array(fc.constantFrom(0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 }).map((all) => {
        const address = Buffer.alloc(16)
        for (const [at, word] of all.entries()) address.writeUInt16BE(word, at * 2)
        return address
      }),
    )
    .map((all) => new types.InetAddress(all)),
  int: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  smallint: fc.integer({ min: -32768, max: 32767 }),
  text: words,
  time: fc
    .bigInt({ min: 0n, max: 86_399_999_999_999n })
    .map((nanos) => new types.LocalTime(types.Long.fromString(String(nanos)))),
  timestamp: fc
    .oneof(
      fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 }),
      fc.integer({ min: -100_000_000_000_000, max: 100_000_000_000_000 }),
    )
    .map((ms) => new Date(ms)),
  timeuuid: timeUuid,
  tinyint: fc.integer({ min: -128, max: 127 }),
  uuid: bytes(16).map((all) => new types.Uuid(all)),
  varint,
}

/** Types that a server of version 2.1 supports. */
export const OLD_NAMES = Object.keys(SINGLES).filter(
  (name) => !['date', 'duration', 'smallint', 'time', 'tinyint'].includes(name),
)

export function single(name: string): Sample {
  const info: DriverType = { code: codes[name as keyof typeof codes], info: null }
  return { info, type: cqlTypeOf(info, false), values: SINGLES[name] ?? fc.constant(null) }
}

const encoder = driverEncoder(4)

/** Removes values that Cassandra considers equal, and keeps the order in which they were drawn. */
function distinct(info: DriverType): { comparator: (a: unknown, b: unknown) => boolean } {
  return { comparator: (a, b) => spelled(a, info) === spelled(b, info) }
}

/** Equal texts for values that a server considers equal: 0 and 0.00, and sets in any order. */
function spelled(value: unknown, { code, info }: DriverType): string {
  if (value === null || value === undefined) return '-'
  const inner = info as DriverType & readonly DriverType[] & { readonly fields: readonly Field[] }
  const part = (one: unknown, type: DriverType | undefined): string => spelled(one, type ?? inner)
  switch (code as cassandra.types.dataTypes) {
    case codes.decimal:
      return plainDecimal(value as cassandra.types.BigDecimal)
    case codes.list:
      return `[${(value as unknown[]).map((one) => part(one, inner)).join()}]`
    case codes.set:
      return `{${[...(value as Set<unknown>)]
        .map((one) => part(one, inner))
        .toSorted()
        .join()}}`
    case codes.map:
      return `{${[...(value as Map<unknown, unknown>)]
        .map((pair) => pair.map((one, at) => part(one, inner[at])).join(':'))
        .toSorted()
        .join()}}`
    case codes.tuple:
      return `(${(value as cassandra.types.Tuple).elements.map((one: unknown, at: number) => part(one, inner[at])).join()})`
    case codes.udt:
      return `(${inner.fields.map(({ name, type }) => part((value as Record<string, unknown>)[name], type)).join()})`
    default:
      return encoder.encode(value, { code, info })?.toString('hex') ?? ''
  }
}

type Field = { readonly name: string; readonly type: DriverType }

function plainDecimal(value: cassandra.types.BigDecimal): string {
  const stored = encoder.encode(value, { code: codes.decimal }) ?? Buffer.alloc(4)
  let scale = stored.readInt32BE(0)
  let unscaled = BigInt(String(encoder.decode(stored.subarray(4), { code: codes.varint })))
  if (unscaled === 0n) return '0'
  for (; unscaled % 10n === 0n; scale--) unscaled /= 10n
  return `${unscaled}e${-scale}`
}

/** Any type, nested up to `depth`. */
export function samples(names: readonly string[], depth: number): fc.Arbitrary<Sample> {
  const simple = fc.constantFrom(...names).map(single)
  if (depth === 0) return simple
  const inner = samples(names, depth - 1)
  const keys = samples(
    names.filter((name) => name !== 'duration'),
    Math.min(depth - 1, 1),
  )
  const options = { frozen: true }
  const of = (info: DriverType, values: fc.Arbitrary<unknown>): Sample => ({
    info,
    type: cqlTypeOf(info, false),
    values,
  })
  return fc.oneof(
    simple,
    inner.map((one) =>
      of({ code: codes.list, info: one.info, options }, fc.array(one.values, { minLength: 1, maxLength: 4 })),
    ),
    keys.map((one) =>
      of(
        { code: codes.set, info: one.info, options },
        fc.uniqueArray(one.values, { minLength: 1, maxLength: 4, ...distinct(one.info) }).map((all) => new Set(all)),
      ),
    ),
    fc.tuple(keys, inner).map(([key, value]) =>
      of(
        { code: codes.map, info: [key.info, value.info], options },
        fc
          .uniqueArray(key.values, { minLength: 1, maxLength: 4, ...distinct(key.info) })
          .chain((all) =>
            fc.tuple(...all.map(() => value.values)).map((found) => new Map(all.map((one, at) => [one, found[at]]))),
          ),
      ),
    ),
    fc.array(inner, { minLength: 1, maxLength: 4 }).map((parts) =>
      of(
        { code: codes.tuple, info: parts.map(({ info }) => info), options },
        fc.tuple(...parts.map(({ values }) => fc.option(values))).map((all) => types.Tuple.fromArray(all)),
      ),
    ),
    fc.array(inner, { minLength: 1, maxLength: 4 }).map((parts) => {
      const fields = parts.map(({ info }, at) => ({ name: `${'zaY"'[at] ?? ''} f`, type: info }))
      return of(
        { code: codes.udt, info: { keyspace: 'ks', name: 'Re"cord', fields }, options },
        fc
          .tuple(...parts.map(({ values }) => fc.option(values)))
          .map((all) => Object.fromEntries(fields.map(({ name }, at) => [name, all[at]]))),
      )
    }),
  )
}
