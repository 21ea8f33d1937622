/**
 * A target compares keys more loosely than the source: no repair and no change of a stream reaches the row of another
 * spelling.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-folded-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const CASED = `CREATE COLLATION cased (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`
/** Both spellings of a key are stored, because no unique index uses the column's own collation. */
const LOOSE: Partial<Record<System, readonly string[]>> = {
  sqlite: [
    'CREATE TABLE k (k TEXT COLLATE NOCASE NOT NULL, v INTEGER)',
    'CREATE UNIQUE INDEX by_k ON k (k COLLATE BINARY)',
  ],
  postgresql: [CASED, 'CREATE TABLE k (k text COLLATE cased NOT NULL, v int)'],
  duckdb: ['CREATE TABLE k (k VARCHAR COLLATE NOCASE PRIMARY KEY, v INTEGER)'],
}

const rowsOf = async ({ rows }: Place): Promise<readonly string[]> =>
  (await rows('SELECT k, v FROM k')).map((row) => row.join()).toSorted()

describe.each(['sqlite', 'postgresql', 'duckdb'] as const)('%s', (system) => {
  test('a repair of one spelling keeps the row of the other one', async (context) => {
    const why = await missing(system)
    if (why !== '') return context.skip(why)
    const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
    await source.sql(
      'CREATE TABLE k (k TEXT PRIMARY KEY NOT NULL, v INTEGER)',
      "INSERT INTO k VALUES ('A', 1), ('b', 3), ('B', 40)",
    )
    await target.sql(...(LOOSE[system] ?? []), "INSERT INTO k VALUES ('a', 1), ('A', 1), ('b', 3), ('B', 4)")
    const diff = { kind: 'diff', from: source.url, to: target.url, tables: ['k'], rename: {}, key: ['k'], workers: 1, limit: 10, fix: true, deleteExtra: true } as Operation // prettier-ignore
    const { finished } = await perform(diff)
    expect(finished.exitCode).not.toBe(0)
    expect(await rowsOf(target)).toEqual(['A,1', 'B,4', 'a,1', 'b,3'])
  })
})

test('a stream into a key of PostgreSQL with a loose collation is refused', async (context) => {
  const why = await missing('postgresql')
  if (why !== '') return context.skip(why)
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('postgresql', folder)]
  await source.sql(
    'PRAGMA journal_mode = WAL',
    'CREATE TABLE k (k TEXT PRIMARY KEY NOT NULL, v INTEGER)',
    "INSERT INTO k VALUES ('a', 1)",
  )
  await target.sql(CASED, 'CREATE TABLE k (k text COLLATE cased PRIMARY KEY, v int)')
  const { finished } = await perform(copyOf(source, target, 'k', { follow: { cdc: 'trigger', until: 'caught-up' } }))
  expect(finished.error).toMatchObject({ code: 'NOT_FOLLOWABLE' })
  expect(JSON.stringify(finished.error)).toContain('may treat two different keys of the source as equal')
})

test('a key of MariaDB whose created copy would have its loose collation is refused before triggers exist', async (context) => {
  const why = await missing('mysql')
  if (why !== '') return context.skip(why)
  const [source, target] = [await makePlace('mysql', folder), await makePlace('mysql', folder)]
  await source.sql(
    'CREATE TABLE k (k VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT)',
    "INSERT INTO k VALUES ('a', 1)",
  )
  const { finished } = await perform(copyOf(source, target, 'k', { follow: { cdc: 'trigger', until: 'caught-up' } }))
  expect(finished.error).toMatchObject({
    code: 'NOT_FOLLOWABLE',
    hint: expect.stringMatching(/create the table in the target first/) as string,
  })
  const made = 'SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()'
  expect([await source.rows(made), await target.rows(`${made} AND TABLE_NAME = 'k'`)]).toEqual([[['k']], []])
})

test('a repair of a table of PostgreSQL without a unique index is refused with a way out', async (context) => {
  const why = await missing('postgresql')
  if (why !== '') return context.skip(why)
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('postgresql', folder)]
  await source.sql('CREATE TABLE k (k TEXT PRIMARY KEY NOT NULL, v INTEGER)', "INSERT INTO k VALUES ('a', 1)")
  await target.sql('CREATE TABLE k (k text, v int)')
  const diff = { kind: 'diff', from: source.url, to: target.url, tables: ['k'], rename: {}, workers: 1, limit: 10, fix: true, deleteExtra: false } as Operation // prettier-ignore
  const { finished } = await perform(diff)
  expect(finished.error).toMatchObject({
    code: 'TABLE_REFUSED',
    hint: 'create a unique index on exactly the columns of the key',
  })
})
