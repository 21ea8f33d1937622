/**
 * Rows that are transferred as the bytes of the stream, and the same rows decoded and encoded again: both targets equal
 * the source.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Fold } from '../../src/engine/follow/apply/fold.ts'
import type { Change } from '../../src/model/copy/change.ts'
import { identityName } from '../../src/model/copy/identity-name.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ChangeStream, ChangeTable, ChangeWriter, FollowedTable } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { zooSql, ZOO_TYPES } from './copy-postgresql-kit.ts'
import { changeTable, closingOf, requestOf } from './postgresql-apply-kit.ts'
import { startRecord, followed, open, startLogical, take, type LogicalServer } from './replication-kit.ts'

const BIG = 'pg_catalog.string_agg(md5(i::text), chr(9) || chr(92))'
/** Values that are hard to transfer as text, by the columns of a table. */
const HARD: Readonly<Record<string, readonly [type: string, ...values: string[]]>> = {
  b: ['bool', 'true', 'false'],
  i2: ['int2', '-32768', '32767'],
  i4: ['int4', '-2147483648', '2147483647'],
  i8: ['int8', '-9223372036854775808', '9223372036854775807'],
  f4: ['float4', "'NaN'", "'-Infinity'", "'-0'", '1e-45', '3.4028235e38', '0.1'],
  f8: ['float8', "'NaN'", "'Infinity'", "'-0'", '5e-324', '1.7976931348623157e308'],
  exact: ['numeric(12,2)', "'NaN'", '-9999999999.99', '1.50', '0'],
  free: ['numeric', "'NaN'", "'Infinity'", '1.500', '0.000', `('1' || repeat('0', 400) || '.5')::numeric`],
  t: ['text', "''", `E'a\\tb\\nc\\rd\\\\e\\\\N'`, `E'\\\\.'`, `E'\\\\N'`, "'é😀'", `repeat(E'\\\\é', 100)`, "'NULL'"],
  v: ['varchar(9)', "''", "' x '", `E'\\t'`],
  c: ['char(5)', "''", "'ab'", "'é'"],
  u: ['uuid', "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"],
  d: ['date', "'0044-03-15 BC'", "'infinity'", "'12024-01-01'"],
  tm: ['time', "'24:00:00'", "'00:00:00.000001'"],
  ts: ['timestamp', "'4713-01-01 00:00:00 BC'", "'-infinity'", "'294276-12-31 23:59:59.999999'"],
  tz: ['timestamptz', "'0044-03-15 12:00:00.5+00 BC'", "'infinity'", "'2024-02-29 12:34:56.7+02'"],
  iv: ['interval', "'1 year 2 mons -3 days -04:05:06.789'", "'0'"],
  by: ['bytea', `'\\x'`, `'\\x00ff5c090a'`],
  j: ['json', `'{"b":1,  "a":[1.50,1e3,"\\u00e9\\t"], "b":2}'`, "'null'"],
  jb: ['jsonb', `'{"n":1.50,"t":"\\t\\\\"}'`, "'[]'"],
  ip: ['inet', "'1.2.3.4'", "'::1/64'"],
  net: ['cidr', "'10.0.0.0/8'"],
  mac: ['macaddr', "'08:00:2b:01:02:03'"],
  bits: ['varbit', "'10101'"],
  money: ['money', '-12.34'],
  xml: ['xml', "'<a>x</a>'"],
  range: ['int4range', "'[1,10)'", "'empty'"],
  point: ['point', "'(1,2)'"],
  texts: ['text[]', `ARRAY['', 'NULL', NULL, '{', ',', '"', E'\\\\', E'a\\nb', 'é😀']`, `'[2:3]={a,b}'`, "'{}'"],
  nums: ['numeric(10,3)[]', "'{1.500,NULL,-0.001}'", "'{{1,2},{3,4}}'"],
  stamps: ['timestamptz[]', `'{"0044-03-15 BC",infinity,NULL}'`],
  feeling: ['origin.feeling', `'a b'`, `'é\\'`],
}
/** Of those, columns whose types can be transferred in the server's binary format. */
const BINARY =
  /^(?:bool|int\d|float\d|numeric(?:\(.*\))?|text|varchar.*|char.*|uuid|date|time|timestamp|timestamptz|bytea|jsonb?|origin\.feeling)$/
