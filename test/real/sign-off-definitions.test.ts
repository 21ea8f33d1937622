/**
 * A sign-off of a stream names what the definitions of both sides differ in, nothing of a table that the program
 * created, and changes no default that a user has set at the target since.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-sign-off-definitions-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Check = readonly [status: string, found: string, hint: string | undefined]

/** A stream of all tables that has caught up; returns its sign-off. */
async function followed(source: Place, target: Place, more: Partial<Omit<CopyOperation, 'kind'>> = {}) {
  const copy = copyOf(source, target, 't', { follow: { cdc: 'trigger', until: 'caught-up' }, ...more })
  const { events, finished } = await perform(copy)
  expect(finished.error).toBeUndefined()
  const stream = events.flatMap((event) => (event.type === 'follow.started' ? [event.stream] : []))[0] ?? ''
  return async (report?: string) => {
    const ends = { from: source.url, to: target.url, ...(report === undefined ? {} : { report }) }
    const ran = await perform({ kind: 'sign-off', stream, ...ends, tables: [] })
    const checked = (name: string): readonly Check[] =>
      ran.events.flatMap((event): readonly Check[] =>
        event.type === 'check' && event.check === name ? [[event.status, event.found, event.hint]] : [],
      )
    return { ...ran, checked }
  }
}

const DEFAULT = "SELECT column_default FROM information_schema.columns WHERE table_name = 't' AND column_name = 'n'"

describe.each(['postgresql', 'mysql'] as const)('%s', async (system) => {
  const why = await missing(system)

  test.skipIf(why !== '')(`a default that a user changed at the target stays${why}`, async () => {
    const [source, target] = [await makePlace(system, folder), await makePlace(system, folder)]
    await source.sql('CREATE TABLE t (id int PRIMARY KEY, n int DEFAULT 5)', 'INSERT INTO t VALUES (1, 1)')
    const signOff = await followed(source, target, { tables: ['t'], with: ['defaults'] })
    const at = system === 'mysql' ? `${DEFAULT} AND table_schema = DATABASE()` : DEFAULT
    expect(await target.rows(at)).toEqual([['5']])
    await target.sql('ALTER TABLE t ALTER COLUMN n SET DEFAULT 7')
    const { checked } = await signOff()
    expect([await target.rows(at), checked('made by --with')]).toEqual([
      [['7']],
      [
        [
          'fail',
          'not in the target: default n (the target has 7)',
          'sluice leaves defaults that were changed in the target: set those of the source by hand',
        ],
      ],
    ])
    const again = copyOf(source, target, 't', { with: ['defaults'] })
    const { finished } = await perform({ ...again, follow: { cdc: 'trigger', resync: ['t'], until: 'caught-up' } })
    expect([finished.error, await target.rows(at)]).toEqual([undefined, [['7']]])
  })
})

const SOURCE = [
  'CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b bigint, n decimal(12,2), s varchar(200), x int)',
  "INSERT INTO t VALUES (1, 1, 1, 1, '1', 1), (2, 2, 2, 2, '2', 2)",
]
/** Narrower types than in the source, and NOT NULL for another column. */
const COLUMNS = 'id int PRIMARY KEY, a int, b int, n decimal(8,2), s varchar(50), x int NOT NULL'
const CHECK = 'CONSTRAINT small CHECK (x < 1000)'
const KEY = 'CONSTRAINT up FOREIGN KEY (x) REFERENCES parent (id)'
const PARENT = ['CREATE TABLE parent (id int PRIMARY KEY)', 'INSERT INTO parent VALUES (1), (2)']

