/** A renamed enum member whose rows are in the archive: the refusal names ways that keep the meaning of these rows. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { commandsOf } from '../support/archive-places.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const why = await missing('postgresql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-members-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.skipIf(why !== '')(`PostgreSQL${why}`, { timeout: 60_000 }, () => {
  test.each(['plain', 'native'] as const)('%s: each way out keeps the value', async (form) => {
    const place = await makePlace('postgresql', folder)
    const native = form === 'native'
    await place.sql(
      `CREATE TYPE mood AS ENUM ('sad', 'ok')`,
      `CREATE TABLE o (id int, at date NOT NULL, m mood, PRIMARY KEY (id${native ? ', at' : ''}))${native ? ' PARTITION BY RANGE (at)' : ''}`,
      ...(native
        ? [
            `CREATE TABLE o20 PARTITION OF o FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')`,
            `CREATE TABLE o90 PARTITION OF o FOR VALUES FROM ('2090-01-01') TO ('2091-01-01')`,
          ]
        : []),
      `INSERT INTO o VALUES (1, '2020-02-01', 'ok'), (2, '2020-02-01', 'sad'), (3, '2090-02-01', 'sad')`,
    )
    const { run } = commandsOf({ place, form, to: join(folder, form) })
    const archive = { ...run, tables: ['o'] } as Operation
    expect((await perform(archive)).finished.error).toBeUndefined()
    expect((await perform({ ...archive, drop: true, confirm: 'o' } as Operation)).finished.error).toBeUndefined()
    await place.sql(`ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'`)
    // Archived rows keep the earlier name, so a condition on the present one does not find them.
    const query = `SELECT count(*) FROM o WHERE m = 'blue'`
    const asked = { kind: 'query', from: place.url, table: 'o', query, limit: 9, format: 'json' } as Operation
    expect(JSON.stringify((await perform(asked)).events)).toMatch(
      /m of 2020-Q1 \('sad' is called 'blue' in (?:public\.)?mood now\)/,
    )
    const restore = { kind: 'restore', from: place.url, table: 'o', partitions: ['2020-Q1'], dryRun: false } as const
    const state = async () =>
      (await place.rows('SELECT state, coalesce(restoring, 0) FROM migration_archive_partitions'))[0]
    const before = await state()
    const refused = (await perform(restore)).finished.error
    expect(refused).toMatchObject({ code: 'PARTITION_CHANGED' })
    expect(refused?.message).toMatch(/cannot be restored: 'sad' is not a member of (?:public\.)?mood now$/)
    expect(refused?.hint).toMatch(/RENAME VALUE 'NEW_NAME' TO 'sad'.*--into NEW_TABLE.*adds another member/)
    expect([await state(), await place.rows('SELECT id FROM o')]).toEqual([before, [['3']]])
    // A new table gets the type with its present members.
    const made = (await perform({ ...restore, into: 'made' })).finished.error
    expect(made?.message).toMatch(/^'sad' is not a member of (?:public\.)?mood now$/)
    expect(made?.hint).toMatch(/^create the table with a column that can hold this value, such as text/)
    await place.sql('CREATE TABLE texts (id int PRIMARY KEY, at date NOT NULL, m text)')
    expect((await perform({ ...restore, into: 'texts' })).finished.error).toBeUndefined()
    expect(await place.rows('SELECT id, m FROM texts ORDER BY 1')).toEqual([
      ['1', 'ok'],
      ['2', 'sad'],
    ])
    await place.sql(`ALTER TYPE mood RENAME VALUE 'blue' TO 'sad'`)
    expect((await perform(restore)).finished.error).toBeUndefined()
    await place.sql(`ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'`)
    expect(await place.rows(`SELECT id, m FROM o ORDER BY 1`)).toEqual([
      ['1', 'ok'],
      ['2', 'blue'],
      ['3', 'blue'],
    ])
  })
})

describe.skipIf(why !== '')('PostgreSQL, types whose values have another meaning now', { timeout: 60_000 }, () => {
  const SWAPPED = ['a TO swapped', 'b TO a', 'swapped TO b'].map((text) => {
    const [from, to] = text.split(' TO ')
    return `ALTER TYPE kind RENAME VALUE '${from}' TO '${to}'`
  })
  /** Type change, name and first value of the type, SQL that changes it, the refusal, and SQL that reverts it. */
  const OTHERS: readonly (readonly [string, string, string, readonly string[], RegExp, readonly string[]])[] = [
    ['members change names', 'kind', 'a', SWAPPED, /in m, 'a' is another member of (?:public\.)?kind now$/, SWAPPED],
    [
      'of a domain over an array',
      'kinds',
      '{a}',
      SWAPPED,
      /in m, 'a' is another member of (?:public\.)?kind now$/,
      SWAPPED,
    ],
    [
      'attributes change places',
      'pair',
      '(1,x,a)',
      ['ALTER TYPE pair DROP ATTRIBUTE n', 'ALTER TYPE pair ADD ATTRIBUTE n text'],
      /in m, the attributes of (?:public\.)?pair were \(n text, t text, k (?:public\.)?kind\) and are \(t text, k (?:public\.)?kind, n text\) now$/,
      [],
    ],
  ]
  test.each(OTHERS)('%s', async (what, type, value, change, says, back) => {
    const place = await makePlace('postgresql', folder)
    await place.sql(
      `CREATE TYPE kind AS ENUM ('a', 'b')`,
      'CREATE DOMAIN kinds AS kind[]',
      'CREATE TYPE pair AS (n text, t text, k kind)',
      `CREATE TABLE o (id int PRIMARY KEY, at date NOT NULL, m ${type})`,
      `INSERT INTO o VALUES (1, '2020-02-01', '${value}'), (2, '2090-02-01', '${value}')`,
    )
    const { run } = commandsOf({ place, form: 'plain', to: join(folder, what.replaceAll(' ', '-')) })
    const archive = { ...run, tables: ['o'] } as Operation
    expect((await perform(archive)).finished.error).toBeUndefined()
    expect((await perform({ ...archive, drop: true, confirm: 'o' } as Operation)).finished.error).toBeUndefined()
    // Archived texts can be mistaken neither for an added member nor for a member of another name.
    await place.sql(`ALTER TYPE kind ADD VALUE 'first' BEFORE 'a'`, ...change)
    const restore = { kind: 'restore', from: place.url, table: 'o', partitions: ['2020-Q1'], dryRun: false } as const
    const refused = (await perform(restore)).finished.error
    expect(refused).toMatchObject({ code: 'PARTITION_CHANGED' })
    expect(refused?.message).toMatch(says)
    expect(refused?.hint).toMatch(
      /a text column for m, and restore the rows there: sluice restore .* --into NEW_TABLE$/,
    )
    expect(JSON.stringify((await perform({ ...restore, dryRun: true })).events)).toContain('in m, ')
    expect(await place.rows('SELECT id FROM o')).toEqual([['2']])
    const query = { kind: 'query', from: place.url, table: 'o', query: 'SELECT m FROM o', limit: 9, format: 'json' }
    expect(JSON.stringify((await perform(query as Operation)).events)).toMatch(
      /m of 2020-Q1 \((?:'a' is|the attributes)/,
    )
    await place.sql('CREATE TABLE texts (id int PRIMARY KEY, at date NOT NULL, m text)')
    expect((await perform({ ...restore, into: 'made' })).finished.error).toMatchObject({ code: 'TABLE_REFUSED' })
    expect((await perform({ ...restore, into: 'texts' })).finished.error).toBeUndefined()
    expect(await place.rows('SELECT m FROM texts')).toEqual([[value]])
    if (back.length === 0) return
    await place.sql(...back)
    expect((await perform(restore)).finished.error).toBeUndefined()
    expect(await place.rows('SELECT id, m FROM o ORDER BY id')).toEqual([
      ['1', value],
      ['2', value],
    ])
  })

  test.each(['regclass', 'regrole[]'])('%s: refused unless --as-text stores the names', async (type) => {
    const place = await makePlace('postgresql', folder)
    await place.sql(
      `CREATE TABLE o (id int PRIMARY KEY, at date NOT NULL, m ${type})`,
      `INSERT INTO o VALUES (1, '2020-02-01', NULL), (2, '2090-02-01', NULL)`,
    )
    const { run } = commandsOf({ place, form: 'plain', to: join(folder, type.replace('[]', 's')) })
    const archive = { ...run, tables: ['o'] } as Operation
    const refused = (await perform({ ...archive, dryRun: true } as Operation)).finished.error
    expect(refused).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
    expect(refused?.hint).toMatch(/^--as-text m stores these names/)
    expect((await perform({ ...archive, asText: ['m'] } as Operation)).finished.error).toBeUndefined()
    // The archive records the flag, so later runs do not need it.
    expect((await perform(archive)).finished.error).toBeUndefined()
  })
})

