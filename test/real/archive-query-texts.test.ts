/**
 * How `query` reports texts that the database compares by a collation, shows booleans, and treats SQLite times with and
 * without a zone. The server's answer is the reference.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import { done, leaveCommands } from '../support/leave-and-return.ts'
import { COLD, HOT, queryPlace } from '../support/query-place.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-query-texts-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SYSTEMS = ['postgresql', 'mysql', 'sqlite'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))

/** A column whose collation treats some texts as equal, one that is compared by bytes, and a boolean one. */
const COLUMNS = {
  postgresql: 'n text COLLATE blind, b text COLLATE "C", f boolean',
  mysql: 'n varchar(20) COLLATE utf8mb4_general_ci, b varchar(20) COLLATE utf8mb4_nopad_bin, f bit(1)',
  sqlite: 'n TEXT COLLATE NOCASE, b TEXT, f BOOLEAN',
}

/** Each compares, sorts or groups by n. */
const COMPARED = [
  `SELECT count(*) FROM s WHERE n = 'eu'`,
  `SELECT count(*) FROM s WHERE n <> 'eu'`,
  `SELECT count(*) FROM s WHERE n IN ('eu', 'us')`,
  `SELECT count(*) FROM s WHERE n ILIKE 'e%'`,
  `SELECT count(*) FROM s WHERE n BETWEEN 'a' AND 'f'`,
  'SELECT n, count(*) FROM s GROUP BY n',
  'SELECT DISTINCT n FROM s',
  'SELECT count(DISTINCT n) FROM s',
  'SELECT max(n) FROM s',
  'SELECT id FROM s ORDER BY n',
  'SELECT count(*) FROM s x JOIN s y USING (n)',
  'SELECT row_number() OVER (PARTITION BY n) FROM s',
  'SELECT n FROM s UNION SELECT b FROM s',
  `SELECT count(*) FROM s WHERE CASE n WHEN 'eu' THEN true ELSE false END`,
]

