/** Objects and settings of a partition itself, beyond those of its parent, leave with it and are restored with it. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startArchiver } from '../fault/archive-kit.ts'
import { commandsOf, makeBookings, type Archived } from '../support/archive-places.ts'
import { makePlace, missing, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { POSTGRES_OWN, startPostgres } from '../support/servers/postgresql.ts'
import type { Operation } from '../../src/app/operations/list.ts'

/** Catalog entries of a partition and of the objects that depend on it. */
const CATALOG = `
  WITH t AS (SELECT * FROM pg_class WHERE oid = to_regclass('public.bookings_0'))
  SELECT 'table', relowner::regrole::text, reltablespace::text, relpersistence::text, reloptions::text, relreplident::text, relrowsecurity::text,
    (SELECT reloptions::text FROM pg_class l WHERE l.oid = t.reltoastrelid), relispartition::text FROM t
  UNION ALL SELECT 'grant', e.grantee::regrole::text, e.grantor::regrole::text, e.privilege_type, e.is_grantable::text, NULL, NULL, NULL, NULL FROM t, aclexplode(relacl) e
  UNION ALL SELECT 'column', attname, attstorage::text, attcompression::text, attnotnull::text, attstattarget::text, attoptions::text, attacl::text, pg_get_expr(adbin, adrelid)
    FROM t JOIN pg_attribute a ON attrelid = t.oid AND attnum > 0 AND NOT attisdropped LEFT JOIN pg_attrdef ON adrelid = t.oid AND adnum = attnum
  UNION ALL SELECT 'index', pg_get_indexdef(indexrelid), inhparent::regclass::text, indisclustered::text, indisreplident::text, c.reloptions::text, indisvalid::text, NULL, NULL
    FROM t JOIN pg_index ON indrelid = t.oid JOIN pg_class c ON c.oid = indexrelid LEFT JOIN pg_inherits ON inhrelid = indexrelid
  UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(k.oid), conislocal::text, coninhcount::text, convalidated::text, NULL, NULL, NULL
    FROM t JOIN pg_constraint k ON conrelid = t.oid WHERE contype <> 'n'
  UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(g.oid), tgenabled::text, (tgparentid = 0)::text, NULL, NULL, NULL, NULL
    FROM t JOIN pg_trigger g ON tgrelid = t.oid WHERE tgconstrindid = 0
  UNION ALL SELECT 'policy', polname, polcmd::text, polroles::regrole[]::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid), polpermissive::text, NULL, NULL
    FROM t JOIN pg_policy ON polrelid = t.oid
  UNION ALL SELECT 'rule', pg_get_ruledef(r.oid), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM t JOIN pg_rewrite r ON ev_class = t.oid
  UNION ALL SELECT 'statistics', pg_get_statisticsobjdef(s.oid), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM t JOIN pg_statistic_ext s ON stxrelid = t.oid
  UNION ALL SELECT 'comment', pg_describe_object(d.classoid, d.objoid, d.objsubid), description, NULL, NULL, NULL, NULL, NULL, NULL FROM pg_description d
    WHERE pg_describe_object(d.classoid, d.objoid, d.objsubid) LIKE '%bookings_0%' OR pg_describe_object(d.classoid, d.objoid, d.objsubid) LIKE '%own%'
  ORDER BY 1, 2, 3, 4, 5`

const roleOf = (place: Place): string => `reader "${new URL(place.url).pathname.slice(1)}"`
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

