/**
 * Both ways into a table against a slow twin: the same batches, row by row, in the order that the batch gives them a meaning in. Values that are
 * unchanged come from the rows before the batch; then what is gone goes, then what is put is written.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChangeBatch, ChangeRow, Put } from '../../src/model/copy/change.ts'
import type { Cell, Row } from '../../src/model/copy/rows.ts'
import type { ChangeTable, ChangeWriter } from '../../src/stores/follow-port.ts'
import { missing } from '../support/copy-systems.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'
import { changeTable, closingOf, makeTarget, MANY, put, requestOf, type Target } from './postgresql-apply-kit.ts'

const absent = await missing('postgresql')
const KEYS = ['1', '2', '3', '4', '5', '6']

/** id, a text that may be unchanged, a value that a secondary unique index may stand on, the month of a partition. */
type Model = Map<string, Row>

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

/** What a batch comes to; identities whose base is not there are lacking. */
function twin(model: Model, { puts, gone }: ChangeBatch): { readonly after: Model; readonly lacking: readonly Row[] } {
  const after = new Map(model)
  const lacking: Row[] = []
  const whole: Row[] = []
  for (const { row, key, base } of puts) {
    const from = base === null ? null : model.get(String(base[0]))
    if (row.includes(undefined) && from === undefined) lacking.push(key)
    else whole.push(row.map((cell, at): Cell => (cell === undefined ? (from?.[at] ?? null) : cell)))
  }
  for (const [key] of gone) after.delete(String(key))
  for (const row of whole) after.set(String(row[0]), row)
  return { after, lacking }
}

/** The same by single statements, as an application would write them. */
async function rowByRow(db: Psql, table: string, before: Model, batch: ChangeBatch): Promise<void> {
  const { after, lacking } = twin(before, batch)
  const written = batch.puts.map(({ key }) => key).filter((key) => !lacking.includes(key))
  const removals = [...batch.gone, ...written].map(([key]) => `DELETE FROM ${table} WHERE id = ${String(key)}`)
  const insertions = written.map(([key]) => {
    const values = after
      .get(String(key))
      ?.map((cell) => (cell === null ? 'NULL' : `'${String(cell).replaceAll("'", "''")}'`))
    return `INSERT INTO ${table} (id, a, u, at) VALUES (${values?.join(', ')})`
  })
  await db.run(['BEGIN', ...removals, ...insertions, 'COMMIT'].join('; '))
}

/** A batch that a source could send: identities once each, and unique values that no two rows have afterwards. */
const batches = fc.array(
  fc.record({
    key: fc.constantFrom(...KEYS),
    kind: fc.constantFrom('put', 'put', 'gone', 'same', 'moved'),
    base: fc.constantFrom(...KEYS),
    text: fc.option(fc.constantFrom('x', 'long '.repeat(2000), "'\\"), { nil: null }),
    month: fc.constantFrom('2024-01-05', '2024-03-07'),
  }),
  { minLength: 1, maxLength: 6 },
)

type Wish = Readonly<{ key: string; kind: string; base: string; text: string | null; month: string }>

function batchOf(wishes: readonly Wish[], shift: number): ChangeBatch {
  const once = [...new Map(wishes.map((wish) => [wish.key, wish])).values()]
  const gone = once.filter(({ kind }) => kind === 'gone').map(({ key }): Row => [key])
  const puts = once
    .filter(({ kind }) => kind !== 'gone')
    .map(({ key, kind, base, text, month }): Put => {
      // Values go round, so that rows take what others had.
      const u = String((Number(key) + shift) % KEYS.length)
      const partial = kind === 'same' || kind === 'moved'
      const row: ChangeRow = [key, partial ? undefined : text, u, month]
      return { row, key: [key], base: kind === 'same' ? [key] : kind === 'moved' ? [base] : null }
    })
  return { puts, gone }
}

describe.skipIf(absent !== '')(`changes, and the same row by row ${absent}`, () => {
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
    ] as const) {
      test(`${shape}, ${size} batches`, async () => {
        const name = `${shape}_${size}`
        const slow = `slow_${name}`
        await db.run(sql(name))
        await db.run(sql(slow))
        const table: ChangeTable = await changeTable(target.store, name, ['id'])
        await using writer: ChangeWriter = await target.changes.open(requestOf([table]))
        const others = Array.from({ length: crowd }, (_, n) =>
          put([String(1000 + n), 'x', String(1000 + n), '2024-01-01']),
        )
        const history = fc.array(batches, { minLength: 1, maxLength: 4 })
        await fc.assert(
          fc.asyncProperty(history, async (all) => {
            // A run before this one may have failed.
            await writer.rollBack()
            await db.run('ROLLBACK')
            await db.run(`DELETE FROM ${name}; DELETE FROM ${slow}`)
            let model: Model = new Map()
            for (const [i, wishes] of all.entries()) {
              const batch = batchOf(wishes, uniqueShift(model, wishes, i))
              const { after, lacking } = twin(model, batch)
              if (!isUnique(after)) continue
              await rowByRow(db, slow, model, batch)
              const done = await writer.apply(0, { puts: [...batch.puts, ...others], gone: batch.gone })
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

function isUnique(model: Model): boolean {
  const values = [...model.values()].map((row) => row[2])
  return new Set(values).size === values.length
}

/** The first shift of the values that leaves them unique; where none does, the batch is left out. */
function uniqueShift(model: Model, wishes: readonly Wish[], from: number): number {
  for (let shift = from; shift < from + KEYS.length; shift++) {
    if (isUnique(twin(model, batchOf(wishes, shift)).after)) return shift
  }
  return from
}
