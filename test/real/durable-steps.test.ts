/** Steps that cannot be undone come after everything that they depend on is on the disk of the server. */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { DatabaseSteps } from '../../src/partition/decommission/database/steps.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { makeDurableFolder } from '../../src/shared/durable-files.ts'
import type { Durability } from '../../src/model/copy/durability-port.ts'
import { requireDropping } from '../../src/partition/operations/partition-decommission-database/perform.ts'
import { commandsOf, makeBookings, TABLE, type Archived } from '../support/archive-places.ts'
import { CopySession } from '../../src/stores/postgresql/server/session.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import { copyOf, makePlace, missing, perform, placeOn } from '../support/copy-systems.ts'
import { POSTGRES_OWN, startPostgres } from '../support/servers/postgresql.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-durable-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs `body` and records, at each flush of the real store, what `seen` returns. */
async function flushes(url: string, seen: () => number, body: () => Promise<void>): Promise<readonly number[]> {
  await using store = await openCopyStore(url, { mode: 'read' })
  const prototype = Object.getPrototypeOf(store.offers.durability) as Durability
  const flushed = prototype.flushed
  const at: number[] = []
  const spy = vi.spyOn(prototype, 'flushed').mockImplementation(async function (this: Durability, signal) {
    await flushed.call(this, signal)
    at.push(seen())
  })
  try {
    await body()
    return at
  } finally {
    spy.mockRestore()
  }
}

/** Paths that are synced to the disk while `body` runs. */
async function synced(body: () => Promise<void>): Promise<readonly string[]> {
  const { open } = promises
  const paths: string[] = []
  const spy = vi.spyOn(promises, 'open').mockImplementation(async (path, ...more) => {
    const handle = await open(path, ...more)
    vi.spyOn(handle, 'sync').mockImplementation(async () => {
      await handle.datasync()
      paths.push(String(path))
    })
    return handle
  })
  syncBuiltinESMExports()
  try {
    await body()
    return paths
  } finally {
    spy.mockRestore()
    syncBuiltinESMExports()
  }
}

test('folders that a killed program made are synced once, with all their parents', async () => {
  const made = join(realpathSync(folder), 'left', 'by', 'another')
  mkdirSync(made, { recursive: true })
  const paths = await synced(() => makeDurableFolder(made))
  expect(paths.slice(0, 3)).toEqual([1, 2, 3].map((up) => join(made, ...Array<string>(up).fill('..'))))
  expect(paths.at(-1)).toBe('/')
  expect(await synced(() => makeDurableFolder(made))).toEqual([])
})

