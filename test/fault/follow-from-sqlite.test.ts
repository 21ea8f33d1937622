/**
 * A stream out of a SQLite file by triggers: killed while the file is written to, restored on either side, resynced,
 * ended.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'
import { randomOf, SQLITE_NAMES, SQLITE_TABLES, writeSome } from '../support/sqlite-writer.ts'
import { startCopy } from './copy-kit.ts'

const folder = mkdtempSync(join(tmpdir(), 'sluice-from-sqlite-'))

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/**
 * Points at which a program is killed: after the triggers are created, between its chunks, while tables become live,
 * while it compares.
 */
const KILLS = [
  { type: 'follow.started', times: 1 },
  { type: 'chunk.done', times: 2 },
  { type: 'follow.table', times: 6 },
  { type: 'follow.proved', times: 2 },
] as const

const T = ['CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)', 'CREATE TABLE u (k TEXT PRIMARY KEY, v INTEGER)']

type Stage = {
  readonly source: Place
  readonly target: Place
  readonly copy: CopyOperation
  readonly db: Database.Database
}

async function stageOf(
  system: 'postgresql' | 'duckdb' | 'sqlite',
  statements: readonly string[],
  names: readonly string[],
): Promise<Stage> {
  const source = await makePlace('sqlite', folder)
  const db = new Database(fileOf(source))
  db.pragma('journal_mode = wal')
  for (const one of statements) db.exec(one)
  const target = await makePlace(system, folder)
  const copy = {
    ...copyOf(source, target, '', { chunkRows: 20, workers: 2 }),
    tables: [...names],
    follow: { cdc: 'trigger' },
  } as const
  return { source, target, copy, db }
}

function fileOf({ url, system }: Place): string {
  return url.slice(`${system}:///`.length)
}

const follow = ({ copy }: Stage, until: 'caught-up' | 'equal', more: Partial<CopyOperation> = {}): Promise<Ran> =>
  perform({ ...copy, ...more, follow: { ...copy.follow, until } })

