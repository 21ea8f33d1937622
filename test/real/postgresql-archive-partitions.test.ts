import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'
import { psql, SIGNAL, tableNamed, type Psql } from './copy-postgresql-kit.ts'
import {
  closingFor,
  exported,
  ledgerStatus,
  takenOut,
  WAITS,
  makeBookings,
  reopenLedger,
  storeOf,
} from './postgresql-archive-kit.ts'

const BOOKINGS = { schema: 'public', name: 'bookings' }

describe.skipIf(!POSTGRES_OWN)('partitions of PostgreSQL (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql
  let other: Psql
  let visitor: Psql
  let proxy: Proxy

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('parts')
    direct = await psql(server.url('parts'))
    other = await psql(`${server.url('parts')}?application_name=nightly%20report`)
    visitor = await psql(server.url('parts'))
    proxy = await startProxy(server.port)
    store = await openPostgresCopy(server.url('parts'))
  })

  beforeEach(async () => {
    proxy.onClientData(null)
    await other.run('ROLLBACK')
    await makeBookings(direct)
    await reopenLedger(direct)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    for (const side of [direct, other, visitor]) await side.close()
    await proxy.close()
    await server[Symbol.asyncDispose]()
  })

  async function count(table = 'bookings'): Promise<number> {
    return Number((await direct.rows(`SELECT count(*) FROM ${table}`))[0]?.[0])
  }

  /** Expects that nothing was done, and nothing is left over. */
  async function untouched(): Promise<void> {
    expect(await count()).toBe(300)
    expect(await ledgerStatus(direct)).toBe('open')
    expect(await direct.rows("SELECT FROM pg_class WHERE relnamespace = to_regnamespace('sluice_archived')")).toEqual(
      [],
    )
    // A process that was told to end, or lost its connection, takes some time to do so.
    await expect
      .poll(() => direct.rows("SELECT FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"), {
        timeout: 5000,
      })
      .toEqual([])
  }

  /** Waits until another session waits for the parent. */
  async function parentWanted(): Promise<void> {
    for (;;) {
      const waiting = await direct.rows("SELECT FROM pg_locks WHERE relation = 'bookings'::regclass AND NOT granted")
      if (waiting.length > 0) return
      await sleep(2)
    }
  }

  function stopper() {
    const interrupter = new Interrupter()
    return { stop: interrupter.stop, requestStop: () => interrupter.requestStop() }
  }

  async function* pieces(csv: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < csv.length; at += 777) yield csv.subarray(at, at + 777)
  }

  describe('the list', () => {
    test('returns bounds and identities, by lower bound', async () => {
      const listed = await storeOf(store).list(await tableNamed(store, 'bookings'), SIGNAL)
      expect(listed?.by).toBe('day')
      expect(
        listed?.partitions.map(({ table, from, to, isDefault, blocked }) => [
          table.table.name,
          from,
          to,
          isDefault,
          blocked,
        ]),
      ).toEqual([
        ['bookings_m1', '2024-01-01', '2024-02-01', false, null],
        ['bookings_m2', '2024-02-01', '2024-03-01', false, null],
        ['bookings_m3', '2024-03-01', '2024-04-01', false, null],
      ])
      expect(listed?.partitions.map(({ identity }) => identity)).toEqual(
        (await direct.rows("SELECT oid FROM pg_class WHERE relname ~ '^bookings_m.$' ORDER BY relname")).flat(),
      )
      expect(listed?.partitions[0]?.bytes).toBeGreaterThan(0n)
    })

    test('sorts bounds by their type, reads hostile ones, and names what blocks a partition', async () => {
      await direct.run(`DROP TABLE IF EXISTS odd CASCADE; CREATE TABLE odd (k text, PRIMARY KEY (k)) PARTITION BY RANGE (k);
        CREATE TABLE "o,') TO (1" PARTITION OF odd FOR VALUES FROM (') TO (''\\"x"') TO (E'*\\n, c');
        CREATE TABLE odd_low PARTITION OF odd FOR VALUES FROM (MINVALUE) TO ('#'); CREATE TABLE odd_rest PARTITION OF odd DEFAULT;
        CREATE TABLE odd_word PARTITION OF odd FOR VALUES FROM ('MAXVALUE') TO ('N') PARTITION BY HASH (k);
        CREATE TABLE odd_high PARTITION OF odd FOR VALUES FROM ('z') TO (MAXVALUE);
        CREATE TABLE numbers (n numeric) PARTITION BY RANGE (n);
        CREATE TABLE n9 PARTITION OF numbers FOR VALUES FROM (9) TO (10); CREATE TABLE n10 PARTITION OF numbers FOR VALUES FROM (10) TO (11.5);
        CREATE TABLE n0 PARTITION OF numbers FOR VALUES FROM (-10) TO (-9.5);
        CREATE TABLE moments (at timestamptz) PARTITION BY RANGE (at); CREATE TABLE moments_1 PARTITION OF moments FOR VALUES FROM ('2024-01-01 00:00+05:45') TO ('infinity');
        CREATE TABLE users (b int, n text, ref text REFERENCES odd, low text REFERENCES odd_low)`)
      const ofUsers = 'foreign keys of other tables refer to it and not to the whole table: users_low_fkey of users'
      const odd = await storeOf(store).list(await tableNamed(store, 'odd'), SIGNAL)
      expect(odd?.partitions.map(({ table, from, to, blocked }) => [table.table.name, from, to, blocked])).toEqual(
        [
          ['odd_low', null, '#', ofUsers],
          ["o,') TO (1", `) TO ('\\"x"`, '*\n, c', null],
          ['odd_word', 'MAXVALUE', 'N', null],
          ['odd_high', 'z', null, null],
          ['odd_rest', null, null, 'it is the default partition, which has no bounds'],
        ].toSorted((a, b) => order(a) - order(b)),
      )
      const numbers = await storeOf(store).list(await tableNamed(store, 'numbers'), SIGNAL)
      expect(numbers?.partitions.map(({ from, to }) => [from, to])).toEqual([
        ['-10', '-9.5'],
        ['9', '10'],
        ['10', '11.5'],
      ])
      const moments = await storeOf(store).list(await tableNamed(store, 'moments'), SIGNAL)
      expect(moments?.partitions.map(({ from, to }) => [from, to])).toEqual([['2023-12-31 18:15:00+00', 'infinity']])
      await direct.run('DROP TABLE users, odd, numbers, moments')
    })

    const order = ([name]: readonly (string | null)[]): number =>
      ['odd_low', "o,') TO (1", 'odd_word', 'odd_high', 'odd_rest'].indexOf(name ?? '')

    test('names publications and an interrupted detach; refuses other kinds of partitions', async () => {
      await direct.run(`CREATE PUBLICATION outgoing FOR TABLE bookings_m1;
        CREATE TABLE plain (id int); CREATE TABLE hashed (id int) PARTITION BY HASH (id); CREATE TABLE two (a int, b int) PARTITION BY RANGE (a, b);
        CREATE TABLE computed (a int) PARTITION BY RANGE ((a + 1))`)
      // It waits for the reader, and is ended meanwhile.
      await other.run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM bookings_m2')
      const killed = await psql(server.url('parts'))
      const broken = killed.run('ALTER TABLE bookings DETACH PARTITION bookings_m2 CONCURRENTLY').catch(String)
      for (;;) {
        const [found] = await direct.rows(
          "SELECT pid FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY' AND wait_event_type = 'Lock'",
        )
        if (found !== undefined && (await direct.rows('SELECT FROM pg_inherits WHERE inhdetachpending')).length > 0) {
          await direct.run(`SELECT pg_terminate_backend(${String(found[0])})`)
          break
        }
        await sleep(10)
      }
      await broken
      await other.run('ROLLBACK')
      const case2 = await storeOf(store).list(await tableNamed(store, 'bookings'), SIGNAL)
      expect(case2?.partitions.map(({ blocked }) => blocked)).toEqual([
        'the publication outgoing lists it separately',
        'another user began to detach it and did not finish: ALTER TABLE "public"."bookings" DETACH PARTITION "public"."bookings_m2" FINALIZE',
        null,
      ])
      await direct.run('DROP PUBLICATION outgoing')
      expect(await storeOf(store).list(await tableNamed(store, 'plain'), SIGNAL)).toBeNull()
      for (const name of ['hashed', 'two', 'computed']) {
        await expect(storeOf(store).list(await tableNamed(store, name), SIGNAL)).rejects.toMatchObject({
          code: 'UNSUPPORTED_TYPE',
        })
      }
      await direct.run('DROP TABLE plain, hashed, two, computed')
    })
  })

  describe('detach, attach, drop and creation', () => {
    test('a partition is detached, attached, detached again, dropped and created again: each step is proved and recorded', async () => {
      const parts = storeOf(store)
      const { request, csv } = await exported(store, BOOKINGS, 'bookings_m2')
      const before = await direct.rows('SELECT * FROM bookings ORDER BY id')
      const indexes = await direct.rows("SELECT indexdef FROM pg_indexes WHERE tablename = 'bookings_m2' ORDER BY 1")
      const step = async (act: () => Promise<string>): Promise<void> => {
        await reopenLedger(direct)
        expect(await act()).toBe('done')
        expect(await direct.rows('SELECT status, (SELECT count(*) FROM closed) FROM ledger')).toEqual([['closed', '1']])
      }
      await step(() => takenOut(parts, request))
      expect(await count()).toBe(300 - Number(request.expect.rows))
      const { schema, name } = parts.detachedName(request.partition, request.identity)
      expect(await count(`${schema}."${name}"`)).toBe(Number(request.expect.rows))
      await reopenLedger(direct)
      expect(await takenOut(parts, request)).toBe('gone')
      await step(() => parts.attach(request))
      expect(await direct.rows('SELECT * FROM bookings ORDER BY id')).toEqual(before)
      expect(await direct.rows("SELECT indexdef FROM pg_indexes WHERE tablename = 'bookings_m2' ORDER BY 1")).toEqual(
        indexes,
      )
      await step(() => takenOut(parts, request))
      await step(() => parts.drop(request))
      expect(await direct.rows("SELECT FROM pg_class WHERE relnamespace = 'sluice_archived'::regnamespace")).toEqual([])
      await reopenLedger(direct)
      expect(await parts.drop(request)).toBe('gone')
      expect(await parts.attach(request)).toBe('gone')
      await step(() => parts.recreate(request, pieces(csv)))
      expect(await direct.rows('SELECT * FROM bookings ORDER BY id')).toEqual(before)
      expect((await direct.rows("SELECT FROM pg_indexes WHERE tablename = 'bookings_m2'")).length).toBe(indexes.length)
      expect(await direct.rows("SELECT FROM pg_constraint WHERE conname LIKE 'sluice%'")).toEqual([])
      // It is an ordinary partition: rows are routed to it.
      await direct.run("INSERT INTO bookings (day, note) VALUES ('2024-02-29', 'new')")
      expect(await count('bookings_m2')).toBe(Number(request.expect.rows) + 1)
    })

    test('other columns prevent the detach; other rows are detached too, and reported as different from the proof', async () => {
      const parts = storeOf(store)
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      await direct.run('ALTER TABLE bookings ADD later text')
      expect(await takenOut(parts, request)).toBe('differs')
      await direct.run('ALTER TABLE bookings DROP later')
      await untouched()
      await direct.run("UPDATE bookings_m1 SET note = note || '!' WHERE id = 1")
      expect(await takenOut(parts, request)).toBe('done')
      const { schema, name } = parts.detachedName(request.partition, request.identity)
      await reopenLedger(direct)
      expect(await parts.detachedTable(request.partition, request.identity, SIGNAL)).toMatchObject({
        table: { schema, name },
      })
      expect(await parts.drop(request)).toBe('differs')
      expect(await parts.attach(request)).toBe('differs')
      expect(await count(`${schema}."${name}"`)).toBe(Number(request.expect.rows))
      expect(await ledgerStatus(direct)).toBe('open')
      // Without an expected proof its rows are attached as they are.
      expect(await parts.attach({ ...request, expect: null })).toBe('done')
      expect(await parts.detachedTable(request.partition, request.identity, SIGNAL)).toBeNull()
      expect(await direct.rows("SELECT id FROM bookings WHERE note LIKE '%!'")).toEqual([['1']])
    })

    test('another table of that name, and a partition that was detached or moved by hand, are refused', async () => {
      const parts = storeOf(store)
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      await direct.run(`ALTER TABLE bookings DETACH PARTITION bookings_m1; ALTER TABLE bookings_m1 RENAME TO was_m1;
        CREATE TABLE bookings_m1 PARTITION OF bookings FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
        INSERT INTO bookings (id, day, note, raw, tags) OVERRIDING SYSTEM VALUE SELECT id, day, note, raw, tags FROM was_m1`)
      expect(await takenOut(parts, request)).toBe('gone')
      await untouched()
      await direct.run('DROP TABLE bookings_m1; ALTER TABLE was_m1 RENAME TO bookings_m1')
      expect(await takenOut(parts, request)).toBe('gone')
      await direct.run(
        "ALTER TABLE bookings ATTACH PARTITION bookings_m1 FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
      )
      expect(await takenOut(parts, { ...request, parent: { schema: 'public', name: 'ledger' } })).toBe('gone')
      expect(await takenOut(parts, request)).toBe('done')
      await reopenLedger(direct)
      const { schema, name } = parts.detachedName(request.partition, request.identity)
      await direct.run(`ALTER TABLE ${schema}."${name}" SET SCHEMA public`)
      expect(await parts.drop(request)).toBe('gone')
      expect(await count(`"${name}"`)).toBe(Number(request.expect.rows))
      await direct.run(`DROP TABLE "${name}"`)
    })

    test('a run that lost its fence changes nothing, whenever it lost it', async () => {
      const parts = storeOf(store)
      const { request, csv } = await exported(store, BOOKINGS, 'bookings_m1')
      const fenced = { ...request, closing: closingFor(6) }
      expect(await takenOut(parts, fenced)).toBe('fenced')
      const late = { ...fenced, closing: { ...fenced.closing, guard: { sql: 'SELECT 1', parameters: [] } } }
      expect(await takenOut(parts, late)).toBe('fenced')
      await untouched()
      expect(await takenOut(parts, request)).toBe('done')
      await reopenLedger(direct)
      const left = await count()
      expect(await parts.drop(late)).toBe('fenced')
      expect(await parts.attach(late)).toBe('fenced')
      expect(await parts.recreate({ ...late, partition: { schema: 'public', name: 'again' } }, pieces(csv))).toBe(
        'fenced',
      )
      expect([await count(), await ledgerStatus(direct)]).toEqual([left, 'open'])
      expect(await parts.attach(request)).toBe('done')
      expect(await count()).toBe(300)
    })

    test('a lock of another session is waited for shortly, and that session is named', async () => {
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      const reader = "BEGIN; SELECT FROM bookings WHERE day = '2024-03-05'"
      const writer = "BEGIN; INSERT INTO bookings (day) VALUES ('2024-01-05')"
      const owner = 'BEGIN; LOCK TABLE bookings_m1 IN ACCESS EXCLUSIVE MODE'
      // Each attempt waits as long as its limit.
      for (const sql of process.env['SLUICE_TEST_ALL'] === '1' ? [reader, writer, owner] : [reader]) {
        await other.run(sql)
        const started = Date.now()
        await expect(takenOut(storeOf(store), request)).rejects.toMatchObject({
          code: 'TARGET_BUSY',
          retryable: true,
          reason: expect.stringMatching(/nightly report \(process \d+, idle in transaction\)/),
        })
        expect(Date.now() - started).toBeLessThan(3000)
        await other.run('ROLLBACK')
      }
      await untouched()
      expect(await takenOut(storeOf(store), request)).toBe('done')
    })

    test('a partition is created again for a table with new columns and another owner', async () => {
      const { request, csv } = await exported(store, BOOKINGS, 'bookings_m1')
      await direct.run(`DROP TABLE bookings_m1; DROP ROLE IF EXISTS keeper; CREATE ROLE keeper; GRANT ALL ON SCHEMA public TO keeper;
        ALTER TABLE bookings OWNER TO keeper; ALTER TABLE bookings ADD later int DEFAULT 5`)
      const wrong = { ...request, from: '2024-01-02' }
      await expect(storeOf(store).recreate(wrong, pieces(csv))).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        hint: expect.stringContaining('bounds'),
      })
      expect(await storeOf(store).recreate(request, pieces(csv))).toBe('done')
      expect(await direct.rows('SELECT count(*), sum(later) FROM bookings_m1')).toEqual([
        [String(request.expect.rows), String(5n * request.expect.rows)],
      ])
      expect(await direct.rows("SELECT tableowner FROM pg_tables WHERE tablename = 'bookings_m1'")).toEqual([
        ['keeper'],
      ])
      await direct.run('DROP TABLE bookings; DROP OWNED BY keeper; DROP ROLE keeper')
    })

    test('a session that holds the parent can use the partition at once, and is never ended', async () => {
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      await other.run("BEGIN; INSERT INTO bookings (day) VALUES ('2024-03-05')")
      const leaving = storeOf(store).detach({ ...request, ...WAITS, retryLimitMs: 30_000 })
      await parentWanted()
      await other.run("INSERT INTO bookings (day) VALUES ('2024-01-31')")
      // A session behind the requested lock proceeds when that attempt is over.
      await visitor.run("INSERT INTO bookings (day) VALUES ('2024-02-05')")
      await other.run('COMMIT')
      const { end, tries } = await leaving
      expect(end).toBe('done')
      expect(tries).toBeGreaterThan(0)
      expect(await count()).toBe(302 - Number(request.expect.rows))
    })

    test('one long statement on the parent prevents the detach, and the time limit ends the wait', async () => {
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      await other.run("BEGIN; SELECT FROM bookings WHERE day = '2024-03-05'")
      const leaving = storeOf(store).detach({ ...request, ...WAITS, retryLimitMs: 500 })
      leaving.catch(() => undefined)
      await parentWanted()
      expect(await other.rows('SELECT count(*) FROM bookings')).toEqual([['300']])
      await expect(leaving).rejects.toMatchObject({ code: 'TARGET_BUSY' })
      await other.run('COMMIT')
      await untouched()
    })

    test('a stop ends the attempts, and nothing is done', async () => {
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      await other.run("BEGIN; SELECT FROM bookings WHERE day = '2024-03-05'")
      const { requestStop, stop } = stopper()
      const leaving = storeOf(store).detach({ ...request, ...WAITS, retryLimitMs: 600_000, stop })
      leaving.catch(() => undefined)
      await parentWanted()
      requestStop()
      await expect(leaving).rejects.toMatchObject({ code: 'STOPPED' })
      await other.run('COMMIT')
      await untouched()
    })

    test('a writer between lock and commit waits, and its row is never detached', async () => {
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      const slow = {
        ...request.closing,
        statements: [...request.closing.statements, { sql: 'SELECT pg_sleep(0.4)', parameters: [] }],
      }
      const detached = takenOut(storeOf(store), { ...request, closing: slow })
      for (;;) {
        const held = await direct.rows(
          "SELECT FROM pg_locks WHERE relation = 'bookings'::regclass AND granted AND mode = 'AccessExclusiveLock'",
        )
        if (held.length > 0) break
        await sleep(5)
      }
      const insert = other
        .run("INSERT INTO bookings (day, note) VALUES ('2024-01-31', 'late')")
        .catch((error: Error) => error.message)
      expect(await detached).toBe('done')
      expect(await insert).toMatch(/no partition of relation "bookings" found for row/)
      const { schema, name } = storeOf(store).detachedName(request.partition, request.identity)
      expect(await count(`${schema}."${name}"`)).toBe(Number(request.expect.rows))
    })

    test.each(['EXCLUSIVE MODE', 'DETACH PARTITION', 'SET SCHEMA', "status = 'closed'"])(
      'the server process ends at %s: nothing is half done',
      async (word) => {
        const { request } = await exported(store, BOOKINGS, 'bookings_m1')
        const url = server.url('parts').replace(`:${server.port}/`, `:${proxy.port}/`)
        await using through = await openPostgresCopy(`${url}?retry_seconds=5`)
        let acted = false
        proxy.onClientData((data, connection) => {
          if (acted || !data.includes(word)) return undefined
          acted = true
          void direct
            .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'")
            .then(() => connection.cut())
          return 'drop'
        })
        await expect(takenOut(storeOf(through), request)).rejects.toMatchObject({
          code: 'CONNECTION_LOST',
          retryable: true,
        })
        expect(acted).toBe(true)
        await untouched()
        expect(await takenOut(storeOf(through), request)).toBe('done')
      },
    )

    test('after a lost answer to COMMIT the result is found out', async () => {
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      const url = server.url('parts').replace(`:${server.port}/`, `:${proxy.port}/`)
      await using through = await openPostgresCopy(`${url}?retry_seconds=5&response_timeout=1`)
      let seen = 0
      proxy.onClientData((data, connection) => {
        if (!data.includes('COMMIT\0') || ++seen > 1) return undefined
        setTimeout(() => connection.cut(), 100)
        return undefined
      })
      expect(await takenOut(storeOf(through), request)).toBe('done')
      expect([await count(), await ledgerStatus(direct)]).toEqual([300 - Number(request.expect.rows), 'closed'])
      await reopenLedger(direct)
      seen = 0
      proxy.onClientData((data, connection) => {
        if (!data.includes('COMMIT\0') || ++seen > 1) return undefined
        connection.cut()
        return 'drop'
      })
      await expect(storeOf(through).attach(request)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
      expect([await count(), await ledgerStatus(direct)]).toEqual([300 - Number(request.expect.rows), 'open'])
    })

    test('hostile names are kept, and names in use are replaced', async () => {
      const hostile = `x"; DROP TABLE bookings; --\n😀${'é'.repeat(10)}`
      const schema = `s'"\n`
      const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
      await direct.run(`DROP SCHEMA IF EXISTS ${quoted(schema)} CASCADE; CREATE SCHEMA ${quoted(schema)}; DROP TABLE IF EXISTS ${quoted(hostile)};
        CREATE TABLE ${quoted(schema)}.${quoted(hostile)} (${quoted(hostile)} int PRIMARY KEY) PARTITION BY RANGE (${quoted(hostile)});
        CREATE TABLE ${quoted(schema)}.bookings_m1 PARTITION OF ${quoted(schema)}.${quoted(hostile)} FOR VALUES FROM (0) TO (10);
        INSERT INTO ${quoted(schema)}.${quoted(hostile)} VALUES (1), (2)`)
      const parts = storeOf(store)
      const first = await exported(store, { schema, name: hostile }, 'bookings_m1')
      expect(await takenOut(parts, first.request)).toBe('done')
      await reopenLedger(direct)
      // A table of the same name in another schema, with an index of the same name.
      const second = await exported(store, BOOKINGS, 'bookings_m1')
      expect(await takenOut(parts, second.request)).toBe('done')
      // Once more in the first schema.
      await direct.run(`CREATE TABLE ${quoted(schema)}.bookings_m1 PARTITION OF ${quoted(schema)}.${quoted(hostile)} FOR VALUES FROM (0) TO (10);
        INSERT INTO ${quoted(schema)}.bookings_m1 VALUES (3)`)
      const third = await exported(store, { schema, name: hostile }, 'bookings_m1')
      await reopenLedger(direct)
      expect(await takenOut(parts, third.request)).toBe('done')
      const names = [first, second, third].map(
        ({ request }) => parts.detachedName(request.partition, request.identity).name,
      )
      expect(
        (await direct.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'sluice_archived'")).flat().toSorted(),
      ).toEqual(names.toSorted())
      for (const { request } of [first, second]) {
        await reopenLedger(direct)
        expect(await parts.attach(request)).toBe('done')
      }
      await reopenLedger(direct)
      await expect(parts.attach(third.request)).rejects.toMatchObject({ code: 'TABLE_REFUSED' })
      expect(await parts.drop(third.request)).toBe('done')
      expect(await direct.rows(`SELECT * FROM ${quoted(schema)}.${quoted(hostile)} ORDER BY 1`)).toEqual([['1'], ['2']])
      await direct.run(`DROP SCHEMA ${quoted(schema)} CASCADE`)
    })

    test('two detaches at once both succeed; hostile names are attached again', async () => {
      const parts = storeOf(store)
      const name = `"';\n--😀${'é'.repeat(25)}x`
      expect(Buffer.byteLength(name)).toBe(61)
      await direct.run(
        `ALTER TABLE bookings_m2 RENAME TO "${name.replaceAll('"', '""')}"; INSERT INTO ledger VALUES ('open', 8)`,
      )
      const one = await exported(store, BOOKINGS, 'bookings_m1')
      const two = await exported(store, BOOKINGS, name)
      const second = { ...two.request, closing: closingFor(8) }
      expect(await Promise.all([takenOut(parts, one.request), takenOut(parts, second)])).toEqual(['done', 'done'])
      expect(await count()).toBe(300 - Number(one.expect.rows + two.expect.rows))
      await direct.run("UPDATE ledger SET status = 'open'")
      expect(await parts.attach(second)).toBe('done')
      expect(await parts.attach(one.request)).toBe('done')
      expect(await count()).toBe(300)
      const listed = await parts.list(await tableNamed(store, 'bookings'), SIGNAL)
      expect(listed?.partitions.map(({ table, identity }) => [table.table.name, identity]).slice(0, 2)).toEqual([
        ['bookings_m1', one.request.identity],
        [name, two.request.identity],
      ])
    })

    test('obstacles are named', async () => {
      const parts = storeOf(store)
      await direct.run(
        `CREATE TABLE refers (id bigint, day date, FOREIGN KEY (id, day) REFERENCES bookings); INSERT INTO refers SELECT id, day FROM bookings_m1 LIMIT 1`,
      )
      const held = await exported(store, BOOKINGS, 'bookings_m1')
      expect(held.partition.blocked).toBeNull()
      await expect(takenOut(parts, held.request)).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        hint: expect.stringContaining('refer to these'),
      })
      await direct.run('DROP TABLE refers')
      await untouched()
      const { request, csv } = await exported(store, BOOKINGS, 'bookings_m1')
      expect(await takenOut(parts, request)).toBe('done')
      const { schema, name } = parts.detachedName(request.partition, request.identity)
      await reopenLedger(direct)
      await direct.run(`CREATE VIEW looks AS SELECT id FROM ${schema}."${name}"`)
      await expect(parts.drop(request)).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        reason: expect.stringContaining('view looks'),
      })
      await direct.run(
        `DROP VIEW looks; CREATE TABLE rest PARTITION OF bookings DEFAULT; INSERT INTO bookings (id, day) OVERRIDING SYSTEM VALUE SELECT id, day FROM ${schema}."${name}" LIMIT 1`,
      )
      await expect(parts.attach(request)).rejects.toMatchObject({
        code: 'PARTITION_CHANGED',
        message: expect.stringMatching(
          /^rows of public\.rest cannot be moved: a row has a key that also exists in the archive: Key \(id, day\)=/,
        ),
      })
      await expect(
        parts.recreate({ ...request, partition: { schema: 'public', name: 'again' } }, pieces(csv)),
      ).rejects.toMatchObject({ code: 'PARTITION_CHANGED' })
      await direct.run(
        "TRUNCATE rest; CREATE TABLE early PARTITION OF bookings FOR VALUES FROM ('2024-01-15') TO ('2024-01-20')",
      )
      await expect(parts.attach(request)).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        hint: expect.stringContaining('another partition'),
      })
      await direct.run('DROP TABLE early')
      await expect(
        parts.recreate({ ...request, partition: { schema: 'public', name: 'bookings_m2' } }, pieces(csv)),
      ).rejects.toMatchObject({
        code: 'TABLE_REFUSED',
        message: 'the name public.bookings_m2 is already used by another table, view, index or type',
      })
      expect(
        await parts.recreate(
          { ...request, partition: { schema: 'public', name: 'again' }, expect: { rows: 1n, sum: 'x' } },
          pieces(csv),
        ),
      ).toBe('differs')
      expect(await direct.rows("SELECT FROM pg_class WHERE relname = 'again'")).toEqual([])
      expect(await ledgerStatus(direct)).toBe('open')
      expect(await parts.attach(request)).toBe('done')
    })

    test('missing rights are named', async () => {
      await direct.run(`DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN PASSWORD 'clerk'; GRANT ALL ON bookings, bookings_m1, ledger, closed TO clerk;
        CREATE SCHEMA IF NOT EXISTS sluice_archived`)
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      await using clerk = await openPostgresCopy(server.url('parts', 'clerk', 'clerk'))
      await expect(takenOut(storeOf(clerk), request)).rejects.toMatchObject({
        code: 'TARGET_DENIED',
        hint: expect.stringContaining('owner'),
      })
      await direct.run('DROP OWNED BY clerk; DROP ROLE clerk')
      await untouched()
    })

    test('a signal ends it, and nothing is done', async () => {
      const { request } = await exported(store, BOOKINGS, 'bookings_m1')
      await other.run('BEGIN; LOCK TABLE bookings_m1 IN ACCESS EXCLUSIVE MODE')
      const stop = new AbortController()
      const detached = takenOut(storeOf(store), { ...request, signal: stop.signal })
      setTimeout(() => stop.abort(), 100)
      const started = Date.now()
      await expect(detached).rejects.toMatchObject({ code: 'ABORTED' })
      expect(Date.now() - started).toBeLessThan(1000)
      await other.run('ROLLBACK')
      await untouched()
    })
  })

  test('comments of columns are kept', async () => {
    await direct.run(
      `COMMENT ON COLUMN bookings.note IS 'what "they" said'; COMMENT ON TABLE bookings IS 'all of them'; COMMENT ON COLUMN bookings.raw IS E'\\n'`,
    )
    expect(await store.offers.columnFacts?.comments(await tableNamed(store, 'bookings'), SIGNAL)).toEqual({
      note: 'what "they" said',
      raw: '\n',
    })
  })
})