async function fresh(): Promise<{ readonly archived: Archived; readonly role: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-own-'))
  const place = await makePlace('postgresql', folder)
  const archived = await makeBookings(place, 'native', folder, 20)
  const role = quoted(roleOf(place))
  await place.sql(
    `CREATE ROLE ${role}`,
    `CREATE FUNCTION "no""te"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
    `CREATE INDEX bookings_of_note ON bookings (note)`,
    `ALTER INDEX bookings_0_note_idx RENAME TO "old note's ✓"`,
    `CREATE TRIGGER of_all BEFORE UPDATE ON bookings FOR EACH ROW EXECUTE FUNCTION "no""te"()`,
    `COMMENT ON COLUMN bookings.note IS 'of the parent'`,
    `COMMENT ON COLUMN bookings.amount IS 'of the parent, too'`,
    `ALTER TABLE bookings ADD CONSTRAINT sane CHECK (id >= 0)`,
    // An index of this partition only.
    `CREATE UNIQUE INDEX "own ""index""" ON bookings_0 (id, lower(note)) INCLUDE (amount) WITH (fillfactor = 60) WHERE note <> 'it''s'`,
    `CREATE INDEX bookings_0_note_idx ON bookings_0 (amount DESC NULLS LAST)`,
    `ALTER TABLE bookings_0 ADD CONSTRAINT own_check CHECK (amount < 1000) NOT VALID`,
    `ALTER TABLE bookings_0 ADD CONSTRAINT own_unique UNIQUE (id)`,
    `CREATE TRIGGER "own ""trigger""" AFTER INSERT ON bookings_0 FOR EACH ROW WHEN (NEW.id > 7) EXECUTE FUNCTION "no""te"('a ''b''')`,
    `CREATE TRIGGER own_off AFTER DELETE ON bookings_0 FOR EACH STATEMENT EXECUTE FUNCTION "no""te"()`,
    `ALTER TABLE bookings_0 DISABLE TRIGGER own_off`,
    `ALTER TABLE bookings_0 ENABLE ALWAYS TRIGGER of_all`,
    `CREATE RULE own_rule AS ON UPDATE TO bookings_0 WHERE NEW.id < 0 DO INSTEAD NOTHING`,
    `CREATE STATISTICS own_statistics ON id, note FROM bookings_0`,
    `CREATE POLICY "own policy" ON bookings_0 AS RESTRICTIVE FOR SELECT TO ${role} USING (id > 3)`,
    `ALTER TABLE bookings_0 ENABLE ROW LEVEL SECURITY`,
    `GRANT SELECT, UPDATE ON bookings_0 TO ${role} WITH GRANT OPTION`,
    `GRANT INSERT (id, note) ON bookings_0 TO ${role}`,
    `GRANT SELECT ON bookings_0 TO PUBLIC`,
    `ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO PUBLIC`,
    `COMMENT ON TABLE bookings_0 IS 'Q1, "audited"; it''s the auditor''s'`,
    `COMMENT ON COLUMN bookings_0.note IS 'of the partition'`,
    `COMMENT ON COLUMN bookings_0.amount IS NULL`,
    `COMMENT ON INDEX "own ""index""" IS 'for the audit'`,
    `COMMENT ON INDEX "old note's ✓" IS 'renamed'`,
    `COMMENT ON TRIGGER own_off ON bookings_0 IS 'off'`,
    `COMMENT ON CONSTRAINT own_check ON bookings_0 IS 'checks'`,
    `ALTER TABLE bookings_0 SET (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false)`,
    `ALTER TABLE bookings_0 ALTER note SET STORAGE EXTERNAL, ALTER note SET STATISTICS 500, ALTER amount SET DEFAULT 7, ALTER id SET (n_distinct = -0.5), ALTER amount SET COMPRESSION pglz`,
    `ALTER TABLE bookings_0 REPLICA IDENTITY USING INDEX own_unique`,
    `ALTER TABLE bookings_0 CLUSTER ON "old note's ✓"`,
  )
  return { archived, role }
}

/** @returns its warnings */
async function done(operation: Operation): Promise<readonly string[]> {
  const { finished, events } = await perform(operation)
  expect(finished, JSON.stringify(events.slice(-3))).toMatchObject({ exitCode: 0 })
  return events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event.message] : []))
}

async function away(archived: Archived): Promise<void> {
  const { run, drop } = commandsOf(archived)
  await done(run)
  await done(drop)
  expect(await archived.place.rows("SELECT to_regclass('bookings_0')")).toEqual([[null]])
}

test('a dropped partition is restored with all its own objects', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const { archived, role } = await fresh()
  const { place } = archived
  const before = await place.rows(CATALOG)
  expect(before.length).toBeGreaterThan(30)
  const plan = await perform({ ...commandsOf(archived).run, dryRun: true } as Operation)
  expect(plan.events.flatMap((event) => (event.type === 'archive.planned' ? [event.note] : []))).toEqual([
    'not inherited from the parent: 3 indexes, 1 constraint, 2 triggers, 1 rule, 1 policy, 2 grants, 1 comment, 1 set of storage parameters',
    undefined,
    undefined,
  ])
  // The attachment clones the parent's trigger again, in the parent's present state.
  await done(commandsOf(archived).run)
  expect(await done(commandsOf(archived).restore)).toEqual([])
  expect(await place.rows(CATALOG)).toEqual(before)
  await done({ ...commandsOf(archived).run, partitions: ['2020-Q1', '2020-Q2'] } as Operation)
  await away(archived)
  // With a default partition, the server looks for indexes earlier.
  await place.sql('CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT')
  expect(await done(commandsOf(archived).restore)).toEqual([])
  expect(await place.rows(CATALOG)).toEqual(before)
  await place.sql(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`)
})