/** Decoded columns whose spelling changes: JSON, and bounds of arrays. */
const SPELLED = ['j', 'jb', 'texts']

type Column = (typeof COLUMNS)[number]
const COLUMNS = Object.entries(HARD)
const FORMS = { 'pg-text': COLUMNS, 'pg-binary': COLUMNS.filter(([, [type]]) => BINARY.test(type)) } as const
const KEYS: Readonly<Record<string, { key: string; of: (n: number) => string; more?: string; identity?: string[] }>> = {
  whole: { key: 'id bigint PRIMARY KEY', of: (n) => `${n}` },
  text: {
    key: `id text PRIMARY KEY`,
    of: (n) => (n === 0 ? "''" : `E'k\\t\\\\${n}é'`),
  },
  two: { key: 'id int, part timestamptz DEFAULT \'2024-02-29 12:00+02\', PRIMARY KEY (part, id)', of: (n) => `${n}`, identity: ['part', 'id'] }, // prettier-ignore
  full: { key: 'id int PRIMARY KEY', of: (n) => `${n}`, more: 'REPLICA IDENTITY FULL' },
  decimal: { key: 'id numeric PRIMARY KEY', of: (n) => `${n}.50` },
  moment: {
    key: 'id timestamptz PRIMARY KEY',
    of: (n) => `'2024-02-29 12:00:00+00'::timestamptz - ${n} * interval '1 year 0.001 seconds'`,
  },
  unique: { key: 'id uuid PRIMARY KEY', of: (n) => `lpad('${n}', 32, 'a')::uuid` },
}

/** Text of the row that ends each history. */
const MARK = 'the end of a history'

type Step = { does: 'put' | 'set' | 'move' | 'remove' | 'crowd' | 'empty'; at: number; to: number; pick: number }
const step: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom('put', 'put', 'put', 'set', 'set', 'move', 'remove', 'crowd', 'empty'),
  at: fc.nat(11),
  to: fc.nat(11),
  pick: fc.nat(1000),
})

