/**
 * Alerts of repeated runs: each is sent once when it begins, and once when it is over, with real files and databases.
 */
import { execFile } from 'node:child_process'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { memoryOfMachine } from '../../src/app/alerts/memory.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import type { SyncOperation } from '../../src/engine/lake/operations/sync/declaration.ts'
import { runOperation } from '../../src/app/run.ts'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import type { AlertCause, AlertEvent, AlertOptions } from '../../src/model/run/alert.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing } from '../support/copy-systems.ts'
import { makeHealthyTable } from '../support/fsck-table.ts'
import { psql } from './copy-postgresql-kit.ts'
import { batchOf, fsckOf, importOf } from './operation-kit.ts'

const why = await missing('postgresql')
const HOUR_MS = 3_600_000
const BIN = resolve(import.meta.dirname, '../../dist/cli/bin.js')

let folder: Folder
/** Run history of one machine: each run reads what earlier ones have sent. */
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

async function run(
  operation: Operation,
  onEvent: (event: Event) => void = () => undefined,
  interrupt = new Interrupter(),
): Promise<Ran> {
  const reported: AlertEvent[] = []
  const finished = await runOperation(operation, {
    interrupt,
    clock: systemClock,
    tool: 'test',
    actor: 'me',
    host: 'here',
    commandLine: 'sluice',
    book,
    onEvent: (event) => {
      if (event.type === 'alert') reported.push(event)
      onEvent(event)
    },
  })
  return { finished, told: reported, alerts: reported.map(({ cause, state }) => `${cause} ${state}`) }
}

const of = (...causes: readonly Exclude<AlertCause, 'lag' | 'wal' | 'stalled' | 'rate' | 'stuck'>[]): AlertOptions => ({
  conditions: causes.map((cause) => ({ cause })),
})

test('an hourly fsck sends once that a file is missing, also to a command, and once that it is back', async () => {
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
  // A run that has checked less clears nothing.
  expect(await run({ ...fsck, since: 0 } as Operation)).toMatchObject({ alerts: [], finished: { exitCode: 0 } })
  renameSync(`${file}.kept`, file)
  expect((await run(fsck)).alerts).toEqual(['fsck cleared'])
  expect((await run(fsck)).alerts).toEqual([])
  expect(readFileSync(said, 'utf8').trim().split('\n')).toEqual([
    `fsck raised ${table.folder}`,
    `fsck cleared ${table.folder}`,
  ])
})

test('an alert that no sink accepted is sent by the next run, and --alert-exit counts open alerts', async () => {
  const lake = join(folder.path, 'nothing-here')
  const fsck = (command: string, more: Partial<AlertOptions> = {}): Operation =>
    fsckOf(lake, { alert: { ...of('failed'), command, ...more } })
  expect((await run(fsck('exit 3'))).alerts).toEqual(['failed raised'])
  expect((await run(fsck('true'))).alerts).toEqual(['failed raised'])
  const third = await run(fsck('true', { exit: true }))
  expect(third.alerts).toEqual([])
  // The exit code of its own error takes precedence over that of an alert.
  expect(third.finished.exitCode).toBe(2)
})

test('the command gets the table that failed, or the one that was requested', async () => {
  const [lake, said] = [join(folder.path, 'two'), join(folder.path, 'failed-tables')]
  writeLog(join(lake, 'good'), [[PROTOCOL, METADATA, add('a')]])
  writeLog(join(lake, 'broken'), [[PROTOCOL, METADATA, add('a')]])
  writeFileSync(join(lake, 'broken', '_delta_log', '00000000000000000001.json'), '{"nonsense')
  const alert = { ...of('failed'), command: `echo "$SLUICE_ALERT_STATE $SLUICE_ALERT_TABLE" >> '${said}'` }
  const catalog = `sqlite:///${join(folder.path, 'two.db')}`
  expect((await run({ ...batchOf(lake, catalog), alert } as Operation)).alerts).toEqual(['failed raised'])
  renameSync(join(lake, 'broken'), join(lake, 'good', 'broken'))
  await run({ ...batchOf(lake, `sqlite:///${join(folder.path, 'nested.db')}`), recursive: true, alert } as Operation)
  const none = join(folder.path, 'none')
  expect((await run(fsckOf(none, { alert }))).alerts).toEqual(['failed raised'])
  writeLog(none, [[PROTOCOL, METADATA]])
  expect((await run(fsckOf(none, { alert }))).alerts).toEqual(['failed cleared'])
  expect(readFileSync(said, 'utf8').trim().split('\n')).toEqual([
    'raised broken',
    `raised ${join(lake, 'good', 'broken')}`,
    `raised ${none}`,
    `cleared ${none}`,
  ])
})

