/** Runs over several tables that are stopped after one has failed: the result names it, and the alert is sent. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runOperation } from '../../src/app/run.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { acquireLease } from '../../src/catalog/lease.ts'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Narrator } from '../../src/render/narrator.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import { copyOf, makePlace, type Place } from '../support/copy-systems.ts'
import { add, holderOf, METADATA, PROTOCOL, temporaryFolder, writeLog, type Line } from '../support/catalog-kit.ts'

const FIRST: readonly Line[] = [PROTOCOL, METADATA, add('a')]
const BAD: readonly Line[] = [{ add: { path: 5 } }]
const ALERT = { conditions: [{ cause: 'failed' }] } as const

type Ran = { readonly finished: RunFinished; readonly alerts: readonly string[]; readonly lines: readonly string[] }

type At = (event: Event) => boolean

/** @param stop called at these events */
async function run(
  operation: Operation,
  stop: (interrupt: Interrupter) => void,
  at: At = (event) => event.type === 'table.finished' && event.status === 'failed',
): Promise<Ran> {
  const interrupt = new Interrupter()
  const events: Event[] = []
  const finished = await runOperation(operation, {
    interrupt,
    clock: systemClock,
    tool: 'test',
    actor: 'me',
    host: 'here',
    commandLine: `sluice ${operation.kind}`,
    onEvent: (event) => {
      events.push(event)
      if (at(event)) stop(interrupt)
    },
  })
  const narrator = new Narrator(false)
  return {
    finished,
    alerts: events.flatMap((event) =>
      event.type === 'alert' ? [`${event.cause} ${event.state}: ${event.value}`] : [],
    ),
    lines: events.flatMap((event) => narrator.event(event)).map(({ word, text }) => `${word} ${text}`),
  }
}

type Lake = Disposable & { readonly lake: string; readonly url: string; readonly file: string }

