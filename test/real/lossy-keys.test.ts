/**
 * Keys that lose digits in the target, as --accept-lossy permits: rows are named by their source key, and none
 * overwrites another.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lossy-keys-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.for([
  ['mysql', 'postgresql'],
  ['postgresql', 'mysql'],
] as const)('%s to %s', { timeout: 60_000 }, async ([from, to], { skip }) => {
  for (const system of [from, to]) {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
  }
  const source = await makePlace(from, folder)
  const target = await makePlace(to, folder)
  await source.sql(
    'CREATE TABLE t (k DECIMAL(10,3) PRIMARY KEY, v VARCHAR(10))',
    "INSERT INTO t VALUES (1.231, 'a'), (1.234, 'b'), (2.5, 'c')",
  )
  await target.sql('CREATE TABLE t (k DECIMAL(10,2) PRIMARY KEY, v VARCHAR(10))')
  const { finished, events } = await perform(copyOf(source, target, 't', { acceptLossy: ['k'] }))
  expect(finished).toMatchObject({ exitCode: 1, totals: { written: '2', quarantined: '1' } })
  expect(events.flatMap((one) => (one.type === 'row.aside' ? [one.key] : []))).toEqual([['1.234']])
  const line = 'SELECT row_key FROM migration_quarantine WHERE replayed_ms IS NULL'
  expect(await target.rows(line)).toEqual([['["1.234"]']])

  const tried = await perform({ kind: 'retry-quarantine', to: target.url, from: source.url })
  expect(tried.finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1', written: '0', gone: '0' } })
  expect((await target.rows('SELECT v FROM t ORDER BY k')).flat()).toEqual(['a', 'c'])
  expect(await target.rows(line)).toHaveLength(1)
})

const QUARANTINED = 'SELECT row_key FROM migration_quarantine WHERE replayed_ms IS NULL'

/** Rows at 00:00:01 with these digits of a second, numbered; the target keeps three digits. */
async function timed(system: 'postgresql' | 'duckdb', digits: readonly string[]): Promise<readonly [Place, Place]> {
  const [source, target] = [await makePlace('postgresql', folder), await makePlace(system, folder)]
  const rows = digits.map((one, i) => `('2020-01-01 00:00:01.${one}', '${i}')`)
  await source.sql('CREATE TABLE t (k timestamp PRIMARY KEY, v text)', `INSERT INTO t VALUES ${rows.join(', ')}`)
  await target.sql(`CREATE TABLE t (k ${system === 'duckdb' ? 'TIMESTAMP_MS' : 'timestamp(3)'} PRIMARY KEY, v text)`)
  return [source, target]
}

