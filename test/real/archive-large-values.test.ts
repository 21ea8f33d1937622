/** Partitions with rows of megabytes leave and are restored: the server's own md5 and lengths judge them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import Sqlite from 'better-sqlite3'
import { spawnSync } from 'node:child_process'
import { createCipheriv, createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BIN, cleanEnv } from '../e2e/support/program.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { done, leaveCommands } from '../support/leave-and-return.ts'

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const MB = 1 << 20
type Judged = readonly (readonly unknown[])[]

/**
 * Archives the first quarter of 2023 of `s`, drops it and restores it. @param judge returns the same before and after
 */
async function leaveAndReturn(place: Place, judge: () => Promise<Judged>): Promise<void> {
  const before = await judge()
  const { run, drop, restore, verify } = leaveCommands(place, folder.path)
  for (const operation of [run, drop]) await done(operation)
  expect(await judge()).toHaveLength(1)
  for (const operation of [verify, restore]) await done(operation)
  expect(await judge()).toEqual(before)
}

/** Text with quotes, commas, line feeds and two-byte letters. */
const TEXT = 'ab"c,\n\\é\r'

describe('values of megabytes', { timeout: 300_000 }, () => {
  const noPostgres = missing('postgresql')
  const noMysql = missing('mysql')

  test('PostgreSQL', async (context) => {
    if ((await noPostgres) !== '') context.skip()
    const place = await makePlace('postgresql', folder.path)
    await place.sql(
      'CREATE TABLE s (id int PRIMARY KEY, d date NOT NULL, t text, b bytea)',
      `INSERT INTO s VALUES (1, '2023-01-01', repeat(E'ab"c,\\n\\\\é\\r', ${Math.floor((16 * MB) / 9)}), NULL),
        (2, '2023-01-02', '', decode(repeat('00ff0a2c', ${(8 * MB) / 4}), 'hex')),
        (3, '2023-01-03', NULL, decode(repeat('22ff0a2c', ${(40 * MB) / 4}), 'hex')),
        (4, '2023-01-04', 'small', '\\x'), (5, '2026-11-01', 'stays', NULL)`,
    )
    await place.sql(
      `INSERT INTO s SELECT 10 + i, '2023-02-01', repeat(chr(97 + i) || '"', ${300_000 / 2}), decode(repeat(to_hex(16 + i), 1000), 'hex') FROM generate_series(0, 20) i`,
    )
    await leaveAndReturn(place, () =>
      place.rows('SELECT id, d, octet_length(t), md5(t), octet_length(b), md5(b) FROM s ORDER BY id'),
    )
  })

  test('MySQL', async (context) => {
    if ((await noMysql) !== '') context.skip()
    const place = await makePlace('mysql', folder.path)
    await place.sql(
      'CREATE TABLE s (id int PRIMARY KEY, d date NOT NULL, t longtext, b longblob)',
      'SET GLOBAL max_allowed_packet = 268435456',
    )
    await place.sql(
      `INSERT INTO s VALUES (1, '2023-01-01', '', NULL), (2, '2023-01-02', '', ''), (3, '2023-01-03', NULL, ''), (4, '2023-01-04', 'small', ''), (5, '2026-11-01', 'stays', NULL)`,
      `UPDATE s SET t = repeat('ab"c,\\n\\\\é\\r', ${Math.floor((14 * MB) / 9)}) WHERE id = 1`,
      `UPDATE s SET b = repeat(x'00ff0a2c', ${(8 * MB) / 4}) WHERE id = 2`,
      `UPDATE s SET b = repeat(x'22ff0a2c', ${(40 * MB) / 4}) WHERE id = 3`,
    )
    await leaveAndReturn(place, () =>
      place.rows('SELECT id, d, length(t), md5(t), length(b), md5(b) FROM s ORDER BY id'),
    )
  })

  test('SQLite: the refusal of a value above 256 MB names its key and column', async () => {
    const place = await makePlace('sqlite', folder.path)
    await place.sql(
      'CREATE TABLE s (id INTEGER PRIMARY KEY, d date NOT NULL, b BLOB)',
      `INSERT INTO s VALUES (1, '2023-01-01', x'00'), (2, '2023-01-02', zeroblob(300000000)), (3, '2026-11-01', NULL)`,
    )
    const { events } = await perform(leaveCommands(place, folder.path).run)
    const [error] = events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event.error] : []))
    expect(error).toMatchObject({
      code: 'VALUE_REFUSED',
      message: expect.stringMatching(/^b holds 300 MB: the limit for a value in an archive is 256 MB$/),
      where: 's, id = 2',
      hint: expect.stringMatching(/^make the value smaller/),
    })
  })

  test('SQLite', async () => {
    const place = await makePlace('sqlite', folder.path)
    const file = new URL(place.url).pathname.replace(/^\/\//, '/')
    {
      using db = disposable(new Sqlite(file))
      db.sql.exec('CREATE TABLE s (id INTEGER PRIMARY KEY, d date NOT NULL, t TEXT, b BLOB)')
      const insert = db.sql.prepare('INSERT INTO s VALUES (?, ?, ?, ?)')
      insert.run(1, '2023-01-01', TEXT.repeat((16 * MB) / 9), null)
      insert.run(2, '2023-01-02', '', Buffer.alloc(8 * MB, '00ff0a2c', 'hex'))
      insert.run(3, '2023-01-03', null, Buffer.alloc(40 * MB, '22ff0a2c', 'hex'))
      insert.run(4, '2023-01-04', 'small', Buffer.alloc(0))
      insert.run(5, '2026-11-01', 'stays', null)
    }
    await leaveAndReturn(place, async () => {
      using db = disposable(new Sqlite(file, { readonly: true }))
      const rows = db.sql.prepare('SELECT id, d, t, b FROM s ORDER BY id').raw().all() as [
        number,
        string,
        string | null,
        Buffer | null,
      ][]
      const md5 = (value: string | Buffer | null): unknown =>
        value === null ? null : [value.length, createHash('md5').update(value).digest('hex')]
      return rows.map(([id, d, t, b]) => [id, d, md5(t), md5(b)])
    })
  })
})

