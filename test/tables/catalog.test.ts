/**
 * Every real table through the catalog: imported in small batches, the SQL snapshot of every version must hold exactly the files that the log
 * reader finds at that version, and the exported log must be the log.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { storedCommits } from '../../src/catalog/export/commits.ts'
import { activeFiles } from '../../src/catalog/query/files.ts'
import { countsAt } from '../../src/catalog/query/counts.ts'
import { domainsAt, stateAt, txnsAt } from '../../src/catalog/query/state.ts'
import { readableTable } from '../../src/catalog/catalog.ts'
import { commitName } from '../../src/delta/log-path.ts'
import { canonicalPath } from '../../src/delta/paths.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { ALL, BACKEND, ON_SERVER, shareOf } from '../support/backend.ts'
import { importInto, openCatalog, temporaryFolder } from '../support/catalog-kit.ts'
import { expectedTables, folderOf, HAVE_TABLES, isHuge, parquet } from './shared-tables.ts'

const tables = expectedTables()
const signal = new AbortController().signal
/** Versions a table whose every state is compared; of longer histories a spread with both ends, twice as dense with `SLUICE_TEST_ALL`. */
const MAX_VERSIONS = (BACKEND === 'sqlite' ? 6 : 3) * (ALL ? 2 : 1)
/** Cutting the log into many batches tests the importer, once; elsewhere a transaction costs more. */
const BATCH = BACKEND === 'sqlite' ? 3 : 100

const whole = tables.filter((t) => t.replayed !== null && t.replayed.error === undefined && t.stated.must_fail !== true)

/** All of them on SQLite; elsewhere a share, and none whose point is its size. */
const cases = shareOf(whole, 7).filter((t) => BACKEND === 'sqlite' || ALL || !isHuge(t))

test.skipIf(!HAVE_TABLES)('the real tables are in ../shared', () => {
  expect(whole.length).toBeGreaterThan(150)
})

