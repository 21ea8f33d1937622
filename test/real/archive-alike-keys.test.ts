/** Keys that a collation takes for one: an archived row whose key another row has by now, in another spelling. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/engine/operations/list.ts'
import { commandsOf, countedBy } from '../support/archive-places.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'

let folder: Folder
beforeAll(() => void (folder = temporaryFolder()))
afterAll(() => folder[Symbol.dispose]())

const KEYS: readonly (readonly [System, string, string, readonly string[]])[] = [
  ['sqlite', 'NOCASE', 'code TEXT COLLATE NOCASE PRIMARY KEY, at DATETIME NOT NULL, v TEXT', []],
  ['mysql', 'general_ci', 'code varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, at datetime NOT NULL, v text', []],
  ['postgresql', 'citext', 'code citext PRIMARY KEY, at timestamp NOT NULL, v text', ['CREATE EXTENSION citext']],
  [
    'postgresql',
    'nondeterministic',
    'code text COLLATE ci PRIMARY KEY, at timestamp NOT NULL, v text',
    ["CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"],
  ],
]

describe.each(KEYS)('%s, %s', (system, _name, columns, before) => {
  test('names the key and both rows, and each way out ends', { timeout: 60_000 }, async (context) => {
    if ((await missing(system)) !== '') context.skip()
    const place = await makePlace(system, folder.path)
    try {
      await place.sql(...before)
    } catch {
      context.skip()
    }
    const table = 'codes'
    await place.sql(`CREATE TABLE ${table} (${columns})`)
    await place.sql(
      `INSERT INTO ${table} VALUES ('a1', '2020-02-02 00:00:00', 'old'), ('b1', '2020-02-03 00:00:00', 'old'), ('z', '2090-01-01 00:00:00', 'kept')`,
    )
    const { run } = commandsOf({ place, form: 'plain', to: join(folder.path, `to-${place.url.slice(-16, -3)}`) })
    const archive = { ...run, tables: [table] } as Operation
    const drop = { ...run, tables: [table], drop: true, confirm: table } as Operation
    const restore = { kind: 'restore', from: place.url, table, partitions: ['2020-Q1'], dryRun: false } as const
    expect((await perform(archive)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(`INSERT INTO ${table} VALUES ('A1', '2090-02-02 00:00:00', 'new')`)
    const rows = async (): Promise<string> =>
      (await place.rows(`SELECT code, v FROM ${table}`))
        .map((row) => row.join(' '))
        .toSorted()
        .join('; ')
    const asked = { kind: 'query', from: place.url, table, limit: 10, format: 'table' } as const
    const counted = async (): Promise<string> =>
      (await countedBy({ ...asked, query: `SELECT count(*), count(DISTINCT code) FROM ${table}` })).counted
    for (const dryRun of [true, false, false]) {
      const { finished, events } = await perform({ ...restore, dryRun })
      const error = finished.error ?? events.find((event) => event.type === 'archive.planned')
      expect(JSON.stringify(error)).toContain(
        '1 archived row is missing (b1), 1 row has other values (a1, in the table A1)',
      )
      if (dryRun) continue
      expect(finished.error).toMatchObject({ code: 'PARTITION_CHANGED' })
      expect(finished.error?.reason).toContain('the key of the table takes a1 and A1 for one')
      expect(finished.error?.hint).toMatch(/give the row A1 another key, .* or bring .* --into NEW_TABLE/)
    }
    expect(await rows()).toBe('A1 new; z kept')
    expect((await perform({ ...restore, into: 'elsewhere' })).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows('SELECT count(*) FROM elsewhere')).toEqual([['2']])
    await place.sql(
      `CREATE TABLE taken (${columns})`,
      `INSERT INTO taken VALUES ('A1', '2020-02-02 00:00:00', 'other')`,
    )
    expect((await perform({ ...restore, into: 'taken' })).finished.error).toMatchObject({
      code: 'TARGET_NOT_EMPTY',
      message: expect.stringMatching(/^a key of these rows is taken in \S*taken: A1$/),
    })
    // A row that comes late under such a key is a further part, and both rows are answered.
    await place.sql(`INSERT INTO ${table} VALUES ('B1', '2020-02-04 00:00:00', 'late')`)
    expect(await counted()).toBe('5 5')
    for (const operation of [{ ...archive, dryRun: true } as Operation, archive, drop])
      expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
    expect([await rows(), await counted()]).toEqual(['A1 new; z kept', '5 5'])
    // Both ways out end.
    await place.sql(`UPDATE ${table} SET code = 'c1' WHERE v = 'new'`)
    const back = await perform(restore)
    expect(JSON.stringify(back.events)).toContain('takes B1 and b1 for one')
    expect([await rows(), await counted()]).toEqual(['a1 old; b1 old; c1 new; z kept', '5 5'])
    const changed = { ...restore, partitions: ['2020-Q1.part2'], asChanged: true, confirm: table } as const
    expect((await perform(changed)).finished).toMatchObject({ exitCode: 0 })
    expect([await rows(), await counted()]).toEqual(['a1 old; b1 old; c1 new; z kept', '4 4'])
  })
})

const AFTERWARDS: readonly (readonly [System, string, string, readonly string[], RegExp])[] = [
  [
    'sqlite',
    'code TEXT PRIMARY KEY, at DATETIME NOT NULL, v TEXT',
    'code TEXT COLLATE NOCASE PRIMARY KEY, at DATETIME NOT NULL, v TEXT',
    [],
    /NOCASE/,
  ],
  [
    'mysql',
    'code varchar(20) COLLATE utf8mb4_bin PRIMARY KEY, at datetime NOT NULL, v text',
    'code varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, at datetime NOT NULL, v text',
    [],
    /utf8mb4_general_ci/,
  ],
  [
    'postgresql',
    'code text PRIMARY KEY, at timestamp NOT NULL, v text',
    'code text COLLATE ci PRIMARY KEY, at timestamp NOT NULL, v text',
    ["CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"],
    /ci/,
  ],
]

describe.each(AFTERWARDS)('%s', (system, before, after, setUp, collation) => {
  test('two archived keys are one by the collation that the key has now', { timeout: 60_000 }, async (context) => {
    if ((await missing(system)) !== '') context.skip()
    const place = await makePlace(system, folder.path)
    const table = 'codes'
    await place.sql(
      ...setUp,
      `CREATE TABLE ${table} (${before})`,
      `INSERT INTO ${table} VALUES ('a', '2020-02-02 00:00:00', '1'), ('A', '2020-02-03 00:00:00', '2'), ('b', '2020-02-03 00:00:00', '3'), ('z', '2090-01-01 00:00:00', '4')`,
    )
    const { run } = commandsOf({ place, form: 'plain', to: join(folder.path, `to-${place.url.slice(-16, -3)}`) })
    const archive = { ...run, tables: [table] } as Operation
    expect((await perform(archive)).finished.error).toBeUndefined()
    expect((await perform({ ...archive, drop: true, confirm: table } as Operation)).finished.error).toBeUndefined()
    await place.sql(`CREATE TABLE again (${after})`, `INSERT INTO again SELECT * FROM ${table}`, `DROP TABLE ${table}`)
    await place.sql(`ALTER TABLE again RENAME TO ${table}`)
    const restore = { kind: 'restore', from: place.url, table, partitions: ['2020-Q1'], dryRun: false } as const
    expect(JSON.stringify((await perform({ ...restore, dryRun: true })).events)).toMatch(
      /code of the key is compared by .+ now, and was by (?:its bytes|utf8mb4_bin)/,
    )
    const alike = /the key takes (?:a and A|A and a) for one \(code by (.*)\)$/
    for (const more of [{}, { asChanged: true, confirm: table }]) {
      const { error } = (await perform({ ...restore, ...more })).finished
      expect(error).toMatchObject({ code: 'PARTITION_CHANGED' })
      expect(alike.exec(error?.message ?? '')?.[1]).toMatch(collation)
      expect(error?.hint).toContain('--into NEW_TABLE')
    }
    expect(await place.rows(`SELECT code FROM ${table}`)).toEqual([['z']])
    await place.sql(`CREATE TABLE same_key (${after})`, `CREATE TABLE by_bytes (${before})`)
    const refused = (await perform({ ...restore, into: 'same_key' })).finished.error
    expect(refused).toMatchObject({ code: 'ROW_REFUSED' })
    expect(alike.exec(refused?.message ?? '')?.[1]).toMatch(collation)
    expect(refused?.hint).toContain('by another collation')
    expect(await place.rows('SELECT count(*) FROM same_key')).toEqual([['0']])
    expect((await perform({ ...restore, into: 'by_bytes' })).finished.error).toBeUndefined()
    expect(await place.rows('SELECT count(*) FROM by_bytes')).toEqual([['3']])
  })
})
