/**
 * Between two tables with equal declarations, SQLite and D1 keep every value as it is stored; so does a followed
 * change.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-as-stored-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const VALUES: Readonly<Record<string, readonly string[]>> = {
  BOOLEAN: ["'true'", "'T'", "'no'", '1', '0', 'NULL'],
  DATE: ["'2024-01-02'", "'2024-01-02T00:00:00'", "'2024-1-2'", '20240102'],
  TIME: ["'10:00'", "'10:00:00.500'", "'T10:00:00'"],
  DATETIME: ["'2024-01-02T10:00:00Z'", "'2024-01-02 10:00:00.000'", "'2024-01-02T10:00:00+02:00'", '1704189600'],
  UUID: ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"],
  DECIMAL_TEXT: ["'1.50'", "'+1'", "'1e3'", "'007'"],
  'DECIMAL_TEXT(10,4)': ["'1.50'", "'007'"],
  TIMESTAMP_TEXT: ["'2024-01-02T10:00:00'", "'2024-01-02 10:00:00.10'"],
  '': ['7.0', '7', "'7'", "x'37'", '1e300', "'it''s'"],
}

const columns = Object.keys(VALUES).map((type, at) => ({ name: `c${at}`, type }))
const ROWS = Math.max(...Object.values(VALUES).map(({ length }) => length))

function table(): readonly string[] {
  const rows = Array.from({ length: ROWS }, (_, row) => {
    const values = columns.map(({ type }) => VALUES[type]?.[row] ?? 'NULL')
    return `INSERT INTO t VALUES (${[row + 1, ...values].join(', ')})`
  })
  return [definition(), ...rows]
}

function definition(): string {
  return `CREATE TABLE t (id INTEGER PRIMARY KEY, ${columns.map(({ name, type }) => `${name} ${type}`).join(', ')})`
}

/** Each value with its storage class and its bytes. */
async function stored(place: Place): Promise<readonly unknown[]> {
  const wanted = columns.map(({ name }) => `typeof(${name}) || ' ' || quote(${name})`)
  return await place.rows(`SELECT id, ${wanted.join(', ')} FROM t ORDER BY id`)
}

const D1 = await missing('d1')
const PAIRS = [
  ['sqlite', 'sqlite'],
  ['sqlite', 'd1'],
  ['d1', 'sqlite'],
  ['d1', 'd1'],
] as const

describe.each(PAIRS)('%s to %s', (from, to) => {
  test.skipIf(`${from} ${to}`.includes('d1') && D1 !== '').each(['created', 'there'])('%s', async (how) => {
    const [source, target] = [await makePlace(from, folder), await makePlace(to, folder)]
    await source.sql(...table())
    if (how === 'there') await target.sql(definition())
    expect((await perform(copyOf(source, target, 't'))).finished).toMatchObject({ exitCode: 0, proof: 'chunk' })
    expect(await stored(target)).toEqual(await stored(source))
    // Another spelling is another value.
    await target.sql("UPDATE t SET c3 = '2024-01-02 10:00:00' WHERE id = 1")
    const diff = { kind: 'diff', from: source.url, to: target.url, tables: ['t'], rename: {}, workers: 1 } as const
    expect((await perform(diff as never)).finished.exitCode).toBe(1)
  })
})

test('changes of a followed table keep the stored form', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql('PRAGMA journal_mode = WAL', definition(), 'INSERT INTO t (id) VALUES (1), (2), (3), (4), (5), (6)')
  const copy = copyOf(source, target, 't', { follow: { cdc: 'trigger', until: 'equal' } })
  expect((await perform(copy)).finished.exitCode).toBe(0)
  const set = (row: number): string =>
    columns.map(({ name, type }) => `${name} = ${VALUES[type]?.[row] ?? 'NULL'}`).join(', ')
  await source.sql(...Array.from({ length: ROWS }, (_, row) => `UPDATE t SET ${set(row)} WHERE id = ${row + 1}`))
  expect((await perform(copy)).finished.exitCode).toBe(0)
  expect(await stored(target)).toEqual(await stored(source))
})

