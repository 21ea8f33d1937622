/** Rows that violate a constraint which the system did not check: a row that could not be restored does not leave. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const SYSTEMS: readonly System[] = ['sqlite', 'postgresql', 'mysql']
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))

/** Key, day, amount, parent. */
const ROWS = [
  [1, '2020-01-01 00:00:00', 5, 1],
  [2, '2020-01-02 00:00:00', -1, 1],
  [3, '2020-01-03 00:00:00', -2, 'NULL'],
  [4, '2020-01-04 00:00:00', 'NULL', 99],
  [5, '2020-04-01 00:00:00', 8, 1],
  [6, '2090-01-01 00:00:00', -8, 98],
] as const
const VALUES = `INSERT INTO v VALUES ${ROWS.map(([id, at, amount, to]) => `(${id}, '${at}', ${amount}, ${to})`).join(', ')}`
const CHECK = 'CONSTRAINT "is ""positive" CHECK (amount > 0)'
const KEY = 'CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES "the parent" (id)'
const COLUMNS = 'id bigint NOT NULL PRIMARY KEY, at timestamp(0) NOT NULL, amount integer, parent integer'
const PARENT = ['CREATE TABLE "the parent" (id integer PRIMARY KEY)', 'INSERT INTO "the parent" VALUES (1)']

const MADE: Readonly<Partial<Record<System, readonly string[]>>> = {
  sqlite: [
    ...PARENT,
    'PRAGMA ignore_check_constraints = ON',
    'PRAGMA foreign_keys = OFF',
    `CREATE TABLE v (id INTEGER PRIMARY KEY, at DATETIME NOT NULL, amount integer DEFAULT (1) ${CHECK} /* ) */, parent integer, ${KEY})`,
    VALUES,
  ],
  postgresql: [
    ...PARENT,
    `CREATE TABLE v (${COLUMNS})`,
    VALUES,
    `ALTER TABLE v ADD ${CHECK} NOT VALID`,
    `ALTER TABLE v ADD ${KEY} NOT VALID`,
  ],
  mysql: [
    "SET sql_mode = 'ANSI_QUOTES', check_constraint_checks = 0, foreign_key_checks = 0",
    ...PARENT,
    `CREATE TABLE v (${COLUMNS.replace('timestamp(0)', 'datetime')}, ${CHECK}, ${KEY})`,
    VALUES,
  ],
}
const IS_POSITIVE = 'CHECK is "positive'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-unchecked-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function made(system: System, more: readonly string[] = []) {
  const place = await makePlace(system, folder)
  await place.sql(...(MADE[system] ?? []), ...more)
  const { run, restore } = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
  const own = { ...run, tables: ['v'] } as Operation & { readonly kind: 'archive' }
  return {
    place,
    run: own,
    drop: { ...own, drop: true, confirm: 'v' },
    restore: { ...restore, table: 'v' } as Operation & { readonly kind: 'restore' },
  }
}

const all = (place: Place) => place.rows('SELECT id, at, amount, parent FROM v ORDER BY id')
const refusals = ({ events }: Ran) =>
  events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event.error] : []))
const warned = ({ events }: Ran): string =>
  events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event.message] : [])).join('\n')

describe.each(SYSTEMS)('%s', (system) => {
  const why = WITHOUT.get(system) ?? ''
  const dangles = system !== 'sqlite'
  const expected = [
    `2020-Q1 has 2 rows that violate ${IS_POSITIVE}, such as 2`,
    ...(dangles ? ['2020-Q1 has 1 row that violates foreign key of_parent: 4'] : []),
  ]

  test.skipIf(why !== '')(`are counted by the plan, and refused before any row leaves${why}`, async () => {
    const { place, run, drop, restore } = await made(system)
    const planned = warned(await perform({ ...run, dryRun: true, exact: true }))
    for (const text of expected) expect(planned).toContain(`a run would be refused: ${text}`)
    for (const command of [run, drop]) {
      const [refused, ...others] = refusals(await perform(command))
      expect(others).toEqual([])
      expect(refused).toMatchObject({ code: 'ROW_REFUSED', message: expected.join('; ') })
      expect(refused?.hint).toContain('correct or remove these rows')
    }
    // The other period has left.
    expect((await all(place)).map(([id]) => id)).toEqual(['1', '2', '3', '4', '6'])
    await place.sql('UPDATE v SET amount = 1 WHERE amount < 0')
    if (dangles) await place.sql('UPDATE v SET parent = NULL WHERE id = 4')
    const before = await all(place)
    expect(refusals(await perform(drop))).toEqual([])
    expect((await all(place)).map(([id]) => id)).toEqual(['6'])
    const back = { ...restore, partitions: ['2020-Q1'] }
    expect((await perform({ ...back, dryRun: true })).finished).toMatchObject({
      notChecked: expect.stringContaining(
        `such as ${[IS_POSITIVE, ...(dangles ? ['foreign key of_parent'] : [])].join(', ')}:`,
      ),
    })
    expect((await perform(back)).finished).toMatchObject({ exitCode: 0 })
    expect(await all(place)).toEqual(before)
  })
})

