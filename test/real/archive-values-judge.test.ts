/**
 * Values that leave with a partition and are restored, compared by the server's own functions: hexadecimal bytes,
 * storage class, member number.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { done, errorOf, leaveCommands } from '../support/leave-and-return.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))
const without = (system: (typeof SYSTEMS)[number]): string => WITHOUT.get(system) ?? ''

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

/** Values of each storage class, and texts that look like another class. */
const STORED = [
  '1',
  `'one'`,
  '1.5',
  `x'6f6e65'`,
  'NULL',
  `'it''s'`,
  `''`,
  `x''`,
  '7.0',
  `'7'`,
  `'7.0'`,
  '-0.0',
  '9e999',
  `'9007199254740993'`,
  '9007199254740993',
  '1e300',
  `x'ff00'`,
  `char(0) || 'z'`,
]

const commands = (place: Place, more: Partial<Run> = {}) => leaveCommands(place, folder.path, more)
type Run = Operation & { readonly kind: 'archive' }

/**
 * Rows are archived and restored: the judge query must return the same. @param judge a query with functions of the
 * server
 */
async function leaveAndReturn(
  place: Place,
  judge: string,
  more: Partial<Run> = {},
  between: () => Promise<void> = async () => undefined,
): Promise<void> {
  const before = await place.rows(judge)
  const { run, drop, restore, verify } = commands(place, more)
  await done(run)
  await done(drop)
  expect((await place.rows(judge)).length).toBeLessThan(before.length)
  await done(verify)
  await between()
  await done(restore)
  expect((await place.rows(judge)).slice(0, before.length)).toEqual(before)
}

describe('members of MySQL', () => {
  const judge = `SELECT id, en + 0, HEX(en), em + 0, HEX(em), st + 0, HEX(st), sm + 0, HEX(sm), HEX(b1), HEX(b9), HEX(b64) FROM s ORDER BY id`
  const make = async (): Promise<Place> => {
    const place = await makePlace('mysql', folder.path)
    await place.sql(
      `CREATE TABLE s (id int PRIMARY KEY, d date NOT NULL, en enum('a','b','it''s','1'), em enum('','a','0'), st set('a','b','c'), sm set('','a','0'), b1 bit(1), b9 bit(9), b64 bit(64))`,
      "SET SESSION sql_mode = ''",
      `INSERT INTO s VALUES (1, '2023-02-01', 'a', 'a', 'a,c', 3, 1, 256, 18446744073709551615),
        (2, '2023-02-01', 'nonsense', 'nonsense', '', 0, 0, 0, 0), (3, '2023-02-01', NULL, '', NULL, 1, NULL, NULL, NULL),
        (4, '2023-02-02', 'it''s', '0', 'c', 4, b'1', 511, 1), (5, '2023-02-02', 4, 0, 7, 7, 0, 1, 2), (6, '2026-11-01', 'b', 'a', 'b', 'a', 1, 1, 1)`,
    )
    return place
  }

  it.skipIf(without('mysql') !== '')(
    `are restored with number and text${without('mysql')}`,
    { timeout: 180_000 },
    async () => {
      await leaveAndReturn(await make(), judge)
    },
  )

  it.skipIf(without('mysql') !== '')(
    `are copied with number and text${without('mysql')}`,
    { timeout: 180_000 },
    async () => {
      const place = await make()
      const to = await makePlace('mysql', folder.path)
      const { finished } = await perform(copyOf(place, to, 's'))
      expect(finished.error ?? null).toBeNull()
      expect(await to.rows(judge)).toEqual(await place.rows(judge))
    },
  )

  it.skipIf(without('mysql') !== '')(`are named in a plan${without('mysql')}`, { timeout: 180_000 }, async () => {
    const { run } = commands(await make())
    const { events } = await done({ ...run, dryRun: true, exact: true })
    const notes = events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')
    expect(notes).toMatch(/2023-Q1 has 1 value in en .*number 0/)
    expect(notes).toMatch(/2023-Q1 has 2 values in em .*number 0/)
  })
})

