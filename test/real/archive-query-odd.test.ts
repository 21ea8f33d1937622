/**
 * `archive query` over a SQLite table with cells of other types or in unusual spellings, and with keys that a collation
 * treats as equal.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, countedBy } from '../support/archive-places.ts'
import { makePlace, missing, perform, type System } from '../support/copy-systems.ts'
import { Archiver, ask } from './archive-query-kit.ts'

let folder: string
beforeAll(() => void (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-test-odd-'))))
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

const Q1 = { label: 'Q1-24', from: '2024-01-01', to: '2024-04-01' } as const

type Made = { readonly url: string; readonly db: Sqlite.Database }

let made = 0

/** A table whose rows are archived and still exist, as after a detach. */
async function detached(columns: string, archived: readonly string[], key = ''): Promise<Made> {
  const name = `s${made++}`
  const file = path.join(folder, `${name}.db`)
  const db = new Sqlite(file)
  db.exec(`CREATE TABLE bookings (${columns}${key})`)
  for (const row of archived) db.exec(`INSERT INTO bookings VALUES (${row})`)
  const url = `sqlite:///${file}`
  await using archiver = await Archiver.open(url, path.join(folder, `to-${name}`), 'ts')
  const held = await archiver.publish(Q1, '1 = 1')
  await archiver.move(held, 'PUBLISHED', 'DETACHED')
  return { url, db }
}

async function ids(url: string, condition: string): Promise<readonly string[]> {
  const { rows } = await ask(url, `SELECT id FROM bookings WHERE ${condition} ORDER BY id`)
  return rows.map(([id]) => String(id))
}

describe('times with an offset', () => {
  const SPELLED = [
    '2026-11-01T10:00+02:00',
    '2026-11-01 10:00+02',
    '2026-11-01 10:00 +0200',
    '2026-11-01 10:00:00.000+02:00:00',
    '2026-11-01T08:00Z',
    '2026-11-01 08:00 Z',
    '2026-11-01T08:00:00.0',
    '2026-11-02+16',
    '2026-11-05 11:00:00+99:00',
    '2026-10-28 05:00:00-99:00',
  ]
  test.each(SPELLED)('%s', async (text) => {
    const { url, db } = await detached('id INTEGER PRIMARY KEY, ts TIMESTAMPTZ', ["1, '2024-02-01 00:00:00'"])
    db.prepare('INSERT INTO bookings VALUES (2, ?)').run(text)
    expect(await ids(url, "ts = '2026-11-01 08:00:00+00'")).toEqual(['2'])
    expect(await ids(url, "ts >= '2026-11-01 08:00:00+00'")).toEqual(['2'])
    expect(await ids(url, "ts < '2026-11-01 08:00:00.000001+00'")).toEqual(['1', '2'])
    expect(await ids(url, "ts > '2026-11-01 08:00:00+00'")).toEqual([])
  })
})

