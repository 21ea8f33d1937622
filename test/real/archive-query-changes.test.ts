/**
 * `query` of tables that changed after a part was archived. Answers are compared with the server's answers about a
 * table that was never archived.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RowValue } from '../../src/model/run/event.ts'
import { missing, type System } from '../support/copy-systems.ts'
import { COLD, HOT, queryPlace } from '../support/query-place.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-query-changes-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const SYSTEMS: readonly System[] = ['postgresql', 'mysql', 'sqlite']
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))

const both = (...values: readonly string[]): readonly { ts: string; values: string }[] =>
  values.flatMap((one) => [
    { ts: COLD, values: one },
    { ts: HOT, values: one },
  ])

/** A column, its first and its second type, and its values as SQL. */
type Retyped = { readonly name: string; readonly from: string; readonly to: string; readonly values: readonly string[] }

const RETYPED: Readonly<Partial<Record<System, readonly Retyped[]>>> = {
  postgresql: [
    { name: 'a', from: 'int', to: 'bigint', values: ['1', '-7', 'NULL'] },
    { name: 'b', from: 'numeric(8,2)', to: 'numeric(12,4)', values: ['1.25', '-0.5', 'NULL'] },
    { name: 'c', from: 'real', to: 'double precision', values: ['0.1', '-0.0', "'NaN'"] },
    { name: 'd', from: 'numeric(4,4)', to: 'numeric', values: ['0.5', '-0.0625', '0'] },
    { name: 'e', from: 'smallint', to: 'numeric(20,3)', values: ['12', '-3', '0'] },
    { name: 'f', from: 'int', to: 'text', values: ['12', '-3', '0'] },
    { name: 'g', from: 'char(5)', to: 'text', values: ["'ab'", "'x'", "''"] },
    { name: 'h', from: 'numeric(30,10)', to: 'double precision', values: ['0.1', '12345678901234567.1', '2.3'] },
    { name: 'i', from: 'date', to: 'timestamp', values: ["'2023-02-03'", "'0001-01-01'", 'NULL'] },
    { name: 'j', from: 'uuid', to: 'text', values: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", 'NULL', 'NULL'] },
    { name: 'k', from: 'varchar(9)', to: 'text', values: ["'ä'", "''", 'NULL'] },
    { name: 'l', from: 'date', to: 'text', values: ["'2023-02-03'", "'0001-01-01'", 'NULL'] },
    { name: 'm', from: 'int[]', to: 'bigint[]', values: ["'{1,2}'", "'{}'", 'NULL'] },
  ],
  mysql: [
    { name: 'a', from: 'int', to: 'bigint', values: ['1', '-7', 'NULL'] },
    { name: 'b', from: 'decimal(8,2)', to: 'decimal(12,4)', values: ['1.25', '-0.5', 'NULL'] },
    { name: 'c', from: 'int unsigned', to: 'bigint unsigned', values: ['4000000000', '0', 'NULL'] },
    { name: 'd', from: "enum('p','q')", to: "enum('p','q','r')", values: ["'p'", "'q'", 'NULL'] },
    { name: 'e', from: "set('p','q')", to: "set('p','q','r')", values: ["'p,q'", "''", 'NULL'] },
    { name: 'f', from: "enum('p','q')", to: 'varchar(20)', values: ["'p'", "'q'", 'NULL'] },
    { name: 'g', from: 'tinyint(1)', to: 'int', values: ['1', '0', 'NULL'] },
  ],
}

describe.each(['postgresql', 'mysql'] as const)('%s, columns with a wider type', (system) => {
  const why = WITHOUT.get(system) ?? ''
  const retyped = RETYPED[system] ?? []

  test.skipIf(why !== '')(`the values of older rows are in the same column${why}`, { timeout: 60_000 }, async () => {
    const rows = [0, 1, 2].map((i) => retyped.map(({ values }) => values[i]).join(', '))
    const columns = retyped.map(({ name, from }) => `${name} ${from}`).join(', ')
    const s = await queryPlace(system, folder, columns, both(...rows))
    await s.place.sql('CREATE TABLE twin AS SELECT * FROM s')
    await s.archive()
    const altered = (table: string): string[] =>
      retyped.map(({ name, to }) =>
        system === 'mysql'
          ? `ALTER TABLE ${table} MODIFY COLUMN ${name} ${to}`
          : `ALTER TABLE ${table} ALTER COLUMN ${name} TYPE ${to} USING ${name}::${to}`,
      )
    await s.place.sql(...altered('s'), ...altered('twin'))
    const list = (text: (name: string) => string): string => retyped.map(({ name }) => text(name)).join(', ')
    const text = (name: string): string => (system === 'mysql' ? `CAST(${name} AS CHAR)` : `${name}::text`)
    const expected = await s.place.rows(`SELECT id, ${list(text)} FROM twin ORDER BY id`)
    const doubles = new Set(retyped.filter(({ to }) => /double/.test(to)).map(({ name }) => name))
    // DuckDB spells floats differently: a cast of one to text is refused.
    const shown = (name: string): string => (doubles.has(name) ? name : `${name}::VARCHAR AS ${name}`)
    const answer = await s.ask(`SELECT id, ${list(shown)} FROM s ORDER BY id`)
    const plain = (value: RowValue, i: number): string | null =>
      value === null ? null : doubles.has(retyped[i - 1]?.name ?? '') ? String(Number(value)) : String(value)
    expect(answer.rows.map((row) => row.map(plain))).toEqual(expected.map((row) => row.map(plain)))
    const values = retyped.flatMap(({ name }, i) =>
      expected.flatMap((row) => {
        const value = row[i + 1] ?? null
        return value === null || /[{]/.test(value) ? [] : [{ name, value }]
      }),
    )
    const found = await s.ask(
      values.map(({ name, value }) => `SELECT count(*) FROM s WHERE ${name} = '${value}'`).join(' UNION ALL '),
    )
    expect(found.finished).toMatchObject({ exitCode: 0 })
    expect(found.rows.map(([count]) => Number(count))).toEqual(
      values.map(({ name, value }) => values.filter((one) => one.name === name && one.value === value).length),
    )
    expect((await s.ask('SELECT * FROM s LIMIT 0')).columns).toEqual(['id', 'ts', ...retyped.map(({ name }) => name)])
  })
})

describe('postgresql, a type that is not wider', () => {
  const why = WITHOUT.get('postgresql') ?? ''
  test.skipIf(why !== '')(
    `older values get a separate column, and a note says so${why}`,
    { timeout: 60_000 },
    async () => {
      const s = await queryPlace('postgresql', folder, 'a text', both("'1'"))
      await s.archive()
      await s.place.sql('ALTER TABLE s ALTER COLUMN a TYPE int USING a::int')
      const { rows, notes } = await s.ask('SELECT id, a FROM s ORDER BY id')
      expect(rows).toEqual([
        [0, null],
        [1, 1],
      ])
      expect(notes).toMatch(/values of a in 2023-Q1.*a__text/)
      expect((await s.ask('SELECT id FROM s')).notes).not.toContain('a__text')
      expect((await s.ask('SELECT coalesce(a, a__text::int) FROM s')).notes).not.toContain('a__text')
    },
  )
})

const SPELLED_ANEW: Readonly<Partial<Record<System, readonly Retyped[]>>> = {
  postgresql: [
    { name: 'a', from: 'json', to: 'jsonb', values: [`'{"b":1, "a":1}'`] },
    { name: 'b', from: 'inet', to: 'text', values: ["'10.0.0.1'"] },
    { name: 'c', from: 'interval', to: 'text', values: ["'36:00'"] },
    { name: 'd', from: 'timestamp[]', to: 'timestamptz[]', values: ["'{2024-07-01 12:00}'"] },
    { name: 'e', from: 'numeric[]', to: 'int[]', values: ["'{1.5}'"] },
    { name: 'f', from: 'inet', to: 'cidr', values: ["'10.0.0.1/8'"] },
    { name: 'g', from: 'tsrange', to: 'text', values: ["'[2024-07-01,2024-07-02)'"] },
  ],
  mysql: [
    { name: 'a', from: 'int(5) zerofill', to: 'varchar(10)', values: ['1'] },
    { name: 'b', from: 'year', to: 'varchar(10)', values: ['0'] },
    { name: 'c', from: 'bit(4)', to: 'varchar(10)', values: ["b'1010'"] },
  ],
}

describe.each(['postgresql', 'mysql'] as const)('%s, values that a type change spells differently', (system) => {
  const why = WITHOUT.get(system) ?? ''
  const retyped = SPELLED_ANEW[system] ?? []
  test.skipIf(why !== '')(
    `are not shown as values of the type that the column has now${why}`,
    { timeout: 60_000 },
    async () => {
      const columns = retyped.map(({ name, from }) => `${name} ${from}`).join(', ')
      const s = await queryPlace(system, folder, columns, both(retyped.map(({ values }) => values[0]).join(', ')))
      await s.archive()
      await s.place.sql(
        ...retyped.map(({ name, from, to }) =>
          system === 'mysql'
            ? `ALTER TABLE s MODIFY COLUMN ${name} ${to}`
            : `ALTER TABLE s ALTER COLUMN ${name} TYPE ${to} USING ${from === 'inet' && to === 'cidr' ? `network(${name})` : `${name}::${to}`}`,
        ),
      )
      const names = retyped.map(({ name }) => name)
      const { rows, notes } = await s.ask(`SELECT ${names.map((name) => `count(${name})`).join(', ')} FROM s`)
      expect(rows.map((row) => row.map(Number))).toEqual([names.map(() => 1)])
      for (const name of names) expect(notes).toContain(`values of ${name} in 2023-Q1`)
    },
  )
})

const KEPT_AS_TEXT: Readonly<Partial<Record<System, { readonly type: string; readonly values: readonly string[] }>>> = {
  postgresql: { type: 'numeric', values: ['9.4', '50.4'] },
  mysql: { type: 'decimal(65,30)', values: ['9.4', '50.4'] },
}

describe.each(['postgresql', 'mysql'] as const)('%s, numbers that an archive stores as texts', (system) => {
  const why = WITHOUT.get(system) ?? ''
  const { type = '', values = [] } = KEPT_AS_TEXT[system] ?? {}
  test.skipIf(why !== '')(`are reported if a query compares them as texts${why}`, { timeout: 60_000 }, async () => {
    const s = await queryPlace(system, folder, `n ${type}, t text`, both(...values.map((value) => `${value}, 'x'`)))
    await s.archive()
    const said = async (sql: string): Promise<boolean> => {
      const { finished, notes } = await s.ask(sql)
      expect(finished.exitCode, sql).toBe(0)
      expect(notes).not.toContain('as text: t ')
      return notes.includes(`as text: n (${type})`)
    }
    for (const sql of [
      'SELECT max(n) FROM s',
      'SELECT id FROM s ORDER BY n, t',
      'SELECT row_number() OVER (ORDER BY n) FROM s',
      "SELECT count(*) FROM s WHERE n > '5'",
      "SELECT count(*) FROM s WHERE n = '9.40'",
      "SELECT count(*) FROM s WHERE n IN ('9.40', '1')",
      'SELECT count(*) FROM s x JOIN s y ON x.n < y.n',
      'SELECT m FROM (SELECT n AS m FROM s) ORDER BY m',
    ])
      expect(await said(sql), sql).toBe(true)
    for (const sql of ['SELECT id, n FROM s', 'SELECT max(t) FROM s', 'SELECT sum(CAST(n AS DECIMAL(20, 2))) FROM s'])
      expect(await said(sql), sql).toBe(false)
    const asNumber = await s.ask('SELECT max(CAST(n AS DECIMAL(20, 2)))::VARCHAR FROM s')
    expect(asNumber.rows).toEqual([['50.40']])
  })
})

const ZEROS: Readonly<Partial<Record<System, { readonly columns: string; readonly one: (i: number) => string }>>> = {
  postgresql: {
    columns: 'd double precision, r real, w real, t text',
    one: (i) =>
      i === 0
        ? `'-0', '-0', '-0', U&'\\FEFFx'`
        : i === 1
          ? `'NaN', 'Infinity', 'NaN', 'x'`
          : `${i}, ${i}.1, ${i}.1, 'y'`,
  },
  mysql: {
    columns: 'd double, r float, w float, t varchar(9)',
    one: (i) => (i < 2 ? `-0e0, -0e0, -0e0, CONVERT(0xEFBBBF78 USING utf8mb4)` : `${i}, ${i}.1, ${i}.1, 'y'`),
  },
  sqlite: {
    columns: 'd REAL, r REAL, w REAL, t TEXT',
    one: (i) => (i < 2 ? `-0.0, -0.0, -0.0, char(65279) || 'x'` : `${i}, ${i}.5, ${i}.5, 'y'`),
  },
}

test('sqlite: a value of another class than the archived ones in a column without a type is refused', async () => {
  const s = await queryPlace('sqlite', folder, 'a', both('1'))
  await s.archive()
  await s.place.sql("INSERT INTO s VALUES (9, '2026-11-02 00:00:00', '1')")
  expect((await s.ask('SELECT a FROM s WHERE id = 9')).finished.error?.code).toBe('VALUE_REFUSED')
  expect((await s.ask('SELECT id FROM s WHERE id = 9')).rows).toEqual([[9]])
})

describe.each(SYSTEMS)('%s, values that are equal and not identical', (system) => {
  const why = WITHOUT.get(system) ?? ''
  const { columns = '', one = () => '' } = ZEROS[system] ?? {}

  test.skipIf(why !== '')(`are found among archived rows and others${why}`, { timeout: 60_000 }, async () => {
    const s = await queryPlace(system, folder, columns, both(one(0), one(1), one(2), one(3)))
    const more = Array.from({ length: 2000 }, (_, i) => `(${100 + i}, '${COLD} 00:00:00', ${one(2 + (i % 5))})`)
    await s.place.sql(`INSERT INTO s VALUES ${more.join(', ')}`, 'CREATE TABLE twin AS SELECT * FROM s')
    await s.archive()
    if (system === 'postgresql') {
      for (const table of ['s', 'twin']) await s.place.sql(`ALTER TABLE ${table} ALTER COLUMN w TYPE double precision`)
    }
    const isNumber = system === 'postgresql'
    const conditions = ['d', 'r', 'w'].flatMap((name) => [
      `${name} = 0`,
      `${name} = -0.0`,
      `${name} IN (0, 77)`,
      `${name} IN (0)`,
      `${name} <> 0`,
      `${name} >= 0 AND ${name} <= 0`,
      `${name} < 1`,
      `${name} NOT IN (0, 2)`,
      `${name} BETWEEN 0 AND 2`,
      `EXISTS (SELECT 1 FROM (SELECT 0.0 AS z) AS y WHERE y.z = ${name})`,
      ...(isNumber ? [`${name} = 'NaN'`, `${name} >= 'Infinity'`, `${name} > 1000`, `${name} = 'Infinity'`] : []),
    ])
    const asked = (table: string): string =>
      conditions
        .map((condition, i) => `SELECT ${i} AS i, count(*) AS n FROM ${table} WHERE ${condition}`)
        .join(' UNION ALL ')
    const { rows } = await s.ask(`SELECT n FROM (${asked('s')}) AS x ORDER BY i`)
    const expected = await s.place.rows(`SELECT n FROM (${asked('twin')}) AS x ORDER BY i`)
    expect(rows.map(([n], i) => `${conditions[i]}: ${n}`)).toEqual(expected.map(([n], i) => `${conditions[i]}: ${n}`))

    const minus = await s.ask('SELECT d, r, w FROM s WHERE d = 0 ORDER BY id')
    const text = { postgresql: 'd::text', mysql: 'CAST(d AS CHAR)', sqlite: "printf('%!g', d)" } as const
    const printed = await s.place.rows(`SELECT ${text[system as keyof typeof text]} FROM twin WHERE d = 0 ORDER BY id`)
    expect(minus.rows.map((row) => row.map(String))).toEqual(
      printed.map(([zero = '']) => Array<string>(3).fill(zero === '-0.0' ? '-0' : String(zero).replace(/\.0$/, ''))),
    )
    const marked = await s.ask('SELECT t, char_length(t) FROM s WHERE d = 0 ORDER BY id')
    expect(new Set(marked.rows.map((row) => JSON.stringify(row)))).toEqual(new Set([JSON.stringify(['\uFEFFx', 2])]))
    const joined = await s.ask('SELECT count(*) FROM s x JOIN s y ON x.d = y.d AND x.d = 0')
    expect(joined.rows).toEqual([[marked.rows.length ** 2]])
    if (isNumber) expect((await s.ask('SELECT r FROM s WHERE id IN (6, 7)')).rows).toEqual([[3.1], [3.1]])
  })
})

describe('postgresql, columns that differ by case only', () => {
  const why = WITHOUT.get('postgresql') ?? ''
  test.skipIf(why !== '')(`are refused by their common name${why}`, { timeout: 60_000 }, async () => {
    const s = await queryPlace('postgresql', folder, 'upper int, "UPPER" int, "Alone" int', both('1, 2, 3'))
    await s.archive()
    for (const name of ['upper', '"upper"', '"UPPER"', 's."Upper"']) {
      const { finished } = await s.ask(`SELECT ${name} FROM s`)
      expect(finished, name).toMatchObject({ exitCode: 2, error: { code: 'BAD_QUERY' } })
      expect(finished.error?.hint).toContain('"upper" is upper_1, "UPPER" is UPPER_2')
    }
    const { rows } = await s.ask('SELECT upper_1, "UPPER_2", "Alone" FROM s ORDER BY id')
    expect(rows).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
  })
})

describe.each(SYSTEMS)('%s, a table that was renamed', (system) => {
  const why = WITHOUT.get(system) ?? ''
  test.skipIf(why !== '')(`is not answered from the rows of the database only${why}`, { timeout: 60_000 }, async () => {
    const s = await queryPlace(system, folder, 'a int', both('1'))
    await s.archive()
    await s.place.sql('ALTER TABLE s RENAME TO t', 'CREATE TABLE other (id int NOT NULL, b int, PRIMARY KEY (id))')
    const { rows, notes } = await s.ask('SELECT count(*) FROM t', { table: 't' })
    expect(rows).toEqual([[2]])
    expect(notes).toMatch(/the table was called \S*s when it was archived/)
    if (system === 'postgresql') {
      await s.place.sql('CREATE SCHEMA far', 'ALTER TABLE t SET SCHEMA far')
      expect((await s.ask('SELECT count(*) FROM t', { table: 'far.t' })).rows).toEqual([[2]])
    } else {
      await s.place.sql('CREATE TABLE s (id int NOT NULL, PRIMARY KEY (id))')
      expect((await s.ask('SELECT count(*) FROM t', { table: 't' })).rows).toEqual([[2]])
      if (system === 'mysql') {
        // All within the second in which the table was archived: both tables have the mark of the ledger.
        const times =
          "SELECT CREATE_TIME FROM information_schema.TABLES WHERE TABLE_NAME IN ('s', 't') AND TABLE_SCHEMA = DATABASE()"
        let marks: readonly (readonly (string | null)[])[]
        do {
          await s.place.sql(
            'DROP TABLE s',
            'RENAME TABLE t TO u',
            'RENAME TABLE u TO t',
            'CREATE TABLE s (id int NOT NULL, PRIMARY KEY (id))',
          )
          marks = await s.place.rows(times)
        } while (marks[0]?.[0] !== marks[1]?.[0])
        await s.place.sql(
          `UPDATE migration_archives SET witness = JSON_SET(witness, '$.mark', '${marks[0]?.[0]}', '$.isRecent', true)`,
        )
        expect((await s.ask('SELECT count(*) FROM t', { table: 't' })).rows).toEqual([[2]])
        expect((await s.ask('SELECT count(*) FROM s')).finished.error?.code).toBe('PLAN_CHANGED')
      }
      // As a ledger of an older version has it.
      await s.place.sql('DROP TABLE s', 'UPDATE migration_archives SET witness = NULL')
      const { finished } = await s.ask('SELECT count(*) FROM t', { table: 't' })
      expect(finished).toMatchObject({ error: { code: 'PARTITION_STATE' } })
      expect(finished.error?.message).toMatch(/t may be \S*s under another name/)
      expect(finished.error?.hint).toMatch(/rename the table back to \S*s,/)
      // Another table, which differs by its columns, or because an empty table has the old name.
      expect((await s.ask('SELECT count(*) FROM other', { table: 'other' })).rows).toEqual([[0]])
      await s.place.sql('CREATE TABLE s (id int NOT NULL, PRIMARY KEY (id))')
      expect((await s.ask('SELECT count(*) FROM t', { table: 't' })).rows).toEqual([[1]])
      await s.place.sql('DROP TABLE s', 'ALTER TABLE t RENAME TO s')
      expect((await s.ask('SELECT count(*) FROM s')).rows).toEqual([[2]])
    }
  })
})

describe.each(['postgresql', 'mysql', 'sqlite'] as const)('%s, a generated column that was added later', (system) => {
  const why = WITHOUT.get(system) ?? ''
  test.skipIf(why !== '')(
    `is known, and refused for rows that were archived before${why}`,
    { timeout: 60_000 },
    async () => {
      const s = await queryPlace(system, folder, 'a int', both('1'))
      await s.archive()
      const stored = system === 'sqlite' ? 'VIRTUAL' : 'STORED'
      await s.place.sql(`ALTER TABLE s ADD COLUMN g int GENERATED ALWAYS AS (a * 2) ${stored}`)
      expect((await s.ask(`SELECT g FROM s WHERE ts >= '${HOT}'`)).rows).toEqual([[2]])
      const { finished } = await s.ask('SELECT sum(g) FROM s')
      expect(finished).toMatchObject({
        exitCode: 2,
        error: {
          code: 'BAD_QUERY',
          message: 'the query cannot read column g in 2023-Q1: these rows have no value for it',
        },
      })
      expect((await s.ask('SELECT * EXCLUDE (g) FROM s')).rows).toHaveLength(2)
      expect((await s.ask('SELECT count(*), sum(a) FROM s')).rows).toEqual([[2, 2]])
    },
  )
})

describe.each(['postgresql', 'mysql'] as const)('%s, a generated column whose expression changed', (system) => {
  const why = WITHOUT.get(system) ?? ''
  test.skipIf(why !== '')(`is named if archived rows have values of the earlier expression${why}`, async () => {
    const generated = (by: number): string => `int GENERATED ALWAYS AS (a * ${by}) STORED`
    const s = await queryPlace(system, folder, `a int, g ${generated(2)}`, both('1, DEFAULT'))
    await s.archive()
    expect((await s.ask('SELECT g FROM s')).notes).not.toMatch(/computes/)
    await s.place.sql(
      ...(system === 'mysql'
        ? [`ALTER TABLE s MODIFY g ${generated(5)}`]
        : ['ALTER TABLE s ALTER g SET EXPRESSION AS (a * 5)']),
    )
    const { rows, notes } = await s.ask('SELECT id FROM s WHERE g = 5')
    expect(rows).toHaveLength(1)
    expect(notes).toMatch(/^g of 2023-Q1 .*a.? \* 2.* computes .*a.? \* 5/m)
    expect((await s.ask('SELECT a FROM s')).notes).not.toMatch(/computes/)
    expect((await s.ask(`SELECT g FROM s WHERE ts >= '${HOT}'`)).notes).not.toMatch(/computes/)
  })
})

describe('values of the database that an archive cannot store', () => {
  const why = WITHOUT.get('postgresql') ?? ''
  test.skipIf(why !== '')(`refuse only the queries that read them${why}`, { timeout: 60_000 }, async () => {
    const columns = 'till timestamptz, day date, wall timestamp, n numeric(8,2)'
    const s = await queryPlace('postgresql', folder, columns, [
      { ts: COLD, values: "'2024-01-01', '2024-01-01', '2024-01-01', 1" },
      { ts: HOT, values: "'infinity', '-infinity', 'infinity', 2" },
      { ts: HOT, values: "'2027-01-01', '2027-01-01', '2027-01-01', 'NaN'" },
      { ts: HOT, values: "'2028-01-01', '0044-03-15 BC', '2028-01-01', 3" },
    ])
    await s.archive()
    const conditions = [
      "till < '2026-01-01'",
      "till = 'infinity'",
      "till > '2026-01-01'",
      "day < '0001-01-01' AND id < 3",
      "wall >= '2026-01-01'",
      'till IS NOT NULL',
    ]
    await s.place.sql('CREATE TABLE twin AS SELECT * FROM s')
    await s.place.sql("INSERT INTO twin VALUES (0, '2023-02-01', '2024-01-01', '2024-01-01', '2024-01-01', 1)")
    for (const condition of conditions) {
      const { rows } = await s.ask(`SELECT count(*) FROM s WHERE ${condition}`)
      const [[expected] = []] = await s.place.rows(`SELECT count(*) FROM twin WHERE ${condition}`)
      expect(rows, condition).toEqual([[Number(expected)]])
    }
    const infinite = await s.ask("SELECT till, day, wall FROM s WHERE till = 'infinity' AND id < 3")
    expect(infinite.rows).toEqual([['infinity', '-infinity', 'infinity']])
    const all = await s.ask('SELECT sum(n) FROM s')
    expect(all.finished).toMatchObject({ error: { code: 'VALUE_REFUSED' } })
    expect(all.finished.error?.message).toContain('public.s.n: a query cannot read this value as decimal(8,2): NaN')
    expect((await s.ask('SELECT day FROM s')).finished).toMatchObject({ error: { code: 'VALUE_REFUSED' } })
    expect((await s.ask('SELECT count(*) FROM s WHERE id <> 3')).events).toContainEqual(
      expect.objectContaining({ type: 'query.sources', zone: 'UTC' }),
    )
  })
})

/**
 * Columns `n`, `m` and `t` of a row that an archive can store, and of rows that each have one value of another type.
 */
const ODD: Readonly<
  Partial<Record<System, { readonly columns: string; readonly whole: string; readonly odd: readonly string[] }>>
> = {
  sqlite: {
    columns: 'n int, m date, t text, b blob',
    whole: "1, '2024-01-01', 'a', x'00'",
    odd: [
      "'many', '2024-01-01', 'a', x'00'",
      "1.5, '2024-01-01', 'a', x'00'",
      "2, 'soon', 'a', x'00'",
      "2, '2024-01-01', x'ff', x'00'",
      "2, '2024-01-01', 'a', 'text'",
    ],
  },
  mysql: {
    columns: 'n int, m date, t datetime, b int',
    whole: "1, '2024-01-01', '2024-01-01', 1",
    odd: ["2, '0000-00-00', '2024-01-01', 1", "2, '2024-01-01', '2024-00-10 00:00:00', 1"],
  },
}

describe.each(['sqlite', 'mysql'] as const)('%s, values of another type than their column', (system) => {
  const why = WITHOUT.get(system) ?? ''
  const { columns, whole, odd } = ODD[system] ?? { columns: '', whole: '', odd: [] }
  test.skipIf(why !== '')(`refuse only the queries that read them${why}`, { timeout: 60_000 }, async () => {
    const rows = [whole, ...odd, whole].map((values, i) => ({ ts: i === 0 ? COLD : HOT, values }))
    const first = system === 'mysql' ? ["SET sql_mode = ''"] : []
    const s = await queryPlace(system, folder, columns, rows, first)
    await s.archive()
    const count = odd.length + 2
    expect((await s.ask('SELECT count(*) FROM s')).rows).toEqual([[count]])
    expect((await s.ask('SELECT max(id) FROM s')).rows).toEqual([[count - 1]])
    const asked = `SELECT n, m, t, b FROM s WHERE id IN (0, ${count - 1})`
    expect((await s.ask(asked)).rows).toHaveLength(2)
    for (const [i] of odd.entries()) {
      const { finished } = await s.ask(`SELECT * FROM s WHERE id = ${i + 1}`)
      expect(finished, String(i)).toMatchObject({ error: { code: 'VALUE_REFUSED' } })
    }
  })
})

describe('one bit of a local file', () => {
  test(
    'a flip at any of 29 places is detected, and the original file can be read again',
    { timeout: 120_000 },
    async () => {
      const s = await queryPlace('sqlite', folder, 'a int', both('1'))
      const more = Array.from({ length: 500 }, (_, i) => `(${100 + i}, '${COLD} 00:00:00', ${i})`)
      await s.place.sql(`INSERT INTO s VALUES ${more.join(', ')}`)
      await s.archive()
      const asked = 'SELECT count(*), sum(a), sum(id), min(ts), max(ts) FROM s'
      const { rows: right, events } = await s.ask(asked)
      expect(events.find(({ type }) => type === 'query.sources')).not.toHaveProperty('unchecked')
      const [name = ''] = readdirSync(s.to, { recursive: true, encoding: 'utf8' }).filter((one) =>
        one.endsWith('.parquet'),
      )
      const file = join(s.to, name)
      const bytes = readFileSync(file)
      const { atime, mtime } = statSync(file)
      for (let i = 0; i < 29; i++) {
        const flipped = Buffer.from(bytes)
        const at = Math.floor(((bytes.length - 1) * i) / 28)
        flipped[at] = (flipped[at] ?? 0) ^ (1 << (i % 8))
        writeFileSync(file, flipped)
        // The modification time can be set back; the change time cannot.
        utimesSync(file, atime, mtime)
        const { finished } = await s.ask(asked)
        expect(finished, `byte ${at}`).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
      }
      writeFileSync(file, bytes)
      expect((await s.ask(asked)).rows).toEqual(right)
      expect((await s.ask(asked)).rows).toEqual(right)
    },
  )
})

const NUMBERS: Readonly<Partial<Record<System, { readonly columns: string; readonly said: readonly string[] }>>> = {
  postgresql: { columns: 'r real, y int', said: ['r (real) is compared'] },
  mysql: { columns: 'r float, y year', said: ['r (float) is compared', 'y (year'] },
}

describe.each(['postgresql', 'mysql'] as const)('%s, numbers that the database compares differently', (system) => {
  const why = WITHOUT.get(system) ?? ''
  const { columns = '', said = [] } = NUMBERS[system] ?? {}

  test.skipIf(why !== '')(`are named if a statement compares them${why}`, { timeout: 60_000 }, async () => {
    const s = await queryPlace(system, folder, columns, both('0.1, 2021', '0.1, 2021', '5, 2020'))
    await s.archive()
    const statement = 'SELECT count(*) FROM s WHERE r = 0.1 OR y = 20'
    const [[server] = []] = await s.place.rows('SELECT count(*) FROM s WHERE r = 0.1 OR y = 20')
    const { rows, notes } = await s.ask(statement)
    // The archive has as many rows as the table, with the same values.
    expect(rows).not.toEqual([[2 * Number(server)]])
    for (const one of said) expect(notes).toContain(one)
    const cast = await s.ask('SELECT count(*) FROM s WHERE CAST(r AS DOUBLE) = 0.1 OR y = 2021')
    expect(cast.rows).toEqual([[4]])
    for (const plain of ['SELECT r, y FROM s', 'SELECT sum(r), max(y) FROM s WHERE id > 0'])
      expect((await s.ask(plain)).notes).not.toMatch(/^r \(/m)
  })
})
