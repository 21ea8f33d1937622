/** Tables of one PostgreSQL run share one snapshot; a failed table does not take it from the others. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

const why = await missing('postgresql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-one-snapshot-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const count = async (place: Place, table: string): Promise<string | null | undefined> =>
  (await place.rows(`SELECT count(*) FROM ${table}`))[0]?.[0]

describe.skipIf(why !== '')(`PostgreSQL${why}`, { timeout: 60_000 }, () => {
  test.each(['sqlite', 'postgresql'] as const)('a key of "char" is divided by its bytes for %s', async (system) => {
    const from = await makePlace('postgresql', folder)
    const to = await makePlace(system, folder)
    await from.sql(
      `CREATE TABLE a_chr (k "char" PRIMARY KEY, v text)`,
      // Capitals, small letters and other characters: each language sorts them differently from their bytes.
      `INSERT INTO a_chr SELECT chr(i)::"char", 'v' || i FROM generate_series(1, 120) i`,
      `CREATE TABLE a_two (k "char", n int, v text, PRIMARY KEY (k, n))`,
      `INSERT INTO a_two SELECT chr(1 + i)::"char", i, 'v' || i FROM generate_series(1, 120) i`,
      'ANALYZE',
    )
    const run = await perform(copyOf(from, to, '*', { tables: ['a_chr', 'a_two'], chunkRows: 37 }))
    expect([run.finished.error, run.finished.exitCode]).toEqual([undefined, 0])
    for (const table of ['a_chr', 'a_two'])
      expect(await to.rows(`SELECT v, k FROM ${table} ORDER BY v`)).toEqual(
        await from.rows(`SELECT v, k FROM ${table} ORDER BY v`),
      )
    const again = await perform(copyOf(from, to, '*', { tables: ['a_chr', 'a_two'], chunkRows: 37, again: true }))
    expect([again.finished.error, again.finished.exitCode]).toEqual([undefined, 0])
  })

  test('a table that the server cannot sort fails alone', async () => {
    const from = await makePlace('postgresql', folder)
    const to = await makePlace('sqlite', folder)
    const keyless = ['b_nokey1', 'b_nokey2', 'b_nokey3']
    await from.sql(
      `CREATE COLLATION lost (LOCALE = 'C')`,
      'CREATE TABLE a_lost (k text COLLATE lost PRIMARY KEY, v text)',
      `INSERT INTO a_lost SELECT 'k' || i, 'v' FROM generate_series(1, 100) i`,
      ...keyless.map((name) => `CREATE TABLE ${name} (id int, v text)`),
      ...keyless.map((name) => `INSERT INTO ${name} SELECT i, 'v' FROM generate_series(1, 3000) i`),
      'CREATE TABLE c_good (id int PRIMARY KEY, v text)',
      `INSERT INTO c_good SELECT i, 'v' FROM generate_series(1, 500) i`,
      'ANALYZE',
      `DELETE FROM pg_collation WHERE collname = 'lost'`,
    )
    const tables = ['a_lost', ...keyless, 'c_good']
    const { finished, events } = await perform(copyOf(from, to, '*', { tables, chunkRows: 37 }))
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'TABLES_FAILED' } })
    const ends = events.flatMap((event) => (event.type === 'table.finished' ? [event] : []))
    expect(ends.filter(({ status }) => status !== 'ok').map(({ table }) => table)).toEqual(['public.a_lost'])
    expect(ends.flatMap(({ notes }) => notes ?? [])).toEqual([])
    for (const table of keyless) expect(await count(to, table)).toBe('3000')
    expect(await count(to, 'c_good')).toBe('500')
  })
})