describe.each(['postgresql', 'mysql'] as const)('%s', (system) => {
  const why = WITHOUT.get(system) ?? ''

  test.skipIf(why !== '')(`are refused before a drop, too${why}`, async () => {
    const { place, run, drop } = await made(system, ['UPDATE v SET amount = 1, parent = NULL WHERE id IN (2, 3, 4, 6)'])
    expect(refusals(await perform(run))).toEqual([])
    const late = 'ALTER TABLE v ADD CONSTRAINT late CHECK (amount > 5)'
    await place.sql(...(system === 'mysql' ? ['SET check_constraint_checks = 0', late] : [`${late} NOT VALID`]))
    const before = await all(place)
    expect(refusals(await perform({ ...drop, partitions: ['2020-Q1'] }))).toMatchObject([
      {
        code: 'ROW_REFUSED',
        message: '2020-Q1 has 4 rows that violate CHECK late, such as 1',
        hint: expect.stringMatching(/restore .*--partition/) as string,
      },
    ])
    expect(await all(place)).toEqual(before)
    await place.sql('ALTER TABLE v DROP CONSTRAINT late')
    expect(refusals(await perform(drop))).toEqual([])
    expect((await all(place)).map(([id]) => id)).toEqual(['6'])
  })
})

const noMysql = WITHOUT.get('mysql') ?? ''
test.skipIf(noMysql !== '')(
  `CHECKs are read with the characters that the dictionary of MariaDB lacks${noMysql}`,
  async () => {
    const place = await makePlace('mysql', folder)
    await place.sql(
      "SET sql_mode = 'ANSI_QUOTES', check_constraint_checks = 0",
      `CREATE TABLE v (id bigint NOT NULL PRIMARY KEY, at datetime NOT NULL, mood varchar(9) COLLATE utf8mb4_bin CHECK (mood <> '🙁'),
       own json, also varchar(9), CONSTRAINT also CHECK (also <> 'it''s ?' AND also LIKE '_%'),
       CONSTRAINT slashed CHECK (also <> 'a\\\\b'))`,
      `INSERT INTO v VALUES (1, '2020-01-01', '🙂', '{}', 'a'), (2, '2020-01-01', '🙁', '{}', 'a'), (3, '2020-01-01', '?', 'no', ''),
       (4, '2020-01-01', '?', '{}', 'it''s ?')`,
    )
    const { run } = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    const ran = await perform({ ...run, tables: ['v'] } as Operation)
    const [refused] = refusals(ran)
    expect(refused?.message).toBe(
      '2020-Q1 has 1 row that violates CHECK mood: 2; 2020-Q1 has 1 row that violates CHECK own: 3; 2020-Q1 has 2 rows that violate CHECK also, such as 3',
    )
    expect(warned(ran)).toContain('2020-Q1: rows could not be tested for CHECK slashed')
  },
)

describe.each(['plain', 'native'] as const)('rows that violate CHECKs of domains, %s', (form) => {
  const why = WITHOUT.get('postgresql') ?? ''

  test.skipIf(why !== '')(`are refused before any row leaves${why}`, async () => {
    const place = await makePlace('postgresql', folder)
    await place.sql(
      'CREATE DOMAIN "a whole" AS numeric(9, 2)',
      'CREATE DOMAIN positive AS "a whole"',
      'CREATE TABLE v (id bigint NOT NULL, at timestamp(0) NOT NULL, value positive, parts positive[], PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
      `CREATE TABLE v_0 PARTITION OF v FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')`,
      `CREATE TABLE v_1 PARTITION OF v FOR VALUES FROM ('2090-01-01') TO ('2091-01-01')`,
      ...(form === 'native'
        ? []
        : [
            'DROP TABLE v',
            'CREATE TABLE v (id bigint PRIMARY KEY, at timestamp(0) NOT NULL, value positive, parts positive[])',
          ]),
      `INSERT INTO v VALUES (1, '2020-01-01', 5, '{1,2}'), (2, '2020-01-02', -1, NULL), (3, '2020-01-03', NULL, '{5,NULL,-1}'), (4, '2090-01-01', -5, NULL)`,
      'ALTER DOMAIN positive ADD CONSTRAINT "is positive" CHECK (VALUE > 0) NOT VALID',
      'ALTER DOMAIN "a whole" ADD CONSTRAINT small CHECK (VALUE < 100) NOT VALID',
    )
    const { run, restore } = commandsOf({ place, form, to: mkdtempSync(join(folder, 'to-')) })
    const own = { ...run, tables: ['v'] } as Operation & { readonly kind: 'archive' }
    const keys = form === 'plain' ? [2, 3] : ['2, 2020-01-02 00:00:00', '3, 2020-01-03 00:00:00']
    const texts = ['value', 'parts'].map(
      (column, at) => `2020-Q1 has 1 row that violates CHECK is positive of domain positive in ${column}: ${keys[at]}`,
    )
    const planned = warned(await perform({ ...own, dryRun: true, exact: true }))
    for (const text of texts) expect(planned).toContain(`a run would be refused: ${text}`)
    const [refused] = refusals(await perform(own))
    expect(refused).toMatchObject({ code: 'ROW_REFUSED', message: texts.join('; ') })
    await place.sql("UPDATE v SET value = 1, parts = '{1}' WHERE at < '2090-01-01'")
    const before = await place.rows('SELECT * FROM v ORDER BY id')
    expect(refusals(await perform({ ...own, drop: true, confirm: 'v' }))).toEqual([])
    expect(await place.rows('SELECT id FROM v')).toEqual([['4']])
    const back = await perform({ ...restore, table: 'v', partitions: ['2020-Q1'] } as Operation)
    expect(back.finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows('SELECT * FROM v ORDER BY id')).toEqual(before)
  })
})

