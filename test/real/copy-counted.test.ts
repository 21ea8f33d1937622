/** A proof by row count counts the rows of the target: rows that the target drops are found missing. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-counted-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const IGNORES = ['CREATE TRIGGER g BEFORE INSERT ON t WHEN NEW.id % 2 = 0 BEGIN SELECT RAISE(IGNORE); END']

/** SQL that makes a table drop every second row without an error. */
const KEEPS_OUT: Readonly<Partial<Record<System, readonly string[]>>> = {
  sqlite: IGNORES,
  d1: IGNORES,
  postgresql: [
    `CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id % 2 = 0 THEN RETURN NULL; END IF; RETURN NEW; END'`,
    'CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g()',
  ],
}

async function sides(system: System): Promise<{ readonly source: Place; readonly target: Place }> {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)',
    `INSERT INTO t VALUES ${Array.from({ length: 100 }, (_, i) => `(${i + 1}, 'x')`).join(', ')}`,
  )
  await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)')
  return { source, target }
}

test.for(['sqlite', 'postgresql', 'd1'] as const)(
  '%s: rows that a trigger drops are reported missing',
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const { source, target } = await sides(system)
    await target.sql(...(KEEPS_OUT[system] ?? []))
    const copy = copyOf(source, target, 't', { onExisting: 'append', verify: 'count' })
    const { finished } = await perform(copy)
    expect(finished).toMatchObject({ exitCode: 1, totals: { written: '0' } })
    // D1 cannot roll back a batch after it is written.
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([[system === 'd1' ? '50' : '0']])
  },
)

test.for(['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1'] as const)(
  '%s: existing rows are counted',
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const { source, target } = await sides(system)
    await target.sql("INSERT INTO t VALUES (50, 'old'), (51, 'old'), (500, 'own'), (-1, 'own')")
    const copy = copyOf(source, target, 't', { onExisting: 'append', verify: 'count' })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '98', skipped: '2' } })
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['102']])
  },
)

test.for(['sqlite', 'd1'] as const)(
  '%s: rows that triggers write into other tables are not counted',
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const noted = [
      'CREATE TABLE notes (id INTEGER)',
      'CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO notes VALUES (NEW.id), (NEW.id); END',
    ]
    const plain = await sides(system)
    await plain.target.sql(...noted)
    const { finished } = await perform(copyOf(plain.source, plain.target, 't', { onExisting: 'append' }))
    expect(finished).toMatchObject({ exitCode: 0, totals: { written: '100', skipped: '0' } })
    const held = await sides(system)
    await held.target.sql(...noted, "INSERT INTO t VALUES (50, 'x'), (51, 'x')")
    const append = copyOf(held.source, held.target, 't', { onExisting: 'append' })
    expect((await perform(append)).finished).toMatchObject({ exitCode: 0, totals: { written: '98', skipped: '2' } })
    const kept = await sides(system)
    await kept.target.sql(...noted, ...(KEEPS_OUT[system] ?? []))
    const unproved = copyOf(kept.source, kept.target, 't', { onExisting: 'append', verify: 'none' })
    expect((await perform(unproved)).finished).toMatchObject({ totals: { written: '50', skipped: '50' } })
  },
)

/** SQL that makes a table without a key drop every second row without an error. */
const KEEPS_OUT_KEYLESS: Readonly<Partial<Record<System, readonly string[]>>> = {
  sqlite: KEEPS_OUT.sqlite ?? [],
  postgresql: KEEPS_OUT.postgresql ?? [],
}

test.for([
  ['sqlite', 'append'],
  ['sqlite', 'refuse'],
  ['postgresql', 'append'],
] as const)(
  '%s, %s: without a key no row is skipped, so a row that a trigger drops is missing',
  async ([system, onExisting], { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
    const table = 'CREATE TABLE t (id INTEGER, v TEXT)'
    await source.sql(table, "INSERT INTO t VALUES (1, 'x'), (2, 'x'), (3, 'x'), (4, 'x')")
    await target.sql(table, ...(KEEPS_OUT_KEYLESS[system] ?? []))
    const { finished, events } = await perform(copyOf(source, target, 't', { onExisting }))
    expect(finished).toMatchObject({ exitCode: 1, totals: { written: '0', skipped: '0' } })
    expect(finished.error?.message).toContain('2 of 4 rows')
    const failed = events.find((event) => event.type === 'chunk.failed')
    expect(failed).toMatchObject({
      error: { code: 'PROOF_FAILED', hint: expect.stringContaining('trigger') as string },
    })
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['0']])
  },
)