describe.each([
  {
    system: 'postgresql',
    narrower:
      'b (integer for bigint), n (numeric(8,2) for numeric(12,2)), s (character varying(50) for character varying(200))',
    own: 'unique index odd (x), check small: CHECK ((x < 1000)), foreign key up (x) to public.parent',
  },
  {
    system: 'mysql',
    narrower: 'b (int(11) for bigint(20)), n (decimal(8,2) for decimal(12,2)), s (varchar(50) for varchar(200))',
    own: 'unique index odd (x), foreign key up (x) to PLACE.parent, check small: CHECK ("x" < 1000)',
  },
  {
    system: 'sqlite',
    narrower: 'n (decimal(8,2) for decimal(12,2)), s (varchar(50) for varchar(200))',
    own: 'unique index odd (x), foreign key t_x_fkey (x) to parent, check small: CHECK (x < 1000)',
  },
  {
    system: 'duckdb',
    // DuckDB has no lengths of texts; integers of SQLite have 64 bits.
    narrower: [
      'id (INTEGER for INT, which a copy makes BIGINT)',
      'a (INTEGER for INT, which a copy makes BIGINT)',
      'b (INTEGER for bigint, which a copy makes BIGINT)',
      'n (DECIMAL(8,2) for decimal(12,2), which a copy makes DECIMAL(12,2))',
      'x (INTEGER for INT, which a copy makes BIGINT)',
    ].join(', '),
    own: 'unique index odd (x), check t_x_check: CHECK((x < 1000))',
  },
] as const)('into $system', async ({ system, narrower, own }) => {
  const why = await missing(system)

  test.skipIf(why !== '')(`NOT NULL, narrower types and constraints of the target alone are named${why}`, async () => {
    const from = system === 'duckdb' ? 'sqlite' : system
    const [source, target] = [await makePlace(from, folder), await makePlace(system, folder)]
    if (from === 'sqlite') await source.sql('PRAGMA journal_mode = WAL')
    await source.sql(...SOURCE)
    const isFile = system === 'sqlite' || system === 'duckdb'
    // SQLite and DuckDB add no constraint to a table; the others refuse a foreign key before the table is live.
    const early = { sqlite: `, ${CHECK}, ${KEY}`, duckdb: `, ${CHECK}`, postgresql: '', mysql: '' }[system]
    await target.sql(...PARENT, `CREATE TABLE t (${COLUMNS}${early})`)
    const signOff = await followed(source, target, { tables: ['t'] })
    await target.sql('CREATE UNIQUE INDEX odd ON t (x)')
    if (!isFile) await target.sql(`ALTER TABLE t ADD ${CHECK}`, `ALTER TABLE t ADD ${KEY}`)
    const file = join(folder, `${system}.md`)
    const { checked, finished } = await signOff(file)
    const columns = `NOT NULL only in the source: a; NOT NULL only in the target: x; narrower than in the source: ${narrower}`
    expect(finished).toMatchObject({ exitCode: 0, totals: { differing: '2', failed: '0' } })
    const found = (one: string): unknown => checked(one).map(([status, text]) => [status, text])
    expect([found('columns'), found('only in the target')]).toEqual([
      [['warn', columns]],
      [['warn', own.replace('PLACE', new URL(target.url).pathname.slice(1))]],
    ])
    expect(readFileSync(file, 'utf8')).toMatch(/^\| columns \| .* \| differs \| NOT NULL only in the source: a; /m)
  })
})

/** A table with types of each size, keys, checks and NOT NULL, and a table that refers to it. */
const CREATED = {
  postgresql: [
    `CREATE TABLE t (a varchar(20), b int, c numeric(12,2) NOT NULL, d numeric, e text, f char(3), g bytea, h uuid NOT NULL,
       i timestamptz(3), j timestamp, k date, l time, m real, n float8, o jsonb, p int[], q bool NOT NULL, r smallint, s bigint,
       u interval, v bit varying(9), w inet, x int GENERATED ALWAYS AS (b + 1) STORED NOT NULL, y varchar(300), z json,
       PRIMARY KEY (a, b), UNIQUE (b, r), CHECK (b > 0), EXCLUDE (s WITH =))`,
    'CREATE UNIQUE INDEX part ON t (r) WHERE r > 5',
    'CREATE UNIQUE INDEX lowered ON t (lower(e))',
    'CREATE TABLE u (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, a varchar(20), b int, FOREIGN KEY (a, b) REFERENCES t)',
    'CREATE TABLE k (one text NOT NULL, two int, UNIQUE (one))',
  ],
  mysql: [
    `CREATE TABLE t (a int, b int, c decimal(12,2) NOT NULL, d decimal(40,10), e text NOT NULL, f char(3), g blob, h binary(16) NOT NULL,
       i timestamp(3) NULL, j datetime(6), k date, l time, m float, n double, o json NOT NULL, q tinyint(1) NOT NULL, r smallint unsigned, s bigint unsigned,
       u tinytext, v bit(9), w year, x int GENERATED ALWAYS AS (b + 1) STORED, y varchar(300), z enum('a','b'), aa int unsigned,
       PRIMARY KEY (a, b), UNIQUE (b, r), CHECK (b > 0))`,
    'CREATE TABLE u (id bigint AUTO_INCREMENT PRIMARY KEY, a int, b int, FOREIGN KEY (a, b) REFERENCES t (a, b))',
    'CREATE TABLE k (one varbinary(20) NOT NULL, two mediumint, UNIQUE (one))',
  ],
  sqlite: [
    'PRAGMA journal_mode = WAL',
    `CREATE TABLE t (a varchar(20), b int, c decimal(12,2) NOT NULL, d numeric, e text, f char(3), g blob, h uuid NOT NULL,
       i timestamp, k date, l time, m real, o json, q boolean NOT NULL, r, s int8, PRIMARY KEY (a, b), UNIQUE (b, r), CHECK (b > 0))`,
    'CREATE UNIQUE INDEX part ON t (r) WHERE r > 5',
    'CREATE TABLE u (id INTEGER PRIMARY KEY, a varchar(20), b int, FOREIGN KEY (a, b) REFERENCES t)',
    'CREATE TABLE k (one text NOT NULL, two int, UNIQUE (one))',
  ],
}

