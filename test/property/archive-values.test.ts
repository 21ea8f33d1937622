/**
 * Random values of a column, also hostile ones: partition names differ, and no row is lost or duplicated by archive and
 * restore.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askedFor } from '../../src/archive/work/named-partitions.ts'
import { valueLabel } from '../../src/archive/plan/value-label.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import {
  addOrders,
  done,
  makeOrders,
  named,
  orderCommands,
  ORDERS,
  plannedValues,
  whole,
  type Orders,
} from '../support/value-places.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))
const TYPE = { sqlite: 'TEXT COLLATE NOCASE', postgresql: 'text', mysql: 'varchar(100)' } as const

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const HOSTILE = [
  null,
  '',
  ' ',
  'NULL',
  'null',
  '"NULL"',
  '"',
  "'; DROP TABLE orders; --",
  '../../etc/passwd',
  '/',
  '.',
  '..',
  'a=b/c=d',
  '%2F',
  'eu',
  'EU',
  'eu ',
  ' eu',
  'eu.part2',
  'eu.part2.part3',
  '__HIVE_DEFAULT_PARTITION__',
  '\n',
  '\r\n\t',
  '\u001b[31m',
  '\u202e',
  '\u200b',
  'é',
  'e\u0301',
  '😀',
  '\\',
  '\\u0041',
  '$1',
  '?',
  ':a',
  '{}',
  '2024-Q1',
  'İ',
  'ß',
  'SS',
]
/** Texts that a database accepts: without NUL, and well-formed. */
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !text.includes('\0')) },
)

it('different values have different labels, and a label finds its partition', () => {
  const any = fc.oneof(value, fc.string({ unit: 'binary', maxLength: 30 }))
  fc.assert(
    fc.property(any, any, (one, other) => {
      const [label, second] = [valueLabel(one), valueLabel(other)]
      if (one !== other) expect(label).not.toBe(second)
      expect(label).toMatch(/^\S(?:.*\S)?$/)
      expect(label).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
      const part = { label, period: label, part: 1 }
      expect(askedFor(null, label, [])).toEqual({ label, period: label, whole: true })
      expect(askedFor(null, label, [part])).toEqual({ label, period: label, whole: true })
      expect(askedFor(null, `${label}.part2`, [part])).toEqual({ label: `${label}.part2`, period: label, whole: false })
    }),
    { numRuns: ALL ? 20_000 : 2000 },
  )
})

/** Values by label, with the expected number of rows. */
function counted(values: readonly (string | null)[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const one of values) counts.set(valueLabel(one), (counts.get(valueLabel(one)) ?? 0) + 1)
  return counts
}

/** Partition labels in the log, each with the labels of the values in its files. */
async function filed({ archive }: Orders): Promise<ReadonlyMap<string, readonly string[]>> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const log = join(archive, '_delta_log')
  const found = new Map<string, readonly string[]>()
  for (const name of readdirSync(log).filter((one) => /^\d{20}\.json$/.test(one))) {
    for (const line of readFileSync(join(log, name), 'utf8').trim().split('\n')) {
      const { add } = JSON.parse(line) as { add?: { path: string; partitionValues: Record<string, string> } }
      if (add === undefined) continue
      const path = join(archive, decodeURIComponent(add.path)).replaceAll("'", "''")
      const rows = await connection.runAndReadAll(
        `SELECT DISTINCT region FROM read_parquet('${path}', hive_partitioning = false)`,
      )
      const values = rows.getRows().map(([one]) => valueLabel(one as string | null))
      found.set(Object.values(add.partitionValues).join(), values)
    }
  }
  connection.closeSync()
  instance.closeSync()
  return found
}

describe.each(SYSTEMS)('%s', (system) => {
  const why = WITHOUT.get(system) ?? ''

  it.skipIf(why !== '')(`loses and duplicates no row${why}`, { timeout: 240_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 1, maxLength: 12 }),
        fc.array(value, { maxLength: 3 }),
        fc.infiniteStream(fc.boolean()),
        async (values, late, picks) => {
          const orders = await makeOrders(await makePlace(system, folder.path), folder.path, TYPE[system], values)
          const { plan, run, drop, restore, verify } = orderCommands(orders)
          const isWhole = async (): Promise<void> => {
            const [now, wanted] = await whole(orders)
            expect(now).toBe(wanted)
          }
          const reference = counted(values)
          const planned = plannedValues(await done(plan)).toSorted()
          expect(planned).toEqual([...reference].map(([label, rows]) => `${label} later ${rows}`).toSorted())
          const labels = [...reference.keys()].filter((_, i) => i === 0 || picks.next().value === true)
          await done(named(run, ...labels))
          await isWhole()
          expect([...(await filed(orders))].toSorted()).toEqual(labels.map((label) => [label, [label]]).toSorted())
          await addOrders(orders, late)
          await isWhole()
          await done(drop)
          await isWhole()
          const back = [...late.map((one) => valueLabel(one)), ...labels].filter((label) => labels.includes(label))
          await done(named(run, ...new Set(back)))
          await isWhole()
          await done(drop)
          await done(verify)
          await isWhole()
          const left = [...orders.rows.values()].filter((one) => !labels.includes(valueLabel(one)))
          expect(await orders.place.rows(`SELECT count(*) FROM ${ORDERS}`)).toEqual([[`${left.length}`]])
          await done(named(restore, ...labels))
          await isWhole()
          const rows = await orders.place.rows(`SELECT id, region FROM ${ORDERS} ORDER BY id`)
          expect(rows).toEqual([...orders.rows].map(([id, one]) => [String(id), one]))
          expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
        },
      ),
      { numRuns: ALL ? 20 : 2 },
    )
  })
})
