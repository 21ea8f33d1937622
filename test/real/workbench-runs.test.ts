/**
 * Runs that the workbench starts in threads of their own: events, stop, abort, pause, workers, and an end that leaves
 * nothing behind.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Workbench } from '../../src/app/workbench.ts'
import type { Event } from '../../src/model/run/event.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import {
  add,
  dumpCatalog,
  METADATA,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import {
  batchImportOf,
  eventually,
  FIXTURE_LAKE,
  importOf,
  openBench,
  rowOf,
  runToEnd,
  watch,
} from './workbench-kit.ts'
import type { Bench } from './workbench-kit.ts'

const COMMITS = 500

/** A table that is imported with one transaction per commit: long enough to be interrupted on any machine. */
function manyCommits(table: string, commits = COMMITS): void {
  const log: Line[][] = [[PROTOCOL, METADATA]]
  for (let version = 1; version < commits; version++) {
    const lines = [add(`f${version}`, { size: version, stats: `{"numRecords":${version}}` })]
    if (version % 3 === 0) lines.push(remove(`f${version - 1}`))
    log.push(lines)
  }
  writeLog(table, log)
}

async function openLong(): Promise<Bench & { readonly table: string }> {
  const at = await openBench((lake) => manyCommits(join(lake, 'long')))
  return { ...at, table: join(at.lake, 'long') }
}

/** The version and files of the only table in the catalog, as another process sees them. */
async function headOf(at: Bench): Promise<{ version: number | null; files: number | null; seen: number }> {
  await using database = at.openCatalog('read')
  const [row] = await database.all(
    'SELECT current_version, num_files, (SELECT count(*) FROM delta_active_files f WHERE f.table_id = t.table_id) FROM delta_tables t',
  )
  const [version = null, files = null, seen = 0] = (row ?? []) as (number | null)[]
  return { version, files, seen: seen ?? 0 }
}

async function undisturbed(table: string, bench: Workbench, at: Bench): Promise<string> {
  const other = await at.again(join(at.folder, 'clean.db'))
  expect((await runToEnd(other, { ...importOf(table, other, 1000) })).exitCode).toBe(0)
  await using database = openSqlite(join(at.folder, 'clean.db'), 'read')
  expect(bench.catalog).not.toBe(other.catalog)
  return await dumpCatalog(database)
}

function expectNumbered(events: readonly Event[]): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
  expect(new Set(events.map(({ runId }) => runId)).size).toBe(1)
  expect(events.map(({ ts }) => ts)).toEqual(events.map(({ ts }) => ts).toSorted())
}

describe('events of a run', () => {
  test('come in order and without a gap, even for a late subscriber', async () => {
    await using at = await openBench()
    const { running, events, end } = watch(at.bench, batchImportOf(at.lake, at.bench))
    const { exitCode, last } = await end()
    expect({ exitCode, status: last.status }).toEqual({ exitCode: 1, status: 'failed' })
    expectNumbered(events)
    expect(events[0]).toMatchObject({ type: 'run.started', command: 'batch-import', source: at.lake })
    expect(events[1]).toMatchObject({ type: 'plan.ready', tables: '6' })
    const finished = events.filter((event) => event.type === 'table.finished')
    expect(finished.map(({ status }) => status).toSorted()).toEqual(['failed', 'ok', 'ok', 'ok', 'ok', 'refused'])
    expect(JSON.stringify(events)).not.toContain('undefined')

    const late: Event[] = []
    const again = at.bench.start(batchImportOf(at.lake, at.bench), 'sluice batch-import')
    expect(await again.done).toBe(1)
    again.subscribe((event) => late.push(event))
    expectNumbered(late)
    expect(late.at(-1)?.type).toBe('run.finished')
    expect(running.operation.kind).toBe('batch-import')
  })

  test('of an operation that cannot start end with its error', async () => {
    await using at = await openBench()
    const { events, end } = watch(at.bench, importOf(join(at.lake, 'nowhere'), at.bench))
    const { exitCode, last } = await end()
    expect(exitCode).toBe(2)
    expect(last).toMatchObject({ status: 'refused', error: { code: 'NO_SUCH_TABLE' } })
    expectNumbered(events)
  })
})

