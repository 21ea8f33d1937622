/**
 * Random histories of a synchronized catalog: a log that grows and is cleaned between imports gives the answers of one
 * import of the rest, and a pruned catalog gives the same answers for every version that it kept.
 */
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import { acquireLease, releaseLease } from '../../src/catalog/lease.ts'
import { pruneTable } from '../../src/catalog/prune.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { validated } from '../real/validate-setup.ts'
import { answersOf } from '../support/answers.ts'
import { runsOf } from '../support/backend.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import {
  holderOf,
  add,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'

const RUNS = runsOf(8, 3, 30)

const names = ['a', 'b', 'c', 'd'] as const
const line = fc.oneof<fc.Arbitrary<Line>[]>(
  fc
    .record({ name: fc.constantFrom(...names), size: fc.nat(9), day: fc.constantFrom('1', '2', '3') })
    .map(({ name, size, day }) =>
      add(name, { size, partitionValues: { day }, stats: JSON.stringify({ numRecords: size }) }),
    ),
  fc.constantFrom(...names).map((name) => remove(name)),
  fc
    .record({ app: fc.constantFrom('x', 'y'), version: fc.nat(9) })
    .map(({ app, version }) => ({ txn: { appId: app, version } })),
  fc
    .record({ domain: fc.constantFrom('p', 'q'), removed: fc.boolean() })
    .map(({ domain, removed }) => ({ domainMetadata: { domain, configuration: '{}', removed } })),
  fc.constantFrom('one', 'two').map((name) => ({
    metaData: { ...(METADATA['metaData'] as object), name },
  })),
)
const history = fc
  .array(fc.array(line, { maxLength: 4 }), { minLength: 3, maxLength: 10 })
  .map((commits) => commits.map((lines, i) => (i === 0 ? [PROTOCOL, METADATA, ...lines] : lines)))

async function expectProved(database: SqlDatabase, table: string): Promise<void> {
  const { events } = await validated({ catalog: database, log: openLocalLog(table), tableId: 't' }, 3)
  expect(events.filter(({ type }) => type === 'verify.mismatch')).toEqual([])
}

async function prune(database: SqlDatabase, historyFrom: number, stepRows: number): Promise<void> {
  const lease = await acquireLease(database, 't', holderOf('prune'))
  try {
    await pruneTable({ database, tableId: 't', lease, abort: NEVER.abort, stepRows }, historyFrom, Date.now())
  } finally {
    await releaseLease(database, lease)
  }
}

test(
  'after a log grew and was cleaned, with any batch size, the catalog answers like a fresh import',
  { timeout: 240_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.nat(9),
        fc.nat(9),
        fc.boolean(),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 12 }),
        async (commits, known, base, ownCommit, batchSize, maxEvents) => {
          using folder = temporaryFolder()
          const table = join(folder.path, 'table')
          const first = 1 + (known % (commits.length - 1))
          const at = first + (base % (commits.length - first))
          await using synced = await openCatalog(join(folder.path, 'synced.db'))
          writeLog(table, commits.slice(0, first))
          await importInto(synced, table)
          writeLog(table, commits)
          writeCheckpoint(table, at, checkpointOf(commits, at))
          dropCommits(table, 0, ownCommit ? at - 1 : at)
          await importInto(synced, table, { batchSize, maxEvents, stepRows: 2 })
          await expectProved(synced, table)
          await using fresh = await openCatalog(join(folder.path, 'fresh.db'))
          await importInto(fresh, table)
          // If all commits above the known version still exist, the catalog keeps the older history.
          const { historyFrom } = await readableTable(synced, { tableId: 't' })
          expect(historyFrom).toBe(at === first && ownCommit ? 0 : at)
          if (historyFrom === at) expect(await answersOf(synced, 't')).toBe(await answersOf(fresh, 't'))
          expect((await importInto(synced, table)).status).toBe('current')
        },
      ),
      { numRuns: RUNS },
    )
  },
)

test(
  'a pruned catalog gives the same answers for the kept versions, and can be updated',
  { timeout: 240_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.nat(9),
        fc.nat(9),
        fc.integer({ min: 1, max: 5 }),
        async (commits, known, to, stepRows) => {
          using folder = temporaryFolder()
          const table = join(folder.path, 'table')
          const first = 1 + (known % commits.length)
          const historyFrom = to % first
          await using database = await openCatalog(join(folder.path, 'c.db'))
          await using whole = await openCatalog(join(folder.path, 'whole.db'))
          writeLog(table, commits.slice(0, first))
          await importInto(database, table)
          const before = await answersOf(database, 't', historyFrom)
          await prune(database, historyFrom, stepRows)
          expect(await answersOf(database, 't')).toBe(before)
          await expectProved(database, table)
          writeLog(table, commits)
          await importInto(database, table, { batchSize: 1 })
          await importInto(whole, table)
          expect(await answersOf(database, 't')).toBe(await answersOf(whole, 't', historyFrom))
          await expectProved(database, table)
        },
      ),
      { numRuns: RUNS },
    )
  },
)
