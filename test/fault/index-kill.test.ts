/**
 * kill -9 while ranges are built: right before and right after the COMMIT of each write transaction of `index`, and of
 * an import that updates ranges at its end. Queries in between return the files that statistics alone leave, and the
 * same command then has the same result as without a kill.
 */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import { activeFiles } from '../../src/catalog/query/files.ts'
import { prunedFiles, pruningAt, type CatalogPartitionValues } from '../../src/catalog/query/pruned.ts'
import { candidateFiles } from '../../src/catalog/ranges/candidates.ts'
import { rangeColumns } from '../../src/catalog/ranges/columns.ts'
import { proveRanges } from '../../src/catalog/validate/ranges.ts'
import { NEVER } from '../../src/shared/abort.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { BACKEND, catalogUrl, makeRoom, openAt, killMoments } from '../support/backend.ts'
import { add, dumpCatalog, PROTOCOL, remove, temporaryFolder, writeLog, type Line } from '../support/catalog-kit.ts'
import { childOf, copyCatalog } from './kill-kit.ts'

const child = await childOf('index-child.mjs')

const METADATA: Line = {
  metaData: {
    id: 'killed',
    format: { provider: 'parquet', options: {} },
    schemaString:
      '{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"name","type":"string","nullable":true,"metadata":{}}]}',
    partitionColumns: [],
    configuration: {},
  },
}
const name = (i: number): string => `n${String(i).padStart(6, '0')}`

function file(i: number): Line {
  const stats = {
    numRecords: 2,
    minValues: { id: i * 10, name: name(i) },
    maxValues: { id: i * 10 + 9, name: name(i) },
    nullCount: { id: 0, name: i % 1000 === 0 ? 1 : 0 },
  }
  return add(`f${i}`, { partitionValues: {}, stats: JSON.stringify(stats) })
}

const files = (from: number, count: number): readonly Line[] => Array.from({ length: count }, (_, i) => file(from + i))
const COMMITS: readonly (readonly Line[])[] = [
  [PROTOCOL, METADATA, ...files(0, 3_100)],
  [remove('f1234'), remove('f3000'), ...files(3_100, 1_500)],
  [remove('f10'), file(1234), add('bare', { partitionValues: {} })],
]
const CONDITIONS = [
  'id = 12345',
  'id BETWEEN 29995 AND 31005',
  'id = 45995',
  "name = 'n003000'",
  'name IS NULL',
  "id < 200 AND name > 'n000005'",
]

type What = 'import' | 'index'

async function paths(database: SqlDatabase, version: number, where: string): Promise<readonly string[]> {
  const found: string[] = []
  const pruning = await pruningAt(database, 't', version, where)
  for await (const page of prunedFiles(database, 't', version, pruning)) found.push(...page.map(({ path }) => path))
  return found.toSorted()
}

/**
 * The same from the statistics of every file, computed once: they come from the log, so every catalog has the same
 * result.
 */
async function pathsByForce(database: SqlDatabase, version: number, where: string): Promise<readonly string[]> {
  const question = `${version} ${where}`
  const known = byForce.get(question)
  if (known !== undefined) return known
  const found: string[] = []
  const pruning = await pruningAt(database, 't', version, where)
  for await (const page of activeFiles(database, 't', version)) {
    for (const one of page) {
      if (pruning.byFile(JSON.parse(one.partitionValues) as CatalogPartitionValues, one.stats)) found.push(one.path)
    }
  }
  byForce.set(question, found.toSorted())
  return found.toSorted()
}
const byForce = new Map<string, readonly string[]>()

/** Runs all queries at every version. @returns how far the ranges are built */
async function expectRightAnswers(catalog: string, when: string): Promise<string> {
  await using database = await openAt(catalog, 'read')
  const { latest } = await readableTable(database, { tableId: 't' })
  for (let version = 0; version <= latest; version++) {
    for (const where of CONDITIONS) {
      expect(await paths(database, version, where), `${where} at version ${version}, ${when}`).toEqual(
        await pathsByForce(database, version, where),
      )
    }
  }
  const reported: unknown[] = []
  await database.read((reader) => proveRanges(reader, 't', NEVER.abort, async (one) => void reported.push(one)))
  expect(reported, when).toEqual([])
  const columns = await rangeColumns(database, 't')
  return columns.map(({ builtTo, builtVersion }) => `${builtTo}@${builtVersion}`).join(' ')
}