describe.skipIf(!HAVE_TABLES)('catalog of the real tables (../shared)', () => {
  test.each(cases.map((t) => [t.table, t] as const))('%s', { timeout: 120_000 }, async (name, expected) => {
    using folder = temporaryFolder()
    // A server makes a table in the time in which SQLite imports one: there all tables share one catalog.
    const t = ON_SERVER ? name : 't'
    await using database = await openCatalog(ON_SERVER ? 'all.db' : join(folder.path, 'catalog.db'))
    const path = folderOf(name)
    const huge = isHuge(expected)
    const refusedByName = expected.features.some((feature) => feature.startsWith('catalogManaged'))
    const result = await importInto(database, path, {
      tableId: t,
      batchSize: huge ? 10_000 : BATCH,
      allowRefused: refusedByName,
    })
    expect(result.status).toBe('completed')
    const table = await readableTable(database, { tableId: t })
    expect({ version: table.version, files: result.files, bytes: result.bytes }).toEqual({
      version: expected.replayed?.version,
      files: expected.replayed?.numFiles,
      bytes: expected.replayed?.sizeBytes,
    })

    const log = openLocalLog(path)
    const delta = await DeltaTable.open(log, parquet, signal)
    for (const version of spread(table.historyFrom, table.latest, huge ? 1 : MAX_VERSIONS)) {
      const snapshot = await delta.snapshot({ version }, { allowRefused: true })
      const fromLog = new Map<string, string | null>()
      const ofCheckpoint = new Set<string>()
      for await (const block of snapshot.files({ signal })) {
        for (const { add, path: canonical, dvId, addedVersion } of block) {
          const key = JSON.stringify([
            canonical,
            dvId,
            add.size,
            add.modificationTime,
            sortedEntries(add.partitionValues ?? {}),
            add.deletionVector?.cardinality ?? null,
          ])
          fromLog.set(key, add.stats ?? null)
          if (addedVersion === null) ofCheckpoint.add(key)
        }
      }
      const fromSql = await sqlFiles(database, t, log.root, version)
      // One expectation a table: one a file takes longer than everything else here.
      const strangers = [...fromSql.keys()].filter((key) => !fromLog.has(key))
      const wrong: unknown[] = []
      for (const [key, stats] of fromLog) {
        const held = fromSql.get(key)
        if (held === stats) continue
        // A checkpoint may write stats anew or drop them, where the catalog holds the commit's own text.
        if (held === undefined || !ofCheckpoint.has(key)) wrong.push([key, held, stats])
        else if (stats !== null && held !== null) expect(JSON.parse(held)).toEqual(JSON.parse(stats))
      }
      expect({ strangers, wrong }).toEqual({ strangers: [], wrong: [] })
      const counts = await countsAt(database, t, version)
      const live = await snapshot.counts(signal)
      expect({ files: counts.files, bytes: BigInt(counts.bytes) }).toEqual({ files: live.files, bytes: live.bytes })
      // Statistics that a checkpoint dropped are still known from the commits.
      if (live.rows !== null || snapshot.segment.checkpoint === null) {
        expect(counts.rows === null ? null : BigInt(counts.rows)).toBe(live.rows)
      }
      const state = await snapshot.state(signal)
      const sql = await stateAt(database, t, version)
      expect(sql.protocol?.minReaderVersion).toBe(state.protocol.minReaderVersion)
      expect([...(sql.protocol?.readerFeatures ?? [])]).toEqual([...(state.protocol.readerFeatures ?? [])])
      expect(sql.metadata?.id).toBe(state.metadata.id)
      expect(JSON.parse(sql.metadata?.schemaString ?? 'null')).toEqual(
        JSON.parse(state.metadata.schemaString ?? 'null'),
      )
      expect(sql.metadata?.configuration ?? {}).toEqual(state.metadata.configuration ?? {})
      const txns = await txnsAt(database, t, version)
      expect(txns.map((txn) => [txn.appId, txn.version])).toEqual(
        [...state.txns.values()].map((txn) => [txn.appId, txn.version]).toSorted(),
      )
      const domains = await domainsAt(database, t, version)
      expect(domains.map((d) => d.domain)).toEqual(
        [...state.domains.values()].flatMap((d) => (d.removed ? [] : [d.domain])).toSorted(),
      )
    }

    for await (const commit of storedCommits(database, table)) {
      const held: string[] = []
      for await (const page of commit.lines()) held.push(...page.map(({ raw }) => raw))
      const written = readFileSync(join(path, '_delta_log', commitName(commit.version)), 'utf8')
      const lines = written.split('\n').map((line) => line.replace(/\r$/, ''))
      expect(held.join('\n').split('\n')).toEqual(lines.filter((line) => line.trim() !== ''))
    }
  })
})

function spread(from: number, to: number, count: number): readonly number[] {
  if (to - from < count) return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  const step = (to - from) / Math.max(1, count - 1)
  return count === 1 ? [to] : [...new Set(Array.from({ length: count }, (_, i) => Math.round(from + i * step)))]
}

async function sqlFiles(
  database: SqlDatabase,
  tableId: string,
  root: string,
  version: number,
): Promise<ReadonlyMap<string, string | null>> {
  const found = new Map<string, string | null>()
  for await (const page of activeFiles(database, tableId, version)) {
    for (const file of page) {
      const vector = file.deletionVector === null ? null : (JSON.parse(file.deletionVector) as { cardinality: number })
      const values = JSON.parse(file.partitionValues) as Record<string, string | null>
      const key = JSON.stringify([
        canonicalPath(file.path, root),
        file.dvId,
        file.size,
        file.modificationTime,
        sortedEntries(values),
        vector?.cardinality ?? null,
      ])
      found.set(key, file.stats)
    }
  }
  return found
}

function sortedEntries(values: Readonly<Record<string, string | null>>): readonly (readonly [string, string | null])[] {
  return Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1))
}
