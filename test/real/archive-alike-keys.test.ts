/** Archived rows whose key or unique value another row of the table has by now, possibly in another spelling. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { shellWords } from '../../src/shared/shell-words.ts'
import { commandsOf, countedBy } from '../support/archive-places.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'

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

test.each([
  ['datetime', "'2020-02-02 00:00:00'", "'2020-02-02T00:00:00'"],
  ['uuid', "'00000000-0000-4000-8000-00000000000a'", "'00000000-0000-4000-8000-00000000000A'"],
])(
  'a late row of SQLite whose key (%s) is spelled in another way is not left out of a query, and verify names it',
  async (type, one, other) => {
    const place = await makePlace('sqlite', folder.path)
    await place.sql(
      `CREATE TABLE spelled (k ${type} NOT NULL, id integer NOT NULL, at datetime NOT NULL, v text, PRIMARY KEY (k, id))`,
      `INSERT INTO spelled VALUES (${one}, 1, '2020-02-02 00:00:00', 'old'), (${one}, 2, '2020-02-02 00:00:00', 'old')`,
    )
    const { run, verify } = commandsOf({ place, form: 'plain', to: join(folder.path, `to-${type}`) })
    expect((await perform({ ...run, tables: ['spelled'] } as Operation)).finished).toMatchObject({ exitCode: 0 })
    const query = 'SELECT count(*) FROM spelled'
    const asked = { kind: 'query', from: place.url, table: 'spelled', limit: 10, format: 'table', query } as const
    expect((await countedBy(asked)).counted).toBe('2')
    await place.sql(`INSERT INTO spelled VALUES (${other}, 2, '2020-02-03 00:00:00', 'late')`)
    const refused = (await perform(asked)).finished
    expect(refused.error).toMatchObject({
      code: 'PARTITION_STATE',
      message: expect.stringContaining('more of its rows'),
    })
    const verified = await perform({ ...verify, deep: true } as Operation)
    expect(verified.events.filter((event) => event.type === 'archive.finding')).toMatchObject([
      {
        finding: 'late rows',
        detail: expect.stringMatching(/^1 row in the table but not in the archive: .*, 2$/) as string,
      },
    ])
    await place.sql(`UPDATE spelled SET id = 3 WHERE v = 'late'`)
    expect((await countedBy(asked)).counted).toBe('3')
  },
)

describe.each(KEYS)('%s, %s', (system, name, columns, before) => {
  test('the error names the key and both rows, and both ways out succeed', { timeout: 60_000 }, async (context) => {
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
      expect(finished.error?.reason).toContain('the key of the table treats a1 and A1 as equal')
      expect(finished.error?.hint).toMatch(/give the row A1 another key, .* or restore .* --into NEW_TABLE/)
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
      message: expect.stringMatching(/^a key of the restored rows already exists in \S*taken: A1$/),
    })
    await place.sql(`INSERT INTO ${table} VALUES ('B1', '2020-02-04 00:00:00', 'late')`)
    expect(await counted()).toBe('5 5')
    if (name === 'NOCASE' || name === 'citext') {
      // sluice compares such keys as the database does: a row that arrives late under an archived key is refused.
      expect((await perform(archive)).finished.error).toMatchObject({
        code: 'PARTITION_CHANGED',
        message: expect.stringMatching(/1 row has a key that is already archived: B1$/),
      })
      await place.sql(
        `UPDATE ${table} SET code = 'c1' WHERE v = 'new'`,
        `UPDATE ${table} SET code = 'd1' WHERE v = 'late'`,
      )
      expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
      expect([await rows(), await counted()]).toEqual(['a1 old; b1 old; c1 new; d1 late; z kept', '5 5'])
      return
    }
    // Elsewhere it becomes a further part, and a query counts both rows.
    for (const operation of [{ ...archive, dryRun: true } as Operation, archive, drop])
      expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
    expect([await rows(), await counted()]).toEqual(['A1 new; z kept', '5 5'])
    // Both ways out succeed.
    await place.sql(`UPDATE ${table} SET code = 'c1' WHERE v = 'new'`)
    const back = await perform(restore)
    expect(JSON.stringify(back.events)).toContain('treats B1 and b1 as equal')
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
  test('two archived keys are equal in the collation that the key has now', { timeout: 60_000 }, async (context) => {
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
      /code of the key is compared by .+ now, and was compared by (?:its bytes|utf8mb4_bin)/,
    )
    const alike = /the key treats (?:a and A|A and a) as equal \(code by (.*)\)$/
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

type Case = readonly [System, string, readonly string[]]
const LABEL = '2020-Q1'

/** A table whose rows of 2020 have been archived and dropped. */
async function dropped(system: System, columns: string, rows: readonly string[]) {
  const place = await makePlace(system, folder.path)
  const table = 'places'
  await place.sql(`CREATE TABLE ${table} (${columns})`, `INSERT INTO ${table} VALUES ${rows.join(', ')}`)
  const { run } = commandsOf({ place, form: 'plain', to: join(folder.path, `to-${place.url.slice(-16, -3)}`) })
  const archive = { ...run, tables: [table] } as Operation
  const plan = await perform({ ...archive, dryRun: true } as Operation)
  for (const one of [archive, { ...archive, drop: true, confirm: table } as Operation])
    expect((await perform(one)).finished.error).toBeUndefined()
  const restore = { kind: 'restore', from: place.url, table, partitions: [LABEL], dryRun: false } as const
  return {
    place,
    table,
    plan,
    archive,
    restore,
    state: async () =>
      (await place.rows(`SELECT state FROM migration_archive_partitions WHERE partition_name = '${LABEL}'`))[0]?.[0],
    /** Runs a command that a hint printed, as a user would. */
    printed: (command: string) => printed(place, command),
  }
}

