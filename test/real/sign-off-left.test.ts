/** A sign-off of a stream with objects that no copy can create in its target: what is unknown is called so. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, perform, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-sign-off-left-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const WITH = ['indexes', 'constraints', 'defaults'] as const

/** The sign-off of a table with a default, into a file of the system, and its check of created objects. */
async function signed(system: System) {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
  await source.sql(
    'PRAGMA journal_mode = WAL',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, n INT DEFAULT (1 + 1), note TEXT)',
    'CREATE INDEX t_note ON t (note) WHERE note IS NOT NULL',
    'INSERT INTO t (note) VALUES (NULL), (2)',
  )
  const followed = copyOf(source, target, 't', { with: WITH, follow: { cdc: 'trigger', until: 'caught-up' } })
  const { events, finished } = await perform(followed)
  expect(finished.error).toBeUndefined()
  const stream = events.flatMap((event) => (event.type === 'follow.started' ? [event.stream] : []))[0] ?? ''
  const ran = await perform({ kind: 'sign-off', stream, from: source.url, to: target.url, tables: [] })
  const checks = ran.events.flatMap((event) =>
    event.type === 'check' && event.check === 'made by --with' ? [[event.status, event.found, event.hint]] : [],
  )
  return { exitCode: ran.finished.exitCode, checks }
}

test('an object in the words of another system is not checked, because the target cannot be searched for it', async () => {
  expect(await signed('duckdb')).toEqual({
    exitCode: 0,
    checks: [
      [
        'warn',
        'not checked: the target cannot be searched for index t_note (an index of some rows only is written in the SQL of sqlite, and is not translated), default n (its value is written in the SQL of sqlite)',
        'create in the target by hand what its programs need of it',
      ],
    ],
  })
})

test('the hint for an object that only the user can create does not name a command that creates none', async () => {
  expect(await signed('sqlite')).toEqual({
    exitCode: 1,
    checks: [
      [
        'fail',
        'not in the target: default n (SQLite adds defaults only when a table is created)',
        'create them in the target by hand',
      ],
    ],
  })
})

test('an index of other rows does not stand for one of the source whose condition differs only in brackets', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'PRAGMA journal_mode = WAL',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b INT, c INT)',
    'CREATE INDEX either ON t (id) WHERE (a > 0 OR b > 0) AND c > 0',
    'INSERT INTO t VALUES (1, 1, 1, 1)',
  )
  const followed = copyOf(source, target, 't', { with: WITH, follow: { cdc: 'trigger', until: 'caught-up' } })
  const { events } = await perform(followed)
  const stream = events.flatMap((event) => (event.type === 'follow.started' ? [event.stream] : []))[0] ?? ''
  await target.sql('DROP INDEX either', 'CREATE INDEX other ON t (id) WHERE a > 0 OR (b > 0 AND c > 0)')
  const { finished } = await perform({ kind: 'sign-off', stream, from: source.url, to: target.url, tables: [] })
  expect(finished.exitCode).toBe(0)
  const names = await target.rows("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 't' ORDER BY 1")
  expect(names).toEqual([['either'], ['other']])
})
