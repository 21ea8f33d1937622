/**
 * Commit times in a catalog and in the folder, after one of them lost commits that delayed later ones: both give the
 * same answer, or validate names the difference.
 */
import { readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import { acquireLease, releaseLease } from '../../src/catalog/lease.ts'
import { pruneTable } from '../../src/catalog/prune.ts'
import { versionAtTime } from '../../src/catalog/query/counts.ts'
import { commitName } from '../../src/delta/log-path.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import {
  add,
  holderOf,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { fsckOf, perform } from './operation-kit.ts'
import { validated } from './validate-setup.ts'

/** Commit files have times from here on, a second apart (`writeLog`). */
const FILE = 1_700_000_000_000
const LATE = FILE + 60_000

/** Requested times: before the first file, at and between files in order, and at the times delayed by the late file. */
const SECONDS = [-1, 0, 1, 2, 3, 3.5, 4, 4.5, 5, 6, 7, 8, ...[0, 1, 2, 3, 4, 5, 6, 7].map((ms) => 60 + ms / 1000), 99]

const PLAIN: readonly (readonly Line[])[] = [
  [PROTOCOL, METADATA, add('f0')],
  ...[1, 2, 3, 4, 5, 6, 7].map((version) => [add(`f${version}`)]),
]

/** In-commit timestamps, switched off by version 6. */
const SWITCHED_OFF: readonly (readonly Line[])[] = PLAIN.map((lines, version) => {
  const metadata = { ...(METADATA['metaData'] as Line), configuration: { 'delta.enableInCommitTimestamps': 'true' } }
  const info = { commitInfo: { inCommitTimestamp: FILE + version, operation: 'WRITE' } }
  if (version === 0) {
    const protocol = { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['inCommitTimestamp'] }
    return [info, { protocol }, { metaData: metadata }, add('f0')]
  }
  return version < 6 ? [info, ...lines] : version === 6 ? [METADATA, ...lines] : lines
})

type Opened = AsyncDisposable & {
  readonly database: SqlDatabase
  /** Writes the commits up to a version; the files of `late` have a later time. */
  readonly write: (from: number, to: number, late?: readonly number[]) => void
  /** Leaves a checkpoint and the commits from it on; or the commits after it, and a checkpoint file of that second. */
  readonly clean: (below: number, without?: { readonly andItsCommit: number }) => void
  readonly bring: (moved?: boolean) => Promise<void>
  readonly prune: (from: number) => Promise<void>
  /** Fields that validate names. */
  readonly differing: () => Promise<readonly string[]>
  /** Versions of the catalog and of the folder for each relevant time, if both have the version. */
  readonly answers: () => Promise<readonly (readonly [number | null, number | null])[]>
}

async function opened(commits: readonly (readonly Line[])[]): Promise<Opened> {
  const folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const database = await openCatalog(join(folder.path, 'c.db'))
  const late = (version: number): void =>
    utimesSync(join(table, '_delta_log', commitName(version)), LATE / 1000, LATE / 1000)
  return {
    database,
    write(from, to, ofLate = []) {
      writeLog(table, commits.slice(from, to + 1), from)
      ofLate.forEach(late)
    },
    clean(below, without) {
      writeCheckpoint(table, below, checkpointOf(commits, below))
      dropCommits(table, 0, without === undefined ? below - 1 : below)
      if (without === undefined) return
      const log = join(table, '_delta_log')
      const seconds = FILE / 1000 + without.andItsCommit
      for (const name of readdirSync(log))
        if (name.includes('checkpoint')) utimesSync(join(log, name), seconds, seconds)
    },
    async bring(moved = false) {
      await importInto(database, table, moved ? { moved } : {})
    },
    async prune(from) {
      const lease = await acquireLease(database, 't', holderOf('prune'))
      try {
        await pruneTable({ database, tableId: 't', lease, abort: NEVER.abort, stepRows: 100 }, from, Date.now())
      } finally {
        await releaseLease(database, lease)
      }
    },
    async differing() {
      const { events } = await validated({ catalog: database, log: openLocalLog(table), tableId: 't' }, 10)
      return events.flatMap((event) => (event.type === 'verify.mismatch' ? [`${event.version} ${event.field}`] : []))
    },
    async answers() {
      const { historyFrom } = await readableTable(database, { tableId: 't' })
      const log = await DeltaTable.open(openLocalLog(table), parquetRows, NEVER.abort)
      const { from } = await log.buildableHistory()
      const found: [number | null, number | null][] = []
      for (const second of SECONDS) {
        const time = FILE + second * 1000
        const ofLog = await log.versionAt(time).catch((error: unknown) => {
          if (error instanceof SluiceError && error.code === 'VERSION_NOT_FOUND') return null
          throw error
        })
        const ofCatalog = await versionAtTime(database, 't', time)
        const isInBoth = ofLog === null ? ofCatalog === null || ofCatalog >= from : ofLog >= historyFrom
        if (isInBoth) found.push([ofCatalog, ofLog])
      }
      return found
    },
    async [Symbol.asyncDispose]() {
      await database.close()
      folder[Symbol.dispose]()
    },
  }
}

async function agree(at: Opened): Promise<void> {
  const found = await at.answers()
  expect(found.map(([catalog]) => catalog)).toEqual(found.map(([, log]) => log))
  expect(await at.differing()).toEqual([])
}

test('a log without a commit that delayed the first one of a pruned catalog: named, and fixed by --moved', async () => {
  await using at = await opened(PLAIN)
  at.write(0, 5, [1])
  await at.bring()
  await at.prune(3)
  await agree(at)
  at.clean(3)
  expect(await at.differing()).toEqual(['3 commit_time', '4 commit_time', '5 commit_time', '5 current_commit_time'])
  await at.bring(true)
  await agree(at)
  at.write(6, 7)
  await at.bring()
  await agree(at)
})

test('a log without commits that the catalog still has, one of which delayed later ones', async () => {
  await using at = await opened(PLAIN)
  at.write(0, 5, [1])
  await at.bring()
  await agree(at)
  at.clean(3)
  expect(await at.differing()).toEqual(['3 commit_time', '4 commit_time', '5 commit_time', '5 current_commit_time'])
  await at.bring(true)
  await agree(at)
  at.write(6, 7)
  await at.bring()
  await agree(at)
})

test.each([
  ['a prune, with a commit that is gone from the catalog and pushes', async (at: Opened) => at.prune(3)],
  ['a cleaning of the log, with a commit that is gone from it and pushed', async (at: Opened) => at.clean(3)],
  [
    'a prune and a cleaning',
    async (at: Opened) => {
      await at.prune(4)
      at.clean(3)
    },
  ],
] as const)('in-commit timestamps switched off after %s', async (_name, change) => {
  await using at = await opened(SWITCHED_OFF)
  at.write(0, 5, [1])
  await at.bring()
  await change(at)
  await agree(at)
  at.write(6, 6)
  await at.bring()
  await agree(at)
  at.write(7, 7)
  await at.bring()
  await agree(at)
})

test.each([4.5, 3.5, 60])('a checkpoint without its commit, written at second %d, delays no commit', async (second) => {
  await using at = await opened(PLAIN)
  at.write(0, 5)
  at.clean(3, { andItsCommit: second })
  await at.bring()
  await agree(at)
  at.write(6, 7)
  await at.bring()
  await agree(at)
})

const within = (...times: readonly (number | string | null)[]): readonly (readonly Line[])[] =>
  SWITCHED_OFF.slice(0, times.length).map(([, ...lines], version) => [
    { commitInfo: { inCommitTimestamp: times[version], operation: 'WRITE' } },
    ...lines,
  ])

test.each([
  ['are absent', null],
  ['are texts', `${FILE + 5}`],
] as const)('in-commit timestamps that %s in one commit', async (_name, time) => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, within(FILE, time, FILE + 6))
  const { events } = await perform(fsckOf(table))
  const found = events.flatMap((event) =>
    event.type === 'fsck.finding' && event.finding === 'in-commit-times' ? [[event.path, event.detail]] : [],
  )
  expect(found).toEqual([[`_delta_log/${commitName(1)}`, 'it has no in-commit timestamp, and the table requires one']])
})

test.each([
  ['grow', [FILE, FILE + 5, FILE + 6, FILE + 9], []],
  ['go back, and stand still', [FILE, FILE + 5, FILE + 3, FILE + 3], [2, 3]],
] as const)('in-commit timestamps that %s', async (_name, times, wrong) => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, within(...times))
  const { events } = await perform(fsckOf(table))
  const found = events.flatMap((event) =>
    event.type === 'fsck.finding' && event.finding === 'in-commit-times' ? [[event.level, event.path]] : [],
  )
  expect(found).toEqual(wrong.map((version) => ['finding', `_delta_log/${commitName(version)}`]))
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, table)
  const { notes, differences } = await validated({ catalog: database, log: openLocalLog(table), tableId: 't' }, 10)
  expect(differences).toBe(0)
  expect(notes.filter((note) => note.includes('in-commit timestamp'))).toEqual(
    wrong.length === 0
      ? []
      : [
          '2 in-commit timestamps are not later than that of the version before, the first of them in version 2: readers may find different versions for one time; sluice fsck TABLE names each',
        ],
  )
})
