/**
 * Several keys of the source become one key of the target: the target has one of their rows, and a comparison reports
 * the others as missing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'

let folder = ''
let keyspace: TestKeyspace
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-one-key-'))
  keyspace = await newKeyspace()
}, 120_000)
afterAll(async () => {
  await keyspace[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const FOUND = [
  ['nans', '(d double PRIMARY KEY, v text)', '(d, v)', ["(NaN, 'nan')", "(-0.0, 'neg')", "(0.0, 'pos')"]],
  ['zeros', '(d double PRIMARY KEY, v text)', '(d, v)', ["(-0.0, 'neg')", "(0.0, 'pos')", "(1.5, 'x')"]],
  ['zeros_within', '(k int, d double, v text, PRIMARY KEY (k, d))', '(k, d, v)', ["(1, -0.0, 'neg')", "(1, 0.0, 'pos')", "(1, 1.5, 'x')"]],
  ['digits', '(d decimal PRIMARY KEY, v text)', '(d, v)', ["(1.0, 'one')", "(1.00, 'more')", "(2.50, 'x')"]],
  ['digits_alike', '(d decimal PRIMARY KEY, v text)', '(d, v)', ["(1, 'one')", "(1.00, 'one')", "(2, 'x')"]],
] as const // prettier-ignore

const diffOf = (from: string, to: Place, table: string, more: Partial<DiffOperation> = {}): DiffOperation => {
  const { tables, rename } = copyOf({ url: from }, to, table)
  return { kind: 'diff', from, to: to.url, tables, rename, limit: 100, fix: false, deleteExtra: false, workers: 2, ...more } // prettier-ignore
}

describe.each(['postgresql', 'duckdb', 'sqlite', 'mysql'] as const)('to %s', (system) => {
  test.for(FOUND)('%s', { timeout: 90_000 }, async ([name, columns, list, rows], { skip }) => {
    const why = await missing(system)
    skip(why !== '', why)
    skip(name === 'nans' && (system === 'mysql' || system === 'sqlite'), 'there is no NaN')
    skip(system === 'mysql' && name.startsWith('digits'), 'MySQL has no key of such decimals')
    const table = `${name}_${system}`
    const inserts = rows.map((row) => `INSERT INTO ${table} ${list} VALUES ${row}`)
    await keyspace.cql(`CREATE TABLE ${table} ${columns}`, ...inserts)
    const target = await makePlace(system, folder)
    const copied = await perform(copyOf(keyspace, target, table))
    expect(copied.finished.totals).toMatchObject({ written: '2', quarantined: '1' })
    const stored = await target.rows(`SELECT * FROM ${table} ORDER BY v`)
    for (const more of [{}, { fix: true }, { fix: true, deleteExtra: true }]) {
      const { finished } = await perform(diffOf(keyspace.url, target, table, more))
      expect(finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
      expect(finished.totals).toMatchObject({ rows: '3', targetRows: '2', missing: '1', extra: '0', fixed: '0' })
      expect(await target.rows(`SELECT * FROM ${table} ORDER BY v`)).toEqual(stored)
    }
  })
})

const FINER = [
  ['alone', '(k TYPE, v varchar(9), PRIMARY KEY (k))', '%s', '(k, v)'],
  ['before another column', '(k TYPE, n int, v varchar(9), PRIMARY KEY (k, n))', '%s, %n', '(k, n, v)'],
] as const
/** The first of three times with equal milliseconds, the first of two, and the one that loses no digits are stored. */
const TIMES = ['01.1231', '01.1234', '01.1239', '02.5001', '02.5009', '03.25']
const COARSE = { postgresql: 'timestamp(3)', mysql: 'datetime(3)', duckdb: 'TIMESTAMP_MS' } as const

