/**
 * Cassandra: every type that its driver supports and the server accepts, and types made of these. Values are compared
 * by `…AsBlob()` with WRITETIME and TTL.
 */
import cassandra from 'cassandra-driver'

import { newKeyspace, type TestKeyspace } from '../../../support/servers/cassandra-kit.ts'
import type { DrawnSystem, DrawnType, Judged, Place } from '../shape.ts'

const POOL: readonly string[] = [
  `''`, `' '`, `'ab  '`, `'NULL'`, `'it''s "x"'`, `'\u{1f600}é\u{feff}'`, `'A'`, `'a'`, `'a\u0000b'`, '0', '1', '-1', '127', '-128', '32767', '255', '2147483647', '-2147483648', '9223372036854775807', '-9223372036854775808',
  '99999999999999999999999999999999999999999', '0.1', '1.50', '-0.0', '1E-400', '1E+400', '1.7976931348623157E308', '4.9E-324', '3.4028235E38', 'NaN', 'Infinity', '-Infinity', 'true', 'false', '0x', '0x00', '0xff00', '0xffffffff',
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '13814000-1dd2-11b2-8080-808080808080', '00000000-0000-1000-8000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', `'10.0.0.1'`, `'::1'`, `'::ffff:1.2.3.4'`, `'2001:db8::ff'`,
  `'2024-02-29'`, `'0001-01-01'`, `'1969-12-31 23:59:59.999+0000'`, '-62135596800001', '8640000000000000', `'-5877641-06-23'`, `'23:59:59.999999999'`, `'00:00:00'`, '1mo2d3ns', '-89h4m48s',
] // prettier-ignore

const MADE: readonly (readonly [string, readonly string[]])[] = [
  ['list<int>', ['[]', '[1]', '[2, 1, 2]']],
  ['set<text>', ['{}', `{'b', 'a', ''}`]],
  ['map<text, double>', ['{}', `{'a': NaN, '': -0.0, 'b c': 1e308}`]],
  ['frozen<list<decimal>>', ['[]', '[1.50, 1E-400]']],
  ['frozen<map<int, frozen<set<blob>>>>', ['{}', '{1: {0x, 0x00}, 2: {}}']],
  ['map<uuid, frozen<list<timestamp>>>', ['{}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11: [0, -1]}']],
  ['frozen<tuple<int, text, boolean>>', [`(1, 'a', true)`, `(NULL, '', NULL)`]],
  ['frozen<drawn_pair>', [`{a: 1.5, "b c": 'x'}`, `{a: NULL, "b c": ''}`, '{a: NaN}']],
  ['list<frozen<drawn_pair>>', ['[]', `[{a: 1, "b c": 'x'}, {a: 1}]`]],
]

const FIRST = ['CREATE TYPE drawn_pair (a double, "b c" text)']

/** Values without TTL do not expire; the second TTL ends in years. */
const STAMPS = ['', '', 'USING TIMESTAMP 1000', 'USING TIMESTAMP 9999999999999999', 'USING TTL 500000', 'USING TTL 600000000 AND TIMESTAMP 2000'] as const // prettier-ignore
const LIVES = [500_000, 600_000_000]

type Ring = Place & { readonly keyspace: TestKeyspace }

/** A keyspace of the cluster that all suites share. */
export async function newRing(): Promise<Place> {
  const keyspace = await newKeyspace()
  const ring: Ring = {
    system: 'cassandra',
    url: keyspace.url,
    keyspace,
    sql: (...statements) => keyspace.cql(...statements),
    rows: async (cql) => (await keyspace.rows(cql)).map((row) => row.values().map(textOf)),
  }
  return ring
}

export async function dropRing(place: Place): Promise<void> {
  await (place as Ring).keyspace[Symbol.asyncDispose]()
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (Buffer.isBuffer(value)) return value.toString('hex')
  // oxlint-disable-next-line typescript/no-base-to-string -- objects are left to JSON
  return typeof value === 'object' ? JSON.stringify(value, plain) : String(value)
}

/** The driver's value of a collection as text that distinguishes -0 from 0, and bytes from numbers. */
function plain(_: string, value: unknown): unknown {
  if (value instanceof Map) return { map: [...value].map(([key, one]) => [plain('', key), plain('', one)]) }
  if (value instanceof Set) return { set: [...value].map((one) => plain('', one)) }
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) return Object.is(value, -0) ? '-0' : String(value) // prettier-ignore
  return value
}

/** Names that are not types of a single value. */
const NOT_ALONE = new Set(['custom', 'counter', 'list', 'map', 'set', 'udt', 'tuple', 'getByName', 'varchar'])

async function types(place: Place): Promise<readonly DrawnType[]> {
  const offered = Object.keys(cassandra.types.dataTypes).filter((name) => !NOT_ALONE.has(name))
  const found: DrawnType[] = []
  for (const type of offered) {
    const isThere = await taken(place, `CREATE TABLE drawn_${type} (id int PRIMARY KEY, c ${type})`)
    if (!isThere) continue
    const values: string[] = []
    for (const value of POOL) if (await taken(place, `INSERT INTO drawn_${type} (id, c) VALUES (1, ${value})`)) values.push(value) // prettier-ignore
    found.push({ type, values: [...values, 'NULL'] })
  }
  return [...found, ...MADE.map(([type, values]) => ({ type, values: [...values, 'NULL'] }))]
}

