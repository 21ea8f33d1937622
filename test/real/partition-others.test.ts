/**
 * Objects that others have added to a table whose default partition is moved: triggers that change rows again, deferred
 * keys, rights, and changes during the move.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { MakeStep } from '../../src/model/partition/maintenance-port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, type Psql } from './copy-postgresql-kit.ts'
import { leftOvers, look, make, withRest, writing } from './partition-kit.ts'

const Q3 = ['t_q3', '2024-07-01 00:00:00+00', '2024-10-01 00:00:00+00'] as const

describe.skipIf(!POSTGRES_OWN)('a default partition with objects of others (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql
  let other: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('others')
    direct = await psql(server.url('others'))
    await direct.run("SET TimeZone TO 'UTC'; CREATE ROLE clerk; ALTER DATABASE others SET TimeZone TO 'UTC'")
    other = await psql(server.url('others'))
    store = await openPostgresCopy(server.url('others'))
  })

  beforeEach(async () => {
    await direct.run(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC`)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    for (const side of [direct, other]) await side.close()
    await server[Symbol.asyncDispose]()
  })

  const made = (key: string, rows = 3000): Promise<void> => withRest(direct, key, rows)

  test('a deferrable key is refused, unless there is another one', async () => {
    await made('PRIMARY KEY (id, at) DEFERRABLE INITIALLY DEFERRED')
    await expect(make(store, await look(store, 't'), [Q3])).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      reason: expect.stringContaining('DEFERRABLE') as unknown,
    })
    expect(await leftOvers(direct)).toEqual([])
  })

  test(
    "triggers that change or remove the row, before or after sluice's own, keep their effect",
    { timeout: 60_000 },
    async () => {
      for (const name of ['after_total', 'zz_total', ' first']) {
        await direct.run('DROP TABLE IF EXISTS t CASCADE; DROP FUNCTION IF EXISTS again')
        await made('PRIMARY KEY (id, at)', 2000)
        await direct.run(`CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          IF NEW.qty < 0 THEN DELETE FROM t WHERE id = NEW.id AND at = NEW.at;
          ELSIF NEW.total IS DISTINCT FROM 2 * NEW.qty THEN UPDATE t SET total = 2 * qty WHERE id = NEW.id AND at = NEW.at; END IF; RETURN NULL; END $$;
        CREATE TRIGGER "${name}" AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again()`)
        const writes = await writing(
          other,
          (n) =>
            n % 3 === 0
              ? `INSERT INTO t VALUES (${100_000 + n}, '2024-07-06', -1)`
              : `UPDATE t SET qty = qty + 1 WHERE id = ${(n % 500) + 1} AND at = '2024-07-05'`,
          0,
        )
        const wrong: unknown[][] = []
        let switched = false
        const watch = (async () => {
          while (!switched) {
            wrong.push(
              ...(await direct.rows('SELECT id, qty, total FROM t WHERE qty < 0 OR total IS DISTINCT FROM 2 * qty')),
            )
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
        })()
        const { proved } = await make(store, await look(store, 't'), [Q3])
        switched = true
        await watch
        const { count } = await writes.stop()
        expect([proved !== null, count > 5]).toEqual([true, true])
        expect(wrong).toEqual([])
        expect(
          await direct.rows('SELECT id, qty, total FROM t WHERE qty < 0 OR total IS DISTINCT FROM 2 * qty'),
        ).toEqual([])
        expect(await direct.rows('SELECT count(*), count(DISTINCT (id, at)) FROM t')).toEqual([['4000', '4000']])
        expect(await leftOvers(direct)).toEqual([])
      }
    },
  )

  test('an owner who cannot see other sessions waits for all that run', async () => {
    await direct.run("DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN PASSWORD 'a'")
    await made('PRIMARY KEY (id, at)')
    await direct.run('ALTER TABLE t OWNER TO app; ALTER TABLE t_q2 OWNER TO app; ALTER TABLE t_rest OWNER TO app')
    await using app = await openPostgresCopy(server.url('others', 'app', 'a'))
    await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class')
    await expect(make(app, await look(app, 't'), [Q3], { retryLimitMs: 500 })).rejects.toMatchObject({
      code: 'TARGET_BUSY',
      reason: expect.stringContaining('pg_read_all_stats') as unknown,
    })
    expect(await other.rows('SELECT count(*) FROM t')).toEqual([['6000']])
    await other.run('COMMIT')
    expect((await make(app, await look(app, 't'), [Q3])).made).toHaveLength(1)
    expect(await direct.rows('SELECT count(*) FROM t')).toEqual([['6000']])
    expect(await leftOvers(direct)).toEqual([])
    await direct.run('DROP TABLE t; DROP OWNED BY app; DROP ROLE app')
  })

  test('rights and options set during the copy are kept by its successor', { timeout: 60_000 }, async () => {
    await made('PRIMARY KEY (id, at)')
    const gifts = [
      'GRANT SELECT ON t_rest TO clerk',
      'ALTER TABLE t_rest ADD CONSTRAINT sane CHECK (qty > -100)',
      'CREATE INDEX by_qty ON t_rest (qty)',
      'ALTER TABLE t_rest SET (fillfactor = 55)',
      "COMMENT ON TABLE t_rest IS 'the rest'",
      'ALTER TABLE t_rest ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON t_rest USING (true)',
      'CREATE INDEX by_total ON t (total)',
    ]
    const pending = [...gifts]
    const table = await look(store, 't')
    const done: Promise<void>[] = []
    const once = new Set<MakeStep>()
    await make(store, table, [Q3], {
      onStep: (step) => {
        if (step === 'logging' || once.has(step)) return
        once.add(step)
        const gift = pending.splice(0).join('; ')
        if (gift !== '') done.push(other.run(gift))
      },
    })
    await Promise.all(done)
    expect(
      await direct.rows(`SELECT relacl::text LIKE '%clerk=r/%', reloptions::text, relrowsecurity, obj_description(oid), (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid),
        (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid AND conname = 'sane'), (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) FROM pg_class c WHERE oid = 't_rest'::regclass`),
    ).toEqual([['t', '{fillfactor=55}', 't', 'the rest', '1', '1', '3']])
    expect(await direct.rows('SELECT count(*) FROM t')).toEqual([['6000']])
    expect(await leftOvers(direct)).toEqual([])
  })

  test(
    'a default partition that is renamed again and again is busy: no error of the server',
    { timeout: 60_000 },
    async () => {
      await made('PRIMARY KEY (id, at)')
      const table = await look(store, 't')
      const names = ['t_rest', 't_rest_of_others']
      const renames = await writing(other, (n) => `ALTER TABLE ${names[n % 2]} RENAME TO ${names[(n + 1) % 2]}`, 60)
      const seen: unknown[] = []
      for (let i = 0; i < 6; i++) {
        await make(store, table, [Q3], { retryLimitMs: 2000 }).then(
          () => seen.push('made'),
          ({ code, retryable, message, hint }: Record<string, unknown>) =>
            seen.push(code === 'TARGET_BUSY' && retryable === true && hint !== undefined ? 'busy' : [code, message]),
        )
      }
      await renames.stop()
      expect(seen.filter((one) => one !== 'made' && one !== 'busy')).toEqual([])
      expect(seen).toContain('busy')
      expect(await direct.rows('SELECT count(*) FROM t')).toEqual([['6000']])
      await make(store, table, [Q3])
      expect(await leftOvers(direct)).toEqual([])
    },
  )

  test('a constraint that was not validated, and partitions of partitions, are refused by name', async () => {
    await made('PRIMARY KEY (id, at)')
    await direct.run('ALTER TABLE t_rest ADD CONSTRAINT odd CHECK (qty <> 7) NOT VALID')
    await expect(make(store, await look(store, 't'), [Q3])).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      hint: expect.stringContaining('VALIDATE CONSTRAINT odd') as unknown,
    })
    await direct.run(`CREATE TABLE s (id bigint, at timestamptz) PARTITION BY RANGE (at);
      CREATE TABLE s_q2 PARTITION OF s FOR VALUES FROM ('2024-04-01') TO ('2024-07-01') PARTITION BY HASH (id)`)
    await expect(make(store, await look(store, 's'), [['s_q3', Q3[1], Q3[2]]])).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
    })
  })
})
