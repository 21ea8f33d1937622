/**
 * Pruning of old versions: kept versions give the same results as before, pruned ones are refused by name, and later
 * commands still work.
 */
import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import { acquireLease, releaseLease } from '../../src/catalog/lease.ts'
import { prunedFiles, pruningAt } from '../../src/catalog/query/pruned.ts'
import { extendRanges } from '../../src/catalog/ranges/build.ts'
import { candidateFiles } from '../../src/catalog/ranges/candidates.ts'
import { addRangeColumns } from '../../src/catalog/ranges/manage.ts'
import { idleTables } from '../../src/catalog/prune-idle.ts'
import { oldestKept, prunePlan, pruneTable, type Keep, type Pruned } from '../../src/catalog/prune.ts'
import { versionAtTime } from '../../src/catalog/query/counts.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { readVersion } from '../../src/engine/lake/table-source.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import { Interrupter, NEVER } from '../../src/shared/abort.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { SqlDatabase, SqlRow, SqlTransaction } from '../../src/model/run/sql-port.ts'
import { shareOf, someOf } from '../support/backend.ts'
import { answersOf } from '../support/answers.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { validated } from './validate-setup.ts'
import {
  holderOf,
  add,
  dumpCatalog,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'

const COMMITS: readonly (readonly Line[])[] = [
  [PROTOCOL, METADATA, add('a', { partitionValues: { day: '2020-01-01' } }), { txn: { appId: 'x', version: 1 } }],
  [remove('a'), add('b'), { txn: { appId: 'y', version: 1 } }],
  [
    add('c'),
    { txn: { appId: 'x', version: 2 } },
    { domainMetadata: { domain: 'd', configuration: '1', removed: false } },
  ],
  [add('e'), remove('e'), add('b', { size: 5 }), { txn: { appId: 'x', version: 3 } }],
  [remove('c'), { domainMetadata: { domain: 'd', configuration: '2', removed: false } }],
  [add('f'), remove('b')],
]

async function prune(database: SqlDatabase, keep: Keep, stepRows = 2): Promise<Pruned> {
  const table = await readableTable(database, { tableId: 't' })
  const lease = await acquireLease(database, 't', holderOf('prune'))
  try {
    const at = { database, tableId: 't', lease, abort: NEVER.abort, stepRows }
    return await pruneTable(at, await oldestKept(database, table, keep), Date.now())
  } finally {
    await releaseLease(database, lease)
  }
}

async function differencesOf(database: SqlDatabase, table: string): Promise<readonly unknown[]> {
  const { events } = await validated({ catalog: database, log: openLocalLog(table), tableId: 't' }, 10)
  return events.filter(({ type }) => type === 'verify.mismatch')
}

async function errorOf(promise: Promise<unknown>): Promise<SluiceError> {
  const thrown = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  if (thrown instanceof SluiceError) return thrown
  throw new Error(String(thrown))
}

type Opened = AsyncDisposable & { readonly database: SqlDatabase; readonly table: string; readonly folder: string }

async function opened(): Promise<Opened> {
  const folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, COMMITS)
  const database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, table)
  return {
    database,
    table,
    folder: folder.path,
    async [Symbol.asyncDispose]() {
      await database.close()
      folder[Symbol.dispose]()
    },
  }
}

const RANGES = {
  delta_range_columns: 'table_id, column_no, name, physical_path, kind, built_to, built_version, created_at',
  delta_range_zones: 'table_id, column_no, zone_no, min_key, max_key, has_nulls, has_values',
  delta_file_ranges: 'table_id, column_no, zone_no, file_no, min_key, max_key, has_nulls, has_values',
} as const

type Ranges = Readonly<Record<string, readonly SqlRow[]>>

async function rangesOf(database: SqlDatabase): Promise<Ranges> {
  const found: Record<string, readonly SqlRow[]> = {}
  for (const [relation, columns] of Object.entries(RANGES))
    found[relation] = await database.all(`SELECT ${columns} FROM ${relation}`)
  return found
}

async function restoreRanges(transaction: SqlTransaction, ranges: Ranges): Promise<void> {
  for (const [relation, columns] of Object.entries(RANGES)) {
    await transaction.run(`DELETE FROM ${relation}`)
    await transaction.load(relation, columns.split(', '), ranges[relation] ?? [])
  }
}