describe('a run that is interrupted', () => {
  test('a stop keeps whole batches and ends with 75, and the same command resumes', { timeout: 60_000 }, async () => {
    await using at = await openLong()
    const line = 'sluice import long --database-url sqlite:///x.db'
    const stopped = watch(at.bench, importOf(at.table, at.bench, 1), line)
    await stopped.first('chunk.progress')
    stopped.running.stop()
    const { exitCode, last } = await stopped.end()
    expect({ exitCode, status: last.status, next: last.resumeCommand }).toEqual({
      exitCode: 75,
      status: 'stopped',
      next: line,
    })
    expectNumbered(stopped.events)
    const head = await headOf(at)
    expect(head.version).toBeGreaterThanOrEqual(0)
    expect(head.version).toBeLessThan(COMMITS - 1)
    expect(head.seen).toBe(head.files)
    const row = await rowOf(at.bench, 'long')
    expect(row).toMatchObject({ version: COMMITS - 1, catalog: { state: 'unfinished', version: head.version } })
    // The import is unfinished, so the log is used.
    const page = { asOf: {}, where: '', sort: 'path', descending: false, from: 0, count: 1 } as const
    expect(await at.bench.files(row.key, page)).toMatchObject({ version: COMMITS - 1, total: row.files })

    const resumed = watch(at.bench, importOf(at.table, at.bench, 1000), line)
    expect((await resumed.end()).exitCode).toBe(0)
    expect(resumed.events[0]).toHaveProperty('resumes')
    expect(await rowOf(at.bench, 'long')).toMatchObject({ version: COMMITS - 1, catalog: { state: 'current' } })
    const expected = await undisturbed(at.table, at.bench, at)
    await using database = at.openCatalog('read')
    expect(await dumpCatalog(database)).toBe(expected)
  })

  test(
    'an abort undoes the running batch and ends with 75; the same command resumes',
    { timeout: 60_000 },
    async () => {
      await using at = await openLong()
      const aborted = watch(at.bench, importOf(at.table, at.bench, 1))
      await aborted.first('chunk.progress')
      aborted.running.abort()
      const { exitCode, last } = await aborted.end()
      expect({ exitCode, status: last.status, code: last.error?.code }).toEqual({
        exitCode: 75,
        status: 'stopped',
        code: 'ABORTED',
      })
      expectNumbered(aborted.events)
      const head = await headOf(at)
      expect(head.seen).toBe(head.files ?? 0)
      expect((await rowOf(at.bench, 'long')).catalog.state).toBe('unfinished')
      expect((await runToEnd(at.bench, importOf(at.table, at.bench, 1000))).exitCode).toBe(0)
      const expected = await undisturbed(at.table, at.bench, at)
      await using database = at.openCatalog('read')
      expect(await dumpCatalog(database)).toBe(expected)
    },
  )

  test('a pause stops the progress, queries still work, and the run is resumed', { timeout: 60_000 }, async () => {
    await using at = await openLong()
    const { running, first, events, end } = watch(at.bench, importOf(at.table, at.bench, 1))
    await first('chunk.progress')
    running.pause(true)
    // The batch that was running at the pause may still end.
    let version = (await headOf(at)).version
    await eventually(
      async () => {
        const before = version
        for (let i = 0; i < 5; i++) await at.bench.tables()
        version = (await headOf(at)).version
        return version === before
      },
      (same) => same,
    )
    const reported = events.length
    for (let i = 0; i < 15; i++) {
      const row = await rowOf(at.bench, 'long')
      expect(row.catalog).toMatchObject({ state: 'running', holder: expect.stringContaining('import') as string })
    }
    expect((await headOf(at)).version).toBe(version)
    expect(version).toBeLessThan(COMMITS - 1)
    expect(events).toHaveLength(reported)
    running.pause(false)
    expect((await end()).exitCode).toBe(0)
    expect(await rowOf(at.bench, 'long')).toMatchObject({ version: COMMITS - 1, catalog: { state: 'current' } })
  })

  test('stop ends a pause', async () => {
    await using at = await openLong()
    const { running, first, end } = watch(at.bench, importOf(at.table, at.bench, 1))
    await first('chunk.progress')
    running.pause(true)
    // The first request decides the exit code.
    running.stop(143)
    running.stop(130)
    const { exitCode, last } = await end()
    expect([exitCode, last.exitCode]).toEqual([143, 143])
  })

  test('fewer workers hold back tables that have not begun, more workers start them', { timeout: 60_000 }, async () => {
    const names = ['a', 'b', 'c', 'd']
    await using at = await openBench((lake) => {
      for (const name of names) manyCommits(join(lake, name), 150)
    })
    const operation = { ...batchImportOf(at.lake, at.bench), batchSize: 1 }
    const { running, events, first, end } = watch(at.bench, operation)
    running.workers(1)
    await first('table.finished')
    const began = events.filter(({ type }) => type === 'table.started').length
    // At most two began before the request; then one at a time.
    expect(began).toBeLessThan(names.length)
    running.workers(4)
    expect((await end()).exitCode).toBe(0)
    expect(events.filter((event) => event.type === 'table.finished').map(({ status }) => status)).toEqual(
      names.map(() => 'ok'),
    )
  })

  test('two runs of one table: the second is refused and names the lease owner', async () => {
    await using at = await openLong()
    const one = watch(at.bench, importOf(at.table, at.bench, 1), 'sluice import first')
    await one.first('chunk.progress')
    one.running.pause(true)
    const two = await runToEnd(at.bench, importOf(at.table, at.bench, 1))
    expect(two.exitCode).toBe(5)
    expect(two.last.error).toMatchObject({ code: 'TABLE_LOCKED' })
    expect(two.last.error?.message).toContain('sluice import first')
    one.running.stop()
    expect((await one.end()).exitCode).toBe(75)
  })
})

