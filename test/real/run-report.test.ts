/** `sluice report`: one document with what ledger, catalog and run history have of a run; hostile names stay text. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { runOperation } from '../../src/app/run.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { RunReport } from '../../src/model/run/report/run-report.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { openRunHistory, runHistoryFile } from '../../src/stores/run-history.ts'
import { thisProcess } from '../../src/shared/owner.ts'
import { CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'
import { copyOf, makePlace, missing, type Place, type Ran, type System } from '../support/copy-systems.ts'

const HOSTILE = `t"<script>alert(1)</script>|'\u202Eabc`

let folder = ''
let from: Place
let to: Place
let copied = ''

async function perform(operation: Operation, book: string | undefined = path.join(folder, 'state')): Promise<Ran> {
  const events: Event[] = []
  const finished = await runOperation(operation, {
    interrupt: NEVER,
    clock: systemClock,
    tool: '0.0.0-test',
    actor: 'tester',
    host: 'here',
    commandLine: 'sluice test',
    onEvent: (event) => events.push(event),
    ...(book === undefined ? {} : { book }),
  })
  return { finished, events }
}

const asked = (run: string, more: Partial<Extract<Operation, { kind: 'report' }>> = {}) =>
  ({ kind: 'report', run, format: 'json', overwrite: false, ...more }) as const

function textOf({ events, finished }: Ran): string {
  const reported = events.find(({ type }) => type === 'run.report')
  if (reported?.type !== 'run.report') throw new Error(JSON.stringify(finished))
  return reported.text
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-report-'))
  from = await makePlace('sqlite', folder)
  to = await makePlace('duckdb', folder)
  const name = `"${HOSTILE.replaceAll('"', '""')}"`
  await from.sql(
    `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, v INTEGER)`,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO ${name} SELECT i, i FROM n`,
    `UPDATE ${name} SET v = 'no number' WHERE id = 450`,
  )
  const { finished, events } = await perform(copyOf(from, to, HOSTILE, { chunkRows: 100 }))
  copied = events[0]?.runId ?? ''
  if (finished.exitCode !== 1) throw new Error(JSON.stringify(finished))
}, 60_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('of a copy with a quarantined row has what the ledger has, and nothing else', async () => {
  const document = JSON.parse(textOf(await perform(asked(copied, { to: to.url })))) as RunReport
  expect(document).toMatchObject({ format: 'sluice-run-report', version: 1, run: copied, tool: '0.0.0-test' })
  expect(document.looked.map(({ what, knows }) => [what, knows])).toEqual([
    ['ledger', true],
    ['book', true],
  ])
  expect(document.notLookedAt.join()).toContain('--database-url')
  const [table] = document.ledger?.tables ?? []
  expect(table).toMatchObject({ written: '899', aside: '1', read: '900' })
  const proved = Object.values(table?.proved ?? {}).reduce((sum, rows) => sum + Number(rows), 0)
  // Rows of the chunk with the quarantined row are not included.
  expect(proved).toBeLessThan(899)
  expect(document.ledger?.failures).toMatchObject([{ status: 'failed', code: 'ROWS_ASIDE' }])
  expect(document.ledger?.refusals).toMatchObject([{ rows: '1', replayed: '0' }])
})

test('writes hostile names as text, in a page that loads nothing', async () => {
  const html = textOf(await perform(asked(copied, { to: to.url, format: 'html' })))
  expect(html).toContain('&lt;script&gt;alert(1)')
  expect(html).toContain(String.raw`\u{202e}`)
  expect(html).not.toMatch(/<script|\u202E|\s(?:src|href|on\w+)=|url\(|@import/i)
  expect(html).toContain("default-src 'none'")
  expect(html).toContain('<svg')
  const markdown = textOf(await perform(asked(copied, { to: to.url, format: 'markdown' })))
  expect(markdown).not.toMatch(/<script|\u202E/)
})

test('is complete on a narrow screen and on paper: each value has its column name, and long words may break', async () => {
  const page = textOf(await perform(asked(copied, { to: to.url, format: 'html' })))
  expect(page).toContain('data-head="quarantined"')
  // Paper cannot be scrolled: hidden content would be lost.
  expect(page).toMatch(/@media print \{[^]*\.wide \{ overflow: visible; \}/)
  expect(page).toMatch(/@media screen and \(max-width: 48rem\) \{[^]*td \{ display: block;/)
  expect(page).toMatch(/<td class="long"[^>]*><bdi>duckdb:\/\//)
})

test('writes a complete file, and replaces none without the option', async () => {
  const file = path.join(folder, 'out', 'run.html')
  const refused = await perform(asked(copied, { write: file }))
  expect(refused.finished.error).toMatchObject({ code: 'BAD_FLAG' })
  const here = path.join(folder, 'run.html')
  const first = await perform(asked(copied, { write: here, format: 'html' }))
  expect(first.finished).toMatchObject({ exitCode: 0, wrote: [here] })
  const again = await perform(asked(copied, { write: here }))
  expect(again.finished.error?.message).toContain('already exists')
  expect(readFileSync(here, 'utf8')).toMatch(/^<!doctype html>/)
  expect(await perform(asked(copied, { write: here, overwrite: true }))).toMatchObject({ finished: { exitCode: 0 } })
  expect(readFileSync(here, 'utf8')).toMatch(/^\{/)
  expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([])
  expect(existsSync(file)).toBe(false)
})

test('of a second comparison has only what that has written, and its own duration', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE plain (id INTEGER PRIMARY KEY, v INTEGER)',
    'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO plain SELECT i, i FROM n',
  )
  const copy = copyOf(source, target, 'plain', { chunkRows: 100 })
  const first = await perform(copy)
  expect(first.finished.exitCode).toBe(0)
  // As if the copy had been made an hour ago.
  await target.sql(
    'UPDATE migration_checkpoints SET started_ms = started_ms - 3600000, completed_ms = completed_ms - 3600000',
    'UPDATE plain SET v = 0 WHERE id IN (7, 8)',
    'DELETE FROM plain WHERE id = 450',
    'INSERT INTO plain VALUES (1000, 1)',
  )
  // Two rows after all chunks are copied.
  await source.sql('INSERT INTO plain VALUES (901, 1), (902, 2)')
  const again = await perform({ ...copy, again: true, deleteExtra: true })
  expect(again.finished).toMatchObject({ exitCode: 0 })
  const of = async ({ events }: Ran): Promise<RunReport['ledger']> =>
    (JSON.parse(textOf(await perform(asked(events[0]?.runId ?? '', { to: target.url })))) as RunReport).ledger
  const reported = await of(again)
  expect(reported).toMatchObject({ rows: '5', tables: [{ written: '5', equal: '897', removed: '1' }] })
  expect(Math.max(...(reported?.slowest ?? []).map(({ ms }) => ms))).toBeLessThan(600_000)
  expect(await of(first)).toMatchObject({ rows: '900' })
  await target.sql('UPDATE plain SET v = 0 WHERE id IN (17, 18)')
  const fixed = await perform({ ...copy, kind: 'diff', limit: 10, fix: true, deleteExtra: false })
  expect(fixed.finished).toMatchObject({ exitCode: 0 })
  expect(await of(fixed)).toMatchObject({ rows: '2', tables: [{ written: '2', equal: '0', removed: '0', chunks: {} }] })
})

test('of an unknown run names the places that were searched', async () => {
  const { finished } = await perform(asked('12345', { to: to.url }))
  expect(finished.error).toMatchObject({ code: 'BAD_FLAG', message: 'run 12345 was not found' })
  expect(finished.error?.reason).toContain('the ledger of')
  expect(finished.error?.hint).toContain('sluice runs --distributed')
  expect((await perform(asked('9'.repeat(19)))).finished.error).toMatchObject({ code: 'BAD_FLAG' })
})

test('of an import and its validation has what the catalog has', async () => {
  const lake = path.resolve(import.meta.dirname, '../../fixtures/lake/crm')
  const table = path.join(lake, readdirSync(lake).toSorted()[0] ?? '')
  const catalog = `sqlite:///${path.join(folder, 'catalog.db')}`
  const imported = await perform({
    kind: 'import',
    table,
    catalog,
    dryRun: false,
    resume: true,
    batchSize: 1000,
    verbose: false,
    allowRefused: false,
    waitMs: 0,
  })
  expect(imported.finished).toMatchObject({ exitCode: 0 })
  const validated = await perform({ kind: 'validate', table, catalog, verbose: false, samples: 2 })
  expect(validated.finished).toMatchObject({ exitCode: 0 })
  const [first, second] = await Promise.all(
    [imported, validated].map(
      async ({ events }) => JSON.parse(textOf(await perform(asked(events[0]?.runId ?? '', { catalog })))) as RunReport,
    ),
  )
  expect(first?.catalog).toMatchObject({ status: 'ok', actor: 'tester', validations: [] })
  expect(first?.catalog?.imports).toMatchObject([{ status: 'completed' }])
  expect(Number(first?.catalog?.imports[0]?.files)).toBeGreaterThan(0)
  expect(second?.catalog?.imports).toEqual([])
  expect(second?.catalog?.validations).toMatchObject([
    { differences: '0', version: first?.catalog?.imports[0]?.version },
  ])
  expect(second?.notLookedAt.join()).toContain('--to URL')
})

test('reads a killed run of a ledger of version 1, and charts what the run history has of it', async () => {
  const place = await makePlace('sqlite', folder)
  await copyOnce(place)
  const late = {
    migration_runs: ['rows_written', 'alive_until', 'machine', 'process_started'],
    migration_checkpoints: ['surplus', 'machine', 'process_started'],
  }
  await place.sql(
    ...Object.entries(late).flatMap(([name, columns]) =>
      columns.map((column) => `ALTER TABLE ${name} DROP COLUMN ${column}`),
    ),
    'UPDATE migration_ledger SET version = 1',
    `UPDATE migration_runs SET status = 'running', ended_ms = NULL, exit_code = NULL, host = 'here', pid = 4194303`,
    "UPDATE migration_checkpoints SET status = 'in_progress', proof = NULL WHERE id = (SELECT MAX(id) FROM migration_checkpoints)",
  )
  const [[run = ''] = []] = await place.rows('SELECT CAST(run_id AS TEXT) FROM migration_runs')
  {
    const state = path.join(folder, 'noted')
    using book = await openRunHistory(runHistoryFile(state))
    book.begin({
      run: run ?? '',
      kind: 'copy',
      commandLine: 'sluice copy --from postgresql://app:hidden-word@db/shop',
      folder: null,
      source: null,
      target: null,
      about: 'item',
      begunAt: 1_000,
      owner: { ...thisProcess(), pid: 4_194_303 },
    })
    for (const at of [1_000, 2_000, 4_000]) book.sample(run ?? '', { at, done: at / 100, bytes: 0, lag: null })
  }
  const document = await perform(asked(run ?? '', { to: place.url }), path.join(folder, 'noted'))
  const { ledger, book } = JSON.parse(textOf(document)) as RunReport
  expect(ledger).toMatchObject({ status: 'killed', exitCode: null })
  expect(ledger?.tables[0]?.chunks).toMatchObject({ in_progress: '1' })
  expect(Object.keys(ledger?.tables[0]?.proved ?? {})).not.toContain('none')
  expect(book).toMatchObject({ status: 'broken off', endedAt: null })
  expect(book?.curve).toHaveLength(3)
  const html = textOf(await perform(asked(run ?? '', { to: place.url, format: 'html' }), path.join(folder, 'noted')))
  expect(html).toContain('as this machine recorded it')
  expect(html).toMatch(/<polyline points="34\.0,/)
  expect(html).not.toContain('hidden-word')
  expect(await place.rows('SELECT CAST(version AS TEXT) FROM migration_ledger')).toEqual([['1']])
})

async function copyOnce(place: Place): Promise<void> {
  await from.sql('CREATE TABLE item (id INTEGER PRIMARY KEY)', 'INSERT INTO item VALUES (1), (2), (3), (4), (5)')
  const { finished } = await perform(copyOf(from, place, 'item', { chunkRows: 2 }))
  expect(finished).toMatchObject({ exitCode: 0 })
}

const MISSING = new Map<System | 'cassandra', string>([['cassandra', CASSANDRA_MISSING]])
for (const system of ['postgresql', 'mysql', 'd1'] as const) MISSING.set(system, await missing(system))

describe.each([...MISSING.keys()])('a ledger of %s', (system) => {
  it.skipIf(MISSING.get(system) !== '')('gives the same report', { timeout: 120_000 }, async () => {
    await using keyspace = system === 'cassandra' ? await newKeyspace() : null
    const target = system === 'cassandra' ? { url: keyspace?.url ?? '' } : await makePlace(system, folder)
    const source = await makePlace('sqlite', folder)
    await source.sql(
      'CREATE TABLE told (id INTEGER PRIMARY KEY, v INTEGER)',
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO told SELECT i, i FROM n',
      "UPDATE told SET v = 'no number' WHERE id = 450",
    )
    const { finished, events } = await perform(copyOf(source, target, 'told', { chunkRows: 100 }))
    const run = events[0]?.runId ?? ''
    expect(finished.error?.code).toBe('ROWS_ASIDE')
    for (const format of ['json', 'markdown', 'html'] as const) {
      const ran = await perform(asked(run, { to: target.url, format }), undefined)
      expect(ran.finished).toMatchObject({ status: 'ok', totals: { notReached: '0' } })
      if (format !== 'json') continue
      const { ledger } = JSON.parse(textOf(ran)) as RunReport
      expect(ledger?.tables).toMatchObject([{ written: '899', aside: '1', read: '900' }])
      expect(ledger?.failures).toMatchObject([{ status: 'failed', code: 'ROWS_ASIDE' }])
      expect(ledger?.refusals).toMatchObject([{ rows: '1', replayed: '0' }])
      expect(ledger?.durations.reduce((sum, { chunks }) => sum + chunks, 0)).toBe(ledger?.slowest.length)
    }
    // A run that is not in this ledger is unknown.
    const none = await perform(asked('17', { to: target.url }), undefined)
    expect(none.finished.error).toMatchObject({ code: 'BAD_FLAG', message: 'run 17 was not found' })
  })
})

test('has the other sources if a database cannot be reached, and ends with its code', async () => {
  const away = 'postgresql://me:secret@127.0.0.1:1/gone'
  const file = path.join(folder, 'away.html')
  const ran = await perform(asked(copied, { to: away, format: 'html', write: file }))
  expect(ran.finished).toMatchObject({
    status: 'failed',
    exitCode: 4,
    totals: { known: '1', notReached: '1' },
    error: { code: 'CONNECT_FAILED' },
    wrote: [file],
  })
  const text = readFileSync(file, 'utf8')
  expect(text).toContain('not reached: CONNECT_FAILED')
  expect(text).toContain('The run, as this machine recorded it')
  expect(text).not.toContain('secret')
  const catalog = await perform(asked(copied, { to: to.url, catalog: away }))
  expect(catalog.finished).toMatchObject({ exitCode: 4, totals: { known: '2', notReached: '1' } })
  expect((JSON.parse(textOf(catalog)) as RunReport).notReached).toMatchObject([
    { what: 'catalog', where: 'postgresql://me@127.0.0.1:1/gone', code: 'CONNECT_FAILED' },
  ])
  // The database that was not reached may have the run: the report does not deny it.
  const nobody = await perform(asked('17', { to: away, write: path.join(folder, 'none.html') }))
  expect(nobody.finished.error?.code).toBe('CONNECT_FAILED')
  expect(existsSync(path.join(folder, 'none.html'))).toBe(false)
})
