/**
 * The workbench with its real threads: states of tables, the same results from log and catalog, errors that cross a
 * thread.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { openWorkbench } from '../../src/app/thread/threaded-workbench.ts'
import type { AsOf } from '../../src/model/lake/as-of.ts'
import type { FileSort, FilesPage, TableRow } from '../../src/model/lake/answers.ts'
import type { Workbench } from '../../src/app/workbench.ts'
import { commitName } from '../../src/delta/log-path.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { ALL, someOf } from '../support/backend.ts'
import { batchImportOf, importOf, openBench, rowOf, runToEnd, type Bench } from './workbench-kit.ts'

const EVERYTHING = 10_000

/** Appends a commit with one file to a table of the lake. @returns its version */
function appendCommit(table: string, path: string): number {
  const log = join(table, '_delta_log')
  const commits = readdirSync(log).filter((name) => /^\d{20}\.json$/.test(name))
  const last = Math.max(...commits.map((name) => Number.parseInt(name, 10)))
  const lines = readFileSync(join(log, commitName(last)), 'utf8')
    .trimEnd()
    .split('\n')
  const model = lines.map((line) => JSON.parse(line) as { add?: object }).find(({ add }) => add !== undefined)
  const timestamp = Date.now()
  const actions = [
    { commitInfo: { timestamp, operation: 'WRITE' } },
    { add: { ...model?.add, path, modificationTime: timestamp } },
  ]
  writeFileSync(join(log, commitName(last + 1)), actions.map((action) => `${JSON.stringify(action)}\n`).join(''))
  return last + 1
}

async function importAll({ bench, lake }: Bench): Promise<void> {
  // One table is broken on purpose and one is refused.
  expect(await runToEnd(bench, batchImportOf(lake, bench))).toMatchObject({ exitCode: 1 })
}

/** Rows that have changed, as soon as there are any. */
async function nextChange(bench: Workbench): Promise<readonly TableRow[]> {
  for (const end = Date.now() + 10_000; Date.now() < end; await sleep(20)) {
    const rows = await bench.changed([])
    if (rows.length > 0) return rows
  }
  throw new Error('nothing has changed')
}

const stateOf = ({ catalog, error }: TableRow): string => error?.code ?? catalog.state