describe.skipIf(!POSTGRES_OWN)('frames of a stream (needs a server of its own)', () => {
  let live: LogicalServer
  let store: CopyStore

  beforeAll(async () => {
    live = await startLogical()
    store = await openPostgresCopy(live.url)
    await live.sql
      .run(`${ZOO_TYPES}; CREATE SCHEMA framed; CREATE SCHEMA decoded; CREATE SCHEMA origin; CREATE TYPE origin.feeling AS ENUM ('a b', E'é\\\\');
      CREATE TABLE fence (owner text PRIMARY KEY, n int); INSERT INTO fence VALUES ('me', 0)`)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await live.sql.close()
    await live.server[Symbol.asyncDispose]()
  })

  function writing(table: ChangeTable): Promise<ChangeWriter> {
    const changes = store.offers.changeTarget
    if (changes === undefined) throw new Error('PostgreSQL takes no changes')
    return changes.open(requestOf([table]))
  }

  /**
   * Applies changes to a live table, transaction by transaction.
   * @returns number of frames
   */
  async function applied(changes: readonly Change[], identity: readonly number[], writer: ChangeWriter) {
    const fold = new Fold(identity)
    let frames = 0
    const flush = async (): Promise<void> => {
      const { batch, lacking } = fold.take()
      expect(lacking).toEqual([])
      expect((await writer.apply(0, batch)).lacking).toEqual([])
    }
    for (const change of changes) {
      if (change.type === 'insert' || change.type === 'update' || change.type === 'delete') {
        fold.add(change, true)
        if (change.type !== 'delete' && change.frame !== undefined) frames++
      } else if (change.type === 'truncate') {
        await flush()
        await writer.truncate([0])
      }
    }
    await flush()
    expect(await writer.commit(closingOf())).toBe('committed')
    return frames
  }

  /** Cells without the form that carries them. */
  function cellsOf(change: Change): unknown {
    if (change.type === 'insert') return [change.type, change.row]
    if (change.type === 'update') return [change.type, change.key, change.row]
    if (change.type === 'delete') return [change.type, change.key]
    return change.type === 'truncate' ? [change.type, change.tables] : change.type
  }

  /** As the engine plans it: a numeric without a scale is transferred as it is spelled. */
  async function source(name: string, identity: readonly string[]): Promise<FollowedTable> {
    const table = await followed(store, `origin.${name}`, { identity })
    const spelled = table.columns.map((one) => ({ ...one, as: one.column.native === 'numeric' && one.name !== 'id' ? ({ kind: 'native', name: 'numeric' } as const) : one.as })) // prettier-ignore
    return { ...table, columns: spelled }
  }

  async function target(schema: string, name: string, { columns: as, identity }: FollowedTable): Promise<ChangeTable> {
    const table = await changeTable(store, `${schema}.${name}`, identity)
    return { ...table, columns: table.columns.map((one, i) => ({ ...one, as: as[i]?.as ?? one.as })) }
  }

  async function texts(table: string, names: string): Promise<unknown> {
    return live.sql.rows(`SELECT ${names} FROM ${table} ORDER BY 1`)
  }

  const cases = Object.entries(KEYS).flatMap(([name, one]) =>
    (['pg-text', 'pg-binary'] as const).map((form) => ({ ...one, form, key: one.key, kind: name })),
  )
  for (const { kind, form, key, of, more, identity = ['id'] } of cases) {
    test(`all types as ${form}, rows by their key: ${kind}`, async () => {
      const columns = FORMS[form]
      const name = `${kind}_${form.replace('pg-', '')}`
      const declared = columns.map(([column, [type]]) => `${column} ${type}`).join(', ')
      for (const schema of ['origin', 'framed', 'decoded'])
        await live.sql.run(`CREATE TABLE ${schema}.${name} (${key}, ${declared}, big text STORAGE EXTERNAL)`)
      if (more !== undefined) await live.sql.run(`ALTER TABLE origin.${name} ${more}`)
      const from = await source(name, identity)
      const at = await startRecord(live.sql, `origin.${name}`)
      await using framedWriter = await writing(await target('framed', name, from))
      await using decodedWriter = await writing(await target('decoded', name, from))
      await using framed = await open(live.url, at, [from], at.start, { frames: form })
      const second = await startRecord(live.sql, `origin.${name}`)
      await using decoded = await open(live.url, second, [from])
      const both: readonly [ChangeStream, ChangeWriter, boolean][] = [
        [framed, framedWriter, true],
        [decoded, decodedWriter, false],
      ]
      const places = identity.map((one) => from.columns.findIndex((column) => column.name === one))
      const id = kind === 'decimal' ? 'trim_scale(id)::text' : 'id::text'
      const reported = columns.flatMap(([column]) => (SPELLED.includes(column) ? [] : [`${column}::text`]))
      const exact = `${id}, ${reported.join(', ')}, big`
      let frames = 0
      const history = fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 })
      await fc.assert(
        fc.asyncProperty(history, async (all) => {
          for (const steps of all)
            await live.sql.run(
              `BEGIN; ${steps.map((one) => sqlOf(`origin.${name}`, one, of, columns)).join('; ')}; COMMIT`,
            )
          // A change that marks the end, whatever the steps have changed.
          await live.sql.run(`INSERT INTO origin.${name} (id, t) VALUES (${of(99)}, '${MARK}'); DELETE FROM origin.${name} WHERE id = ${of(99)}`) // prettier-ignore
          const streams: unknown[][] = []
          for (const [stream, writer, isFramed] of both) {
            const changes = await untilMark(stream)
            streams.push(changes.filter(({ type }) => type !== 'idle' && type !== 'begin').map(cellsOf))
            for (const change of changes)
              if (change.type === 'insert' && change.frame !== undefined) {
                expect(change.frame.layout).toMatchObject({ isBinary: form === 'pg-binary' })
                expect(change.frame.name).toBe(identityName(places.map((one) => change.row[one] ?? null)))
              }
            const seen = await applied(changes, places, writer)
            if (isFramed) frames += seen
            else expect(seen).toBe(0)
          }
          expect(streams[0]).toEqual(streams[1])
          const expected = await texts(`origin.${name}`, exact)
          expect(await texts(`framed.${name}`, exact)).toEqual(expected)
          expect(await texts(`decoded.${name}`, exact)).toEqual(expected)
        }),
        { numRuns: 6 },
      )
      expect(frames).toBeGreaterThan(0)
    }, 120_000)
  }

  /** Changes up to the mark that ends each history: a row that is inserted and deleted. */
  async function untilMark(stream: ChangeStream): Promise<Change[]> {
    const all: Change[] = []
    for (;;) {
      all.push(...(await take(stream, 1)))
      const last = all.findLast((change) => change.type === 'insert')
      const isMarked = last?.type === 'insert' && last.row.includes(MARK)
      if (isMarked && all.at(-1)?.type === 'commit' && all.at(-2)?.type === 'delete') return all
    }
  }

  test('types that a database has defined itself', async () => {
    const [create = '', ...inserts] = zooSql('made').split(';\n')
    const cut = create.indexOf('INSERT INTO')
    await live.sql.run(`SET search_path TO origin, public; ${cut === -1 ? create : create.slice(0, cut)}`)
    await live.sql.run('CREATE TABLE framed.made (LIKE origin.made INCLUDING ALL); SET search_path TO origin, public')
    const table = await followed(store, 'origin.made')
    const at = await startRecord(live.sql, 'origin.made')
    await live.sql.run(`BEGIN; ${[...(cut === -1 ? [] : [create.slice(cut)]), ...inserts].join(';\n')}; COMMIT`)
    await live.sql.run('RESET search_path')
    await using stream = await open(live.url, at, [table], at.start, { frames: 'pg-text' })
    await using writer = await writing(await target('framed', 'made', table))
    const places = table.identity.map((one) => table.columns.findIndex((column) => column.name === one))
    expect(await applied(await take(stream, 1), places, writer)).toBeGreaterThan(5)
    expect(await texts('(SELECT * FROM framed.made) t', 't::text')).toEqual(await texts('(SELECT * FROM origin.made) t', 't::text')) // prettier-ignore
  })
})