describe.each([
  ['postgresql', 'postgresql'],
  ['postgresql', 'mysql'],
  ['postgresql', 'sqlite'],
  ['mysql', 'mysql'],
  ['mysql', 'duckdb'],
  ['sqlite', 'postgresql'],
  ['sqlite', 'sqlite'],
] as const)('tables of %s that the program creates in %s', async (from, to) => {
  const why = `${await missing(from)}${await missing(to)}`

  test.skipIf(why !== '')(`differ in no definition${why}`, async () => {
    const [source, target] = [await makePlace(from, folder), await makePlace(to, folder)]
    await source.sql(...CREATED[from])
    const signOff = await followed(source, target, {
      tables: ['t', 'u', 'k'],
      with: ['indexes', 'constraints', 'defaults'],
    })
    const { checked } = await signOff()
    const none = 'no constraint, unique index or foreign key that the source does not have'
    const found = ['columns', 'only in the target'].flatMap((one) =>
      checked(one).map(([status, text]) => [status, text]),
    )
    const same = ['ok', 'NOT NULL as in the source, and no narrower type']
    expect(found).toEqual([same, same, same, ['ok', none], ['ok', none], ['ok', none]])
  })
})

const CHILD = 'CREATE TABLE t (id INTEGER PRIMARY KEY, up INT REFERENCES parent'

test('checks and foreign keys of SQLite are the same by what they say, however they are written', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql('PRAGMA journal_mode = WAL', ...PARENT)
  await source.sql(`${CHILD}, x INT CHECK (x < 9), y INT, CONSTRAINT "y ""s" CHECK (y <> ')'), CHECK (x > y))`)
  await target.sql(...PARENT)
  await target.sql(`${CHILD}(id), x INT check(x<9), y INT CHECK (y <> ']'), CHECK (up > 0), CHECK ((x > y)))`)
  const { checked } = await (await followed(source, target, { tables: ['t'], with: ['constraints'] }))()
  const found = (one: string): unknown => checked(one).map(([status, text]) => [status, text])
  expect([found('only in the target'), found('made by --with')]).toEqual([
    [['warn', "check t_check1: CHECK (y <> ']'), check t_check2: CHECK (up > 0)"]],
    [['fail', 'not in the target: check y "s (SQLite adds checks only when a table is created)']],
  ])
})

const NUMBERED = {
  mysql: 'CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, v int)',
  sqlite: 'CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v int)',
}

describe.each([
  ['mysql', 'mysql', 'ALTER TABLE t AUTO_INCREMENT = 11'],
  ['sqlite', 'sqlite', "UPDATE sqlite_sequence SET seq = 10 WHERE name = 't'"],
  ['sqlite', 'duckdb', "SELECT nextval('t_id_seq') FROM range(8)"],
] as const)('numbers of %s in %s', async (from, to, moved) => {
  const why = `${await missing(from)}${await missing(to)}`

  test.skipIf(why !== '')(`may not be behind the source, or the values of their column${why}`, async () => {
    const [source, target] = [await makePlace(from, folder), await makePlace(to, folder)]
    if (from === 'sqlite') await source.sql('PRAGMA journal_mode = WAL')
    await source.sql(NUMBERED[from], 'INSERT INTO t (v) VALUES (1), (2)')
    const signOff = await followed(source, target)
    // The numbers of removed rows are not issued again by the source.
    await source.sql('INSERT INTO t (id, v) VALUES (10, 1)', 'DELETE FROM t WHERE id = 10')
    const behind = await signOff()
    expect(behind.finished.error).toMatchObject({ code: 'NOT_SIGNED' })
    expect(behind.checked('sequences')).toEqual([
      [
        'fail',
        'behind the values of their columns, or the source: id continues with 3, ends at 2, and the source continues with 11',
        'the stream does not replicate them; when programs no longer write to the source, check again, then set the next number of id to 11',
      ],
    ])
    await target.sql(moved)
    const { checked, finished } = await signOff()
    expect([finished.exitCode, checked('sequences')]).toEqual([
      0,
      [['ok', 'id continues with 11, ends at 2, and the source continues with 11', undefined]],
    ])
  })
})