async function taken({ sql }: Place, statement: string): Promise<boolean> {
  return await sql(statement).then(
    () => true,
    () => false,
  )
}

type Column = { readonly name: string; readonly type: { readonly code: number; readonly options?: unknown } }
const { dataTypes } = cassandra.types
const MANY = new Set([dataTypes.list, dataTypes.map, dataTypes.set, dataTypes.udt, dataTypes.tuple])

async function judge(place: Place, table: string): Promise<Judged> {
  const { link, name } = (place as Ring).keyspace
  const { client } = link
  const { rows: own, columns } = await client.execute(`SELECT * FROM ${table} LIMIT 1`, [], { prepare: true })
  if (own === undefined) throw new Error(`no table ${table}`)
  const all = (columns ?? []) as unknown as readonly Column[]
  await client.metadata.refreshKeyspace(name)
  const known = await client.metadata.getTable(name, table.slice(1, -1))
  const keys = new Set([...(known?.partitionKeys ?? []), ...(known?.clusteringKeys ?? [])].map((one) => one.name))
  const names = Object.fromEntries(Object.entries(dataTypes).map(([word, code]) => [code as number, word]))
  const asked = all.flatMap((one) => {
    const quoted = quote(one.name)
    if (MANY.has(one.type.code)) return [quoted, 'NULL', 'NULL']
    const word = names[one.type.code] === 'text' ? 'varchar' : names[one.type.code]
    const bytes = word === 'blob' ? quoted : `${word}AsBlob(${quoted})`
    return keys.has(one.name) ? [bytes, 'NULL', 'NULL'] : [bytes, `writetime(${quoted})`, `ttl(${quoted})`]
  })
  const rows = await place.rows(`SELECT ${asked.filter((one) => one !== 'NULL').join(', ')} FROM ${table}`)
  const answers = rows.map((row) => {
    const left = [...row]
    return asked.map((one) => (one === 'NULL' ? null : (left.shift() ?? null)))
  })
  return {
    columns: all.map(({ name: one }) => one),
    rows: answers.map((row) =>
      all.map((_, at) => {
        const [value, time, life] = row.slice(at * 3, at * 3 + 3)
        const kind = all[at]?.type.code === dataTypes.decimal && value !== null ? DECIMAL : ''
        return `${kind}${value}${TIMES}${time} ${lifeOf(life)}`
      }),
    ),
  }
}

const TIMES = ' written '
const DECIMAL = 'decimal '

/** SQL has no write times, and keeps no trailing zeros of decimals, as every plan reports. */
function asOfSql(words: string): string {
  const [value = ''] = words.split(TIMES)
  if (!value.startsWith(DECIMAL)) return value.replaceAll(/"(-?\d+)(?:(\.\d*?[1-9])|\.)0*"/g, '"$1$2"')
  const bytes = Buffer.from(value.slice(DECIMAL.length), 'hex')
  const digits = bytes.subarray(4).toString('hex')
  let [unscaled, scale] = [BigInt.asIntN(digits.length * 4, BigInt(`0x${digits}`)), bytes.readInt32BE(0)]
  if (unscaled === 0n) return `${DECIMAL}0`
  for (; unscaled % 10n === 0n; unscaled /= 10n) scale--
  return `${DECIMAL}${unscaled}E${-scale}`
}

/** Finds the original TTL: seconds pass while the row is copied. */
function lifeOf(seconds: string | null | undefined): string {
  if (seconds === null || seconds === undefined) return 'lasts'
  const left = Number(seconds)
  return String(LIVES.find((life) => left <= life && left > life - 3600) ?? left)
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export const ring: DrawnSystem = {
  system: 'cassandra',
  types,
  first: FIRST,
  loose: [],
  options: () => '',
  settings: () => [],
  quote,
  empty: (name) => `TRUNCATE ${name}`,
  // The choice depends on the row only, so it does not change when the table shrinks.
  behind: (row) =>
    STAMPS[Array.from(row.join('')).reduce((sum, one) => sum + (one.codePointAt(0) ?? 0), 0) % STAMPS.length] ?? '',
  tableOf: async (place) => {
    const { link, name } = (place as Ring).keyspace
    await link.client.metadata.refreshKeyspace(name)
    const { rows } = await link.client
      .execute('SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?', [name], { prepare: true })
      .catch(() => link.client.execute('SELECT columnfamily_name FROM system.schema_columnfamilies WHERE keyspace_name = ?', [name], { prepare: true })) // prettier-ignore
    const own = rows.map((row) => String(row.values()[0])).filter((one) => !/^(?:migration_|sluice_)/.test(one))
    return own[0] === undefined ? '' : quote(own[0])
  },
  judge,
  timeless: ({ columns, rows }) => ({ columns, rows: rows.map((row) => row.map(asOfSql)) }),
}