function sqlOf(
  table: string,
  { does, at, to, pick }: Step,
  of: (n: number) => string,
  columns: readonly Column[],
): string {
  const values = columns.map(([, [, ...literals]], i) => {
    const n = (pick + i * 7) % (literals.length + 1)
    return n === literals.length ? 'NULL' : (literals[n] ?? 'NULL')
  })
  const [name, [, ...literals]] = columns[pick % columns.length] as (typeof columns)[number]
  const big =
    pick % 5 === 0 ? `(SELECT ${BIG} FROM generate_series(1, ${pick % 50 === 0 ? 30_000 : 100}) i)` : "'small'"
  const named = [...columns.map(([column]) => column), 'big'].join(', ')
  switch (does) {
    case 'put':
      return `INSERT INTO ${table} (id, ${named}) VALUES (${of(at)}, ${values.join(', ')}, ${big}) ON CONFLICT DO NOTHING`
    case 'set':
      return `UPDATE ${table} SET ${name} = ${literals[pick % literals.length]} WHERE id = ${of(at)}`
    case 'move':
      return `UPDATE ${table} SET id = ${of(to)} WHERE id = ${of(at)} AND NOT EXISTS (SELECT FROM ${table} WHERE id = ${of(to)})`
    case 'remove':
      return `DELETE FROM ${table} WHERE id = ${of(at)}`
    case 'crowd': {
      // More rows than go by prepared statements, the second time as existing rows.
      const rows = Array.from({ length: 600 }, (_, n) => `(${of(1000 + n)}, E'a\\t${n}', -77)`)
      return `INSERT INTO ${table} (id, t, i2) VALUES ${rows.join(', ')} ON CONFLICT DO NOTHING;
        UPDATE ${table} SET t = t || 'x', i4 = ${pick} WHERE i2 = -77`
    }
    case 'empty':
      return pick % 3 === 0 ? `TRUNCATE ${table}` : `DELETE FROM ${table} WHERE t = ''`
  }
}