test('a second run has the plan of the first one, whatever rows that stored', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  const made = 'CREATE TABLE s (id INTEGER PRIMARY KEY, at TIMESTAMP)'
  const rows = Array.from({ length: 600 }, (_, at) => `(${at}, ${at < 300 ? at : "'2024-01-01T00:00:00Z'"})`)
  await source.sql(made, `INSERT INTO s VALUES ${rows.join(', ')}`)
  const refuse = "CREATE TRIGGER full BEFORE INSERT ON s WHEN NEW.id >= 300 BEGIN SELECT RAISE(ABORT, 'full'); END"
  await target.sql(made, refuse)
  const copy = copyOf(source, target, 's', { chunkRows: 100 })
  expect((await perform(copy)).finished.exitCode).toBe(1)
  expect(await target.rows('SELECT count(*) FROM s')).toEqual([['300']])
  await target.sql('DROP TRIGGER full')
  expect((await perform(copy)).finished.error?.code).not.toBe('PLAN_CHANGED')
  expect((await perform({ ...copy, again: true })).finished.exitCode).toBe(0)
  expect(await target.rows('SELECT id, quote(at) FROM s')).toEqual(await source.rows('SELECT id, quote(at) FROM s'))
})

const KEYED = 'CREATE TABLE k (b PRIMARY KEY, v INTEGER)'
const insert = (rows: string): string => `INSERT INTO k VALUES ${rows}`

async function keyed(pair: (typeof PAIRS)[number], rows: string, there: readonly string[]): Promise<[Place, Place]> {
  const [source, target] = [await makePlace(pair[0], folder), await makePlace(pair[1], folder)]
  await source.sql(KEYED, insert(rows))
  await target.sql(KEYED, ...there)
  return [source, target]
}

const kept = async ({ rows }: Place): Promise<unknown> => await rows('SELECT quote(b), v FROM k ORDER BY 1')

function diffOf(source: Place, target: Place, fix: boolean): Parameters<typeof perform>[0] {
  return { ...copyOf(source, target, 'k'), kind: 'diff', limit: 10, fix, deleteExtra: fix }
}

describe.each(D1 === '' ? PAIRS : PAIRS.slice(0, 1))('a key without a type, %s to %s:', (from, to) => {
  const pair = [from, to] as (typeof PAIRS)[number]

  test('the text 1 and the number 1 differ', async () => {
    const [source, target] = await keyed(pair, '(1, 2), (2, 2)', [insert("('1', 2), ('2', 2)")])
    const totals = { missing: '2', extra: '2', different: '0' }
    expect((await perform(diffOf(source, target, false))).finished).toMatchObject({ exitCode: 1, totals })
    expect((await perform(diffOf(source, target, true))).finished).toMatchObject({ exitCode: 0, totals })
    expect(await kept(target)).toEqual(await kept(source))
  })

  test('a number among texts is the only extra row', async () => {
    const [source, target] = await keyed(pair, "('1', 1), ('2', 2)", [insert("('1', 1), ('2', 2), (77, 9)")])
    const { finished } = await perform(diffOf(source, target, true))
    expect(finished).toMatchObject({ exitCode: 0, totals: { missing: '0', extra: '1', fixed: '1' } })
    expect(await kept(target)).toEqual(await kept(source))
  })

  test('copy --again finds the texts appended to a number', async () => {
    const [source, target] = await keyed(pair, "('5', 1), ('x', 2)", [insert('(5, 9)')])
    const copy = copyOf(source, target, 'k', { onExisting: 'append' })
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '2' } })
    const again = await perform({ ...copy, again: true })
    expect(again.finished).toMatchObject({ exitCode: 0, totals: { mended: '0', extra: '1' } })
    const mended = await perform({ ...copy, again: true, deleteExtra: true })
    expect(mended.finished).toMatchObject({ exitCode: 0 })
    expect(await kept(target)).toEqual(await kept(source))
  })

  test.each(["(1, 1), ('1', 2), ('x', 3)", "('NULL', 1)"])('an emptied target is filled again: %s', async (rows) => {
    const [source, target] = await keyed(pair, rows, [])
    expect((await perform(copyOf(source, target, 'k'))).finished).toMatchObject({ exitCode: 0 })
    await target.sql('DELETE FROM k')
    expect((await perform(diffOf(source, target, true))).finished).toMatchObject({ exitCode: 0 })
    expect(await kept(target)).toEqual(await kept(source))
  })

  test('a text behind the rows that show numbers is not copied as a number', async () => {
    const numbers = Array.from({ length: 1000 }, (_, at) => `(${at}, 1)`).join(', ')
    const [source, target] = await keyed(pair, `${numbers}, ('1000', 2)`, [])
    expect((await perform(copyOf(source, target, 'k'))).finished.exitCode).not.toBe(0)
    expect(await target.rows('SELECT count(*) FROM k WHERE v = 2')).toEqual([['0']])
  })
})
