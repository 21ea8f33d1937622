/** The views of the catalog compared with the log, and every query of docs/reference/CATALOG.md unchanged. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { SqlDatabase, SqlRow } from '../../src/model/run/sql-port.ts'
import { BACKEND } from '../support/backend.ts'
import {
  add,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Folder,
  type Line,
} from '../support/catalog-kit.ts'

const MB = 2 ** 20
const DAY = 86_400_000
const START = Date.parse('2026-11-18T22:59:59.001Z')

const info = (timestamp: number, operation: string): Line => ({
  commitInfo: { timestamp, inCommitTimestamp: timestamp, operation, engineInfo: 'Test/1' },
})
const timed: Line = {
  metaData: {
    ...(METADATA['metaData'] as Line),
    configuration: { 'delta.enableInCommitTimestamps': 'true' },
  },
}
const protocol: Line = {
  protocol: {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['deletionVectors'],
    writerFeatures: ['deletionVectors', 'inCommitTimestamp'],
  },
}
const rows = (numRecords: number): Line => ({ stats: JSON.stringify({ numRecords }) })
const day = (text: string): Line => ({ partitionValues: { day: text } })
const vector: Line = {
  deletionVector: {
    storageType: 'u',
    pathOrInlineDv: 'vBn[lx{q8@P<9BNH/isA',
    offset: 1,
    sizeInBytes: 36,
    cardinality: 4,
  },
}

let folder: Folder
let database: SqlDatabase

beforeAll(async () => {
  folder = temporaryFolder()
  database = await openCatalog(join(folder.path, 'c.db'))
  writeLog(folder.path, [
    [
      info(START, 'WRITE'),
      protocol,
      timed,
      add('a', { ...rows(10), size: 10 * MB }),
      add('b', { ...rows(20), size: 40 * MB }),
    ],
    [
      info(START + 999, 'WRITE'),
      add('c', { ...rows(5), ...day('2024-01-02'), size: 31 * MB, modificationTime: 1_700_000_000_999 }),
    ],
    [info(START + DAY, 'DELETE'), remove('a'), add('a', { ...rows(10), ...vector, size: 10 * MB })],
    [
      info(START + DAY + 5, 'OPTIMIZE'),
      remove('c', day('2024-01-02')),
      add('d', { ...day('2024-01-02'), size: 300 * MB }),
    ],
  ])
  await importInto(database, folder.path)
  const other = join(folder.path, 'other')
  writeLog(other, [[PROTOCOL, METADATA], [add('x', { ...rows(1), size: 1 })], [add('y', { ...rows(1), size: 2 * MB })]])
  await importInto(database, other, { tableId: 'other' })
}, 60_000)

afterAll(async () => {
  await database.close()
  folder[Symbol.dispose]()
})

const from = async (view: string, columns: string, more = ''): Promise<readonly SqlRow[]> =>
  database.all(`SELECT ${columns} FROM ${view} WHERE table_id = 't' ${more}`)

it(`delta_history in ${BACKEND}`, async () => {
  const columns =
    'version, committed_at, commit_time, operation, engine, adds, removes, added_bytes, removed_bytes, num_files, num_bytes, num_records'
  expect(await from('delta_history', columns, 'ORDER BY version')).toEqual([
    [0, '2026-11-18T22:59:59.001Z', START, 'WRITE', 'Test/1', 2, 0, 50 * MB, 0, 2, 50 * MB, 30],
    [1, '2026-11-18T23:00:00.000Z', START + 999, 'WRITE', 'Test/1', 1, 0, 31 * MB, 0, 3, 81 * MB, 35],
    [2, '2026-11-19T22:59:59.001Z', START + DAY, 'DELETE', 'Test/1', 1, 1, 10 * MB, 10 * MB, 3, 81 * MB, 31],
    [3, '2026-11-19T22:59:59.006Z', START + DAY + 5, 'OPTIMIZE', 'Test/1', 1, 1, 300 * MB, 31 * MB, 3, 350 * MB, null],
  ])
  // A time beyond the calendar must not fail the view.
  await database.write((transaction) =>
    transaction.run("UPDATE delta_commits SET commit_time = 9007199254740991 WHERE table_id = 'other' AND version = 0"),
  )
  const odd = "SELECT committed_at FROM delta_history WHERE table_id = 'other' AND version = 0"
  expect(await database.all(odd)).toEqual([[null]])
  await database.write((transaction) =>
    transaction.run("UPDATE delta_commits SET commit_time = 0 WHERE table_id = 'other' AND version = 0"),
  )
  expect(await database.all(odd)).toEqual([['1970-01-01T00:00:00.000Z']])
})

it(`delta_partition_stats in ${BACKEND}`, async () => {
  const columns =
    'partition_values, num_files, num_bytes, num_records, smallest_file, largest_file, average_file, newest_modification, newest_modification_time'
  const time = 1_700_000_000_000
  expect(await from('delta_partition_stats', columns, 'ORDER BY partition_values')).toEqual([
    ['{"day":"2024-01-01"}', 2, 50 * MB, 26, 10 * MB, 40 * MB, 25 * MB, '2023-11-14T22:13:20.000Z', time],
    ['{"day":"2024-01-02"}', 1, 300 * MB, null, 300 * MB, 300 * MB, 300 * MB, '2023-11-14T22:13:20.000Z', time],
  ])
})

it(`delta_small_files in ${BACKEND}`, async () => {
  const columns =
    'partition_values, num_files, small_files, small_bytes, small_share + small_share, files_after_compaction'
  const [row] = await from('delta_small_files', columns)
  // A decimal is returned as text, a double as a number.
  expect(row?.map((value, i) => (i === 4 ? Number(value) : value))).toEqual([
    '{"day":"2024-01-01"}',
    2,
    1,
    10 * MB,
    1,
    2,
  ])
  expect(await from('delta_small_files', columns)).toHaveLength(1)
})

it(`delta_table_growth in ${BACKEND}`, async () => {
  const columns = `day, commits, version, num_files, num_bytes, num_records, num_files_change, num_bytes_change, num_records_change`
  expect(await from('delta_table_growth', columns, 'ORDER BY day')).toEqual([
    ['2026-11-18', 2, 1, 3, 81 * MB, 35, 3, 81 * MB, 35],
    ['2026-11-19', 2, 3, 3, 350 * MB, null, 0, 269 * MB, null],
  ])
})

it(`no view of ${BACKEND} shows anything above the current version`, async () => {
  const views = [
    'delta_history',
    'delta_partition_stats',
    'delta_small_files',
    'delta_table_growth',
    'delta_active_files',
  ]
  const seen = async (): Promise<unknown> =>
    Promise.all(views.map(async (view) => database.all(`SELECT count(*) FROM ${view} WHERE table_id = 'other'`)))
  const head = (version: number): Promise<number> =>
    database.write((transaction) =>
      transaction.run("UPDATE delta_tables SET current_version = ? WHERE table_id = 'other'", [version]),
    )
  expect(await seen()).toEqual([[[3]], [[1]], [[1]], [[2]], [[2]]])
  await head(1)
  expect(await seen()).toEqual([[[2]], [[1]], [[1]], [[2]], [[1]]])
  await head(0)
  expect(await seen()).toEqual([[[1]], [[0]], [[0]], [[1]], [[0]]])
  await head(2)
})

const page = readFileSync(resolve(import.meta.dirname, '../../docs/reference/CATALOG.md'), 'utf8')
const queries = [...page.matchAll(/^```sql\n(.*?)^```/gms)]
  .flatMap(([, block = '']) => block.split(/;\s*$/m))
  .map((query) => query.trim())
  .filter((query) => query !== '' && !/^DELETE/m.test(query))

it('finds the queries of docs/reference/CATALOG.md', () => expect(queries.length).toBeGreaterThan(15))

it.each(queries)(`runs in ${BACKEND}: %s`, async (query) => {
  const pages = database.query(query, { pageRows: 100, signal: new AbortController().signal })
  for await (const { columns } of pages) expect(columns.length).toBeGreaterThan(1)
})