test('an alert whose program is killed during the send is sent again after a minute, with the same id', async () => {
  const [state, said] = [join(folder.path, 'killed'), join(folder.path, 'ids')]
  const fsck = async (more: string): Promise<unknown> => {
    const command = `echo "$SLUICE_ALERT_ID $SLUICE_ALERT_STATE" >> '${said}'${more}`
    const words = ['fsck', join(folder.path, 'not-there'), '--ci', '--alert', 'failed', '--alert-command', command]
    const env = { ...process.env, XDG_STATE_HOME: state }
    return await promisify(execFile)(process.execPath, [BIN, ...words], { env }).catch((error: unknown) => error)
  }
  const ids = (): readonly string[] => readFileSync(said, 'utf8').trim().split('\n')
  expect(await fsck('; kill -9 $PPID')).toMatchObject({ signal: 'SIGKILL' })
  expect(ids()).toHaveLength(1)
  const later = new Database(join(state, 'sluice', 'alerts.db'))
  later.exec('UPDATE standing SET unsent_ms = unsent_ms - 60001')
  later.close()
  await fsck('')
  expect(ids()).toEqual([ids()[0], ids()[0]])
  await fsck('')
  expect(ids()).toHaveLength(2)
})

test('a catalog that cannot follow its log is reported by sync, and a different one by validate', async () => {
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
  writeFileSync(next, '{"nonsense')
  expect((await run(sync)).alerts).toEqual(['drift raised'])

  // A table that is removed and imported again is another one: open alerts of the first one hide none of it.
  const forget: Operation = {
    kind: 'rollback',
    table: 'drifts',
    catalog,
    confirm: 'drifts',
    checkFiles: 'none',
    dryRun: false,
    forget: true,
  }
  expect((await run(forget)).finished.exitCode).toBe(0)
  rmSync(next)
  expect((await run(imported)).finished.exitCode).toBe(0)
  await size(7)
  writeFileSync(next, '{"nonsense')
  for (const operation of [sync, validate]) {
    expect((await run(operation)).alerts).toEqual(['drift cleared', 'drift raised'])
    expect((await run(operation)).alerts).toEqual([])
  }
})

const syncOf = (catalog: string, more: Partial<SyncOperation>): SyncOperation => ({
  kind: 'sync',
  tables: [],
  catalog,
  watch: false,
  intervalMs: 200,
  batchSize: 1000,
  parallel: 1,
  alert: of('drift'),
  ...more,
})

type Watching = {
  /** Waits until the alerts are these. */
  until(alerts: readonly string[]): Promise<void>
}

/** Alerts of `sync --watch` while it runs, for as long as the body takes. */
async function whileWatching(operation: SyncOperation, body: (watching: Watching) => Promise<void>): Promise<void> {
  const interrupt = new Interrupter()
  const alerts: string[] = []
  const notes: string[] = []
  const hear = (event: Event): void => {
    if (event.type === 'alert') alerts.push(`${event.cause} ${event.state} ${event.table ?? ''}`)
    if (event.type === 'log') notes.push(event.message)
  }
  const running = run({ ...operation, watch: true }, hear, interrupt)
  const until = async (expected: readonly string[]): Promise<void> => {
    await vi.waitFor(() => expect(alerts, notes.join('; ')).toEqual(expected), { timeout: 15_000, interval: 50 })
  }
  try {
    await vi.waitFor(() => expect(notes).toContainEqual(expect.stringContaining('watching 1')), { timeout: 15_000 })
    await body({ until })
  } finally {
    interrupt.requestStop()
    await running
  }
}

