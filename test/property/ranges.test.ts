/**
 * Ranges compared with a full scan: for any files, statistics and conditions, every file that the exact check keeps is
 * found by the ranges.
 */
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { activeFiles, numberedFiles, uncoveredFiles } from '../../src/catalog/query/files.ts'
import { prunedFiles, pruningAt, type CatalogPartitionValues } from '../../src/catalog/query/pruned.ts'
import { extendRanges } from '../../src/catalog/ranges/build.ts'
import { candidateFiles } from '../../src/catalog/ranges/candidates.ts'
import { rangeClassOf, type RangeClass } from '../../src/catalog/ranges/classes.ts'
import { addRangeColumns } from '../../src/catalog/ranges/manage.ts'
import { proveRanges } from '../../src/catalog/validate/ranges.ts'
import { leafColumns, parseSchema } from '../../src/delta/schema.ts'
import { NEVER } from '../../src/shared/abort.ts'
import type { Condition } from '../../src/model/lake/predicate.ts'
import { renderCondition } from '../support/render-predicate.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { ALL, BACKEND, runsOf } from '../support/backend.ts'
import { add, importInto, openCatalog, remove, temporaryFolder, writeLog, type Line } from '../support/catalog-kit.ts'
import { conditionOver, DATA, habits, rowOf, schemaOf, type Kinds } from '../support/conditions.ts'
import { statsOf } from '../support/lake-rows.ts'

const KINDS: Kinds = { part: 'long', ...DATA }
const SCHEMA = schemaOf(KINDS)
const METADATA: Line = {
  metaData: {
    id: 'ranges',
    format: { provider: 'parquet', options: {} },
    schemaString: SCHEMA,
    partitionColumns: ['part'],
    configuration: {},
  },
}
const PROTOCOL: Line = { protocol: { minReaderVersion: 1, minWriterVersion: 2 } }

const ODD_STATS = [
  '',
  'no json',
  '{}',
  '[1]',
  '{"numRecords":0,"minValues":{},"maxValues":{},"nullCount":{"id":0}}',
  '{"numRecords":2,"minValues":{"id":"x","name":"\\ud83d","at":"soon","price":"NaN"},"maxValues":{"id":1e500,"name":"\\ud83dz","price":"Infinity"}}',
  '{"numRecords":2,"minValues":{"id":1e-390,"at":"2024-01-01T00:00:00"},"maxValues":{"id":1.5,"at":"2024-01-01T00:00:00+01:00"}}',
  '{"numRecords":2,"tightBounds":false,"minValues":{"id":3},"maxValues":{"id":4},"nullCount":{"id":2,"ok":2}}',
  `{"numRecords":1,"minValues":{"id":${'9'.repeat(60)}},"maxValues":{"id":${'9'.repeat(60)}.5}}`,
  `{"numRecords":1,"minValues":{"id":-${'9'.repeat(60)}},"maxValues":{"id":-${'9'.repeat(59)}8}}`,
]

type MadeFile = { readonly part: number | null; readonly stats: string | null }

const file: fc.Arbitrary<MadeFile> = fc.record({
  part: fc.constantFrom(null, 1, 2, 3),
  stats: fc.oneof(
    { arbitrary: fc.constantFrom(null, ...ODD_STATS), weight: 1 },
    {
      arbitrary: fc
        .tuple(fc.array(rowOf(DATA), { minLength: 1, maxLength: 3 }), habits)
        .map(([rows, writer]) => statsOf(rows, DATA, writer)),
      weight: 8,
    },
  ),
})

/** Four commits fill two zones, and part of a third. */
const FILES_A_COMMIT = 600
/** Each backend has a seed, and so tables, of its own. */
const SEEDS = ALL ? [1, 2, 3, 4] : [{ sqlite: 1, postgresql: 2, mysql: 3, duckdb: 4 }[BACKEND]]

function commits(seed: number, count: number): readonly (readonly Line[])[] {
  const made = fc.sample(file, { seed, numRuns: count * FILES_A_COMMIT })
  const lines = made.map(({ part, stats }, i) =>
    add(`f${i}`, {
      partitionValues: { part: part === null ? null : String(part) },
      ...(stats === null ? {} : { stats }),
    }),
  )
  return Array.from({ length: count }, (_, version) => [
    ...(version === 0 ? [PROTOCOL, METADATA] : [remove(`f${version}`)]),
    ...lines.slice(version * FILES_A_COMMIT, (version + 1) * FILES_A_COMMIT),
  ])
}

