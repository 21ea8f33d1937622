/** `fsck` of a table that a catalog holds: the same result as from the log, and its findings as rows. */
import { cpSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lastFsck } from '../../src/catalog/fsck-findings.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { withSubject } from '../../src/engine/lake/fsck/subject.ts'
import type { FsckOperation } from '../../src/engine/lake/operations/fsck/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { BACKEND, catalogUrl, openAt } from '../support/backend.ts'
import { add, METADATA, openCatalog, PROTOCOL, remove, temporaryFolder, writeLog } from '../support/catalog-kit.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { falsify, logOf, makeHealthyTable, type HealthyTable } from '../support/fsck-table.ts'
import { fsckOf, importOf, perform } from './operation-kit.ts'

const work = temporaryFolder()
let table: HealthyTable
let file: string
beforeAll(async () => {
  table = await makeHealthyTable(join(work.path, 'orders'))
  falsify(table.folder, table.files[0] as string, (stats) => (stats.minValues['id'] = 1))
  // A second version adds a copy of the last file.
  const last = readFileSync(logOf(table.folder), 'utf8').trim().split('\n').at(-1) as string
  cpSync(join(table.folder, table.files[2] as string), join(table.folder, 'part=2/again.parquet'))
  writeFileSync(logOf(table.folder).replace('0.json', '1.json'), `${last.replace('file-2', 'again')}\n`)
  file = join(work.path, 'catalog.db')
  await (await openCatalog(file)).close()
  await perform(importOf(table.folder, catalogUrl(file)))
  rmSync(join(table.folder, table.files[1] as string))
})
afterAll(() => work[Symbol.dispose]())

function reported(events: readonly Event[]): readonly unknown[] {
  return events.flatMap((event) =>
    event.type === 'fsck.finding' || event.type === 'fsck.checked' ? [{ ...event, seq: 0, ts: '', runId: '' }] : [],
  )
}

test('finds the same by the rows of the catalog as by the log, and stores it', async () => {
  const catalog = catalogUrl(file)
  for (const more of [{}, { since: 0 }, { deep: true }, { sample: 2 }, { asOf: { version: 0 } }]) {
    const [byLog, byCatalog] = [
      await perform(fsckOf(table.folder, more)),
      await perform(fsckOf(table.folder, { ...more, catalog })),
    ]
    expect(reported(byCatalog.events)).toEqual(reported(byLog.events))
    expect({ ...byCatalog.finished, ms: 0 }).toEqual({ ...byLog.finished, ms: 0 })
  }
  const { finished } = await perform(fsckOf(table.folder, { catalog }))
  expect(finished.exitCode).toBe(1)
  const database = await openAt(file, 'read')
  const rows = await database.all(
    `SELECT level, finding, path, column_name, version FROM catalog_fsck WHERE level <> 'note' ORDER BY line`,
  )
  const [[tableId] = []] = await database.all('SELECT table_id FROM delta_tables')
  expect(await lastFsck(database, String(tableId))).toMatchObject({ version: 1, findings: 2 })
  expect(await lastFsck(database, 'another')).toBeNull()
  await database.close()
  // The vector is for rows of a missing file, which is one finding only.
  expect(rows[0]).toEqual(['run', 'run', null, null, 1])
  expect(rows.slice(1).toSorted()).toEqual(
    [
      ['finding', 'file-missing', table.files[1], null, 1],
      ['finding', 'statistics', table.files[0], 'id', 1],
    ].toSorted(),
  )
})

test('with since, fsck checks only files that were added after that version', async () => {
  const { finished } = await perform(fsckOf(table.folder, { since: 0 }))
  expect(finished).toMatchObject({ exitCode: 0, totals: { files: '4', checked: '1', footers: '1' } })
})

// A file of DuckDB has one opener: no prune comes in between there.
test.skipIf(BACKEND === 'duckdb')('a version that is pruned before its files are read is refused', async () => {
  using folder = temporaryFolder()
  const at = join(folder.path, 'catalog.db')
  const log = join(folder.path, 'orders')
  writeLog(log, [[PROTOCOL, METADATA, add('a'), add('b')], [remove('a')], [add('c')]])
  await (await openCatalog(at)).close()
  const catalog = catalogUrl(at)
  await perform(importOf(log, catalog))
  const run = { interrupt: NEVER, emit: () => undefined } as unknown as Parameters<typeof withSubject>[1]
  const operation = fsckOf(log, { catalog, asOf: { version: 0 } }) as FsckOperation
  const seen = (between: () => Promise<unknown>): Promise<number> =>
    withSubject(operation, run, async ({ files }) => {
      await between()
      let count = 0
      for await (const block of files()) count += block.length
      return count
    })
  expect(await seen(async () => await Promise.resolve())).toBe(2)
  const prune = { kind: 'prune', tables: [log], catalog, keep: { versions: 1 }, dryRun: false } as const
  await expect(seen(async () => await perform(prune as Operation))).rejects.toMatchObject({ code: 'HISTORY_MISSING' })
})

