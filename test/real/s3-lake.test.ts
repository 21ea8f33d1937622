/** A lake in a bucket through the operations, compared with the same lake in a folder. */
import { cpSync, readdirSync, utimesSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runOperation } from '../../src/app/run.ts'
import { openLakeStore, openLake, openCatalogDatabase } from '../../src/engine/run/registry.ts'
import { dataFilesPresent } from '../../src/engine/lake/data-files.ts'
import { parseLakeUrl, pathOfLocation } from '../../src/model/lake/lake-url.ts'
import type { Event } from '../../src/model/run/event.ts'
import { NEVER as NO_INTERRUPT } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { canonicalPath } from '../../src/delta/paths.ts'
import { add, dumpCatalog, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { sluiceErrorOf } from '../support/sluice-error.ts'
import { S3_AVAILABLE, S3_MISSING, startS3, type S3Server } from '../support/servers/s3.ts'
import { expectedTables, folderOf, HAVE_TABLES, NEVER } from '../tables/shared-tables.ts'
import type { Operation } from '../../src/app/operations/list.ts'

/** Checkpoints of every form, deletion vectors, odd paths, column mapping, long histories. */
const WORDS = /checkpoint|v2|sidecar|deletion|dv|special|space|encod|partition|multi|percent|mapping|ict|domain/i
const CHOSEN = expectedTables()
  .filter(({ table, stated }) => stated.must_fail !== true && WORDS.test(table) && !table.includes('300k'))
  .filter(({ table }, i, all) => all.findIndex((one) => one.table.split('/').at(-1) === table.split('/').at(-1)) === i)
  .filter((_, i) => i % 2 === 0)
  .slice(0, 28)

type Reported = { readonly events: readonly Event[]; readonly exitCode: number }

async function run(operation: Operation): Promise<Reported> {
  const events: Event[] = []
  const finished = await runOperation(operation, {
    interrupt: NO_INTERRUPT,
    clock: systemClock,
    tool: 'test',
    actor: 'test',
    host: 'here',
    commandLine: 'test',
    onEvent: (event) => events.push(event),
  })
  return { events, exitCode: finished.exitCode }
}

const ofType = <T extends Event['type']>(reported: Reported, type: T): readonly Extract<Event, { type: T }>[] =>
  reported.events.filter((event): event is Extract<Event, { type: T }> => event.type === type)

const BATCH = {
  kind: 'batch-import',
  recursive: true,
  exclude: [],
  parallel: 1,
  batchSize: 10_000,
  dryRun: false,
  resume: false,
  verbose: false,
} as const
const IMPORT = {
  kind: 'import',
  dryRun: false,
  resume: false,
  batchSize: 10_000,
  verbose: false,
  allowRefused: false,
  waitMs: 0,
} as const

/** S3 has times with a precision of one second. */
function truncateTimes(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    const seconds = Math.floor(statSync(file).mtimeMs / 1000)
    utimesSync(file, seconds, seconds)
  }
}

const saved = { ...process.env }