const RANGES = {
  delta_range_columns: 'table_id, column_no, name, physical_path, kind, built_to, built_version',
  delta_range_zones: '*',
  delta_file_ranges: '*',
} as const

async function dump(catalog: string): Promise<string> {
  await using database = await openAt(catalog, 'read')
  const parts = [await dumpCatalog(database)]
  for (const [relation, columns] of Object.entries(RANGES)) {
    const rows = await database.all(`SELECT ${columns} FROM ${relation}`)
    const texts = rows.map((row) =>
      row.map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value))).join(),
    )
    parts.push(`${relation}\n${texts.toSorted().join('\n')}`)
  }
  return parts.join('\n')
}

/** @returns the distinct states of the ranges at the kills */
async function killEverywhere(what: What): Promise<ReadonlySet<string>> {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const log = join(table, '_delta_log')
  const [early, late] = [join(folder.path, 'early'), join(folder.path, 'late')]
  writeLog(early, COMMITS.slice(0, what === 'import' ? 1 : 2))
  writeLog(late, COMMITS.slice(0, what === 'import' ? 3 : 2))
  const show = (which: string): void => {
    rmSync(log, { recursive: true, force: true })
    cpSync(join(which, '_delta_log'), log, { recursive: true, preserveTimestamps: true })
  }
  const prepare = async (catalog: string): Promise<void> => {
    const url = await makeRoom(catalog)
    show(early)
    await child.here('import', url, table)
    if (what === 'import') await child.here('index', url, table)
    show(late)
  }
  const original = join(folder.path, 'original.db')
  await prepare(original)
  const prepared = async (called: string): Promise<string> => {
    const catalog = join(folder.path, called)
    if (!copyCatalog(original, catalog)) await prepare(catalog)
    return catalog
  }
  const clean = await prepared('clean.db')
  const writes = await child.here(what, catalogUrl(clean), table)
  const states = new Set<string>()
  const end = await expectRightAnswers(clean, 'undisturbed')
  const expected = await dump(clean)
  for (const [when, at] of killMoments(writes, 6, 24)) {
    const moment = `killed ${when} write ${at} of ${writes}`
    const catalog = await prepared(`${when}-${at}.db`)
    const words = [what, catalogUrl(catalog), table]
    expect(child.run(...words, when, at), moment).toBe('killed')
    states.add(await expectRightAnswers(catalog, moment))
    // Killed again, some steps into the next run.
    child.run(...words, 'before', 4)
    states.add(await expectRightAnswers(catalog, `${moment}, and again`))
    await child.here(...words)
    expect(await expectRightAnswers(catalog, `${moment}, then run again`)).toBe(end)
    expect(await dump(catalog), moment).toBe(expected)
  }
  // Complete ranges are used for answers; otherwise this test would prove nothing.
  await using database = await openAt(clean, 'read')
  const { bound } = await pruningAt(database, 't', 1, 'id = 12345')
  expect((await candidateFiles(database, 't', bound, Infinity))?.numbers.length).toBeLessThan(5)
  return states
}

describe(`answers are correct after kill -9 while ranges are built in ${BACKEND}`, () => {
  test('by index', { timeout: 400_000 }, async () => {
    const states = await killEverywhere('index')
    // States: none, begun, and after each of its windows.
    expect(states.size).toBeGreaterThan(BACKEND === 'sqlite' ? 2 : 0)
  })

  test('by an import that adds new files', { timeout: 400_000 }, async () => {
    const states = await killEverywhere('import')
    expect(states.size).toBeGreaterThan(BACKEND === 'sqlite' ? 2 : 0)
  })
})