test('a log that is no longer the imported one is a finding', async () => {
  using folder = temporaryFolder()
  const other = await makeHealthyTable(join(folder.path, 'orders'))
  const at = join(folder.path, 'catalog.db')
  await (await openCatalog(at)).close()
  await perform(importOf(other.folder, catalogUrl(at)))
  const found = async (): Promise<readonly string[]> => {
    const { events } = await perform(fsckOf(other.folder, { catalog: catalogUrl(at) }))
    return events.flatMap((event) =>
      event.type === 'fsck.finding' && event.level === 'finding' ? [`${event.finding}: ${event.detail}`] : [],
    )
  }
  expect(await found()).toEqual([])
  const log = logOf(other.folder)
  writeFileSync(log, readFileSync(log, 'utf8').replace('file-2', 'file-3'))
  expect(await found()).toContain('log-rewritten: the log is no longer the one that was imported: commit 0 has changed')
})

test('what VACUUM deletes is judged by the newest version of the log, whatever version is inspected', async () => {
  using folder = temporaryFolder()
  const log = join(folder.path, 'orders')
  const catalog = catalogUrl(join(folder.path, 'catalog.db'))
  await (await openCatalog(join(folder.path, 'catalog.db'))).close()
  const features = ['v2Checkpoint', 'deletionVectors']
  const protocol = { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: features, writerFeatures: features }
  const vector = { storageType: 'p', pathOrInlineDv: 'dv.bin', offset: 1, sizeInBytes: 34, cardinality: 1 }
  const day = 86_400_000
  const removed = { remove: { path: 'a', deletionTimestamp: Date.now() - 20 * day, dataChange: true } }
  // The newest version keeps removed files for 30 days, the inspected one for 7.
  const { metaData } = METADATA as { readonly metaData: object }
  const longer = { metaData: { ...metaData, configuration: { 'delta.deletedFileRetentionDuration': '30 days' } } }
  const commits = [
    [{ protocol }, METADATA, add('a'), add('b')],
    [add('c')],
    [removed, add('d')],
    [add('e', { deletionVector: vector, stats: '{"numRecords":2}' })],
    [longer, add('f')],
  ]
  writeLog(log, commits.slice(0, 1))
  await perform(importOf(log, catalog))
  writeLog(log, commits.slice(1, 4), 1)
  const at = (Date.now() - 40 * day) / 1000
  for (const name of ['a', 'b', 'c', 'd', 'e', 'dv.bin']) {
    writeFileSync(join(log, name), 'x'.repeat(100))
    utimesSync(join(log, name), at, at)
  }
  const judged = async (more: Parameters<typeof fsckOf>[1]): Promise<readonly unknown[]> => {
    const { events, finished } = await perform(fsckOf(log, more))
    const notes = events.flatMap((event) =>
      event.type === 'fsck.finding' && ['orphan', 'vacuum', 'older-missing'].includes(event.finding)
        ? [event.detail]
        : [],
    )
    const { version, orphans, vacuumFiles, olderMissing } = finished.totals ?? {}
    return [version, orphans, vacuumFiles, olderMissing, ...notes]
  }
  // Only `a` is free: the inspected version needs it, the newest does not.
  const free = 'VACUUM would delete 1 files; older versions need 1 of them'
  expect(await judged({})).toEqual(['3', '0', '1', '0', free])
  expect(await judged({ asOf: { version: 0 } })).toEqual(['0', '0', '1', '0', free])
  expect(await judged({ catalog })).toEqual(['0', '0', '1', '0', free])
  // `f`, which the newest version needs, is no file that only older versions need.
  writeLog(log, commits.slice(4), 4)
  expect(await judged({ catalog })).toEqual(['0', '0', '0', '0'])
  writeCheckpoint(log, 3, checkpointOf(commits, 3))
  dropCommits(log, 0, 3)
  expect(await judged({ catalog })).toEqual(['0', '0', '1', '0', free])
})
