/**
 * `sync`, `prune` and the lag of `migration-status` as operations: what they report, what they write, and what they do
 * not change.
 */
import {
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test, vi } from 'vitest'
import { listLakeTables } from '../../src/engine/lake/queries/tables.ts'
import { runOperation } from '../../src/app/run.ts'
import type { RunFinished } from '../../src/engine/run/operation.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { add, METADATA, PROTOCOL, remove, temporaryFolder, writeLog, type Line } from '../support/catalog-kit.ts'
import { importOf, validateOf } from './operation-kit.ts'
import { drift } from '../../src/app/alerts/causes/drift.ts'
import { failedWatch } from '../../src/app/alerts/causes/failed.ts'
import type { SyncOperation } from '../../src/engine/lake/operations/sync/declaration.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const FIRST: readonly Line[] = [PROTOCOL, METADATA, add('a')]
const MORE: readonly Line[] = [add('b'), remove('a')]

type Ran = { readonly finished: RunFinished; readonly events: readonly Event[] }

async function run(operation: Operation, interrupt = new Interrupter(), seen: Event[] = []): Promise<Ran> {
  const finished = await runOperation(operation, {
    interrupt,
    clock: systemClock,
    tool: 'test',
    actor: 'me',
    host: 'here',
    commandLine: 'sluice sync',
    onEvent: (event) => void seen.push(event),
  })
  return { finished, events: seen }
}

type Lake = Disposable & { readonly lake: string; readonly file: string; readonly url: string }