const noMysql = await missing('mysql')
test.skipIf(noMysql !== '').each([
  ['enum', 'a'],
  ['set', 'a,c'],
])(`MySQL: members of a %s whose positions changed${noMysql}`, { timeout: 60_000 }, async (kind, value) => {
  const place = await makePlace('mysql', folder)
  const typed = (members: string): string => `${kind}(${members})`
  await place.sql(
    `CREATE TABLE o (id int PRIMARY KEY, at datetime NOT NULL, m ${typed("'a','b','c'")})`,
    `INSERT INTO o VALUES (1, '2020-02-01', '${value}'), (2, '2090-02-01', '${value}')`,
  )
  const { run } = commandsOf({ place, form: 'plain', to: join(folder, `places-${kind}`) })
  const archive = { ...run, tables: ['o'] } as Operation
  expect((await perform(archive)).finished.error).toBeUndefined()
  expect((await perform({ ...archive, drop: true, confirm: 'o' } as Operation)).finished.error).toBeUndefined()
  await place.sql(`ALTER TABLE o MODIFY m ${typed("'c','b','a'")}`)
  const restore = { kind: 'restore', from: place.url, table: 'o', partitions: ['2020-Q1'], dryRun: false } as const
  const refused = (await perform(restore)).finished.error
  expect(refused).toMatchObject({ code: 'PARTITION_CHANGED' })
  expect(refused?.hint).toMatch(/^make it m (?:enum|set)\('a','b','c'\) again, run the same command/)
  await place.sql(`ALTER TABLE o MODIFY m ${typed("'a','b','c'")}`)
  expect((await perform(restore)).finished.error).toBeUndefined()
  expect(await place.rows('SELECT id, m FROM o ORDER BY id')).toEqual([
    ['1', value],
    ['2', value],
  ])
})

