/**
 * Generated columns are compared if both sides compute them, by expression and by value; a plain column of the target
 * gets the values.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'

vi.setConfig({ testTimeout: 120_000 })

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-generated-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function places(from: System, to: System): Promise<readonly [Place, Place]> {
  const why = (await missing(from)) || (await missing(to))
  if (why !== '') expect.fail(why)
  return [await makePlace(from, folder), await makePlace(to, folder)]
}

const SYSTEMS = ['postgresql', 'mysql', 'sqlite', 'duckdb', 'd1'] as const

const kept = (system: System): string => (system === 'duckdb' ? 'VIRTUAL' : 'STORED')
const whole = (system: System): string => (system === 'sqlite' || system === 'd1' ? 'INTEGER' : 'bigint')

/** @param vat expression over `net`; null for a plain column @param key key clause; empty for a table without a key */
function table(system: System, vat: string | null, key = 'PRIMARY KEY'): string {
  const type = whole(system)
  const made = vat === null ? '' : ` GENERATED ALWAYS AS (${vat}) ${kept(system)}`
  return `CREATE TABLE ge (id ${type} ${key}, net ${type}, vat ${type}${made})`
}

const ROWS = 'INSERT INTO ge (id, net) VALUES (1, 10), (2, 20), (3, NULL)'

const copy = (from: Place, to: Place, more: Partial<Omit<CopyOperation, 'kind'>> = {}): Promise<Ran> =>
  perform(copyOf(from, to, 'ge', more))

const diff = (from: Place, to: Place, more: Partial<Omit<DiffOperation, 'kind'>> = {}): Promise<Ran> =>
  perform({
    kind: 'diff',
    from: from.url,
    to: to.url,
    tables: ['ge'],
    rename: {},
    workers: 1,
    limit: 10,
    fix: false,
    deleteExtra: false,
    ...more,
  })

const errorOf = ({ events, finished }: Ran): string =>
  [
    finished.error?.message,
    finished.error?.reason,
    ...events.flatMap((event) => (event.type === 'table.finished' && event.error ? [event.error.reason] : [])),
  ].join(' ')

const expectDone = (ran: Ran): void => expect(ran.finished.error?.message ?? ran.finished.exitCode).toBe(0)

/** Replaces the expression without a change of the stored rows. */
function rewrite({ url }: Place, from: string, to: string): void {
  const database = new Database(url.slice('sqlite:///'.length))
  database.unsafeMode()
  database.exec(`PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '${from}', '${to}')`)
  database.close()
}

describe.each(SYSTEMS)('within %s', (system) => {
  test('another expression in the target is refused in the plan, which shows both', async () => {
    const [from, to] = await places(system, system)
    await from.sql(table(system, 'net * 2'), ROWS)
    await to.sql(table(system, 'net * 3'))
    for (const dryRun of [true, false]) {
      const ran = await copy(from, to, { dryRun })
      expect(ran.finished.exitCode).not.toBe(0)
      expect(errorOf(ran)).toMatch(/ge\.vat is computed from another expression in the target.*2.*3/s)
    }
    expect(await to.rows('SELECT count(*) FROM ge')).toEqual([['0']])
    expectDone(await copy(from, to, { columns: ['id', 'net'] }))
    const found = await diff(from, to)
    expect(found.finished).toMatchObject({ exitCode: 1, totals: { different: '2' } })
  })

  test('the same expression in another spelling is accepted', async () => {
    const [from, to] = await places(system, system)
    await from.sql(table(system, '(net + 1) * 2'), ROWS)
    await to.sql(table(system, '( ( NET+1 )*2 )'))
    expectDone(await copy(from, to))
    expectDone(await copy(from, to))
    expect(await to.rows('SELECT vat FROM ge ORDER BY id')).toEqual([['22'], ['42'], [null]])
    expectDone(await diff(from, to))
  })

  test('a plain column of the target gets the values', async () => {
    const [from, to] = await places(system, system)
    await from.sql(table(system, 'net * 2'), ROWS)
    await to.sql(table(system, null))
    const ran = await copy(from, to)
    expectDone(ran)
    expect(ran.finished.leftBehind ?? []).toEqual([])
    expect(await to.rows('SELECT vat FROM ge ORDER BY id')).toEqual([['20'], ['40'], [null]])
    await to.sql('UPDATE ge SET vat = 7 WHERE id = 1')
    expectDone(await copy(from, to, { again: true }))
    expect(await to.rows('SELECT vat FROM ge WHERE id = 1')).toEqual([['20']])
    expectDone(await diff(from, to))
  })
})