describe('the end', () => {
  test('dispose ends a run, and returns how it ended', { timeout: 60_000 }, async () => {
    await using at = await openLong()
    const { first, end } = watch(at.bench, importOf(at.table, at.bench, 1))
    await first('chunk.progress')
    const question = at.bench.tables()
    const answered = question.then(
      () => true,
      () => true,
    )
    await at.bench[Symbol.asyncDispose]()
    expect((await end()).exitCode).toBe(75)
    expect(await answered).toBe(true)
    // Nothing of it locks the catalog any more.
    const other = await at.again()
    expect((await runToEnd(other, importOf(at.table, other, 1000))).exitCode).toBe(0)
  })

  test.each(['asked', 'disposed', 'running'])('a process whose workbench was %s ends by itself', (how) => {
    using folder = temporaryFolder()
    const build = resolve(import.meta.dirname, '../../build/app/thread/threaded-workbench.js')
    const table = join(folder.path, 'table')
    manyCommits(table)
    const script = `
      import { openWorkbench } from ${JSON.stringify(build)}
      const catalog = ${JSON.stringify(`sqlite:///${folder.path}/catalog.db`)}
      const bench = await openWorkbench({ lake: ${JSON.stringify(FIXTURE_LAKE)}, catalog, tool: 't', actor: 'a', host: 'h' })
      if ((await bench.tables()).length !== 6) process.exit(9)
      if (${how === 'running'}) {
        const operation = ${JSON.stringify({ kind: 'import', table, dryRun: false, resume: true, batchSize: 1, verbose: false, allowRefused: false, waitMs: 0 })}
        const run = bench.start({ ...operation, catalog }, 'sluice import')
        await new Promise((resolve) => run.subscribe(({ type }) => type === 'chunk.progress' && resolve()))
      }
      if (${how !== 'asked'}) await bench[Symbol.asyncDispose]()
      process.stdout.write('end of script')
    `
    const file = join(folder.path, 'script.mjs')
    writeFileSync(file, script)
    const ended = spawnSync(process.execPath, [file], {
      cwd: folder.path,
      encoding: 'utf8',
      timeout: 15_000,
    })
    expect(ended).toMatchObject({ status: 0, signal: null, stdout: 'end of script', stderr: '' })
  })
})