/** The first byte makes it invalid as text; no two pieces are equal, so that compression has no effect. */
function blob(bytes: number): Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16))
  return cipher.update(Buffer.alloc(bytes))
}

/** Runs a command in a process of its own. @returns its peak memory in MB */
function peakOf(words: readonly string[]): number {
  const file = join(folder.path, 'peak')
  const loaded = new URL('../bench/peak.mjs', import.meta.url).href
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', loaded, BIN, ...words, '--ci'], {
    cwd: folder.path,
    env: { ...cleanEnv(), SLUICE_BENCH_PEAK: file },
    encoding: 'utf8',
  })
  expect(`${status}\n${status === 0 ? '' : stdout + stderr}`).toBe('0\n')
  return Number(readFileSync(file, 'utf8')) / MB
}

/**
 * Memory that a value takes, as a multiple of its size, by command, beyond what the command takes for small values.
 * `size` is in MB.
 */
function timesOf(url: string, size: number): Readonly<Record<string, number>> {
  const to = join(folder.path, `memory-${Date.now()}`)
  const run = ['archive', 'run', '--table', 's', '--from', url, '--to', to, '--by', 'd', '--grace', '0d']
  const commands = {
    run,
    verify: ['archive', 'verify', '--from', url, '--deep'],
    drop: [...run, '--drop', '--confirm', 's'],
    restore: ['restore', '--table', 's', '--from', url],
  }
  const peaks = (label: string): readonly number[] =>
    Object.values(commands).map((words) => peakOf([...words, '--partition', label]))
  const idle = peaks('2023-Q2')
  const times = peaks('2023-Q1').map((peak, i) => Math.round(((peak - (idle[i] ?? 0)) / size) * 10) / 10)
  return Object.fromEntries(Object.keys(commands).map((name, i) => [name, times[i] ?? 0]))
}

describe('memory for a large value, as a multiple of its size', { timeout: 600_000 }, () => {
  const SIZE = 96

  test('PostgreSQL: about three times', async (context) => {
    if ((await missing('postgresql')) !== '') context.skip()
    const place = await makePlace('postgresql', folder.path)
    await place.sql(
      'CREATE TABLE s (id int PRIMARY KEY, d date NOT NULL, v bytea)',
      `INSERT INTO s VALUES (1, '2023-01-01', decode(repeat(md5('1') || md5('2'), ${(SIZE * MB) / 32}), 'hex')), (2, '2023-04-01', 'small'), (3, '2026-11-01', NULL)`,
    )
    const times = timesOf(place.url, SIZE)
    await context.annotate(JSON.stringify(times))
    expect(Object.entries(times).filter(([, much]) => much > 3.5)).toEqual([])
  })

  test('SQLite: more, because the driver keeps its own row besides ours', async (context) => {
    const place = await makePlace('sqlite', folder.path)
    {
      using db = disposable(new Sqlite(new URL(place.url).pathname.replace(/^\/\//, '/')))
      db.sql.exec('CREATE TABLE s (id INTEGER PRIMARY KEY, d date NOT NULL, v BLOB)')
      const insert = db.sql.prepare('INSERT INTO s VALUES (?, ?, ?)')
      insert.run(1, '2023-01-01', blob(SIZE * MB))
      insert.run(2, '2023-04-01', blob(10))
      insert.run(3, '2026-11-01', null)
    }
    const { run = 0, restore = 0, ...others } = timesOf(place.url, SIZE)
    await context.annotate(JSON.stringify({ run, restore, ...others }))
    expect(Object.entries(others).filter(([, much]) => much > 3.5)).toEqual([])
    expect(run).toBeLessThan(4.5)
    expect(restore).toBeLessThan(6)
  })
})

function disposable(sql: Sqlite.Database): Disposable & { readonly sql: Sqlite.Database } {
  return { sql, [Symbol.dispose]: () => void sql.close() }
}
