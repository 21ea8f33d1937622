/** Rows whose key is NULL: a NULL is not the empty text, and does not identify a row. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-null-keys-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SOURCE: Partial<Record<System, string>> = {
  sqlite: 'CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT)',
  postgresql: 'CREATE TABLE t (k TEXT UNIQUE, v TEXT)',
}
const LINES = 'SELECT row_key, row_json FROM migration_quarantine WHERE replayed_ms IS NULL ORDER BY row_json'

async function pair(from: System, to: System, ...rows: readonly string[]): Promise<readonly [Place, Place]> {
  const source = await makePlace(from, folder)
  const target = await makePlace(to, folder)
  await source.sql(SOURCE[from] ?? '', `INSERT INTO t VALUES ${rows.join(', ')}`)
  await target.sql('CREATE TABLE t (k VARCHAR(20) NOT NULL PRIMARY KEY, v VARCHAR(20))')
  return [source, target]
}

describe.each([
  ['sqlite', 'duckdb'],
  ['postgresql', 'postgresql'],
  ['sqlite', 'd1'],
] as const)('%s to %s', (from, to) => {
  test(
    'every refused row has a quarantine line, which ends only with that row',
    { timeout: 60_000 },
    async ({ skip }) => {
      for (const system of [from, to]) {
        const why = await missing(system)
        skip(why !== '', `needs ${system}: ${why}`)
      }
      const [source, target] = await pair(from, to, "('', 'empty')", "(NULL, 'one')", "(NULL, 'two')", "('a', 'x')")
      const copied = await perform(copyOf(source, target, 't'))
      expect(copied.finished).toMatchObject({ exitCode: 1, totals: { written: '2', quarantined: '2' } })
      expect((await target.rows(LINES)).map(([key, row]) => [key, (JSON.parse(row ?? '') as { v: string }).v])).toEqual(
        [
          ['[null]', 'one'],
          ['[null]', 'two'],
        ],
      )
      const asides = copied.events.filter((one) => one.type === 'row.aside')
      expect(asides.map(({ key }) => key)).toEqual([[null], [null]])

      // A retry cannot tell which of the two rows a line means: no line ends, and a later run does not report the
      // tables as equal.
      const retry = { kind: 'retry-quarantine', to: target.url, from: source.url } as const
      const tried = await perform(retry)
      expect(tried.finished).toMatchObject({ exitCode: 1, totals: { quarantined: '2', written: '0', gone: '0' } })
      const again = await perform(copyOf(source, target, 't'))
      expect(again.finished.exitCode).toBe(1)
      expect(await target.rows(LINES)).toHaveLength(2)

      // One row with NULL is left, which the target still refuses.
      await source.sql("DELETE FROM t WHERE v = 'two'")
      expect((await perform(retry)).finished).toMatchObject({ exitCode: 1, totals: { quarantined: '2' } })
      expect(await target.rows('SELECT k, v FROM t ORDER BY k')).toEqual([
        ['', 'empty'],
        ['a', 'x'],
      ])

      // Looked up by its true key, the row is gone now.
      await source.sql('DELETE FROM t WHERE k IS NULL')
      expect((await perform(retry)).finished).toMatchObject({ exitCode: 0, totals: { gone: '2', written: '0' } })
      expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
    },
  )
})

test('a quarantine line of an older program, with an empty text for NULL, is looked up as NULL', async () => {
  const [source, target] = await pair('sqlite', 'sqlite', "('', 'empty')", "(NULL, 'one')")
  await perform(copyOf(source, target, 't'))
  await target.sql(`UPDATE migration_quarantine SET row_key = '[""]'`)
  const retry = { kind: 'retry-quarantine', to: target.url, from: source.url } as const
  expect((await perform(retry)).finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1', written: '0' } })
  expect(await target.rows(LINES)).toHaveLength(1)
})

test('a row with NULL is written once after the target accepts it', async () => {
  const source = await makePlace('sqlite', folder)
  const target = await makePlace('sqlite', folder)
  await source.sql('CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT)', "INSERT INTO t VALUES (NULL, 'one'), ('', 'empty')")
  await target.sql("CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT CHECK (v <> 'one'))")
  expect((await perform(copyOf(source, target, 't'))).finished).toMatchObject({
    totals: { written: '1', quarantined: '1' },
  })
  await source.sql("UPDATE t SET v = 'mended' WHERE k IS NULL")
  const retry = { kind: 'retry-quarantine', to: target.url, from: source.url } as const
  expect((await perform(retry)).finished).toMatchObject({ exitCode: 0, totals: { written: '1' } })
  expect(await target.rows('SELECT k, v FROM t ORDER BY v')).toEqual([
    ['', 'empty'],
    [null, 'mended'],
  ])
  expect((await perform(copyOf(source, target, 't'))).finished.exitCode).toBe(0)
})

test('diff counts rows without a usable key correctly, and gives no hint that would not help', async () => {
  const [source, target] = await pair('sqlite', 'sqlite', "('', 'empty')", "(NULL, 'one')")
  await perform(copyOf(source, target, 't'))
  const options = { ...copyOf(source, target, 't'), kind: 'diff', limit: 10, fix: false, deleteExtra: false } as const
  const { finished, events } = await perform(options)
  expect(finished.exitCode).toBe(1)
  expect(finished.error?.message).not.toContain('row differs')
  expect(finished.error?.hint).not.toContain('--delete-extra')
  const table = events.find((one) => one.type === 'table.finished')
  expect(table).toMatchObject({ status: 'failed' })
  expect(table?.type === 'table.finished' ? table.notes?.join(' ') : '').toContain('rows without a usable key differ')
})

// A table's only key column INTEGER would number its rows itself if it were made as a primary key.
test.each([
  ['sqlite', 'TEXT PRIMARY KEY', 'CREATE TABLE t (k TEXT, v TEXT, PRIMARY KEY (k))', 3],
  ['sqlite', 'INTEGER PRIMARY KEY DESC', 'CREATE TABLE t (k INTEGER, v TEXT, UNIQUE (k))', 3],
  ['duckdb', 'TEXT PRIMARY KEY', 'CREATE TABLE t(k VARCHAR, v VARCHAR, PRIMARY KEY(k));', 1],
] as const)('the table made in %s for a key %s', async (to, key, made, rows) => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace(to, folder)]
  await source.sql(`CREATE TABLE t (k ${key}, v TEXT)`, "INSERT INTO t VALUES (NULL, 'a'), (7, 'b'), (NULL, 'c')")
  await perform(copyOf(source, target, 't'))
  const places = { sqlite: "sqlite_schema WHERE name = 't'", duckdb: "duckdb_tables() WHERE table_name = 't'" }
  const [[definition] = []] = await target.rows(`SELECT sql FROM ${places[to]}`)
  expect(definition?.replaceAll('"', '').replaceAll(/\(\s+/g, '(').replaceAll(/\s+/g, ' ').replaceAll(' )', ')')).toBe(
    made,
  )
  expect(await target.rows('SELECT count(*) FROM t')).toEqual([[String(rows)]])
})