describe('values of SQLite', () => {
  const judge = (...columns: readonly string[]): string =>
    `SELECT id, ${columns.map((name) => `typeof(${name}), quote(${name}), hex(${name})`).join(', ')} FROM s ORDER BY id`
  const make = async (columns: string, values: readonly string[], hot: string): Promise<Place> => {
    const place = await makePlace('sqlite', folder.path)
    await place.sql(`CREATE TABLE s (id INTEGER PRIMARY KEY, d TEXT NOT NULL, ${columns})`)
    const inserts = values.map((value, i) => `INSERT INTO s VALUES (${i + 1}, '2023-02-01', ${value});`)
    await place.sql(`BEGIN; ${inserts.join(' ')} INSERT INTO s VALUES (100000, '2026-11-01', ${hot}); COMMIT`)
    return place
  }
  const TYPES = [
    '',
    'ANY',
    'INTEGER',
    'REAL',
    'TEXT',
    'BLOB',
    'NUMERIC',
    'BOOLEAN',
    'DATETIME',
    'DECIMAL(10,2)',
    'JSON',
    'UUID',
  ]

  it('of any class are restored from a column that is stored as text', { timeout: 180_000 }, async () => {
    const names = TYPES.map((_, i) => `v${i}`)
    const columns = TYPES.map((type, i) => `v${i} ${type}`).join(', ')
    const place = await make(
      columns,
      STORED.map((value) => TYPES.map(() => value).join(', ')),
      names.map(() => `'hot'`).join(', '),
    )
    await leaveAndReturn(place, judge(...names), { asText: names })
  })

  it('are restored from an archive of an older sluice, whose ledger has another name for literals', async () => {
    const place = await make('v', STORED, `'hot'`)
    const older = ['migration_archives', 'migration_archive_partitions'].map(
      (table) =>
        `UPDATE ${table} SET stored = replace(stored, '"as":{"kind":"native","name":"any"}', '"as":{"kind":"native","name":""}')`,
    )
    await leaveAndReturn(place, judge('v'), { asText: ['v'] }, async () => {
      await place.sql(...older)
      expect(await place.rows(`SELECT count(*) FROM migration_archives WHERE stored LIKE '%"name":""}%'`)).toEqual([
        ['1'],
      ])
    })
  })

  it(
    'of one class are restored from a column without a type, despite other classes in other rows',
    { timeout: 180_000 },
    async () => {
      for (const [hot, later, ...values] of [
        ['1', `'hot'`, '2', '9007199254740993'],
        ['1.5', '1', '2.0'],
        [`'a'`, '1', `'1'`],
        [`x'00ff'`, `'a'`, `x''`],
      ]) {
        const place = await make('v', values, hot ?? '')
        await leaveAndReturn(place, judge('v'), {}, () =>
          place.sql(
            `UPDATE s SET v = ${later}`,
            `INSERT INTO s VALUES (100001, '2026-11-01', ${later})`,
            `UPDATE s SET v = ${hot} WHERE id = 100000`,
          ),
        )
      }
    },
  )

  it(
    'that would change in a restore are refused by name, with an option that stores them',
    { timeout: 180_000 },
    async () => {
      for (const [type, held, odd] of [
        ['', '1', `'2'`],
        ['', `'a'`, '2'],
        ['', '1.5', '2'],
        ['INTEGER', '1', `'one'`],
        ['INTEGER', '1', '1.5'],
        ['INTEGER', '1', `x'31'`],
        ['INTEGER', '1', `''`],
        ['REAL', '1', `'NaN'`],
        ['REAL', '1', `x''`],
        ['TEXT', `'a'`, `x'61'`],
        ['BLOB', `x'61'`, `'a'`],
        ['BOOLEAN', '1', `'true'`],
        ['DECIMAL_TEXT(10,2)', `'1.5'`, `'1.50'`],
        ['NUMERIC', '1', '9e999'],
        ['NUMERIC', '1', '-9e999'],
        ['UUID', `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`, `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`],
        ['JSON', `'{}'`, `x'7b7d'`],
      ] as const) {
        const place = await make(`v ${type}`, [...Array<string>(1001).fill(held), odd], held)
        const before = await place.rows(judge('v'))
        const { run } = commands(place)
        const error = errorOf(await perform(run))
        expect(error, `${type} ${odd}`).toMatchObject({
          code: 'VALUE_REFUSED',
          text: expect.stringMatching(/s\.v, row 1002.*--as-text v/s) as string,
        })
        expect(await place.rows(judge('v'))).toEqual(before)
        await leaveAndReturn(place, judge('v'), { asText: ['v'], to: run.to ?? '' })
      }
    },
  )
})

