/** Random damage to a healthy table: every visible change is found, and there are no false findings. */
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FsckFindingEvent } from '../../src/model/run/event.ts'
import { openDuckDb } from '../../src/stores/duckdb/instance.ts'
import { fsckOf, perform } from '../real/operation-kit.ts'
import { ALL } from '../support/backend.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { falsify, makeHealthyTable, MODIFIED, type HealthyTable } from '../support/fsck-table.ts'
import { folderOf, HAVE_TABLES } from '../tables/shared-tables.ts'

/**
 * The same damage in every run, and random damage with SLUICE_TEST_ALL, because each check of a footer takes half a
 * second.
 */
const CHECKS = ALL ? { numRuns: 300 } : { numRuns: 12, seed: 20_261_121 }
/** A table whose pages have checksums. */
const SUMMED = 'delta-kernel-java/basic-with-checkpoint'

const work = temporaryFolder()
let healthy: HealthyTable
beforeAll(async () => {
  healthy = await makeHealthyTable(join(work.path, 'healthy'))
})
afterAll(() => work[Symbol.dispose]())

let copies = 0
async function damaged<T>(body: (table: HealthyTable) => Promise<T>): Promise<T> {
  const folder = join(work.path, `table-${copies++}`)
  cpSync(healthy.folder, folder, { recursive: true, preserveTimestamps: true })
  try {
    return await body({ ...healthy, folder })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function findingsOf(folder: string, deep: boolean): Promise<readonly FsckFindingEvent[]> {
  const { events, finished } = await perform(fsckOf(folder, { deep }))
  const found = events.filter((event) => event.type === 'fsck.finding').filter(({ level }) => level === 'finding')
  expect(finished.exitCode).toBe(found.length > 0 ? 1 : 0)
  return found
}

function flip(file: string, bit: number): void {
  const bytes = readFileSync(file)
  bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7))
  writeFileSync(file, bytes)
  utimesSync(file, MODIFIED / 1000, MODIFIED / 1000)
}

test('a truncated file is found by its size, and by its end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(2), fc.nat(), async (no, length) => {
      await damaged(async ({ folder, files }) => {
        const file = join(folder, files[no] as string)
        truncateSync(file, length % statSync(file).size)
        const kinds = (await findingsOf(folder, false)).map(({ finding }) => finding)
        expect(kinds).toEqual(['file-size', 'file-unreadable'])
      })
    }),
    CHECKS,
  )
})

test('any changed bit in a file of deletion vectors is found', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (bit) => {
      await damaged(async ({ folder, vector }) => {
        const file = join(folder, vector)
        flip(file, bit % (statSync(file).size * 8))
        const kinds = (await findingsOf(folder, false)).map(({ finding }) => finding)
        expect(kinds).toEqual(['vector-damaged'])
      })
    }),
    CHECKS,
  )
})

/** Checksums of the columns with statistics, as DuckDB reads them; null if it cannot. */
async function columnsOf(file: string): Promise<ReadonlyMap<string, number> | null> {
  using duck = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
  try {
    const result = await duck.connection.run(`SELECT * FROM read_parquet('${file}', hive_partitioning = false)`)
    const columns = await result.getColumns()
    // Some readers ignore the case of column names.
    const sums = result
      .columnNames()
      .map((name, i) => [name.toLowerCase(), crc32((columns[i] ?? []).map(String).join('|'))] as const)
    // Values inside lists have no statistics.
    return new Map(sums.filter(([name]) => name !== 'tags'))
  } catch {
    return null
  }
}

test('a changed bit in the footer is found, or all columns with statistics are unchanged', async () => {
  const before = await columnsOf(join(healthy.folder, healthy.files[0] as string))
  expect(before?.size).toBe(7)
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (bit) => {
      await damaged(async ({ folder, files }) => {
        const file = join(folder, files[0] as string)
        const bytes = readFileSync(file)
        const footer = bytes.readUInt32LE(bytes.length - 8) + 8
        flip(file, (bytes.length - footer) * 8 + (bit % (footer * 8)))
        if ((await findingsOf(folder, true)).length === 0) expect(await columnsOf(file)).toEqual(before)
      })
    }),
    CHECKS,
  )
})

test('statistics that exclude an existing value are found', async () => {
  const bounds = fc.constantFrom<readonly ['minValues' | 'maxValues', string, (n: number) => unknown]>(
    ['minValues', 'id', (n) => 1 + n],
    ['maxValues', 'id', (n) => 398 - n],
    ['minValues', 'price', (n) => 0.01 + n],
    ['maxValues', 'price', (n) => 498.74 - n],
    ['minValues', 'ratio', (n) => 0.126 + n],
    ['maxValues', 'ratio', (n) => 49.7 - n],
    ['minValues', 'name', (n) => `name ${String(2 + n).padStart(6, '0')}`],
    ['maxValues', 'name', (n) => `name ${String(398 - n).padStart(6, '0')}`],
    ['minValues', 'at', (n) => new Date(1_700_000_000_002 + n * 1000).toISOString()],
    ['maxValues', 'at', (n) => new Date(1_700_000_398_000 - n * 1000).toISOString()],
    ['maxValues', 'day', () => '2024-10-25'],
    ['minValues', 'day', () => '2024-01-02'],
  )
  await fc.assert(
    fc.asyncProperty(bounds, fc.nat(40), async ([side, column, value], n) => {
      await damaged(async ({ folder, files }) => {
        falsify(folder, files[0] as string, (stats) => (stats[side][column] = value(n)))
        for (const deep of [false, true]) {
          const found = await findingsOf(folder, deep)
          // Footers of float columns with NaN have no bounds, so the rows must be read.
          if (column === 'ratio' && !deep && found.length === 0) continue
          expect(found.map(({ finding, column: named }) => [finding, named])).toEqual([['statistics', column]])
        }
      })
    }),
    CHECKS,
  )
})

/** The last bytes of column chunks, which always belong to a page. */
async function pageEnds(file: string): Promise<readonly number[]> {
  using duck = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
  const result = await duck.connection.run(
    `SELECT least(coalesce(dictionary_page_offset, data_page_offset), data_page_offset) + total_compressed_size FROM parquet_metadata('${file}')`,
  )
  return (await result.getRows()).map(([end]) => Number(end) - 1)
}

test.skipIf(!HAVE_TABLES)(
  'a changed bit in a page is found only by reading the page back, if pages have checksums',
  async () => {
    const folder = join(work.path, 'summed')
    cpSync(folderOf(SUMMED), folder, { recursive: true })
    expect(await findingsOf(folder, true)).toEqual([])
    const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.parquet')) as string)
    const ends = await pageEnds(file)
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(7), async (no, bit) => {
        const at = (ends[no % ends.length] as number) * 8 + bit
        flip(file, at)
        expect(await findingsOf(folder, false)).toEqual([])
        const deep = await findingsOf(folder, true)
        flip(file, at)
        expect(deep.length).toBeGreaterThan(0)
        expect(deep.every(({ finding }) => /^(page-checksum|file-unreadable|statistics)$/.test(finding))).toBe(true)
      }),
      CHECKS,
    )
  },
)
