/** Alerts of runs that come again: each is told once when it begins, and once when it is over, by real files and databases. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { memoryOfMachine } from '../../src/engine/alerts/memory.ts'
import { alertScopeBefore } from '../../src/engine/alerts/scope.ts'
import type { Operation } from '../../src/engine/operations/list.ts'
import { runOperation } from '../../src/engine/run.ts'
import type { RunFinished } from '../../src/engine/operation.ts'
import type { AlertCause, AlertEvent, AlertWish } from '../../src/model/alert.ts'
import type { Event } from '../../src/model/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing } from '../support/copy-systems.ts'
import { makeHealthyTable } from '../support/fsck-table.ts'
import { psql } from './copy-postgresql-kit.ts'
import { fsckOf, importOf } from './operation-kit.ts'

const why = await missing('postgresql')
const HOUR_MS = 3_600_000

let folder: Folder
/** Of the runs of one machine: what one has told, the next one knows. */
let book = ''
let books = 0
beforeAll(() => {
  folder = temporaryFolder()
})
beforeEach(() => {
  book = join(folder.path, `state-${books++}`)
})
afterAll(() => folder[Symbol.dispose]())

type Ran = { readonly finished: RunFinished; readonly alerts: readonly string[]; readonly told: readonly AlertEvent[] }

async function run(operation: Operation, onEvent: (event: Event) => void = () => undefined): Promise<Ran> {
  const told: AlertEvent[] = []
  const finished = await runOperation(operation, {
    interrupt: new Interrupter(),
    clock: systemClock,
    tool: 'test',
    actor: 'me',
    host: 'here',
    commandLine: 'sluice',
    book,
    onEvent: (event) => {
      if (event.type === 'alert') told.push(event)
      onEvent(event)
    },
  })
  return { finished, told, alerts: told.map(({ cause, state }) => `${cause} ${state}`) }
}

const of = (...causes: readonly Exclude<AlertCause, 'lag' | 'wal' | 'stalled' | 'rate' | 'stuck'>[]): AlertWish => ({
  conditions: causes.map((cause) => ({ cause })),
})

test('fsck each hour tells a file that is gone once, also to a command, and that it is back', async () => {
  const table = await makeHealthyTable(join(folder.path, 'healthy'))
  const file = join(table.folder, table.files[0] ?? '')
  const said = join(folder.path, 'said')
  const command = `echo "$SLUICE_ALERT_CAUSE $SLUICE_ALERT_STATE $SLUICE_ALERT_TABLE" >> '${said}'`
  const fsck = fsckOf(table.folder, { alert: { ...of('fsck', 'failed'), command } })
  expect((await run(fsck)).alerts).toEqual([])
  renameSync(file, `${file}.kept`)
  const first = await run(fsck)
  expect(first.finished.exitCode).toBe(1)
  expect(first.alerts).toEqual(['fsck raised'])
  expect(first.told[0]).toMatchObject({ table: table.folder, value: expect.stringContaining('file-missing') as string })
  expect((await run(fsck)).alerts).toEqual([])
  // A run that has looked at less ends nothing of it.
  expect(await run({ ...fsck, since: 0 } as Operation)).toMatchObject({ alerts: [], finished: { exitCode: 0 } })
  renameSync(`${file}.kept`, file)
  expect((await run(fsck)).alerts).toEqual(['fsck cleared'])
  expect((await run(fsck)).alerts).toEqual([])
  expect(readFileSync(said, 'utf8').trim().split('\n')).toEqual([
    `fsck raised ${table.folder}`,
    `fsck cleared ${table.folder}`,
  ])
})

test('an alert that reached nobody is told by the next run, and --alert-exit counts what stands', async () => {
  const lake = join(folder.path, 'nothing-here')
  const fsck = (command: string, more: Partial<AlertWish> = {}): Operation =>
    fsckOf(lake, { alert: { ...of('failed'), command, ...more } })
  expect((await run(fsck('exit 3'))).alerts).toEqual(['failed raised'])
  expect((await run(fsck('true'))).alerts).toEqual(['failed raised'])
  const third = await run(fsck('true', { exit: true }))
  expect(third.alerts).toEqual([])
  // Its own end is worse than that of an alert.
  expect(third.finished.exitCode).toBe(2)
})