const noServer = WITHOUT.get('postgresql') ?? ''
test.skipIf(noServer !== '')(`code of an untrusted role is not executed to count rows${noServer}`, async () => {
  const role = `stranger_${Date.now()}`
  const { place, run } = await made('postgresql', [
    `CREATE ROLE ${role}`,
    'CREATE TABLE ran (at text)',
    'GRANT INSERT ON ran TO public',
    `CREATE FUNCTION public.is_odd(integer) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.ran VALUES (current_user); RETURN true; END'`,
    `ALTER FUNCTION public.is_odd(integer) OWNER TO ${role}`,
    'ALTER TABLE v DROP CONSTRAINT "is ""positive", DROP CONSTRAINT of_parent, ADD CONSTRAINT odd CHECK (public.is_odd(amount)) NOT VALID',
  ])
  try {
    const planned = await perform({ ...run, dryRun: true, exact: true })
    expect(warned(planned)).toContain('rows could not be tested for CHECK odd')
    expect(refusals(await perform(run))).toEqual([])
    expect(await place.rows('SELECT count(*) FROM ran')).toEqual([['0']])
  } finally {
    await place.sql('ALTER TABLE v DROP CONSTRAINT odd', `DROP OWNED BY ${role}`, `DROP ROLE ${role}`)
  }
})