async function printed(place: Place, command: string): Promise<Ran> {
  const words = shellWords(command.replace(/^sluice /, ''), {})
  const { request } = await parseCommandLine([...words, '--from', place.url], {})
  if (request.kind !== 'operation') throw new Error(`${command} is no operation`)
  return await perform(request.operation)
}

const commandsIn = (hint = ''): readonly string[] =>
  [...hint.matchAll(/sluice restore [^;:,]*/g)].map(([one]) => one.trim())
const saidBy = ({ events }: Ran): string =>
  events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')

const AGAIN: readonly Case[] = [
  ['sqlite', 'id INTEGER PRIMARY KEY, at TEXT NOT NULL, v TEXT', []],
  ['mysql', 'id bigint AUTO_INCREMENT PRIMARY KEY, at datetime NOT NULL, v text', ['TRUNCATE TABLE places']],
  [
    'postgresql',
    'id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, at timestamp NOT NULL, v text',
    ['ALTER TABLE places ALTER id RESTART WITH 1'],
  ],
]

describe.each(AGAIN)('%s', (system, columns, setBack) => {
  test(
    'rows with reused numbers are different rows, and no archived row is lost',
    { timeout: 60_000 },
    async (context) => {
      if ((await missing(system)) !== '') context.skip()
      const {
        place,
        plan,
        restore,
        state,
        printed: run,
      } = await dropped(system, columns, ["(1, '2020-01-01 00:00:00', 'a')", "(2, '2020-01-02 00:00:00', 'b')"])
      const notes = plan.events.flatMap((event) => (event.type === 'archive.planned' ? [event.note ?? ''] : [])).join()
      if (system === 'sqlite')
        expect(notes).toContain(
          'its rows have the highest id: after their removal sqlite may give that number to another row',
        )
      else expect(notes).toBe('')
      await place.sql(
        ...setBack,
        "INSERT INTO places (at, v) VALUES ('2026-11-01 00:00:00', 'new1'), ('2020-02-02 00:00:00', 'new2')",
      )
      expect(await place.rows('SELECT id FROM places ORDER BY id')).toEqual([['1'], ['2']])
      const { error } = (await perform(restore)).finished
      expect(error).toMatchObject({ code: 'PARTITION_CHANGED' })
      expect(error?.message).toContain('2 rows have other values (1; 2), 1 of them is outside of the partition (1)')
      expect(error?.reason).toContain('another row with a reused key')
      const [into = '', changed = ''] = commandsIn(error?.hint)
      expect([into, changed]).toEqual([
        expect.stringMatching(/--into NEW_TABLE$/),
        expect.stringMatching(/--as-changed --confirm=\S*places$/),
      ])
      expect(error?.hint).toContain('2 archived rows are given up')
      const kept = await run(into)
      expect(kept.finished.error).toBeUndefined()
      const table = system === 'postgresql' ? 'public."NEW_TABLE"' : 'NEW_TABLE'
      expect(await place.rows(`SELECT id, v FROM ${table} ORDER BY id`)).toEqual([
        ['1', 'a'],
        ['2', 'b'],
      ])
      const ended = await run(changed)
      expect(ended.finished.error).toBeUndefined()
      expect(saidBy(ended)).toContain('2 archived rows are given up')
      expect(await state()).toBe('RESTORED')
      expect(await place.rows('SELECT v FROM places ORDER BY id')).toEqual([['new1'], ['new2']])
    },
  )
})