test(
  'sync --watch sends each fault of a table and each end, also those of earlier runs',
  { timeout: 60_000 },
  async () => {
    const table = join(folder.path, 'again')
    writeLog(table, [[PROTOCOL, METADATA, add('a')]])
    const catalog = `sqlite:///${join(folder.path, 'again.db')}`
    expect((await run({ ...importOf(table, catalog), tableId: 'again' } as Operation)).finished.exitCode).toBe(0)
    const away = (): void => renameSync(table, `${table}-away`)
    const back = (): void => renameSync(`${table}-away`, table)
    away()
    expect((await run(syncOf(catalog, {}))).alerts).toEqual(['drift raised'])
    back()
    await whileWatching(syncOf(catalog, {}), async ({ until }) => {
      const reported = ['drift cleared again']
      await until(reported)
      for (let fault = 0; fault < 2; fault++) {
        away()
        await until([...reported, 'drift raised again'])
        back()
        reported.push('drift raised again', 'drift cleared again')
        await until(reported)
      }
    })
  },
)

test('an alert of a named table keeps its identity while the folder is missing', async () => {
  const before = process.cwd()
  const lake = join(folder.path, 'named')
  writeLog(join(lake, 'orders'), [[PROTOCOL, METADATA, add('a')]])
  const catalog = `sqlite:///${join(folder.path, 'named.db')}`
  expect((await run(importOf(join(lake, 'orders'), catalog))).finished.exitCode).toBe(0)
  process.chdir(lake)
  try {
    const [away, back] = [
      () => renameSync(join(lake, 'orders'), join(lake, 'away')),
      () => renameSync(join(lake, 'away'), join(lake, 'orders')),
    ]
    const runs: readonly Operation[] = [
      syncOf(catalog, { tables: ['orders'] }),
      { kind: 'validate', table: 'orders', catalog, verbose: false, samples: 0, alert: of('failed') },
    ]
    for (const operation of runs) {
      const alerts: string[] = []
      for (const step of [away, back, away, back]) {
        step()
        alerts.push(...(await run(operation)).alerts)
      }
      const cause = operation.kind === 'sync' ? 'drift' : 'failed'
      const once = [`${cause} raised`, `${cause} cleared`]
      expect(alerts, operation.kind).toEqual([...once, ...once])
    }
  } finally {
    process.chdir(before)
  }
})

test('a name that is a folder here and the id of another table is refused, and the alert of that table stays', async () => {
  const before = process.cwd()
  const here = join(folder.path, 'meanings')
  const [far, near] = [join(here, 'far', 'orders'), join(here, 'orders')]
  for (const table of [far, near]) writeLog(table, [[PROTOCOL, METADATA, add('a')]])
  const catalog = `sqlite:///${join(here, 'meanings.db')}`
  expect((await run({ ...importOf(far, catalog), tableId: 'orders' } as Operation)).finished.exitCode).toBe(0)
  expect((await run({ ...importOf(near, catalog), tableId: 'near' } as Operation)).finished.exitCode).toBe(0)
  const validate = (table: string): Operation => ({ kind: 'validate', table, catalog, verbose: false, samples: 0 })
  expect((await run(validate('orders'))).finished.exitCode).toBe(0)
  process.chdir(here)
  try {
    expect((await run(validate('orders'))).finished.error).toMatchObject({ code: 'AMBIGUOUS_TABLE' })
    expect((await run(validate('./orders'))).finished.exitCode).toBe(0)
  } finally {
    process.chdir(before)
  }
})

