/** Constraints that only the newest partition has, for its own period, do not refuse the rows of the next one. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'
import { leftOvers, look, make } from './partition-kit.ts'

const Q1 = ['b_2027_q1', '2027-01-01 00:00:00+00', '2027-04-01 00:00:00+00'] as const
const Q2 = ['b_2027_q2', '2027-04-01 00:00:00+00', '2027-07-01 00:00:00+00'] as const
const BOUNDS = "CHECK (at >= '2026-10-01' AND at < '2027-01-01')"

describe.skipIf(!POSTGRES_OWN)('constraints of the neighbour only (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('rules')
    direct = await psql(server.url('rules'))
    await direct.run("SET TimeZone TO 'UTC'")
    store = await openPostgresCopy(server.url('rules'))
  })

  beforeEach(async () => {
    await direct.run(`DROP SCHEMA public CASCADE; CREATE SCHEMA public;
      CREATE TABLE b (id int, at timestamptz NOT NULL, quarter text, v int, PRIMARY KEY (id, at), CONSTRAINT sane CHECK (v > -5)) PARTITION BY RANGE (at);
      CREATE TABLE b_2026_q3 PARTITION OF b FOR VALUES FROM ('2026-07-01') TO ('2026-10-01');
      CREATE TABLE b_2026_q4 PARTITION OF b FOR VALUES FROM ('2026-10-01') TO ('2027-01-01'); CREATE TABLE b_rest PARTITION OF b DEFAULT`)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await direct.close()
    await server[Symbol.asyncDispose]()
  })

  const checks = (name: string): Promise<readonly unknown[]> =>
    direct.rows(
      `SELECT conname FROM pg_constraint WHERE conrelid = '${name}'::regclass AND contype IN ('c', 'f') ORDER BY 1`,
    )

  test('its bounds as a CHECK are not copied, with and without rows in the default partition', async () => {
    await direct.run(
      `ALTER TABLE b_2026_q4 ADD CONSTRAINT ck ${BOUNDS}; COMMENT ON CONSTRAINT ck ON b_2026_q4 IS 'fast attach'`,
    )
    const empty = await make(store, await look(store, 'b'), [Q1])
    expect([empty.made.length, empty.notGiven]).toEqual([1, []])
    expect(empty.notes).toEqual([
      expect.stringMatching(
        /b_2027_q1 does not have the constraint ck: only public.b_2026_q4 has it.*refuses every row of this period/,
      ),
    ])
    await direct.run(`INSERT INTO b VALUES (1, '2027-02-02', 'x'); INSERT INTO b SELECT i, '2027-04-05', 'x' FROM generate_series(1, 50) i;
      ALTER TABLE b_2027_q1 ADD CONSTRAINT ck CHECK (at < '2027-04-01')`)
    const moved = await make(store, await look(store, 'b'), [Q2])
    expect(moved.made[0]?.moved).toBe(50n)
    expect([moved.notGiven, moved.notes?.length]).toEqual([[], 1])
    expect(await checks('b_2027_q2')).toEqual([['sane']])
    expect(await checks('b_rest')).toEqual([['sane']])
    expect(await leftOvers(direct)).toEqual([])
  })

  test('constraints that name the period in another way, or may, are not copied, and raise an alarm with a hint', async () => {
    await direct.run(`CREATE FUNCTION of_q4(t timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT extract(quarter FROM t) = 4';
      CREATE TABLE p (id int PRIMARY KEY, at int) PARTITION BY RANGE (id); CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (1) TO (9);
      ALTER TABLE b_2026_q4 ADD CONSTRAINT "c 1" CHECK (quarter = 'Q4'), ADD CONSTRAINT c2 CHECK (v > 0), ADD CONSTRAINT c3 CHECK (of_q4(at)),
        ADD CONSTRAINT c4 CHECK (at >= '2026-10-01'), ADD CONSTRAINT c5 CHECK (extract(hour FROM at AT TIME ZONE 'UTC') < 12), ADD CONSTRAINT c6 CHECK (v > -5),
        ADD CONSTRAINT c7 CHECK (at < '2027-01-01' AND v < 100), ADD CONSTRAINT f1 FOREIGN KEY (v) REFERENCES p_1`)
    const { made, notGiven, notes } = await make(store, await look(store, 'b'), [Q1])
    expect(made).toHaveLength(1)
    expect(notGiven.map(({ what }) => what)).toEqual([
      'the constraint c 1',
      'the constraint c2',
      'the constraint c5',
      'the constraint c7',
      'the constraint f1',
    ])
    expect(notGiven[0]).toMatchObject({
      partition: 'b_2027_q1',
      why: expect.stringContaining("CHECK ((quarter = 'Q4'::text))") as unknown,
      hint: expect.stringContaining('ALTER TABLE "public"."b" ADD CONSTRAINT "c 1" CHECK') as unknown,
    })
    expect(notes).toEqual([
      expect.stringContaining('constraint c3'),
      expect.stringMatching(/constraint c4: .* the bounds of this period imply it/),
    ])
    expect(await checks('b_2027_q1')).toEqual([['c6'], ['sane']])
    await direct.run("INSERT INTO b VALUES (1, '2027-02-02 23:00', 'Q1', 500)")
  })

  test('triggers, foreign keys and unique indexes of the neighbour only are copied and reported', async () => {
    await direct.run(`CREATE TABLE tenants (id int PRIMARY KEY); CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER own BEFORE INSERT ON b_2026_q4 FOR EACH ROW EXECUTE FUNCTION keep(); CREATE TRIGGER of_all AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION keep();
      ALTER TABLE b_2026_q4 ADD CONSTRAINT known FOREIGN KEY (v) REFERENCES tenants, ADD CONSTRAINT once UNIQUE (id)`)
    const { notes, notGiven } = await make(store, await look(store, 'b'), [Q1])
    expect(notGiven).toEqual([])
    expect(notes).toEqual([
      'public.b_2027_q1 got objects that may refuse rows, and that public.b_2026_q4 has but its parent does not: the foreign key known, the trigger own, the unique index once',
    ])
    expect(await checks('b_2027_q1')).toEqual([['known'], ['sane']])
  })

  test('constraints of date and number columns are handled, too', async () => {
    await direct.run(`CREATE TABLE days (at date) PARTITION BY RANGE (at); CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2026-01-02');
      ALTER TABLE days_1 ADD CONSTRAINT d1 CHECK (at = '2026-01-01'), ADD CONSTRAINT d2 CHECK (at > '2000-01-01');
      CREATE TABLE epochs (at bigint) PARTITION BY RANGE (at); CREATE TABLE epochs_1 PARTITION OF epochs FOR VALUES FROM (1767225600000) TO (1769904000000);
      ALTER TABLE epochs_1 ADD CONSTRAINT e1 CHECK (at BETWEEN 1767225600000 AND 1769903999999), ADD CONSTRAINT e2 CHECK (at % 3 = 0)`)
    const days = await make(store, await look(store, 'days'), [['days_2', '2026-01-02', '2026-01-03']])
    expect([days.notGiven, days.notes?.length]).toEqual([[], 2])
    const epochs = await make(store, await look(store, 'epochs'), [['epochs_2', '1769904000000', '1772323200000']])
    expect([epochs.notGiven.map(({ what }) => what), epochs.notes?.length]).toEqual([['the constraint e2'], 1])
    await direct.run("INSERT INTO days VALUES ('2026-01-02'); INSERT INTO epochs VALUES (1769904000001)")
  })
})
