/**
 * Random histories through the importer: with any batch size, any split of the log, and any stop and resume the catalog
 * is the same, and every version equals a simple replay of the lines.
 */
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { activeFiles } from '../../src/catalog/query/files.ts'
import { countsAt } from '../../src/catalog/query/counts.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import {
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
import { runsOf } from '../support/backend.ts'

/** Fewer runs on a server, which is slower and has the same SQL. */
const RUNS = runsOf(30, 4, 60)

/**
 * Few names, so that keys repeat: re-adds, removes of unknown files, both in one commit, and other spellings of a path.
 */
const names = ['a.parquet', 'b.parquet', './b.parquet', 'c%20d.parquet', 'c d.parquet', 'day=2024/e.parquet'] as const
const vectors = [
  undefined,
  { storageType: 'u', pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^', offset: 4, sizeInBytes: 40, cardinality: 6 },
] as const

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      name: fc.constantFrom(...names),
      dv: fc.constantFrom(0, 1),
      size: fc.integer({ min: 0, max: 9 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      name: fc.constantFrom(...names),
      dv: fc.constantFrom(0, 1),
      size: fc.constant(0),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('txn' as const, 'unknown' as const),
      name: fc.constantFrom('app', 'b'),
      dv: fc.constant(0),
      size: fc.integer({ min: 0, max: 9 }),
    }),
  },
)
const history = fc.array(fc.array(action, { maxLength: 5 }), { minLength: 1, maxLength: 9 })

type Step = {
  readonly kind: 'add' | 'remove' | 'txn' | 'unknown'
  readonly name: string
  readonly dv: number
  readonly size: number
}

function lineOf({ kind, name, dv, size }: Step): Line {
  const deletionVector = vectors[dv]
  const more = deletionVector === undefined ? {} : { deletionVector }
  if (kind === 'add') return add(name, { size, stats: JSON.stringify({ numRecords: size + 10 }), ...more })
  if (kind === 'remove') return remove(name, more)
  if (kind === 'txn') return { txn: { appId: name, version: size } }
  return { somethingNew: { size } }
}

/** The reference implementation: applies the lines one after the other to a map. */
function replay(commits: readonly (readonly Step[])[], upTo: number): { files: string[]; bytes: number; rows: number } {
  const live = new Map<string, Step>()
  for (const commit of commits.slice(0, upTo + 1)) {
    for (const step of commit) {
      const key = `${decodeURIComponent(step.name).replace(/^\.\//, '')}|${step.dv}`
      if (step.kind === 'add') live.set(key, step)
      else if (step.kind === 'remove') live.delete(key)
    }
  }
  const steps = [...live.values()]
  return {
    files: steps.map((step) => `${step.name}|${step.dv}|${step.size}`).toSorted(),
    bytes: steps.reduce((sum, { size }) => sum + size, 0),
    rows: steps.reduce((sum, { size, dv }) => sum + size + 10 - (dv === 1 ? 6 : 0), 0),
  }
}

async function expectVersions(database: SqlDatabase, commits: readonly (readonly Step[])[]): Promise<void> {
  for (let version = 0; version < commits.length; version++) {
    const files: string[] = []
    for await (const page of activeFiles(database, 't', version)) {
      for (const file of page) files.push(`${file.path}|${file.dvId === null ? 0 : 1}|${file.size}`)
    }
    const expected = replay(commits, version)
    expect(files.toSorted()).toEqual(expected.files)
    const counts = await countsAt(database, 't', version)
    expect([counts.files, counts.bytes, counts.rows]).toEqual([expected.files.length, expected.bytes, expected.rows])
  }
}

const linesOf = (commits: readonly (readonly Step[])[]): (readonly Line[])[] =>
  commits.map((commit, i) => [...(i === 0 ? [PROTOCOL, METADATA] : []), ...commit.map(lineOf)])

test('every batch size and every split gives the same catalog, and every version equals a simple replay', async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 12 }),
      async (commits, batchSize, maxEvents) => {
        using folder = temporaryFolder()
        const table = join(folder.path, 'table')
        writeLog(table, linesOf(commits))
        await using whole = await openCatalog(join(folder.path, 'whole.db'))
        await importInto(whole, table)
        await expectVersions(whole, commits)
        await using cut = await openCatalog(join(folder.path, 'cut.db'))
        await importInto(cut, table, { batchSize, maxEvents })
        await expectVersions(cut, commits)
        // File numbers agree in both catalogs; only the time at which indexes are created differs.
        expect(await dumpCatalog(cut)).toBe(await dumpCatalog(whole))
      },
    ),
    { numRuns: RUNS },
  )
})

test('a log that grows between imports, with stops after any batch, ends in the catalog of a single import', async () => {
  await fc.assert(
    fc.asyncProperty(
      history,
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 0, max: 6 }),
      async (commits, grown, stopAfter) => {
        using folder = temporaryFolder()
        const table = join(folder.path, 'table')
        const lines = linesOf(commits)
        const first = Math.max(1, Math.min(grown, lines.length))
        await using parts = await openCatalog(join(folder.path, 'parts.db'))
        writeLog(table, lines.slice(0, first))
        const interrupt = new Interrupter()
        let batches = 0
        const stopped = await importInto(parts, table, {
          batchSize: 1,
          interrupt,
          onProgress: () => void (++batches > stopAfter && interrupt.requestStop()),
        })
        expect(['completed', 'stopped']).toContain(stopped.status)
        writeLog(table, lines.slice(first), first)
        await importInto(parts, table, { batchSize: 2 })
        await importInto(parts, table)
        await expectVersions(parts, commits)

        await using whole = await openCatalog(join(folder.path, 'whole.db'))
        await importInto(whole, table)
        const body = (dump: string): string => dump.slice(0, dump.indexOf('migration_status'))
        expect(body(await dumpCatalog(parts))).toBe(body(await dumpCatalog(whole)))
      },
    ),
    { numRuns: RUNS },
  )
})
