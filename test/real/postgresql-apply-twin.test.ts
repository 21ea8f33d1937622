/**
 * Both ways to apply changes to a table, compared with a slow reference implementation: the same batches, row by row,
 * in the order that gives the batch its meaning.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Put } from '../../src/model/copy/change.ts'
import type { ChangeTable, ChangeWriter } from '../../src/model/follow/port.ts'
import { batches, batchOf, isUnique, rowByRow, reference, uniqueShift, type Model } from '../support/apply-twin.ts'
import { missing } from '../support/copy-systems.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'
import { changeTable, closingOf, makeTarget, MANY, put, requestOf, type Target } from './postgresql-apply-kit.ts'

const absent = await missing('postgresql')
const SHAPES: Readonly<Record<string, (name: string) => string>> = {
  merge: (name) => `CREATE TABLE ${name} (id int PRIMARY KEY, a text, u int, at date)`,
  unique: (name) => `CREATE TABLE ${name} (id int PRIMARY KEY, a text, u int UNIQUE, at date)`,
  deferred: (name) => `CREATE TABLE ${name} (id int PRIMARY KEY DEFERRABLE, a text, u int UNIQUE DEFERRABLE, at date)`,
  excluded: (name) =>
    `CREATE TABLE ${name} (id int PRIMARY KEY, a text, u int, at date, EXCLUDE USING btree (u WITH =))`,
  computed: (
    name,
  ) => `CREATE DOMAIN ${name}_d AS int CHECK (VALUE >= 0); CREATE TABLE ${name} (id int PRIMARY KEY, a text, u ${name}_d, at date);
     CREATE UNIQUE INDEX ON ${name} ((u * 2), abs(u)); CREATE UNIQUE INDEX ON ${name} (u, at) WHERE a IS NOT NULL`,
  whole: (name) => `CREATE TABLE ${name} (id int PRIMARY KEY, a text, u int, at date);
     CREATE FUNCTION ${name}_f(${name}) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.u'; CREATE UNIQUE INDEX ON ${name} (${name}_f(${name}))`,
  generated: (name) =>
    `CREATE TABLE ${name} (id int PRIMARY KEY, a text, u int, at date, g int GENERATED ALWAYS AS (u + 1) STORED UNIQUE)`,
  wide: (name) =>
    `CREATE TABLE ${name} (id int, a text, u int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
     CREATE TABLE ${name}_1 PARTITION OF ${name} FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
     CREATE TABLE ${name}_2 PARTITION OF ${name} DEFAULT`,
  hashed: (name) =>
    `CREATE TABLE ${name} (id int PRIMARY KEY, a text, u int, at date) PARTITION BY HASH (id);
     CREATE TABLE ${name}_1 PARTITION OF ${name} FOR VALUES WITH (MODULUS 2, REMAINDER 0);
     CREATE TABLE ${name}_2 PARTITION OF ${name} FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,
}

describe.skipIf(absent !== '')(`changes applied, and the same row by row ${absent}`, () => {
  let target: Target
  let db: Psql

  beforeAll(async () => {
    target = await makeTarget('SELECT 1')
    db = await psql(target.place.url)
  })
  afterAll(async () => {
    await db.close()
    await target.store[Symbol.asyncDispose]()
  })

  async function rowsOf(table: string): Promise<unknown> {
    return db.rows(`SELECT id, a, u, at FROM ${table} WHERE id < 100 ORDER BY id`)
  }

  for (const [shape, sql] of Object.entries(SHAPES)) {
    for (const [size, crowd] of [
      ['small', 0],
      ['large', MANY],
      ['new', MANY],
    ] as const) {
      test(`${shape}, ${size} batches: the rows are equal`, async () => {
        const name = `${shape}_${size}`
        const slow = `slow_${name}`
        await db.run(sql(name))
        await db.run(sql(slow))
        const table: ChangeTable = await changeTable(target.store, name, ['id'])
        await using writer: ChangeWriter = await target.changes.open(requestOf([table]))
        // The hint says that they are new, which is false half of the time.
        const hint = size === 'new' ? ({ isNew: true } as const) : {}
        const others = (i: number): readonly Put[] =>
          Array.from({ length: crowd }, (_, n) => {
            const id = String(1000 + (i % 2) * crowd + n)
            return { ...put([id, 'x', id, '2024-01-01']), ...hint }
          })
        const history = fc.array(batches, { minLength: 1, maxLength: 4 })
        await fc.assert(
          fc.asyncProperty(history, async (all) => {
            // The run before this one may have failed.
            await writer.rollBack()
            await db.run('ROLLBACK')
            await db.run(`DELETE FROM ${name}; DELETE FROM ${slow}`)
            let model: Model = new Map()
            for (const [i, options] of all.entries()) {
              const batch = batchOf(options, uniqueShift(model, options, i))
              const { after, lacking } = reference(model, batch)
              if (!isUnique(after)) continue
              await db.run(['BEGIN', ...rowByRow(slow, model, batch), 'COMMIT'].join('; '))
              const puts = batch.puts.map((one) =>
                one.base !== null || model.has(String(one.key[0])) ? one : { ...one, ...hint },
              )
              const done = await writer.apply(0, { puts: [...puts, ...others(i)], gone: batch.gone })
              // Some batches share a transaction.
              if (i % 2 === 1) expect(await writer.commit(closingOf())).toBe('committed')
              expect(done.lacking).toEqual(lacking)
              model = after
            }
            expect(await writer.commit(closingOf())).toBe('committed')
            const expected = [...model.values()].toSorted((a, b) => Number(a[0]) - Number(b[0]))
            expect(await rowsOf(name)).toEqual(expected)
            expect(await rowsOf(slow)).toEqual(expected)
          }),
          { numRuns: crowd === 0 ? 10 : 5 },
        )
      })
    }
  }
})
