/**
 * Logs that `export-log` writes, compared with the original ones: a reader gives the same rows and schema, or refuses
 * both, with all commits and with only those from the exported checkpoint on.
 */
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { identifier, sqlLiteral, type DuckDb } from '../../src/stores/duckdb/instance.ts'
import { importInto, openCatalog, temporaryFolder } from '../support/catalog-kit.ts'
import { ALL } from '../support/backend.ts'
import { exportTo } from '../real/export-kit.ts'
import { expectedTables, folderOf, HAVE_TABLES, isHuge, type ExpectedTable } from '../tables/shared-tables.ts'
import { rowsDatabase } from './compared.ts'
import { Judge, JUDGES, JUDGES_MISSING, type JudgeName, type Reading } from './judge.ts'

const why = JUDGES_MISSING || (HAVE_TABLES ? '' : 'skipped: ../shared/tables is not there')
const DAY = Math.floor(Date.now() / 86_400_000)
/** In CI each reader gets one of so many tables per day; Spark gets the fewest. */
const SHARES: Readonly<Record<JudgeName, number>> = { deltalake: 10, polars: 10, duckdb: 10, 'delta-spark': 40 }
/** Small tables find the same errors in a log as large ones, and are faster. */
const MOST_FILES = 200
const MOST_BYTES = 3_000_000

const whole = expectedTables().filter(
  (table) =>
    table.replayed !== null &&
    table.replayed.error === undefined &&
    table.stated.must_fail !== true &&
    !isHuge(table) &&
    table.replayed.numFiles <= MOST_FILES &&
    table.replayed.sizeBytes <= MOST_BYTES &&
    !table.features.some((feature) => feature.startsWith('catalogManaged')),
)
const todays = (name: JudgeName): readonly ExpectedTable[] =>
  ALL ? whole : whole.filter((_, i) => (i + DAY) % SHARES[name] === 0)

describe.skipIf(why !== '').each(JUDGES)(`%s reads exported logs ${why}`, (name) => {
  let judge: Judge
  let db: DuckDb
  let read = 0
  beforeAll(async () => {
    db = await rowsDatabase()
    judge = await Judge.start(name)
  }, 120_000)
  afterAll(async () => {
    db[Symbol.dispose]()
    await judge[Symbol.asyncDispose]()
  })

  test.each(todays(name).map((one) => [one.table] as const))('%s', { timeout: 120_000 }, async (table) => {
    using folder = temporaryFolder()
    const catalog = join(folder.path, 'catalog.db')
    // Absolute paths, also of shallow clones, refer to the original table.
    const original = folderOf(table)
    {
      await using database = await openCatalog(catalog)
      await importInto(database, original)
    }
    const copy = join(folder.path, 'copy')
    mkdirSync(copy)
    for (const one of readdirSync(original)) if (one !== '_delta_log') symlinkSync(join(original, one), join(copy, one))
    await exportTo(catalog, copy, 'latest', 0)
    const wanted = await judge.ask({ root: original })
    if (!('refused' in wanted)) read++
    expect(await difference(db, wanted, await judge.ask({ root: copy })), 'all commits').toEqual([])

    const log = join(copy, '_delta_log')
    const newest = Math.max(
      ...readdirSync(log).map((one) => (one.includes('.checkpoint.') ? Number.parseInt(one, 10) : -1)),
    )
    const later = join(folder.path, 'later')
    cpSync(copy, later, { recursive: true, verbatimSymlinks: true })
    for (const one of readdirSync(join(later, '_delta_log'))) {
      if (one.endsWith('.json') && /^\d/.test(one) && Number.parseInt(one, 10) < newest)
        rmSync(join(later, '_delta_log', one))
    }
    expect(await difference(db, wanted, await judge.ask({ root: later })), 'from the checkpoint').toEqual([])
  })

  // A day's few tables may be just those that a reader refuses.
  test.runIf(ALL)('most tables are read', () => {
    expect(read).toBeGreaterThan(whole.length / 2)
  })
})

type Asked = Reading | { readonly refused: string }

/** Differences between two answers as text; empty if a reader refuses both. */
async function difference(db: DuckDb, one: Asked, other: Asked): Promise<readonly string[]> {
  if ('refused' in one || 'refused' in other) {
    if ('refused' in one && 'refused' in other) return []
    return ['refused' in one ? 'only the exported log is read' : `refused: ${'refused' in other ? other.refused : ''}`]
  }
  expect(other.schema).toEqual(one.schema)
  expect(other.partitionColumns).toEqual(one.partitionColumns)
  const described = await (await db.connection.run(`DESCRIBE FROM read_parquet(${sqlLiteral(one.rows)})`)).getRows()
  // Maps are compared in the order of their entries.
  const columns = described.map(([column]) => `${identifier(String(column))}::VARCHAR`).join(', ')
  const rows = (of: Reading): string => `SELECT ${columns} FROM read_parquet(${sqlLiteral(of.rows)})`
  const found: string[] = []
  for (const [left, right] of [
    [one, other],
    [other, one],
  ] as const) {
    const result = await db.connection.run(
      `SELECT found::VARCHAR FROM ((${rows(left)}) EXCEPT ALL (${rows(right)}) LIMIT 3) AS found`,
    )
    found.push(...(await result.getRows()).map(([row]) => String(row)))
  }
  return found
}