test('a catalog that cannot follow its log, by sync; and one that differs from it, by validate', async () => {
  const table = join(folder.path, 'drifts')
  writeLog(table, [[PROTOCOL, METADATA, add('a')]])
  const file = join(folder.path, 'c.db')
  const catalog = `sqlite:///${file}`
  const alert = of('drift', 'failed')
  const sync: Operation = {
    kind: 'sync',
    tables: [],
    catalog,
    watch: false,
    intervalMs: 1000,
    batchSize: 1000,
    parallel: 1,
    alert,
  }
  const imported: Operation = {
    kind: 'import',
    table,
    catalog,
    tableId: 'drifts',
    dryRun: false,
    resume: false,
    batchSize: 1000,
    verbose: false,
    allowRefused: false,
    waitMs: 0,
  }
  expect((await run(imported)).finished.exitCode).toBe(0)
  expect((await run(sync)).alerts).toEqual([])
  const next = join(table, '_delta_log', '00000000000000000001.json')
  writeFileSync(next, '{"nonsense')
  const behind = await run(sync)
  expect(behind.alerts).toEqual(['drift raised'])
  expect(behind.told[0]).toMatchObject({ table: 'drifts', value: expect.stringMatching(/1 version behind/) as string })
  expect((await run(sync)).alerts).toEqual([])
  rmSync(next)
  expect((await run(sync)).alerts).toEqual(['drift cleared'])

  const validate: Operation = { kind: 'validate', table: 'drifts', catalog, verbose: false, samples: 0, alert }
  const size = async (bytes: number): Promise<void> => {
    await using database = openSqlite(file, 'write')
    await database.write(async (transaction) => void (await transaction.run(`UPDATE delta_files SET size = ${bytes}`)))
  }
  expect((await run(validate)).alerts).toEqual([])
  await size(7)
  expect((await run(validate)).alerts).toEqual(['drift raised'])
  expect((await run(validate)).alerts).toEqual([])
})

test('what keeps a catalog in order by night tells that it failed, and that it goes well again', async () => {
  const table = join(folder.path, 'kept')
  const catalog = `sqlite:///${join(folder.path, 'kept.db')}`
  const alert = of('failed')
  const upkeep: readonly Operation[] = [
    { kind: 'index', table, columns: ['id'], catalog, drop: false, alert },
    { kind: 'prune', tables: [table], catalog, keep: { versions: 5 }, confirm: table, dryRun: false, alert },
  ]
  for (const operation of upkeep) {
    expect((await run(operation)).alerts, operation.kind).toEqual(['failed raised'])
    expect((await run(operation)).alerts, operation.kind).toEqual([])
  }
  writeLog(table, [[PROTOCOL, METADATA, add('a')]])
  const { finished } = await run(importOf(table, catalog))
  expect(finished.exitCode).toBe(0)
  for (const operation of upkeep) expect((await run(operation)).alerts, operation.kind).toEqual(['failed cleared'])
})

test('what is compared belongs to an alert: neither another target table nor other columns end it, or pass for it', async () => {
  const [source, target] = [await makePlace('sqlite', folder.path), await makePlace('sqlite', folder.path)]
  await source.sql('CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)', `INSERT INTO a VALUES (1, 'x'), (2, 'y')`)
  for (const name of ['a', 'a2'])
    await target.sql(
      `CREATE TABLE ${name} (id INTEGER PRIMARY KEY, v TEXT)`,
      `INSERT INTO ${name} VALUES (1, 'x'), (2, 'y')`,
    )
  const [from, to] = [source.url, target.url]
  const diff: Operation = {
    kind: 'diff',
    from,
    to,
    tables: ['a'],
    rename: {},
    workers: 2,
    limit: 10,
    fix: false,
    deleteExtra: false,
    alert: of('failed'),
  }
  const other: Operation = { ...diff, toTable: 'a2' }
  const keys: Operation = { ...diff, columns: ['id'] }
  await target.sql(`UPDATE a SET v = 'other' WHERE id = 2`)
  expect((await run(diff)).alerts).toEqual(['failed raised'])
  for (const well of [other, keys]) expect(await run(well)).toMatchObject({ alerts: [], finished: { exitCode: 0 } })
  await target.sql('DELETE FROM a2', 'UPDATE a SET id = 3 WHERE id = 1')
  for (const fails of [other, keys]) expect((await run(fails)).alerts).toEqual(['failed raised'])
  expect((await run(diff)).alerts).toEqual([])
  // How it goes about it is no part of it, and what versions before have raised is cleared, too.
  await target.sql('DELETE FROM a')
  const memory = memoryOfMachine(book, () => undefined)
  await memory.begin({ scope: alertScopeBefore(diff, true), cause: 'failed', table: '' }, 0)
  await memory[Symbol.asyncDispose]()
  const fixed = await run({ ...diff, fix: true, workers: 1 })
  expect(fixed).toMatchObject({ alerts: ['failed cleared', 'failed cleared'], finished: { exitCode: 0 } })
  expect((await run(diff)).alerts).toEqual([])
})

