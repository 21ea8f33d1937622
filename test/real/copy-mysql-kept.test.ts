/**
 * Features of MySQL and MariaDB that differ in other systems: enum keys, exact JSON texts, geometry, columns hidden by
 * privileges.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashOfFields } from '../../src/engine/copy/plan/plan-hash.ts'
import type { Event } from '../../src/model/run/event.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
let absent = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-kept-'))
  absent = await missing('mysql')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lineOf = (events: readonly Event[]) => {
  const [line] = events.flatMap((event) => (event.type === 'plan.ready' ? (event.copies ?? []) : []))
  if (line === undefined) throw new Error('no plan')
  return line
}
const diffOf = (from: Place, to: Place, table: string) =>
  ({ kind: 'diff', from: from.url, to: to.url, tables: [table], rename: {}, workers: 1 }) as never

describe('a key with an enum', () => {
  const TARGETS = ['mysql', 'postgresql', 'sqlite', 'duckdb'] as const
  test.for(TARGETS)('is the key in %s', { timeout: 30_000 }, async (to, { skip }) => {
    skip(absent !== '' || (await missing(to)) !== '', absent)
    const source = await makePlace('mysql', folder)
    // Sorted by number: zebra, ant, 'q''x', not by letters.
    await source.sql(
      `CREATE TABLE k (kind ENUM('zebra','ant','q''x') NOT NULL, id INT NOT NULL, note VARCHAR(10), PRIMARY KEY (kind, id))`,
      `INSERT INTO k SELECT ELT(1 + seq % 3, 'zebra', 'ant', 'q''x'), seq, CONCAT('n', seq) FROM seq_1_to_60`,
      `CREATE TABLE one (kind ENUM('b','a','c') PRIMARY KEY, n INT)`,
      `INSERT INTO one VALUES ('a', 1), ('b', 2), ('c', 3)`,
      `CREATE TABLE s (flags SET('w','r','x') PRIMARY KEY, n INT)`,
      `INSERT INTO s VALUES ('', 0), ('w', 1), ('r', 2), ('w,r', 3), ('x', 4), ('w,r,x', 7)`,
    )
    const target = await makePlace(to, folder)
    const copy = { ...copyOf(source, target, '', { chunkRows: 2 }), tables: ['k', 'one', 's'] }
    const ran = await perform(copy)
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: '69' } })
    const lines = ran.events.flatMap((event) => (event.type === 'plan.ready' ? (event.copies ?? []) : []))
    expect(lines.map(({ key }) => key.join()).toSorted()).toEqual(['flags', 'kind', 'kind,id'])
    expect(await target.rows('SELECT kind, id, note FROM k ORDER BY id')).toEqual(
      await source.rows('SELECT kind, id, note FROM k ORDER BY id'),
    )
    expect(await target.rows('SELECT flags, n FROM s ORDER BY n')).toEqual(
      await source.rows('SELECT flags, n FROM s ORDER BY n'),
    )
    // A chunk for each pair of rows: no table was copied as one chunk because its key could not be divided.
    expect(ran.finished.totals['chunks']).toBe(String(31 + 2 + 4))
    await source.sql(`INSERT INTO k VALUES ('q''x', 1000, 'late')`)
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(diffOf(source, target, 'k'))).finished).toMatchObject({ exitCode: 0 })
  })

  test('a copy begun without an enum key continues without it', async ({ skip }) => {
    skip(absent !== '', absent)
    const source = await makePlace('mysql', folder)
    await source.sql(
      `CREATE TABLE one (kind ENUM('b','a','c') PRIMARY KEY, n INT)`,
      `INSERT INTO one VALUES ('a', 1), ('b', 2)`,
    )
    const target = await makePlace('sqlite', folder)
    expect((await perform(copyOf(source, target, 'one', { key: [] }))).finished.exitCode).toBe(0)
    expect((await perform(copyOf(source, target, 'one'))).finished).toMatchObject({ exitCode: 0 })
  })
})

describe('JSON as text', () => {
  const TEXTS = ['{"b": 1.50, "a":1, "a":2}', '[1e400, -0, 1.0]', '{"x":"\\u00e9\\u0000"}', '  "blank"  ', 'null']
  const rows = TEXTS.map((text, i) => `(${i + 1}, '${text.replaceAll('\\', '\\\\')}')`).join(', ')
  const source = async (): Promise<Place> => {
    const place = await makePlace('mysql', folder)
    await place.sql('CREATE TABLE j (id INT PRIMARY KEY, doc JSON)', `INSERT INTO j VALUES ${rows}`)
    expect(await place.rows("SELECT CONCAT(doc, '') FROM j ORDER BY id")).toEqual(TEXTS.map((text) => [text]))
    return place
  }

  test.for(['mysql', 'postgresql', 'sqlite', 'duckdb', 'd1'] as const)(
    'stays the same text in %s',
    async (to, { skip }) => {
      skip(absent !== '' || (await missing(to)) !== '', absent)
      const from = await source()
      const target = await makePlace(to, folder)
      const copy = copyOf(from, target, 'j')
      const ran = await perform(copy)
      expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: String(TEXTS.length) } })
      const text = to === 'mysql' ? "CONCAT(doc, '')" : `CAST(doc AS ${to === 'duckdb' ? 'VARCHAR' : 'TEXT'})`
      expect(await target.rows(`SELECT ${text} FROM j ORDER BY id`)).toEqual(TEXTS.map((one) => [one]))
      // The text was proved: another spelling of the same value is a difference.
      await target.sql(`UPDATE j SET doc = '{"a":2,"b":1.5}' WHERE id = 1`)
      expect((await perform(diffOf(from, target, 'j'))).finished).toMatchObject({ exitCode: 1 })
    },
  )

  test('is named as a loss if the target spells it differently', async ({ skip }) => {
    const why = absent + (await missing('postgresql'))
    skip(why !== '', why)
    const from = await makePlace('mysql', folder)
    await from.sql(
      'CREATE TABLE j (id INT PRIMARY KEY, doc JSON)',
      `INSERT INTO j VALUES (1, '{"b": 1.50, "a":1, "a":2}')`,
    )
    const target = await makePlace('postgresql', folder)
    await target.sql('CREATE TABLE j (id int PRIMARY KEY, doc jsonb)')
    const refused = await perform(copyOf(from, target, 'j'))
    expect(refused.finished).toMatchObject({ exitCode: 6, error: { code: 'LOSSY_TYPE' } })
    const accepted = await perform(copyOf(from, target, 'j', { acceptLossy: ['doc'] }))
    expect(accepted.finished).toMatchObject({ exitCode: 0 })
    expect(lineOf(accepted.events).columns.find(({ from: name }) => name === 'doc')?.lossy).toMatch(/duplicate names/)
    // A copy begun with this option continues without it, because older versions did not require it.
    await from.sql(`INSERT INTO j VALUES (2, '{"b":2}')`)
    expect((await perform(copyOf(from, target, 'j'))).finished).toMatchObject({ exitCode: 0 })
    // The same applies between two PostgreSQL databases.
    const json = await makePlace('postgresql', folder)
    await json.sql('CREATE TABLE j (id int PRIMARY KEY, doc json)', `INSERT INTO j VALUES (1, '{"a":1, "a":2}')`)
    const binary = await makePlace('postgresql', folder)
    await binary.sql('CREATE TABLE j (id int PRIMARY KEY, doc jsonb)')
    expect((await perform(copyOf(json, binary, 'j'))).finished).toMatchObject({ error: { code: 'LOSSY_TYPE' } })
  })
})

test('a copy begun with another spelling of JSON continues as it was begun', async ({ skip }) => {
  skip(absent !== '', absent)
  const from = await makePlace('mysql', folder)
  await from.sql('CREATE TABLE j (id INT PRIMARY KEY, doc JSON)', `INSERT INTO j VALUES (1, '{"a":1}')`)
  const target = await makePlace('sqlite', folder)
  expect((await perform(copyOf(from, target, 'j'))).finished.exitCode).toBe(0)
  // The plan of a version that did not keep the spelling of JSON.
  const plan = (await target.rows('SELECT plan FROM migration_plans'))[0]?.[0] ?? ''
  const before = plan.replace(String.raw`,\"spelled\":true`, '')
  expect(before).not.toBe(plan)
  await target.sql(`UPDATE migration_plans SET plan = '${before}', plan_hash = '${hashOfFields(JSON.parse(before))}'`)
  await from.sql(`INSERT INTO j VALUES (2, '{"b": 1.50}')`)
  expect((await perform(copyOf(from, target, 'j'))).finished).toMatchObject({ exitCode: 0 })
  expect(await target.rows('SELECT doc FROM j WHERE id = 2')).toEqual([['{"b":1.5}']])
})

describe('columns hidden by privileges', () => {
  test.for([
    ['the last one', 'id, a'],
    ['one in the middle', 'id, b'],
  ])('%s: the table is refused by name, and is copied with --columns', async ([, shown = ''], { skip }) => {
    skip(absent !== '', absent)
    const source = await makePlace('mysql', folder)
    const url = new URL(source.url)
    const database = url.pathname.slice(1)
    const user = `u${database.slice(-8)}`
    await source.sql(
      'CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)',
      'CREATE TABLE whole (id INT PRIMARY KEY)',
      'INSERT INTO t VALUES (1, 2, 3)',
      `CREATE USER '${user}'@'%' IDENTIFIED BY 'pass'`,
      `GRANT SELECT (${shown}) ON \`${database}\`.t TO '${user}'@'%'`,
      `GRANT SELECT ON \`${database}\`.whole TO '${user}'@'%'`,
    )
    try {
      url.username = user
      url.password = 'pass'
      const target = await makePlace('sqlite', folder)
      const refused = await perform(copyOf({ url: url.href }, target, 't'))
      expect(refused.finished).toMatchObject({ error: { code: 'TABLE_REFUSED' } })
      expect(refused.finished.error?.message).toMatch(/has columns that this user may not read/)
      expect(refused.finished.exitCode).not.toBe(0)
      const named = await perform(copyOf({ url: url.href }, target, 't', { columns: shown.split(', ') }))
      expect(named.finished).toMatchObject({ exitCode: 0 })
      expect((await perform(copyOf({ url: url.href }, target, 'whole'))).finished.exitCode).toBe(0)
    } finally {
      await source.sql(`DROP USER '${user}'@'%'`)
    }
  })
})

describe('geometry', () => {
  const SHAPES = [
    "ST_GeomFromText('POINT(1 2)', 4326)",
    "ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))')",
    "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))', 3857)",
    'NULL',
  ]

  test.for(['postgresql', 'sqlite', 'duckdb'] as const)('is EWKB in %s, and geometry again', async (to, { skip }) => {
    const why = absent + (await missing(to))
    skip(why !== '', why)
    const source = await makePlace('mysql', folder)
    await source.sql(
      'CREATE TABLE g (id INT PRIMARY KEY, shape GEOMETRY)',
      `INSERT INTO g VALUES ${SHAPES.map((shape, i) => `(${i + 1}, ${shape})`).join(', ')}`,
    )
    const target = await makePlace(to, folder)
    const ran = await perform(copyOf(source, target, 'g'))
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: '4' } })
    expect(lineOf(ran.events).notes?.join()).toMatch(/kept as EWKB in hexadecimal digits: shape \(geometry\)/)
    const [point, polygon] = (await target.rows('SELECT shape FROM g ORDER BY id')).map(([hex]) => hex)
    // As PostGIS prints them: SRID=4326;POINT(1 2), and POLYGON without a reference system.
    expect(point).toBe('0101000020e6100000000000000000f03f0000000000000040')
    expect(polygon).toMatch(/^010300000001000000040000000{16}/)
    expect((await perform(diffOf(source, target, 'g'))).finished).toMatchObject({ exitCode: 0 })

    const back = await makePlace('mysql', folder)
    await back.sql('CREATE TABLE g (id INT PRIMARY KEY, shape GEOMETRY)')
    expect((await perform(copyOf(target, back, 'g'))).finished).toMatchObject({ exitCode: 0 })
    expect(await back.rows('SELECT HEX(shape) FROM g ORDER BY id')).toEqual(
      await source.rows('SELECT HEX(shape) FROM g ORDER BY id'),
    )
  })

  test('between two MySQL databases it stays unchanged', async ({ skip }) => {
    skip(absent !== '', absent)
    const source = await makePlace('mysql', folder)
    await source.sql('CREATE TABLE g (id INT PRIMARY KEY, shape POINT)', `INSERT INTO g VALUES (1, ${SHAPES[0] ?? ''})`)
    const target = await makePlace('mysql', folder)
    expect((await perform(copyOf(source, target, 'g'))).finished).toMatchObject({ exitCode: 0 })
    expect(await target.rows('SELECT HEX(shape), ST_SRID(shape) FROM g')).toEqual(
      await source.rows('SELECT HEX(shape), ST_SRID(shape) FROM g'),
    )
  })
})
