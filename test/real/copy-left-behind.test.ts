/**
 * A copy names in its plan and at its end what it does not copy; generated columns, table options and sequences are
 * copied if the target supports them.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { LeftBehind } from '../../src/model/copy/dependencies.ts'
import { dependencyLines } from '../../src/model/copy/dependencies.ts'
import { OBJECT_WORDS } from '../../src/model/copy/schema-object.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { ALL } from '../support/backend.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran, type System } from '../support/copy-systems.ts'

// Many small copies, on a machine that may have load.
vi.setConfig({ testTimeout: 120_000 })

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-left-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Skip = { skip(condition: boolean, why: string): void }

async function places(context: Skip, ...systems: readonly System[]): Promise<readonly [Place, Place]> {
  for (const system of systems) {
    const why = await missing(system)
    context.skip(why !== '', `needs ${system}: ${why}`)
  }
  const [from, to] = await Promise.all(systems.map((system) => makePlace(system, folder)))
  if (from === undefined || to === undefined) throw new Error('needs two places')
  return [from, to]
}

const several = (
  from: Place,
  to: Place,
  tables: readonly string[],
  more: Partial<Omit<CopyOperation, 'kind'>> = {},
): CopyOperation => ({ ...copyOf(from, to, '', more), tables })

/** `kind table: names`, as in the plan and at the end, without objects that `--with` creates. */
function named({ events, finished }: Ran): readonly string[] {
  const plan = events.find((event) => event.type === 'plan.ready')
  const planned = plan?.type === 'plan.ready' ? (plan.leftBehind ?? []) : []
  expect(finished.leftBehind ?? []).toEqual(planned)
  return planned
    .filter(({ kind }) => !Object.hasOwn(OBJECT_WORDS, kind))
    .map(text)
    .toSorted()
}

function text({ kind, table, names }: LeftBehind): string {
  return `${kind}${table === undefined ? '' : ` ${table}`}${names.length === 0 ? '' : `: ${names.join(', ')}`}`
}

const notes = ({ events }: Ran): readonly string[] =>
  events.flatMap((event) => (event.type === 'table.finished' ? (event.notes ?? []) : []))

const expectDone = (ran: Ran): void => expect(ran.finished.error?.message ?? ran.finished.exitCode).toBe(0)

describe('generated columns', () => {
  test.each<System>(['mysql', 'sqlite', 'postgresql', 'duckdb'])('are created within %s', async (system) => {
    const [from, to] = await places({ skip: (condition, why) => condition && expect.fail(why) }, system, system)
    const both = system !== 'postgresql' && system !== 'duckdb'
    const stored = system === 'duckdb' ? 'VIRTUAL' : 'STORED'
    const quoted = system === 'mysql' ? `CONCAT(name, '''s x')` : `name || '''s "x"'`
    const native = system === 'mysql' ? 'varchar(80)' : system === 'duckdb' ? 'VARCHAR' : 'text'
    await from.sql(
      `CREATE TABLE made (id ${system === 'sqlite' ? 'INTEGER' : 'bigint'} PRIMARY KEY, name varchar(40),
         twice bigint GENERATED ALWAYS AS (id * 2) ${stored}
         ${both ? `, label ${native} GENERATED ALWAYS AS (${quoted}) VIRTUAL` : ''})`,
      `INSERT INTO made (id, name) VALUES (1, 'Ann'), (2, NULL), (3, 'O''x')`,
    )
    const ran = await perform(copyOf(from, to, 'made'))
    expectDone(ran)
    expect(named(ran).filter((line) => line.startsWith('generated'))).toEqual([])
    const query = 'SELECT * FROM made ORDER BY id'
    expect(await to.rows(query)).toEqual(await from.rows(query))
    await to.sql(`INSERT INTO made (id, name) VALUES (21, 'new')`)
    expect(await to.rows('SELECT twice FROM made WHERE id = 21')).toEqual([['42']])
    expectDone(await perform(copyOf(from, to, 'made')))
  })

  test('are proved by their values: a value that its expression does not give fails the chunk', async (context) => {
    const [from, to] = await places(context, 'sqlite', 'sqlite')
    await from.sql(
      'CREATE TABLE made (id INTEGER PRIMARY KEY, many INTEGER AS (id * 2) STORED)',
      'INSERT INTO made VALUES (7)',
    )
    const database = new Database(from.url.slice('sqlite:///'.length))
    database.unsafeMode()
    database.exec(`PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '* 2', '* 3')`)
    database.close()
    const ran = await perform(copyOf(from, to, 'made'))
    expect(ran.finished).toMatchObject({ exitCode: 1, error: { code: 'CHUNKS_FAILED' } })
    expect(ran.finished.error?.message).toContain('generated columns many have other values in the target than in made')
  })

  test('are named if the target cannot compute them, and copied as values if requested', async (context) => {
    const [from, to] = await places(context, 'sqlite', 'duckdb')
    await from.sql(
      'CREATE TABLE made (id INTEGER PRIMARY KEY, twice INTEGER AS (id * 2))',
      'INSERT INTO made VALUES (1), (2)',
    )
    const ran = await perform(copyOf(from, to, 'made'))
    expectDone(ran)
    expect(named(ran)).toEqual(['generated column made: twice'])
    const asked = await perform(copyOf(from, to, 'made', { toTable: 'plain', columns: ['id', 'twice'] }))
    expectDone(asked)
    expect(named(asked)).toEqual([])
    expect(await to.rows('SELECT * FROM plain ORDER BY id')).toEqual([
      ['1', '2'],
      ['2', '4'],
    ])
  })
})