test('SQLite: the hint for a row that its table, or a target table, refuses fits a restore', async () => {
  const place = await makePlace('sqlite', folder)
  const columns = 'id INTEGER PRIMARY KEY, at DATETIME NOT NULL, n INTEGER'
  const checked = (name: string): string => `CREATE TABLE ${name} (${columns}, CHECK (n > 0))`
  await place.sql(
    `CREATE TABLE o (${columns})`,
    `INSERT INTO o VALUES (1, '2020-02-01 00:00:00', 0), (2, '2090-02-01 00:00:00', 1)`,
  )
  const { run } = commandsOf({ place, form: 'plain', to: join(folder, 'checked') })
  const archive = { ...run, tables: ['o'] } as Operation
  expect((await perform(archive)).finished.error).toBeUndefined()
  expect((await perform({ ...archive, drop: true, confirm: 'o' } as Operation)).finished.error).toBeUndefined()
  const restore = { kind: 'restore', from: place.url, table: 'o', partitions: ['2020-Q1'], dryRun: false } as const
  expect(JSON.stringify((await perform({ ...restore, dryRun: true })).events)).toContain(
    'its row is not in the table; it is restored from the files',
  )
  await place.sql(
    checked('p'),
    'INSERT INTO p SELECT * FROM o WHERE n > 0',
    'DROP TABLE o',
    'ALTER TABLE p RENAME TO o',
  )
  const refused = (await perform(restore)).finished.error
  expect(refused).toMatchObject({ code: 'ROW_REFUSED' })
  expect(refused?.hint).toMatch(/alter the column or constraint that refuses the row.*--into NEW_TABLE$/)
  await place.sql(checked('other'), `CREATE TABLE free (${columns})`)
  const other = (await perform({ ...restore, into: 'other' })).finished.error
  expect(other).toMatchObject({ code: 'ROW_REFUSED' })
  expect(other?.hint).toMatch(/^create the table .* without the refusing constraint/)
  expect(JSON.stringify((await perform({ ...restore, into: 'free' })).events)).toContain('1 row now in free')
})
