/** A member of an enum that was renamed while rows with it were in the archive: the refusal names what keeps the meaning of these rows. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { commandsOf } from '../support/archive-places.ts'
import type { Operation } from '../../src/engine/operations/list.ts'

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
    const restore = { kind: 'restore', from: place.url, table: 'o', partitions: ['2020-Q1'], dryRun: false } as const
    const state = async () =>
      (await place.rows('SELECT state, coalesce(restoring, 0) FROM migration_archive_partitions'))[0]
    const before = await state()
    const refused = (await perform(restore)).finished.error
    expect(refused).toMatchObject({ code: 'PARTITION_CHANGED' })
    expect(refused?.message).toMatch(/cannot come back: 'sad' is no member of (?:public\.)?mood now$/)
    expect(refused?.hint).toMatch(/RENAME VALUE 'NEW_NAME' TO 'sad'.*--into NEW_TABLE.*makes a further member/)
    expect([await state(), await place.rows('SELECT id FROM o')]).toEqual([before, [['3']]])
    // A table that is made gets the type with its members of now.
    const made = (await perform({ ...restore, into: 'made' })).finished.error
    expect(made?.message).toMatch(/^'sad' is no member of (?:public\.)?mood now$/)
    expect(made?.hint).toMatch(/^make the table with a column that holds this value, a text for instance/)
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

test('SQLite: a row that its table refuses, or another one, gets no words of a copy', async () => {
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
    'its row is not in the table; it comes back from the files',
  )
  await place.sql(
    checked('p'),
    'INSERT INTO p SELECT * FROM o WHERE n > 0',
    'DROP TABLE o',
    'ALTER TABLE p RENAME TO o',
  )
  const refused = (await perform(restore)).finished.error
  expect(refused).toMatchObject({ code: 'ROW_REFUSED' })
  expect(refused?.hint).toMatch(/^alter the column or the constraint that refuses it.*--into NEW_TABLE$/)
  await place.sql(checked('other'), `CREATE TABLE free (${columns})`)
  const other = (await perform({ ...restore, into: 'other' })).finished.error
  expect(other).toMatchObject({ code: 'ROW_REFUSED' })
  expect(other?.hint).toMatch(/^make the table .* without what refuses it/)
  expect(JSON.stringify((await perform({ ...restore, into: 'free' })).events)).toContain('1 row stands in free')
})
