/** SQLite tables with ON CONFLICT REPLACE: a row that sluice writes removes no other row of the user. */
import Database from 'better-sqlite3'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { run } from '../e2e/support/program.ts'

const TABLE = 'CREATE TABLE v (id INTEGER PRIMARY KEY, at TIMESTAMP NOT NULL, x TEXT UNIQUE ON CONFLICT REPLACE)'

let folder: Folder
beforeEach(() => {
  folder = temporaryFolder()
  sql('a.db', TABLE)
  sql(
    'a.db',
    `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1399)
     INSERT INTO v SELECT i, datetime('2022-01-01', i || ' days'), 'x' || i FROM n`,
  )
})
afterEach(() => folder[Symbol.dispose]())

const place = (name: string): string => join(folder.path, name)
const url = (name: string): string => `sqlite:///${place(name)}`
const sluice = (...words: readonly string[]): ReturnType<typeof run> => run(folder.path, [...words, '--ci'])

function sql(name: string, text: string): void {
  using database = closing(name)
  database.value.exec(text)
}

function rows(name: string, where: string): unknown[] {
  using database = closing(name)
  return database.value.prepare(`SELECT id, x FROM v WHERE ${where}`).all()
}

function closing(name: string): { readonly value: Database.Database } & Disposable {
  const value = new Database(place(name))
  return { value, [Symbol.dispose]: () => value.close() }
}

it('a restore is refused if a row of the table has the unique value of an archived one', async () => {
  const due = ['--by', 'at', '--calendar', 'year', '--older-than', '1y', '--grace', '0s', '--drop', '--confirm=v']
  const archived = await sluice('archive', 'run', '--from', url('a.db'), '--table', 'v', '--to', place('to'), ...due)
  expect(archived).toMatchObject({ code: 0 })
  expect(rows('a.db', 'id = 5')).toEqual([])
  sql('a.db', "UPDATE v SET x = 'x5' WHERE id = (SELECT max(id) FROM v)")
  const newest = rows('a.db', "x = 'x5'")
  expect(newest).toHaveLength(1)
  copyFileSync(place('a.db'), place('b.db'))

  const from = ['restore', '--from', url('a.db'), '--table', 'v', '--partition', '2022'] as const
  const restored = await sluice(...from)
  expect(restored.code, restored.out + restored.err).not.toBe(0)
  expect(rows('a.db', "x = 'x5'")).toEqual(newest)
  const elsewhere = await sluice(...from, '--into', 'v', '--into-url', url('b.db'))
  expect(elsewhere.code, elsewhere.out + elsewhere.err).not.toBe(0)
  expect(rows('b.db', "x = 'x5'")).toEqual(newest)

  sql('a.db', "UPDATE v SET x = 'y' WHERE x = 'x5'")
  expect(await sluice(...from)).toMatchObject({ code: 0 })
  expect(rows('a.db', "x IN ('x5', 'y')")).toHaveLength(2)
})

it('a copy that appends or overwrites names the row, and keeps that of the target', async () => {
  for (const mode of ['append', 'upsert']) {
    sql(`${mode}.db`, `${TABLE}; INSERT INTO v VALUES (9999, '2026-01-01', 'x700')`)
    const ends = ['--from', url('a.db'), '--to', url(`${mode}.db`), '--tables', 'v', '--on-existing', mode]
    const copied = await sluice('copy', ...ends)
    expect(copied.code, copied.out + copied.err).not.toBe(0)
    expect(copied.out + copied.err).toContain('700')
    expect(rows(`${mode}.db`, 'id = 9999')).toHaveLength(1)
    expect(rows(`${mode}.db`, 'id = 700')).toEqual([])
  }
})

it('a trigger of the target that skips rows by OR IGNORE skips them for copied rows too', async () => {
  sql(
    'to.db',
    `CREATE TABLE v (id INTEGER PRIMARY KEY, at TIMESTAMP NOT NULL, x TEXT UNIQUE);
     CREATE TABLE years (y TEXT PRIMARY KEY);
     CREATE TRIGGER counted AFTER INSERT ON v BEGIN INSERT OR IGNORE INTO years VALUES (substr(NEW.at, 1, 4)); END`,
  )
  for (const mode of ['refuse', 'upsert']) {
    sql('to.db', 'DELETE FROM v')
    const ends = ['--from', url('a.db'), '--to', url('to.db'), '--tables', 'v', '--on-existing', mode, '--restart']
    const copied = await sluice('copy', ...ends)
    expect(copied, copied.out + copied.err).toMatchObject({ code: 0 })
    expect(rows('to.db', 'true')).toHaveLength(1400)
  }
})