describe('a column that is stored as text later', () => {
  const judge = `SELECT id, ts::text, till::text, encode(timestamptz_send(till), 'hex') FROM s ORDER BY id`
  const make = async (): Promise<Place> => {
    const place = await makePlace('postgresql', folder.path)
    await place.sql(
      'CREATE TABLE s (id int, ts timestamptz NOT NULL, till timestamptz, PRIMARY KEY (id, ts)) PARTITION BY RANGE (ts)',
      `CREATE TABLE s_2023q1 PARTITION OF s FOR VALUES FROM ('2023-01-01') TO ('2023-04-01')`,
      `CREATE TABLE s_2023q2 PARTITION OF s FOR VALUES FROM ('2023-04-01') TO ('2023-07-01')`,
      `CREATE TABLE s_2026q4 PARTITION OF s FOR VALUES FROM ('2026-10-01') TO ('2027-01-01')`,
      `INSERT INTO s VALUES (1, '2023-02-01', '2023-03-01'), (2, '2023-05-01', 'infinity'), (3, '2026-11-01', '2026-12-01')`,
    )
    return place
  }

  it.skipIf(without('postgresql') !== '')(
    `keeps the values of earlier partitions${without('postgresql')}`,
    { timeout: 180_000 },
    async () => {
      const place = await make()
      const before = await place.rows(judge)
      const { by: _, ...run } = commands(place).run
      await done(run)
      await done({ ...run, drop: true, confirm: 's' })
      const later = { ...run, partitions: ['2023-Q2'] }
      expect(errorOf(await perform(later))).toMatchObject({
        code: 'VALUE_REFUSED',
        text: expect.stringContaining('--as-text till') as string,
      })
      await done({ ...later, asText: ['till'] })
      await done({ ...later, drop: true, confirm: 's' })
      await done({ kind: 'restore', from: place.url, table: 's', partitions: ['2023-Q1', '2023-Q2'], dryRun: false })
      expect(await place.rows(judge)).toEqual(before)
    },
  )

  it.skipIf(without('postgresql') !== '')(
    `cannot be the time column${without('postgresql')}`,
    { timeout: 180_000 },
    async () => {
      const place = await make()
      const { by: _, ...run } = commands(place).run
      const refused = { code: 'BAD_FLAG', text: expect.stringMatching(/ts .*--as-text/s) as string }
      expect(errorOf(await perform({ ...run, asText: ['ts'] }))).toMatchObject(refused)
      await done(run)
      expect(errorOf(await perform({ ...run, partitions: ['2023-Q2'], asText: ['ts'] }))).toMatchObject(refused)
      const sqlite = await makePlace('sqlite', folder.path)
      await sqlite.sql('CREATE TABLE s (id INTEGER PRIMARY KEY, d DATETIME)', `INSERT INTO s VALUES (1, '2023-02-01')`)
      const plain = commands(sqlite, { asText: ['d'] })
      expect(errorOf(await perform(plain.run))).toMatchObject({
        code: 'BAD_FLAG',
        text: expect.stringMatching(/d .*--as-text/s) as string,
      })
    },
  )
})
