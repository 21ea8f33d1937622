/** The commands, one after the other over one lake, with the same totals and texts on each database. */
import { cpSync, existsSync, renameSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commitName } from '../../src/delta/log-path.ts'
import { makeRoom, ON_SERVER, shareOf } from '../support/backend.ts'
import { appendCommits, historyOf, openStage, syncOf, validateOf, type Stage } from './commands-stage.ts'
import { add, METADATA, PROTOCOL, remove, writeLog } from '../support/catalog-kit.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { batchOf, importOf } from './operation-kit.ts'
import type { ImportOperation } from '../../src/engine/lake/operations/import/declaration.ts'
import type { RollbackOperation } from '../../src/engine/lake/operations/rollback/declaration.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let stage: Stage
let catalog: string

beforeAll(async () => {
  stage = await openStage()
  catalog = stage.catalog
})
afterAll(() => stage[Symbol.dispose]())

const say: Stage['say'] = (operation, stopAt) => stage.say(operation, stopAt)
const lines: Stage['lines'] = (operation) => stage.lines(operation)
const sorted: Stage['sorted'] = (operation) => stage.sorted(operation)
const at: Stage['at'] = (table) => stage.at(table)
const read: Stage['read'] = (table) => stage.read(table)
/** Where a stop takes effect depends on speed, and the row of a resumed import counts the files of its last run. */
const settled = (text: string): string => text.replaceAll(/(m-# completed v39.*) \d+ files/g, '$1 some files')

describe('the commands, one after the other', { timeout: 300_000 }, () => {
  test('discover', async () => {
    expect(await lines({ kind: 'discover', path: stage.lake, recursive: true, exclude: [] })).toMatchInlineSnapshot(`
      "big/m v39 3800 files 74397100 bytes
      crm/customers v6 4 files 6806 bytes 151 rows
      events/clicks v39 39 files 55809378 bytes 1797726 rows
      finance/rates v66 13 files 8203 bytes
      legacy/broken v15 LOG_GAP
      sales/orders v39 31 files 55380 bytes 584 rows
      staging/managed v1 TABLE_FEATURE
      END ok 0 bytes=130276867 excluded=0 readable=5 sources=0 tables=7 unreadable=2"
    `)
  })

  test('a dry run of an import writes nothing', async () => {
    expect(await lines({ ...importOf(at('big/m'), catalog), dryRun: true } as Operation)).toMatchInlineSnapshot(`
      "plan 1 tables | …/lake/big/m import v39 3800 files
      END ok 0 tables=1"
    `)
    const after = await say({ kind: 'runs', catalog, limit: 10 })
    // A missing file cannot be opened; a server exists, but has no catalog.
    expect(after.finished.error?.code).toBe(ON_SERVER ? 'NOT_A_CATALOG' : 'CONNECT_FAILED')
  })

  test('an import that is stopped, and resumed', async () => {
    const operation = { ...importOf(at('big/m'), catalog), batchSize: 300 } as Operation
    const cut = await say(operation, ({ type }) => type === 'chunk.progress')
    expect(cut.finished).toMatchObject({ status: 'stopped', exitCode: 75, resumeCommand: 'sluice import' })
    const brought = Number(cut.finished.totals['actions'])
    expect(brought).toBeGreaterThan(300)
    expect(brought).toBeLessThan(4241)
    expect(await lines({ kind: 'migration-status', catalog })).toMatch(
      /^import m-# stopped v\d+ \d+ behind \d+ files\nEND/,
    )

    const rest = await say(operation)
    const [started] = rest.events
    expect(started).toMatchObject({ type: 'run.started', baseline: { done: String(brought) } })
    expect(rest.finished.totals['actions']).toBe(String(4241 - brought))
    expect(rest.finished).toMatchObject({ status: 'ok', exitCode: 0, totals: { files: '3800' } })
  })

  test('a dry run of a batch', async () => {
    expect(await lines({ ...batchOf(stage.lake, catalog), dryRun: true } as Operation)).toMatchInlineSnapshot(`
      "plan 7 tables | big/m current v39 3800 files | crm/customers import v6 4 files | events/clicks import v39 39 files | finance/rates import v66 13 files | legacy/broken failed LOG_GAP | sales/orders import v39 31 files | staging/managed refused TABLE_FEATURE
      END failed 1 failed=1 refused=1 tables=7 TABLES_FAILED"
    `)
  })

  test('a batch with a damaged and a refused table', async () => {
    const said = await say({ ...batchOf(stage.lake, catalog), parallel: 3 } as Operation)
    expect(said.lines.toSorted().join('\n')).toMatchInlineSnapshot(`
      "END failed 1 actions=251 bytes=55879767 current=1 failed=1 files=87 ok=4 refused=1 tables=7 TABLES_FAILED
      big/m current v39 0 files 0 bytes 0 actions
      crm/customers ok v6 4 files 6806 bytes 20 actions
      events/clicks ok v39 39 files 55809378 bytes 120 actions
      finance/rates ok v66 13 files 8203 bytes 21 actions answers from v60: the log has no older versions
      legacy/broken failed LOG_GAP
      plan 7 tables
      sales/orders ok v39 31 files 55380 bytes 90 actions
      staging/managed refused TABLE_FEATURE"
    `)
    expect(said.finished.exitCode).toBe(1)
  })

  test('an import of a table that is there already', async () => {
    expect(await lines(importOf(at('sales/orders'), catalog))).toMatchInlineSnapshot(`
      "plan 1 tables
      …/lake/sales/orders current v39 0 files 0 bytes 0 actions
      END ok 0 actions=0 bytes=0 files=0 tables=1"
    `)
  })

  test('sync imports new commits', async () => {
    await appendCommits(stage)
    expect(settled(await sorted({ kind: 'migration-status', catalog }))).toMatchInlineSnapshot(`
      "END ok 0 completed=5 failed=2 imports=7 in_progress=0 stopped=0
      import broken-# failed 0 files LOG_GAP
      import clicks-# completed v39 0 behind 39 files
      import customers-# completed v6 0 behind 7 files
      import m-# completed v39 2 behind some files
      import managed-# failed 0 files TABLE_FEATURE
      import orders-# completed v39 1 behind 37 files
      import rates-# completed v66 0 behind 13 files"
    `)
    expect(await sorted(syncOf(catalog))).toMatchInlineSnapshot(`
      "END ok 0 actions=5 behind=0 current=3 failed=0 ok=2 refused=0 tables=5
      clicks-# current v39
      customers-# current v6
      m-# ok v41 3803 files 74397124 bytes 3 actions
      orders-# ok v40 30 files 53726 bytes 2 actions
      rates-# current v66"
    `)
    expect(await sorted(syncOf(catalog))).toMatchInlineSnapshot(`
      "END ok 0 actions=0 behind=0 current=5 failed=0 ok=0 refused=0 tables=5
      clicks-# current v39
      customers-# current v6
      m-# current v41
      orders-# current v40
      rates-# current v66"
    `)
  })

  test('migration-status and runs', async () => {
    expect(settled(await sorted({ kind: 'migration-status', catalog }))).toMatchInlineSnapshot(`
      "END ok 0 completed=7 failed=2 imports=9 in_progress=0 stopped=0
      import broken-# failed 0 files LOG_GAP
      import clicks-# completed v39 0 behind 39 files
      import customers-# completed v6 0 behind 7 files
      import m-# completed v39 some files
      import m-# completed v41 0 behind 3 files
      import managed-# failed 0 files TABLE_FEATURE
      import orders-# completed v39 37 files
      import orders-# completed v40 0 behind 0 files
      import rates-# completed v66 0 behind 13 files"
    `)
    expect(await lines({ kind: 'runs', catalog, limit: 6 })).toMatchInlineSnapshot(`
      "sluice sync all tables ok
      sluice sync all tables ok
      sluice import …/lake/sales/orders ok
      sluice batch-import …/lake failed TABLES_FAILED
      sluice import …/lake/big/m ok
      sluice import …/lake/big/m stopped
      END ok 0 runs=6"
    `)
  })

  test('verify-rollback, rollback, and the import after it', async () => {
    const table = { ...read('sales/orders'), checkFiles: 'all' } as const
    expect(await lines({ kind: 'verify-rollback', ...table })).toMatchInlineSnapshot(
      `"END ok 0 catalog_leases=1 checks=8 delta_actions=14 delta_commits=41 delta_files=37 delta_metadata=2 delta_partitions=12 delta_protocols=1 delta_tables=1 delta_txns=4 migration_status=2 problems=0"`,
    )
    const unasked = await say({ kind: 'rollback', ...table, dryRun: false })
    expect(unasked.finished.error?.code).toBe('MISSING_CONFIRM')
    const id = unasked.finished.error?.hint?.match(/--confirm=(\S+)/)?.[1] ?? ''
    const before = await sorted(stage.files('sales/orders'))
    expect(await lines({ kind: 'rollback', ...table, dryRun: true })).toMatchInlineSnapshot(
      `"END ok 0 catalog_leases=1 checks=8 delta_actions=14 delta_commits=41 delta_files=37 delta_metadata=2 delta_partitions=12 delta_protocols=1 delta_tables=1 delta_txns=4 migration_status=2 problems=0"`,
    )
    expect(await lines({ kind: 'rollback', ...table, dryRun: false, confirm: id })).toMatchInlineSnapshot(
      `"END ok 0 catalog_leases=1 checks=8 delta_actions=14 delta_commits=41 delta_files=37 delta_metadata=2 delta_partitions=12 delta_protocols=1 delta_tables=1 delta_txns=4 migration_status=2 problems=0"`,
    )
    expect(existsSync(join(at('sales/orders'), '_delta_log', commitName(40)))).toBe(true)
    const gone = await say({ kind: 'files', table: id, catalog, asOf: {} })
    expect(gone.finished.exitCode).toBe(2)
    expect(await lines(importOf(at('sales/orders'), catalog))).toMatchInlineSnapshot(`
      "plan 1 tables
      …/lake/sales/orders ok v40 30 files 53726 bytes 92 actions
      END ok 0 actions=92 bytes=53726 files=30 tables=1"
    `)
    expect(await sorted(stage.files('sales/orders'))).toBe(before)
  })

  test('prune', async () => {
    const prune = { kind: 'prune', tables: [at('big/m')], catalog, keep: { versions: 5 } } as const
    expect(await lines({ ...prune, dryRun: true })).toMatchInlineSnapshot(
      `"END ok 0 delta_actions=218 delta_commits=37 delta_files=190 delta_txns=36 tables=1"`,
    )
    expect(await lines({ ...prune, dryRun: false })).toMatchInlineSnapshot(`
      "…/lake/big/m ok v41 the catalog now answers from v37; removed delta_files 190, delta_actions 218, delta_txns 36, delta_commits 37
      END ok 0 delta_actions=218 delta_commits=37 delta_files=190 delta_txns=36 failed=0 tables=1"
    `)
    const early = await say(stage.files('big/m', { asOf: { version: 36 } }))
    expect(early.finished.error?.code).toBe('HISTORY_MISSING')
    expect((await say(validateOf(at('big/m'), catalog))).finished).toMatchObject({
      exitCode: 0,
      totals: { differences: '0' },
    })
  })

  const exported = [
    ['sales/orders', 41],
    ['big/m', 5],
    ['finance/rates', 7],
  ] as const
  test.each(shareOf(exported, 3))('an exported log of %s gives the same table', async (table, commits) => {
    const to = join(stage.folder, 'exported', table)
    const other = await makeRoom(join(stage.folder, `${table.replace('/', '-')}.db`))
    const written = await say({ kind: 'export-log', ...read(table), to })
    expect(written.finished).toMatchObject({ exitCode: 0, totals: { commits: String(commits) } })
    expect((await say(importOf(to, other))).finished).toMatchObject({ status: 'ok', exitCode: 0 })
    const copy = { kind: 'files', table: to, catalog: other, asOf: {} } as const
    // A file that exists at the start of the history has no version before the checkpoint in the exported log.
    const plain = (text: string): string => text.replaceAll(/ v\d+(?= |$)/gm, '')
    expect(plain(await sorted(copy))).toEqual(plain(await sorted(stage.files(table))))
    const past = (text: string): string => text.replaceAll(' checkpoint', '')
    expect(past(await lines(historyOf(to, 4, other)))).toBe(past(await lines(historyOf(at(table), 4, catalog))))
    expect((await say(validateOf(to, other))).finished).toMatchObject({ exitCode: 0, totals: { differences: '0' } })
  })
})

describe('a table whose log was lost, moved or set back', { timeout: 120_000 }, () => {
  const commits = [[PROTOCOL, METADATA, add('a')], [add('b')], [add('c'), remove('a')], [add('d')]]
  let url: string
  const place = (name: string): string => join(stage.folder, 'lost', name)
  const rollbackOf = (table: string, more: Partial<RollbackOperation> = {}): RollbackOperation => ({
    kind: 'rollback',
    table,
    catalog: url,
    checkFiles: 'none',
    dryRun: false,
    ...more,
  })
  const imported = async (name: string): Promise<string> => {
    writeLog(place(name), commits)
    expect((await say({ ...importOf(place(name), url), tableId: name } as Operation)).finished.exitCode).toBe(0)
    return place(name)
  }
  const synced = async (name: string) => (await say({ ...syncOf(url), tables: [name] } as Operation)).finished
  const forgotten = async (name: string): Promise<string> => {
    const { lines: reported, finished } = await say(rollbackOf(name, { confirm: name, forget: true }))
    expect(finished).toMatchObject({ status: 'ok', exitCode: 0 })
    return reported.join('\n')
  }

  beforeAll(async () => {
    url = await makeRoom(join(stage.folder, 'lost.db'))
  })

  test('is forgotten by name, and imported again from a log that was set back', async () => {
    const table = await imported('back')
    dropCommits(table, 2, 3)
    const refused = (await synced('back')).error
    expect(refused).toMatchObject({
      code: 'LOG_REWRITTEN',
      hint: expect.stringContaining('sluice rollback back --forget --confirm=back') as string,
    })
    const unsafe = (await say(rollbackOf('back', { confirm: 'back' }))).finished.error
    expect(unsafe).toMatchObject({
      code: 'NOT_SAFE',
      hint: expect.stringContaining('sluice rollback back --forget --confirm=back') as string,
    })
    expect((await say(rollbackOf('back', { forget: true }))).finished.error?.code).toBe('MISSING_CONFIRM')
    expect(await lines(rollbackOf('back', { forget: true, dryRun: true }))).toMatchInlineSnapshot(`
      "warn removing back may lose data: only the catalog has versions 2 to 3; the log cannot be read: version 3 does not exist; the newest is 1
      END ok 0 catalog_leases=1 checks=4 delta_actions=3 delta_commits=4 delta_files=4 delta_metadata=1 delta_partitions=1 delta_protocols=1 delta_tables=1 migration_status=1 problems=2"
    `)
    expect(await forgotten('back')).toMatchInlineSnapshot(`
      "warn removing back may lose data: only the catalog has versions 2 to 3; the log cannot be read: version 3 does not exist; the newest is 1
      END ok 0 catalog_leases=1 checks=4 delta_actions=3 delta_commits=4 delta_files=4 delta_metadata=1 delta_partitions=1 delta_protocols=1 delta_tables=1 migration_status=1 problems=2"
    `)
    expect((await say({ ...importOf(table, url), tableId: 'back' } as Operation)).finished).toMatchObject({
      exitCode: 0,
      totals: { files: '2' },
    })
  })

  test('whose folder was deleted makes sync --all fail until it is forgotten', async () => {
    const table = await imported('gone')
    rmSync(table, { recursive: true })
    const { lines: reported, events } = await say(syncOf(url))
    expect(reported.at(-1)).toContain('TABLES_FAILED')
    const error = events.find((event) => event.type === 'table.finished' && event.table === 'gone')
    expect(error).toMatchObject({
      status: 'failed',
      error: {
        code: 'NO_LOG',
        hint: expect.stringMatching(
          /sluice import PATH --table-id gone --moved.*sluice rollback gone --forget --confirm=gone/,
        ) as string,
      },
    })
    expect(await forgotten('gone')).toMatchInlineSnapshot(`
      "warn removing gone may lose data: the log cannot be read: No checkpoint or JSON files found; only the catalog has versions 0 to 3
      END ok 0 catalog_leases=1 checks=3 delta_actions=3 delta_commits=4 delta_files=4 delta_metadata=1 delta_partitions=1 delta_protocols=1 delta_tables=1 migration_status=1 problems=2"
    `)
    expect((await say(syncOf(url))).finished.exitCode).toBe(0)
  })

  test('is followed to the new path of its folder, and to no other table', async () => {
    const table = await imported('first')
    const other = await imported('other')
    writeLog(other, [[add('o')]], 4)
    const [copy, moved] = [place('copy'), place('moved')]
    cpSync(table, copy, { recursive: true, preserveTimestamps: true })
    const follow = async (to: string) => {
      const operation = { ...importOf(to, url), tableId: 'first', moved: true } as ImportOperation
      const planned = (await say({ ...operation, dryRun: true })).finished
      const { finished } = await say(operation)
      // The plan refuses what the run refuses.
      expect(planned.error).toEqual(finished.error)
      return finished
    }
    const before = await sorted({ kind: 'files', table: 'first', catalog: url, asOf: { version: 1 } })
    // While the old path has a log, the other one is a copy.
    expect((await follow(copy)).error).toMatchObject({ code: 'TABLE_ID_TAKEN' })
    renameSync(table, moved)
    writeLog(moved, [[add('e')]], 4)
    rmSync(copy, { recursive: true })
    expect((await follow(other)).error).toMatchObject({ code: 'TABLE_ID_TAKEN' })
    writeLog(copy, [[...(commits[0] ?? []), add('z')], ...commits.slice(1, 3), [add('y')]])
    expect((await follow(copy)).error).toMatchObject({ code: 'LOG_REWRITTEN' })
    expect((await say({ ...importOf(moved, url), tableId: 'first' } as Operation)).finished.error).toMatchObject({
      code: 'TABLE_ID_TAKEN',
      hint: expect.stringContaining('--moved') as string,
    })
    const plan = await lines({ ...importOf(moved, url), tableId: 'first', moved: true, dryRun: true } as Operation)
    expect(plan).toContain('plan 1 tables | …/lost/moved import v4')
    expect(await follow(moved)).toMatchObject({ exitCode: 0, totals: { actions: '1' } })
    expect(await sorted({ kind: 'files', table: 'first', catalog: url, asOf: { version: 1 } })).toBe(before)
    expect(await synced('first')).toMatchObject({ exitCode: 0, totals: { current: '1' } })
    expect((await say(validateOf(moved, url))).finished).toMatchObject({ exitCode: 0, totals: { differences: '0' } })
  })

  test('gets the file times of a copied folder with --moved, also for a second time', async () => {
    const [table, copy] = [await imported('dated'), place('dated-copy')]
    cpSync(table, copy, { recursive: true })
    rmSync(table, { recursive: true })
    const follow = async () =>
      (await say({ ...importOf(copy, url), tableId: 'dated', moved: true } as Operation)).finished
    expect(await follow()).toMatchObject({ exitCode: 0 })
    expect((await say(validateOf(copy, url))).finished).toMatchObject({ exitCode: 0, totals: { differences: '0' } })
    // Restored in place, from a copy that does not keep file times.
    for (const version of [0, 1, 2, 3])
      utimesSync(join(copy, '_delta_log', commitName(version)), 1_800_000_000, 1_800_000_000)
    expect((await say(validateOf(copy, url))).finished.error).toMatchObject({
      code: 'DIFFERENCES',
      hint: expect.stringMatching(/only times of commits differ.* sluice import .* --table-id dated --moved/) as string,
    })
    expect(await follow()).toMatchObject({ exitCode: 0 })
    expect((await say(validateOf(copy, url))).finished).toMatchObject({ exitCode: 0, totals: { differences: '0' } })
    await forgotten('dated')
  })

  test('whose first versions are only in the catalog is not rolled back silently', async () => {
    const table = await imported('cleaned')
    writeCheckpoint(table, 2, checkpointOf(commits, 2))
    dropCommits(table, 0, 2)
    const unsafe = (await say({ kind: 'verify-rollback', table, catalog: url, checkFiles: 'none' })).finished.error
    expect(unsafe).toMatchObject({
      code: 'NOT_SAFE',
      message: expect.stringContaining('versions 0 to 1;') as string,
      hint: expect.stringContaining('sluice rollback cleaned --forget --confirm=cleaned') as string,
    })
    expect((await say(rollbackOf('cleaned', { confirm: 'cleaned' }))).finished.error?.code).toBe('NOT_SAFE')
    expect(await forgotten('cleaned')).toMatchInlineSnapshot(`
      "warn removing cleaned may lose data: only the catalog has versions 0 to 1; only the catalog has commit 2
      END ok 0 catalog_leases=1 checks=8 delta_actions=3 delta_commits=4 delta_files=4 delta_metadata=1 delta_partitions=1 delta_protocols=1 delta_tables=1 migration_status=1 problems=2"
    `)
  })

  test('with an unfinished import gets no hint to use export-log', async () => {
    const table = join(stage.folder, 'lost', 'half')
    cpSync(at('big/m'), table, { recursive: true })
    const cut = { ...importOf(table, url), tableId: 'half', batchSize: 300 } as Operation
    expect((await say(cut, ({ type }) => type === 'chunk.progress')).finished.status).toBe('stopped')
    rmSync(table, { recursive: true })
    const unsafe = (await say(rollbackOf('half', { confirm: 'half' }))).finished.error
    expect(unsafe).toMatchObject({
      code: 'NOT_SAFE',
      hint: expect.stringContaining('sluice rollback half --forget --confirm=half') as string,
    })
    expect(unsafe?.hint).not.toContain('export-log')
    await forgotten('half')
  })

  test('that readers must refuse is read with a warning, at the versions concerned', async () => {
    const table = place('unread')
    const needs = { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ['later'], writerFeatures: ['later'] }
    writeLog(table, [
      [PROTOCOL, METADATA, add('a')],
      [{ protocol: needs }, add('b')],
    ])
    const allowed = { ...importOf(table, url), tableId: 'unread', allowRefused: true } as Operation
    expect((await say(allowed)).finished.exitCode).toBe(0)
    const warned = async (operation: Operation): Promise<readonly string[]> =>
      (await say(operation)).events.flatMap((event) =>
        event.type === 'log' && event.level === 'warn' ? [event.message] : [],
      )
    const [files, history] = [{ kind: 'files', table: 'unread', catalog: url } as const, historyOf('unread', 10, url)]
    const because = expect.stringMatching(/readers must refuse version 1 \(TABLE_FEATURE: .*later/) as string
    expect(await warned({ ...files, asOf: {} })).toEqual([because])
    expect(await warned({ ...files, asOf: { version: 0 } })).toEqual([])
    expect(await warned(history)).toEqual([because])
    const exported = { kind: 'export-log', table: 'unread', catalog: url, to: place('unread-out'), checkpoint: 'base' }
    expect(await warned(exported as Operation)).toContainEqual(because)
    rmSync(table, { recursive: true })
    await forgotten('unread')
  })
})
