/**
 * Changed bits in footers of real files by several writers: each is found if it changes what DuckDB reads, or prevents
 * reading.
 */
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import type { FsckFindingEvent } from '../../src/model/run/event.ts'
import { openDuckDb, type DuckDb } from '../../src/stores/duckdb/instance.ts'
import { fsckOf, perform } from '../real/operation-kit.ts'
import { ALL } from '../support/backend.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { folderOf, HAVE_TABLES } from '../tables/shared-tables.ts'

const FLIPS = ALL ? 400 : 40

const work = temporaryFolder()
afterAll(() => work[Symbol.dispose]())

type Copy = { readonly folder: string; readonly file: string; readonly bytes: Buffer }

let copies = 0
function copied(table: string, part = ''): Copy {
  const folder = join(work.path, `table-${copies++}`)
  cpSync(folderOf(table), folder, { recursive: true })
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.parquet') && !entry.parentPath.includes('_delta_log'))
    .map((entry) => join(entry.parentPath, entry.name))
  const file = files.toSorted().find((path) => path.includes(part)) as string
  chmodSync(file, 0o644)
  return { folder, file, bytes: readFileSync(file) }
}

/** Names, types and values as DuckDB reads them, or `unreadable`. */
async function readBack(duck: DuckDb, file: string): Promise<string> {
  try {
    const result = await duck.connection.run(`SELECT * FROM read_parquet('${file}', hive_partitioning = false)`)
    const columns = await result.getColumns()
    const types = result.columnTypes()
    // Some readers ignore the case of column names.
    const facts = result
      .columnNames()
      .map((name, i) => `${name.toLowerCase()} ${String(types[i])} ${crc32((columns[i] ?? []).map(String).join('|'))}`)
    return facts.toSorted().join('; ')
  } catch {
    return 'unreadable'
  }
}

async function findingsOf(folder: string): Promise<readonly FsckFindingEvent[]> {
  const { events, finished } = await perform(fsckOf(folder, { deep: true }))
  const found = events.filter((event) => event.type === 'fsck.finding').filter(({ level }) => level === 'finding')
  expect(finished.exitCode).toBe(found.length > 0 ? 1 : 0)
  return found
}

function flip({ bytes, file }: Copy, at: number, mask: number): void {
  const changed = Buffer.from(bytes)
  changed[at] = (changed[at] as number) ^ mask
  writeFileSync(file, changed)
}

/** The same pseudo-random numbers in every run. */
function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state / 2 ** 32
  }
}

describe.skipIf(!HAVE_TABLES)('one bit of a footer', () => {
  const known: readonly (readonly [string, string, number, number, RegExp])[] = [
    ['delta-golden/data-reader-primitives', 'part-00001-09e47b80', 1692, 0x02, /as_double/],
    ['delta-golden/data-reader-primitives', 'part-00001-09e47b80', 1518, 0x02, /as_long/],
    ['delta-golden/parquet-decimal-type', '', 885, 0x08, /logical type has 2 values instead of one/],
    ['dat-v0.0.3/all_primitive_types', '', 1165, 0x08, /before the end of another column/],
  ]
  test.each(known)('%s %s, %i before the end', async (table, part, fromEnd, mask, expected) => {
    const copy = copied(table, part)
    expect(await findingsOf(copy.folder)).toEqual([])
    flip(copy, copy.bytes.length - fromEnd, mask)
    const found = await findingsOf(copy.folder)
    expect(found.map(({ detail }) => detail).join()).toMatch(expected)
  })

  test.each([
    'delta-golden/data-reader-primitives',
    'dat-v0.0.3/all_primitive_types',
    'delta-golden/basic-decimal-table',
    'delta-rs/issue_1374',
  ])('%s: each changed bit is found, or changes nothing', async (table) => {
    const copy = copied(table)
    using duck = await openDuckDb({ threads: 1, memoryLimit: '256MB' })
    const before = await readBack(duck, copy.file)
    const { length } = copy.bytes
    const footer = copy.bytes.readUInt32LE(length - 8)
    const next = numbersFrom(20_261_121)
    for (let left = FLIPS; left > 0;) {
      const at = length - 8 - footer + Math.floor(next() * footer)
      const mask = 1 << Math.floor(next() * 8)
      flip(copy, at, mask)
      left--
      if ((await readBack(duck, copy.file)) === before) continue
      expect(await findingsOf(copy.folder), `byte ${at} of ${length}, bits ${mask}`).not.toEqual([])
    }
    rmSync(copy.folder, { recursive: true })
  })
})
