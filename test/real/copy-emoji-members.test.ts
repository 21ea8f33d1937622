/** Sets and enums of MySQL and MariaDB with characters of four bytes: the dictionary has '?' for each of them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform } from '../support/copy-systems.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-emoji-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const why = await missing('mysql')
const TEXT = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'

describe.skipIf(why !== '')(`members with emoji${why}`, () => {
  test.each(['postgresql', 'sqlite', 'duckdb'] as const)('are copied to %s', async (system) => {
    const source = await makePlace('mysql', folder)
    const target = await makePlace(system, folder)
    await source.sql(
      `CREATE TABLE t (id INT PRIMARY KEY, e ENUM('', '😀', 'it''s 🙈') ${TEXT}, s SET('🐟', '', 'b') ${TEXT})`,
      'INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 3, 4), (5, 3, 5), (6, 3, 6), (7, 3, 7), (8, NULL, NULL)',
      "SET SESSION sql_mode = ''",
      'INSERT INTO t VALUES (9, 0, 0)',
    )
    const ran = await perform(copyOf(source, target, 't', { acceptLossy: ['e', 's'] }))
    expect(ran.finished.exitCode).toBe(0)
    expect(await target.rows('SELECT id, e, s FROM t ORDER BY id')).toEqual([
      ['1', '', '🐟'],
      ['2', '😀', ''],
      ['3', "it's 🙈", '🐟,'],
      ['4', "it's 🙈", 'b'],
      ['5', "it's 🙈", '🐟,b'],
      ['6', "it's 🙈", ',b'],
      ['7', "it's 🙈", '🐟,,b'],
      ['8', null, null],
      ['9', '0', '0'],
    ])
  })

  test('are quarantined on the way to MySQL: no query of the source shows the members', async () => {
    const source = await makePlace('mysql', folder)
    const target = await makePlace('mysql', folder)
    await source.sql(
      `CREATE TABLE t (id INT PRIMARY KEY, e ENUM('😀', 'b') ${TEXT})`,
      'INSERT INTO t VALUES (1, 1), (2, 2)',
    )
    const ran = await perform(copyOf(source, target, 't'))
    expect(ran.finished).toMatchObject({ error: { code: 'ROWS_ASIDE' }, totals: { quarantined: '1', written: '1' } })
    expect(await target.rows('SELECT id, e FROM t')).toEqual([['2', 'b']])
  })

  test('several such members are refused with the cause, and are copied into a text', async () => {
    const source = await makePlace('mysql', folder)
    const target = await makePlace('mysql', folder)
    await source.sql(
      `CREATE TABLE t (id INT PRIMARY KEY, e ENUM('😀', '😁') ${TEXT})`,
      'INSERT INTO t VALUES (1, 1), (2, 2)',
    )
    expect((await perform(copyOf(source, target, 't'))).finished.error).toMatchObject({
      code: 'UNSUPPORTED_TYPE',
      reason: expect.stringContaining('? for each emoji') as string,
      hint: expect.stringContaining('create the table in the target first, with VARCHAR') as string,
    })
    await target.sql(`CREATE TABLE t (id INT PRIMARY KEY, e VARCHAR(9) ${TEXT})`)
    expect((await perform(copyOf(source, target, 't', { onExisting: 'append' }))).finished.exitCode).toBe(0)
    expect(await target.rows('SELECT id, e FROM t ORDER BY id')).toEqual([
      ['1', '😀'],
      ['2', '😁'],
    ])
  })

  test('such a key is refused with the cause', async () => {
    const source = await makePlace('mysql', folder)
    await source.sql(`CREATE TABLE t (e ENUM('😀', '😁') ${TEXT} PRIMARY KEY)`, 'INSERT INTO t VALUES (1), (2)')
    expect((await perform(copyOf(source, await makePlace('sqlite', folder), 't'))).finished.error).toMatchObject({
      code: 'UNSUPPORTED_KEY',
      reason: expect.stringContaining('? for each emoji') as string,
    })
  })
})