test('a restored partition has an exclusion of its table once', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') return skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-own-'))
  const place = await makePlace('postgresql', folder)
  const commands = commandsOf(await makeBookings(place, 'native', folder, 20))
  const [[version] = []] = await place.rows('SHOW server_version_num')
  if (Number(version) < 170_000) return skip('older servers have no exclusions of partitioned tables')
  await place.sql(
    'ALTER TABLE bookings ADD CONSTRAINT once EXCLUDE USING btree (at WITH =, id WITH =)',
    'CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT',
  )
  const exclusions = (): Promise<readonly (readonly unknown[])[]> =>
    place.rows(
      `SELECT conrelid::regclass::text, conname, coninhcount FROM pg_constraint WHERE contype = 'x' ORDER BY 1, 2`,
    )
  const before = await exclusions()
  for (const operation of [commands.run, commands.drop])
    expect((await perform(operation)).finished).toMatchObject({ exitCode: 0 })
  const { finished, events } = await perform(commands.restore)
  expect(finished).toMatchObject({ exitCode: 0 })
  expect(events.filter((event) => event.type === 'log' && event.message.includes('not restored'))).toEqual([])
  expect(await exclusions()).toEqual(before)
})

test('a sequence that the oldest partition owns and the whole table uses stays, also when that one is dropped', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  if (why !== '') return skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-own-'))
  const place = await makePlace('postgresql', folder)
  const commands = commandsOf(await makeBookings(place, 'native', folder, 20))
  await place.sql(
    'CREATE SEQUENCE "Book ings"',
    'CREATE SEQUENCE own',
    `ALTER TABLE bookings ALTER COLUMN id SET DEFAULT nextval('"Book ings"')`,
    `ALTER TABLE bookings_0 ALTER COLUMN id SET DEFAULT nextval('"Book ings"'), ALTER COLUMN amount SET DEFAULT nextval('own')`,
    'ALTER SEQUENCE "Book ings" OWNED BY bookings_0.id',
    'ALTER SEQUENCE own OWNED BY bookings_0.amount',
  )
  const sequences = (): Promise<readonly (readonly unknown[])[]> =>
    place.rows(
      `SELECT s.oid::regclass::text, d.refobjid::regclass::text FROM pg_class s LEFT JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'a' WHERE s.relkind = 'S' ORDER BY 1`,
    )
  expect((await perform(commands.run)).finished).toMatchObject({ exitCode: 0 })
  const shared = ['"Book ings"', 'bookings']
  expect(await sequences()).toEqual([shared, ['sluice_archived.own', expect.stringMatching(/bookings_0/)]])
  expect((await perform(commands.drop)).finished).toMatchObject({ exitCode: 0 })
  expect(await sequences()).toEqual([shared])
  expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
  expect(await place.rows(`SELECT nextval('"Book ings"')`)).toEqual([['1']])
})