describe.skipIf(why !== '')(`on PostgreSQL${why}`, () => {
  test('partitions: none ahead, then rows in the default, then all is well', async () => {
    const place = await makePlace('postgresql', folder.path)
    const month = (n: number): string => {
      const now = new Date()
      return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + n, 1)).toISOString().slice(0, 10)
    }
    await place.sql('CREATE TABLE events (at date NOT NULL) PARTITION BY RANGE (at)')
    for (const n of [-1, 0])
      await place.sql(
        `CREATE TABLE events_${month(n).slice(0, 7).replace('-', '_')} PARTITION OF events FOR VALUES FROM ('${month(n)}') TO ('${month(n + 1)}')`,
      )
    const alert = of('none-ahead', 'default-rows', 'failed')
    const look = { from: place.url, tables: ['events'], calendar: {}, ahead: 1, alert }
    const list: Operation = { kind: 'partition-list', ...look, count: false }
    const ensure: Operation = { kind: 'partition-ensure', ...look, patienceMs: 100, budgetMs: 20_000, dryRun: false }
    const first = await run(list)
    expect(first.alerts).toEqual(['none-ahead raised'])
    expect(first.told[0]).toMatchObject({ table: 'public.events' })
    expect((await run(list)).alerts).toEqual([])
    // For CI: a listing that found something fails.
    expect((await run({ ...list, alert: { ...alert, exit: true } })).finished).toMatchObject({
      exitCode: 1,
      error: { code: 'ALERTED', message: 'an alert ended the run: none-ahead' },
    })
    expect((await run(ensure)).alerts).toEqual([])
    expect((await run(list)).alerts).toEqual(['none-ahead cleared'])
    await place.sql('CREATE TABLE events_rest PARTITION OF events DEFAULT', `INSERT INTO events VALUES ('1999-01-01')`)
    const rest = await run(ensure)
    expect(rest.finished.error?.code).toBe('ROWS_IN_DEFAULT')
    expect(rest.alerts).toEqual(['default-rows raised'])
    expect((await run(ensure)).alerts).toEqual([])
    await place.sql('DELETE FROM events_rest')
    // A dry run has done nothing that would be the end of it.
    expect((await run({ ...ensure, dryRun: true })).alerts).toEqual([])
    expect((await run(ensure)).alerts).toEqual(['default-rows cleared'])
  })

  test(
    'a chunk that waits for a lock is stuck, and goes on; or is given back where an alert ends the run',
    async () => {
      const source = await makePlace('sqlite', folder.path)
      const target = await makePlace('postgresql', folder.path)
      await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)', `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
      await target.sql('CREATE TABLE t (id bigint PRIMARY KEY, name text)')
      const alert: AlertWish = { conditions: [{ cause: 'stuck', limit: 500 }, { cause: 'failed' }] }
      const copy = copyOf(source, target, 't', { alert })
      const held = await psql(target.url)
      try {
        await held.run('BEGIN')
        // The chunk's row of the same key waits for this transaction.
        await held.run(`INSERT INTO t VALUES (1, 'other')`)
        const ended = await run({ ...copy, alert: { ...alert, exit: true } })
        expect(ended.alerts).toEqual(['stuck raised', 'stuck cleared'])
        expect(ended.finished).toMatchObject({ status: 'failed', exitCode: 1, error: { code: 'ALERTED' } })
        const { alerts, told, finished } = await run(copy, (event) => {
          if (event.type === 'alert' && event.state === 'raised') void held.run('ROLLBACK')
        })
        expect(told[0]?.value).toMatch(/^chunk \d+ gets no further for /)
        expect(alerts).toEqual(['stuck raised', 'stuck cleared'])
        expect(finished.exitCode).toBe(0)
      } finally {
        await held.close()
      }
    },
    HOUR_MS / 60,
  )
})
