/**
 * A table's way out of the catalog: the log that `export-log` writes is imported again and must give the same catalog,
 * row by row, for every real table, with and without its early commits. The log reader reads its checkpoints, which are
 * also compared with those that Spark wrote.
 */
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import type { ImportOptions } from '../../src/catalog/import/import-table.ts'
import { parseLogName, type LogPath } from '../../src/delta/log-path.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { sqlLiteral, openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { dumpCatalog, importInto, openCatalog, temporaryFolder } from '../support/catalog-kit.ts'
import { ALL, someOf } from '../support/backend.ts'
import {
  expectedTables,
  folderOf,
  HAVE_TABLES,
  isHuge,
  NEVER,
  parquet,
  representative,
  type ExpectedTable,
} from '../tables/shared-tables.ts'
import { catalogAnswer, exportTo, namedAs, snapshotAnswer } from './export-kit.ts'

const whole = expectedTables().filter(
  (t) => t.replayed !== null && t.replayed.error === undefined && t.stated.must_fail !== true,
)
const named = (tables: readonly ExpectedTable[]) => tables.map((t) => [t.table, t] as const)
const checkpointed = whole.filter((t) => (t.checkpoints ?? []).length > 0)
const why = HAVE_TABLES ? '' : ' (skipped: ../shared/tables is not there)'

/** For tables with features that sluice cannot read: their logs are exported all the same. */
function optionsOf(features: readonly string[]): Partial<ImportOptions> {
  return { allowRefused: features.some((feature) => feature.startsWith('catalogManaged')) }
}

async function openLog(folder: string, root: string): Promise<DeltaTable> {
  return DeltaTable.open(namedAs(openLocalLog(folder), root), parquet, NEVER)
}

function logFiles(table: string): readonly LogPath[] {
  return readdirSync(join(table, '_delta_log'))
    .map((name) => parseLogName(name))
    .filter((path) => path !== null)
}

/**
 * `dumpCatalog` leaves out the location, run ids and times of the runs. All else must be equal: rows, numbers, digests
 * and lines.
 */
async function expectEqualCatalogs(after: SqlDatabase, before: SqlDatabase): Promise<void> {
  expect(await dumpCatalog(after)).toBe(await dumpCatalog(before))
}

test.skipIf(!HAVE_TABLES)(`the real tables are available${why}`, () => {
  expect(whole.length).toBeGreaterThan(150)
  expect(checkpointed.length).toBeGreaterThan(25)
})

describe.skipIf(!HAVE_TABLES)(`real tables: import, export, import again${why}`, () => {
  test.each(named(representative(whole, 24)))('%s', { timeout: 120_000 }, async (name, expected) => {
    using folder = temporaryFolder()
    const options = optionsOf(expected.features)
    const { root } = openLocalLog(folderOf(name))
    const first = join(folder.path, 'first.db')
    const out = join(folder.path, 'out')
    await using before = await openCatalog(first)
    await importInto(before, folderOf(name), options)
    const table = await readableTable(before, { tableId: 't' })
    const { totals, warnings } = await exportTo(first, out, 'latest', 0)
    // A table that readers must refuse is imported all the same, with a warning.
    const refused = [expect.stringMatching(/^readers must refuse version /) as string]
    expect(warnings).toEqual(options.allowRefused === true ? refused : [])
    // Commits below the first readable version have no digest in the catalog.
    const orphans = logFiles(out).filter((path) => path.kind === 'commit' && path.version < table.historyFrom).length
    expect(totals['identical']).toBe(String(Number(totals['commits']) - orphans))
    await using after = await openCatalog(join(folder.path, 'second.db'))
    await importInto(after, out, { ...options, log: namedAs(openLocalLog(out), root) })
    await expectEqualCatalogs(after, before)

    // Keeps the newest checkpoint only.
    for (const path of logFiles(out)) if (path.kind === 'commit') rmSync(join(out, '_delta_log', path.name))
    const exported = await openLog(out, root)
    const snapshot = await exported.snapshot({}, { allowRefused: true })
    expect(snapshot.version).toBe(table.latest)
    expect(await snapshotAnswer(snapshot, NEVER)).toEqual(await catalogAnswer(before, root, table.latest))
    const original = await openLog(folderOf(name), root)
    const replayed = await original.snapshot({}, { allowRefused: true })
    expect(await tombstones(snapshot)).toEqual(await tombstones(replayed))
  })
})