describe.skipIf(!S3_AVAILABLE)(`a lake in a bucket${S3_AVAILABLE ? '' : ` (skipped: ${S3_MISSING})`}`, () => {
  let server: S3Server
  let work: Folder
  beforeAll(async () => {
    server = await startS3()
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name]
    Object.assign(process.env, server.env)
  })
  afterAll(async () => {
    for (const name of Object.keys(server.env)) delete process.env[name]
    Object.assign(process.env, saved)
    await server[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    work = temporaryFolder()
    server.delay(0)
    server.reset()
  })
  afterEach(() => work[Symbol.dispose]())

  const catalog = (name: string): string => `sqlite:///${join(work.path, name)}`

  test('names are keys as the store has them: what discover lists can be imported, and is found again', async () => {
    const names = ['t 3', 't%203', '100%', 'a%zz', 'a+b', 'a#b', 'a?b', 'é 😀', "it's"]
    for (const [i, name] of names.entries()) {
      const table = join(work.path, 'names', name)
      writeLog(table, [[PROTOCOL, METADATA, ...Array.from({ length: i + 1 }, (_, n) => add(`f${n}`))]])
      server.putFolder(table, `names/${name}`)
    }
    const found = ofType(
      await run({ kind: 'discover', path: server.url('names'), recursive: true, exclude: [] }),
      'table',
    )
    expect(found.map(({ table }) => table).toSorted()).toEqual(names.toSorted())
    const at = catalog('names.db')
    for (const { table, location, files } of found) {
      expect(location).toBe(server.url(`names/${table}`))
      const imported = ofType(await run({ ...IMPORT, table: location, catalog: at }), 'table.finished')[0]
      expect(imported).toMatchObject({ status: 'ok', files })
      expect(files).toBe(String(names.indexOf(table) + 1))
    }
    // By path, and by the id whose location is a URI.
    await using database = await openCatalogDatabase(at, 'read')
    const ids = (await database.all('SELECT table_id FROM delta_tables')).map(([id]) => String(id))
    expect(ids).toHaveLength(names.length)
    for (const table of [...found.map(({ location }) => location).slice(0, 3), ...ids.slice(0, 3)]) {
      const reported = await run({ kind: 'validate', table, catalog: at, verbose: false, samples: 1 })
      expect(reported.exitCode, table).toBe(0)
    }
    const synced = await run({ ...BATCH, path: server.url('names'), catalog: at })
    expect(ofType(synced, 'table.finished').map(({ status }) => status)).toEqual(names.map(() => 'current'))
  })

  test('a key that a URL would resolve is named, and no other object is read', async () => {
    const dots = await run({ ...IMPORT, table: server.url('names/x/../t 3'), catalog: catalog('dots.db') })
    const error = dots.events.find((event) => event.type === 'run.finished')?.error
    expect(error?.code).toMatch(/PATH_ESCAPES|NO_LOG/)
    expect(dots.exitCode).toBe(3)
  })

  test.skipIf(!HAVE_TABLES)(
    'a lake is found, imported and proved like a folder',
    async () => {
      const lake = join(work.path, 'lake')
      for (const { table } of CHOSEN) {
        cpSync(`${folderOf(table)}/_delta_log`, join(lake, table, '_delta_log'), {
          recursive: true,
          preserveTimestamps: true,
        })
      }
      truncateTimes(lake)
      server.putFolder(lake, 'mixed')
      const url = server.url('mixed')
      const found = await Promise.all(
        [lake, url].map((path) => run({ kind: 'discover', path, recursive: true, exclude: [] })),
      )
      const [local, bucket] = found.map((reported) =>
        ofType(reported, 'table').map(({ location: _, seq: _s, ts: _t, runId: _r, error, ...facts }) => ({
          ...facts,
          code: error?.code,
        })),
      )
      expect(local).toHaveLength(CHOSEN.length)
      expect(CHOSEN.length).toBeGreaterThan(20)
      expect(bucket).toEqual(local)

      const [here, there] = [catalog('local.db'), catalog('bucket.db')]
      const imports = [
        await run({ ...BATCH, path: lake, catalog: here }),
        await run({ ...BATCH, path: url, catalog: there }),
      ]
      const outcome = (reported: Reported): unknown =>
        ofType(reported, 'table.finished')
          .map(({ table, status, version, files, bytes, actions }) => ({
            table,
            status,
            version,
            files,
            bytes,
            actions,
          }))
          .toSorted((a, b) => (a.table < b.table ? -1 : 1))
      expect(outcome(imports[1] as Reported)).toEqual(outcome(imports[0] as Reported))
      const dumps: string[] = []
      for (const at of [here, there]) {
        await using database = await openCatalogDatabase(at, 'read')
        // Ids contain a digest of the location.
        dumps.push(
          (await dumpCatalog(database))
            .replaceAll(/-[0-9a-f]{8}(?=")/g, '')
            .split('\n')
            .toSorted()
            .join('\n'),
        )
      }
      expect(dumps[1]).toBe(dumps[0])

      for (const { table } of CHOSEN.filter((_, i) => i % 4 === 0)) {
        const reported = await run({
          kind: 'validate',
          table: `${url}/${encodeURI(table)}`,
          catalog: there,
          verbose: false,
          samples: 2,
        })
        expect([table, reported.exitCode, ofType(reported, 'run.finished')[0]?.error?.message]).toEqual([
          table,
          0,
          undefined,
        ])
      }
      const status = await run({ kind: 'migration-status', catalog: there })
      expect(ofType(status, 'run').every(({ behind, status: word }) => word !== 'completed' || behind === '0')).toBe(
        true,
      )
    },
    120_000,
  )

  test('a sync without new commits needs two requests', async () => {
    writeLog(work.path, [[PROTOCOL, METADATA], [add('a')], [add('b')]])
    server.putFolder(`${work.path}/_delta_log`, 'orders/_delta_log')
    const importing = { ...IMPORT, table: server.url('orders'), catalog: catalog('c.db') }
    expect((await run(importing)).exitCode).toBe(0)
    const first = server.requests()
    // One listing for plan and import, and every commit once for both of its reads.
    expect([first.lists, first.gets, first.heads]).toEqual([1, 3, 0])
    server.reset()
    const again = await run(importing)
    expect(ofType(again, 'table.finished')[0]?.status).toBe('current')
    expect(server.requests().log.length).toBeLessThanOrEqual(2)
    server.reset()
    const status = await run({ kind: 'migration-status', catalog: importing.catalog })
    expect(ofType(status, 'run')[0]?.behind).toBe('0')
    expect(server.requests().log.map(({ query }) => query.get('start-after'))).toEqual([
      `orders/_delta_log/${'2'.padStart(20, '0')}`,
    ])
    // The same table under other names.
    for (const table of [`${server.url('orders')}/`, 's3a://lake/orders']) {
      const reported = await run({ kind: 'files', table, catalog: importing.catalog, asOf: {} })
      expect(ofType(reported, 'file').map(({ path }) => path)).toEqual(['a', 'b'])
      expect(ofType(reported, 'log')).toEqual([])
    }
    const changes = await run({ kind: 'changes', table: server.url('orders'), fromVersion: 0, toVersion: 2 })
    expect(ofType(changes, 'change').map(({ path }) => path)).toEqual(['a', 'b'])
    const history = await run({ kind: 'history', table: server.url('orders'), limit: 2 })
    expect(ofType(history, 'commit').map(({ version }) => version)).toEqual(['2', '1'])
  })

  test('the presence of files is checked by listings, in the cheaper of two ways', async () => {
    const paths = Array.from({ length: 60 }, (_, i) => `day=${i % 30}/f${i}`)
    for (const path of paths.slice(1)) server.put(`present/${path}`, 'x')
    const pages = async function* (): AsyncGenerator<readonly string[]> {
      yield [...paths, 's3a://lake/present/day=1/f1', 's3://other/x']
    }
    const log = await openLake(server.url('present'))
    expect(await dataFilesPresent(log, pages(), 'all', NEVER)).toEqual({
      checked: 61,
      missing: ['day=0/f0'],
      missingTotal: 1,
      outside: 1,
    })
    expect(server.requests()).toMatchObject({ lists: 1, gets: 0, heads: 0 })
    // Far more objects that are not referenced: then listings by folder are cheaper.
    for (let i = 0; i < 2_100; i++) server.put(`crowded/day=0/old${i}`, '')
    server.put('crowded/day=1/a', 'x')
    server.put('crowded/day=2/b', 'x')
    const two = async function* (): AsyncGenerator<readonly string[]> {
      yield ['day=1/a', 'day=2/b']
    }
    server.reset()
    expect((await dataFilesPresent(await openLake(server.url('crowded')), two(), 'all', NEVER)).missingTotal).toBe(0)
    expect(server.requests().lists).toBeLessThanOrEqual(5)
  })

  test('many tables are read concurrently, and reported in order', async () => {
    writeLog(work.path, [[PROTOCOL, METADATA], [add('a')]])
    const names = Array.from({ length: 60 }, (_, i) => `team${i % 3}/t${String(i).padStart(2, '0')}`)
    for (const name of names) server.putFolder(`${work.path}/_delta_log`, `many/${name}/_delta_log`)
    server.put('many/notes.txt', 'x')
    server.put('many/.hidden/_delta_log/x', 'x')
    server.delay(30)
    const reported = await run({ kind: 'discover', path: server.url('many'), recursive: true, exclude: ['t59'] })
    expect(ofType(reported, 'run.finished')[0]?.error).toBeUndefined()
    expect(ofType(reported, 'table').map(({ table }) => table)).toEqual(
      names.filter((name) => !name.endsWith('t59')).toSorted(),
    )
    expect(ofType(reported, 'run.finished')[0]?.totals).toMatchObject({ tables: '59', excluded: '1' })
    expect(server.mostAtOnce()).toBeGreaterThan(8)
    const { log } = server.requests()
    // A check of the folder, a listing, and two commits.
    expect(log.length).toBeLessThanOrEqual(1 + 3 + 59 * 4)
    const flat = await run({ kind: 'discover', path: server.url('many/team1'), recursive: false, exclude: [] })
    expect(ofType(flat, 'table')).toHaveLength(20)
  })

  test('a prefix without objects and a missing bucket are refused', async () => {
    const empty = await run({ kind: 'discover', path: server.url('nothing/here'), recursive: true, exclude: [] })
    expect(ofType(empty, 'run.finished')[0]?.error?.code).toBe('NO_SUCH_PATH')
    const bucket = await run({ kind: 'discover', path: 's3://no-such-bucket', recursive: true, exclude: [] })
    expect(ofType(bucket, 'run.finished')[0]?.error?.code).toBe('NO_SUCH_PATH')
    const none = await run({ kind: 'files', table: server.url('nothing/here'), asOf: {} })
    expect(ofType(none, 'run.finished')[0]?.error?.code).toBe('NO_LOG')
  })

  test('a comparison counts the requests for files, and adds the given latency', async () => {
    writeLog(work.path, [[PROTOCOL, METADATA], ...Array.from({ length: 20 }, (_, i) => [add(`f${i}`)])])
    server.putFolder(`${work.path}/_delta_log`, 'compared/_delta_log')
    const report = join(work.path, 'report.md')
    const measured = async (table: string, latencyMs?: number): Promise<Reported> => {
      const name = table.startsWith('s3') ? 's3.db' : 'local.db'
      await run({ ...IMPORT, table, catalog: catalog(name) })
      return run({
        kind: 'performance-compare',
        table,
        catalog: catalog(name),
        runs: 1,
        cold: false,
        report,
        questions: ['counts', 'last-commits'],
        ...(latencyMs === undefined ? {} : { latencyMs }),
      })
    }
    const bucket = await measured(server.url('compared'))
    const counts = ofType(bucket, 'question').find(({ question }) => question === 'counts')
    expect(counts?.same).toBe(true)
    // A request for the missing hint, one listing, and 21 commits.
    expect(counts?.files.requests).toBe('23')
    expect(Number(counts?.files.requestBytes)).toBeGreaterThan(1_000)
    expect(counts?.sql).toMatchObject({ requests: '0', requestBytes: '0' })
    expect(ofType(bucket, 'log').some(({ message }) => /took \d+ requests .*SQL 0 requests/.test(message))).toBe(true)

    const far = await measured(work.path, 20)
    const slow = ofType(far, 'question').find(({ question }) => question === 'counts')
    expect(slow?.files).toMatchObject({ requests: '23', addedMs: 20, delayed: 'calls' })
    // The hint, one listing, and 21 commits in two batches of at most sixteen.
    expect(slow?.files.p50Ms).toBeGreaterThan(55)
    expect(slow?.files.p50Ms).toBeLessThan(23 * 20)
    expect(slow?.sql.addedMs).toBeUndefined()
    expect(slow?.sql.p50Ms).toBeLessThan(20)
    const { readFileSync } = await import('node:fs')
    expect(readFileSync(report, 'utf8')).toContain(
      'imulated latency: 20 ms a round trip; the lake is a folder without a network: every call that would be a request',
    )
    const near = await measured(work.path)
    expect(ofType(near, 'question')[0]?.files.requests).toBeUndefined()
  }, 60_000)
})

describe('URLs of lakes', () => {
  test.each([
    'abfss://c@a.dfs.core.windows.net/x',
    'abfs://c@a/x',
    'wasbs://c@a/x',
    'gs://b/x',
    'gcs://b/x',
    'hdfs://n/x',
  ])('%s is refused with an explanation', async (url) => {
    for (const opened of [openLake(url), openLakeStore(url)]) {
      const error: unknown = await opened.catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'UNSUPPORTED_URL', hint: expect.stringContaining('s3://') })
    }
  })

  test.each(['s3://AKIAX:topsecret@bucket/t', 's3://AKIAX:top/secret@bucket/t', 's3a://k@bucket/t'])(
    'credentials are refused and not repeated: %#',
    (url) => {
      const error = sluiceErrorOf(() => parseLakeUrl(url))
      expect(error.code).toBe('BAD_CONFIG')
      expect(JSON.stringify(error.info())).not.toMatch(/secret|AKIAX/)
    },
  )

  test('one table has one location, and absolute paths below it are its files', () => {
    const root = (url: string): string => {
      const place = parseLakeUrl(url)
      return place.kind === 'bucket' ? place.root : ''
    }
    expect(['s3://b/a/t', 's3a://b/a/t/', 'S3N://b/a/t//'].map(root)).toEqual(Array(3).fill('s3://b/a/t'))
    expect(root('s3://b/my table/100%/x%20y?#')).toBe('s3://b/my%20table/100%25/x%2520y%3F%23')
    for (const url of ['s3://b/my table/a%2520b', 's3://b/100%', 's3://b/a%zz+?#é'])
      expect(pathOfLocation(root(url))).toBe(url)
    expect(root('s3://b')).toBe('s3://b')
    const at = root('s3://b/my table')
    for (const path of ['p=1/f', 's3://b/my%20table/p=1/f', 's3a://b/my%20table/p=1/f', 's3n://b/my%20table/p%3D1/f'])
      expect(canonicalPath(path, at)).toBe('p=1/f')
    expect(canonicalPath('s3://other/my%20table/f', at)).toBe('s3://other/my table/f')
  })
})