describe('states of the tables', () => {
  test('before any catalog exists everything is read from the logs, and no file is created', async () => {
    await using at = await openBench()
    const rows = await at.bench.tables()
    expect(rows.map(({ name }) => name)).toEqual([
      'crm/customers',
      'events/clicks',
      'finance/rates',
      'legacy/broken',
      'sales/orders',
      'staging/managed',
    ])
    expect(rows.map(stateOf)).toEqual(['none', 'none', 'none', 'LOG_GAP', 'none', 'TABLE_FEATURE'])
    for (const row of rows) {
      expect(row).toMatchObject({ kind: 'delta', tableId: null, historyFrom: null, proof: { state: 'never' } })
      if (row.error !== null) continue
      expect(row.version).toBeGreaterThan(0)
      expect(row.files).toBeGreaterThan(0)
      expect((await at.bench.overview(row.key)).table).toEqual(row)
      expect((await at.bench.history(row.key, 0, 1)).rows[0]?.version).toBe(String(row.version))
    }
    expect(await at.bench.runs(10)).toEqual([])
    expect(at.bench.catalog).not.toContain('password')
    expect(readdirSync(at.folder)).toEqual(['lake'])
  })

  test('change after an import, a new commit, and a sync', async () => {
    await using at = await openBench()
    const before = await at.bench.tables()
    await importAll(at)
    const rows = await at.bench.tables()
    expect(rows.map(stateOf)).toEqual(['current', 'current', 'current', 'LOG_GAP', 'current', 'TABLE_FEATURE'])
    // The import of a folder is the last run of each table in it that was imported.
    const orders = rows.find(({ name }) => name === 'sales/orders') as TableRow
    expect((await at.bench.overview(orders.key)).lastRuns).toMatchObject([
      { command: 'import', table: 'sales/orders', status: 'ok', version: String(orders.version) },
    ])
    const [recorded] = await at.bench.runs(9)
    expect(recorded?.parts?.map(({ table, status }) => `${table} ${status}`).toSorted()).toEqual(
      rows.filter((row) => stateOf(row) === 'current').map(({ name }) => `${name} ok`),
    )
    // The same counts as from the log, and those that a log does not have.
    for (const [i, row] of rows.entries()) {
      if (row.error !== null) continue
      const { key, name, location, version, files, bytes, partitionColumns, features, changed } = before[i] as TableRow
      expect(row).toMatchObject({ key, name, location, version, files, bytes, partitionColumns, features, changed })
      expect(row.tableId).toMatch(/^\w+-[0-9a-f]{8}$/)
      expect(row.rows).toBeGreaterThan(0)
    }
    expect(rows.find(({ name }) => name === 'finance/rates')?.historyFrom).toBeGreaterThan(0)

    const table = join(at.lake, 'sales/orders')
    const version = appendCommit(table, 'year=2024/month=12/new-1.parquet')
    const was = rows.find(({ name }) => name === 'sales/orders') as TableRow
    const behind = await rowOf(at.bench, 'sales/orders')
    expect(behind).toMatchObject({ version, files: (was.files ?? 0) + 1, catalog: { state: 'behind', commits: 1 } })
    appendCommit(table, 'year=2024/month=12/new-2.parquet')
    expect((await rowOf(at.bench, 'sales/orders')).catalog).toEqual({ state: 'behind', commits: 2 })
    // The catalog is used for the versions that it has.
    expect((await at.bench.files(was.key, filesQuery({}))).version).toBe(was.version)
    expect((await runToEnd(at.bench, importOf(table, at.bench))).exitCode).toBe(0)
    const brought = await rowOf(at.bench, 'sales/orders')
    expect(brought).toMatchObject({ version: version + 1, files: (was.files ?? 0) + 2, catalog: { state: 'current' } })
  })

  test('change by themselves: after a commit, and after an import', async () => {
    await using at = await openBench()
    await importAll(at)
    await at.bench.tables()
    expect(await at.bench.changed([])).toEqual([])
    const version = appendCommit(join(at.lake, 'sales', 'orders'), 'new.parquet')
    expect(await nextChange(at.bench)).toEqual([
      expect.objectContaining({ name: 'sales/orders', version, catalog: { state: 'behind', commits: 1 } }),
    ])
    const other = await at.again()
    await runToEnd(other, importOf(join(at.lake, 'sales', 'orders'), other))
    let [row] = await nextChange(at.bench)
    // During the import, the table is shown as running.
    while (row?.catalog.state === 'running') [row] = await nextChange(at.bench)
    expect(row).toMatchObject({ name: 'sales/orders', version, catalog: { state: 'current' } })
    expect(await at.bench.changed([])).toEqual([])
  })

  test('change by themselves once another program has created the catalog', async () => {
    await using at = await openBench()
    await at.bench.tables()
    // The first check finds no catalog.
    expect(await at.bench.changed([])).toEqual([])
    const other = await at.again()
    await runToEnd(other, importOf(join(at.lake, 'sales', 'orders'), other))
    let rows = await nextChange(at.bench)
    while (rows.some(({ catalog }) => catalog.state === 'running')) rows = await nextChange(at.bench)
    expect(rows).toContainEqual(expect.objectContaining({ name: 'sales/orders', catalog: { state: 'current' } }))
  })

  test('are reported without the catalog if it is not reachable', async () => {
    await using at = await openBench()
    const away = 'postgresql://me:hidden@127.0.0.1:1/none'
    await using bench = await openWorkbench({ lake: at.lake, catalog: away, tool: 't', actor: 'me', host: 'here' })
    const rows = await bench.tables()
    expect(rows.map(stateOf)).toEqual(['away', 'away', 'away', 'LOG_GAP', 'away', 'TABLE_FEATURE'])
    const { catalog, key, version } = rows[1] as TableRow
    const error = catalog.state === 'away' ? catalog.error : null
    expect(error).toMatchObject({ code: 'CONNECT_FAILED' })
    expect(JSON.stringify(error)).not.toMatch(/retry_seconds|hidden/)
    expect(error?.where).toContain('postgresql://me@127.0.0.1:1/none')
    expect((await bench.history(key, 0, 1)).rows[0]?.version).toBe(String(version))
    expect((await bench.overview(key)).commits).toBeGreaterThan(0)
    await expect(bench.runs(1)).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
  })

  test('a table with mapped columns shows the names of its schema', async () => {
    await using at = await openBench()
    const row = (await at.bench.tables())[0] as TableRow
    const query = { asOf: {}, where: '', sort: 'path', descending: false, from: 0, count: 5 } as const
    const reported = async (): Promise<string> =>
      JSON.stringify([
        (await at.bench.files(row.key, query)).rows.map(({ path: _path, ...rest }) => rest),
        (await at.bench.partitions(row.key, {}, 0, 5)).rows,
      ])
    const fromLog = await reported()
    expect(fromLog).toContain('"country":')
    expect(fromLog).toContain(String.raw`\"minValues\":{\"customer_id\":1`)
    expect(fromLog).not.toMatch(/col-[0-9a-f]{8}/)
    await importAll(at)
    await at.bench.tables()
    const fromCatalog = await reported()
    expect(fromCatalog).toContain('"country":')
    expect(fromCatalog).not.toMatch(/col-[0-9a-f]{8}/)
  })

  test('a validation shows as proof of its version', async () => {
    await using at = await openBench()
    const table = join(at.lake, 'events/clicks')
    expect((await runToEnd(at.bench, importOf(table, at.bench))).exitCode).toBe(0)
    const catalog = at.bench.catalog ?? ''
    const validate = { kind: 'validate', table, catalog, verbose: false, samples: 1 } as const
    expect(await runToEnd(at.bench, validate)).toMatchObject({ exitCode: 0, last: { status: 'ok' } })
    const row = await rowOf(at.bench, 'events/clicks')
    expect(row.proof).toEqual({ state: 'proved', version: row.version })
    expect((await at.bench.overview(row.key)).lastRuns.map(({ status }) => status)).toEqual(['ok', 'ok'])
    expect((await at.bench.runs(9)).map(({ command, table: name, status }) => [command, name, status])).toEqual([
      ['validate', 'events/clicks', 'ok'],
      ['import', 'events/clicks', 'ok'],
    ])
    expect((await rowOf(at.bench, 'sales/orders')).proof).toEqual({ state: 'never' })
  })

  test("after the guide's DELETEs the table is as never imported, and an import starts from nothing", async () => {
    await using at = await openBench()
    await importAll(at)
    const row = await rowOf(at.bench, 'sales/orders')
    const where = filesQuery({ where: 'month >= 6 AND quantity > 2', sort: 'path' })
    const whole = await at.bench.files(row.key, where)
    expect(whole.rows.length).toBeGreaterThan(3)
    {
      await using database = at.openCatalog('write')
      await database.write(async (transaction) => {
        await transaction.run('DELETE FROM delta_files WHERE table_id = ?', [row.tableId])
        await transaction.run('DELETE FROM migration_status WHERE table_id = ?', [row.tableId])
      })
    }
    expect(await rowOf(at.bench, 'sales/orders')).toMatchObject({
      version: row.version,
      files: row.files,
      catalog: { state: 'none' },
      proof: { state: 'never' },
    })
    const { version, total } = await at.bench.files(row.key, where)
    expect({ version, total }).toEqual({ version: row.version, total: whole.total })
    expect((await runToEnd(at.bench, importOf(join(at.lake, 'sales/orders'), at.bench))).exitCode).toBe(0)
    expect(await rowOf(at.bench, 'sales/orders')).toMatchObject({ version: row.version, catalog: { state: 'current' } })
    // The same query as before, about rows that were written again.
    expect((await at.bench.files(row.key, where)).rows).toEqual(whole.rows)
  })

  test('a rollback and another import change the result of a repeated query', async () => {
    await using at = await openBench()
    await importAll(at)
    const { bench } = at
    const row = await rowOf(bench, 'sales/orders')
    const where = filesQuery({ where: 'month >= 6', sort: 'path' })
    const whole = await bench.files(row.key, where)
    const table = join(at.lake, 'sales/orders')
    const catalog = bench.catalog ?? ''
    const rollback = { kind: 'rollback', table, catalog, confirm: table, checkFiles: 'none', dryRun: false } as const
    expect((await runToEnd(bench, rollback)).exitCode).toBe(0)
    expect(await rowOf(bench, 'sales/orders')).toMatchObject({ tableId: null, catalog: { state: 'none' } })
    // Another table gets its row numbers.
    const clicks = join(at.lake, 'events/clicks')
    appendCommit(clicks, 'new.parquet')
    expect((await runToEnd(bench, importOf(clicks, bench))).exitCode).toBe(0)
    expect((await runToEnd(bench, importOf(table, bench))).exitCode).toBe(0)
    expect((await bench.files(row.key, where)).rows).toEqual(whole.rows)
  })

  test('without a lake the tables of the catalog are the list', async () => {
    await using at = await openBench()
    await importAll(at)
    const catalog = `sqlite:///${at.file}`
    await using bench = await openWorkbench({ lake: null, catalog, tool: 'test', actor: 'me', host: 'here' })
    const rows = await bench.tables()
    expect(rows.map(({ catalog: { state } }) => state)).toEqual(['current', 'current', 'current', 'current'])
    expect(rows.map(({ name, tableId }) => name === tableId)).toEqual([true, true, true, true])
  })
})