describe('sqlite: a table that needs the text of a time', () => {
  const T = "'2020-01-02T10:00:00'"
  const CASES: readonly (readonly [name: string, sql: string, column: string])[] = [
    ['in its key', 'id integer, at datetime NOT NULL, b datetime, PRIMARY KEY (at, id)', 'at'],
    ['in a unique index', 'id integer PRIMARY KEY, at datetime NOT NULL, b datetime UNIQUE', 'b'],
    ['by a CHECK', `id integer PRIMARY KEY, at datetime NOT NULL, b datetime CHECK ("B" = ${T})`, 'b'],
    ['by a CHECK of hours', `id integer PRIMARY KEY, at datetime NOT NULL, b time CHECK (length(b) > 10)`, 'b'],
    [
      'by a generated column',
      'id integer PRIMARY KEY, at datetime NOT NULL, b datetime, c AS (substr([b], 1, 16))',
      'b',
    ],
    ['by a key of another table', 'id integer PRIMARY KEY, at datetime NOT NULL, b datetime UNIQUE', 'b'],
    ['by a foreign key', 'id integer PRIMARY KEY, at datetime NOT NULL, b datetime REFERENCES o (b)', 'b'],
    ['by an index of an expression', 'id integer PRIMARY KEY, at datetime NOT NULL, b datetime', 'b'],
  ]

  test.each(CASES)('%s keeps rows that would come back in another spelling', async (name, columns, column) => {
    const place = await makePlace('sqlite', folder)
    const other = name.includes('hours') ? "'10:00:00.50'" : T
    await place.sql(
      'PRAGMA foreign_keys = OFF',
      `CREATE TABLE v (${columns})`,
      ...(name.includes('unique') ? [`INSERT INTO v VALUES (2, '2090-01-01 00:00:00', '2020-01-02 10:00:00')`] : []),
      ...(name.includes('another table') ? ['CREATE TABLE o (b datetime REFERENCES v (b))'] : []),
      ...(name.includes('expression') ? ['CREATE UNIQUE INDEX e ON v (substr(b, 1, 19))'] : []),
      `INSERT INTO v (id, at, b) VALUES (1, '2020-01-02 10:00:00', ${column === 'b' ? other : 'NULL'})`,
      ...(column === 'at' ? [`INSERT INTO v (id, at) VALUES (1, ${T})`] : []),
    )
    const { run, restore } = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    const own = { ...run, tables: ['v'] } as Operation & { readonly kind: 'archive' }
    const drop = { ...own, drop: true, confirm: 'v' }
    const before = await place.rows('SELECT * FROM v ORDER BY id, at')
    expect(warned(await perform({ ...own, dryRun: true, exact: true }))).toContain(
      `a run would be refused: 2020-Q1 has 1 value in ${column} that is not valid for its type`,
    )
    const [refused] = refusals(await perform(drop))
    expect(refused).toMatchObject({
      code: 'VALUE_REFUSED',
      message: expect.stringContaining('as it would be restored'),
    })
    expect(refused?.hint?.includes('--as-text')).toBe(column !== 'at')
    expect(await place.rows('SELECT * FROM v ORDER BY id, at')).toEqual(before)
    if (column === 'at') return
    // As text, the spelling comes back.
    expect(refusals(await perform({ ...drop, asText: [column] }))).toEqual([])
    expect(await place.rows(`SELECT * FROM v WHERE at < '2090'`)).toEqual([])
    const back = await perform({ ...restore, table: 'v', partitions: ['2020-Q1'] } as Operation)
    expect(back.finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows('SELECT * FROM v ORDER BY id, at')).toEqual(before)
  })

  const HARMLESS: readonly (readonly [name: string, columns: string])[] = [
    ['in a key', 'id integer, at datetime NOT NULL, b datetime, PRIMARY KEY (at, id)'],
    ['in a unique index', 'id integer PRIMARY KEY, at datetime NOT NULL, b datetime UNIQUE'],
    ['in a CHECK', `id integer PRIMARY KEY, at datetime NOT NULL CHECK (at > '2000'), b datetime, CHECK (b > at OR 1)`],
    ['in a generated column', 'id integer PRIMARY KEY, at datetime NOT NULL, b datetime, c AS (substr(b, 1, 10))'],
  ]

  test.each(HARMLESS)('archives times of one other spelling %s that nothing loses', async (_name, columns) => {
    const place = await makePlace('sqlite', folder)
    await place.sql(
      `CREATE TABLE v (${columns})`,
      `INSERT INTO v (id, at, b) VALUES (1, ${T}, ${T}), (2, '2020-01-03T00:00:00', '2020-01-03T00:00:00'), (3, '2090-01-03T00:00:00', NULL), (4, '2090-01-04 00:00:00', '2090-01-04 00:00:00')`,
    )
    const { run, restore, query } = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    const own = { ...run, tables: ['v'] } as Operation & { readonly kind: 'archive' }
    expect(refusals(await perform(own))).toEqual([])
    const asked = { ...query, table: 'v', query: 'SELECT count(*), sum(id) FROM v' } as Operation
    expect((await countedBy(asked)).counted).toBe('4 10')
    expect(refusals(await perform({ ...own, drop: true, confirm: 'v' }))).toEqual([])
    expect((await countedBy(asked)).counted).toBe('4 10')
    expect(await place.rows('SELECT id FROM v ORDER BY id')).toEqual([['3'], ['4']])
    const back = await perform({ ...restore, table: 'v', partitions: ['2020-Q1'] } as Operation)
    expect(back.finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows('SELECT id, at, b FROM v ORDER BY id')).toEqual([
      ['1', '2020-01-02 10:00:00', '2020-01-02 10:00:00'],
      ['2', '2020-01-03 00:00:00', '2020-01-03 00:00:00'],
      ['3', '2090-01-03T00:00:00', null],
      ['4', '2090-01-04 00:00:00', '2090-01-04 00:00:00'],
    ])
  })

  test('archives other times, which come back in the usual spelling', async () => {
    const place = await makePlace('sqlite', folder)
    await place.sql(
      'CREATE TABLE v (id integer PRIMARY KEY, at datetime NOT NULL, b datetime, CHECK (id > 0))',
      `INSERT INTO v VALUES (1, ${T}, ${T})`,
    )
    const { run, restore } = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    expect(refusals(await perform({ ...run, tables: ['v'], drop: true, confirm: 'v' } as Operation))).toEqual([])
    await perform({ ...restore, table: 'v', partitions: ['2020-Q1'] } as Operation)
    expect(await place.rows('SELECT * FROM v')).toEqual([['1', '2020-01-02 10:00:00', '2020-01-02 10:00:00']])
  })
})
