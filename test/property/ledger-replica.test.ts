/** Programs that apply the same entries have the same ledger, whenever and wherever they apply them. */
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { ledgerDialect } from '../../src/stores/ledger-dialect.ts'
import { packEntry, unpackEntry, type EntryBatch } from '../../src/stores/cassandra/ledger/entry.ts'
import { Replica } from '../../src/stores/cassandra/ledger/replica.ts'
import type { Statement } from '../../src/model/run/ledger-port.ts'
import type { SqlValue } from '../../src/model/run/sql-port.ts'

const { now, types } = ledgerDialect('sqlite')
const SCHEMA: Statement = {
  sql: `CREATE TABLE chunks (id ${types.id}, a, b ${types.integer} DEFAULT 0, at ${types.time} DEFAULT ${types.currentTime}, ms INTEGER, UNIQUE (a))`,
  parameters: [],
}

const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.integer({ min: -50, max: 50 }),
  fc.double(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
)

const statement: fc.Arbitrary<Statement> = fc.oneof(
  fc.tuple(value, value).map(([a, b]) => ({
    sql: `INSERT INTO chunks (a, b, ms) VALUES (?, ?, ${now})`,
    parameters: [a, b],
  })),
  fc.tuple(value, fc.nat(60)).map(([a, id]) => ({
    sql: `UPDATE chunks SET a = ?, b = b + 1, ms = ${now} WHERE id = ?`,
    parameters: [a, id],
  })),
  fc.nat(60).map((id) => ({ sql: 'DELETE FROM chunks WHERE id = ?', parameters: [id] })),
  fc.nat(60).map((id) => ({ sql: 'SELECT * FROM chunks WHERE id > ? ORDER BY id', parameters: [id] })),
  fc.constant({ sql: 'INSERT INTO chunks (a) SELECT id FROM chunks WHERE id % 7 = 0', parameters: [] }),
)

const steps = fc.array(
  fc.record({
    at: fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }),
    jobs: fc.array(fc.array(statement, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 30, maxLength: 60 },
)

function dump(replica: Replica): unknown {
  replica.begin(0)
  try {
    return replica.run([
      { sql: 'SELECT name, sql FROM sqlite_schema ORDER BY name', parameters: [] },
      { sql: 'SELECT *, typeof(a), typeof(b), hex(a), hex(b) FROM chunks ORDER BY id', parameters: [] },
      { sql: 'SELECT * FROM sqlite_sequence', parameters: [] },
    ]).results
  } finally {
    replica.rollback()
  }
}

test('the same entries give the same ledger, also if applied to a snapshot', () => {
  fc.assert(
    fc.property(steps, fc.nat(29), (list, half) => {
      const author = new Replica()
      const reader = new Replica()
      let late: Replica | null = null
      for (const [i, { at, jobs }] of [{ at: 1, jobs: [[SCHEMA]] }, ...list].entries()) {
        author.begin(at)
        const batches: EntryBatch[] = []
        for (const job of jobs) {
          try {
            const { batch } = author.run(job)
            if (batch !== null) batches.push(batch)
          } catch (error) {
            expect(String(error)).toMatch(/UNIQUE|out of range|overflow/i)
          }
        }
        if (batches.length === 0 || at % 5 === 0) {
          author.rollback()
          continue
        }
        author.commit()
        const bytes = packEntry({ now: at, batches })
        reader.apply(unpackEntry(bytes))
        late?.apply(unpackEntry(bytes))
        if (i === half) late = new Replica(reader.image())
      }
      expect(dump(reader)).toEqual(dump(author))
      if (late !== null) expect(dump(late)).toEqual(dump(author))
      for (const replica of [author, reader, late]) replica?.close()
    }),
    { numRuns: 60 },
  )
})

test('the clock in statements is the time of the entry', () => {
  vi.useFakeTimers({ now: 0 })
  try {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800_000 }), (ms) => {
        const replica = new Replica()
        replica.begin(ms)
        const { results } = replica.run([{ sql: `SELECT ${now}, CURRENT_TIMESTAMP, unixepoch()`, parameters: [] }])
        replica.rollback()
        replica.close()
        const iso = new Date(ms).toISOString()
        expect(results[0]?.[0]).toEqual([ms, `${iso.slice(0, 10)} ${iso.slice(11, 19)}`, Math.floor(ms / 1000)])
      }),
      { numRuns: 200 },
    )
  } finally {
    vi.useRealTimers()
  }
})

test('functions without a repeatable result are refused', () => {
  const replica = new Replica()
  replica.begin(1)
  for (const sql of ['SELECT random()', "SELECT datetime('now')", 'SELECT hex(randomblob(4))']) {
    expect(() => replica.run([{ sql, parameters: [] }])).toThrow(/cannot be replayed from a log/)
  }
  replica.rollback()
  replica.close()
})

test('an entry with another number of changed rows is damage', () => {
  const replica = new Replica()
  replica.apply({ now: 1, batches: [{ statements: [SCHEMA], changes: 0 }] })
  const statements = [{ sql: 'DELETE FROM chunks', parameters: [] }]
  expect(() => replica.apply({ now: 2, batches: [{ statements, changes: 1 }] })).toThrow(/changes 0 rows/)
  replica.close()
})

test('an entry above the size limit is refused', () => {
  const parameters = ['x'.repeat(11_000_000)]
  expect(() => packEntry({ now: 1, batches: [{ changes: 1, statements: [{ sql: '?', parameters }] }] })).toThrow(
    /the limit for an entry of its log/,
  )
})