test('rows that violate a NOT VALID constraint are restored, and the constraint stays NOT VALID', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-own-'))
  const place = await makePlace('postgresql', folder)
  const archived = await makeBookings(place, 'native', folder, 20)
  await place.sql(
    'ALTER TABLE bookings ADD CONSTRAINT "of all" CHECK (amount > 5) NOT VALID',
    'ALTER TABLE bookings_0 ADD CONSTRAINT own_check CHECK (amount > 7 AND amount IS NOT NULL) NOT VALID',
    'CREATE TABLE "to" (note varchar(400) PRIMARY KEY)',
    'ALTER TABLE bookings_0 ADD CONSTRAINT own_key FOREIGN KEY (note) REFERENCES "to" NOT VALID',
  )
  const [version] = await place.rows("SELECT current_setting('server_version_num')::int >= 180000")
  if (version?.[0] === 't')
    await place.sql(
      'ALTER TABLE bookings ADD CONSTRAINT "all set" NOT NULL note NOT VALID',
      'ALTER TABLE bookings_0 ADD CONSTRAINT own_set NOT NULL amount NOT VALID',
    )
  const constraints = `SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated, conislocal, coninhcount FROM pg_constraint WHERE conrelid IN ('bookings_0'::regclass, 'bookings_1'::regclass) ORDER BY 1, 2`
  const rows = 'SELECT tableoid::regclass, * FROM bookings ORDER BY id'
  const before = [await place.rows(constraints), await place.rows(rows)]
  await away(archived)
  expect(await done(commandsOf(archived).restore)).toEqual([])
  expect([await place.rows(constraints), await place.rows(rows)]).toEqual(before)
  await done({ ...commandsOf(archived).run, partitions: ['2020-Q1', '2020-Q2'] } as Operation)
  await away(archived)
  // A value of a row that only the archive has cannot be corrected.
  await place.sql('DELETE FROM bookings WHERE amount <= 5', 'ALTER TABLE bookings VALIDATE CONSTRAINT "of all"')
  const { events } = await perform(commandsOf(archived).restore)
  const refused = events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event.error] : []))
  expect(refused).toHaveLength(2)
  expect(refused[0]).toMatchObject({
    code: 'TABLE_REFUSED',
    hint: 'drop the constraint of all, then run the same command again; or restore the rows into another table with --into',
  })
})

test('objects that cannot be recreated are named, and all others are restored; a killed restore is repeated', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const { archived, role } = await fresh()
  const { place } = archived
  const before = await place.rows(CATALOG)
  await away(archived)
  await place.sql(`DROP OWNED BY ${role}`, `DROP ROLE ${role}`, 'DROP FUNCTION "no""te"() CASCADE')
  const restore = commandsOf(archived).restore
  for (const at of ['CREATE UNIQUE INDEX', 'ALTER TABLE public.bookings_0 CLUSTER ON']) {
    const { signal, steps } = await startArchiver(restore, { at, when: 'after' }).ended
    expect(signal, JSON.stringify(steps)).toBe('SIGKILL')
  }
  const named = await done(restore)
  expect(named.map((message) => message.replace(/: (?:role|function|trigger) .*/s, ''))).toEqual([
    '2020-Q1: not restored: the trigger own "trigger"',
    '2020-Q1: not restored: the trigger own_off',
    '2020-Q1: not restored: the state of the trigger own_off',
    '2020-Q1: not restored: the policy own policy',
    `2020-Q1: not restored: the grant of INSERT of id to ${role}`,
    `2020-Q1: not restored: the grant of INSERT of note to ${role}`,
    `2020-Q1: not restored: the grant of SELECT, UPDATE to ${role}`,
    '2020-Q1: not restored: the comment on the trigger own_off',
    '2020-Q1: not restored: the state of the trigger of_all',
  ])
  const kinds = ['table', 'index', 'constraint', 'rule', 'statistics']
  const of = (rows: typeof before): typeof before => rows.filter(([kind]) => kinds.includes(kind ?? ''))
  expect(of(await place.rows(CATALOG))).toEqual(of(before))
})