/** Keys of the removes that have a time. */
async function tombstones(snapshot: Awaited<ReturnType<DeltaTable['snapshot']>>): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const block of snapshot.tombstones(NEVER)) {
    for (const { remove, path, dvId } of block) {
      if ((remove.deletionTimestamp ?? 0) > 0) keys.push(JSON.stringify([path, dvId, remove.deletionTimestamp]))
    }
  }
  return keys.toSorted()
}

describe.skipIf(!HAVE_TABLES)(`real tables whose early commits are gone${why}`, () => {
  describe.each(['kept', 'gone'] as const)('commit of the checkpoint %s', (base) => {
    // The two forms alternate from table to table, so that each form of checkpoint gets one of them.
    const turn = representative(checkpointed, 24).filter((_, i) => ALL || (i % 2 === 0) === (base === 'kept'))
    test.each(named(turn))('%s', { timeout: 120_000 }, async (name) => {
      using folder = temporaryFolder()
      const table = join(folder.path, 'table')
      const log = join(table, '_delta_log')
      cpSync(join(folderOf(name), '_delta_log'), log, { recursive: true, preserveTimestamps: true })
      const newest = Math.max(...logFiles(table).map((path) => (path.kind === 'checkpoint' ? path.version : -1)))
      for (const path of logFiles(table)) {
        if (path.kind !== 'commit' || path.version > newest || (base === 'kept' && path.version === newest)) continue
        rmSync(join(log, path.name))
      }
      const first = join(folder.path, 'first.db')
      const out = join(folder.path, 'out')
      await using before = await openCatalog(first)
      await importInto(before, table, { log: namedAs(openLocalLog(table), 'file:///t') })
      expect((await exportTo(first, out)).warnings).toEqual([])
      await using after = await openCatalog(join(folder.path, 'second.db'))
      await importInto(after, out, { log: namedAs(openLocalLog(out), 'file:///t') })
      await expectEqualCatalogs(after, before)
    })
  })
})

describe.skipIf(!HAVE_TABLES)(`real tables pruned in the catalog${why}`, () => {
  const long = named(
    someOf(
      whole.filter((t) => !isHuge(t) && (t.replayed?.version ?? 0) - (t.firstCommit ?? 0) >= 3),
      6,
    ),
  )
  test.each(long)('%s', { timeout: 120_000 }, async (name, expected) => {
    using folder = temporaryFolder()
    const options = optionsOf(expected.features)
    const { root } = openLocalLog(folderOf(name))
    const first = join(folder.path, 'first.db')
    const out = join(folder.path, 'out')
    await using before = await openCatalog(first)
    await importInto(before, folderOf(name), options)
    const { historyFrom, latest } = await readableTable(before, { tableId: 't' })
    const from = Math.ceil((historyFrom + latest) / 2)
    await prune(before, from)
    await exportTo(first, out)
    await using after = await openCatalog(join(folder.path, 'second.db'))
    await importInto(after, out, { ...options, log: namedAs(openLocalLog(out), root) })
    expect((await readableTable(after, { tableId: 't' })).historyFrom).toBe(from)
    for (let version = from; version <= latest; version += Math.max(1, Math.floor((latest - from) / 10))) {
      expect(await catalogAnswer(after, root, version)).toEqual(await catalogAnswer(before, root, version))
    }
    const history =
      'SELECT version, commit_time, log_digest, commit_info, adds, removes, num_files FROM delta_commits WHERE version > ?'
    expect(await after.all(history, [from])).toEqual(await before.all(history, [from]))
  })
})

