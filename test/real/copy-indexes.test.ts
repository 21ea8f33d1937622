/**
 * Indexes, constraints and defaults are created after the rows: with the same definitions, as far as the other system
 * has them, once, and after each interruption.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { Event, EventBody, PlannedObjectLine } from '../../src/model/run/event.ts'
import { OBJECT_OPTIONS } from '../../src/model/copy/schema-object.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { ALL } from '../support/backend.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-copy-indexes-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Skip = { skip(condition: boolean, why: string): void }

async function places(context: Skip, ...systems: readonly System[]): Promise<readonly Place[]> {
  for (const system of systems) {
    const why = await missing(system)
    context.skip(why !== '', `needs ${system}: ${why}`)
  }
  return Promise.all(systems.map((system) => makePlace(system, folder)))
}

function of<T extends EventBody['type']>(events: readonly Event[], type: T): readonly Extract<Event, { type: T }>[] {
  return events.filter((event): event is Extract<Event, { type: T }> => event.type === type)
}

const EVERYTHING = { with: OBJECT_OPTIONS } as const

const copyAll = (
  from: Place,
  to: Place,
  tables: readonly string[],
  more: Partial<Omit<CopyOperation, 'kind'>> = {},
) => ({
  ...copyOf(from, to, '', { ...EVERYTHING, chunkRows: 500, ...more }),
  tables,
})

/** Status and note of each planned object, by its name. */
function planned({ events }: Ran): Readonly<Record<string, string>> {
  const lines = of(events, 'plan.ready').flatMap(({ copies = [] }) => copies.flatMap(({ objects = [] }) => objects))
  const text = ({ status, note }: PlannedObjectLine): string => (note === undefined ? status : `${status}: ${note}`)
  return Object.fromEntries(lines.map((line) => [line.name, text(line)]))
}

async function expectOnce(copy: CopyOperation): Promise<void> {
  const again = await perform(copy)
  expect(again.finished).toMatchObject({ exitCode: 0 })
  expect(of(again.events, 'index.started')).toEqual([])
  expect(Object.values(planned(again)).filter((text) => text.startsWith('build'))).toEqual([])
}

const PG_OBJECTS = `
  SELECT replace(pg_get_indexdef(i.indexrelid), 'public.', '') FROM pg_index i WHERE i.indrelid IN (TABLES)
  UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid IN (TABLES) AND contype <> 'n'
  UNION ALL SELECT a.attname || ' ' || pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a
    ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid IN (TABLES) ORDER BY 1`

const pgObjects = async (place: Place, ...tables: readonly string[]): Promise<readonly string[]> => {
  const list = tables.map((name) => `to_regclass('${name}')`).join(', ')
  return (await place.rows(PG_OBJECTS.replaceAll('TABLES', list))).map(([text]) => text ?? '')
}