describe.each(['postgresql', 'mysql', 'duckdb'] as const)(
  'times of a key with more digits than %s stores',
  (system) => {
    test.for(FINER)('%s', { timeout: 90_000 }, async ([, columns, row, list], { skip }) => {
      for (const one of ['postgresql', system] as const) {
        const why = await missing(one)
        skip(why !== '', why)
      }
      const [source, target] = [await makePlace('postgresql', folder), await makePlace(system, folder)]
      const values = TIMES.map((time, i) => `(${row.replace('%s', `'2020-01-01 00:00:${time}'`).replace('%n', String(9 - i))}, '${i}')`) // prettier-ignore
      await source.sql(`CREATE TABLE t ${columns.replace('TYPE', 'timestamp')}`)
      await source.sql(`INSERT INTO t ${list} VALUES ${values.join(', ')}`)
      await target.sql(`CREATE TABLE t ${columns.replace('TYPE', COARSE[system])}`)
      const together = row === '%s' ? 3 : 0
      const copy = copyOf(source, target, 't', { acceptLossy: ['k'], chunkRows: 2, workers: 1 })
      const stored = TIMES.flatMap((_, i) => (together === 0 || [0, 3, 5].includes(i) ? [[String(i)]] : []))
      const held = () => target.rows('SELECT v FROM t ORDER BY v')
      const { finished: copied } = await perform(copy)
      expect(copied.totals).toMatchObject({ read: '6', written: String(stored.length), quarantined: String(together) })
      expect(await held()).toEqual(stored)
      const named = { missing: String(together), different: '0', extra: '0', fixed: '0' }
      for (const more of [{}, { fix: true }, { fix: true, deleteExtra: true }]) {
        const { finished } = await perform(diffOf(source.url, target, 't', more))
        expect(finished).toMatchObject({ exitCode: together === 0 ? 0 : 1, totals: { rows: '6', ...named } })
        expect(await held()).toEqual(stored)
      }
      for (const more of [{}, { deleteExtra: true, confirm: 't' } as const]) {
        const { finished } = await perform({ ...copy, again: true, ...more })
        expect(finished).toMatchObject({ exitCode: together === 0 ? 0 : 1, totals: { removed: '0', extra: '0' } })
        expect(finished.totals).toMatchObject({ read: '6', quarantined: String(together), mended: '0' })
        expect(await held()).toEqual(stored)
      }
      // Only a target row is removed whose key is the key of no source row.
      await target.sql(`INSERT INTO t ${list} VALUES (${row.replace('%s', `'2020-01-01 00:00:01.124'`).replace('%n', '1')}, 'x')`) // prettier-ignore
      const { finished } = await perform({ ...copy, again: true, deleteExtra: true, confirm: 't' })
      expect(finished.totals).toMatchObject({ removed: '1', extra: '0' })
      expect(await held()).toEqual(stored)
    })
  },
)

test.for(FOUND)('copy --again: %s', { timeout: 90_000 }, async ([name, columns, list, rows], { skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const table = `again_${name}`
  const inserts = rows.map((row) => `INSERT INTO ${table} ${list} VALUES ${row}`)
  await keyspace.cql(`CREATE TABLE ${table} ${columns}`, ...inserts)
  const target = await makePlace('postgresql', folder)
  const copy = copyOf(keyspace, target, table)
  expect((await perform(copy)).finished.totals).toMatchObject({ written: '2', quarantined: '1' })
  const stored = await target.rows(`SELECT * FROM ${table} ORDER BY v`)
  for (const more of [{}, { deleteExtra: true, confirm: table } as const]) {
    const { finished, events } = await perform({ ...copy, again: true, ...more })
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' } })
    expect(finished.totals).toMatchObject({ read: '3', quarantined: '1', mended: '0', removed: '0', extra: '0' })
    expect(events.filter(({ type }) => type === 'difference')).toMatchObject([{ difference: 'missing' }])
    expect(await target.rows(`SELECT * FROM ${table} ORDER BY v`)).toEqual(stored)
  }
})

test('an extra target row is found among keys that are spelled in another way', { timeout: 60_000 }, async () => {
  const name = 'extra_digits'
  await keyspace.cql(
    `CREATE TABLE ${name} (d decimal PRIMARY KEY, v text)`,
    `INSERT INTO ${name} (d, v) VALUES (1.50, 'a')`,
    `INSERT INTO ${name} (d, v) VALUES (2.00, 'b')`,
  )
  const target = await makePlace('sqlite', folder)
  expect((await perform(copyOf(keyspace, target, name))).finished.exitCode).toBe(0)
  expect((await perform(diffOf(keyspace.url, target, name))).finished.exitCode).toBe(0)
  await target.sql(`INSERT INTO ${name} VALUES ('3.5', 'c')`)
  const { finished } = await perform(diffOf(keyspace.url, target, name, { fix: true, deleteExtra: true }))
  expect(finished.totals).toMatchObject({ rows: '2', targetRows: '3', missing: '0', extra: '1', fixed: '1' })
  expect(await target.rows(`SELECT v FROM ${name} ORDER BY v`)).toEqual([['a'], ['b']])
})