describe('prune', () => {
  test.each(someOf([1, 2, 3, 4, 5], 2))(
    'to the newest %i versions: they give the same results, and the log still proves them',
    async (n) => {
      await using at = await opened()
      const { database, table } = at
      const from = 6 - n
      const before = await answersOf(database, 't', from)
      const planned = await prunePlan(database, 't', from)
      const dump = await dumpCatalog(database)
      const pruned = await prune(database, { versions: n })
      expect(pruned.historyFrom).toBe(from)
      expect(pruned.rows.length).toBeGreaterThan(0)
      const byName = (rows: Pruned['rows']): unknown => Object.fromEntries(rows.map((row) => [row.relation, row.rows]))
      expect(byName(pruned.rows)).toEqual(byName(planned.rows))
      expect(dump).not.toBe(await dumpCatalog(database))
      expect(await answersOf(database, 't')).toBe(before)
      expect(await differencesOf(database, table)).toEqual([])
      const gone = await errorOf(readableTable(database, { tableId: 't' }, from - 1))
      expect(gone.code).toBe('HISTORY_MISSING')
      expect(gone.reason).toBe('older versions were pruned')
      expect((await prune(database, { versions: n })).rows).toEqual([])

      writeLog(table, [[add('g'), remove('f')]], 6)
      await importInto(database, table)
      expect(await differencesOf(database, table)).toEqual([])
      await using other = await openCatalog(join(at.folder, 'other.db'))
      await importInto(other, table)
      expect(await answersOf(database, 't')).toBe(await answersOf(other, 't', from))
    },
  )

  // Two rows a step, and all of a small table in one transaction.
  test.for([2, 5000])('removes rows that no kept version needs, and no row that is in force: %s', async (stepRows) => {
    await using at = await opened()
    const idle = (versions: number) => idleTables(at.database, ['t', 'none'], { versions })
    expect([...(await idle(2)).keys(), ...(await idle(6)).keys()]).toEqual(['t'])
    const { rows } = await prune(at.database, { versions: 2 }, stepRows)
    expect([...(await idle(2))]).toEqual([['t', { latest: 5, historyFrom: 4 }]])
    expect([...(await idle(1))]).toEqual([])
    expect(Object.fromEntries(rows.map((row) => [row.relation, row.rows]))).toEqual({
      delta_files: 4,
      delta_partitions: 1,
      delta_actions: 9,
      delta_commits: 4,
      delta_txns: 2,
      delta_domains: 1,
    })
    const kept = await at.database.all(`SELECT app_id, version FROM delta_txns WHERE table_id = 't' ORDER BY app_id`)
    expect(kept).toEqual([
      ['x', 3],
      ['y', 1],
    ])
    // A killed prune can leave rows in any one of the tables.
    await at.database.write((transaction) =>
      transaction.run(
        `INSERT INTO delta_txns (table_id, version, source, line, app_id, txn_version, last_updated) SELECT table_id, 2, source, line, app_id, txn_version, last_updated FROM delta_txns WHERE app_id = 'x'`,
      ),
    )
    expect([...(await idle(2))]).toEqual([])
  })

  test('removes the ranges of pruned files, and conditions still find the same files', async () => {
    await using at = await opened()
    const { database } = at
    const number = 'number' as const
    await addRangeColumns(database, 't', [{ name: 'id', physicalPath: ['id'], kind: number }], 1)
    await extendRanges(database, 't')
    const count = `SELECT count(*) FROM delta_file_ranges WHERE table_id = 't'`
    const [before] = await database.all(count)
    const [planned] = (await prunePlan(database, 't', 4)).rows.filter(
      ({ relation }) => relation === 'delta_file_ranges',
    )
    await prune(database, { versions: 2 })
    const [after] = await database.all(count)
    const [files] = await database.all(`SELECT count(*) FROM delta_files WHERE table_id = 't'`)
    expect(after).toEqual(files)
    expect(Number(before?.[0]) - Number(after?.[0])).toBe(4)
    expect(planned).toEqual({ relation: 'delta_file_ranges', rows: 4 })
    // Numbers of removed files are reused; their old ranges must not apply to new files.
    writeLog(at.table, [[add('n', { stats: '{"numRecords":1,"minValues":{"id":5},"maxValues":{"id":5}}' })]], 6)
    await importInto(database, at.table)
    const found: string[] = []
    const pruning = await pruningAt(database, 't', 6, 'id = 5')
    for await (const page of prunedFiles(database, 't', 6, pruning)) found.push(...page.map(({ path }) => path))
    expect(found).toContain('n')
  })

  // Enough files that ranges are used, and enough removed ones that new files reuse numbers in several zones.
  const endings = ['up to date', 'begun', 'as they were'] as const
  const sweeps = endings.flatMap((ends) => [['whole', ends] as const, ['cut short', ends] as const])
  test.each(shareOf(sweeps, 3))(
    '%s, then an import that reuses file numbers, with ranges %s: conditions find their files',
    async (sweep, ends) => {
      using folder = temporaryFolder()
      const table = join(folder.path, 'table')
      const files = (name: string, from: number, count: number): readonly Line[] =>
        Array.from({ length: count }, (_, i) => {
          const [low, high] = [(from + i) * 10, (from + i) * 10 + 9]
          return add(`${name}${i}`, {
            stats: `{"numRecords":2,"minValues":{"id":${low}},"maxValues":{"id":${high}},"nullCount":{"id":0}}`,
          })
        })
      const gone = files('gone', 50_000, 1_500)
      writeLog(table, [
        [PROTOCOL, METADATA, ...files('kept', 0, 2_500)],
        [...gone],
        [...gone.keys()].map((i) => remove(`gone${i}`)),
      ])
      await using database = await openCatalog(join(folder.path, 'c.db'))
      await importInto(database, table)
      await addRangeColumns(database, 't', [{ name: 'id', physicalPath: ['id'], kind: 'number' }], 1)
      expect(await extendRanges(database, 't')).toBe(4_000)
      const stale = await database.all(
        `SELECT ${RANGES.delta_file_ranges} FROM delta_file_ranges WHERE table_id = 't' AND file_no IN (
         SELECT f.file_no FROM delta_files f WHERE f.table_id = 't' AND f.removed_version IS NOT NULL)`,
      )
      await prune(database, { versions: 1 }, 3_000)
      const [numbers] = await database.all("SELECT max(file_no) FROM delta_files WHERE table_id = 't'")
      expect(await database.all("SELECT count(*) FROM delta_file_ranges WHERE table_id = 't'")).toEqual([[2_500]])
      // Ranges are removed last, so a kill leaves them.
      if (sweep === 'cut short')
        await database.write((transaction) =>
          transaction.load('delta_file_ranges', RANGES.delta_file_ranges.split(', '), stale),
        )
      expect(stale).toHaveLength(1_500)

      const before = await rangesOf(database)
      writeLog(table, [[...files('new', 80_000, 1_000)], [remove('kept7'), ...files('newer', 90_000, 300)]], 3)
      const interrupter = new Interrupter()
      // A stop after the last batch lets the import end, and skips only the steps after it.
      await importInto(database, table, {
        interrupt: interrupter,
        onProgress: ({ version }) => {
          if (ends === 'begun' && version === 4) interrupter.requestStop()
        },
      })
      const reused = await database.all(
        "SELECT count(*) FROM delta_files WHERE table_id = 't' AND file_no > ? AND file_no <= ?",
        [numbers?.[0] ?? null, Number(numbers?.[0]) + 1_500],
      )
      expect(reused).toEqual([[1_300]])
      // As a kill leaves them between the import's end and its first step on ranges.
      if (ends === 'as they were') await database.write((transaction) => restoreRanges(transaction, before))
      const [built] = await database.all('SELECT built_version, built_to FROM delta_range_columns')
      expect(built?.[0]).toBe(ends === 'as they were' ? 2 : 4)
      expect(Number(built?.[1]) < Number(numbers?.[0])).toBe(ends === 'begun')

      const found = async (version: number, where: string): Promise<readonly string[]> => {
        const pruning = await pruningAt(database, 't', version, where)
        const paths: string[] = []
        for await (const page of prunedFiles(database, 't', version, pruning))
          paths.push(...page.map(({ path }) => path))
        const { bound } = pruning
        expect(await candidateFiles(database, 't', bound, Infinity), 'ranges answer').not.toBeNull()
        return paths.toSorted()
      }
      for (const version of [2, 3, 4]) {
        const since = (from: number, ...paths: readonly string[]): readonly string[] => (version < from ? [] : paths)
        expect(await found(version, 'id = 800005')).toEqual(since(3, 'new0'))
        expect(await found(version, 'id BETWEEN 809985 AND 900004')).toEqual(
          since(4, 'newer0')
            .concat(since(3, 'new998', 'new999'))
            .toSorted(),
        )
        expect(await found(version, 'id = 902999')).toEqual(since(4, 'newer299'))
        expect(await found(version, 'id BETWEEN 500000 AND 514999')).toEqual([])
        expect(await found(version, 'id = 75 OR id = 24999')).toEqual(
          version < 4 ? ['kept2499', 'kept7'] : ['kept2499'],
        )
      }
      expect(await differencesOf(database, table)).toEqual([])
    },
    120_000,
  )

  test('by age keeps the version that was the latest at that time', async () => {
    await using at = await opened()
    const moment = (seconds: number): Keep => ({ sinceMs: (1_700_000_000 + seconds) * 1000 })
    const table = await readableTable(at.database, { tableId: 't' })
    expect(await oldestKept(at.database, table, moment(-1))).toBe(0)
    expect(await oldestKept(at.database, table, moment(3))).toBe(3)
    expect(await oldestKept(at.database, table, moment(3.5))).toBe(3)
    expect(await oldestKept(at.database, table, moment(99))).toBe(5)
    expect((await prune(at.database, moment(3.5))).historyFrom).toBe(3)
    expect(await oldestKept(at.database, await readableTable(at.database, { tableId: 't' }), moment(0))).toBe(3)
    expect((await errorOf(oldestKept(at.database, table, { versions: 0 }))).code).toBe('BAD_FLAG')
  })

  test('between the opening of a version and its reading: the version is refused, and not answered in part', async () => {
    await using at = await opened()
    const table = await readableTable(at.database, { tableId: 't' }, 2)
    const source = { from: 'catalog', database: at.database, table } as const
    const read = async (): Promise<readonly string[]> =>
      await readVersion(source, async (reader, { version }) => {
        const found: string[] = []
        for await (const page of prunedFiles(reader, 't', version, null)) found.push(...page.map(({ path }) => path))
        return found
      })
    expect(await read()).toEqual(['b', 'c'])
    await prune(at.database, { versions: 1 })
    expect((await errorOf(read())).code).toBe('HISTORY_MISSING')
  })

  test('and then import --moved: times are those of the log, including commits below the first version that it still has', async () => {
    await using at = await opened()
    await prune(at.database, { versions: 3 })
    const log = join(at.table, '_delta_log')
    const logFile = (version: number): string => join(log, `${String(version).padStart(20, '0')}.json`)
    // A copy does not keep the order of times: the first commit is newer than the next ones.
    const day = 86_400
    for (const version of COMMITS.keys()) {
      const time = 1_710_000_000 + (version === 0 ? 30 : version) * day
      utimesSync(logFile(version), time, time)
    }
    await importInto(at.database, at.table, { moved: true })
    const table = await DeltaTable.open(openLocalLog(at.table), parquetRows, NEVER.abort)
    const from = (1_710_000_000 + 30 * day) * 1000
    for (const time of [3, 4, 5, 99].map((version) => from + version)) {
      expect(await versionAtTime(at.database, 't', time), String(time)).toBe(await table.versionAt(time))
    }
    expect(await versionAtTime(at.database, 't', from - day * 1000)).toBe(null)
    expect(await differencesOf(at.database, at.table)).toEqual([])
  })

  test('to the version that the log was cleaned to: both sides agree', async () => {
    await using at = await opened()
    await prune(at.database, { versions: 3 })
    writeCheckpoint(at.table, 3, checkpointOf(COMMITS, 3))
    dropCommits(at.table, 0, 3)
    expect(await differencesOf(at.database, at.table)).toEqual([])
    // A damaged row is still found.
    await at.database.write((transaction) =>
      transaction.run(`UPDATE delta_files SET size = size + 1 WHERE table_id = 't' AND path = 'f'`),
    )
    expect(await differencesOf(at.database, at.table)).not.toEqual([])
  })

  test('then a move to a new base, and an import from the start', async () => {
    await using at = await opened()
    await prune(at.database, { versions: 2 })
    const more = [...COMMITS, [add('h')], [add('i')], [add('j')]]
    writeLog(at.table, more)
    writeCheckpoint(at.table, 7, checkpointOf(more, 7))
    dropCommits(at.table, 0, 7)
    expect(await importInto(at.database, at.table)).toMatchObject({ version: 8, historyFrom: 7 })
    expect(await differencesOf(at.database, at.table)).toEqual([])
    const gone = await errorOf(readableTable(at.database, { tableId: 't' }, 5))
    expect(gone.reason).toBe('the log did not have older versions when it was imported')
    await at.database.write((transaction) => transaction.run(`DELETE FROM migration_status WHERE table_id = 't'`))
    await importInto(at.database, at.table)
    expect(await differencesOf(at.database, at.table)).toEqual([])
  })
})