test('a partition that an older version detached keeps what it still has', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const { archived } = await fresh()
  const { place } = archived
  // The detach removed the clones of the parent's trigger.
  await place.sql(
    'ALTER TABLE bookings_0 ENABLE TRIGGER of_all',
    'ALTER INDEX "old note\'s ✓" RENAME TO bookings_0_note_idx1',
  )
  const before = await place.rows(CATALOG)
  const { run, drop, restore } = commandsOf(archived)
  await done(run)
  await place.sql(
    'ALTER TABLE migration_archive_partitions DROP COLUMN own_ddl',
    'UPDATE migration_archive_ledger SET version = 2',
  )
  await done(drop)
  expect(await done(restore)).toEqual([])
  expect(await place.rows(CATALOG)).toEqual(before)
})

test('an owner without superuser rights gets a partition back, without default privileges', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-own-'))
  const place = await makePlace('postgresql', folder)
  const [owner, reader] = ['o', 'r'].map((letter) => letter + new URL(place.url).pathname.slice(1))
  const archived = await makeBookings(place, 'native', folder, 20)
  const url = new URL(place.url)
  url.username = owner ?? ''
  url.password = 'secret'
  await place.sql(
    `CREATE ROLE ${owner} LOGIN PASSWORD 'secret'`,
    `CREATE ROLE ${reader}`,
    `DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${owner}', current_database()); END $$`,
    `GRANT CREATE ON SCHEMA public TO ${owner}`,
    ...['', '_0', '_1', '_2'].map((suffix) => `ALTER TABLE bookings${suffix} OWNER TO ${owner}`),
    `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} GRANT DELETE ON TABLES TO PUBLIC`,
    `CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
    `CREATE INDEX own_index ON bookings_0 (note)`,
    `CREATE TRIGGER own_trigger AFTER INSERT ON bookings_0 FOR EACH ROW EXECUTE FUNCTION noted()`,
    `CREATE POLICY own_policy ON bookings_0 TO ${reader} USING (id > 3)`,
    `REVOKE TRUNCATE ON bookings_0 FROM ${owner}`,
    `GRANT SELECT ON bookings_0 TO ${reader}`,
    `COMMENT ON TABLE bookings_0 IS 'audited'`,
  )
  const before = await place.rows(CATALOG)
  const { run, drop, restore } = commandsOf({ ...archived, place: { url: url.href } })
  for (const operation of [run, drop, restore]) expect(await done(operation)).toEqual([])
  expect(await place.rows(CATALOG)).toEqual(before)
  await place.sql(...[owner, reader].flatMap((role) => [`DROP OWNED BY ${role} CASCADE`, `DROP ROLE ${role}`]))
})

test('a partition with its own generation expression is restored with that expression', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-own-'))
  const place = await makePlace('postgresql', folder)
  const columns = (by: number): string =>
    `id int NOT NULL, at date NOT NULL, g text COLLATE "C" GENERATED ALWAYS AS ((id * ${by})::text) STORED NOT NULL CONSTRAINT sane CHECK (g <> '0'), note text`
  await place.sql(
    `CREATE TABLE bookings (${columns(2)}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
    'CREATE INDEX of_g ON bookings (g)',
    `CREATE TABLE bookings_0 (${columns(5)}, PRIMARY KEY (id, at))`,
    'ALTER TABLE bookings_0 ALTER g SET STORAGE EXTERNAL, ALTER g SET STATISTICS 50',
    `INSERT INTO bookings_0 (id, at, note) VALUES (1, '2020-01-02', 'a'), (2, '2020-02-02', NULL)`,
    "ALTER TABLE bookings ATTACH PARTITION bookings_0 FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')",
    "CREATE TABLE bookings_2 PARTITION OF bookings FOR VALUES FROM ('2090-01-01') TO ('2091-01-01')",
    `INSERT INTO bookings (id, at) VALUES (3, '2090-01-02')`,
  )
  const archived: Archived = { place, form: 'native', to: folder, archive: join(folder, 'public.bookings') }
  const rows = 'SELECT id, at, g, note FROM bookings ORDER BY id'
  const before = [await place.rows(CATALOG), await place.rows(rows)]
  const plan = await perform({ ...commandsOf(archived).run, dryRun: true } as Operation)
  expect(plan.events.flatMap((event) => (event.type === 'archive.planned' ? [event.note] : []))).toEqual([
    'not inherited from the parent: 1 expression',
    undefined,
  ])
  const restore = { ...commandsOf(archived).restore, partitions: ['2020-Q1'] } as Operation
  await away(archived)
  expect(await done(restore)).toEqual([])
  expect([await place.rows(CATALOG), await place.rows(rows)]).toEqual(before)
  const again = { ...commandsOf(archived).run, partitions: ['2020-Q1'] } as Operation
  await done(again)
  await done(commandsOf(archived).drop)
  await place.sql('CREATE TABLE bookings_rest PARTITION OF bookings DEFAULT')
  expect(await done(restore)).toEqual([])
  expect([await place.rows(CATALOG), await place.rows(rows)]).toEqual(before)
})