type FilesQuery = Parameters<Workbench['files']>[1]

function filesQuery(more: Partial<FilesQuery>): FilesQuery {
  return { asOf: {}, where: '', sort: 'path', descending: false, from: 0, count: EVERYTHING, ...more }
}

const WHERES: Readonly<Record<string, readonly string[]>> = {
  'sales/orders': [
    'month >= 11',
    'month >= 11 AND order_id > 2000000',
    'year = 2024 AND month IN (2, 8) OR amount > 960',
    "status = 'created' AND note IS NULL",
    'month = 99',
  ],
  'crm/customers': ["country = 'DE'", 'customer_id < 1040', "mail_address LIKE 'customer10%' OR country IS NULL"],
  'events/clicks': ['event_id BETWEEN 100000 AND 300000', "page = '/nowhere' AND at > '2025-02-03T12:30:00Z'"],
  'finance/rates': ["currency = 'CHF' AND rate_date > '2023-11-03'", 'rate > 1.1', "NOT base = 'EUR'"],
}
const SORTS: readonly FileSort[] = ['path', 'size', 'rows', 'added']

/**
 * What both sides have: only the catalog has the time of a file that the log has in a checkpoint, and it counts rows
 * everywhere.
 */
function comparable(page: FilesPage): object {
  const { rows, funnel, ...rest } = page
  const { ms: _, ...steps } = funnel
  return {
    ...rest,
    funnel: steps,
    rows: rows
      .map(({ addedVersion: _added, partitionValues, ...file }) => ({
        ...file,
        partitionValues: Object.entries(partitionValues).toSorted(),
      }))
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
  }
}