describe.each<readonly [System, System]>([
  ['postgresql', 'mysql'],
  ['mysql', 'duckdb'],
  ['duckdb', 'sqlite'],
  ['sqlite', 'postgresql'],
  ['postgresql', 'd1'],
  ['d1', 'mysql'],
])('from %s to %s', (source, target) => {
  test.each([
    ['with a key', 'PRIMARY KEY'],
    ['without a key', ''],
  ])('values that the target computes are compared, of a table %s', async (_name, key) => {
    const [from, to] = await places(source, target)
    await from.sql(table(source, 'net * 2', key), ROWS)
    await to.sql(table(target, 'net * 3', key))
    const ran = await copy(from, to)
    expect(ran.finished.exitCode).toBe(1)
    expect(JSON.stringify([ran.finished.error, ran.events])).toContain(
      'generated columns vat have other values in the target',
    )
    const twice = await copy(from, to)
    expect(twice.finished.exitCode).toBe(1)
    expect(JSON.stringify([twice.finished.error, twice.events])).toContain(
      'generated columns vat have other values in the target',
    )
    await to.sql('DROP TABLE ge', table(target, 'net + net', key))
    expectDone(await copy(from, to, { restart: true }))
    expect(await to.rows('SELECT vat FROM ge ORDER BY id')).toEqual([['20'], ['40'], [null]])
    expectDone(await diff(from, to))
  })

  test('rows without a key that changed in the source after an earlier run are named as not compared', async () => {
    const [from, to] = await places(source, target)
    await from.sql(table(source, 'net * 2', ''), ROWS)
    await to.sql(table(target, 'net * 3', ''))
    expect((await copy(from, to)).finished.exitCode).toBe(1)
    await from.sql('UPDATE ge SET net = 11 WHERE id = 1')
    const ran = await copy(from, to, { noLook: true })
    expect(JSON.stringify(ran.events)).toContain('generated columns (vat) were not compared')
  })

  test('a plain column of the target gets the values', async () => {
    const [from, to] = await places(source, target)
    await from.sql(table(source, 'net * 2'), ROWS)
    await to.sql(table(target, null))
    expectDone(await copy(from, to))
    expect(await to.rows('SELECT vat FROM ge ORDER BY id')).toEqual([['20'], ['40'], [null]])
  })
})

describe('a copy that an earlier version began, without values of generated columns', () => {
  const many = (place: Place): Promise<void> =>
    place.sql(
      'INSERT INTO ge (id, net) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, i FROM n',
    )

  /** Its plan has the columns that older versions chose. @returns the number of rows that it wrote */
  async function halfDone(from: Place, to: Place): Promise<number> {
    const interrupt = new Interrupter()
    await perform(copyOf(from, to, 'ge', { columns: ['id', 'net'], chunkRows: 50, workers: 1 }), {
      interrupt,
      onEvent: ({ type }) => void (type === 'chunk.done' && interrupt.requestStop()),
    })
    const [[count] = []] = await to.rows('SELECT count(*) FROM ge')
    return Number(count)
  }

  test.each([
    ['gets none for a plain column', null],
    ['does not compare what the target computes', 'net * 3'],
  ])('is finished as it was begun: it %s, and reports so', async (_name, vat) => {
    const [from, to] = await places('sqlite', 'duckdb')
    await from.sql(table('sqlite', 'net * 2'))
    await many(from)
    await to.sql(table('duckdb', vat))
    const first = await halfDone(from, to)
    expect(first).toBeGreaterThan(0)
    expect(first).toBeLessThan(500)
    const ran = await copy(from, to, { chunkRows: 50 })
    expectDone(ran)
    expect(ran.finished.leftBehind).toEqual([
      expect.objectContaining({
        kind: 'generated column',
        names: ['vat'],
        means: expect.stringContaining(vat === null ? 'not copied' : 'not compared'),
      }),
    ])
    const sums = await to.rows('SELECT count(*), CAST(sum(vat) AS VARCHAR) FROM ge')
    expect(sums).toEqual([['500', vat === null ? null : String(3 * 125_250)]])
    const anew = await copy(from, to, { restart: true, onExisting: 'replace-range' })
    if (vat === null) {
      expectDone(anew)
      expect(await to.rows('SELECT CAST(sum(vat) AS VARCHAR) FROM ge')).toEqual([[String(2 * 125_250)]])
    } else expect(JSON.stringify(anew.events)).toContain('generated columns vat have other values in the target')
  })
})

