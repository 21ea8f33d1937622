/**
 * Dependencies and rights of a table that are bound to its OID: before a cutover, after it, and after the reverse
 * cutover.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { SwitchFinding } from '../../src/model/follow/switch-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, SIGNAL, type Psql } from './copy-postgresql-kit.ts'
import { until } from './replication-kit.ts'
import { LIMITS, makeNewTable, NO_VALUES, ours, request, switchesOf, turn } from './switch-kit.ts'

const FORWARD = request('Book "ings', 'Book "ings_partitioned', "b' old")
const BACK = request('Book "ings', "b' old", 'Book "ings_partitioned')
const PUBLIC = 'public."Book ""ings"'
const TWIN = 'public."Book ""ings_partitioned"'
const OLD = `public."b' old"`

const TABLES = `CREATE TABLE public."Book ""ings" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, "it's" text DEFAULT 'x', qty int CONSTRAINT "some, really" CHECK (qty > 0),
    who int, double int GENERATED ALWAYS AS (qty * 2) STORED);
  CREATE TABLE public.audit (what text); CREATE TABLE public."other one" (id int PRIMARY KEY, qty int);
  INSERT INTO public."Book ""ings" (at, qty, who) SELECT '2024-06-01'::timestamptz + i * interval '1 day', i, i % 3 FROM generate_series(1, 300) i`

describe.skipIf(!POSTGRES_OWN)('dependencies of tables in a cutover (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let sql: Psql

  beforeAll(async () => {
    server = await startPostgres({ extraSettings: ['wal_level=logical', 'max_prepared_transactions=2'] })
    await server.createDatabase('bound')
    sql = await psql(server.url('bound'))
    await sql.run(
      `CREATE ROLE "the owner"; CREATE ROLE reader; CREATE ROLE "cl'erk"; CREATE ROLE stranger; GRANT "the owner" TO CURRENT_USER; CREATE ROLE mere LOGIN PASSWORD 'mere'`,
    )
    store = await openPostgresCopy(server.url('bound'))
  })

  beforeEach(async () => {
    await sql.run(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO "the owner"; GRANT USAGE ON SCHEMA public TO PUBLIC;
      DROP PUBLICATION IF EXISTS "their's"; DROP PUBLICATION IF EXISTS every_one; ${TABLES}`)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await sql.close()
    await server[Symbol.asyncDispose]()
  })

  async function newTable(): Promise<void> {
    await makeNewTable(store, sql, FORWARD.from)
    await sql.run(
      `SET session_replication_role TO replica; SET sluice.apply TO 'on'; INSERT INTO ${TWIN} (id, at, "it's", qty, who) OVERRIDING SYSTEM VALUE SELECT id, at, "it's", qty, who FROM ${PUBLIC};
       RESET sluice.apply; SET session_replication_role TO origin`,
    )
  }

  const rows = async (query: string): Promise<unknown[]> => (await sql.rows(query)).flat()
  const inspected = (wanted = FORWARD): Promise<readonly SwitchFinding[]> => switchesOf(store).inspect(wanted, SIGNAL)
  /** Findings as if both tables were in two databases. */
  const apart = async (from = FORWARD.from, to = FORWARD.to): Promise<readonly SwitchFinding[]> => {
    const side = store.offers.switchSide
    if (side === undefined) throw new Error('no table of this store moves to another database')
    return await side.inspect(to, await side.facts(from, SIGNAL), SIGNAL)
  }
  const refusals = async (wanted = FORWARD): Promise<readonly SwitchFinding[]> =>
    (await inspected(wanted)).filter(({ verdict }) => verdict === 'refused')

  /** Marks the public table by a row that only it has. */
  async function marked(): Promise<void> {
    await sql.run(`SET session_replication_role TO replica; SET sluice.apply TO 'on'; UPDATE ${PUBLIC} SET "it's" = 'plain' WHERE id = 1; UPDATE ${TWIN} SET "it's" = 'partitioned' WHERE id = 1;
      RESET sluice.apply; SET session_replication_role TO origin`)
  }

  /** Results of a query before the first cutover, between the two, and after the second one. */
  async function thereAndBack(look: () => Promise<unknown>): Promise<readonly unknown[]> {
    expect(await refusals()).toEqual([])
    const found = [await look()]
    await turn(store, FORWARD)
    found.push(await look())
    expect(await refusals(BACK)).toEqual([])
    await turn(store, BACK)
    return [...found, await look()]
  }

  test('views read the public table, with their options, rights, comments and dependent views', async () => {
    await sql.run(`CREATE VIEW public."a view" WITH (security_barrier = true, check_option = local) AS SELECT id, "it's" AS "so; it is", qty FROM ${PUBLIC} b WHERE b.id < 100;
      CREATE VIEW public.upper_one WITH (security_invoker = true) AS SELECT upper("so; it is") AS u FROM public."a view" WHERE id = 1;
      CREATE VIEW public.joined AS SELECT b."it's", o.id AS other FROM ${PUBLIC} b LEFT JOIN public."other one" o USING (id) WHERE b.id = 1;
      ALTER VIEW public."a view" ALTER COLUMN qty SET DEFAULT 7; COMMENT ON VIEW public."a view" IS 'it''s mine'; ALTER VIEW public."a view" OWNER TO "the owner";
      ALTER TABLE ${PUBLIC} OWNER TO "the owner"; GRANT SELECT ON public."a view" TO reader`)
    await newTable()
    await marked()
    const about = `SELECT reloptions::text || ' ' || relacl::text || ' ' || obj_description(oid, 'pg_class') || pg_get_userbyid(relowner) || pg_get_viewdef(oid) FROM pg_class WHERE relname = 'a view'`
    const seen = await thereAndBack(async () => [
      ...(await rows('SELECT u FROM public.upper_one')),
      ...(await rows(`SELECT "it's" FROM public.joined`)),
      ...(await rows(about)),
    ])
    const [options] = (await rows(about)) as string[]
    expect(options).toContain('{security_barrier=true,check_option=local}')
    expect(seen).toEqual([
      ['PLAIN', 'plain', options],
      ['PARTITIONED', 'partitioned', options],
      ['PLAIN', 'plain', options],
    ])
  })

  test('rules and policies of other tables, and functions with a parsed body, read the public table', async () => {
    await sql.run(`CREATE RULE "a rule" AS ON UPDATE TO public."other one" DO ALSO INSERT INTO public.audit SELECT "it's" FROM ${PUBLIC} WHERE id = 1;
      CREATE POLICY "a policy" ON public."other one" FOR SELECT TO reader USING (EXISTS (SELECT FROM ${PUBLIC} b WHERE b.id = "other one".id AND b."it's" = 'partitioned'));
      ALTER TABLE public."other one" ENABLE ROW LEVEL SECURITY; INSERT INTO public."other one" VALUES (1, 1); GRANT SELECT ON public."other one", ${PUBLIC} TO reader;
      CREATE FUNCTION public."a ""function"() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT "it's" FROM ${PUBLIC} WHERE id = 1; END;
      CREATE PROCEDURE public.noted() BEGIN ATOMIC INSERT INTO public.audit SELECT 'p ' || "it's" FROM ${PUBLIC} WHERE id = 1; END`)
    await newTable()
    await marked()
    const seen = await thereAndBack(async () => {
      await sql.run('DELETE FROM public.audit; UPDATE public."other one" SET qty = qty + 1; CALL public.noted()')
      const audit = await rows('SELECT what FROM public.audit ORDER BY 1')
      const own = await rows('SELECT public."a ""function"()')
      await sql.run('SET ROLE reader')
      const read = await rows('SELECT count(*) FROM public."other one"')
      await sql.run('RESET ROLE')
      return [...audit, ...own, ...read]
    })
    const plain = ['p plain', 'plain', 'plain', '0']
    expect(seen).toEqual([plain, ['p partitioned', 'partitioned', 'partitioned', '1'], plain])
  })

  test('functions with rows of the table as argument or result are created for the other table', async () => {
    await sql.run(`CREATE FUNCTION public.found("some" text) RETURNS SETOF ${PUBLIC} LANGUAGE sql STABLE AS $$ SELECT * FROM ${PUBLIC} WHERE id = 1 $$;
      CREATE FUNCTION public.said(b ${PUBLIC}) RETURNS text LANGUAGE plpgsql COST 7 AS $$ BEGIN RETURN b."it's"; END $$;
      CREATE FUNCTION public.by_row() RETURNS text LANGUAGE plpgsql AS $$ DECLARE r ${PUBLIC}%ROWTYPE; n ${PUBLIC}."it's"%TYPE; BEGIN SELECT * INTO r FROM ${PUBLIC} WHERE id = 1; n := r."it's"; RETURN n; END $$;
      COMMENT ON FUNCTION public.said IS 'it''s'; ALTER FUNCTION public.said OWNER TO "the owner"; REVOKE ALL ON FUNCTION public.said FROM PUBLIC; GRANT EXECUTE ON FUNCTION public.said TO reader`)
    await newTable()
    await marked()
    const seen = await thereAndBack(async () => [
      ...(await rows(`SELECT "it's" FROM public.found('x')`)),
      ...(await rows(`SELECT public.said(b) || ' ' || public.by_row() FROM ${PUBLIC} b WHERE id = 1`)),
      ...(await rows(
        `SELECT concat_ws(' ', proacl::text, procost, pg_get_userbyid(proowner), obj_description(oid, 'pg_proc')) FROM pg_proc WHERE proname = 'said'`,
      )),
    ])
    const about = `{"\\"the owner\\"=X/\\"the owner\\"",reader=X/"the owner"} 7 the owner it's`
    expect(seen.map((each) => (each as unknown[]).slice(0, 2))).toEqual([
      ['plain', 'plain plain'],
      ['partitioned', 'partitioned partitioned'],
      ['plain', 'plain plain'],
    ])
    expect(new Set(seen.map((each) => String((each as unknown[])[2]).replaceAll(/["\\]/g, '')))).toEqual(
      new Set([about.replaceAll(/["\\]/g, '')]),
    )
  })

  test('triggers and rules of the table fire on the public one only, as they were defined', async () => {
    await sql.run(`CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.audit VALUES (TG_NAME || ' ' || TG_OP); RETURN NEW; END $$;
      CREATE TRIGGER " on ""x"" ON y" BEFORE INSERT OR UPDATE OF "it's" ON ${PUBLIC} FOR EACH ROW WHEN (NEW.qty > 1) EXECUTE FUNCTION public.note();
      CREATE TRIGGER always AFTER UPDATE ON ${PUBLIC} FOR EACH STATEMENT EXECUTE FUNCTION public.note(); ALTER TABLE ${PUBLIC} ENABLE ALWAYS TRIGGER always;
      CREATE TRIGGER never AFTER UPDATE ON ${PUBLIC} FOR EACH ROW EXECUTE FUNCTION public.note(); ALTER TABLE ${PUBLIC} DISABLE TRIGGER never; COMMENT ON TRIGGER never ON ${PUBLIC} IS 'it''s off';
      CREATE CONSTRAINT TRIGGER late AFTER DELETE ON ${PUBLIC} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.note();
      CREATE RULE "a TO b" AS ON DELETE TO ${PUBLIC} DO ALSO INSERT INTO public.audit VALUES ('rule')`)
    await newTable()
    const seen = await thereAndBack(async () => {
      await sql.run(
        `DELETE FROM public.audit; UPDATE ${PUBLIC} SET "it's" = 'n' WHERE id = 2; DELETE FROM ${PUBLIC} WHERE id = (SELECT max(id) FROM ${PUBLIC})`,
      )
      return [
        ...(await rows('SELECT what FROM public.audit ORDER BY 1')),
        ...(await rows(
          `SELECT tgname || tgenabled::text || coalesce(obj_description(oid, 'pg_trigger'), '') FROM pg_trigger WHERE tgrelid = '${PUBLIC}'::regclass AND NOT tgisinternal ORDER BY 1`,
        )),
      ]
    })
    expect(seen[0]).toEqual([
      ' on "x" ON y UPDATE',
      'always UPDATE',
      'late DELETE',
      'rule',
      ' on "x" ON yO',
      'alwaysA',
      'lateO',
      "neverDit's off",
    ])
    expect(seen.slice(1)).toEqual([seen[0], seen[0]])
    // A replica session writes into the old table.
    await sql.run(
      `DELETE FROM public.audit; SET session_replication_role TO replica; SET sluice.apply TO 'on'; UPDATE ${TWIN} SET "it's" = 'r' WHERE id = 2; RESET sluice.apply; SET session_replication_role TO origin`,
    )
    expect(await rows('SELECT what FROM public.audit')).toEqual([])
  })

  test('changes of the public table between two cutovers apply after the next one', async () => {
    await sql.run(`CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE TRIGGER gone BEFORE INSERT ON ${PUBLIC} FOR EACH ROW EXECUTE FUNCTION public.note();
      CREATE TRIGGER other BEFORE INSERT ON ${PUBLIC} FOR EACH ROW EXECUTE FUNCTION public.note(); CREATE POLICY gone ON ${PUBLIC} TO reader USING (true); GRANT SELECT, UPDATE ON ${PUBLIC} TO reader;
      GRANT UPDATE ("it's") ON ${PUBLIC} TO "cl'erk"`)
    await newTable()
    await turn(store, FORWARD)
    await sql.run(`DROP TRIGGER gone ON ${PUBLIC}; DROP TRIGGER other ON ${PUBLIC}; CREATE TRIGGER other AFTER INSERT ON ${PUBLIC} FOR EACH ROW EXECUTE FUNCTION public.note();
      DROP POLICY gone ON ${PUBLIC}; CREATE POLICY fresh ON ${PUBLIC} AS RESTRICTIVE FOR UPDATE TO "cl'erk", reader USING (qty > 1) WITH CHECK (qty > 2); ALTER TABLE ${PUBLIC} ENABLE ROW LEVEL SECURITY;
      REVOKE UPDATE ON ${PUBLIC} FROM reader; REVOKE UPDATE ("it's") ON ${PUBLIC} FROM "cl'erk"; GRANT SELECT (id, "it's") ON ${PUBLIC} TO "cl'erk" WITH GRANT OPTION; REVOKE DELETE ON ${PUBLIC} FROM CURRENT_USER;
      ALTER TABLE ${PUBLIC} OWNER TO "the owner"; ALTER TABLE ${PUBLIC} ALTER COLUMN "it's" SET DEFAULT 'later'`)
    const look = (): Promise<unknown[]> =>
      rows(`SELECT CASE WHEN tgtype & 2 = 2 THEN 'before ' ELSE 'after ' END || tgname FROM pg_trigger WHERE tgrelid = '${PUBLIC}'::regclass AND NOT tgisinternal
        UNION ALL SELECT policyname || permissive || roles::text || cmd || qual || with_check FROM pg_policies WHERE tablename = 'Book "ings'
        UNION ALL SELECT relrowsecurity || pg_get_userbyid(relowner) FROM pg_class WHERE oid = '${PUBLIC}'::regclass
        UNION ALL SELECT concat_ws(' ', a.attname, e.privilege_type, e.grantee::regrole, e.is_grantable) FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL, aclexplode(coalesce(a.attacl, c.relacl)) e WHERE c.oid = '${PUBLIC}'::regclass
        UNION ALL SELECT concat_ws(' ', e.privilege_type, e.grantee::regrole, e.is_grantable) FROM pg_class c, aclexplode(c.relacl) e WHERE c.oid = '${PUBLIC}'::regclass
        UNION ALL SELECT column_default FROM information_schema.columns WHERE table_name = 'Book "ings' AND column_name = 'it''s' ORDER BY 1`)
    const before = await look()
    expect(before).toContain(`id SELECT "cl'erk" t`)
    expect(before).not.toContain(`DELETE "the owner" f`)
    await turn(store, BACK)
    expect(await look()).toEqual(before)
  })

  test('publications of others name the public table, with columns and filter; those of streams are unchanged', async () => {
    await sql.run(
      `CREATE PUBLICATION "their's" FOR TABLE ${PUBLIC} (id, at, qty) WHERE (id > 0 AND at > '2020-01-01'), public.audit; CREATE PUBLICATION sluice_ours FOR TABLE ${PUBLIC}`,
    )
    await newTable()
    expect(await refusals()).toMatchObject([
      { about: 'publication', hint: expect.stringContaining('publish_via_partition_root = true') as string },
    ])
    await sql.run(
      `ALTER PUBLICATION "their's" SET (publish_via_partition_root = true); ALTER TABLE ${PUBLIC} REPLICA IDENTITY FULL`,
    )
    const members = `SELECT c.relkind::text || coalesce(r.prattrs::text, '') || coalesce(pg_get_expr(r.prqual, r.prrelid), '') FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid JOIN pg_class c ON c.oid = r.prrelid
      WHERE p.pubname = `
    const seen = await thereAndBack(async () => [
      ...(await rows(`${members} 'their''s' AND relname <> 'audit'`)),
      ...(await rows(`${members} 'sluice_ours'`)),
    ])
    await sql.run('DROP PUBLICATION sluice_ours')
    const narrow = `1 2 4((id > 0) AND (at > '2020-01-01 00:00:00+00'::timestamp with time zone))`
    expect(seen).toEqual([
      [`r${narrow}`, 'r'],
      [`p${narrow}`, 'r'],
      [`r${narrow}`, 'r'],
    ])
  })

  test('foreign keys to it refer to the other table if that has a unique index of their columns', async () => {
    await sql.run(`ALTER TABLE ${PUBLIC} ADD CONSTRAINT "both" UNIQUE (id, at); CREATE TABLE public.child (id bigint, at timestamptz, CONSTRAINT "to it" FOREIGN KEY (id, at) REFERENCES ${PUBLIC} (id, at) ON DELETE CASCADE);
      INSERT INTO public.child SELECT id, at FROM ${PUBLIC} WHERE id < 4; COMMENT ON CONSTRAINT "to it" ON public.child IS 'mine'`)
    await newTable()
    const seen = await thereAndBack(async () => {
      await expect(sql.run(`INSERT INTO public.child VALUES (-1, '2024-01-01')`)).rejects.toMatchObject({
        code: '23503',
      })
      await sql.run(`DELETE FROM ${PUBLIC} WHERE id = (SELECT min(id) FROM public.child)`)
      return rows(
        `SELECT count(*)::text || ' ' || (SELECT confrelid::regclass || obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'to it') FROM public.child`,
      )
    })
    expect(seen).toEqual([['2 "Book ""ings"mine'], ['1 "Book ""ings"mine'], ['0 "Book ""ings"mine']])
    await sql.run(
      `ALTER TABLE public.child DROP CONSTRAINT "to it", ADD CONSTRAINT "by id" FOREIGN KEY (id) REFERENCES ${PUBLIC} (id) NOT VALID`,
    )
    expect(await refusals()).toMatchObject([{ about: 'foreign key to it', object: 'by id of public.child' }])
  })

  test('rows that a foreign key deletes are deleted from the old table, too', async () => {
    await sql.run(`CREATE TABLE public.guests (id int PRIMARY KEY); INSERT INTO public.guests SELECT generate_series(0, 2);
      ALTER TABLE ${PUBLIC} ADD CONSTRAINT "its guest" FOREIGN KEY (who) REFERENCES public.guests ON DELETE CASCADE`)
    await newTable()
    expect(await inspected()).toContainEqual(
      expect.objectContaining({ verdict: 'left', about: 'foreign key from it', object: 'its guest' }),
    )
    await turn(store, FORWARD)
    await sql.run('DELETE FROM public.guests WHERE id = 1')
    for (const table of [PUBLIC, OLD]) expect(await rows(`SELECT count(*) FROM ${table}`)).toEqual(['200'])
    await expect(sql.run(`DELETE FROM ${OLD} WHERE who = 2`)).rejects.toMatchObject({ code: '55000' })
    await turn(store, BACK)
  })

  test('dependencies that cannot be recreated are refused, before any lock and within the cutover', async () => {
    await newTable()
    const cases: readonly (readonly [make: string, undo: string, about: Partial<SwitchFinding>])[] = [
      [
        `CREATE MATERIALIZED VIEW public.m AS SELECT count(*) FROM ${PUBLIC}`,
        'DROP MATERIALIZED VIEW public.m',
        { about: 'materialized view', object: 'public.m' },
      ],
      [
        `CREATE VIEW public.g AS SELECT id, qty FROM ${PUBLIC} GROUP BY id`,
        'DROP VIEW public.g',
        { about: 'view', object: 'public.g' },
      ],
      [
        `CREATE TABLE public.typed (b ${PUBLIC})`,
        'DROP TABLE public.typed',
        { about: 'what depends on it', object: 'column b of table public.typed' },
      ],
      [
        `CREATE VIEW public.whole AS SELECT b FROM ${PUBLIC} b`,
        'DROP VIEW public.whole',
        { object: 'column b of view public.whole' },
      ],
      [`CREATE DOMAIN public.d AS ${PUBLIC}`, 'DROP DOMAIN public.d', { object: 'type public.d' }],
      [`CREATE TABLE public.heir () INHERITS (${PUBLIC})`, 'DROP TABLE public.heir', { about: 'inheritance' }],
      [
        `CREATE FUNCTION public.f(b ${PUBLIC}) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE VIEW public.calls AS SELECT public.f(NULL)`,
        'DROP VIEW public.calls; DROP FUNCTION public.f',
        { about: 'function' },
      ],
      [`CREATE TABLE public."b' old" ()`, `DROP TABLE public."b' old"`, { about: 'name' }],
      [`CREATE TYPE public."b' old" AS ENUM ()`, `DROP TYPE public."b' old"`, { about: 'name' }],
      [`ALTER TABLE ${TWIN} ADD COLUMN more int`, `ALTER TABLE ${TWIN} DROP COLUMN more`, { about: 'columns' }],
      [
        `ALTER TABLE ${TWIN} ALTER COLUMN who TYPE bigint`,
        `ALTER TABLE ${TWIN} ALTER COLUMN who TYPE int`,
        { about: 'column', object: 'who' },
      ],
      [
        `ALTER TABLE ${TWIN} ALTER COLUMN "it's" TYPE text COLLATE "C"`,
        `ALTER TABLE ${TWIN} ALTER COLUMN "it's" TYPE text COLLATE "default"`,
        { about: 'column', object: "it's" },
      ],
      [
        `ALTER TABLE ${TWIN} ALTER COLUMN who SET NOT NULL`,
        `ALTER TABLE ${TWIN} ALTER COLUMN who DROP NOT NULL`,
        { about: 'column', object: 'who' },
      ],
      [
        `ALTER TABLE ${PUBLIC} ALTER COLUMN id SET GENERATED BY DEFAULT`,
        `ALTER TABLE ${PUBLIC} ALTER COLUMN id SET GENERATED ALWAYS`,
        { about: 'column', object: 'id' },
      ],
      [
        `ALTER TABLE ${PUBLIC} ADD CONSTRAINT own FOREIGN KEY (who) REFERENCES public."other one" NOT VALID`,
        `ALTER TABLE ${PUBLIC} DROP CONSTRAINT own`,
        { about: 'foreign key from it' },
      ],
      [
        `ALTER TABLE ${PUBLIC} ADD CONSTRAINT own FOREIGN KEY (who) REFERENCES ${PUBLIC} NOT VALID`,
        `ALTER TABLE ${PUBLIC} DROP CONSTRAINT own`,
        { about: 'foreign key to it' },
      ],
      [
        `ALTER TABLE ${TWIN} DROP CONSTRAINT "some, really"`,
        `ALTER TABLE ${TWIN} ADD CONSTRAINT "some, really" CHECK (qty > 0)`,
        { about: 'check' },
      ],
      [`CREATE UNIQUE INDEX alone ON ${PUBLIC} (at)`, 'DROP INDEX public.alone', { about: 'unique index' }],
      [`CREATE UNIQUE INDEX more ON ${TWIN} (at, who)`, 'DROP INDEX public.more', { object: 'more' }],
      [
        `ALTER TABLE ${PUBLIC} ADD CONSTRAINT apart EXCLUDE USING btree (id WITH =, qty WITH =)`,
        `ALTER TABLE ${PUBLIC} DROP CONSTRAINT apart`,
        { about: 'exclusion', object: 'apart' },
      ],
      [
        `CREATE FUNCTION public.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER t AFTER INSERT ON ${PUBLIC} REFERENCING NEW TABLE AS n FOR EACH ROW EXECUTE FUNCTION public.t()`,
        `DROP TRIGGER t ON ${PUBLIC}; DROP FUNCTION public.t`,
        { about: 'trigger' },
      ],
    ]
    for (const [make, undo, about] of cases) {
      await sql.run(make)
      const found = await refusals()
      expect(found, make).toMatchObject([about])
      expect(found[0]?.hint, make).toBeTruthy()
      {
        await using attempt = await switchesOf(store).open(FORWARD, LIMITS, SIGNAL)
        await expect(attempt?.exchange(NO_VALUES), make).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
      }
      await sql.run(undo)
    }
    // A partitioned table accepts a unique index only with its partition column: so it is printed.
    await sql.run(`CREATE UNIQUE INDEX alone ON ${PUBLIC} (id, who)`)
    const [lacking] = await refusals()
    expect(lacking?.hint).toContain(`USING btree (id, who, at)`)
    await sql.run(lacking?.hint?.split(';')[0] ?? '')
    expect(await refusals()).toEqual([])
    expect(await ours(sql)).toEqual([])
  }, 60_000)

  test('a unique index that refuses other rows is missing, whatever its name, in both kinds of cutover', async () => {
    await newTable()
    const cases: readonly (readonly [old: string, fresh: string, isRefused: boolean])[] = [
      ['(who)', '(who, at) WHERE qty > 5', true],
      ['(who) NULLS NOT DISTINCT', '(who, at)', true],
      ['(who)', '(who, at, coalesce(qty, 0))', true],
      ['(who) INCLUDE (qty)', '(qty, at)', true],
      ['(who) WHERE qty > 5', '(who, at) WHERE qty > 6', true],
      ['("it\'s")', `("it's" COLLATE alike, at)`, true],
      ['(who)', '(qty, at)', true],
      ['(who)', '(who, qty, at)', true],
      ['(who)', '(who, at)', false],
      ['(who) INCLUDE (qty)', '(at, who DESC)', false],
      ['(lower("it\'s")) WHERE qty > 5', `(lower("it's"), at) WHERE qty > 5`, false],
      ['(who) NULLS NOT DISTINCT', '(who, at) NULLS NOT DISTINCT', false],
    ]
    await sql.run(`DELETE FROM ${PUBLIC}; DELETE FROM ${TWIN}`)
    await sql.run("CREATE COLLATION alike (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    for (const [old, fresh, isRefused] of cases) {
      await sql.run(
        `CREATE UNIQUE INDEX one_who ON ${PUBLIC} ${old}; CREATE UNIQUE INDEX one_who_p ON ${TWIN} ${fresh}`,
      )
      const lacking = { verdict: 'refused', about: 'unique index', object: 'one_who' }
      for (const found of [await inspected(), await apart()]) {
        const those = found.filter(({ object }) => object === 'one_who')
        if (isRefused) expect(those, `${old} ${fresh}`).toMatchObject([lacking])
        else
          expect(
            found.filter(({ verdict }) => verdict === 'refused'),
            `${old} ${fresh}`,
          ).toEqual([])
      }
      await sql.run('DROP INDEX one_who, one_who_p')
    }
  })

  test('a DEFERRABLE constraint is not taken for one that checks each row, in both kinds of cutover', async () => {
    await newTable()
    await sql.run(`DELETE FROM ${PUBLIC}; DELETE FROM ${TWIN}`)
    const [UNIQUE, DEFERRED] = ['UNIQUE (who', 'DEFERRABLE INITIALLY DEFERRED']
    const refused = async (): Promise<readonly (readonly (readonly [string, string | undefined])[])[]> =>
      Promise.all(
        [await inspected(), await apart()].map(async (found) =>
          found.filter(({ verdict }) => verdict === 'refused').map(({ object = '', hint }) => [object, hint] as const),
        ),
      )
    await sql.run(`ALTER TABLE ${PUBLIC} ADD CONSTRAINT one_who ${UNIQUE}) ${DEFERRED}`)
    const make = `ALTER TABLE "public".${TWIN.slice('public.'.length)} ADD CONSTRAINT "one_who_p" ${UNIQUE}, at) ${DEFERRED}`
    expect(await refused()).toEqual([[['one_who', `${make}; or drop it`]], [['one_who', `${make}; or drop it`]]])
    await sql.run(make)
    expect(await refused()).toEqual([[], []])
    await sql.run(`ALTER TABLE ${TWIN} DROP CONSTRAINT one_who_p; CREATE UNIQUE INDEX one_who_p ON ${TWIN} (who, at)`)
    // It refuses two rows that exchange their values in one transaction.
    expect(await refused()).toMatchObject([
      [
        ['one_who', expect.any(String)],
        ['one_who_p', expect.any(String)],
      ],
      [['one_who_p', expect.any(String)]],
    ])
    await sql.run(`ALTER TABLE ${PUBLIC} DROP CONSTRAINT one_who; DROP INDEX one_who_p; ${make}`)
    await sql.run(`CREATE UNIQUE INDEX one_who ON ${PUBLIC} (who)`)
    expect(await refused()).toMatchObject([
      [['one_who', expect.stringMatching(/^CREATE UNIQUE INDEX/)]],
      [['one_who', expect.any(String)]],
    ])
    await sql.run(`DROP INDEX one_who; ALTER TABLE ${TWIN} DROP CONSTRAINT one_who_p`)
  })

  test('between databases, what only the target refuses is refused before, and so is a sequence without rights', async () => {
    const tables = `CREATE TABLE public.n (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, email text, other serial);
      CREATE TABLE public.m (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, other serial)`
    await sql.run(`${tables}; CREATE UNIQUE INDEX more ON public.m (email); CREATE UNIQUE INDEX no_more ON public.m (id, email);
      ALTER TABLE public.m ADD CONSTRAINT apart EXCLUDE USING btree (other WITH =)`)
    const [n, m] = [{ name: 'n' }, { name: 'm' }]
    const refused = async (): Promise<readonly SwitchFinding[]> =>
      (await apart(n, m)).filter(({ verdict }) => verdict === 'refused')
    expect(await refused()).toMatchObject([
      { about: 'column', object: 'id', hint: 'ALTER TABLE "public"."m" ALTER COLUMN "id" SET GENERATED BY DEFAULT' },
      { about: 'exclusion', object: 'apart' },
      { about: 'unique index', object: 'more' },
    ])
    await sql.run(
      'ALTER TABLE m ALTER id SET GENERATED BY DEFAULT, DROP CONSTRAINT apart; DROP INDEX more, no_more; GRANT SELECT ON n, m TO mere',
    )
    expect(await refused()).toEqual([])
    await using poor = await openPostgresCopy(server.url('bound', 'mere', 'mere'))
    const side = poor.offers.switchSide
    const found = async (): Promise<readonly SwitchFinding[]> =>
      (await side?.inspect(m, await side.facts(n, SIGNAL), SIGNAL))?.filter(({ about }) => about === 'sequence') ?? []
    const lacking = await found()
    expect(lacking.map(({ hint }) => hint)).toEqual([
      'GRANT SELECT ON SEQUENCE public.n_id_seq TO "mere"',
      'GRANT SELECT ON SEQUENCE public.n_other_seq TO "mere"',
      'GRANT SELECT, UPDATE ON SEQUENCE public.m_id_seq TO "mere"',
      'GRANT SELECT, UPDATE ON SEQUENCE public.m_other_seq TO "mere"',
    ])
    for (const { hint } of lacking) await sql.run(hint ?? '')
    expect(await found()).toEqual([])
  })

  test('between databases, rights around the table are compared, and rights that only the target grants are named', async () => {
    await sql.run(`CREATE SCHEMA "the re"`)
    for (const table of ['public.n', '"the re".n'])
      await sql.run(
        `CREATE TABLE ${table} (id bigserial PRIMARY KEY); GRANT SELECT, INSERT ON ${table} TO reader; GRANT SELECT ON ${table} TO "cl'erk"`,
      )
    await sql.run(
      `GRANT USAGE ON SEQUENCE n_id_seq TO reader, stranger; GRANT DELETE ON "the re".n TO PUBLIC; GRANT SELECT (id), INSERT ON "the re".n TO stranger`,
    )
    const found = (): Promise<readonly SwitchFinding[]> => apart({ name: 'n' }, { schema: 'the re', name: 'n' })
    const refused = async (): Promise<readonly SwitchFinding[]> =>
      (await found()).filter(({ verdict }) => verdict === 'refused')
    const grants = (await found()).filter(({ about, verdict }) => about === 'grant' && verdict === 'left')
    expect(grants.map(({ object }) => object).toSorted()).toEqual([
      'DELETE to PUBLIC',
      'INSERT, SELECT (id) to stranger',
    ])
    const lacking = await refused()
    expect(lacking.map(({ hint }) => hint).toSorted()).toEqual([
      'GRANT USAGE ON SCHEMA "the re" TO "cl\'erk"',
      'GRANT USAGE ON SCHEMA "the re" TO "reader"',
      'GRANT USAGE ON SEQUENCE "the re".n_id_seq TO "reader"',
    ])
    for (const { hint } of [...lacking, ...grants]) await sql.run(hint ?? '')
    expect((await found()).filter(({ about }) => /grant|schema|sequence/.test(about))).toEqual([])
    await sql.run(
      'DROP TABLE "the re".n; REVOKE ALL ON SCHEMA "the re" FROM PUBLIC, reader, "cl\'erk"; DROP SCHEMA "the re"',
    )
  })

  test('sessions with an old lock or an old snapshot are reported', async () => {
    await newTable()
    const other = await psql(server.url('bound'))
    await other.run(
      `BEGIN; LOCK TABLE ${PUBLIC} IN ACCESS SHARE MODE; PREPARE TRANSACTION 'it''s'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM ${PUBLIC}`,
    )
    try {
      let found: readonly SwitchFinding[] = []
      await until(async () => {
        found = await inspected()
        return found.filter(({ about }) => about === 'lock').length === 2
      })
      expect(found).toContainEqual(
        expect.objectContaining({
          object: "prepared transaction it's",
          hint: "COMMIT PREPARED 'it''s' or ROLLBACK PREPARED 'it''s'",
        }),
      )
      expect(found).toContainEqual(expect.objectContaining({ about: 'old snapshots' }))
      await other.run('ROLLBACK')
      expect(await switchesOf(store).open(FORWARD, { lockTimeoutMs: 50 }, SIGNAL)).toBeNull()
      await other.run("ROLLBACK PREPARED 'it''s'")
      expect((await inspected()).map(({ about }) => about)).not.toContain('lock')
    } finally {
      await other.close()
    }
  })

  test('a role without the rights gets their names', async () => {
    await newTable()
    await using poor = await openPostgresCopy(server.url('bound', 'mere', 'mere'))
    const found = (await switchesOf(poor).inspect(FORWARD, SIGNAL)).filter(({ verdict }) => verdict === 'refused')
    expect(new Set(found.map(({ about }) => about))).toEqual(new Set(['schema', 'role', 'owner']))
  })

  test('a subscription into one partition is refused, for the cutover and for its revert', async () => {
    await newTable()
    await sql.run(`CREATE SUBSCRIPTION "its'" CONNECTION '' PUBLICATION p WITH (connect = false, slot_name = NONE);
      INSERT INTO pg_subscription_rel SELECT oid, '"Book ""ings_partitioned_2024"'::regclass, 'r', NULL FROM pg_subscription`)
    const refused = [{ about: 'subscription', object: "its'", detail: expect.stringContaining('_2024') as string }]
    expect(await refusals()).toMatchObject(refused)
    await sql.run('DELETE FROM pg_subscription_rel')
    await turn(store, FORWARD)
    await sql.run(
      `INSERT INTO pg_subscription_rel SELECT oid, '"Book ""ings_partitioned_2024"'::regclass, 'r', NULL FROM pg_subscription`,
    )
    expect(await refusals(BACK)).toMatchObject(refused)
    await sql.run(`DELETE FROM pg_subscription_rel; DROP SUBSCRIPTION "its'"`)
  })

  test('what stays is reported: missing statistics, publications of all tables, different comments', async () => {
    await newTable()
    await sql.run(
      `CREATE PUBLICATION every_one FOR ALL TABLES; COMMENT ON TABLE ${PUBLIC} IS 'new'; CREATE INDEX lonely ON ${PUBLIC} (who)`,
    )
    expect(await refusals()).toMatchObject([
      {
        about: 'publication',
        object: 'every_one',
        hint: expect.stringContaining('publish_via_partition_root') as string,
      },
    ])
    await sql.run('ALTER PUBLICATION every_one SET (publish_via_partition_root = true)')
    const left = (await inspected()).filter(({ verdict }) => verdict === 'left')
    expect(left.map(({ about }) => about).toSorted()).toEqual(['comment', 'index', 'publication', 'statistics'])
    await sql.run(`ANALYZE ${TWIN}`)
    expect(await inspected()).not.toContainEqual(expect.objectContaining({ about: 'statistics' }))
    await turn(store, FORWARD)
    expect(await rows(`SELECT count(*) FROM ${OLD}`)).toEqual(['300'])
  })
})