test('a detached partition gets the rules that its table has now, or is refused with the statement to run', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-own-'))
  const place = await makePlace('postgresql', folder)
  const archived = await makeBookings(place, 'native', folder, 20)
  const isNew = (await place.rows("SELECT current_setting('server_version_num')::int >= 180000"))[0]?.[0] === 't'
  await place.sql(
    "UPDATE bookings SET note = 'none' WHERE note IS NULL",
    'ALTER TABLE bookings ADD CONSTRAINT sane CHECK (id >= 0), ADD CONSTRAINT later CHECK (id > -7) NOT VALID',
    'ALTER TABLE bookings ADD COLUMN twice bigint GENERATED ALWAYS AS (id * 2) STORED',
    "ALTER TABLE bookings_1 ADD CONSTRAINT named CHECK (note <> '')",
  )
  await done(commandsOf(archived).run)
  await place.sql(
    'ALTER TABLE bookings ALTER note SET NOT NULL, DROP CONSTRAINT sane, ADD CONSTRAINT sane CHECK (id >= -1)',
    'ALTER TABLE bookings VALIDATE CONSTRAINT later, ALTER twice DROP EXPRESSION',
    ...(isNew ? ['ALTER TABLE bookings ADD COLUMN thrice bigint GENERATED ALWAYS AS (id * 3) VIRTUAL'] : []),
  )
  const restore = (label: string): Operation => ({ ...commandsOf(archived).restore, partitions: [label] }) as Operation
  const rules = (table: string): Promise<unknown> =>
    place.rows(
      `SELECT attname, attnotnull, attgenerated::text FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum > 0 AND NOT attisdropped
       UNION ALL SELECT conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '${table}'::regclass AND contype = 'c' ORDER BY 1`,
    )
  expect(await done(restore('2020-Q1'))).toEqual([])
  expect(await rules('bookings_0')).toEqual(await rules('bookings_2'))
  expect(await place.rows('SELECT count(*), sum(twice) FROM bookings_0')).toEqual([['20', '380']])
  if (isNew) expect(await place.rows('SELECT sum(thrice) FROM bookings_0')).toEqual([['570']])

  const refusalOf = async (): Promise<{ readonly message?: string; readonly hint?: string | undefined }> => {
    const { events } = await perform(restore('2020-Q2'))
    const [error] = events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event.error] : []))
    expect(error).toMatchObject({ code: 'TABLE_REFUSED' })
    return error ?? {}
  }
  await place.sql(
    'UPDATE bookings SET amount = 1 WHERE amount IS NULL',
    "ALTER TABLE bookings ALTER amount SET NOT NULL, ADD CONSTRAINT named CHECK (note <> 'never')",
  )
  const nulls = await refusalOf()
  expect(nulls.message).toMatch(
    /^4 rows of sluice_archived\.\S+ have NULL in column amount, which is NOT NULL in public\.bookings now$/,
  )
  await place.sql(nulls.hint?.split(', then')[0] ?? '')
  const named = await refusalOf()
  expect(named.message).toMatch(
    /^sluice_archived\.\S+ and public\.bookings have different constraints with the name named$/,
  )
  await place.sql(named.hint?.split(', then')[0] ?? '')
  expect(await done(restore('2020-Q2'))).toEqual([])
  expect(await place.rows('SELECT count(*) FROM bookings')).toEqual([['60']])
})