/** The values that a page is sorted by, one per file. */
function order(page: FilesPage, sort: FileSort): readonly (string | number)[] {
  return page.rows.map((row) =>
    sort === 'path'
      ? row.path
      : Number(sort === 'size' ? row.size : (/"numRecords":(\d+)/.exec(row.stats ?? '')?.[1] ?? -1)),
  )
}

async function described(bench: Workbench, { key }: TableRow): Promise<unknown> {
  const {
    table: _table,
    lastRuns: _runs,
    fileSizes: _sizes,
    commitsPerDay: _days,
    ...overview
  } = await bench.overview(key)
  return { overview, schema: await bench.schema(key), features: await bench.features(key) }
}

async function historyOf(bench: Workbench, { key }: TableRow): Promise<unknown> {
  const { rows, total } = await bench.history(key, 0, EVERYTHING)
  const paged = []
  for (let from = 0; from < total; from += 7) paged.push(...(await bench.history(key, from, 7)).rows)
  expect(paged).toEqual(rows)
  expect(rows).toHaveLength(total)
  expect((await bench.history(key, total, 7)).rows).toEqual([])
  return rows.map(({ files: _files, bytes: _bytes, rows: _rows, ...commit }) => commit)
}

async function commitsOf(bench: Workbench, { key }: TableRow): Promise<unknown> {
  const details = []
  for (const { version } of someOf((await bench.history(key, 0, EVERYTHING)).rows, 4)) {
    const { commit, added, removed, ...rest } = await bench.commit(key, Number(version))
    expect([added.length, removed.length]).toEqual([rest.addedTotal, rest.removedTotal])
    const byPath = (files: typeof removed): unknown => files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
    details.push({
      version: commit.version,
      time: commit.time,
      ...rest,
      added: byPath(added),
      removed: byPath(removed),
    })
  }
  return details
}