/** Tables of one commit each, imported. */
async function lakeOf(names: readonly string[]): Promise<Lake> {
  const folder = temporaryFolder()
  const lake = join(folder.path, 'lake')
  for (const name of names) writeLog(join(lake, name), [FIRST])
  const file = join(folder.path, 'c.db')
  const url = `sqlite:///${file}`
  await run({
    kind: 'batch-import',
    path: lake,
    catalog: url,
    recursive: true,
    exclude: [],
    parallel: 1,
    batchSize: 100,
    dryRun: false,
    resume: false,
    verbose: false,
  })
  return { lake, file, url, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

const syncOf = (catalog: string, more: Partial<SyncOperation> = {}): Operation => ({
  kind: 'sync',
  tables: [],
  catalog,
  watch: false,
  intervalMs: 1000,
  batchSize: 1000,
  parallel: 2,
  ...more,
})

const statuses = ({ events }: Ran): Record<string, string> =>
  Object.fromEntries(
    events.flatMap((event) =>
      event.type === 'table.finished' ? [[event.table.replace(/-[0-9a-f]{8}$/, ''), event.status]] : [],
    ),
  )

async function countOf(file: string, relation: string): Promise<number> {
  await using database = openSqlite(file, 'read')
  return Number((await database.all(`SELECT count(*) FROM ${relation}`))[0]?.[0])
}

/** As the manual rollback of the guide does it. */
async function loseRows({ file }: Lake): Promise<void> {
  await using database = openSqlite(file, 'write')
  await database.write(async (transaction) => {
    await transaction.run(`DELETE FROM delta_files WHERE table_id LIKE 'gone-%'`, [])
  })
}

describe('sync', () => {
  test('of all tables imports what is new, and writes nothing about the others', async () => {
    using at = await lakeOf(['one', 'three', 'two'])
    writeLog(join(at.lake, 'two'), [MORE, [add('c')]], 1)
    const before = await countOf(at.file, 'migration_status')
    const first = await run(syncOf(at.url))
    expect(statuses(first)).toEqual({ one: 'current', three: 'current', two: 'ok' })
    expect(first.finished).toMatchObject({
      status: 'ok',
      exitCode: 0,
      totals: { tables: '3', ok: '1', current: '2', failed: '0', refused: '0', behind: '0', actions: '3' },
    })
    expect(await countOf(at.file, 'migration_status')).toBe(before + 1)
    const audits = await countOf(at.file, 'catalog_audit')
    const again = await run(syncOf(at.url))
    expect(again.finished.totals).toMatchObject({ ok: '0', current: '3' })
    expect(await countOf(at.file, 'migration_status')).toBe(before + 1)
    expect(await countOf(at.file, 'catalog_audit')).toBe(audits + 1)
  })

  test('reports each table once, even if an import must check whether anything is new', async () => {
    using at = await lakeOf(['one', 'two'])
    {
      // As if a checkpoint were in place of the newest commit: its bytes are unknown.
      await using database = openSqlite(at.file, 'write')
      await database.write(async (transaction) => {
        await transaction.run(`UPDATE delta_commits SET log_digest = NULL WHERE table_id LIKE 'one-%'`, [])
      })
    }
    const { events } = await run(syncOf(at.url))
    const reported = events.flatMap((event) =>
      event.type === 'table.finished' ? [event.table.replace(/-[0-9a-f]{8}$/, '')] : [],
    )
    expect(reported.toSorted()).toEqual(['one', 'two'])
  })

  test('of named tables accepts paths and ids, and refuses what is not in the catalog', async () => {
    using at = await lakeOf(['one', 'two'])
    writeLog(join(at.lake, 'one'), [MORE], 1)
    writeLog(join(at.lake, 'stranger'), [FIRST])
    const ran = await run(syncOf(at.url, { tables: [join(at.lake, 'one')] }))
    expect(ran.finished.totals).toMatchObject({ tables: '1', ok: '1' })
    const stranger = await run(syncOf(at.url, { tables: [join(at.lake, 'stranger')] }))
    expect(stranger.finished.error?.code).toBe('NO_SUCH_TABLE')
    const nowhere = await run(syncOf(`${at.url}.other`, { tables: ['one'] }))
    expect(nowhere.finished.exitCode).not.toBe(0)
    expect(existsSync(`${at.file}.other`)).toBe(false)
  })

  test('of a table whose rows were removed fails, and skips it among all tables', async () => {
    using at = await lakeOf(['gone', 'well'])
    await loseRows(at)
    const all = await run(syncOf(at.url))
    expect(statuses(all)).toEqual({ gone: 'skipped', well: 'current' })
    expect(all.finished).toMatchObject({ exitCode: 0, totals: { tables: '2', current: '1', skipped: '1' } })
    const status = await run({ kind: 'migration-status', catalog: at.url })
    const shown = status.events.flatMap((event) =>
      event.type === 'run' && event.table.startsWith('gone') ? [event.behind ?? 'unknown'] : [],
    )
    expect(shown).toEqual(['unknown'])
    const named = await run(syncOf(at.url, { tables: [join(at.lake, 'gone')] }))
    expect(named.finished).toMatchObject({ exitCode: 5, error: { code: 'NOT_IMPORTED' } })
    const judged = (ran: Ran): unknown => {
      const watches = [drift(), failedWatch(() => false)]
      const verdicts = ran.events.flatMap((event) => watches.flatMap((watch) => watch.take(event, 0)))
      return verdicts.map(({ cause, holds }) => [cause, holds])
    }
    // No alert about it is cleared.
    expect(judged(all)).toEqual(expect.arrayContaining([['drift', true]]))
    expect(judged(all)).not.toContainEqual(['failed', false])
    expect(judged(named)).toContainEqual(['drift', true])
  })

  test('names the fault of each table and imports the others', async () => {
    using at = await lakeOf(['gone', 'edited', 'shorter', 'well'])
    writeLog(join(at.lake, 'shorter'), [MORE], 1)
    await run(syncOf(at.url))
    for (const name of ['gone', 'well', 'edited']) writeLog(join(at.lake, name), [MORE], 1)
    renameSync(join(at.lake, 'gone'), join(at.lake, 'moved'))
    writeLog(join(at.lake, 'edited'), [[PROTOCOL, METADATA, add('z')]])
    rmSync(join(at.lake, 'shorter', '_delta_log', '00000000000000000001.json'))
    const ran = await run(syncOf(at.url))
    expect(statuses(ran)).toEqual({ gone: 'failed', edited: 'failed', shorter: 'failed', well: 'ok' })
    const codes = ran.events.flatMap((event) =>
      event.type === 'table.finished' && event.error !== undefined ? [event.error.code] : [],
    )
    expect(codes.toSorted()).toEqual(['LOG_REWRITTEN', 'LOG_REWRITTEN', 'NO_LOG'])
    // Newer commits of the edited log are not imported; those of the others are unknown, or there are none.
    expect(ran.finished).toMatchObject({ exitCode: 1, totals: { failed: '3', ok: '1', behind: '1' } })
    expect(await countOf(at.file, "migration_status WHERE status = 'failed'")).toBe(0)
  })

  test('names a newest commit that was overwritten by one of equal length and time', async () => {
    using at = await lakeOf(['edited', 'well'])
    const log = join(at.lake, 'edited', '_delta_log', '00000000000000000000.json')
    const { mtime, atime } = statSync(log)
    const text = readFileSync(log, 'utf8')
    writeFileSync(log, text.replace('"path":"a"', '"path":"z"'))
    utimesSync(log, atime, mtime)
    expect(readFileSync(log, 'utf8')).not.toBe(text)
    expect(statSync(log).mtimeMs).toBe(mtime.getTime())
    const ran = await run(syncOf(at.url))
    expect(statuses(ran)).toEqual({ edited: 'failed', well: 'current' })
    const errors = ran.events.flatMap((event) => (event.type === 'table.finished' ? [event.error?.message] : []))
    expect(errors).toContain('the log is no longer the one that was imported: commit 0 has changed')
    await using database = openSqlite(at.file, 'read')
    const listed = async (): Promise<unknown> =>
      (await listLakeTables(at.lake, database, new AbortController().signal)).map(({ name, error }) => [
        name,
        error?.code ?? null,
      ])
    expect(await listed()).toEqual([
      ['edited', 'LOG_REWRITTEN'],
      ['well', null],
    ])
    // A truncated commit is another one, too, and a restored one is the one that was imported.
    writeFileSync(log, text.slice(0, text.length / 2))
    expect(await listed()).toContainEqual(['edited', 'LOG_REWRITTEN'])
    writeFileSync(log, text)
    expect(await listed()).toContainEqual(['edited', null])
  })

  test.each(['of another size', 'of its size, at another time'])(
    'names an older commit that was overwritten by one %s',
    async (what) => {
      using at = await lakeOf(['edited', 'well'])
      for (const name of ['edited', 'well']) writeLog(join(at.lake, name), [MORE, [add('c')]], 1)
      expect(statuses(await run(syncOf(at.url)))).toEqual({ edited: 'ok', well: 'ok' })
      const log = join(at.lake, 'edited', '_delta_log', '00000000000000000001.json')
      const text = readFileSync(log, 'utf8')
      writeFileSync(log, text.replace('"path":"b"', what === 'of another size' ? '"path":"other"' : '"path":"z"'))
      for (const more of [[], [[add('d')]]]) {
        writeLog(join(at.lake, 'edited'), more, 3)
        const ran = await run(syncOf(at.url))
        expect(statuses(ran)).toEqual({ edited: 'failed', well: 'current' })
        const [error] = ran.events.flatMap((event) => (event.type === 'table.finished' ? (event.error ?? []) : []))
        expect(error).toMatchObject({
          code: 'LOG_REWRITTEN',
          message: expect.stringContaining('commit 1 has ') as string,
        })
        const imported = await run({ ...importOf(join(at.lake, 'edited'), at.url) })
        expect(imported.finished.error).toMatchObject({ code: 'LOG_REWRITTEN' })
      }
      // The catalog may have the only copy of the overwritten commit: both report it.
      const { error } = (await run(validateOf(join(at.lake, 'edited'), at.url))).finished
      expect(error).toMatchObject({
        code: 'DIFFERENCES',
        hint: expect.stringMatching(
          /^if the log is right, remove the table from the catalog .* --forget --confirm=/,
        ) as string,
      })
    },
  )

  test('reports the missing commits of a log that lost its newest ones', async () => {
    using at = await lakeOf(['shorter'])
    writeLog(join(at.lake, 'shorter'), [MORE, [add('c')]], 1)
    await run(syncOf(at.url))
    for (const version of [1, 2]) rmSync(join(at.lake, 'shorter', '_delta_log', `0000000000000000000${version}.json`))
    const { finished } = await run(syncOf(at.url, { tables: [join(at.lake, 'shorter')] }))
    expect(finished.error?.message).toMatch(
      /it ends at version 0, but the catalog has version 2: commits 1 to 2 are missing/,
    )
    expect(finished.error?.hint).toMatch(/^restore the missing commits; if the log is right/)
    await using database = openSqlite(at.file, 'read')
    const [row] = await listLakeTables(at.lake, database, new AbortController().signal)
    expect(row).toMatchObject({ error: null, version: 0, catalog: { state: 'truncated', ends: 0, version: 2 } })
  })

  test('skips a table that was rolled back by hand, and accepts a commit with another time only', async () => {
    using at = await lakeOf(['back', 'touched'])
    {
      await using database = openSqlite(at.file, 'write')
      await database.write(async (transaction) => {
        await transaction.run("DELETE FROM delta_files WHERE table_id LIKE 'back-%'")
        await transaction.run("DELETE FROM migration_status WHERE table_id LIKE 'back-%'")
      })
    }
    writeLog(join(at.lake, 'back'), [MORE], 1)
    const log = join(at.lake, 'touched', '_delta_log', '00000000000000000000.json')
    utimesSync(log, 1_800_000_000, 1_800_000_000)
    const rows = await countOf(at.file, 'migration_status')
    const ran = await run(syncOf(at.url))
    expect(statuses(ran)).toEqual({ back: 'skipped', touched: 'current' })
    expect(ran.finished.status).toBe('ok')
    expect(await countOf(at.file, 'migration_status')).toBe(rows)
    expect(await countOf(at.file, "delta_files WHERE table_id LIKE 'back-%'")).toBe(0)
  })
})

describe('sync --watch', () => {
  async function until(what: () => boolean, ms = 8000): Promise<void> {
    const end = Date.now() + ms
    while (!what()) {
      if (Date.now() > end) throw new Error('it did not happen')
      await sleep(20)
    }
  }

  test('imports commits as they come, reports a failure once, retries, and ends at a stop', async () => {
    using at = await lakeOf(['one', 'two'])
    const interrupt = new Interrupter()
    const events: Event[] = []
    const finished = (status: string): readonly Event[] =>
      events.filter((event) => event.type === 'table.finished' && event.status === status)
    const running = run(syncOf(at.url, { watch: true }), interrupt, events)
    await until(() => events.some((event) => event.type === 'log' && event.message.includes('watching 2')))
    await sleep(300)
    const written = Date.now()
    writeLog(join(at.lake, 'one'), [MORE], 1)
    await until(() => finished('ok').length === 1)
    expect(Date.now() - written).toBeLessThan(1000)
    // A broken commit is reported once, in however many rounds, and imported when it is repaired.
    writeLog(join(at.lake, 'two'), [[{ add: { path: 5 } }]], 1)
    await until(() => finished('failed').length === 1)
    await sleep(2500)
    expect(finished('failed')).toHaveLength(1)
    writeLog(join(at.lake, 'two'), [MORE], 1)
    await until(() => finished('ok').length === 2)
    expect(finished('current')).toHaveLength(0)
    interrupt.requestStop()
    const { finished: end } = await running
    expect(end).toMatchObject({ status: 'stopped', exitCode: 75, totals: { tables: '2', failed: '0', behind: '0' } })
    expect(await countOf(at.file, 'catalog_audit')).toBe(2)
    expect(await countOf(at.file, 'migration_status')).toBe(4)
  })
})

describe('sync --watch, when a commit is overwritten', () => {
  test('detects it while it runs, even with the same length and time', { timeout: 30_000 }, async () => {
    using at = await lakeOf(['edited', 'well'])
    const interrupt = new Interrupter()
    const events: Event[] = []
    const failed = (): Promise<unknown> =>
      vi.waitUntil(() => events.find((event) => event.type === 'table.finished' && event.status === 'failed'), {
        timeout: 15_000,
      })
    const running = run(syncOf(at.url, { watch: true }), interrupt, events)
    const watching = (): boolean => events.some((event) => event.type === 'log' && event.message.includes('watching 2'))
    await vi.waitUntil(watching, { timeout: 15_000 })
    const log = join(at.lake, 'edited', '_delta_log', '00000000000000000000.json')
    // One round has compared its bytes: from then on only the listing is compared.
    writeLog(join(at.lake, 'well'), [MORE], 1)
    const brought = (): boolean => events.some((event) => event.type === 'table.finished' && event.status === 'ok')
    await vi.waitUntil(brought, { timeout: 15_000 })
    const { mtime, atime } = statSync(log)
    const other = join(at.lake, 'other')
    writeFileSync(other, readFileSync(log, 'utf8').replace('"path":"a"', '"path":"z"'))
    utimesSync(other, atime, mtime)
    renameSync(other, log)
    expect(statSync(log).mtimeMs).toBe(mtime.getTime())
    expect(await failed()).toMatchObject({ location: join(at.lake, 'edited'), error: { code: 'LOG_REWRITTEN' } })
    interrupt.requestStop()
    await running
  })
})

describe('migration-status', () => {
  test('reports once for each table how far it is behind, or why that is unknown', async () => {
    using at = await lakeOf(['away', 'behind', 'cleaned', 'current', 'cut', 'half'])
    const commits = [FIRST, MORE, [add('c')], [add('d')]]
    for (const table of ['behind', 'cut']) writeLog(join(at.lake, table), commits.slice(1, 2), 1)
    await run(syncOf(at.url))
    writeLog(join(at.lake, 'behind'), commits.slice(2), 2)
    dropCommits(join(at.lake, 'cut'), 1, 2)
    truncateSync(join(at.lake, 'half', '_delta_log', '00000000000000000000.json'), 20)
    writeLog(join(at.lake, 'cleaned'), commits)
    writeCheckpoint(join(at.lake, 'cleaned'), 3, checkpointOf(commits, 3))
    dropCommits(join(at.lake, 'cleaned'), 0, 3)
    renameSync(join(at.lake, 'away'), join(at.lake, 'elsewhere'))
    const { events } = await run({ kind: 'migration-status', catalog: at.url })
    const rows = events.flatMap((event) =>
      event.type === 'run' ? [[event.table.replace(/-[0-9a-f]{8}$/, ''), event.behind]] : [],
    )
    expect(rows.toSorted()).toEqual([
      ['away', undefined],
      ['behind', undefined],
      ['behind', '2'],
      ['cleaned', '3'],
      ['current', '0'],
      ['cut', undefined],
      ['cut', undefined],
      ['half', undefined],
    ])
    const why = events.flatMap((event) =>
      event.type === 'log' ? [[event.table?.replace(/-[0-9a-f]{8}$/, ''), event.message]] : [],
    )
    expect(why.toSorted()).toEqual([
      ['away', expect.stringMatching(/^its lag is unknown: /)],
      ['cut', 'its log was truncated: it ends at version 0, but the catalog has version 1: commit 1 is missing'],
      [
        'half',
        expect.stringMatching(/^its log is no longer the one that was imported: commit 0 has 20 bytes, it had \d+$/),
      ],
    ])
  })
})

describe('prune', () => {
  test('of all tables names those that it skips', async () => {
    using at = await lakeOf(['gone', 'well'])
    await loseRows(at)
    const prune = { kind: 'prune', tables: [], catalog: at.url, keep: { versions: 1 } } as const
    const planned = await run({ ...prune, dryRun: true })
    expect(planned.events).toContainEqual(
      expect.objectContaining({ type: 'log', message: expect.stringContaining('left out') as unknown }),
    )
    const done = await run({ ...prune, dryRun: false })
    expect(statuses(done)).toEqual({ gone: 'skipped', well: 'ok' })
    for (const { finished } of [planned, done]) expect(finished.totals).toMatchObject({ tables: '2', skipped: '1' })
  })

  test('as a command first prints a plan, then removes the rows, then has nothing to do', async () => {
    using at = await lakeOf(['one', 'two'])
    writeLog(join(at.lake, 'one'), [MORE, [add('c')]], 1)
    await run(syncOf(at.url))
    const prune = { kind: 'prune', tables: [], catalog: at.url, keep: { versions: 1 } } as const
    const audits = await countOf(at.file, 'catalog_audit')
    const planned = await run({ ...prune, dryRun: true })
    expect(planned.finished.totals).toMatchObject({
      tables: '2',
      delta_files: '1',
      delta_commits: '2',
      delta_actions: '3',
    })
    expect(planned.events.some((event) => event.type === 'log' && event.message.includes('bytes unknown'))).toBe(true)
    expect(await countOf(at.file, 'delta_commits')).toBe(4)
    expect(await countOf(at.file, 'catalog_audit')).toBe(audits)
    const done = await run({ ...prune, dryRun: false })
    expect(done.finished.totals).toEqual({ ...planned.finished.totals, failed: '0' })
    expect(statuses(done)).toEqual({ one: 'ok', two: 'ok' })
    expect(await countOf(at.file, 'delta_commits')).toBe(2)
    const again = await run({ ...prune, dryRun: false })
    expect(again.finished).toMatchObject({ status: 'ok', totals: { tables: '2', failed: '0' } })
    const notes = again.events.flatMap((event) => (event.type === 'table.finished' ? (event.notes ?? []) : []))
    expect(notes.every((note) => note.startsWith('nothing to prune'))).toBe(true)
  })
})