/** @param good tables of one commit, which are imported */
async function lakeOf(good: readonly string[]): Promise<Lake> {
  const folder = temporaryFolder()
  const lake = join(folder.path, 'lake')
  for (const name of good) writeLog(join(lake, name), [FIRST])
  const file = join(folder.path, 'c.db')
  const at = { lake, file, url: `sqlite:///${file}` }
  if (good.length > 0) await run(batchOf(at), () => undefined)
  return { ...at, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

function batchOf({ lake, url }: { readonly lake: string; readonly url: string }): Operation {
  const how = {
    recursive: true,
    exclude: [],
    parallel: 1,
    batchSize: 100,
    dryRun: false,
    resume: false,
    verbose: false,
  }
  return { kind: 'batch-import', path: lake, catalog: url, ...how, alert: ALERT }
}

const STOPS: readonly (readonly [string, number, (interrupt: Interrupter) => void])[] = [
  ['a signal', 130, (one) => one.requestStop(new SluiceError('STOPPED', 'stopped by SIGINT', { exitCode: 130 }))],
  ['--max-runtime', 75, (one) => one.requestStop(new SluiceError('DEADLINE', 'the time of --max-runtime has ended'))],
]

function namesFailed({ finished, alerts, lines }: Ran, exitCode: number, failed: RegExp): void {
  expect(finished).toMatchObject({ status: 'stopped', exitCode, error: { code: 'TABLES_FAILED' } })
  expect(finished.error?.message).toMatch(failed)
  expect(finished.resumeCommand).toBeDefined()
  expect(lines.at(-1)).toMatch(new RegExp(`^exit ${exitCode} .*${failed.source}`))
  expect(lines.some((line) => line.startsWith('do correct the cause for each failed table'))).toBe(true)
  expect(alerts).toEqual([expect.stringMatching(/^failed raised: TABLES_FAILED: /)])
  expect(alerts[0]).toMatch(failed)
}

test.each(STOPS)('batch-import, stopped by %s', async (_by, exitCode, stop) => {
  using at = await lakeOf([])
  // The largest log is read first.
  writeLog(join(at.lake, 'broken'), [FIRST, [...BAD, ...Array.from({ length: 50 }, (_, i) => add(`x${i}`))]])
  writeLog(join(at.lake, 'well'), [FIRST])
  const ran = await run(batchOf(at), stop)
  expect(ran.finished.totals).toMatchObject({ tables: '2', failed: '1', ok: '0' })
  namesFailed(ran, exitCode, /1 of 2 tables failed before the run was stopped: broken BAD_ACTION/)
})

test.each(STOPS)('sync --all, stopped by %s', async (_by, exitCode, stop) => {
  using at = await lakeOf(['a', 'b'])
  for (const name of ['a', 'b']) writeLog(join(at.lake, name), [BAD], 1)
  const how = { watch: false, intervalMs: 1000, batchSize: 1000, parallel: 1 }
  const ran = await run({ kind: 'sync', tables: [], catalog: at.url, ...how, alert: ALERT }, stop)
  expect(ran.finished.totals).toMatchObject({ tables: '2', failed: '1' })
  namesFailed(ran, exitCode, /1 of 2 tables failed before the run was stopped: a-\w+ BAD_ACTION/)
})

test.each(STOPS)('prune --all, stopped by %s', async (_by, exitCode, stop) => {
  using at = await lakeOf(['a', 'b'])
  for (const name of ['a', 'b']) writeLog(join(at.lake, name), [[add('b')]], 1)
  await run(batchOf(at), () => undefined)
  {
    await using database = openSqlite(at.file, 'write')
    const [first] = await database.all('SELECT min(table_id) FROM delta_tables')
    await acquireLease(database, String(first?.[0]), holderOf('held'))
  }
  const keep = { versions: 1 }
  const ran = await run(
    { kind: 'prune', tables: [], catalog: at.url, keep, dryRun: false, waitMs: 0, alert: ALERT },
    stop,
  )
  expect(ran.finished.totals).toMatchObject({ tables: '2', failed: '1' })
  namesFailed(ran, exitCode, /1 of 2 tables failed before the run was stopped: a-\w+ TABLE_LOCKED/)
})

/** Two tables of 300 rows: `a` cannot be copied, because the target's has another column. */
async function twoTables(folder: string): Promise<readonly [Place, Place]> {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const rows = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i, i FROM n'
  for (const name of ['a', 'b'])
    await source.sql(`CREATE TABLE ${name} (id INTEGER PRIMARY KEY, n INTEGER)`, `INSERT INTO ${name} ${rows}`)
  await target.sql('CREATE TABLE a (id INTEGER PRIMARY KEY, other INTEGER NOT NULL)')
  return [source, target]
}

const SIDES = { workers: 1, chunkRows: 100, alert: ALERT } as const

test.each(STOPS)('copy, stopped by %s', async (_by, exitCode, stop) => {
  using folder = temporaryFolder()
  const [source, target] = await twoTables(folder.path)
  const copy = copyOf(source, target, 'a', { ...SIDES, tables: ['a', 'b'] })
  const ran = await run(copy, stop, ({ type }) => type === 'chunk.done')
  expect(ran.finished.totals).toMatchObject({ tables: '2', chunks: '3', proved: '1' })
  namesFailed(ran, exitCode, /1 of 2 tables failed before the run was stopped: a \w+/)
})

test.each(STOPS)('diff, stopped by %s', async (_by, exitCode, stop) => {
  using folder = temporaryFolder()
  const [source, target] = await twoTables(folder.path)
  await target.sql('DROP TABLE a', 'CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER)')
  const diff = {
    ...copyOf(source, target, 'a', SIDES),
    kind: 'diff',
    limit: 10,
    fix: false,
    deleteExtra: false,
  } as const
  const ran = await run({ ...diff, tables: ['a', 'b'] }, stop)
  expect(ran.finished.totals).toMatchObject({ tables: '2' })
  namesFailed(ran, exitCode, /1 of 2 tables failed before the run was stopped: a NO_SUCH_TABLE/)
})

test('a run that is stopped without a failure raises no alert', async () => {
  using at = await lakeOf(['a', 'b'])
  const how = { watch: false, intervalMs: 1000, batchSize: 1000, parallel: 1 }
  const stop = (one: Interrupter): void => one.requestStop()
  const ran = await run(
    { kind: 'sync', tables: [], catalog: at.url, ...how, alert: ALERT },
    stop,
    (event) => event.type === 'table.finished' && event.status === 'current',
  )
  expect(ran).toMatchObject({ finished: { status: 'stopped', exitCode: 75, totals: { current: '1' } }, alerts: [] })
  expect(ran.finished.error).toBeUndefined()
})