test('a subpartition with its own generation expression blocks the detach, and is named', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-archive-own-'))
  const place = await makePlace('postgresql', folder)
  const columns = (by: number): string => `id int, at date NOT NULL, g int GENERATED ALWAYS AS (id * ${by}) STORED`
  await place.sql(
    `CREATE TABLE bookings (${columns(2)}, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
    `CREATE TABLE bookings_0 PARTITION OF bookings FOR VALUES FROM ('2020-01-01') TO ('2020-04-01') PARTITION BY RANGE (id)`,
    `CREATE TABLE low (${columns(5)}, PRIMARY KEY (id, at))`,
    `INSERT INTO low (id, at) VALUES (1, '2020-01-02')`,
    'ALTER TABLE bookings_0 ATTACH PARTITION low FOR VALUES FROM (0) TO (10)',
    "CREATE TABLE bookings_2 PARTITION OF bookings FOR VALUES FROM ('2090-01-01') TO ('2091-01-01')",
    `INSERT INTO bookings (id, at) VALUES (3, '2090-01-02')`,
  )
  const archived: Archived = { place, form: 'divided', to: folder, archive: join(folder, 'public.bookings') }
  const plan = await perform({ ...commandsOf(archived).run, dryRun: true } as Operation)
  expect(
    plan.events.flatMap((event) => (event.type === 'archive.planned' ? [[event.status, event.note]] : []))[0],
  ).toEqual(['blocked', 'low below it computes g by its own expression, which a restore cannot recreate'])
})

test.skipIf(!POSTGRES_OWN)(
  'a restored partition stays hidden from subscribers of all tables, as it left (needs a server of its own)',
  { timeout: 120_000 },
  async ({ skip }) => {
    await using server = await startPostgres({ extraSettings: ['wal_level=logical'] })
    if ((await server.major()) < 15) skip('no FOR TABLES IN SCHEMA before PostgreSQL 15')
    const place = await placeOn('postgresql', server.url())
    const archived = await makeBookings(place, 'native', mkdtempSync(join(tmpdir(), 'sluice-archive-own-')), 20)
    await place.sql(
      'CREATE PUBLICATION every FOR ALL TABLES',
      'CREATE PUBLICATION here FOR TABLES IN SCHEMA public WITH (publish_via_partition_root = true)',
      `SELECT pg_create_logical_replication_slot('seen', 'pgoutput')`,
    )
    const sent = (): Promise<unknown> =>
      place.rows(
        `SELECT name, count(*) FROM pg_logical_slot_get_binary_changes('seen', NULL, NULL, 'proto_version', '1', 'publication_names', 'every,here') m,
           (VALUES ('bookings'), ('bookings_0')) n (name) WHERE get_byte(m.data, 0) = ascii('R') AND position(convert_to(name, 'UTF8') || '\\x00' IN m.data) > 0 GROUP BY 1`,
      )
    await away(archived)
    expect(await sent()).toEqual([])
    const before = await place.rows('SELECT count(*) FROM bookings')
    await done(commandsOf(archived).restore)
    expect(await sent()).toEqual([])
    expect(await place.rows('SELECT count(*) FROM bookings')).not.toEqual(before)
    expect(
      await place.rows(`SELECT relpersistence::text FROM pg_class WHERE relname ~ '^bookings_0'`),
    ).not.toContainEqual(['u'])
    await place.sql(`INSERT INTO bookings VALUES (90001, '2020-02-02', 'new', NULL)`)
    expect(await sent()).not.toEqual([])
  },
)