test('nightly maintenance of a catalog sends that it failed, and that it succeeds again', async () => {
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

test('alerts are separate for other target tables and other columns: these neither clear nor hide them', async () => {
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
  // Options of the execution do not matter.
  await target.sql('DELETE FROM a')
  const fixed = await run({ ...diff, fix: true, workers: 1 })
  expect(fixed).toMatchObject({ alerts: ['failed cleared'], finished: { exitCode: 0 } })
  expect((await run(diff)).alerts).toEqual([])
})

test('an alert of an earlier version is cleared by a run that succeeds', async () => {
  const table = await makeHealthyTable(join(folder.path, 'of-before'))
  const memory = memoryOfMachine(book, () => undefined)
  // As that version wrote it.
  const scope = `["fsck","asOf={}","${table.folder}"]`
  await memory.begin({ scope, cause: 'failed', table: '' }, 0)
  await memory.begin({ scope: '["fsck","asOf={}"]', cause: 'fsck', table: table.folder }, 0)
  await memory[Symbol.asyncDispose]()
  const fsck = { ...fsckOf(table.folder, { alert: of('fsck', 'failed') }), asOf: {} } as Operation
  expect((await run(fsck)).alerts.toSorted()).toEqual(['failed cleared', 'fsck cleared'])
  expect((await run(fsck)).alerts).toEqual([])
})

describe.skipIf(why !== '')(`on PostgreSQL${why}`, () => {
  test('sync --watch sends that its catalog is away once, and that it is back', { timeout: 60_000 }, async () => {
    const place = await makePlace('postgresql', folder.path)
    const table = join(folder.path, 'catalog-away')
    writeLog(table, [[PROTOCOL, METADATA, add('a')]])
    expect((await run(importOf(table, place.url))).finished.exitCode).toBe(0)
    const name = new URL(place.url).pathname.slice(1)
    const others = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND pid <> pg_backend_pid()`
    const admin = await psql(place.url.replace(name, 'postgres'))
    try {
      await whileWatching(syncOf(place.url, {}), async ({ until }) => {
        for (const reported of [[], ['drift raised ', 'drift cleared ']]) {
          await until(reported)
          await admin.run(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)
          await admin.run(others)
          await until([...reported, 'drift raised '])
          await admin.run(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`)
          await until([...reported, 'drift raised ', 'drift cleared '])
        }
      })
    } finally {
      await admin.run(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`)
      await admin.close()
    }
  })

  test('partitions: alerts for none ahead, then for rows in the default, then both are cleared', async () => {
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
    // For CI: a listing with findings fails.
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
    // A dry run has done nothing that would clear the alert.
    expect((await run({ ...ensure, dryRun: true })).alerts).toEqual([])
    expect((await run(ensure)).alerts).toEqual(['default-rows cleared'])
  })

  test(
    'a chunk that waits for a lock is stuck, and then progresses; or is released if an alert ends the run',
    async () => {
      const source = await makePlace('sqlite', folder.path)
      const target = await makePlace('postgresql', folder.path)
      await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)', `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
      await target.sql('CREATE TABLE t (id bigint PRIMARY KEY, name text)')
      const alert: AlertOptions = { conditions: [{ cause: 'stuck', limit: 500 }, { cause: 'failed' }] }
      const copy = copyOf(source, target, 't', { alert })
      const held = await psql(target.url)
      try {
        await held.run('BEGIN')
        // The chunk's row with the same key waits for this transaction.
        await held.run(`INSERT INTO t VALUES (1, 'other')`)
        const ended = await run({ ...copy, alert: { ...alert, exit: true } })
        expect(ended.alerts).toEqual(['stuck raised', 'stuck cleared'])
        expect(ended.finished).toMatchObject({ status: 'failed', exitCode: 1, error: { code: 'ALERTED' } })
        const {
          alerts,
          told: reported,
          finished,
        } = await run(copy, (event) => {
          if (event.type === 'alert' && event.state === 'raised') void held.run('ROLLBACK')
        })
        expect(reported[0]?.value).toMatch(/^chunk \d+ makes no progress for /)
        expect(alerts).toEqual(['stuck raised', 'stuck cleared'])
        expect(finished.exitCode).toBe(0)
      } finally {
        await held.close()
      }
    },
    HOUR_MS / 60,
  )
})
