/**
 * Both ways to apply changes to a table of MySQL, compared with a slow reference implementation: the same batches, row
 * by row, in the order that gives the batch its meaning.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Row } from '../../src/model/copy/rows.ts'
import { batches, batchOf, isUnique, rowByRow, reference, uniqueShift, type Model } from '../support/apply-twin.ts'
import { missing } from '../support/copy-systems.ts'
import { closingOf, makeTarget, type Target } from './mysql-apply-kit.ts'
import { changeTable, put, requestOf } from './postgresql-apply-kit.ts'

const absent = await missing('mysql')
/**
 * Additional rows, so many that a batch is loaded by LOAD DATA, and so many with unchanged values that it goes through
 * the staging table.
 */
const CROWD = 40

const PLAIN_BACKSLASHES = "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')"
const COLUMNS = 'a longtext COLLATE utf8mb4_bin, u int, at date'
const SHAPES: Readonly<Record<string, (name: string) => string>> = {
  merge: (name) => `CREATE TABLE ${name} (id int PRIMARY KEY, ${COLUMNS})`,
  unique: (name) => `CREATE TABLE ${name} (id int PRIMARY KEY, ${COLUMNS}, UNIQUE (u))`,
  computed: (name) =>
    `CREATE TABLE ${name} (id int PRIMARY KEY, ${COLUMNS}, g int GENERATED ALWAYS AS (u * 2) STORED, UNIQUE (g), UNIQUE (a(5), u))`,
  wide: (name) =>
    `CREATE TABLE ${name} (id int, ${COLUMNS}, PRIMARY KEY (id, at)) PARTITION BY RANGE COLUMNS (at)
     (PARTITION p1 VALUES LESS THAN ('2024-02-01'), PARTITION p2 VALUES LESS THAN (MAXVALUE))`,
}

describe.skipIf(absent !== '')(`changes applied to MySQL, and the same row by row ${absent}`, () => {
  let target: Target

  beforeAll(async () => {
    target = await makeTarget()
  })
  afterAll(async () => {
    await target.store[Symbol.asyncDispose]()
  })

  const rowsOf = (table: string): Promise<unknown> =>
    target.place.rows(`SELECT id, a, u, at FROM ${table} WHERE id < 100 ORDER BY id`)

  for (const [shape, sql] of Object.entries(SHAPES)) {
    for (const crowd of [0, CROWD]) {
      test(`${shape}: the rows are equal, with ${crowd} additional rows`, async () => {
        const [name, slow] = [`${shape}_${crowd}`, `slow_${shape}_${crowd}`]
        await target.place.sql(`DROP TABLE IF EXISTS ${name}, ${slow}`, sql(name), sql(slow))
        const table = await changeTable(target.store, name, ['id'])
        await using writer = await target.changes.open(requestOf([table]))
        const numbers = Array.from({ length: crowd }, (_, n) => String(1000 + n))
        // Half of them have an unchanged value, so that the others go through the staging table, too.
        const others = (first: boolean) =>
          numbers.map((n, i) =>
            first || i % 2 === 0
              ? put([n, `${n} \u{1f600}\\'`, n, '2024-01-01'])
              : { row: [n, undefined, n, '2024-01-01'], key: [n], base: [n] },
          )
        await fc.assert(
          fc.asyncProperty(fc.array(batches, { minLength: 1, maxLength: 4 }), async (all) => {
            // The run before this one may have failed.
            await writer.rollBack()
            await target.place.sql(`DELETE FROM ${name}`, `DELETE FROM ${slow}`)
            let model: Model = new Map()
            let isFirst = true
            for (const [i, options] of all.entries()) {
              const batch = batchOf(options, uniqueShift(model, options, i))
              const { after, lacking } = reference(model, batch)
              if (!isUnique(after)) continue
              await target.place.sql(PLAIN_BACKSLASHES, ...rowByRow(slow, model, batch))
              const done = await writer.apply(0, { puts: [...batch.puts, ...others(isFirst)], gone: batch.gone })
              isFirst = false
              // Some batches share a transaction.
              if (i % 2 === 1) expect(await writer.commit(closingOf())).toBe('committed')
              expect(done.lacking.toSorted(byKey)).toEqual(lacking.toSorted(byKey))
              model = after
            }
            expect(await writer.commit(closingOf())).toBe('committed')
            const expected = [...model.values()].toSorted(byKey)
            expect(await rowsOf(name)).toEqual(expected)
            expect(await rowsOf(slow)).toEqual(expected)
            const [[count] = []] = await target.place.rows(
              `SELECT count(*) FROM ${name} WHERE id >= 1000 AND a = CONCAT(id, ' \u{1f600}\\\\''')`,
            )
            expect(Number(count)).toBe(isFirst ? 0 : crowd)
          }),
          { numRuns: crowd === 0 ? 10 : 5 },
        )
      })
    }
  }
})

function byKey([a]: Row, [b]: Row): number {
  return Number(a) - Number(b)
}