describe.each(SYSTEMS)('%s', (system) => {
  const why = WITHOUT.get(system) ?? ''

  test.skipIf(why !== '')(
    `names columns that the query compares by bytes, and shows booleans like the database${why}`,
    { timeout: 60_000 },
    async () => {
      const truth = system === 'sqlite' ? '1' : system === 'mysql' ? "b'1'" : 'true'
      const rows = [COLD, HOT].flatMap((ts) =>
        [`'eu', 'eu', ${truth}`, `'EU', 'EU', ${truth}`, `NULL, NULL, NULL`].map((values) => ({ ts, values })),
      )
      const s = await queryPlace(
        system,
        folder,
        COLUMNS[system],
        rows,
        system === 'postgresql'
          ? [`CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`]
          : [],
      )
      expect(await s.place.rows(`SELECT count(*) FROM s WHERE n = 'eu'`)).toEqual([['4']])
      await s.archive()
      const said = async (sql: string): Promise<string> => {
        const { finished, notes } = await s.ask(sql)
        expect(finished.exitCode, `${sql}: ${JSON.stringify(finished)}`).toBe(0)
        return notes
      }
      // Statements are analyzed in the same way for all systems.
      for (const sql of system === 'sqlite' ? COMPARED : COMPARED.slice(0, 1)) {
        const notes = await said(sql)
        expect(notes, sql).toMatch(/^by bytes: n \(.*, collation /m)
        expect(notes, sql).not.toMatch(/by bytes: b /)
      }
      for (const sql of [
        'SELECT id, n FROM s',
        `SELECT count(*) FROM s WHERE b = 'eu'`,
        'SELECT id, n FROM s WHERE id > 1 ORDER BY id',
        'SELECT id, count(n) FROM s GROUP BY id',
        'SELECT id, char_length(n) FROM s WHERE char_length(n) > 1',
      ])
        expect(await said(sql), sql).not.toContain('by bytes')
      const flags = await s.ask('SELECT f, id > 2 AS g FROM s WHERE f IS NULL OR id < 1 ORDER BY id')
      const [yes, no] = system === 'postgresql' ? [true, false] : [1, 0]
      expect(flags.rows).toEqual([
        [yes, no],
        [null, no],
        [null, yes],
      ])
    },
  )

  test.skipIf(why !== '' || system !== 'postgresql')(
    `a collation for sorting only, and citext${why}`,
    { timeout: 60_000 },
    async () => {
      const s = await queryPlace(
        'postgresql',
        folder,
        'n text COLLATE german, c citext',
        [COLD, HOT].map((ts) => ({ ts, values: `'ä', 'A'` })),
        [`CREATE COLLATION german (provider = icu, locale = 'de')`, 'CREATE EXTENSION citext'],
      )
      await s.archive()
      const notes = async (sql: string): Promise<string> => (await s.ask(sql)).notes
      expect(await notes(`SELECT count(*) FROM s WHERE n = 'ä'`)).toBe('')
      expect(await notes('SELECT id FROM s ORDER BY n')).toMatch(/^by bytes: n \(text, collation german/)
      expect(await notes(`SELECT count(*) FROM s WHERE c = 'a'`)).toBe('as text: c (citext)')
    },
  )
})

/** Columns that the database compares by value: a literal and the archive may spell the same value differently. */
const SPELLED = {
  postgresql: [
    'u uuid, c char(5), t time',
    ['as text: u (uuid)', 'as text: t (time', 'by bytes: c (character(5), padded)'],
  ],
  mysql: ['u int, c char(5) COLLATE utf8mb4_bin, t time', ['as text: t (time)', 'by bytes: c (char(5), collation']],
  sqlite: ['u UUID, c CHAR(5), t TIME', ['as text: u (UUID)', 'as text: t (TIME)']],
} as const

test.each(SYSTEMS)(
  '%s: names columns whose values a literal may spell differently',
  { timeout: 60_000 },
  async (system) => {
    if (WITHOUT.get(system) !== '') return
    const [columns, notes] = SPELLED[system]
    const id = 'aaaaaaaa-0000-4000-8000-000000000003'
    const u = system === 'mysql' ? '1' : `'${id}'`
    const rows = [COLD, HOT].map((ts) => ({ ts, values: `${u}, 'a', '10:00:00'` }))
    const s = await queryPlace(system, folder, columns, rows)
    await s.archive()
    const asked = await s.ask(`SELECT count(*) FROM s WHERE u = ${u.toUpperCase()} OR c = 'a ' OR t = '10:00'`)
    expect(asked.finished.exitCode, JSON.stringify(asked.finished)).toBe(0)
    const named = asked.notes.split('\n')
    expect(
      named.map((one, i) => one.startsWith(notes[i] ?? 'nothing')),
      asked.notes,
    ).toEqual(notes.map(() => true))
    expect((await s.ask('SELECT id, u, c, t FROM s')).notes).toBe('')
  },
)

/** Rows of a DATETIME that exist from the beginning, and rows added after the first quarter of 2023 was archived. */
const ZONES: readonly (readonly [what: string, first: readonly string[], later: readonly string[]])[] = [
  ['all have a zone', ['2023-02-01T10:00:00Z', '2026-11-01T00:00:00Z'], ['2023-05-01T10:00:00Z']],
  ['some have a zone', ['2023-02-01 10:00:00', '2023-02-01T10:00:00Z', '2023-02-01 12:00:00+02:00', '2026-11-01'], []],
  [
    'none has a zone at first',
    ['2023-02-01 10:00:00', '2026-11-01 00:00:00'],
    ['2023-05-01T10:00:00.5Z', '2026-11-01T00:00:00Z'],
  ],
  ['all have a zone at first', ['2023-02-01T10:00:00Z'], ['2023-05-01 10:00:00', '2026-11-01 00:00:00']],
]

test.each(ZONES)('sqlite, times of which %s', { timeout: 60_000 }, async (_, first, later) => {
  const place = await makePlace('sqlite', folder)
  const put = async (from: number, values: readonly string[]): Promise<void> =>
    place.sql(...values.map((value, i) => `INSERT INTO s VALUES (${from + i}, '${value}', '${value}')`))
  await place.sql('CREATE TABLE s (id INTEGER PRIMARY KEY, d DATETIME NOT NULL, e DATETIME)')
  const { run, drop, restore, verify } = leaveCommands(place, folder)
  const ids = async (condition: string): Promise<unknown> => {
    const query = `SELECT id FROM s WHERE ${condition} ORDER BY id`
    const { events } = await done({ kind: 'query', from: place.url, table: 's', query, limit: 99, format: 'json' })
    return events.flatMap((event) => (event.type === 'row' ? [String(event.values[0])] : []))
  }
  // SQLite's own functions return the time for any spelling.
  const judge = async (): Promise<unknown> => place.rows('SELECT id, julianday(d), julianday(e) FROM s ORDER BY id')
  const asks = async (): Promise<void> => {
    for (const how of ['=', '>=', '<']) {
      for (const column of ['d', 'e']) {
        const [one, all] = [`'2023-05-01 10:00:00.500'`, `'2023-02-01 10:00:00.000'`]
        for (const value of [one, all]) {
          const sql = `SELECT id FROM twin WHERE julianday(${column}) ${how} julianday(${value}) ORDER BY id`
          expect(await ids(`${column} ${how} ${value}`), sql).toEqual((await place.rows(sql)).flat())
        }
      }
    }
  }
  await put(0, first)
  await done(run)
  await done(drop)
  await put(100, later)
  await place.sql('CREATE TABLE twin AS SELECT * FROM s')
  for (const [i, value] of first.entries())
    if (value.startsWith('2023')) await place.sql(`INSERT INTO twin VALUES (${i}, '${value}', '${value}')`)
  await asks()
  const isTwice = later.some((value) => value.startsWith('2023'))
  if (isTwice) {
    const second = { ...run, partitions: ['2023-Q2'] }
    await done(second)
    await done({ ...second, drop: true, confirm: 's' })
    await asks()
  }
  await done(verify)
  await done({ ...restore, partitions: isTwice ? ['2023-Q1', '2023-Q2'] : ['2023-Q1'] } as Operation)
  await asks()
  expect(await judge()).toEqual(await place.rows('SELECT id, julianday(d), julianday(e) FROM twin ORDER BY id'))
})
