/** Global settings of a server, or settings of a role, that would change what sessions of sluice read or write. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createMysqlTable } from '../../src/stores/mysql/copy/ddl.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { copyOf, makePlace, missing, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { tableOf } from './copy-mysql-kit.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-defaults-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const skipped = !MARIADB_AVAILABLE

describe.skipIf(skipped)(`MariaDB${skipped ? ` (skipped: ${MARIADB_MISSING})` : ''}`, () => {
  let server: MariadbServer
  beforeAll(async () => void (server = await startMariadb()))
  afterAll(async () => await server?.stop())

  /** Runs a body while all new sessions of the server start with a setting. */
  async function withDefault<T>(name: string, value: string, body: () => Promise<T>): Promise<T> {
    const [[before] = []] = await (await own()).rows(`SELECT @@GLOBAL.${name}`)
    await server.sql(`SET GLOBAL ${name} = ${value}`)
    try {
      return await body()
    } finally {
      await server.sql(`SET GLOBAL ${name} = ${before}`)
    }
  }

  const own = (): Promise<Place> => placeOn('mysql', server.url())

  test('rows are those of now, not of the past (system_versioning_asof)', async () => {
    const [from, to] = [await own(), await makePlace('sqlite', folder)]
    await from.sql(
      'CREATE TABLE price (id INT PRIMARY KEY, p INT) WITH SYSTEM VERSIONING',
      'SET timestamp = 1577836800',
      'INSERT INTO price VALUES (1, 10), (2, 20)',
      'SET timestamp = DEFAULT',
      'UPDATE price SET p = 11 WHERE id = 1',
      'DELETE FROM price WHERE id = 2',
    )
    await withDefault('system_versioning_asof', "'2021-01-01 00:00:00'", async () => {
      expect((await perform(copyOf(from, to, 'price'))).finished).toMatchObject({ exitCode: 0 })
    })
    expect(await to.rows('SELECT id, p FROM price')).toEqual([['1', '11']])
  })

  const CHECKED = 'CREATE TABLE ck (id INT PRIMARY KEY, v INT, CONSTRAINT vpos CHECK (v > 0))'
  const UNCHECKED = ['SET check_constraint_checks = 0', 'INSERT INTO ck VALUES (1, 1), (2, -5)']

  test('a CHECK that rows violate is not made (check_constraint_checks)', async () => {
    const [from, to] = [await own(), await own()]
    await from.sql(CHECKED, ...UNCHECKED)
    const ran = await withDefault('check_constraint_checks', '0', () =>
      perform(copyOf(from, to, 'ck', { with: ['constraints'] })),
    )
    expect(ran.finished.exitCode).not.toBe(0)
    expect(
      await to.rows(
        "SELECT 1 FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() AND CONSTRAINT_NAME = 'vpos'",
      ),
    ).toEqual([])
  })

  test('a row that violates a CHECK of the target is quarantined (check_constraint_checks)', async () => {
    const [from, to] = [await own(), await own()]
    await from.sql(CHECKED, ...UNCHECKED)
    await to.sql(CHECKED)
    const ran = await withDefault('check_constraint_checks', '0', () => perform(copyOf(from, to, 'ck')))
    expect(ran.finished).toMatchObject({ totals: { quarantined: '1' } })
    expect(await to.rows('SELECT id, v FROM ck')).toEqual([['1', '1']])
  })

  test('a timestamp gets no default of its own (explicit_defaults_for_timestamp)', async () => {
    const [from, to] = [await own(), await own()]
    await from.sql(
      'CREATE TABLE t (id INT PRIMARY KEY, a TIMESTAMP NOT NULL, b TIMESTAMP NOT NULL, c TIMESTAMP NULL)',
      "INSERT INTO t VALUES (1, '2020-01-02 03:04:05', '2020-01-02 03:04:06', NULL)",
    )
    await withDefault('explicit_defaults_for_timestamp', '0', async () => {
      expect((await perform(copyOf(from, to, 't'))).finished).toMatchObject({ exitCode: 0 })
    })
    const columns =
      "SELECT COLUMN_NAME, COLUMN_DEFAULT, IS_NULLABLE, EXTRA FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't' ORDER BY ORDINAL_POSITION"
    expect(await to.rows(columns)).toEqual(await from.rows(columns))
    // A server whose sessions may not change it.
    await using store = await openMysqlCopy(from.url)
    const facts = { binaryCollation: 'utf8mb4_nopad_bin', impliesTimes: true }
    const table = await tableOf(store, 't')
    expect(() => createMysqlTable(table, facts)).toThrow('the server would give the column a a default of its own')
    const spared = { ...table, columns: table.columns.filter(({ name }) => name === 'id' || name === 'c') }
    expect(createMysqlTable(spared, facts)).toContain('timestamp NULL')
  })

  test('a column of JSON stays one (sql_quote_show_create)', async () => {
    const [from, to] = [await own(), await own()]
    await from.sql('CREATE TABLE j (id INT PRIMARY KEY, v JSON)', `INSERT INTO j VALUES (1, '{"a": 1}')`)
    await withDefault('sql_quote_show_create', '0', async () => {
      expect((await perform(copyOf(from, to, 'j'))).finished).toMatchObject({ exitCode: 0 })
    })
    expect(
      await to.rows(
        'SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()',
      ),
    ).toEqual([['json_valid(`v`)']])
  })
})

describe('PostgreSQL, a role with session_replication_role = replica', () => {
  let why = ''
  let from: Place
  let to: Place
  beforeAll(async () => {
    why = await missing('postgresql')
    if (why !== '') return
    from = await makePlace('sqlite', folder)
    to = await makePlace('postgresql', folder)
    await from.sql(
      'CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER)',
      'INSERT INTO child VALUES (1, 1), (2, 9)',
    )
    await to.sql(
      'CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1)',
      'CREATE TABLE child (id bigint PRIMARY KEY, parent bigint REFERENCES parent)',
    )
  })

  /** @returns the target as a login with this setting */
  async function asReplica(attribute: string): Promise<{ readonly role: string; readonly url: string }> {
    const role = `r${randomBytes(6).toString('hex')}`
    await to.sql(
      `CREATE ROLE ${role} LOGIN PASSWORD 'secret' ${attribute}`,
      `ALTER ROLE ${role} SET session_replication_role = replica`,
      `GRANT ALL ON SCHEMA public TO ${role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}`,
    )
    const url = new URL(to.url)
    url.username = role
    url.password = 'secret'
    return { role, url: url.href }
  }

  test('a superuser writes with foreign keys', async ({ skip }) => {
    skip(why !== '', why)
    const { finished } = await perform(copyOf(from, await asReplica('SUPERUSER'), 'child'))
    expect(finished).toMatchObject({ totals: { quarantined: '1' } })
    expect(await to.rows('SELECT id, parent FROM child')).toEqual([['1', '1']])
  })

  test('another login, which may not change it, is refused, and may read', async ({ skip }) => {
    skip(why !== '', why)
    const { role, url } = await asReplica('')
    const { finished } = await perform(copyOf(from, { url }, 'child'))
    const hint = expect.stringContaining(`ALTER ROLE "${role}" RESET session_replication_role`) as string
    expect(finished).toMatchObject({ exitCode: 4, error: { code: 'TARGET_DENIED', hint } })
    const file = await makePlace('sqlite', folder)
    expect((await perform(copyOf({ url }, file, 'parent'))).finished).toMatchObject({ exitCode: 0 })
  })
})