const UNIQUE: readonly Case[] = [
  ['sqlite', 'id INTEGER PRIMARY KEY, at TEXT NOT NULL, email TEXT UNIQUE', []],
  ['mysql', 'id bigint PRIMARY KEY, at datetime NOT NULL, email varchar(20) UNIQUE', []],
  ['postgresql', 'id bigint PRIMARY KEY, at timestamp NOT NULL, email text UNIQUE', []],
  ['postgresql', 'id bigint PRIMARY KEY, at timestamp NOT NULL, email text, EXCLUDE USING btree (email WITH =)', []],
  [
    'sqlite',
    'id INTEGER PRIMARY KEY, at TEXT NOT NULL, email TEXT',
    ['CREATE UNIQUE INDEX lowered ON places (lower(email))'],
  ],
]

describe.each(UNIQUE)('%s, %s', (system, columns, more) => {
  test('a row that violates a constraint leaves the partition unchanged', { timeout: 60_000 }, async (context) => {
    if ((await missing(system)) !== '') context.skip()
    const {
      place,
      restore,
      state,
      printed: run,
      archive,
    } = await dropped(system, columns, [
      "(1, '2020-01-01 00:00:00', 'a')",
      "(2, '2020-01-02 00:00:00', 'b')",
      "(3, '2090-01-02 00:00:00', 'z')",
    ])
    await place.sql(...more, "INSERT INTO places VALUES (9, '2090-02-02 00:00:00', 'a')")
    const { error } = (await perform(restore)).finished
    expect(error).toMatchObject({ code: 'ROW_REFUSED' })
    expect(error?.reason).toContain('the partition is DROPPED as before')
    expect(await state()).toBe('DROPPED')
    expect(await place.rows('SELECT id FROM places ORDER BY id')).toEqual([['3'], ['9']])
    // The table accepts other work.
    expect((await perform(archive)).finished.error).toBeUndefined()
    const erase = {
      kind: 'archive-erase',
      from: place.url,
      table: 'places',
      where: 'id = 2',
      reason: 'Y',
      dryRun: false,
    }
    expect((await perform({ ...erase, confirm: 'places' } as unknown as Operation)).finished.error).toBeUndefined()
    const [into = ''] = commandsIn(error?.hint)
    expect(into).toMatch(/--into NEW_TABLE$/)
    expect((await run(into)).finished.error).toBeUndefined()
    await place.sql("UPDATE places SET email = 'c' WHERE id = 9")
    expect((await perform(restore)).finished.error).toBeUndefined()
    expect(await place.rows('SELECT id FROM places ORDER BY id')).toEqual([['1'], ['3'], ['9']])
  })

  test('an archived row that another session inserted again stays', { timeout: 60_000 }, async (context) => {
    if ((await missing(system)) !== '') context.skip()
    const { place, restore, state } = await dropped(system, columns, [
      "(1, '2020-01-01 00:00:00', 'a')",
      "(2, '2020-01-02 00:00:00', 'b')",
      "(3, '2090-01-02 00:00:00', 'z')",
    ])
    await place.sql(
      ...more,
      "INSERT INTO places VALUES (2, '2020-01-02 00:00:00', 'b'), (9, '2090-02-02 00:00:00', 'a')",
    )
    for (let time = 0; time < 2; time++) {
      expect((await perform(restore)).finished.error).toMatchObject({ code: 'ROW_REFUSED' })
      expect(await state()).toBe('DETACHED')
      expect(await place.rows('SELECT id FROM places ORDER BY id')).toEqual([['2'], ['3'], ['9']])
    }
    await place.sql("UPDATE places SET email = 'c' WHERE id = 9")
    expect((await perform(restore)).finished.error).toBeUndefined()
    expect(await place.rows('SELECT id FROM places ORDER BY id')).toEqual([['1'], ['2'], ['3'], ['9']])
  })
})