/** Removes history from a catalog, as a prune does. */
async function prune(database: SqlDatabase, from: number): Promise<void> {
  await database.write(async (transaction) => {
    await transaction.run('DELETE FROM delta_files WHERE removed_version <= ?', [from])
    await transaction.run('DELETE FROM delta_commits WHERE version < ?', [from])
    await transaction.run('DELETE FROM delta_actions WHERE version < ?', [from])
    for (const relation of ['delta_metadata', 'delta_protocols']) {
      const newest = `SELECT max(version) FROM ${relation} WHERE version <= ?`
      await transaction.run(`DELETE FROM ${relation} WHERE version < (${newest})`, [from])
    }
    await transaction.run('UPDATE delta_tables SET history_from = ?', [from])
  })
}

describe.skipIf(!HAVE_TABLES)(`the schema of a checkpoint and those of other writers${why}`, () => {
  const classic = named(checkpointed).filter(
    ([, t]) => t.checkpoints?.some((form) => form.startsWith('classic')) === true,
  )
  test('every column that both have is of one type', { timeout: 60_000 }, async () => {
    using folder = temporaryFolder()
    const first = join(folder.path, 'first.db')
    {
      await using database = await openCatalog(first)
      await importInto(database, folderOf('delta-golden/checkpoint'))
    }
    await exportTo(first, folder.path, 'latest')
    const ours = await columnsOf(join(folder.path, '_delta_log/00000000000000000014.checkpoint.parquet'))
    let shared = 0
    for (const [name] of classic) {
      for (const path of logFiles(folderOf(name))) {
        if (path.kind !== 'checkpoint' || path.form !== 'classic') continue
        for (const [column, type] of await columnsOf(join(folderOf(name), '_delta_log', path.name))) {
          if (!ours.has(column)) continue
          shared++
          expect([name, column, ours.get(column)]).toEqual([name, column, type])
        }
      }
    }
    expect(shared).toBeGreaterThan(500)
    expect([...ours.keys()].filter((column) => !column.includes('.'))).toEqual(
      'txn add remove metaData protocol domainMetadata'.split(' '),
    )
  })
})

/** Columns of a Parquet file: path and physical type, with what distinguishes text, maps and lists. */
async function columnsOf(file: string): Promise<ReadonlyMap<string, string>> {
  using db = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
  const result = await db.connection.run(
    `SELECT name, type, coalesce(num_children, 0)::INTEGER, converted_type FROM parquet_schema(${sqlLiteral(file)})`,
  )
  const found = new Map<string, string>()
  const open: { readonly path: string; left: number }[] = []
  for (const [name, type, children, converted] of await result.getRows()) {
    while (open.at(-1)?.left === 0) open.pop()
    const parent = open.at(-1)
    if (parent !== undefined) parent.left--
    const path = parent === undefined ? '' : parent.path === '' ? String(name) : `${parent.path}.${String(name)}`
    const kind = ['UTF8', 'MAP', 'LIST'].includes(String(converted)) ? ` ${String(converted)}` : ''
    // The inner names of maps and lists are not fixed, and old writers chose others.
    if (path !== '' && !/key_value|\.(list|map|array|bag)\b/.test(path)) found.set(path, `${String(type)}${kind}`)
    if (Number(children) > 0) open.push({ path, left: Number(children) })
  }
  return found
}

test.skipIf(!HAVE_TABLES)(`times of commits and checkpoints are those of the original${why}`, async () => {
  using folder = temporaryFolder()
  const table = folderOf('delta-rs/checkpoint-cdf-table')
  const first = join(folder.path, 'first.db')
  {
    await using database = await openCatalog(first)
    await importInto(database, table)
  }
  await exportTo(first, folder.path)
  const commits = logFiles(folder.path).filter((path) => path.kind === 'commit')
  expect(commits.length).toBeGreaterThan(2)
  for (const { name } of commits) {
    const [ours, theirs] = [folder.path, table].map((at) => Math.floor(statSync(join(at, '_delta_log', name)).mtimeMs))
    expect(ours).toBe(theirs)
  }
})
