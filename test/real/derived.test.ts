/** Columns that a copy derives: constants, and maps of which every entry becomes a row. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'

let folder = ''
let noPostgres = ''

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-derived-'))
  noPostgres = await missing('postgresql')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const explodeMap = { column: 'prices', key: 'market', value: 'price' }

describe('constants and maps', () => {
  test.runIf(CASSANDRA_AVAILABLE)('from Cassandra to PostgreSQL', { timeout: 90_000 }, async ({ skip }) => {
    skip(noPostgres !== '', noPostgres)
    await using keyspace = await newKeyspace()
    await keyspace.cql(
      'CREATE TABLE goods (id int, part text, name text, prices map<text, decimal>, PRIMARY KEY (id, part))',
      `INSERT INTO goods (id, part, name, prices) VALUES (1, 'a', 'one', {'eu': 1.50, 'us': -2})`,
      `INSERT INTO goods (id, part, name, prices) VALUES (1, 'b', null, {'eu': 3})`,
      `INSERT INTO goods (id, part, name) VALUES (2, 'a', 'no prices')`,
      `INSERT INTO goods (id, part, name, prices) VALUES (3, 'a', 'empty', {})`,
    )
    const target = await makePlace('postgresql', folder)
    await target.sql(
      `CREATE TABLE goods (tenant int NOT NULL, id int, part text, market text, price numeric(10,2), name text, since date,
         PRIMARY KEY (id, part, market))`,
    )
    const copy = copyOf(keyspace, target, 'goods', {
      constants: { tenant: '7', since: '2024-02-29' },
      explodeMap,
      acceptLossy: ['price'],
      onExisting: 'upsert',
    })
    const first = await perform(copy)
    expect(first.finished.error).toBeUndefined()
    expect(first.finished).toMatchObject({ exitCode: 0, totals: { read: '3', written: '3', quarantined: '0' } })
    const wanted = [
      ['7', '1', 'a', 'eu', '1.50', 'one', '2024-02-29'],
      ['7', '1', 'a', 'us', '-2.00', 'one', '2024-02-29'],
      ['7', '1', 'b', 'eu', '3.00', null, '2024-02-29'],
    ]
    const rows = () => target.rows('SELECT * FROM goods ORDER BY id, part, market')
    expect(await rows()).toEqual(wanted)
    // The same command again finds every chunk proved; with another constant it is another copy.
    const second = await perform(copy)
    expect(second.finished.exitCode).toBe(0)
    expect(second.events.filter(({ type }) => type === 'chunk.started')).toEqual([])
    const other = await perform({ ...copy, constants: { tenant: '8', since: '2024-02-29' } })
    expect(other.finished.error).toMatchObject({ code: 'PLAN_CHANGED' })
  })

  test.runIf(CASSANDRA_AVAILABLE)(
    'from Cassandra to Cassandra, with map keys that are no texts',
    { timeout: 90_000 },
    async () => {
      await using keyspace = await newKeyspace()
      await keyspace.cql(
        'CREATE TABLE goods (id int PRIMARY KEY, m map<int, frozen<tuple<text, decimal>>>)',
        `INSERT INTO goods (id, m) VALUES (1, {10: ('x', 1.50), -3: ('y', null)})`,
        'CREATE TABLE flat (id int, k int, v frozen<tuple<text, decimal>>, tenant blob, PRIMARY KEY (id, k))',
        'CREATE TABLE flat2 (tenant text, id int, k int, v frozen<tuple<text, decimal>>, PRIMARY KEY ((tenant, id), k))',
      )
      const copy = copyOf(keyspace, keyspace, 'goods', {
        toTable: 'flat',
        explodeMap: { column: 'm', key: 'k', value: 'v' },
      })
      const done = await perform(copy)
      expect(done.finished.error).toBeUndefined()
      expect(JSON.stringify(await keyspace.rows('SELECT k, v FROM flat'))).toBe(
        '[{"k":-3,"v":["y",null]},{"k":10,"v":["x","1.50"]}]',
      )
      const keyed = await perform({ ...copy, toTable: 'flat2', constants: { tenant: 't' }, key: ['tenant', 'id', 'k'] })
      expect(keyed.finished.error).toBeUndefined()
      expect(await keyspace.rows(`SELECT k FROM flat2 WHERE tenant = 't' AND id = 1`)).toHaveLength(2)
    },
  )

  test('from PostgreSQL to SQLite, in many chunks', { timeout: 90_000 }, async ({ skip }) => {
    skip(noPostgres !== '', noPostgres)
    const source = await makePlace('postgresql', folder)
    await source.sql(
      'CREATE TABLE goods (id bigint PRIMARY KEY, name text, prices jsonb)',
      `INSERT INTO goods SELECT i, 'good ' || i, CASE WHEN i % 10 = 0 THEN NULL WHEN i % 7 = 0 THEN '{}'::jsonb
         ELSE jsonb_build_object('eu', i, 'us', '$' || i, 'none', NULL) END FROM generate_series(1, 1000) AS i`,
    )
    const target = await makePlace('sqlite', folder)
    const copy = copyOf(source, target, 'goods', { constants: { origin: 'pg' }, explodeMap, chunkRows: 100 })
    const done = await perform(copy)
    expect(done.finished.error).toBeUndefined()
    const [counted] = await source.rows('SELECT count(*) * 3 FROM goods WHERE id % 10 <> 0 AND id % 7 <> 0')
    expect(done.finished).toMatchObject({
      exitCode: 0,
      totals: { written: counted?.[0], quarantined: '0', chunks: '10' },
    })
    expect(
      await target.rows(`SELECT id, name, market, price, origin FROM goods WHERE id < 3 ORDER BY id, market`),
    ).toEqual([
      ['1', 'good 1', 'eu', '1', 'pg'],
      ['1', 'good 1', 'none', null, 'pg'],
      ['1', 'good 1', 'us', '$1', 'pg'],
      ['2', 'good 2', 'eu', '2', 'pg'],
      ['2', 'good 2', 'none', null, 'pg'],
      ['2', 'good 2', 'us', '$2', 'pg'],
    ])
    const again = await perform(copy)
    expect(again.events.filter(({ type }) => type === 'chunk.started')).toEqual([])
  })

  test(
    'quarantined rows that are retried get the same derived columns as in their copy',
    { timeout: 90_000 },
    async ({ skip }) => {
      skip(noPostgres !== '', noPostgres)
      const source = await makePlace('postgresql', folder)
      await source.sql(
        'CREATE TABLE goods (id bigint PRIMARY KEY, prices jsonb)',
        `INSERT INTO goods VALUES (1, '{"eu": "1", "us": "none"}'), (2, '{"eu": "2"}'), (3, '5')`,
      )
      const target = await makePlace('sqlite', folder)
      await target.sql(
        `CREATE TABLE goods (id INTEGER, market TEXT, price INTEGER, origin TEXT, PRIMARY KEY (id, market)) STRICT`,
      )
      const copy = copyOf(source, target, 'goods', { constants: { origin: 'pg' }, explodeMap })
      const first = await perform(copy)
      expect(first.finished).toMatchObject({ totals: { written: '2', quarantined: '2' } })
      await source.sql(
        `UPDATE goods SET prices = '{"eu": "1", "us": "11"}' WHERE id = 1`,
        `UPDATE goods SET prices = '{"uk": "3"}' WHERE id = 3`,
      )
      const retried = await perform({ kind: 'retry-quarantine', to: target.url, from: source.url })
      expect(retried.finished.error).toBeUndefined()
      expect(await target.rows('SELECT * FROM goods ORDER BY id, market')).toEqual([
        ['1', 'eu', '1', 'pg'],
        ['1', 'us', '11', 'pg'],
        ['2', 'eu', '2', 'pg'],
        ['3', 'uk', '3', 'pg'],
      ])
    },
  )

  test('a derived column that cannot be made is refused before anything is written', { timeout: 60_000 }, async () => {
    const source = await makePlace('sqlite', folder)
    await source.sql(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)',
      `INSERT INTO t VALUES (1, 'a', 2)`,
    )
    const target = await makePlace('sqlite', folder)
    await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER)')
    const refused = async (options: Partial<Parameters<typeof copyOf>[3]>) =>
      (await perform(copyOf(source, target, 't', options))).finished.error?.code
    expect(await refused({ constants: { id: '1' } })).toBe('BAD_FLAG')
    expect(await refused({ explodeMap: { column: 'gone', key: 'k', value: 'v' } })).toBe('BAD_FLAG')
    expect(await refused({ explodeMap: { column: 'n', key: 'k', value: 'v' } })).toBe('UNSUPPORTED_TYPE')
    expect(await refused({ explodeMap: { column: 'id', key: 'k', value: 'v' } })).toBe('BAD_FLAG')
    expect(await refused({ constants: { n: 'no number' } })).toBe('BAD_FLAG')
    const constant = await perform(copyOf(source, target, 't', { constants: { n: '42' } }))
    expect(constant.finished.error).toBeUndefined()
    expect(await target.rows('SELECT * FROM t')).toEqual([['1', 'a', '42']])
  })
})