describe('cells of another type than their column', () => {
  const CELLS = [
    ['5.5', 'n > 5', '5.5'],
    ["'text'", 'n < 9', 'text'],
    ["x'35'", 'n <= 5', '35'],
    ['-9e999', 'n < 9', '-Infinity'],
  ] as const
  test.each(CELLS)('%s of a whole number', async (cell, condition, shown) => {
    const { url, db } = await detached('id INTEGER PRIMARY KEY, ts TIMESTAMP, n INTEGER', ["1, '2024-02-01', 1"])
    db.exec(`INSERT INTO bookings VALUES (2, '2026-11-01', ${cell})`)
    await expect(ids(url, condition)).rejects.toThrow(shown)
    await expect(ids(url, `${condition} OR id = 7`)).rejects.toThrow(shown)
  })

  const TIMES = [
    ["'10000-01-01'", "ts > '2030-01-01'"],
    ["'5000-01-01 BC'", "ts < '2030-01-01'"],
    ["'2026-1-5'", "ts < '2026-01-10'"],
    ["'2024-13-05'", "ts < '2024-06-01'"],
    ["'05.01.2026'", "ts > '2025-01-01'"],
    ["''", "ts > '2025-01-01'"],
    ['2460000.5', "ts > '2025-01-01'"],
    ["x'323032362d30312d3031'", "ts < '2026-01-10'"],
  ] as const
  test.each(
    TIMES.flatMap(([cell, condition]) =>
      ['TIMESTAMP', 'TIMESTAMPTZ', 'DATE'].map((type) => [cell, type, condition] as const),
    ),
  )('%s of a %s', async (cell, type, condition) => {
    const { url, db } = await detached(`id INTEGER PRIMARY KEY, ts ${type}`, ["1, '2024-02-01'"])
    db.exec(`INSERT INTO bookings VALUES (2, ${cell})`)
    await expect(ids(url, condition)).rejects.toThrow('VALUE_REFUSED')
  })

  test.each(['TIMESTAMP', 'TIMESTAMPTZ', 'DATE'])('infinity of a %s', async (type) => {
    const { url, db } = await detached(`id INTEGER PRIMARY KEY, ts ${type}`, ["1, '2024-02-01'"])
    db.exec("INSERT INTO bookings VALUES (2, 'Infinity'), (3, '-infinity'), (4, NULL)")
    expect(await ids(url, "ts > '9999-12-30'")).toEqual(['2'])
    expect(await ids(url, "ts < '9999-12-31'")).toEqual(['1', '3'])
    expect(await ids(url, "ts < '0001-01-02'")).toEqual(['3'])
    expect(await ids(url, "ts >= '0001-01-01'")).toEqual(['1', '2'])
    expect(await ids(url, 'ts IS NULL')).toEqual(['4'])
  })
})

describe('a detached row whose key has another spelling in the table', () => {
  test.each([
    ['NOCASE', 'abc', 'ABC', '\u00c4', '\u00e4'],
    ['RTRIM', 'abc', 'abc  ', 'x', ' x'],
  ])('%s', async (collation, archived, now, other, another) => {
    const { url, db } = await detached(`code TEXT COLLATE ${collation} PRIMARY KEY, id INTEGER, ts TIMESTAMP`, [
      `'${archived}', 1, '2024-02-01'`,
      `'${other}', 2, '2024-02-02'`,
    ])
    db.exec(`UPDATE bookings SET code = '${now}' WHERE id = 1;
      INSERT INTO bookings VALUES ('${another}', 3, '2024-02-03'), ('hot', 4, '2026-11-01')`)
    const { rows } = await ask(url, 'SELECT id, code FROM bookings ORDER BY id')
    expect(rows).toEqual([
      [1, archived],
      [2, other],
      [3, another],
      [4, 'hot'],
    ])
    expect(await ids(url, "ts < '2025-01-01'")).toEqual(['1', '2', '3'])
  })
})

const KEYS: readonly (readonly [System, string, string, readonly string[]])[] = [
  ['mysql', 'general_ci', 'code varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, at datetime NOT NULL', []],
  ['postgresql', 'citext', 'code citext PRIMARY KEY, at timestamp NOT NULL', ['CREATE EXTENSION citext']],
  [
    'postgresql',
    'nondeterministic',
    'code text COLLATE ci PRIMARY KEY, at timestamp NOT NULL',
    ["CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"],
  ],
  ['mysql', 'padded', 'code varchar(20) COLLATE utf8mb4_bin PRIMARY KEY, at datetime NOT NULL', []],
]