/** Tables whose key treats texts that differ in case as equal. */
const CASELESS: Readonly<Partial<Record<System, readonly string[]>>> = {
  sqlite: ['CREATE TABLE t (id TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, v TEXT)'],
  mysql: ['CREATE TABLE t (id VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, v TEXT)'],
  postgresql: [
    `CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    'CREATE TABLE t (id TEXT COLLATE caseless NOT NULL PRIMARY KEY, v TEXT)',
  ],
  duckdb: ['CREATE TABLE t (id TEXT COLLATE NOCASE NOT NULL PRIMARY KEY, v TEXT)'],
}

test.for(
  (['sqlite', 'mysql', 'postgresql', 'duckdb'] as const).flatMap((system) =>
    (['upsert', 'append'] as const).map((how) => [system, how] as const),
  ),
)('%s, %s: two keys of the source that are equal in the target', async ([system, onExisting], { skip }) => {
  const why = await missing(system)
  if (why !== '') skip(why)
  const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
  await source.sql(
    'CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY, v TEXT)',
    "INSERT INTO t VALUES ('a', '1'), ('A', '2'), ('b', '3')",
  )
  await target.sql(...(CASELESS[system] ?? []))
  const { finished, events } = await perform(copyOf(source, target, 't', { onExisting, verify: 'count' }))
  const held = await target.rows('SELECT count(*) FROM t')
  if (held[0]?.[0] === '3') expect(finished.exitCode).toBe(0)
  else expect(finished.exitCode, JSON.stringify(events)).not.toBe(0)
})

test.for(['sqlite', 'postgresql', 'mysql', 'duckdb'] as const)(
  '%s: rows in a target with other rows are counted by their keys',
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const { source, target } = await sides(system)
    await target.sql("INSERT INTO t VALUES (50, 'old'), (500, 'own'), (-1, 'own')")
    const copy = copyOf(source, target, 't', { onExisting: 'upsert', verify: 'count', chunkRows: 30 })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '100', proved: '4' } })
    expect(await target.rows("SELECT count(*) FROM t WHERE v = 'x'")).toEqual([['100']])
  },
)

test('rows that the target drops are missing, although the target has rows of its own', async () => {
  const { source, target } = await sides('sqlite')
  const own = Array.from({ length: 60 }, (_, i) => `(${i}.5, 'own')`).join(', ')
  await target.sql(
    'DROP TABLE t',
    'CREATE TABLE t (id REAL PRIMARY KEY, v TEXT)',
    `INSERT INTO t VALUES ${own}`,
    ...(KEEPS_OUT.sqlite ?? []),
  )
  const { finished } = await perform(copyOf(source, target, 't', { onExisting: 'append', verify: 'count' }))
  expect(finished.exitCode).not.toBe(0)
})

test.for(['sqlite', 'postgresql', 'mysql', 'duckdb'] as const)(
  '%s: an upsert of rows that are only keys, some of which exist',
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
    const table = 'CREATE TABLE t (id INTEGER PRIMARY KEY)'
    await source.sql(table, 'INSERT INTO t VALUES (1), (2), (3)')
    await target.sql(table, 'INSERT INTO t VALUES (2), (9)')
    for (const verify of ['chunk', 'count'] as const) {
      const { finished } = await perform(copyOf(source, target, 't', { onExisting: 'upsert', verify, restart: true }))
      expect(finished, JSON.stringify(finished)).toMatchObject({ exitCode: 0, totals: { read: '3' } })
    }
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['4']])
  },
)

const ROWS = "INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')"

describe.each([
  ['sqlite', 'sqlite'],
  ['sqlite', 'duckdb'],
  ['postgresql', 'postgresql'],
  ['postgresql', 'mysql'],
] as const)('rows without a key from %s to a table with a key in %s', (from, to) => {
  test.for([
    ['another value under a key', ["INSERT INTO t VALUES (2, 'own')"], 'chunk', 1],
    ['the same row', ["INSERT INTO t VALUES (2, 'y'), (9, 'own')"], 'chunk', 0],
    ['another value under a key', ["INSERT INTO t VALUES (2, 'own')"], 'count', 0],
  ] as const)('append, %s', async ([, there, verify, exitCode], { skip }) => {
    const why = (await missing(from)) || (await missing(to))
    if (why !== '') skip(why)
    const [source, target] = [await makePlace(from, folder), await makePlace(to, folder)]
    // A row that the source has twice exists once in the target.
    await source.sql('CREATE TABLE t (id INTEGER, v VARCHAR(9))', ROWS, "INSERT INTO t VALUES (1, 'x')")
    await target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(9))', ...there)
    const { finished } = await perform(copyOf(source, target, 't', { onExisting: 'append', verify }))
    expect(finished, JSON.stringify(finished)).toMatchObject({ exitCode })
    if (exitCode === 0) expect(finished.totals).toMatchObject({ read: '4', written: '2', skipped: '2' })
  })
})

test.each([
  ['chunk', 'append'],
  ['count', 'append'],
  ['count', 'refuse'],
] as const)('%s, %s: rows without a key that a trigger deletes are reported missing', async (verify, onExisting) => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const table = 'CREATE TABLE t (id INTEGER, v TEXT)'
  await source.sql(table, ROWS)
  await target.sql(table, 'CREATE TRIGGER g AFTER INSERT ON t WHEN NEW.id = 2 BEGIN DELETE FROM t WHERE id = 2; END')
  const { finished } = await perform(copyOf(source, target, 't', { verify, onExisting }))
  expect(finished).toMatchObject({ exitCode: 1, error: { code: 'PROOF_FAILED' } })
})

test.each(['chunk', 'count'] as const)('%s: rows without a key into a table with nullable keys', async (verify) => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const rows = "INSERT INTO t VALUES (NULL, 'x'), (NULL, 'x'), (1, 'x')"
  await source.sql('CREATE TABLE t (id INTEGER, v TEXT)', rows)
  await target.sql('CREATE TABLE t (id INTEGER UNIQUE, v TEXT)', rows)
  const { finished } = await perform(copyOf(source, target, 't', { verify, onExisting: 'append' }))
  expect(finished, JSON.stringify(finished)).toMatchObject({ exitCode: 0 })
})

test('count: NULL keys of source and target are counted', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const table = 'CREATE TABLE t (id TEXT UNIQUE, v TEXT)'
  await source.sql(table, "INSERT INTO t VALUES (NULL, 'x'), (NULL, 'y'), ('a', 'x'), ('b', 'x')")
  await target.sql(table, "INSERT INTO t VALUES (NULL, 'own'), ('a', 'x')")
  const { finished } = await perform(copyOf(source, target, 't', { verify: 'count', onExisting: 'append' }))
  expect(finished, JSON.stringify(finished)).toMatchObject({ exitCode: 0 })
})