const CLASSES = new Map(
  leafColumns(parseSchema(SCHEMA)).map(({ path, field }) => [path.join('.'), rangeClassOf(field) as RangeClass]),
)

function wanted(...names: readonly string[]) {
  return names.map((name) => ({ name, physicalPath: [name], kind: CLASSES.get(name) as RangeClass }))
}

type Tally = { droppable: number; dropped: number; used: number }

/** Queries with and without ranges; throws if the results differ. */
async function compare(database: SqlDatabase, version: number, given: Condition, tally: Tally): Promise<void> {
  const where = renderCondition(given)
  const pruning = await pruningAt(database, 't', version, where)
  const keeps = (one: { readonly partitionValues: string; readonly stats: string | null }): boolean =>
    pruning.byFile(JSON.parse(one.partitionValues) as CatalogPartitionValues, one.stats)
  const right = new Set<string>()
  let active = 0
  for await (const page of activeFiles(database, 't', version)) {
    for (const one of page) {
      active++
      if (keeps(one)) right.add(one.path)
    }
  }
  const through = new Set<string>()
  for await (const page of prunedFiles(database, 't', version, pruning)) for (const { path } of page) through.add(path)
  expect(through, where).toEqual(right)
  const found = await candidateFiles(database, 't', pruning.bound, Infinity)
  if (found === null) return
  tally.used++
  const seen: string[] = []
  const kept = new Set<string>()
  for (const files of [numberedFiles(database, 't', version, found), uncoveredFiles(database, 't', version, found)]) {
    for await (const page of files) {
      for (const one of page) {
        seen.push(one.path)
        if (keeps(one)) kept.add(one.path)
      }
    }
  }
  expect(kept, where).toEqual(right)
  expect(new Set(seen).size).toBe(seen.length)
  tally.droppable += active - right.size
  tally.dropped += active - seen.length
}

/** The validator accepts the ranges, whatever the statistics. */
async function expectProved(database: SqlDatabase, covered: number): Promise<void> {
  const reported: unknown[] = []
  const seen = await database.read((reader) =>
    proveRanges(reader, 't', NEVER.abort, async (difference) => void reported.push(difference)),
  )
  expect(reported).toEqual([])
  expect(seen).toEqual({ covered, found: covered })
}

test.each(SEEDS)(
  'with and without ranges every condition keeps the same files (seed %i)',
  async (seed) => {
    using folder = temporaryFolder()
    const log = commits(seed, 4)
    writeLog(folder.path, log.slice(0, 2))
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await importInto(database, folder.path)
    await addRangeColumns(database, 't', wanted('id', 'price', 'name', 'at'), 1)
    expect(await extendRanges(database, 't')).toBe(2 * FILES_A_COMMIT)
    // First the ranges cover only a part of the versions, then all of them, on all columns.
    const tally: Tally = { droppable: 0, dropped: 0, used: 0 }
    const ask = async (versions: readonly number[], numRuns: number): Promise<void> => {
      await fc.assert(
        fc.asyncProperty(conditionOver(KINDS), fc.constantFrom(...versions), async (given, version) => {
          await compare(database, version, given, tally)
        }),
        { seed, numRuns },
      )
    }
    await ask([0, 1], runsOf(20, 10, 20))
    await expectProved(database, 4 * 2 * FILES_A_COMMIT)
    writeLog(folder.path, log.slice(2), 2)
    await importInto(database, folder.path)
    await ask([1, 3], runsOf(20, 10, 20))
    await addRangeColumns(database, 't', wanted('ratio', 'amount', 'day', 'ok', 'id'), 2)
    await extendRanges(database, 't')
    expect(await extendRanges(database, 't')).toBe(0)
    await ask([0, 2, 3], runsOf(90, 24, 120))
    await expectProved(database, Object.keys(DATA).length * 4 * FILES_A_COMMIT)
    expect(tally.used).toBeGreaterThan(runsOf(50, 15, 60))
    expect(tally.dropped / tally.droppable).toBeGreaterThan(0.5)
  },
  120_000,
)
