/** Comparison of SQLite catalogs of real and made-up tables, with real child processes for the cold runs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compareFailure } from '../../src/engine/lake/compare/index.ts'
import { compareReport, machineFacts } from '../../src/engine/lake/compare/report.ts'
import { countingLogStore, type CountingLogStore } from '../../src/delta/counting.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { BACKEND, openAt } from '../support/backend.ts'
import { add, importInto, METADATA, openCatalog, PROTOCOL, temporaryFolder, writeLog } from '../support/catalog-kit.ts'
import { folderOf, HAVE_TABLES } from '../tables/shared-tables.ts'
import { ask, day, imported, smallTable } from './compare-kit.ts'

const FIXTURES = resolve(import.meta.dirname, '../../fixtures/lake')

test('nine questions give equal answers, one event each, in order', async () => {
  using folder = temporaryFolder()
  const table = smallTable(folder)
  const { summary, events } = await ask(table, await imported(folder, table), { runs: 3 })
  expect(summary.results.map(({ question, same, rows }) => [question, same, rows])).toEqual([
    ['latest-version', true, '1'],
    ['counts', true, '1'],
    ['active-files', true, '2'],
    ['files-of-partition', true, '2'],
    ['min-max', true, '1'],
    ['old-snapshot', true, '3'],
    ['file-origin', true, '1'],
    ['last-commits', true, '3'],
    ['changes', true, '4'],
  ])
  expect(compareFailure(summary)).toBeNull()
  expect(events[0]).toMatchObject({ type: 'plan.ready', unit: 'question', total: '9', chunks: '9' })
  expect(events.filter(({ type }) => type === 'question')).toHaveLength(9)
  for (const result of summary.results) {
    expect(result.runs).toBe(3)
    expect(result.files.p50Ms).toBeGreaterThan(0)
    expect(result.files.p95Ms).toBeGreaterThanOrEqual(result.files.p50Ms)
    expect(result.files).toMatchObject({ coldMs: null, readBytes: null })
    expect(result.files.opened).toBeGreaterThan(0)
    expect(result.sql.opened).toBe(0)
    expect(result.factor).toBeGreaterThanOrEqual(1)
  }
})

test('cold runs use new child processes, which report the bytes that they read', { timeout: 120_000 }, async () => {
  using folder = temporaryFolder()
  const table = join(FIXTURES, 'sales/orders')
  const { summary, events } = await ask(table, await imported(folder, table), {
    cold: true,
    questions: ['active-files', 'last-commits'],
  })
  expect(summary.results.map(({ question, same }) => [question, same])).toEqual([
    ['active-files', true],
    ['last-commits', true],
  ])
  for (const { files, sql } of summary.results) {
    expect(files.coldMs).toBeGreaterThan(0)
    expect(sql.coldMs).toBeGreaterThan(0)
    if (!existsSync('/proc/self/io')) continue
    expect(Number(files.readBytes)).toBeGreaterThan(1_000)
    expect(Number(sql.readBytes)).toBeGreaterThan(1_000)
    // The log of this table has about 50 KB; loading DuckDB and its bindings would read far more.
    expect(Number(files.readBytes)).toBeLessThan(500_000)
  }
  const notes = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
  expect(notes).toContain('cold means a fresh process and connection, not an emptied page cache')
})

test.runIf(existsSync('/proc/self/cmdline'))('no command line shows a database URL', { timeout: 120_000 }, async () => {
  using folder = temporaryFolder()
  const table = smallTable(folder)
  const secretUrl = 'sqlite:////nowhere/secret-word.db'
  const seen = new Set<string>()
  const timer = setInterval(() => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        if (line.includes('cold-main')) seen.add(line)
      } catch {
        // The process ended between the two calls.
      }
    }
  }, 5)
  try {
    const { summary, events } = await ask(table, await imported(folder, table), {
      cold: true,
      catalogUrl: secretUrl,
      questions: ['counts'],
    })
    // The failure of the child process is a note and does not end the comparison: the warm times stay.
    expect(summary.results[0]).toMatchObject({ same: true, sql: { coldMs: null } })
    expect(
      events.some((event) => event.type === 'log' && event.message.startsWith('counts: no cold figure for sql')),
    ).toBe(true)
  } finally {
    clearInterval(timer)
  }
  expect(seen.size).toBeGreaterThan(0)
  for (const line of seen) expect(line).not.toContain('secret-word')
})

test('a catalog that differs is detected, the difference is named, and the run fails', async () => {
  using folder = temporaryFolder()
  const table = smallTable(folder)
  const file = await imported(folder, table)
  {
    await using database = await openAt(file, 'write')
    await database.write(async (transaction) => {
      await transaction.run("UPDATE delta_files SET size = size + 1 WHERE path = 'c' AND removed_version IS NULL")
      await transaction.run('UPDATE delta_commits SET adds = 7 WHERE version = 1')
    })
  }
  const { summary } = await ask(table, file)
  const different = summary.results.filter(({ same }) => !same)
  expect(different.map(({ question }) => question)).toEqual([
    'counts',
    'active-files',
    'files-of-partition',
    'last-commits',
    'changes',
  ])
  // The totals of the catalog still equal those of the log.
  expect(different[0]?.difference).toBe(
    'the totals are equal, but their files are not: c: size is 100 in the files, 101 in SQL',
  )
  expect(different[1]?.difference).toBe('c: size is 100 in the files, 101 in SQL')
  expect(different[3]?.difference).toBe('commit 1: adds is 1 in the files, 7 in SQL')
  const failure = compareFailure(summary)
  expect(failure).toMatchObject({ code: 'DIFFERENCES', exitCode: 1 })
  const report = compareReport(summary, {
    tool: 't',
    at: 'now',
    source: table,
    catalog: 'c',
    machine: machineFacts(),
    commandLine: 'x',
  })
  expect(report).toContain('## Answers that differ')
})

test('with a catalog behind the log, the latest version differs, and the rest is compared at the common version', async () => {
  using folder = temporaryFolder()
  const table = smallTable(folder)
  const file = await imported(folder, table)
  writeLog(table, [[add('d', day('2024-01-03', 30))], [add('e', day('2024-01-03', 40))]], 3)
  const { summary, events } = await ask(table, file)
  expect(summary.plan).toMatchObject({ version: 2, logVersion: 4, catalogVersion: 2 })
  expect(summary.results.filter(({ same }) => !same).map(({ question }) => question)).toEqual(['latest-version'])
  expect(summary.results[0]?.difference).toBe('the newest version: version is 4 in the files, 2 in SQL')
  expect(compareFailure(summary)?.hint).toContain('import the table again')
  expect(events.some((event) => event.type === 'log' && event.level === 'warn')).toBe(true)
})

describe.skipIf(BACKEND === 'duckdb')('a table that is written to during its comparison', () => {
  test.each([
    ['the log moves on', 0, false, { version: 2, logVersion: 2, catalogVersion: 2 }],
    ['the log moves on, and the catalog follows', 0, true, { version: 2, logVersion: 2, catalogVersion: 2 }],
    ['the catalog, which was behind, catches up', 1, true, { version: 2, logVersion: 3, catalogVersion: 2 }],
  ])('%s: no difference', async (_name, ahead, isImported, versions) => {
    using folder = temporaryFolder()
    const table = smallTable(folder)
    const file = await imported(folder, table)
    const commits = [[add('d', day('2024-01-03', 30))], [add('e', day('2024-01-03', 40))]]
    writeLog(table, commits.slice(0, ahead), 3)
    let isWritten = false
    const { summary } = await ask(table, file, {
      openLog: async () => {
        if (!isWritten) {
          isWritten = true
          writeLog(table, commits.slice(ahead), 3 + ahead)
          if (isImported) {
            await using database = await openCatalog(file)
            await importInto(database, table)
          }
        }
        return openLocalLog(table)
      },
    })
    expect(summary.plan).toMatchObject(versions)
    expect(summary.results.flatMap(({ difference = [] }) => difference)).toEqual([])
    expect(compareFailure(summary)).toBeNull()
  })
})

test('questions that do not apply to a table are skipped with a reason', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const flat = { metaData: { ...(METADATA['metaData'] as object), partitionColumns: [] } }
  writeLog(table, [[PROTOCOL, flat, add('a', { partitionValues: {} })]])
  const { summary, events } = await ask(table, await imported(folder, table))
  expect(summary.skipped.map(({ id, reason }) => [id, reason])).toEqual([
    ['files-of-partition', 'the table is not partitioned'],
    ['min-max', 'no data column has min/max statistics'],
    ['old-snapshot', 'the log and the catalog have only v0 in common'],
    ['changes', 'the log and the catalog have only v0 in common'],
  ])
  expect(summary.results).toHaveLength(5)
  expect(events.filter((event) => event.type === 'log' && event.message.includes('skipped'))).toHaveLength(4)
})

test('an unknown question is a usage error before anything is read', async () => {
  using folder = temporaryFolder()
  const table = smallTable(folder)
  const wrong = ask(table, await imported(folder, table), { questions: ['countz'] })
  await expect(wrong).rejects.toMatchObject({
    code: 'BAD_FLAG',
    exitCode: 2,
    hint: expect.stringContaining('counts') as string,
  })
})

test('a stop takes effect within a question, before its files are read completely', async () => {
  using folder = temporaryFolder()
  const table = smallTable(folder)
  const file = await imported(folder, table)
  const stopping = new Interrupter()
  const logs: CountingLogStore[] = []
  const stopped = ask(table, file, {
    interrupt: stopping,
    openLog: () => {
      const log = countingLogStore(openLocalLog(table))
      logs.push(log)
      return log
    },
    emit: (event) => {
      if (event.type === 'chunk.started') stopping.requestStop()
    },
  })
  await expect(stopped).rejects.toMatchObject({ code: 'STOPPED', exitCode: 75 })
  expect(logs.length).toBeGreaterThan(0)
  expect(logs.map(({ counts }) => counts.opened)).toEqual(logs.map(() => 0))
})

test('a stop takes effect between questions, and an abort ends a cold child process', async () => {
  using folder = temporaryFolder()
  const table = smallTable(folder)
  const file = await imported(folder, table)
  const stopping = new Interrupter()
  const seen: string[] = []
  const stopped = ask(table, file, {
    interrupt: stopping,
    emit: (event) => {
      if (event.type !== 'question') return
      seen.push(event.question)
      if (seen.length === 2) stopping.requestStop()
    },
  })
  await expect(stopped).rejects.toMatchObject({ code: 'STOPPED', exitCode: 75 })
  expect(seen).toEqual(['latest-version', 'counts'])

  const aborting = new Interrupter()
  const begun = performance.now()
  const aborted = ask(table, file, { interrupt: aborting, cold: true, questions: ['counts'] })
  setTimeout(() => aborting.requestAbort(), 150)
  const error: unknown = await aborted.catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(SluiceError)
  expect((error as SluiceError).kind).toBe('stopped')
  expect(performance.now() - begun).toBeLessThan(10_000)
})

test('the report names its measuring method, and a hostile name stays text', async () => {
  using folder = temporaryFolder()
  const table = smallTable(folder)
  const { summary } = await ask(table, await imported(folder, table), { table: 'a|b\n<script>`x`' })
  const meta = {
    tool: '0.1.0',
    at: '2026-11-20T12:00:00.000Z',
    source: table,
    catalog: 'sqlite:///c.db',
    machine: machineFacts(),
    commandLine: 'sluice x',
  }
  const cold = compareReport({ ...summary, cold: true }, meta)
  expect(cold).toContain('cold means a fresh process and connection, not an emptied page cache')
  expect(cold).toContain('# Files against SQL: a\\|b \\<script\\>\\`x\\`')
  expect(cold).toContain(process.version)
  for (const { title } of summary.results) expect(cold).toContain(`| ${title} |`)
  const lines = cold.split('\n').filter((line) => line.startsWith('| '))
  const figures = lines.slice(0, summary.results.length + 2)
  expect(new Set(figures.map((line) => line.replaceAll(String.raw`\|`, '').split('|').length)).size).toBe(1)
  expect(compareReport(summary, meta)).not.toContain('fresh process')
})

test.runIf(HAVE_TABLES).each([
  'delta-rs/delta-0.8.0-partitioned',
  'delta-rs/table-with-dv-small',
  'delta-rs/simple_table_with_checkpoint',
  // Its checkpoint has rewritten the statistics.
  'kernel-rs/parsed-stats',
])('real table %s', async (name) => {
  using folder = temporaryFolder()
  const table = folderOf(name)
  const { summary } = await ask(table, await imported(folder, table))
  expect(summary.results.filter(({ same }) => !same).map(({ question, difference }) => [question, difference])).toEqual(
    [],
  )
  expect(summary.results.length).toBeGreaterThanOrEqual(4)
})

test.each(['crm/customers', 'events/clicks', 'finance/rates', 'sales/orders'])('fixture %s', async (name) => {
  using folder = temporaryFolder()
  const table = join(FIXTURES, name)
  const { summary } = await ask(table, await imported(folder, table))
  expect(summary.results.filter(({ same }) => !same).map(({ question, difference }) => [question, difference])).toEqual(
    [],
  )
  expect(summary.results.length).toBeGreaterThanOrEqual(6)
})