describe.each(['postgresql', 'duckdb'] as const)('times that lose digits in %s', (system) => {
  test.for([
    ['no row of the key that the target has', ['1231', '1234']],
    ['a row of the key that the target has', ['123', '1234']],
  ] as const)('a retry keeps a row quarantined that --again has named: %s', async ([, digits], { skip }) => {
    const why = await missing('postgresql')
    skip(why !== '', why)
    const [source, target] = await timed(system, digits)
    const copy = copyOf(source, target, 't', { acceptLossy: ['k'] })
    expect((await perform(copy)).finished.totals).toMatchObject({ written: '1', quarantined: '1' })
    expect((await perform({ ...copy, again: true })).finished.totals).toMatchObject({ quarantined: '1' })
    const tried = await perform({ kind: 'retry-quarantine', to: target.url, from: source.url })
    expect(tried.finished).toMatchObject({ exitCode: 1, totals: { quarantined: '1', written: '0', gone: '0' } })
    expect(await target.rows(QUARANTINED)).toHaveLength(1)
    await source.sql("DELETE FROM t WHERE v = '1'")
    expect((await perform({ ...copy, again: true })).finished).toMatchObject({ exitCode: 0 })
    expect(await target.rows(QUARANTINED)).toEqual([])
  })

  test('diff --fix repairs the first row of a key, and not the second', async ({ skip }) => {
    const why = await missing('postgresql')
    skip(why !== '', why)
    const [source, target] = await timed(system, ['123', '1234', '5'])
    expect((await perform(copyOf(source, target, 't', { acceptLossy: ['k'] }))).finished.exitCode).toBe(1)
    await target.sql("DELETE FROM t WHERE v = '0'")
    const { finished } = await perform({ kind: 'diff', from: source.url, to: target.url, tables: ['t'], rename: {}, limit: 10, fix: true, deleteExtra: false, workers: 1 }) // prettier-ignore
    expect(finished).toMatchObject({ exitCode: 1, totals: { rows: '3', missing: '2' } })
    expect((await target.rows('SELECT v FROM t ORDER BY k')).flat()).toEqual(['0', '2'])
    expect(finished.totals).toMatchObject({ fixed: '1' })
  })

  test('--again proves a chunk with three rows of one key', async ({ skip }) => {
    const why = await missing('postgresql')
    skip(why !== '', why)
    const [source, target] = await timed(system, ['1231', '1234', '1239', '5'])
    const copy = copyOf(source, target, 't', { acceptLossy: ['k'] })
    expect((await perform(copy)).finished.totals).toMatchObject({ written: '2', quarantined: '2' })
    for (let i = 0; i < 2; i++) {
      const { finished } = await perform({ ...copy, again: true })
      expect(finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' } })
      expect(finished.totals).toMatchObject({ read: '4', quarantined: '2', mended: '0' })
      expect(await target.rows(QUARANTINED)).toHaveLength(2)
    }
    await source.sql("DELETE FROM t WHERE v IN ('1', '2')")
    expect((await perform({ ...copy, again: true })).finished).toMatchObject({ exitCode: 0 })
    expect(await target.rows(QUARANTINED)).toEqual([])
  })
})

test('a stream is not restarted if its rows would share keys: its tables keep their rows', async ({ skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const [source, target] = await timed('postgresql', ['123', '1234'])
  await target.sql('ALTER TABLE t ALTER COLUMN k TYPE timestamp(6)')
  const copy = copyOf(source, target, 't', { follow: { cdc: 'trigger', until: 'caught-up' } })
  expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  await target.sql("DELETE FROM t WHERE v = '1'", 'ALTER TABLE t ALTER COLUMN k TYPE timestamp(3)')
  const { finished } = await perform({ ...copy, acceptLossy: ['k'], restart: true })
  expect(finished.error).toMatchObject({ code: 'NOT_FOLLOWABLE', message: expect.stringMatching(/loses data/) as string }) // prettier-ignore
  expect(await target.rows('SELECT v FROM t')).toEqual([['0']])
})

test('a time without zone that is read as UTC is one key, and a deleted source row counts as gone as soon as it is retried', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  skip(why !== '', why)
  const [source, target] = [await makePlace('postgresql', folder), await makePlace('duckdb', folder)]
  await source.sql('CREATE TABLE t (k timestamp PRIMARY KEY, v int)', "INSERT INTO t VALUES ('2020-01-01', 1), ('2020-01-02', -1)") // prettier-ignore
  await target.sql('CREATE TABLE t (k TIMESTAMPTZ PRIMARY KEY, v INTEGER CHECK (v > 0))')
  const { finished } = await perform(copyOf(source, target, 't', { acceptLossy: ['k'] }))

  expect(finished.totals).toMatchObject({ written: '1', quarantined: '1' })
  await source.sql('DELETE FROM t WHERE v < 0')
  const tried = await perform({ kind: 'retry-quarantine', to: target.url, from: source.url })
  expect(tried.finished).toMatchObject({ exitCode: 0, totals: { gone: '1' } })
})

test('--accept-lossy names columns of several tables, of which none has all', { timeout: 60_000 }, async ({ skip }) => {
  for (const system of ['mysql', 'postgresql'] as const) {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
  }
  const source = await makePlace('mysql', folder)
  const target = await makePlace('postgresql', folder)
  const made = (name: string, column: string, digits: number): string =>
    `CREATE TABLE ${name} (k INT PRIMARY KEY, ${column} DECIMAL(10,${digits}))`
  await source.sql(made('one', 'price', 3), made('two', 'cost', 3), made('three', 'price', 3))
  await source.sql('INSERT INTO one VALUES (1, 1.231)', 'INSERT INTO two VALUES (1, 1.231)')
  await target.sql(made('one', 'price', 2), made('two', 'cost', 2), made('three', 'price', 2))
  const copy = (...acceptLossy: string[]) =>
    perform(copyOf(source, target, 'one', { acceptLossy, tables: ['one', 'two', 'three'] }))

  const slip = await copy('price', 'cots')
  expect(slip.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
  expect(slip.finished.error?.message).toContain('none of the 3 tables has a column cots')

  const some = await copy('one.price', 'cost')
  expect(some.finished).toMatchObject({ exitCode: 6 })
  const refused = some.events.flatMap((e) => (e.type === 'table.finished' && e.status === 'refused' ? [e.table] : []))
  expect(refused).toEqual([expect.stringContaining('three')])
  expect(await target.rows('SELECT count(*) FROM two')).toEqual([['1']])

  expect((await copy('price', 'cost')).finished).toMatchObject({ exitCode: 0 })
})