/** Writes on a timer until it is disposed. */
function written(db: Database.Database, seed: number): Disposable & { readonly wrote: number } {
  const random = randomOf(seed)
  let wrote = 0
  const timer = setInterval(() => {
    for (let left = 3; left > 0; left--) writeSome(db, random, 60)
    wrote += 3
  }, 4)
  return {
    get wrote(): number {
      return wrote
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

const COLUMNS: Readonly<Record<string, string>> = {
  a: 'id, u, d, w',
  b: 'k, n, v',
  c: 'k, s, z',
  d: 'id, a, c',
  t: 'id, v',
  u: 'k, v',
}

async function expectSame({ source, target }: Stage, names: readonly string[]): Promise<void> {
  let rows = 0
  for (const name of names) {
    const [here, there] = await Promise.all(
      [source, target].map(async (place) =>
        (await place.rows(`SELECT ${COLUMNS[name]} FROM ${name}`)).map((row) => JSON.stringify(row)).toSorted(),
      ),
    )
    expect(there, name).toEqual(here)
    rows += here?.length ?? 0
  }
  // A table may be empty by chance: the number of writes depends on the duration.
  expect(rows).toBeGreaterThan(0)
}

const leftIn = (db: Database.Database): readonly unknown[] =>
  db.prepare(`SELECT name FROM sqlite_schema WHERE name GLOB '*sluice*'`).pluck().all()

describe.each(['postgresql', 'duckdb'] as const)('out of a SQLite file into %s', (system) => {
  test('is equal after kills while the file is written to', { timeout: 120_000 }, async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    const one = await stageOf(system, SQLITE_TABLES, SQLITE_NAMES)
    const random = randomOf(11)
    for (let i = 0; i < 200; i++) writeSome(one.db, random, 60)
    {
      using writer = written(one.db, system === 'duckdb' ? 21 : 22)
      for (const killedBy of system === 'duckdb' ? KILLS.slice(2, 4) : KILLS) {
        const child = startCopy({ ...one.copy, follow: { cdc: 'trigger', until: 'equal' } }, { killedBy })
        const { signal, finished } = await child.ended
        expect(signal, JSON.stringify(finished?.error)).toBe('SIGKILL')
      }
      expect(writer.wrote).toBeGreaterThan(100)
    }
    const last = await follow(one, 'equal')
    expect(last.finished, JSON.stringify(last.finished.error)).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    const differing = last.events.filter((event) => event.type === 'follow.proved' && event.differing !== '0')
    expect(differing).toEqual([])
    await expectSame(one, SQLITE_NAMES)
    one.db.close()
  })
})

describe('out of a SQLite file', () => {
  test(
    'continues, is resynced if a trigger is missing, and leaves nothing when it ends',
    { timeout: 60_000 },
    async () => {
      const one = await stageOf(
        'sqlite',
        [...T, `INSERT INTO t VALUES (1, 0), (2, 0)`, `INSERT INTO u VALUES ('a', 0)`],
        ['t', 'u'],
      )
      const slot = await perform({ ...one.copy, follow: { until: 'caught-up' } })
      expect(slot.finished).toMatchObject({
        exitCode: 6,
        error: { code: 'NOT_FOLLOWABLE', hint: expect.stringMatching(/--cdc trigger/) as string },
      })
      const slots = await perform({ kind: 'slots', from: one.source.url, dryRun: false })
      expect(slots.finished.error).toMatchObject({
        code: 'NOT_FOLLOWABLE',
        message: expect.stringMatching(/no replication slots/) as string,
      })
      expect(leftIn(one.db)).toEqual([])
      const first = await follow(one, 'caught-up')
      expect(first.finished, JSON.stringify(first.finished.error)).toMatchObject({ exitCode: 0 })
      const started = first.events.find((event) => event.type === 'follow.started')
      expect(started).toMatchObject({ cdc: 'trigger', isNew: true, position: '0' })
      const stream = started?.type === 'follow.started' ? started.stream : ''
      one.db.exec(`UPDATE t SET v = 5; INSERT INTO u VALUES ('b', 1); UPDATE u SET k = 'A' WHERE k = 'a'`)
      // The ledger records how changes are captured.
      const { from, to } = one.copy
      const on = { kind: 'follow', stream, from, to, untilCaughtUp: true, untilEqual: false, end: false } as const
      expect((await perform(on)).finished).toMatchObject({ exitCode: 0 })
      await expectSame(one, ['t', 'u'])
      // Tables of the stream in the file are not tables of the user.
      const all = await perform({ ...copyOf(one.source, await makePlace('sqlite', folder), '*'), dryRun: true })
      const planned = all.events.flatMap((event) =>
        event.type === 'plan.ready' ? (event.copies ?? []).map(({ table }) => table) : [],
      )
      expect(planned.toSorted()).toEqual(['t', 'u'])

      one.db.exec(`DROP TRIGGER sluice_${stream}_2_deleted; DELETE FROM u WHERE k = 'b'; INSERT INTO t VALUES (9, 9)`)
      const halted = await perform(on)
      expect(halted.finished).toMatchObject({
        exitCode: 5,
        error: { code: 'STREAM_HALTED', hint: expect.stringMatching(/--resync u/) as string },
      })
      expect(halted.events.find((event) => event.type === 'follow.halted')).toMatchObject({
        code: 'TRIGGERS_CHANGED',
        tables: ['u'],
      })
      const again = await perform({ ...one.copy, follow: { cdc: 'trigger', resync: ['u'], until: 'equal' } })
      expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
      const equal = await follow(one, 'equal')
      expect(equal.finished.notChecked).toMatch(/every row was found equal/)
      await expectSame(one, ['t', 'u'])
      const report = await perform({ kind: 'sign-off', stream, from, to, tables: [] })
      expect(report.finished, JSON.stringify(report.finished.error)).toMatchObject({ exitCode: 0 })
      for (let twice = 0; twice < 2; twice++) await perform({ ...on, untilCaughtUp: false, end: true })
      expect(leftIn(one.db)).toEqual([])
      one.db.close()
    },
  )

  test('changes that arrive again after a kill change nothing', { timeout: 60_000 }, async () => {
    const one = await stageOf(
      'sqlite',
      [...T, `INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)`, `INSERT INTO u VALUES ('a', 0)`],
      ['t', 'u'],
    )
    expect((await follow(one, 'caught-up')).finished.exitCode).toBe(0)
    const [log] = one.db.prepare(`SELECT name FROM sqlite_schema WHERE name GLOB 'sluice_*_keys_1'`).pluck().all()
    // Recorded keys can be read and written, but not deleted.
    one.db.exec(`CREATE TRIGGER held BEFORE DELETE ON ${String(log)} BEGIN SELECT RAISE(ABORT, 'held'); END`)
    const child = startCopy({ ...one.copy, follow: { cdc: 'trigger' } })
    one.db.exec(`UPDATE t SET v = 7 WHERE id = 1; DELETE FROM t WHERE id = 2; UPDATE t SET id = 30 WHERE id = 3`)
    while ((await one.target.rows('SELECT 1 FROM t WHERE id = 30')).length === 0) await sleep(20)
    child.process.kill('SIGKILL')
    await child.ended
    expect(
      one.db
        .prepare(`SELECT count(*) FROM ${String(log)}`)
        .pluck()
        .get(),
    ).toBe(4)
    one.db.exec(`DROP TRIGGER held; UPDATE t SET v = 8 WHERE id = 1; INSERT INTO t VALUES (2, 9)`)
    const last = await follow(one, 'equal')
    expect(last.finished, JSON.stringify(last.finished.error)).toMatchObject({ exitCode: 0 })
    await expectSame(one, ['t', 'u'])
    expect(
      one.db
        .prepare(`SELECT count(*) FROM ${String(log)}`)
        .pluck()
        .get(),
    ).toBe(0)
    one.db.close()
  })

  test(
    'a source or target that was restored to an earlier time halts the stream, which can be restarted',
    { timeout: 60_000 },
    async () => {
      const one = await stageOf(
        'sqlite',
        [...T, `INSERT INTO t VALUES (1, 0)`, `INSERT INTO u VALUES ('a', 0)`],
        ['t', 'u'],
      )
      expect((await follow(one, 'caught-up')).finished.exitCode).toBe(0)
      const [source, target] = [fileOf(one.source), fileOf(one.target)]
      one.db.pragma('wal_checkpoint(TRUNCATE)')
      cpSync(source, `${source}.bak`)
      cpSync(target, `${target}.bak`)
      one.db.exec('INSERT INTO t VALUES (2, 2)')
      expect((await follow(one, 'caught-up')).finished.exitCode).toBe(0)
      cpSync(target, `${target}.now`)

      cpSync(`${target}.bak`, target)
      expect((await follow(one, 'caught-up')).finished).toMatchObject({ exitCode: 5, error: { code: 'SLOT_LOST' } })
      cpSync(`${target}.now`, target)
      expect((await follow(one, 'equal')).finished).toMatchObject({ exitCode: 0 })

      one.db.close()
      // Overwrites the file as `cp` does, so that it has the same inode.
      writeFileSync(source, readFileSync(`${source}.bak`))
      const back = await follow(one, 'caught-up')
      expect(back.finished).toMatchObject({ exitCode: 5 })
      expect(back.events.find((event) => event.type === 'follow.halted')).toMatchObject({
        code: 'OTHER_SERVER',
        message: expect.stringMatching(/restored to an earlier time/) as string,
      })
      const anew = await follow(one, 'equal', { restart: true })
      expect(anew.finished, JSON.stringify(anew.finished.error)).toMatchObject({ exitCode: 0 })
      await expectSame(one, ['t', 'u'])
    },
  )
})

describe.each(['sqlite', 'duckdb'] as const)('a table of the target on %s', (system) => {
  test('that was recreated with other rows halts the stream, and one that was only altered does not', async () => {
    const one = await stageOf(system, T, ['t'])
    one.db.exec('INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)')
    const goesOn = async (): Promise<void> =>
      expect((await follow(one, 'caught-up')).finished).toMatchObject({ exitCode: 0 })
    await goesOn()
    await one.target.sql('ALTER TABLE t ADD COLUMN w INTEGER', 'CREATE TABLE other (id INTEGER)')
    one.db.exec('UPDATE t SET v = 20 WHERE id = 2; DELETE FROM t WHERE id = 1')
    await goesOn()
    await goesOn()
    await one.target.sql(
      'DROP TABLE t',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)',
      'INSERT INTO t VALUES (1, 1)',
    )
    one.db.exec('UPDATE t SET v = 30 WHERE id = 3')
    expect((await follow(one, 'caught-up')).finished).toMatchObject({
      exitCode: 5,
      error: { code: 'STREAM_HALTED', message: expect.stringContaining('t holds only 1 rows') as string },
    })
    const again = await perform({ ...one.copy, follow: { ...one.copy.follow, until: 'equal', resync: ['t'] } })
    expect(again.finished).toMatchObject({ exitCode: 0 })
    one.db.close()
  })
})

test('unique values that move between rows of more than 32 MB, written in pieces, are applied', async () => {
  const table = 'CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER NOT NULL, w TEXT); CREATE UNIQUE INDEX t_v ON t (v)'
  const stage = await stageOf('sqlite', [table], ['t'])
  const one = { ...stage, copy: { ...stage.copy, chunkRows: 1000, with: ['indexes'] as const } }
  one.db.exec(
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO t SELECT i, i, 'x' FROM n",
  )
  expect((await follow(one, 'caught-up')).finished).toMatchObject({ exitCode: 0 })
  one.db.exec('BEGIN; UPDATE t SET v = -v, w = hex(zeroblob(60000)); UPDATE t SET v = -v % 400 + 1; COMMIT')
  const ran = await follow(one, 'equal')
  expect(ran.finished, JSON.stringify(ran.finished.error)).toMatchObject({ exitCode: 0 })
  await expectSame(one, ['t'])
  one.db.close()
})