/** Keys that distinguish rows by periods: the columns of the table, and a row of it. */
const OVERLAPS: readonly (readonly [System, string, (id: number, at: string, from: string, to: string) => string])[] = [
  [
    'mysql',
    'id bigint, at datetime NOT NULL, f date, t date, PERIOD FOR valid (f, t), PRIMARY KEY (id, valid WITHOUT OVERLAPS)',
    (id, at, from, to) => `(${id}, '${at}', '${from}', '${to}')`,
  ],
  [
    'postgresql',
    'id int4range, at timestamp NOT NULL, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS)',
    (id, at, from, to) => `('[${id},${id}]', '${at}', '[${from},${to})')`,
  ],
]

describe.each(OVERLAPS)('%s', (system, columns, row) => {
  test('an archived row with an overlap is named, and both ways out succeed', { timeout: 60_000 }, async (context) => {
    if ((await missing(system)) !== '') context.skip()
    try {
      await (await makePlace(system, folder.path)).sql(`CREATE TABLE probe (${columns})`)
    } catch {
      context.skip('the server has no keys without overlaps')
    }
    const {
      place,
      restore,
      state,
      printed: run,
    } = await dropped(system, columns, [
      row(1, '2020-01-01 00:00:00', '2020-01-01', '2021-01-01'),
      row(2, '2020-01-02 00:00:00', '2020-01-01', '2021-01-01'),
      row(3, '2090-01-02 00:00:00', '2020-01-01', '2021-01-01'),
    ])
    await place.sql(`INSERT INTO places VALUES ${row(1, '2090-02-02 00:00:00', '2020-06-01', '2021-06-01')}`)
    const { error } = (await perform(restore)).finished
    expect(error?.message).toMatch(/the table refuses 1 of its rows \(\[?1,/)
    expect(await state()).toBe('DROPPED')
    expect(await place.rows('SELECT count(*) FROM places')).toEqual([['2']])
    const [into = ''] = commandsIn(error?.hint)
    expect(into).toMatch(/--into NEW_TABLE$/)
    expect((await run(into)).finished.error).toBeUndefined()
    const made = system === 'postgresql' ? 'public."NEW_TABLE"' : 'NEW_TABLE'
    expect(await place.rows(`SELECT count(*) FROM ${made}`)).toEqual([['2']])
    await place.sql("DELETE FROM places WHERE at = '2090-02-02 00:00:00'")
    expect((await perform(restore)).finished.error).toBeUndefined()
    expect(await place.rows('SELECT count(*) FROM places')).toEqual([['3']])
  })
})