describe('a column that both sides compute', () => {
  const twoFunctions = async (): Promise<readonly [Place, Place]> => {
    const [from, to] = await places('postgresql', 'postgresql')
    for (const [place, by] of [
      [from, 2],
      [to, 3],
    ] as const) {
      await place.sql(
        `CREATE FUNCTION taxed(bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT $1 * ${by}'`,
        table('postgresql', 'taxed(net)'),
      )
    }
    await from.sql(ROWS)
    return [from, to]
  }

  test('by a user-defined function is compared by its values', async () => {
    const [from, to] = await twoFunctions()
    const ran = await copy(from, to)
    expect(ran.finished.exitCode).toBe(1)
    expect(JSON.stringify(ran.events)).toContain('generated columns vat have other values in the target')
  })

  test('is compared by diff and --again, and a row that cannot be repaired is not reported as repaired', async () => {
    const [from, to] = await twoFunctions()
    expectDone(await copy(from, to, { columns: ['id', 'net'] }))
    const found = await diff(from, to)
    expect(found.finished).toMatchObject({ exitCode: 1, totals: { different: '2' } })
    await to.sql('UPDATE ge SET net = 11 WHERE id = 1')
    const fixed = await diff(from, to, { fix: true })
    expect(fixed.finished).toMatchObject({ exitCode: 1, totals: { different: '2', fixed: '0' } })
    expect(await to.rows('SELECT net FROM ge WHERE id = 1')).toEqual([['10']])
    expect(JSON.stringify(fixed.events)).toContain('the target generates vat itself')
  })

  test('is compared by --again', async () => {
    const [from, to] = await places('sqlite', 'sqlite')
    await from.sql(table('sqlite', 'net * 2'), ROWS)
    expectDone(await copy(from, to))
    rewrite(to, 'net * 2', 'net * 3')
    await to.sql('UPDATE ge SET net = net + 0')
    rewrite(to, 'net * 3', 'net * 2')
    const again = await copy(from, to, { again: true })
    expect(again.finished.exitCode).toBe(0)
    expect(await to.rows('SELECT vat FROM ge ORDER BY id')).toEqual([['20'], ['40'], [null]])
    expect(again.finished).toMatchObject({ totals: { mended: '2' } })
  })

  test('is compared in spite of existing rows, and without a row that the target refused', async () => {
    const [from, to] = await places('sqlite', 'mysql')
    await from.sql(table('sqlite', 'net * 2'), ROWS, 'INSERT INTO ge (id, net) VALUES (5, 5000000000)')
    await to.sql(
      'CREATE TABLE ge (id bigint PRIMARY KEY, net int, vat bigint GENERATED ALWAYS AS (net * 2) VIRTUAL)',
      'INSERT INTO ge (id, net) VALUES (4, 40)',
    )
    const right = await copy(from, to, { onExisting: 'append', acceptLossy: ['net'] })
    expect(right.finished).toMatchObject({ error: { code: 'ROWS_ASIDE' }, totals: { quarantined: '1' } })
    await to.sql('DROP TABLE ge')
    await to.sql(
      'CREATE TABLE ge (id bigint PRIMARY KEY, net bigint, vat bigint GENERATED ALWAYS AS (net * 3) VIRTUAL)',
      'INSERT INTO ge (id, net) VALUES (4, 40)',
    )
    const wrong = await copy(from, to, { onExisting: 'append', restart: true })
    expect(JSON.stringify(wrong.events)).toContain('generated columns vat have other values in the target')
  })

  test('is named if its types cannot be compared', async () => {
    const [from, to] = await places('postgresql', 'sqlite')
    await from.sql('CREATE TABLE ge (id int PRIMARY KEY, n numeric, g numeric GENERATED ALWAYS AS (n / 3) STORED)')
    await to.sql('CREATE TABLE ge (id INTEGER PRIMARY KEY, n TEXT, g REAL AS (n / 3.0) STORED)')
    const ran = await copy(from, to)
    expectDone(ran)
    expect(ran.finished.leftBehind).toEqual([
      expect.objectContaining({
        kind: 'generated column',
        names: ['g'],
        means: expect.stringContaining('not compared'),
      }),
    ])
  })
})