describe('between two PostgreSQL', () => {
  /** Source of all tests, which none of them changes. */
  let ridden: Place | null = null
  const sides = async (context: Skip): Promise<readonly Place[]> => {
    const [to] = await places(context, 'postgresql')
    if (ridden === null) {
      ridden = await makePlace('postgresql', folder)
      await ridden.sql(...SCHEMA)
    }
    return to === undefined ? [] : [ridden, to]
  }
  const SCHEMA = [
    'CREATE TABLE parents (id int PRIMARY KEY, code text NOT NULL UNIQUE)',
    `CREATE TABLE rides (id bigint PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'x''y', amount numeric(10,2) DEFAULT 1 + 1, at timestamptz DEFAULT now(),
       tags text[], "we""ird
 c" int, parent int, span int4range, CONSTRAINT amount_ok CHECK (amount > 0 AND name <> 'no'), CONSTRAINT "u;q" UNIQUE NULLS NOT DISTINCT ("we""ird
 c") INCLUDE (name) DEFERRABLE,
       CONSTRAINT apart EXCLUDE USING gist (span WITH &&), CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE)`,
    'CREATE INDEX plain ON rides (name DESC NULLS LAST, amount)',
    'CREATE INDEX covering ON rides (name) INCLUDE (amount) WITH (fillfactor = 70)',
    'CREATE INDEX expression ON rides (lower(name), (amount * 2))',
    `CREATE UNIQUE INDEX partial ON rides (name) WHERE amount > 5 AND name <> 'a'`,
    'CREATE INDEX arrays ON rides USING gin (tags)',
    'CREATE INDEX ops ON rides (name text_pattern_ops, name COLLATE "C")',
    'CREATE INDEX "hash""; DROP TABLE rides; --" ON rides USING hash (name)',
    'CREATE INDEX hash2 ON rides USING brin (at)',
    `INSERT INTO parents SELECT i, 'p' || i FROM generate_series(1, 20) i`,
    `INSERT INTO rides (id, name, amount, parent, "we""ird
 c", span, tags) SELECT i, 'n' || i, i, 1 + i % 20, i, int4range(i, i + 1), ARRAY['a' || i] FROM generate_series(1, 1200) i`,
  ]

  test('definitions are exactly the same, and are created once', { timeout: 60_000 }, async (context) => {
    const [from, to] = await sides(context)
    if (from === undefined || to === undefined) return
    const copy = copyAll(from, to, ['rides', 'parents'])
    const first = await perform(copy)
    expect(first.finished.error).toBeUndefined()
    expect(first.finished.exitCode).toBe(0)
    expect(await pgObjects(to, 'rides', 'parents')).toEqual(await pgObjects(from, 'rides', 'parents'))
    const started = of(first.events, 'index.started').map(({ name }) => name)
    expect(started).toHaveLength(16)
    expect(
      of(first.events, 'index.done')
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(started.toSorted())
    expect(started.at(-1)).toBe('to_parent')
    expect(await to.rows(`SELECT status, count(*) FROM migration_objects GROUP BY status`)).toEqual([['built', '16']])
    await expectOnce(copy)
  })

  test(
    'tables and columns can get other names; objects with SQL expressions are then left out',
    { timeout: 60_000 },
    async (context) => {
      const [from, to] = await sides(context)
      if (from === undefined || to === undefined) return
      const copy = copyAll(from, to, ['rides'], {
        toTable: 'moved',
        rename: { name: 'label' },
        columns: ['id', 'name', 'amount', 'at', 'parent'],
      })
      const first = await perform(copy)
      expect(first.finished.exitCode).toBe(0)
      expect(planned(first)).toMatchObject({
        plain: 'build',
        covering: 'build',
        hash2: 'build',
        arrays: 'left: the column tags is not copied',
        expression: expect.stringMatching(/^left: .*name has another name/),
        partial: expect.stringMatching(/^left: .*name has another name/),
        amount_ok: expect.stringMatching(/^left: .*name has another name/),
        to_parent: 'left: public.parents is not copied',
      })
      const made = await pgObjects(to, 'moved')
      expect(made).toContain('CREATE INDEX plain ON moved USING btree (label DESC NULLS LAST, amount)')
      expect(made).toContain('CREATE INDEX covering ON moved USING btree (label) INCLUDE (amount)')
      expect(made).toContain(`label 'x''y'::character varying`)
      await expectOnce(copy)
    },
  )

  test(
    'only requested objects are created, and those that exist under another name are not repeated',
    { timeout: 60_000 },
    async (context) => {
      const [from, to] = await sides(context)
      if (from === undefined || to === undefined) return
      await to.sql(
        'CREATE TABLE parents (id int PRIMARY KEY, code text NOT NULL)',
        'CREATE UNIQUE INDEX another ON parents (code)',
        'CREATE TABLE plain (id int)',
      )
      const bare = await perform(copyAll(from, to, ['rides', 'parents'], { with: [] }))
      expect(bare.finished.exitCode).toBe(0)
      expect(of(bare.events, 'index.started')).toEqual([])
      const indexes = await perform(copyAll(from, to, ['rides', 'parents'], { with: ['indexes'] }))
      expect(indexes.finished.exitCode).toBe(0)
      expect(planned(indexes)).toMatchObject({ plain: 'build: is called rides_plain in the target', covering: 'build' })
      expect(planned(indexes)['parents_code_key']).toBeUndefined()
      const constraints = await perform(copyAll(from, to, ['rides', 'parents'], { with: ['constraints'] }))
      expect(planned(constraints)).toMatchObject({ parents_code_key: 'there', to_parent: 'build' })
      expect(constraints.finished.exitCode).toBe(0)
      await expectOnce(copyAll(from, to, ['rides', 'parents'], { with: ['indexes', 'constraints'] }))
    },
  )

  test(
    'an object that rows violate is reported, costs no rows, and is created after a correction',
    { timeout: 60_000 },
    async (context) => {
      const [from, to] = await sides(context)
      if (from === undefined || to === undefined) return
      await to.sql(
        'CREATE TABLE rides (id bigint PRIMARY KEY, name text, amount numeric, parent int)',
        `INSERT INTO rides VALUES (-1, 'n1', 10, 1), (-2, 'n1', 11, 1)`,
      )
      const own = copyAll(from, to, ['rides'], { columns: ['id', 'name', 'amount', 'parent'], onExisting: 'append' })
      const failed = await perform(own)
      expect(failed.finished).toMatchObject({ exitCode: 1, error: { code: 'OBJECTS_FAILED' } })
      expect(failed.finished.totals).toMatchObject({ written: '1200', quarantined: '0' })
      expect(of(failed.events, 'index.failed')).toMatchObject([{ name: 'partial', error: { code: 'OBJECTS_FAILED' } }])
      expect(await to.rows(`SELECT object_name FROM migration_objects WHERE status = 'failed'`)).toEqual([['partial']])
      await to.sql('DELETE FROM rides WHERE id < 0')
      // Those rows were there before the copy: the row count of the target has changed, and only the user knows that it
      // is right.
      const repaired = await perform({ ...own, acceptDifference: ['rides'] })
      expect(repaired.finished.exitCode).toBe(0)
      expect(of(repaired.events, 'index.done').map(({ name }) => name)).toEqual(['partial'])
      await expectOnce(own)
    },
  )

  test('a foreign key that rows violate is counted, and removed again', { timeout: 60_000 }, async (context) => {
    const [from, to] = await sides(context)
    if (from === undefined || to === undefined) return
    const copy = copyAll(from, to, ['rides', 'parents'], { with: ['constraints'] })
    await perform({ ...copy, with: [] })
    await to.sql('DELETE FROM parents WHERE id IN (3, 4)')
    const failed = await perform({ ...copy, noLook: true })

    expect(failed.finished).toMatchObject({ exitCode: 1, error: { code: 'TABLES_FAILED' }, totals: { ok: '1' } })
    const [reported] = of(failed.events, 'index.failed')
    expect(reported).toMatchObject({ name: 'to_parent', kind: 'foreign key' })
    expect(reported?.error.message).toBe('120 rows of public.rides refer to missing rows of public.parents')
    expect(await to.rows(`SELECT count(*) FROM pg_constraint WHERE conname = 'to_parent'`)).toEqual([['0']])
    await to.sql(`INSERT INTO parents VALUES (3, 'p3'), (4, 'p4')`)
    // As after a kill between the two steps.
    await to.sql(
      `ALTER TABLE rides ADD CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parents (id) ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE NOT VALID`,
    )
    const repaired = await perform(copy)
    expect(repaired.finished.exitCode).toBe(0)
    expect(of(repaired.events, 'index.done').map(({ name }) => name)).toEqual(['to_parent'])
    expect(await to.rows(`SELECT convalidated FROM pg_constraint WHERE conname = 'to_parent'`)).toEqual([['t']])
    await expectOnce(copy)

    // Rows of other tables refer to these.
    const again = { ...copy, tables: ['parents'], onExisting: 'replace-range' as const, restart: true }
    const refused = await perform(again)
    expect(refused.finished).toMatchObject({ exitCode: 4 })
    expect(of(refused.events, 'chunk.failed')).toMatchObject([{ error: { code: 'TABLE_REFUSED' } }])
    expect(await to.rows('SELECT count(parent) FROM rides')).toEqual([['1200']])
  })

  test('an index that an interrupted build left is created again', { timeout: 60_000 }, async (context) => {
    const [from, to] = await places(context, 'postgresql', 'postgresql')
    if (from === undefined || to === undefined) return
    await from.sql('CREATE TABLE parents (id int PRIMARY KEY, code text)', `INSERT INTO parents VALUES (1, 'p1')`)
    const copy = copyAll(from, to, ['parents'], { with: ['indexes'] })
    await from.sql('CREATE UNIQUE INDEX codes ON parents (lower(code))')
    await to.sql(
      'CREATE TABLE parents (id int PRIMARY KEY, code text)',
      `INSERT INTO parents VALUES (-1, 'P1'), (-2, 'p1')`,
    )
    await to.sql('CREATE UNIQUE INDEX CONCURRENTLY codes ON parents (lower(code))').catch(() => undefined)
    const valid = `SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('codes')`
    expect(await to.rows(valid)).toEqual([['f']])
    await to.sql('DELETE FROM parents')
    const { finished, events } = await perform(copy)
    expect(finished.exitCode).toBe(0)
    expect(of(events, 'index.done')).toMatchObject([{ name: 'codes' }])
    expect(await to.rows(valid)).toEqual([['t']])
    await expectOnce(copy)
  })
})

describe('a foreign key to a table that is not copied', () => {
  test.each(['postgresql', 'mysql', 'sqlite'] as const)('is found in %s if it was created by hand', async (system) => {
    const [from, to] = [await makePlace('postgresql', folder), await makePlace(system, folder)]
    await from.sql(
      'CREATE TABLE parents (id int PRIMARY KEY)',
      'CREATE TABLE rides (id int PRIMARY KEY, parent int CONSTRAINT to_parent REFERENCES parents (id) ON DELETE CASCADE)',
      'INSERT INTO parents VALUES (1)',
      'INSERT INTO rides VALUES (1, 1)',
    )
    const key = (action: string) => `FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE ${action}`
    const ride = (action: string) => `CREATE TABLE rides (id int PRIMARY KEY, parent int, ${key(action)})`
    await to.sql('CREATE TABLE parents (id int PRIMARY KEY)', 'INSERT INTO parents VALUES (1)', ride('SET NULL'))
    const copy = copyAll(from, to, ['rides'], { with: ['constraints'] })
    const left = await perform(copy)
    expect(left.finished).toMatchObject({ exitCode: 0 })
    expect(planned(left)).toMatchObject({ to_parent: 'left: public.parents is not copied' })
    await to.sql('DROP TABLE rides', ride('CASCADE'), 'INSERT INTO rides VALUES (1, 1)')
    expect(planned(await perform({ ...copy, dryRun: true }))).toMatchObject({ to_parent: 'there' })
  })
})

describe('a default that a user changed after a copy had set it', () => {
  const DEFAULT = "SELECT column_default FROM information_schema.columns WHERE table_name = 't' AND column_name = 'n'"

  test.each([
    { system: 'postgresql', first: 'made by the copy' },
    { system: 'postgresql', first: 'made by hand' },
    { system: 'mysql', first: 'made by the copy' },
    { system: 'duckdb', first: 'made by the copy' },
  ] as const)('stays in $system if the table was $first', { timeout: 60_000 }, async ({ system, first }) => {
    const why = await missing(system)
    if (why !== '') return
    const [from, to] = [await makePlace(system, folder), await makePlace(system, folder)]
    const table = 'CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 5)'
    await from.sql(table, 'INSERT INTO t VALUES (1, 1)')
    if (first === 'made by hand') await to.sql(table)
    const at = system === 'mysql' ? `${DEFAULT} AND table_schema = DATABASE()` : DEFAULT
    const copy = copyAll(from, to, ['t'])
    expect((await perform(copy)).finished.error).toBeUndefined()
    expect(await to.rows(at)).toEqual([['5']])
    await to.sql('ALTER TABLE t ALTER COLUMN n SET DEFAULT 7')
    for (const more of [{}, { again: true } as const]) {
      const { events, finished } = await perform({ ...copy, ...more })
      const notes = of(events, 'log').flatMap(({ message }) => (message.includes('default') ? [message] : []))
      expect([finished.error, await to.rows(at), notes]).toEqual([
        undefined,
        [['7']],
        ["the default of n differs from the source's and stays as it is in the target: 7"],
      ])
    }
  })
})

describe('within other systems', () => {
  test('MySQL', { timeout: 60_000 }, async (context) => {
    const [from, to] = await places(context, 'mysql', 'mysql')
    if (from === undefined || to === undefined) return
    await from.sql(
      'CREATE TABLE parents (id int PRIMARY KEY, code varchar(20) NOT NULL, UNIQUE KEY code (code))',
      `CREATE TABLE rides (id bigint PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'x''y', body text, amount decimal(10,2) DEFAULT 2, at datetime DEFAULT CURRENT_TIMESTAMP,
         \`we"ird\` int, parent int, KEY code (name DESC, amount), KEY begin (body(20)), FULLTEXT KEY words (body), UNIQUE KEY \`u\`\`; "x\` (\`we"ird\`),
         CONSTRAINT amount_ok CHECK (amount > 0 and name <> 'no, \\\\ (never'),
         CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parents (id) ON DELETE SET NULL ON UPDATE CASCADE)`,
      `INSERT INTO parents VALUES ${numbers(20, (i) => `(${i}, 'p${i}')`)}`,
      `INSERT INTO rides (id, name, body, amount, \`we"ird\`, parent) VALUES ${numbers(900, (i) => `(${i}, 'n${i}', 'b ${i}', ${i}, ${i}, ${1 + (i % 20)})`)}`,
    )
    const created = async (place: Place, table: string): Promise<readonly string[]> => {
      const [row] = await place.rows(`SHOW CREATE TABLE ${table}`)
      return (row?.[1] ?? '')
        .split('\n')
        .filter((line) => /^\s*(?:CONSTRAINT|(?:UNIQUE |FULLTEXT )?KEY)|^ .* DEFAULT /.test(line))
        .map((line) =>
          line
            .trim()
            .replace(/,$/, '')
            .replaceAll(/ (?:CHARACTER SET \w+ )?COLLATE \w+/g, ''),
        )
        .toSorted()
    }
    const copy = copyAll(from, to, ['rides', 'parents'])
    const first = await perform(copy)
    expect(first.finished.error).toBeUndefined()
    expect(first.finished.exitCode).toBe(0)
    for (const table of ['rides', 'parents']) expect(await created(to, table)).toEqual(await created(from, table))
    await expectOnce(copy)

    await to.sql('ALTER TABLE rides DROP FOREIGN KEY to_parent', 'UPDATE rides SET parent = 99 WHERE id < 5')
    const failed = await perform(copy)

    expect(failed.finished.exitCode).toBe(1)
    expect(of(failed.events, 'index.failed').map(({ error }) => error.message)).toEqual([
      expect.stringMatching(/^4 rows of .*rides refer to missing rows of .*parents$/),
    ])
  })

  test('MySQL: defaults and expressions with characters and bytes that its dictionary lacks', async (context) => {
    const [from, to] = await places(context, 'mysql', 'mysql')
    if (from === undefined || to === undefined) return
    await from.sql(
      `CREATE TABLE odd (id int PRIMARY KEY, code varbinary(9) DEFAULT x'00ff', face varchar(20) NOT NULL DEFAULT '😀''?\\\\x',
         plain varchar(9) DEFAULT 'why?', pair varchar(40) DEFAULT concat('😀', 'a''b?'),
         made varchar(40) GENERATED ALWAYS AS (concat('😀', id, '''')) STORED)`,
      "CREATE TABLE bare (id int PRIMARY KEY, mark varchar(9) NOT NULL DEFAULT '😀', code binary(2) DEFAULT x'80ff')",
      'INSERT INTO odd (id) VALUES (1), (2)',
    )
    const copy = copyAll(from, to, ['odd', 'bare'])
    const first = await perform(copy)
    expect(first.finished).toMatchObject({ exitCode: 0 })
    expect(planned(first)).toMatchObject({ mark: 'left: the source does not print its value as it is' })
    await to.sql('INSERT INTO odd (id) VALUES (3)', "INSERT INTO bare (id, mark) VALUES (1, 'x')")
    const query = (id: number): string =>
      `SELECT HEX(code), HEX(face), plain, HEX(pair), HEX(made) FROM odd WHERE id = ${id}`
    const [one] = await from.rows(query(1))
    expect((await to.rows(query(3)))[0]?.slice(0, 4)).toEqual(one?.slice(0, 4))
    expect(await to.rows(query(1))).toEqual([one])
    expect(await to.rows('SELECT HEX(code) FROM bare')).toEqual([['80FF']])
    await to.sql('DELETE FROM odd WHERE id = 3', 'DELETE FROM bare')
    await expectOnce(copy)
  })

  test('MariaDB: checks that are written on a column', async (context) => {
    const [from, to] = await places(context, 'mysql', 'mysql')
    if (from === undefined || to === undefined) return
    await from.sql(
      `CREATE TABLE held (id int PRIMARY KEY, v int COMMENT 'a CHECK (1)' CHECK (v > 0 AND v <> 7), w int DEFAULT 5 CHECK (w <> (3)),
         face varchar(9) CHECK (face <> '😀)'), body json, small json CHECK (length(small) < 9), CONSTRAINT top CHECK (v < 100))`,
      'INSERT INTO held (id, v) VALUES (1, 1), (2, 2)',
    )
    const copy = copyAll(from, to, ['held'])
    const first = await perform(copy)
    expect(first.finished).toMatchObject({ exitCode: 0 })
    expect(Object.keys(planned(first)).toSorted()).toEqual(['face', 'small', 'top', 'v', 'w'])
    const refused = [
      `v, w, face) VALUES (9, 7, 1, 'x'`,
      `v) VALUES (9, 100`,
      `w) VALUES (9, 3`,
      `face) VALUES (9, '😀)'`,
    ]
    for (const values of [...refused, `small) VALUES (9, '"12345678"'`]) {
      await expect(to.sql(`INSERT INTO held (id, ${values})`)).rejects.toThrow(/CONSTRAINT .* failed/)
    }
    await expectOnce(copy)
  })

  test('MariaDB: compressed columns stay compressed', async (context) => {
    const [from, to] = await places(context, 'mysql', 'mysql')
    if (from === undefined || to === undefined) return
    await from.sql(
      `CREATE TABLE packed (id int PRIMARY KEY, v varchar(100) COMPRESSED NOT NULL, t longtext COMPRESSED COLLATE utf8mb4_bin,
         b blob COMPRESSED, w varchar(20) CHARACTER SET latin1 COMPRESSED=zlib DEFAULT 'x')`,
      "INSERT INTO packed VALUES (1, 'abc', repeat('é', 5000), x'00ff', 'y'), (2, '', '', NULL, NULL)",
    )
    const { finished } = await perform(copyAll(from, to, ['packed']))
    expect(finished.error?.message ?? finished.exitCode).toBe(0)
    for (const query of [
      'SELECT id, v, t, hex(b), w FROM packed ORDER BY id',
      "SELECT COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'packed' ORDER BY 1",
    ])
      expect(await to.rows(query)).toEqual(await from.rows(query))
  })

  test('MySQL: a column that takes the time of each update', async (context) => {
    const [from, to] = await places(context, 'mysql', 'mysql')
    if (from === undefined || to === undefined) return
    await from.sql(
      `CREATE TABLE stamped (id int PRIMARY KEY, v int, at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
         seen datetime ON UPDATE CURRENT_TIMESTAMP, made datetime DEFAULT '2000-01-01' ON UPDATE CURRENT_TIMESTAMP, note varchar(40) DEFAULT 'x ON UPDATE CURRENT_TIMESTAMP')`,
      "INSERT INTO stamped (id, v, at, seen) VALUES (1, 1, '2001-01-01', '2001-01-01'), (2, 2, '2001-01-01', NULL)",
    )
    const copy = copyAll(from, to, ['stamped'])
    const first = await perform(copy)
    expect(first.finished).toMatchObject({ exitCode: 0 })
    expect(first.finished.leftBehind ?? []).toEqual([])
    const query = 'SELECT id, v, at, seen, made, note FROM stamped ORDER BY id'
    expect(await to.rows(query)).toEqual(await from.rows(query))
    await expectOnce(copy)
    const clauses = async (place: Place): Promise<readonly string[]> => {
      const [row] = await place.rows('SHOW CREATE TABLE stamped')
      return (row?.[1] ?? '').split('\n').flatMap((line) => /^ .*( DEFAULT [^,]*)/.exec(line)?.[1] ?? [])
    }
    expect(await clauses(to)).toEqual(await clauses(from))
    await to.sql('UPDATE stamped SET v = 5')
    const [[count] = []] = await to.rows(`SELECT COUNT(*) FROM stamped WHERE LEAST(at, seen, made) > '2020-01-01'`)
    expect(count).toBe('2')
  })

  test('MySQL: a zero date as a default', async (context) => {
    const [from, to] = await places(context, 'mysql', 'mysql')
    if (from === undefined || to === undefined) return
    await from.sql(
      "SET SESSION sql_mode = ''",
      "CREATE TABLE zero (id int PRIMARY KEY, day date NOT NULL DEFAULT '0000-00-00', at timestamp NOT NULL DEFAULT '0000-00-00 00:00:00' ON UPDATE CURRENT_TIMESTAMP)",
      "INSERT INTO zero VALUES (1, '2001-01-01', '2001-01-01')",
    )
    const copy = copyAll(from, to, ['zero'])
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
    await to.sql("SET SESSION sql_mode = ''", 'INSERT INTO zero (id) VALUES (2)', 'DELETE FROM zero WHERE id = 1')
    expect(await to.rows('SELECT * FROM zero')).toEqual([['2', '0000-00-00', '0000-00-00 00:00:00']])
  })

  test.each(['sqlite', 'd1'] as const)('SQLite to %s', { timeout: 60_000 }, async (system) => {
    const why = await missing(system)
    if (why !== '') return
    const [from, to] = [await makePlace('sqlite', folder), await makePlace(system, folder)]
    await from.sql(
      'CREATE TABLE parents (id INTEGER PRIMARY KEY, code TEXT UNIQUE)',
      `CREATE TABLE rides (id INTEGER PRIMARY KEY, name TEXT DEFAULT 'x' CHECK (name <> ''), "we""ird (" TEXT, parent INT REFERENCES parents)`,
      'CREATE INDEX plain ON rides (name DESC, parent)',
      `CREATE INDEX [odd "name] ON [rides] (lower(name)) WHERE parent > 5`,
      'CREATE UNIQUE INDEX nocase ON rides ("we""ird (" COLLATE NOCASE)',
      `INSERT INTO parents VALUES ${numbers(9, (i) => `(${i}, 'p${i}')`)}`,
      `INSERT INTO rides VALUES ${numbers(900, (i) => `(${i}, 'n${i}', 'w${i}', ${1 + (i % 9)})`)}`,
    )
    const copy = copyAll(from, to, ['rides', 'parents'])
    const first = await perform(copy)
    expect(first.finished.exitCode).toBe(0)
    const atNewTables = 'SQLite adds foreign keys only when a table is created'
    expect(planned(first)).toEqual({
      plain: 'build',
      'odd "name': 'build',
      nocase: 'build',
      parents_code_key: 'build: becomes a unique index',
      rides_parent_fkey: `left: ${atNewTables}`,
      name: 'left: SQLite adds defaults only when a table is created',
      rides_check: 'left: SQLite adds checks only when a table is created',
    })
    const made = `SELECT name, substr(sql, instr(sql, '(')) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'rides' ORDER BY 1`
    expect(await to.rows(made)).toEqual([
      ['nocase', '("we""ird (" COLLATE NOCASE)'],
      ['odd "name', '(lower(name)) WHERE parent > 5'],
      ['plain', '(name DESC, parent)'],
    ])
    await expectOnce(copy)
  })

  test('D1 to SQLite, with a stop: an object that was begun is completed', { timeout: 60_000 }, async (context) => {
    const [from, to] = await places(context, 'd1', 'sqlite')
    if (from === undefined || to === undefined) return
    await from.sql(
      'CREATE TABLE rides (id INTEGER PRIMARY KEY, name TEXT, n INT)',
      'CREATE INDEX a ON rides (name)',
      'CREATE UNIQUE INDEX b ON rides (n DESC, name)',
      'CREATE INDEX c ON rides (lower(name)) WHERE n > 5',
      `INSERT INTO rides VALUES ${numbers(90, (i) => `(${i}, 'n${i}', ${i})`)}`,
    )
    const copy = copyAll(from, to, ['rides'], { workers: 1 })
    const interrupt = new Interrupter()
    const stopped = await perform(copy, {
      interrupt,
      onEvent: ({ type }) => {
        if (type === 'index.started') interrupt.requestStop()
      },
    })
    expect(stopped.finished).toMatchObject({ exitCode: 75, status: 'stopped' })
    expect(of(stopped.events, 'index.done')).toHaveLength(1)
    expect(of(stopped.events, 'table.finished')).toMatchObject([{ status: 'stopped' }])
    const second = await perform(copy)
    expect(second.finished).toMatchObject({ exitCode: 0 })
    expect(of(second.events, 'index.done')).toHaveLength(2)
    expect(of(second.events, 'chunk.started')).toEqual([])
    await expectOnce(copy)
  })

  test('DuckDB', { timeout: 60_000 }, async () => {
    const [from, to] = [await makePlace('duckdb', folder), await makePlace('duckdb', folder)]
    await from.sql(
      'CREATE TABLE rides (id BIGINT PRIMARY KEY, name VARCHAR DEFAULT \'x\'\'y\', "we""ird" INT UNIQUE, CHECK (id > 0))',
      'CREATE INDEX plain ON rides (name, id)',
      'CREATE INDEX "odd ""; name" ON rides (lower(name), "we""ird")',
      `INSERT INTO rides SELECT i, 'n' || i, i FROM range(1, 900) AS r (i)`,
    )
    const copy = copyAll(from, to, ['rides'])
    const first = await perform(copy)
    expect(first.finished.error).toBeUndefined()
    expect(Object.values(planned(first)).toSorted()).toEqual([
      'build',
      'build',
      'build',
      'build: becomes a unique index',
      'left: DuckDB adds checks only when a table is created',
    ])
    const made = "SELECT index_name, is_unique FROM duckdb_indexes() WHERE table_name = 'rides' ORDER BY 1"
    expect(await to.rows(made)).toEqual([
      ['odd "; name', 'false'],
      ['plain', 'false'],
      ['rides_we"ird_key', 'true'],
    ])
    expect(
      await to.rows(`SELECT column_default FROM duckdb_columns() WHERE table_name = 'rides' AND column_name = 'name'`),
    ).toEqual([[`'x''y'`]])
    await expectOnce(copy)
  })
})

describe('between different systems', () => {
  const SOURCE = [
    'CREATE TABLE parents (id int PRIMARY KEY, code varchar(20) NOT NULL UNIQUE)',
    `CREATE TABLE rides (id bigint PRIMARY KEY, name varchar(40) DEFAULT 'x', body text, doc jsonb, parent int REFERENCES parents (id) ON DELETE CASCADE,
       CHECK (id > 0), CONSTRAINT pair UNIQUE (name, parent), CONSTRAINT deferred FOREIGN KEY (parent) REFERENCES parents (id) DEFERRABLE)`,
    'CREATE INDEX plain ON rides (name DESC, parent) INCLUDE (id)',
    'CREATE INDEX long_text ON rides (parent)',
    'CREATE INDEX body ON rides (body)',
    'CREATE UNIQUE INDEX body_once ON rides (body)',
    'CREATE INDEX doc ON rides USING gin (doc)',
    'CREATE INDEX doc_order ON rides (doc)',
    'CREATE INDEX lower_name ON rides (lower(name))',
    'CREATE INDEX some_rows ON rides (name) WHERE id > 5',
    'CREATE INDEX ops ON rides (name text_pattern_ops)',
    `INSERT INTO parents SELECT i, 'p' || i FROM generate_series(1, 20) i`,
    `INSERT INTO rides SELECT i, 'n' || i, 'b' || i, '{}', 1 + i % 20 FROM generate_series(1, 900) i`,
  ]
  const LEFT = {
    name: 'left: its value is written in the SQL of postgresql',
    doc: 'left: only postgresql has gin indexes',
    lower_name: 'left: an index on an expression is written in the SQL of postgresql, and is not translated',
    some_rows: 'left: an index of some rows only is written in the SQL of postgresql, and is not translated',
    ops: 'left: it uses text_pattern_ops, which only postgresql has',
    rides_id_check: 'left: the check is written in the SQL of postgresql, and is not translated',
  }
  const unique = 'build: becomes a unique index'
  const stored = 'build: is created without its INCLUDE columns'
  const onlyNew = (system: string) => `left: ${system} adds foreign keys only when a table is created`
  const ofFiles = (system: string) => ({
    ...LEFT,
    plain: stored,
    long_text: 'build',
    body: 'build',
    body_once: 'build',
    pair: unique,
    parents_code_key: unique,
    rides_parent_fkey: onlyNew(system),
    deferred: 'left: only postgresql supports DEFERRABLE',
  })
  const EXPECTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    mysql: {
      ...ofFiles(''),
      rides_parent_fkey: 'build',
      body: 'build: holds the first 191 characters of body',
      body_once: 'left: body is longtext in the target, which can be indexed only by its beginning',
      doc_order: 'left: doc is json in the target, which cannot be indexed',
    },
    sqlite: { ...ofFiles('SQLite'), doc_order: 'build' },
    d1: { ...ofFiles('SQLite'), doc_order: 'build' },
    duckdb: { ...ofFiles('DuckDB'), doc_order: 'left: doc is JSON in the target, which DuckDB cannot index' },
  }

  // D1 is sent the same SQL as SQLite.
  test.for((['mysql', 'sqlite', 'duckdb', 'd1'] as const).filter((system) => ALL || system !== 'd1'))(
    'PostgreSQL to %s',
    { timeout: 60_000 },
    async (system, context) => {
      const [from, to] = await places(context, 'postgresql', system)
      if (from === undefined || to === undefined) return
      await from.sql(...SOURCE)
      const copy = copyAll(from, to, ['rides', 'parents'])
      const dry = await perform({ ...copy, dryRun: true })
      expect(planned(dry)).toEqual(EXPECTED[system])
      const first = await perform(copy)
      expect(first.finished.error).toBeUndefined()
      expect(planned(first)).toEqual(EXPECTED[system])
      const built = Object.values(EXPECTED[system] ?? {}).filter((text) => text.startsWith('build'))
      expect(of(first.events, 'index.done')).toHaveLength(built.length)
      await expectOnce(copy)
    },
  )

  test('SQLite to PostgreSQL', { timeout: 60_000 }, async (context) => {
    const [from, to] = await places(context, 'sqlite', 'postgresql')
    if (from === undefined || to === undefined) return
    await from.sql(
      'CREATE TABLE parents (id INTEGER PRIMARY KEY, code TEXT UNIQUE)',
      'CREATE TABLE rides (id INTEGER PRIMARY KEY, name TEXT, parent INT REFERENCES Parents ON DELETE CASCADE)',
      'CREATE INDEX plain ON rides (name DESC)',
      'CREATE INDEX loose ON rides (name COLLATE NOCASE)',
      `INSERT INTO parents VALUES ${numbers(9, (i) => `(${i}, 'p${i}')`)}`,
      `INSERT INTO rides VALUES ${numbers(90, (i) => `(${i}, 'n${i}', ${1 + (i % 9)})`)}`,
    )
    const copy = copyAll(from, to, ['rides', 'parents'])
    const first = await perform(copy)
    expect(first.finished.error).toBeUndefined()
    expect(planned(first)).toMatchObject({ loose: 'left: it uses NOCASE, which only sqlite has' })
    expect(await pgObjects(to, 'rides', 'parents')).toEqual([
      'CREATE INDEX plain ON rides USING btree (name DESC)',
      'CREATE UNIQUE INDEX parents_code_key ON parents USING btree (code)',
      'CREATE UNIQUE INDEX parents_pkey ON parents USING btree (id)',
      'CREATE UNIQUE INDEX rides_pkey ON rides USING btree (id)',
      'parents_code_key UNIQUE (code)',
      'parents_pkey PRIMARY KEY (id)',
      'rides_parent_fkey FOREIGN KEY (parent) REFERENCES parents(id) ON DELETE CASCADE',
      'rides_pkey PRIMARY KEY (id)',
    ])
    await expectOnce(copy)
  })

  test(
    'MySQL to PostgreSQL: equal names of two tables, and a foreign key to a table of another name',
    { timeout: 60_000 },
    async (context) => {
      const [from, to] = await places(context, 'mysql', 'postgresql')
      if (from === undefined || to === undefined) return
      await from.sql(
        'CREATE TABLE parents (id int PRIMARY KEY, code varchar(20) NOT NULL, KEY idx (code))',
        `CREATE TABLE rides (id bigint PRIMARY KEY, name varchar(40), body text, parent int, KEY idx (name DESC), KEY begin (body(20)), FULLTEXT KEY words (body),
         UNIQUE KEY once (body(30)), KEY rides (parent), CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parents (id) ON UPDATE CASCADE)`,
        `INSERT INTO parents VALUES ${numbers(20, (i) => `(${i}, 'p${i}')`)}`,
        `INSERT INTO rides VALUES ${numbers(900, (i) => `(${i}, 'n${i}', 'b ${i}', ${1 + (i % 20)})`)}`,
      )
      const copy = copyAll(from, to, ['rides', 'parents'], { with: ['indexes', 'constraints'] })
      const first = await perform(copy)
      expect(first.finished.error).toBeUndefined()
      expect(await pgObjects(to, 'rides', 'parents')).toEqual([
        'CREATE INDEX begin ON rides USING btree (body)',
        'CREATE INDEX idx ON rides USING btree (name DESC)',
        'CREATE INDEX parents_idx ON parents USING btree (code)',
        'CREATE INDEX rides_rides ON rides USING btree (parent)',
        'CREATE UNIQUE INDEX parents_pkey ON parents USING btree (id)',
        'CREATE UNIQUE INDEX rides_pkey ON rides USING btree (id)',
        'parents_pkey PRIMARY KEY (id)',
        'rides_pkey PRIMARY KEY (id)',
        'to_parent FOREIGN KEY (parent) REFERENCES parents(id) ON UPDATE CASCADE',
      ])
      await expectOnce(copy)
    },
  )
})

function numbers(most: number, text: (i: number) => string): string {
  return Array.from({ length: most }, (_, i) => text(i + 1)).join(', ')
}
