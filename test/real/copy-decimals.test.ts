/**
 * Decimals are copied into SQLite and D1, which have no such type: as numbers if a double keeps each digit, otherwise
 * as texts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

const WIDE = '12345678901234567890.1234'
const SOURCES: Readonly<Partial<Record<System, string>>> = {
  postgresql: 'numeric',
  mysql: 'decimal',
  duckdb: 'DECIMAL',
}

let folder = ''
const absent = new Map<System, string>()
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-decimals-'))
  for (const system of ['postgresql', 'mysql', 'd1'] as const) absent.set(system, await missing(system))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const has = (...systems: readonly System[]): string => systems.map((one) => absent.get(one) ?? '').join('')

function planOf(events: readonly Event[]) {
  const plan = events.find((event) => event.type === 'plan.ready')
  const line = plan?.type === 'plan.ready' ? plan.copies?.[0] : undefined
  if (line === undefined) throw new Error('no plan')
  return line
}

async function sourceOf(system: System): Promise<Place> {
  const type = SOURCES[system] ?? ''
  const source = await makePlace(system, folder)
  await source.sql(
    `CREATE TABLE rides (id INTEGER NOT NULL PRIMARY KEY, speed ${type}(6,2), most ${type}(15,5), whole ${type}(15,0), wide ${type}(30,4))`,
    `INSERT INTO rides VALUES (1, 9.50, 9999999999.99999, 999999999999999, ${WIDE}), (2, 100, 0.00001, -1, -0.0001), (3, 100.01, -0.1, 0, 9),
       (4, 1000, NULL, 7, 10), (5, -0.00, 1234567890.12345, 8, NULL)`,
  )
  return source
}

const PAIRS = (['sqlite', 'd1'] as const).flatMap((to) =>
  (Object.keys(SOURCES) as System[])
    .filter((from) => to === 'sqlite' || from === 'postgresql')
    .map((from) => ({ from, to })),
)

describe.each(PAIRS)('from $from to $to', ({ from, to }) => {
  test('up to 15 digits they are numbers, above that texts, which the plan names', async ({ skip }) => {
    skip(has(from, to) !== '', has(from, to))
    const source = await sourceOf(from)
    const target = await makePlace(to, folder)
    const copy = copyOf(source, target, 'rides', { chunkRows: 2 })
    const ran = await perform(copy)
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: '5' } })
    expect(await target.rows('SELECT id FROM rides WHERE speed > 100 ORDER BY id')).toEqual([['3'], ['4']])
    expect(
      await target.rows('SELECT DISTINCT typeof(speed), typeof(whole), typeof(wide) FROM rides WHERE wide IS NOT NULL'),
    ).toEqual([['real', 'real', 'text']])
    expect(await target.rows('SELECT wide FROM rides WHERE id = 1')).toEqual([[WIDE]])
    expect(planOf(ran.events).notes?.join()).toMatch(
      /numbers become text, and the target compares them as text \('9' > '10'\): wide/,
    )
    const diff = await perform({
      kind: 'diff',
      from: source.url,
      to: target.url,
      tables: ['rides'],
      rename: {},
      workers: 1,
    } as never)
    expect(diff.finished).toMatchObject({ exitCode: 0 })
    // Copied back into the first system, they are the same decimals.
    const back = await makePlace(from, folder)
    expect((await perform(copyOf(target, back, 'rides'))).finished).toMatchObject({ exitCode: 0 })
    expect(await back.rows('SELECT speed, most, whole, wide FROM rides ORDER BY id')).toEqual(
      await source.rows('SELECT speed, most, whole, wide FROM rides ORDER BY id'),
    )
  })
})

describe('from PostgreSQL', () => {
  test('each scale of 15 digits stays the same both ways, also in keys', { timeout: 30_000 }, async ({ skip }) => {
    skip(has('postgresql') !== '', has('postgresql'))
    const source = await makePlace('postgresql', folder)
    const name = (scale: number): string => `s${scale < 0 ? `m${-scale}` : scale}`
    const scales = [-20, -3, 0, 1, 7, 14, 15, 16, 40, 300]
    // Back in PostgreSQL, scales that older versions do not have become numeric without a scale.
    const values = `SELECT k, ${scales.map((scale) => `trim_scale(${name(scale)})`).join(', ')} FROM edges ORDER BY k`
    await source.sql(
      `CREATE TABLE edges (k numeric(15,5) PRIMARY KEY, ${scales.map((scale) => `${name(scale)} numeric(15,${scale})`).join(', ')})`,
      `INSERT INTO edges SELECT v / 100000::numeric, ${scales.map((scale) => `(v::text || 'e${-scale}')::numeric`).join(', ')}
         FROM unnest(ARRAY[999999999999999, -999999999999999, 0, 1, -1, 123456789012345, 450359962737049, 900719925474099, 5]::bigint[]) AS v`,
    )
    for (const to of ['sqlite', ...(has('d1') === '' ? (['d1'] as const) : [])] as const) {
      const target = await makePlace(to, folder)
      const ran = await perform(copyOf(source, target, 'edges', { chunkRows: 2 }))
      expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: '9' } })
      const back = await makePlace('postgresql', folder)
      const again = await perform(copyOf(target, back, 'edges', { chunkRows: 2 }))
      expect(again.finished.error).toBeUndefined()
      expect(await back.rows(values)).toEqual(await source.rows(values))
    }
  })

  test('NaN is quarantined, and numbers without a precision are texts', async ({ skip }) => {
    skip(has('postgresql') !== '', has('postgresql'))
    const source = await makePlace('postgresql', folder)
    await source.sql(
      'CREATE TABLE n (id int PRIMARY KEY, speed numeric(6,2), free numeric)',
      `INSERT INTO n VALUES (1, 'NaN', 1), (2, 1.50, 'NaN'), (3, 2, 'Infinity')`,
    )
    const target = await makePlace('sqlite', folder)
    const ran = await perform(copyOf(source, target, 'n'))
    expect(ran.finished).toMatchObject({ exitCode: 1, totals: { written: '2', quarantined: '1' } })
    expect(await target.rows('SELECT id, speed, free FROM n ORDER BY id')).toEqual([
      ['2', '1.5', 'NaN'],
      ['3', '2', 'Infinity'],
    ])
    await source.sql('UPDATE n SET speed = 7.25 WHERE id = 1')
    const retried = await perform({ kind: 'retry-quarantine', from: source.url, to: target.url })
    expect(retried.finished).toMatchObject({ exitCode: 0 })
    expect(await target.rows('SELECT speed, typeof(speed) FROM n WHERE id = 1')).toEqual([['7.25', 'real']])
  })

  test('--decimal selects the type, and values that a double cannot keep must be accepted', async ({ skip }) => {
    skip(has('postgresql') !== '', has('postgresql'))
    const source = await makePlace('postgresql', folder)
    await source.sql(
      'CREATE TABLE c (id int PRIMARY KEY, speed numeric(6,2), wide numeric(30,4))',
      `INSERT INTO c VALUES (1, 9.5, ${WIDE}), (2, 10, 2)`,
    )
    const texts = await makePlace('sqlite', folder)
    expect((await perform(copyOf(source, texts, 'c', { decimal: 'text' }))).finished.exitCode).toBe(0)
    expect(await texts.rows('SELECT DISTINCT typeof(speed) FROM c')).toEqual([['text']])
    // An existing table keeps its texts, despite the present rule.
    await source.sql('INSERT INTO c VALUES (3, 11, 3)')
    expect((await perform(copyOf(source, texts, 'c'))).finished.exitCode).toBe(0)
    expect(await texts.rows('SELECT DISTINCT typeof(speed) FROM c')).toEqual([['text']])

    const doubles = await makePlace('sqlite', folder)
    const refused = await perform(copyOf(source, doubles, 'c', { decimal: 'real' }))
    expect(refused.finished).toMatchObject({ exitCode: 6, error: { code: 'LOSSY_TYPE' } })
    const accepted = await perform(copyOf(source, doubles, 'c', { decimal: 'real', acceptLossy: ['wide'] }))
    expect(accepted.finished.exitCode).toBe(0)
    expect(await doubles.rows('SELECT DISTINCT typeof(speed), typeof(wide) FROM c')).toEqual([['real', 'real']])
    const diff = { kind: 'diff', from: source.url, to: doubles.url, tables: ['c'], rename: {}, workers: 1 } as never
    const compared = (await perform(diff)).events.find((event) => event.type === 'table.finished')
    expect(JSON.stringify(compared)).toContain('compared after conversion to the types of the target: wide (')

    const other = await makePlace('postgresql', folder)
    expect((await perform(copyOf(source, other, 'c', { decimal: 'real' }))).finished).toMatchObject({
      exitCode: 2,
      error: { code: 'BAD_FLAG' },
    })
  })

  test.for(['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1'] as const)(
    'a column of doubles in %s accepts them without --accept-lossy',
    async (to, { skip }) => {
      skip(has('postgresql', to) !== '', has('postgresql', to))
      const source = await makePlace('postgresql', folder)
      await source.sql(
        'CREATE TABLE r (id int PRIMARY KEY, speed numeric(15,5))',
        `INSERT INTO r VALUES (1, 0.1), (2, 9999999999.99999), (3, -0.00001), (4, NULL), (5, 1234567890)`,
      )
      const target = await makePlace(to, folder)
      await target.sql(
        `CREATE TABLE r (id INTEGER PRIMARY KEY, speed ${to === 'sqlite' || to === 'd1' ? 'REAL' : 'DOUBLE PRECISION'})`,
      )
      const copy = copyOf(source, target, 'r', { chunkRows: 2 })
      const ran = await perform(copy)
      expect(ran.finished).toMatchObject({ exitCode: 0, totals: { written: '5' } })
      expect(planOf(ran.events).columns.some(({ lossy }) => lossy !== undefined)).toBe(false)
      // A change below the precision of the source column is a difference, too.
      await target.sql('UPDATE r SET speed = 0.1000001 WHERE id = 1')
      const diff = { kind: 'diff', from: source.url, to: target.url, tables: ['r'], rename: {}, workers: 1 } as never
      expect((await perform(diff)).finished).toMatchObject({ exitCode: 1 })
    },
  )
})

test.each(['duckdb', 'mysql', 'postgresql'] as const)(
  'trailing zeros of a number without a scale are kept in %s',
  async (to) => {
    if (has('postgresql') !== '' || (absent.get(to) ?? '') !== '') return
    const source = await makePlace('postgresql', folder)
    await source.sql(
      'CREATE TABLE t (id int PRIMARY KEY, free numeric, bound numeric(10,2))',
      'INSERT INTO t VALUES (1, 6.000, 6)',
    )
    const target = await makePlace(to, folder)
    const ran = await perform(copyOf(source, target, 't'))
    expect(ran.finished).toMatchObject({ exitCode: 0 })
    const [[free] = []] = await target.rows(`SELECT CAST(free AS ${to === 'mysql' ? 'char' : 'text'}) FROM t`)
    expect(free).toBe('6.000')
    const said = /trailing zeros are not kept: 6\.000 is written and proved as 6: free \(numeric\)/
    expect(said.test(planOf(ran.events).notes?.join('; ') ?? '')).toBe(false)
  },
)