describe('sequences', () => {
  test('of PostgreSQL continue at the position of the source, with their options', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'postgresql')
    await from.sql(
      'CREATE TABLE ids (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int)',
      'INSERT INTO ids (v) SELECT g FROM generate_series(1, 1000) g',
      'DELETE FROM ids WHERE id > 900',
      `CREATE TABLE down (id int GENERATED BY DEFAULT AS IDENTITY (START WITH -5 INCREMENT BY -5 MINVALUE -1000 MAXVALUE -1 CYCLE) PRIMARY KEY, v int)`,
      'INSERT INTO down (v) SELECT g FROM generate_series(1, 10) g',
      'DELETE FROM down WHERE id < -30',
      'CREATE TABLE serials (id serial PRIMARY KEY, v int)',
      'INSERT INTO serials (v) VALUES (1), (2), (3)',
      'DELETE FROM serials WHERE id = 3',
      'CREATE SEQUENCE shared START WITH 100 INCREMENT BY 10',
      `CREATE TABLE one (id bigint PRIMARY KEY DEFAULT nextval('shared'))`,
      `CREATE TABLE two (id bigint PRIMARY KEY DEFAULT nextval('shared'))`,
      'INSERT INTO one DEFAULT VALUES',
      'INSERT INTO two DEFAULT VALUES',
      'CREATE TABLE untouched (id int GENERATED ALWAYS AS IDENTITY (START WITH 70) PRIMARY KEY)',
    )
    const copy = several(from, to, ['ids', 'down', 'serials', 'one', 'two', 'untouched'])
    const ran = await perform(copy)
    expectDone(ran)
    expect(named(ran)).toEqual([])
    // A second run changes nothing.
    expectDone(await perform(copy))
    const options = `SELECT sequencename LIKE '%shared', start_value, increment_by, min_value, max_value, cycle, last_value FROM pg_sequences
      WHERE schemaname = 'public' AND sequencename !~ 'migration' ORDER BY 2, 3, 5`
    expect(await to.rows(options)).toEqual(await from.rows(options))
    const identities = `SELECT attrelid::regclass, attidentity FROM pg_attribute WHERE attidentity <> '' AND attrelid::regclass::text IN ('ids', 'down', 'untouched') ORDER BY 1`
    expect((await to.rows(identities)).map(([, kind]) => kind)).toEqual(
      (await from.rows(identities)).map(([, kind]) => kind),
    )
    // A target that is ahead is not set back.
    await to.sql(`SELECT setval(pg_get_serial_sequence('untouched', 'id'), 500)`)
    expectDone(await perform(copy))
    const next = async (place: Place): Promise<readonly unknown[]> => {
      const given = []
      for (const table of ['ids', 'down', 'serials', 'one', 'two', 'untouched'])
        given.push((await place.rows(`INSERT INTO ${table} DEFAULT VALUES RETURNING id`))[0]?.[0])
      return given
    }
    expect(await next(to)).toEqual(['1001', '-55', '4', '120', '130', '501'])
    expect(await next(from)).toEqual(['1001', '-55', '4', '120', '130', '70'])
  })

  test('of PostgreSQL are set after the copied numbers, and an unused one keeps a later start', async (context) => {
    const [from, to] = await places(context, 'sqlite', 'postgresql')
    for (const table of ['low', 'high', 'down']) {
      await from.sql(`CREATE TABLE ${table} (id INTEGER PRIMARY KEY)`, `INSERT INTO ${table} VALUES (7), (9)`)
    }
    const ids = (options: string): string => `(id bigint GENERATED BY DEFAULT AS IDENTITY (${options}) PRIMARY KEY)`
    await to.sql(
      `CREATE TABLE low ${ids('START 8')}`,
      `CREATE TABLE high ${ids('START 1000')}`,
      `CREATE TABLE down ${ids('INCREMENT -1 MINVALUE -90 MAXVALUE 20 START 8')}`,
    )
    expectDone(await perform(several(from, to, ['low', 'high', 'down'])))
    const next = async (table: string) => (await to.rows(`INSERT INTO ${table} DEFAULT VALUES RETURNING id`))[0]?.[0]
    expect([await next('low'), await next('high'), await next('down')]).toEqual(['10', '1000', '6'])
  })

  test('of MariaDB, SQLite and DuckDB continue at the position of the source', async (context) => {
    const systems: readonly System[] = ['mysql', 'sqlite', 'duckdb', 'postgresql']
    const word: Readonly<Record<string, string>> = {
      mysql: 'bigint AUTO_INCREMENT PRIMARY KEY',
      sqlite: 'INTEGER PRIMARY KEY AUTOINCREMENT',
      postgresql: 'bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY',
      duckdb: `bigint PRIMARY KEY DEFAULT nextval('numbers')`,
    }
    const sources = new Map<System, Place>()
    for (const system of systems) {
      const [from] = await places(context, system, 'sqlite')
      sources.set(system, from)
      const rows = Array.from({ length: 30 }, (_, i) => `(${i})`).join(', ')
      await from.sql(
        ...(system === 'duckdb' ? ['CREATE SEQUENCE numbers'] : []),
        `CREATE TABLE ids (id ${word[system] ?? ''}, v int)`,
        `INSERT INTO ids (v) VALUES ${rows}`,
        'DELETE FROM ids WHERE id > 20',
      )
    }
    const pairs = systems.flatMap((a) => systems.map((b) => [a, b] as const))
    const usual =
      'mysql mysql, sqlite sqlite, duckdb duckdb, mysql postgresql, postgresql duckdb, postgresql mysql, mysql sqlite'
    const chosen = ALL ? pairs : pairs.filter(([a, b]) => usual.split(', ').includes(`${a} ${b}`))
    for (const [source, target] of chosen) {
      const from = sources.get(source)
      if (from === undefined) continue
      const to = await makePlace(target, folder)
      const ran = await perform(copyOf(from, to, 'ids'))
      expectDone(ran)
      if (source === target) expectDone(await perform(copyOf(from, to, 'ids')))
      await to.sql('INSERT INTO ids (v) VALUES (99)')
      expect([source, target, ...(await to.rows('SELECT max(id) FROM ids'))]).toEqual([source, target, ['31']])
    }
  })

  test('without a readable position continue after the largest value, and are reported', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'postgresql')
    const role = `reader_${randomBytes(4).toString('hex')}`
    await from.sql(
      'CREATE TABLE ids (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)',
      'INSERT INTO ids SELECT FROM generate_series(1, 10)',
      'DELETE FROM ids WHERE id > 5',
      `CREATE ROLE ${role} LOGIN PASSWORD 'x'`,
      `GRANT SELECT ON ids TO ${role}`,
    )
    const url = new URL(from.url)
    url.username = role
    url.password = 'x'
    const ran = await perform(copyOf({ url: url.href }, to, 'ids'))
    expectDone(ran)
    expect(notes(ran)).toEqual([
      'the position of the sequence of id could not be read: the target continues after the largest value',
    ])
    expect(await to.rows('INSERT INTO ids DEFAULT VALUES RETURNING id')).toEqual([['6']])
    await from.sql(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`)
  })

  test('that the target does not support are reported', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'sqlite')
    await from.sql(
      'CREATE TABLE down (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY -1) PRIMARY KEY)',
      'INSERT INTO down DEFAULT VALUES',
    )
    const ran = await perform(copyOf(from, to, 'down'))
    expectDone(ran)
    expect(notes(ran)).toEqual([
      'id counts by -1 in the source, where -2 is next; SQLite counts up by 1 from the largest number',
    ])
  })

  test('for non-key columns or several tables, and cyclic ones, are named if the target numbers keys only', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'sqlite')
    await from.sql(
      'CREATE SEQUENCE sh INCREMENT BY 5',
      "CREATE TABLE two (id serial PRIMARY KEY, other int DEFAULT nextval('sh'))",
      "CREATE TABLE sh1 (id int PRIMARY KEY DEFAULT nextval('sh'))",
      "CREATE TABLE sh2 (id int PRIMARY KEY DEFAULT nextval('sh'))",
      'CREATE TABLE round (id int GENERATED BY DEFAULT AS IDENTITY (MAXVALUE 100 CYCLE) PRIMARY KEY)',
      'INSERT INTO two DEFAULT VALUES',
      'INSERT INTO round DEFAULT VALUES',
    )
    const ran = await perform(copyOf(from, to, '*'))
    expectDone(ran)
    expect(named(ran)).toEqual([
      'cyclic sequence public.round: id',
      'sequence public.two: other',
      'shared sequence public.sh1: id',
      'shared sequence public.sh2: id',
    ])
    expect(notes(ran).filter((note) => note.startsWith('other'))).toEqual([])
  })
})

describe('a plan names', () => {
  test('everything of PostgreSQL that is left behind', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'postgresql')
    // Roles belong to the server, and stay after the database is dropped.
    const clerk = `clerk ${randomBytes(4).toString('hex')}`
    await from.sql(
      `CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
      'CREATE UNLOGGED TABLE t (id int PRIMARY KEY, email text COLLATE ci UNIQUE, file oid)',
      'CREATE TABLE p (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)',
      `CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`,
      'CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$',
      'CREATE TRIGGER stamped BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION stamp()',
      'CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS $$ SELECT n * 2 $$',
      'CREATE PROCEDURE tidy() LANGUAGE sql AS $$ SELECT 1 $$',
      'CREATE VIEW ids AS SELECT id FROM t',
      'CREATE MATERIALIZED VIEW alone AS SELECT 1 AS one',
      'ALTER TABLE t ENABLE ROW LEVEL SECURITY',
      'CREATE POLICY mine ON t USING (true)',
      'GRANT SELECT ON t TO PUBLIC',
      `CREATE ROLE "${clerk}"`,
      `GRANT SELECT (id), UPDATE (email) ON t TO "${clerk}"`,
      `COMMENT ON COLUMN t.email IS 'of a person'`,
      'CREATE STATISTICS both_of ON id, email FROM t',
      "CREATE TYPE mood AS ENUM ('a')",
      'CREATE SEQUENCE tickets',
      'CREATE SCHEMA audit',
      'CREATE TABLE audit.log (id int PRIMARY KEY)',
      'CREATE TABLE migration_runs (mine int PRIMARY KEY)',
      "INSERT INTO t VALUES (1, 'a', 7)",
    )
    const ran = await perform(copyOf(from, to, '*'))
    expectDone(ran)
    expect(named(ran)).toEqual([
      'collation public.t: email',
      'comment public.t: email',
      'free sequence: public.tickets',
      'function public.t: stamp()',
      'function: tidy(), twice(integer)',
      `grant public.t: select (id) to ${clerk}, select to PUBLIC, update (email) to ${clerk}`,
      'large object public.t: file',
      'name of the ledger: public.migration_runs',
      'partitioning public.p',
      'policy public.t: mine',
      'row security public.t',
      'schema: audit (1 table)',
      'statistics public.t: both_of',
      'trigger public.t: stamped',
      'type: public.mood',
      'unlogged public.t',
      'view public.t: public.ids',
      'view: public.alone',
    ])
    // A column privilege that the target's role also has is not left behind.
    await to.sql(`GRANT SELECT (id) ON t TO "${clerk}"`)
    const granted = await perform(copyOf(from, to, 't', { onExisting: 'upsert', dryRun: true }))
    expect(named(granted).filter((line) => line.startsWith('grant'))).toEqual([
      `grant public.t: select to PUBLIC, update (email) to ${clerk}`,
    ])
    // Statistics of the same columns and kinds are equal under any name, but not those of the same name only.
    const statistics = async (): Promise<readonly string[]> =>
      named(await perform(copyOf(from, to, 't', { onExisting: 'upsert', dryRun: true }))).filter((line) =>
        line.startsWith('statistics'),
      )
    await to.sql('CREATE STATISTICS both_of (ndistinct) ON id, email FROM t')
    expect(await statistics()).toEqual(['statistics public.t: both_of'])
    await to.sql('CREATE STATISTICS both_of_p ON id, email FROM t')
    expect(await statistics()).toEqual([])
    // The collation is not left behind if the target has it: then the new table gets it.
    await to.sql(`CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
    const known = await perform(copyOf(from, to, 't', { toTable: 'known' }))
    expectDone(known)
    expect(named(known).filter((line) => line.startsWith('collation'))).toEqual([])
    expect(await to.rows("SELECT id FROM known WHERE email = 'A'")).toEqual([['1']])
    const single = await perform(copyOf(from, to, 't', { toTable: 'again', dryRun: true }))
    expect(named(single).filter((line) => /^(?:schema|name of)|alone/.test(line))).toEqual([])
  })

  test('citext is recognised through domains of both sides, and not by its name only', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'postgresql')
    for (const place of [from, to])
      await place.sql(
        'CREATE EXTENSION citext',
        'CREATE DOMAIN inner_mail AS citext',
        'CREATE DOMAIN mail AS inner_mail',
      )
    await from.sql(
      'CREATE SCHEMA own',
      'CREATE DOMAIN own.citext AS text',
      'CREATE TABLE t (id int PRIMARY KEY, a citext, b mail, c own.citext)',
    )
    await to.sql('CREATE TABLE t (id int PRIMARY KEY, a mail, b text, c text)')
    const ran = await perform(copyOf(from, to, 't', { onExisting: 'upsert', dryRun: true }))
    expect(named(ran)).toEqual(['collation public.t: b'])
  })

  test('vectors of MariaDB 11.7 and MySQL 9 become texts of numbers, and the plan reports it', async (context) => {
    const [from, to] = await places(context, 'mysql', 'sqlite')
    const [[release = ''] = []] = await from.rows('SELECT VERSION()')
    const made = await from.sql('CREATE TABLE v (id int PRIMARY KEY, v VECTOR(2))').then(
      () => '',
      () => `no vectors in ${release}`,
    )
    context.skip(made !== '', made)
    await from.sql("INSERT INTO v VALUES (1, x'0000803f00000040'), (2, NULL)")
    const ran = await perform(copyOf(from, to, 'v'))
    expectDone(ran)
    const plan = ran.events.find((event) => event.type === 'plan.ready')
    expect(plan?.type === 'plan.ready' ? plan.copies?.[0]?.notes : []).toEqual([
      "kept as the source's own bytes in hexadecimal digits: v (vector(2))",
    ])
    expect(await to.rows('SELECT id, lower(v) FROM v ORDER BY id')).toEqual([
      ['1', '0000803f00000040'],
      ['2', null],
    ])
  })

  test('everything of MariaDB that is left behind, and less if the target has it', async (context) => {
    const [from, to] = await places(context, 'mysql', 'sqlite')
    await from.sql(
      `CREATE TABLE t (id int PRIMARY KEY, email varchar(40) COLLATE utf8mb4_general_ci UNIQUE COMMENT 'of a person',
         twice int AS (id * 2) VIRTUAL) PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN MAXVALUE)`.replace(
        ' UNIQUE',
        '',
      ),
      'CREATE TRIGGER stamped BEFORE INSERT ON t FOR EACH ROW SET NEW.id = NEW.id',
      'CREATE VIEW ids AS SELECT id FROM t',
      'CREATE SEQUENCE tickets',
      'CREATE TABLE drawn (id int PRIMARY KEY, ticket bigint DEFAULT nextval(tickets), secret int INVISIBLE, at datetime ON UPDATE NOW())',
      'CREATE TABLE migration_runs (mine int PRIMARY KEY)',
      `INSERT INTO t (id, email) VALUES (1, 'A')`,
    )
    const ran = await perform(copyOf(from, to, '*'))
    expectDone(ran)
    const database = new URL(from.url).pathname.slice(1)
    const lines = named(ran).filter((line) => !line.startsWith('schema: '))
    expect(lines.map((line) => line.replaceAll(`${database}.`, ''))).toEqual([
      'collation t: email',
      'comment t: email',
      'free sequence: tickets',
      'generated column t: twice',
      'invisible column drawn: secret',
      'name of the ledger: migration_runs',
      'partitioning t',
      'sequence drawn: ticket',
      'trigger t: stamped',
      'update time drawn: at',
      'view t: ids',
    ])
  })

  test('everything left behind by SQLite; STRICT, WITHOUT ROWID, NOCASE and AUTOINCREMENT are copied', async (context) => {
    const [from, to] = await places(context, 'sqlite', 'sqlite')
    const other = await makePlace('duckdb', folder)
    await from.sql(
      `CREATE TABLE "a, STRICT" ("k(" TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER) STRICT, WITHOUT ROWID`,
      'CREATE TABLE b (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)',
      'CREATE TRIGGER stamped AFTER INSERT ON b BEGIN SELECT 1; END',
      'CREATE VIEW vs AS SELECT v FROM b',
      'CREATE VIEW alone AS SELECT 1',
      `INSERT INTO "a, STRICT" VALUES ('x', 1)`,
      `INSERT INTO b (v) VALUES ('y')`,
    )
    const within = await perform(copyOf(from, to, '*'))
    expectDone(within)
    expect(named(within)).toEqual(['trigger b: stamped', 'view b: vs', 'view: alone'])
    const facts = `SELECT name, wr, strict FROM pragma_table_list WHERE name IN ('a, STRICT', 'b') ORDER BY name`
    expect(await to.rows(facts)).toEqual(await from.rows(facts))
    await expect(to.sql(`INSERT INTO "a, STRICT" VALUES ('X', 2)`)).rejects.toThrow('UNIQUE')
    // A second run inspects the existing tables, and names the same.
    expect(named(await perform(copyOf(from, to, '*')))).toEqual(named(within))
    const beyond = await perform(copyOf(from, other, '*'))
    expectDone(beyond)
    expect(named(beyond)).toEqual(['collation a, STRICT: k(', 'trigger b: stamped', 'view b: vs', 'view: alone'])
  })

  test('conflict clauses of SQLite, unless the target has them', async (context) => {
    const [from, to] = await places(context, 'sqlite', 'sqlite')
    await from.sql(
      `CREATE TABLE t (id INTEGER PRIMARY KEY ON CONFLICT IGNORE, u TEXT UNIQUE ON CONFLICT REPLACE,
         a TEXT CHECK (a <> 'ON CONFLICT FAIL') UNIQUE ON CONFLICT ABORT)`,
    )
    const ran = await perform(copyOf(from, to, 't'))
    expectDone(ran)
    expect(named(ran)).toEqual(['conflict clause t: ON CONFLICT IGNORE, ON CONFLICT REPLACE'])
    await to.sql('CREATE TABLE u (id INTEGER PRIMARY KEY ON CONFLICT IGNORE, u TEXT, a TEXT)')
    const beside = await perform(copyOf(from, to, 't', { toTable: 'u', restart: true }))
    expect(named(beside)).toEqual(['conflict clause t: ON CONFLICT REPLACE'])
  })

  test('nothing of SQLite definitions with string literals in double quotes', async (context) => {
    const [from, to] = await places(context, 'sqlite', 'sqlite')
    await from.sql(
      `CREATE TABLE t (id INTEGER PRIMARY KEY, "a b" TEXT COLLATE NOCASE, g TEXT AS ("a b" || 'it x'))`,
      `CREATE INDEX some ON t (id) WHERE "a b" = 'x y' COLLATE "RTRIM"`,
      `CREATE INDEX every ON t ("lower"("a b") || 'z')`,
      `INSERT INTO t (id, "a b") VALUES (1, 'q')`,
    )
    const database = new Database(from.url.slice('sqlite:///'.length))
    database.unsafeMode()
    database.exec(`PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, char(39), char(34))`)
    database.close()
    const copy = copyOf(from, to, 't', { with: ['indexes'] })
    expectDone(await perform(copy))
    const query = 'SELECT id, "a b", g FROM t'
    expect(await to.rows(query)).toEqual([['1', 'q', 'qit x']])
    const made = `SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 't' ORDER BY 1 DESC`
    expect(await to.rows(made)).toEqual([
      ['some', `CREATE INDEX "some" ON "t" (id) WHERE "a b" = 'x y' COLLATE "RTRIM"`],
      ['every', `CREATE INDEX "every" ON "t" ("lower"("a b") || 'z')`],
    ])
    expectDone(await perform(copy))
  })

  test('properties of a primary key of PostgreSQL; other constraints keep theirs', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'postgresql')
    await from.sql(
      'CREATE TABLE parent (id int PRIMARY KEY)',
      `CREATE TABLE k (id int, v text, n int, PRIMARY KEY (id) INCLUDE (v) DEFERRABLE INITIALLY DEFERRED,
         CONSTRAINT alone CHECK (n > 0) NO INHERIT, CONSTRAINT equal UNIQUE NULLS NOT DISTINCT (n),
         CONSTRAINT later UNIQUE (v, n) DEFERRABLE)`,
      'ALTER TABLE k ADD CONSTRAINT unproved CHECK (n < 9) NOT VALID',
      'ALTER TABLE k ADD CONSTRAINT child FOREIGN KEY (n) REFERENCES parent NOT VALID',
    )
    const ran = await perform(several(from, to, ['parent', 'k'], { with: ['indexes', 'constraints'] }))
    expectDone(ran)
    expect(named(ran)).toEqual(['key property public.k: DEFERRABLE INITIALLY DEFERRED, INCLUDE (v)'])
    const definitions = `SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
      WHERE conrelid = 'k'::regclass AND contype <> 'p' ORDER BY conname`
    expect(await to.rows(definitions)).toEqual(await from.rows(definitions))
  })

  test('DEFERRABLE of a constraint that is the row key, and of one whose column has another name', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'postgresql')
    await from.sql(
      'CREATE TABLE k (id int NOT NULL, v int, CONSTRAINT later UNIQUE (id) DEFERRABLE, CONSTRAINT last UNIQUE (v) DEFERRABLE INITIALLY DEFERRED)',
      'INSERT INTO k VALUES (1, 1)',
    )
    const plain = await perform(copyOf(from, to, 'k', { rename: { v: 'w' }, dryRun: true }))
    expectDone(plain)
    expect(named(plain)).toEqual(['key property public.k: DEFERRABLE of later'])
    const ran = await perform(copyOf(from, to, 'k', { rename: { v: 'w' }, with: ['constraints'] }))
    expectDone(ran)
    expect(named(ran)).toEqual(['key property public.k: DEFERRABLE of later'])
    const lines = ran.events.flatMap((event) =>
      event.type === 'plan.ready' ? (event.copies ?? []).flatMap(({ objects = [] }) => objects) : [],
    )
    expect(lines).toEqual([
      { name: 'last', kind: 'unique', status: 'build', note: 'is created without DEFERRABLE INITIALLY DEFERRED' },
      { name: 'later', kind: 'unique', status: 'there' },
    ])
  })

  test('a view in the database of both tables as one that a cutover recreates', async (context) => {
    const [place] = await places(context, 'postgresql', 'sqlite')
    await place.sql('CREATE TABLE t (id int PRIMARY KEY)', 'CREATE VIEW ids AS SELECT id FROM t')
    const ran = await perform(copyOf(place, place, 't', { toTable: 't2', dryRun: true }))
    expectDone(ran)
    expect(dependencyLines(ran.finished.leftBehind ?? [])).toEqual([
      'left behind: 1 view (public.ids): it reads the table of the source; a cutover recreates it for the new one',
    ])
  })

  test('forty triggers in one line, and all of them in JSON', () => {
    const entry: LeftBehind = {
      kind: 'trigger',
      table: 'public.t',
      names: Array.from({ length: 40 }, (_, i) => `t${i}`),
      means: 'to be created in the target by hand',
    }
    expect(dependencyLines([entry])).toEqual([
      'left behind: 40 triggers (t0, t1, t2, t3 and 36 more): to be created in the target by hand',
    ])
  })
})

describe('indexes, constraints and defaults without --with', () => {
  const lines = (ran: Ran): readonly string[] => {
    expectDone(ran)
    named(ran)
    return dependencyLines(ran.finished.leftBehind ?? [])
  }
  const MADE = [
    'CREATE TABLE parent (id bigint PRIMARY KEY, at timestamp DEFAULT now())',
    `CREATE TABLE child (id serial PRIMARY KEY, parent bigint REFERENCES parent, email text UNIQUE, n int DEFAULT 7 CHECK (n > 0))`,
    ...Array.from({ length: 30 }, (_, i) => `CREATE INDEX i${i} ON child (n, parent, (id + ${i}))`),
  ]

  test('are counted per table, with the option that creates them, and not if the target has them', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'postgresql')
    await from.sql(...MADE)
    const both = several(from, to, ['parent', 'child'])
    const bare = await perform(both)
    const plan = bare.events.find((event) => event.type === 'plan.ready')
    const ofTable = plan?.type === 'plan.ready' ? (plan.copies ?? []).map((one) => one.leftBehind ?? []) : []
    expect(ofTable.map((entries) => dependencyLines(entries))).toEqual([
      ['left behind: 1 default: created only by copy --with all'],
      [
        'left behind: 1 unique constraint, 30 indexes, 1 check, 1 foreign key, 1 default: created only by copy --with all',
      ],
    ])
    expect(lines(bare)).toEqual([
      'left behind of public.parent: 1 default: created only by copy --with all',
      'left behind of public.child: 1 unique constraint, 30 indexes, 1 check, 1 foreign key, 1 default: created only by copy --with all',
    ])
    expect(lines(await perform({ ...both, with: ['constraints', 'defaults'] }))).toEqual([
      'left behind: 30 indexes: created only by copy --with all',
    ])
    expect(lines(await perform(both))).toEqual(['left behind: 30 indexes: created only by copy --with indexes'])
    await from.sql('DROP INDEX i0')
    expect(lines(await perform({ ...both, with: ['indexes'] }))).toEqual([])
    expect(lines(await perform(both))).toEqual([])
  })

  test('of another system are divided into those that --with creates and others', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'sqlite')
    await from.sql(...MADE)
    expect(lines(await perform(several(from, to, ['child'])))).toEqual([
      'left behind: 1 unique constraint: created only by copy --with constraints',
      'left behind: 30 indexes, 1 check, 1 foreign key, 1 default: cannot be created in this target by a copy; copy --with all --dry-run shows why',
    ])
  })

  test('of many tables have one line', () => {
    const entries = Array.from({ length: 5 }, (_, i): LeftBehind => {
      return { kind: 'index', table: `t${i}`, names: ['a', 'b'], means: 'created only by copy --with indexes' }
    })
    expect(dependencyLines(entries)).toEqual([
      'left behind of 5 tables: 10 indexes: created only by copy --with indexes',
    ])
  })
})

describe.skipIf(!CASSANDRA_AVAILABLE)(`of Cassandra ${CASSANDRA_MISSING}`, { timeout: 120_000 }, () => {
  test('each lookup is answered, and a table without other properties leaves its write times, which are named once', async () => {
    await using keyspace = await newKeyspace()
    await keyspace.link.client.execute(`CREATE TABLE ${keyspace.name}.t (id int PRIMARY KEY, v text)`)
    await keyspace.link.client.execute(`INSERT INTO ${keyspace.name}.t (id, v) VALUES (1, 'a')`)
    const to = await makePlace('sqlite', folder)
    const ran = await perform(copyOf({ url: keyspace.url }, to, '*'))
    expectDone(ran)
    // Each table of Cassandra has write times, and no other system does.
    expect(named(ran)).toEqual([`write time ${keyspace.name}.t`])
    expect(notes(ran)).toEqual([])
    expect(dependencyLines(ran.finished.leftBehind ?? [])).toEqual([
      `left behind: 1 table with write times and times to live (${keyspace.name}.t): rows that expire in the source stay in the target`,
    ])
  })
})

describe('PostgreSQL tables with INHERITS', () => {
  test('each table is copied alone, and rows of unselected child tables are reported with their number', async (context) => {
    const [from, to] = await places(context, 'postgresql', 'postgresql')
    await from.sql(
      'CREATE TABLE parent (id int PRIMARY KEY)',
      'CREATE TABLE rich (PRIMARY KEY (id), extra text) INHERITS (parent)',
      'CREATE TABLE plain (PRIMARY KEY (id)) INHERITS (parent)',
      'CREATE TABLE grandchild (PRIMARY KEY (id)) INHERITS (plain)',
      'INSERT INTO parent VALUES (1), (3)',
      'INSERT INTO rich SELECT g FROM generate_series(1, 1500) g',
      // The same keys as in the parent: no constraint covers both tables.
      'INSERT INTO plain SELECT g FROM generate_series(1, 500) g',
      'INSERT INTO grandchild VALUES (7)',
    )
    const alone = await perform(copyOf(from, to, 'parent', { chunkRows: 1 }))
    expectDone(alone)
    expect(await to.rows('SELECT id FROM parent ORDER BY 1')).toEqual([['1'], ['3']])
    const lines = dependencyLines(alone.finished.leftBehind ?? [])
    const shown =
      'in the source, where queries of public.parent also return them; name it with --tables to copy it as a separate table'
    expect(lines).toEqual(
      expect.arrayContaining([
        `left behind: 1 table that inherits (public.grandchild): 1 row stays ${shown}`,
        `left behind: 1 table that inherits (public.plain): 500 rows stay ${shown}`,
        `left behind: 1 table that inherits (public.rich): 1,500 rows stay ${shown}`,
      ]),
    )
    await to.sql('DROP TABLE parent')
    const all = await perform(copyOf(from, to, '*', { restart: true }))
    expectDone(all)
    expect(named(all)).toEqual(['grandchild', 'parent', 'plain', 'rich'].map((name) => `inheritance public.${name}`))
    expect(
      await to.rows(
        `SELECT ${['parent', 'rich', 'plain', 'grandchild'].map((name) => `(SELECT count(*) FROM ${name})`).join(', ')}`,
      ),
    ).toEqual([['2', '1500', '500', '1']])
  })
})

describe('rows of child tables of a PostgreSQL table', () => {
  const children = Array.from({ length: 11 }, (_, i) => `c${String(i + 1).padStart(2, '0')}`)
  const role = `reader_${randomBytes(4).toString('hex')}`
  const scope = { tables: [{ schema: 'public', name: 'parent' }], all: false }
  const signal = new AbortController().signal

  async function made(context: Skip): Promise<Place> {
    const [from] = await places(context, 'postgresql', 'sqlite')
    await from.sql(
      'CREATE TABLE parent (id int)',
      ...children.map((name) => `CREATE TABLE ${name} () INHERITS (parent)`),
      'INSERT INTO c01 VALUES (1), (2)',
      'INSERT INTO c09 SELECT generate_series(1, 1200)',
      'ANALYZE c09',
      'INSERT INTO c10 VALUES (1)',
      `CREATE ROLE ${role} LOGIN PASSWORD 'x'`,
      `GRANT SELECT ON parent, ${children.filter((name) => name !== 'c02').join(', ')} TO ${role}`,
    )
    return from
  }

  function asReader(from: Place, timeout: number): string {
    const url = new URL(from.url)
    url.username = role
    url.password = 'x'
    url.searchParams.set('statement_timeout', String(timeout))
    return url.href
  }

  test('are counted for a few tables, estimated for others, and never counted in a target', async (context) => {
    const from = await made(context)
    const { default: pg } = await import('pg')
    const other = new pg.Client({ connectionString: from.url })
    await other.connect()
    try {
      await other.query('BEGIN; LOCK TABLE c03 IN ACCESS EXCLUSIVE MODE')
      await using store = await openPostgresCopy(asReader(from, 0), { lockWaitMs: 200 })
      const left = await store.dependencies().notCopied({ ...scope, children: true }, signal)
      const reported = left.flatMap(({ kind, names, means }) =>
        kind === 'child' ? [[names[0], means.replace(/ stays? in the source.*/, '')]] : [],
      )
      expect(reported).toEqual([
        ['public.c01', '2 rows'],
        ['public.c02', 'rows that this role cannot count'],
        ['public.c03', 'rows that could not be counted'],
        ...['c04', 'c05', 'c06', 'c07', 'c08'].map((name) => [`public.${name}`, '0 rows']),
        ['public.c09', 'about 1,200 rows'],
        ['public.c10', 'rows that were not counted'],
        ['public.c11', 'rows that were not counted'],
      ])
      const there = await store.dependencies().notCopied(scope, signal)
      expect(there.filter(({ kind }) => kind === 'child')).toEqual([])
      // A cancelled statement does not mean a missing privilege.
      await using hurried = await openPostgresCopy(asReader(from, 500))
      await expect(hurried.dependencies().notCopied({ ...scope, children: true }, signal)).rejects.toMatchObject({
        code: 'SOURCE_IO',
        reason: expect.stringContaining('statement_timeout'),
      })
    } finally {
      await other.end()
      await from.sql(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`)
    }
  })
})