async function partitionsOf(bench: Workbench, { key }: TableRow, asOf: AsOf): Promise<unknown> {
  const { rows, total } = await bench.partitions(key, asOf, 0, EVERYTHING)
  expect(rows).toHaveLength(total)
  const paged = []
  for (let from = 0; from < total; from += 4) paged.push(...(await bench.partitions(key, asOf, from, 4)).rows)
  expect(paged).toEqual(rows)
  expect(rows.map(({ bytes }) => bytes)).toEqual(rows.map(({ bytes }) => bytes).toSorted((a, b) => b - a))
  return rows
    .map(({ values, ...counts }) => ({ values: Object.entries(values).toSorted(), ...counts }))
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

describe('log and catalog give the same results', () => {
  test.each(Object.keys(WHERES))('%s', { timeout: 60_000 }, async (name) => {
    await using at = await openBench()
    const catalog = at.bench
    expect((await runToEnd(catalog, importOf(join(at.lake, name), catalog))).exitCode).toBe(0)
    // Another workbench, whose catalog is never created, has the log only.
    const log = await at.again(join(at.folder, 'never.db'))
    const row = await rowOf(catalog, name)
    expect(row.catalog.state).toBe('current')
    expect((await rowOf(log, name)).catalog.state).toBe('none')

    expect(await described(catalog, row)).toEqual(await described(log, row))
    const history = await historyOf(catalog, row)
    expect(history).toEqual(await historyOf(log, row))
    expect(await commitsOf(catalog, row)).toEqual(await commitsOf(log, row))

    for (const [i, where] of ['', ...(WHERES[name] ?? [])].entries()) {
      for (const [j, sort] of SORTS.entries()) {
        if (!ALL && i > 0 && (i + j) % 2 === 1) continue
        const descending = (i + j) % 4 > 1
        const query = filesQuery({ where, sort, descending })
        const [bySql, byLog] = [await catalog.files(row.key, query), await log.files(row.key, query)]
        const about = `${where} by ${sort}${descending ? ' down' : ''}`
        expect(comparable(bySql), about).toEqual({ ...comparable(byLog), commitTime: bySql.commitTime })
        if (sort !== 'added') expect(order(bySql, sort), about).toEqual(order(byLog, sort))
        const step = Math.ceil(bySql.total / 3)
        for (const [bench, page] of [
          [catalog, bySql],
          [log, byLog],
        ] as const) {
          const paged = []
          for (let from = 0; from < page.total; from += step) {
            paged.push(...(await bench.files(row.key, { ...query, from, count: step })).rows)
          }
          expect(paged, `pages of ${about}`).toEqual(page.rows)
        }
      }
    }

    const versions = someOf((await catalog.history(row.key, 0, EVERYTHING)).rows, 5)
    for (const { version, time } of versions) {
      const asked: readonly AsOf[] = [{ version: Number(version) }, { timestampMs: Date.parse(time) }]
      for (const asOf of asked) {
        const query = filesQuery({ asOf })
        const [bySql, byLog] = [await catalog.files(row.key, query), await log.files(row.key, query)]
        expect(bySql.version).toBe(Number(version))
        expect(bySql.commitTime).toBe(Date.parse(time))
        expect(comparable(bySql), `as of ${JSON.stringify(asOf)}`).toEqual({
          ...comparable(byLog),
          commitTime: bySql.commitTime,
        })
      }
      if (Number(version) % 5 === 0) {
        const asOf = { version: Number(version) }
        expect(await partitionsOf(catalog, row, asOf)).toEqual(await partitionsOf(log, row, asOf))
      }
    }
    expect(existsSync(join(at.folder, 'never.db'))).toBe(false)
  })
})

describe('errors cross the thread unchanged', () => {
  const reported = async (answer: Promise<unknown>): Promise<SluiceError> => {
    const error = await answer.then(
      () => null,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(SluiceError)
    return error as SluiceError
  }

  test('of log and of catalog', async () => {
    await using at = await openBench()
    const { bench } = at
    const { key } = await rowOf(bench, 'sales/orders')
    const broken = await rowOf(bench, 'legacy/broken')
    for (const round of ['log', 'catalog']) {
      expect(await reported(bench.files(key, filesQuery({ where: '!!' }))), round).toMatchObject({
        code: 'BAD_PREDICATE',
      })
      expect(await reported(bench.files(key, filesQuery({ where: 'nobody = 1' }))), round).toMatchObject({
        kind: 'usage',
      })
      for (const asOf of [{ version: 9999 }, { timestampMs: 0 }]) {
        expect(await reported(bench.files(key, filesQuery({ asOf }))), round).toMatchObject({
          code: 'VERSION_NOT_FOUND',
        })
        expect(await reported(bench.partitions(key, asOf, 0, 1)), round).toMatchObject({ code: 'VERSION_NOT_FOUND' })
      }
      expect(await reported(bench.commit(key, 9999)), round).toMatchObject({ code: 'VERSION_NOT_FOUND' })
      expect(await reported(bench.commit(key, -1)), round).toMatchObject({ code: 'VERSION_NOT_FOUND' })
      expect(await reported(bench.history(broken.key, 0, 1)), round).toMatchObject({ code: 'LOG_GAP', kind: 'source' })
      if (round === 'log') await importAll(at)
    }
    const gone = await reported(bench.schema('file:///nowhere/at/all'))
    expect(gone).toMatchObject({ code: 'NO_LOG', kind: 'source', hint: expect.stringContaining('Verify') as string })
    expect(gone.exitCode).toBe(3)
    expect(await reported(bench.overview('file:///nowhere'))).toMatchObject({ code: 'NO_SUCH_TABLE' })
    // The thread continues to answer.
    expect(await bench.tables()).toHaveLength(6)
  })

  test('of a missing lake and of files that are no catalog', async () => {
    await using at = await openBench((lake) => mkdirSync(lake))
    expect(await at.bench.tables()).toEqual([])
    writeFileSync(
      at.file,
      'this is no database, but it is long enough to be mistaken for one by its length alone'.repeat(20),
    )
    const error = await reported(at.bench.tables())
    expect(error.kind).toBe('target')
    expect(error.message).not.toBe('')
  })
})