describe.each(KEYS)('a detached row of %s whose key has another spelling, %s', (system, name, columns, before) => {
  test('is refused, or counted once if the keys are known to be equal', { timeout: 60_000 }, async (context) => {
    if ((await missing(system)) !== '') context.skip()
    const place = await makePlace(system, folder)
    try {
      await place.sql(...before)
    } catch {
      context.skip()
    }
    await place.sql(
      `CREATE TABLE codes (${columns})`,
      "INSERT INTO codes VALUES ('a1', '2020-02-02 00:00:00'), ('b1', '2020-02-03 00:00:00'), ('z', '2090-01-01 00:00:00')",
    )
    const { run } = commandsOf({ place, form: 'plain', to: path.join(folder, `to-${made++}`) })
    expect((await perform({ ...run, tables: ['codes'] } as Operation)).finished).toMatchObject({ exitCode: 0 })
    const query = 'SELECT code FROM codes ORDER BY code'
    const asked = { kind: 'query', from: place.url, table: 'codes', limit: 10, format: 'table', query } as const
    expect((await countedBy(asked)).counted).toBe('a1; b1; z')
    const late = "INSERT INTO codes VALUES ('c1', '2020-02-04 00:00:00'), ('B 1', '2020-02-04 00:00:00')"
    const respelled = name === 'padded' ? 'a1  ' : 'A1'
    await place.sql(late, `UPDATE codes SET code = '${respelled}' WHERE code = 'a1'`)
    const { ran, counted } = await countedBy(asked)
    if (name === 'padded') {
      expect(counted).toBe('B 1; a1; b1; c1; z')
      return
    }
    expect(ran.finished.error).toMatchObject({
      code: 'PARTITION_STATE',
      message: expect.stringMatching(/^\S*codes cannot be queried: its key may treat a1 and A1 as equal$/) as string,
    })
    // A condition that excludes the archived period needs no comparison.
    const hot = { ...asked, query: `SELECT code FROM codes WHERE codes."at" > '2089-01-01'` } as const
    expect((await countedBy(hot)).counted).toBe('z')
    await place.sql("UPDATE codes SET code = 'a1' WHERE code = 'A1'")
    expect((await countedBy(asked)).counted).toBe('B 1; a1; b1; c1; z')
  })
})

const ODD: readonly (readonly [System, string, readonly string[], readonly (readonly [string, string])[]])[] = [
  [
    'postgresql',
    'ts timestamptz, n int',
    ["1, 'infinity', 1", "2, '-infinity', 2", "3, '0044-03-15 00:00:00+00 BC', 3", "4, '2026-11-01 10:00:00+02', 4"],
    [
      ["ts > '2030-01-01'", '1'],
      ["ts > '2026-11-01' AND ts < '2030-01-01'", '4'],
      ["ts < '2030-01-01' AND n <> 3", '2; 4'],
      ["ts < '2030-01-01'", 'VALUE_REFUSED'],
      ['ts IS NOT NULL', 'VALUE_REFUSED'],
    ],
  ],
  [
    'mysql',
    'ts datetime, n time',
    ["1, '0000-00-00 00:00:00', '10:00:00'", "2, '2026-11-01 10:00:00', '800:00:00'", "3, NULL, '-26:00:00'"],
    [
      ["ts > '2026-01-01'", '2'],
      ["ts < '2030-01-01'", 'VALUE_REFUSED'],
      ['ts IS NULL', 'VALUE_REFUSED'],
      ["n = '800:00:00'", '2'],
      ["n = '-26:00:00'", '3'],
    ],
  ],
]

test.each(ODD)('times of %s that archives refuse', { timeout: 60_000 }, async (system, columns, rows, questions) => {
  if ((await missing(system)) !== '') return
  const place = await makePlace(system, folder)
  await place.sql(
    ...(system === 'mysql' ? ["SET SESSION sql_mode = 'ALLOW_INVALID_DATES'"] : []),
    `CREATE TABLE odd (id int PRIMARY KEY, ${columns})`,
    ...rows.map((row) => `INSERT INTO odd VALUES (${row})`),
  )
  for (const [condition, wanted] of questions) {
    const query = `SELECT id FROM odd WHERE ${condition} ORDER BY id`
    const { counted } = await countedBy({
      kind: 'query',
      from: place.url,
      table: 'odd',
      limit: 10,
      format: 'table',
      query,
    })
    expect([condition, counted.replace(/:.*/s, '')]).toEqual([condition, wanted])
  }
})
