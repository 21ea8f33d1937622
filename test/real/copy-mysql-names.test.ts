/** Names on MySQL and MariaDB that differ by case only, in any character set, on servers that ignore case. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrateCatalog } from '../../src/catalog/migrate.ts'
import { openMysql } from '../../src/stores/mysql/sql-database.ts'
import { tables } from '../../src/engine/copy/ledger/columns.ts'
import { ledgerDialect } from '../../src/stores/ledger-dialect.ts'
import type { Event } from '../../src/model/run/event.ts'
import { copyOf, makePlace, missing, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { MARIADB_AVAILABLE, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'

let folder = ''
let absent = ''
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-names-'))
  absent = await missing('mysql')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const linesOf = (events: readonly Event[]) =>
  events.flatMap((event) => (event.type === 'plan.ready' ? (event.copies ?? []) : []))

async function caseTwins(): Promise<Place> {
  const source = await makePlace('mysql', folder)
  await source.sql(
    'CREATE TABLE Users (id INT PRIMARY KEY, name VARCHAR(20))',
    'CREATE TABLE users (id INT PRIMARY KEY, note VARCHAR(20))',
    "INSERT INTO Users VALUES (1, 'A'), (2, 'B')",
    "INSERT INTO users VALUES (7, 'x')",
  )
  return source
}

test("columns whose names exist in the driver's row objects are copied", { timeout: 90_000 }, async ({ skip }) => {
  skip(absent !== '', absent)
  const [source, target] = [await makePlace('mysql', folder), await makePlace('mysql', folder)]
  await source.sql(
    'CREATE TABLE t (`__proto__` VARCHAR(9) PRIMARY KEY, `__defineGetter__` INT, `__lookupSetter__` TEXT)',
    `INSERT INTO t VALUES ('a', 1, 'x'), ('b', 2, 'y'), ('c', 3, NULL)`,
  )
  const copy = copyOf(source, target, 't', { chunkRows: 2 })
  const held = 'SELECT CONCAT(`__proto__`), `__defineGetter__` + 0, CONCAT(`__lookupSetter__`) FROM t ORDER BY 1'
  const rows = [['a', '1', 'x'], ['b', '2', 'y'], ['c', '3', null]] // prettier-ignore
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '3' } })
  expect(await target.rows(held)).toEqual(rows)
  await target.sql(`DELETE FROM t WHERE 1 = \`__defineGetter__\``)
  expect((await perform({ ...copy, again: true })).finished).toMatchObject({ exitCode: 0, totals: { mended: '1' } })
  expect(await target.rows(held)).toEqual(rows)
})

test('a table is not copied onto itself through the URL of another database', async ({ skip }) => {
  skip(absent !== '', absent)
  const source = await caseTwins()
  const target = await makePlace('mysql', folder)
  const own = new URL(source.url).pathname.slice(1)
  for (const onExisting of ['append', 'replace-range'] as const) {
    const { finished } = await perform(copyOf(source, target, 'users', { toSchema: own, onExisting }))
    expect(finished.error).toMatchObject({
      code: 'BAD_FLAG',
      message: expect.stringContaining('onto itself') as string,
    })
  }
  expect(await source.rows('SELECT id, note FROM users')).toEqual([['7', 'x']])
})

describe('names that differ by case only', () => {
  test.for(['mysql', 'postgresql'] as const)('are two tables in %s', async (to, { skip }) => {
    skip(absent !== '' || (await missing(to)) !== '', absent)
    const source = await caseTwins()
    const target = await makePlace(to, folder)
    const ran = await perform({ ...copyOf(source, target, ''), tables: ['*sers'] })
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: '3' } })
    const quoted = (name: string): string => (to === 'mysql' ? `\`${name}\`` : `"${name}"`)
    expect(await target.rows(`SELECT id, name FROM ${quoted('Users')} ORDER BY id`)).toEqual([
      ['1', 'A'],
      ['2', 'B'],
    ])
    expect(await target.rows(`SELECT id, note FROM ${quoted('users')}`)).toEqual([['7', 'x']])
    // Each has a separate row in the ledger, too.
    expect(
      await target.rows('SELECT table_name, rows_written FROM migration_checkpoints ORDER BY rows_written'),
    ).toEqual([
      ['users', '1'],
      ['Users', '2'],
    ])
  })

  test.for(['sqlite', 'duckdb'] as const)('are refused by name if %s treats them as equal', async (to, { skip }) => {
    skip(absent !== '', absent)
    const source = await caseTwins()
    const target = await makePlace(to, folder)
    const ran = await perform({ ...copyOf(source, target, ''), tables: ['*sers'] })
    expect(ran.finished.exitCode).not.toBe(0)
    expect(linesOf(ran.events).map(({ table, error }) => [table.split('.').at(-1), error?.code])).toEqual([
      ['Users', 'TABLE_REFUSED'],
      ['users', 'TABLE_REFUSED'],
    ])
    expect((await perform(copyOf(source, target, 'users', { toTable: 'other' }))).finished.exitCode).toBe(0)
  })

  test.for(['sqlite', 'duckdb', 'mysql'] as const)('columns are refused by name in %s', async (to, { skip }) => {
    const why = (await missing('postgresql')) + (await missing(to))
    skip(why !== '', why)
    const source = await makePlace('postgresql', folder)
    await source.sql('CREATE TABLE t (id int PRIMARY KEY, "A" text, a text)', `INSERT INTO t VALUES (1, 'x', 'y')`)
    const target = await makePlace(to, folder)
    const refused = await perform(copyOf(source, target, 't'))
    expect(refused.finished).toMatchObject({ exitCode: 4, error: { code: 'TABLE_REFUSED' } })
    expect(refused.finished.error?.message).toMatch(/columns A and a of public\.t have the same name in the target/)
    expect((await perform(copyOf(source, target, 't', { rename: { a: 'b' } }))).finished.exitCode).toBe(0)
    expect(await target.rows('SELECT * FROM t')).toEqual([['1', 'x', 'y']])
  })
})

describe('in a database of latin1', () => {
  async function latin(): Promise<Place> {
    const target = await makePlace('mysql', folder)
    const name = new URL(target.url).pathname.slice(1)
    await target.sql(`ALTER DATABASE \`${name}\` CHARACTER SET latin1 COLLATE latin1_swedish_ci`)
    return target
  }

  const collations = (place: Place) =>
    place.rows('SELECT DISTINCT TABLE_COLLATION FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()')

  async function source(): Promise<Place> {
    const place = await makePlace('sqlite', folder)
    await place.sql(
      'CREATE TABLE "表" ("鍵" TEXT PRIMARY KEY, "値" TEXT)',
      `INSERT INTO "表" VALUES ('東京', '😀'), ('大阪', 'é'), ('京都', NULL)`,
      'CREATE TABLE "ding" (id INTEGER PRIMARY KEY, x TEXT)',
      `INSERT INTO ding VALUES (1, 'ａ')`,
    )
    return place
  }

  test('tables, keys and the ledger store each character', async ({ skip }) => {
    skip(absent !== '', absent)
    const from = await source()
    const target = await latin()
    const copy = { ...copyOf(from, target, '', { chunkRows: 1, with: ['indexes'] }), tables: ['表', 'ding'] }
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '4' } })
    expect(await target.rows('SELECT `鍵`, `値` FROM `表` ORDER BY `鍵`')).toEqual(
      await from.rows('SELECT "鍵", "値" FROM "表" ORDER BY "鍵"'),
    )
    expect(await collations(target)).toEqual([['utf8mb4_nopad_bin']])
    const diff = { kind: 'diff', from: from.url, to: target.url, tables: ['表'], rename: {}, workers: 1 } as never
    expect((await perform(diff)).finished.exitCode).toBe(0)
  })

  test('an older ledger is converted, and continues', async ({ skip }) => {
    skip(absent !== '', absent)
    const from = await source()
    const target = await latin()
    // As version 1 created it: in the default character set of the database.
    const late = /,\s*(?:surplus|target_mark) [A-Z]+/g
    await target.sql(
      ...tables(ledgerDialect('mysql')).map((sql) => sql.replaceAll(late, '')),
      'INSERT INTO migration_ledger (version) VALUES (1)',
      "INSERT INTO migration_runs (run_id, source, status) VALUES (1, 'Größe', 'done')",
    )
    expect(await collations(target)).toEqual([['latin1_swedish_ci']])
    const copy = { ...copyOf(from, target, '', { chunkRows: 1 }), tables: ['表', 'ding'] }
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '4' } })
    expect(await collations(target)).toEqual([['utf8mb4_nopad_bin']])
    expect(await target.rows('SELECT source FROM migration_runs WHERE run_id = 1')).toEqual([['Größe']])
    expect(await target.rows('SELECT COUNT(*) FROM migration_ledger')).toEqual([['1']])
  })
})

test('a catalog in a database of latin1 stores each character, too', async ({ skip }) => {
  skip(absent !== '', absent)
  const target = await makePlace('mysql', folder)
  const name = new URL(target.url).pathname.slice(1)
  await target.sql(`ALTER DATABASE \`${name}\` CHARACTER SET latin1 COLLATE latin1_swedish_ci`)
  const database = await openMysql(target.url, 'write')
  try {
    await migrateCatalog(database, 0)
  } finally {
    await database.close()
  }
  expect(
    await target.rows(
      `SELECT DISTINCT TABLE_COLLATION FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'`,
    ),
  ).toEqual([['utf8mb4_nopad_bin']])
})

describe.skipIf(!MARIADB_AVAILABLE)('on a server that ignores case in names', { timeout: 90_000 }, () => {
  let server: MariadbServer | undefined
  afterAll(() => server?.[Symbol.asyncDispose]())

  test('a table with a capital letter resumes where it stopped', async ({ skip }) => {
    server = await startMariadb({ more: ['--lower-case-table-names=1'] })
    skip(!server.isOurs, 'the server is not ours')
    await server.createDatabase('stage')
    const source = await makePlace('sqlite', folder)
    await source.sql(
      'CREATE TABLE Rides (id INTEGER PRIMARY KEY, name TEXT)',
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) INSERT INTO Rides SELECT i, 'r' || i FROM n`,
    )
    const target = await placeOn('mysql', server.url('stage'))
    const copy = copyOf(source, target, 'Rides', { chunkRows: 10, workers: 1 })
    const stop = new AbortController()
    const broken = await perform(copy, {
      interrupt: { stop: stop.signal, abort: stop.signal },
      onEvent: (event) => {
        if (event.type === 'chunk.done') stop.abort()
      },
    })
    expect(broken.finished.exitCode).not.toBe(0)
    expect(await target.rows('SELECT COUNT(*) FROM rides')).not.toEqual([['40']])
    const again = await perform(copy)
    expect(again.finished).toMatchObject({ exitCode: 0 })
    expect(await target.rows('SELECT COUNT(*) FROM rides')).toEqual([['40']])
    await source.sql(`INSERT INTO Rides VALUES (41, 'late')`)
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '41' } })
    const diff = { kind: 'diff', from: source.url, to: target.url, tables: ['Rides'], rename: {}, workers: 1 } as never
    expect((await perform(diff)).finished.exitCode).toBe(0)

    const back = await makePlace('sqlite', folder)
    expect((await perform(copyOf(target, back, 'RIDES'))).finished.exitCode).toBe(0)
    expect(await back.rows('SELECT COUNT(*) FROM rides')).toEqual([['41']])
  })
})