describe('a step that cannot be undone waits for the disk', () => {
  test('rows leave after the names of new folders are on the disk', { timeout: 120_000 }, async () => {
    const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'new'), 20)
    const { olderThan: _, ...run } = commandsOf(made).run as Operation & { kind: 'archive' }
    const of = (partition: string) => async (): Promise<void> =>
      expect((await perform({ ...run, partitions: [partition] })).finished.error).toBeUndefined()
    const first = await synced(of('2020-Q1'))
    // Folder of the machine, of all archives, of this archive.
    for (const path of [folder, made.to, made.archive]) expect(first).toContain(realpathSync(path))
    expect(await synced(of('2020-Q2'))).toContain(realpathSync(made.archive))
  })

  test('a restore, expire, sweep and erase wait for it', { timeout: 120_000 }, async () => {
    const made: Archived = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'to'), 20)
    const { run, drop, restore, sweep } = commandsOf(made)
    const { url } = made.place
    const done = async (operation: Operation): Promise<void> =>
      expect((await perform(operation)).finished.error).toBeUndefined()
    const names = (): readonly string[] => readdirSync(made.archive, { recursive: true }).map(String)
    const commits = (): number => names().filter((name) => /^_delta_log.*\d{20}\.json$/.test(name)).length
    const files = (): number => names().filter((name) => name.endsWith('.parquet') && !name.startsWith('_')).length
    for (const one of [run, drop]) await done(one)

    const before = commits()
    const restored = await flushes(url, commits, () => done({ ...restore, partitions: ['2020-Q1'] } as Operation))
    expect(restored[0]).toBe(before)
    expect(commits()).toBe(before + 1)

    const expire: Operation = {
      kind: 'archive-expire',
      from: url,
      table: TABLE,
      olderThan: '2y',
      partitions: ['2020-Q2'],
      retentionMs: 0,
      confirm: TABLE,
      dryRun: false,
    }
    const expired = await flushes(url, commits, () => done(expire))
    expect(expired.at(-1)).toBe(commits() - 1)

    expect(files()).toBe(2)
    const swept = await flushes(url, files, () => done(sweep))
    expect(swept).toEqual([2])
    expect(files()).toBe(0)

    for (const one of [run, drop]) await done({ ...one, partitions: ['2020-Q1'], graceMs: 0 } as Operation)
    const erase = { kind: 'archive-erase', from: url, table: TABLE, where: 'id = 5', reason: 'T-1' } as const
    const had = files()
    const erased = await flushes(url, files, () => done({ ...erase, confirm: TABLE, dryRun: false }))
    expect(erased).toEqual([had + 1])
    expect(files()).toBe(had)
  })

  test.skipIf(!POSTGRES_OWN)(
    'a server without fsync is refused before archived files are removed',
    { timeout: 120_000 },
    async () => {
      await using server = await startPostgres({ fsync: false })
      const made = await makeBookings(await placeOn('postgresql', server.url()), 'native', join(folder, 'unsynced'), 20)
      const { run, drop, restore } = commandsOf(made)
      for (const one of [run, drop]) expect((await perform(one)).finished.error).toBeUndefined()
      const refused = { code: 'TARGET_DENIED', reason: expect.stringContaining('fsync') as string }
      const one = { ...restore, partitions: ['2020-Q1'] } as Operation
      for (const dryRun of [true, false]) {
        expect((await perform({ ...one, dryRun } as Operation)).finished.error).toMatchObject(refused)
        const rows = await made.place.rows(`SELECT count(*) FROM ${TABLE} WHERE at < '2020-04-01'`)
        expect(rows).toEqual([['0']])
      }
      const files = readdirSync(made.archive, { recursive: true })
        .map(String)
        .filter((name) => /^[^_].*\.parquet$/.test(name))
      expect(files.length).toBeGreaterThan(0)
    },
  )

  test.skipIf(!POSTGRES_OWN)(
    'each run of a stream into a server without fsync fails before it creates a table',
    { timeout: 120_000 },
    async () => {
      await using server = await startPostgres({ fsync: false })
      const target = await placeOn('postgresql', server.url())
      const source = await makePlace('sqlite', folder)
      await source.sql(
        'PRAGMA journal_mode = WAL',
        'CREATE TABLE t (id INTEGER PRIMARY KEY)',
        'INSERT INTO t VALUES (1)',
      )
      const copy = copyOf(source, target, 't', { follow: { cdc: 'trigger', until: 'caught-up' } })
      const unsafe = {
        exitCode: 4,
        error: { code: 'TARGET_DENIED', reason: expect.stringContaining('fsync') as string },
      }
      for (const dryRun of [true, false, false]) {
        expect((await perform({ ...copy, dryRun })).finished).toMatchObject(unsafe)
        expect(await target.rows(`SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 't'`)).toEqual([['0']])
      }
    },
  )

  test('a database whose tables have moved is dropped only while the ledger has the step that allows it', async () => {
    const place = await makePlace('sqlite', folder)
    await place.sql('CREATE TABLE t (id INTEGER PRIMARY KEY)')
    await using to = await openCopyStore(place.url, { mode: 'write' })
    await using database = await to.ledger()
    await prepareLedger(database)
    const steps = new DatabaseSteps(database, { runId: '1', actor: 'tester', tool: 'test' })
    await steps.prepare()
    const [identity, name] = ['postgresql/1/2', 'old']
    const going = { to, steps, identity, name }
    const noted = ['closing', 'inactive', 'dropping'] as const
    const flushed = await flushes(
      place.url,
      () => 0,
      async () => {
        for (const [no, step] of noted.entries()) {
          await expect(requireDropping(going, NEVER.abort)).rejects.toMatchObject({ code: 'PLAN_CHANGED' })
          await steps.note(no, { identity, name, step, detail: {} })
        }
      },
    )
    expect(flushed).toEqual([])
    expect(
      await flushes(
        place.url,
        () => 0,
        () => requireDropping(going, NEVER.abort),
      ),
    ).toHaveLength(1)
    // The same happens when a backup from before that step is restored.
    await place.sql("DELETE FROM migration_database_decommissions WHERE step = 'dropping'")
    await expect(requireDropping(going, NEVER.abort)).rejects.toMatchObject({ code: 'PLAN_CHANGED' })
  })
})

const absent = await missing('postgresql')
describe.skipIf(absent !== '')(`synchronous_commit ${absent}`, () => {
  test.each([
    ['off', 'local'],
    ['local', 'local'],
    ['remote_write', 'remote_write'],
    ['on', 'on'],
    ['remote_apply', 'remote_apply'],
  ])('%s of a database is %s when a copy, an archive or a ledger writes', async (theirs, ours) => {
    const place = await makePlace('postgresql', folder)
    await place.sql(
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = ${theirs}', current_database()); END $$`,
    )
    const setting = "SELECT current_setting('synchronous_commit')"
    const session = await CopySession.open(postgresSettings(place.url), 'write')
    expect(await session.ask(setting)).toEqual([[ours]])
    session.destroy()
    await using store = await openCopyStore(place.url, { mode: 'write' })
    await using ledger = await store.ledger()
    expect(await ledger.all(setting)).toEqual([[ours]])
  })
})

const mysqlMissing = await missing('mysql')
test.skipIf(mysqlMissing !== '')(
  `tables of MySQL with another engine than InnoDB are named ${mysqlMissing}`,
  async () => {
    const place = await makePlace('mysql', folder)
    const engines = ['InnoDB', 'MyISAM', 'MEMORY', 'CSV']
    await place.sql(
      ...engines.map((engine) => `CREATE TABLE ${engine.toLowerCase()} (id int NOT NULL) ENGINE = ${engine}`),
    )
    await using store = await openCopyStore(place.url, { mode: 'read' })
    const found = await store.offers.losable?.find(
      engines.map((engine) => ({ name: engine.toLowerCase() })),
      NEVER.abort,
    )
    expect(found?.map(({ what }) => what)).toEqual(
      engines.slice(1).map((engine) => `${engine.toLowerCase()} is a table of ${engine}`),
    )
  },
)
