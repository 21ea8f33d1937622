/** Features of Cassandra 5.0: write times of collections, guardrails, storage-attached indexes, vectors. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RunLedger } from '../../src/engine/copy/ledger/runs.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { hashOfFields, OWN_TIMES } from '../../src/engine/copy/plan/plan-hash.ts'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { newOwner } from '../../src/shared/owner.ts'
import { perform } from '../support/copy-systems.ts'
import { FIVE_MISSING, startFive, type Five } from '../support/servers/cassandra-five.ts'
import { copyBetween, failures } from './cassandra-target-kit.ts'

const ONCE = `{'class': 'SimpleStrategy', 'replication_factor': 1}`

describe.skipIf(FIVE_MISSING !== '')('Cassandra 5.0', { timeout: 60_000 }, () => {
  let five: Five
  beforeAll(async () => {
    five = await startFive()
    for (const keyspace of ['s5', 't5'])
      await five.cql(`DROP KEYSPACE IF EXISTS ${keyspace}`, `CREATE KEYSPACE ${keyspace} WITH replication = ${ONCE}`)
  }, 180_000)
  afterAll(async () => five?.[Symbol.asyncDispose]())
  const copy = (table: string, more: Parameters<typeof copyBetween>[3] = {}) =>
    perform(copyBetween(five.url('s5'), five.url('t5'), [`s5.${table}`], { toSchema: 't5', restart: true, ...more }))
  const diff = (table: string, more: Partial<DiffOperation> = {}) =>
    perform({
      kind: 'diff',
      from: five.url('s5'),
      to: five.url('t5'),
      tables: [`s5.${table}`],
      toSchema: 't5',
      rename: {},
      workers: 2,
      limit: 100,
      fix: false,
      deleteExtra: false,
      ring: { splits: 2 },
      ...more,
    })

  describe('write times and TTLs of collections', () => {
    const TIMES = ['v', 'm', 'l', 's', 'ud'].flatMap((name) => [`writetime(${name})`, `ttl(${name})`]).join(', ')
    const timesOf = async (keyspace: string, id: number): Promise<Readonly<Record<string, unknown>>> => {
      const [row = []] = await five.rows(`SELECT ${TIMES} FROM ${keyspace}.own WHERE id = ${id}`)
      const near = (life: unknown): unknown => (typeof life === 'number' ? Math.round(life / 100) * 100 : life)
      return Object.fromEntries(
        ['v', 'm', 'l', 's', 'ud'].map((name, i) => {
          const [time, life] = [row[2 * i], row[2 * i + 1]]
          return [name, [time ?? null, Array.isArray(life) ? life.map(near) : near(life ?? null)]]
        }),
      )
    }
    beforeEach(async () => {
      await five.cql(
        'DROP TABLE IF EXISTS t5.own',
        'DROP TABLE IF EXISTS s5.own',
        'CREATE TYPE IF NOT EXISTS s5.person (name text, age int)',
        'CREATE TABLE s5.own (id int PRIMARY KEY, v text, m map<text,text>, l list<int>, s set<int>, ud person)',
        "INSERT INTO s5.own (id,v) VALUES (1,'stays') USING TIMESTAMP 2000",
        "UPDATE s5.own USING TTL 60000 AND TIMESTAMP 1000 SET m={'a':'goes'}, l=[1,2], s={3} WHERE id=1",
        "INSERT INTO s5.own (id,v) VALUES (2,'goes') USING TIMESTAMP 2000 AND TTL 500",
        "UPDATE s5.own USING TTL 60000 AND TIMESTAMP 3000 SET m={'a':'lives longer'} WHERE id=2",
        "UPDATE s5.own USING TTL 60000 AND TIMESTAMP 3000 SET ud={name:'n'} WHERE id=3",
        "UPDATE s5.own USING TTL 60000 AND TIMESTAMP 3000 SET m={'b':'b','c':'c'} WHERE id=4",
        "UPDATE s5.own USING TIMESTAMP 3500 SET m=m+{'a':'forever'} WHERE id=4",
        'UPDATE s5.own USING TTL 60000 AND TIMESTAMP 1000 SET ud={age:5} WHERE id=5',
      )
    })

    test('are those of each collection, not those of its row', async () => {
      const ran = await copy('own')
      expect(ran.finished.exitCode, failures(ran)).toBe(0)
      expect(await timesOf('t5', 1)).toEqual(await timesOf('s5', 1))
      expect(await timesOf('t5', 2)).toEqual(await timesOf('s5', 2))
      expect(await timesOf('t5', 3)).toEqual(await timesOf('s5', 3))
      // The server gives NULL for a field without a value, here the first one.
      const [time, life] = (await five.rows('SELECT writetime(ud.age), ttl(ud.age) FROM t5.own WHERE id = 5'))[0] ?? []
      expect([time, typeof life]).toEqual([1000n, 'number'])
      expect((await timesOf('t5', 4))['m']).toEqual([
        [3500n, 3500n, 3500n],
        [null, null, null],
      ])
      expect((await diff('own')).finished.exitCode).toBe(0)
    })

    test('are the largest ones of their elements, which the plan and the end report', async () => {
      const ran = await copy('own')
      const plan = ran.events.find((event) => event.type === 'plan.ready')
      expect(JSON.stringify(plan)).toMatch(/elements.*latest write time.*longest time to live/)
      const end = ran.events.find((event) => event.type === 'table.finished')
      expect(JSON.stringify(end)).toContain('in one row, elements of m had different write times or TTLs')
    })

    test('are compared, and repaired', async () => {
      await copy('own')
      await five.cql("UPDATE t5.own USING TIMESTAMP 1000 SET m={'a':'goes'} WHERE id=2")
      await five.cql("UPDATE t5.own USING TIMESTAMP 1001 SET m={'a':'goes'}, l=[1,2] WHERE id=1")
      const found = await diff('own')
      expect(found.finished.exitCode).toBe(1)
      const difference = found.events.find((event) => event.type === 'difference')
      expect(difference).toMatchObject({ key: ['1'], difference: 'different', newer: ['l', 'm'] })
      expect(JSON.stringify(difference)).toContain('never expires')
      const repaired = await diff('own', { fix: true, overwriteNewer: true })
      expect(repaired.finished.exitCode, failures(repaired)).toBe(0)
      expect(repaired.finished.totals).toMatchObject({ different: '1', fixed: '1' })
      expect(await five.rows('SELECT l, m FROM t5.own WHERE id = 1')).toEqual(
        await five.rows('SELECT l, m FROM s5.own WHERE id = 1'),
      )
      expect((await timesOf('t5', 1))['l']).toEqual([
        [1002n, 1002n],
        [60000, 60000],
      ])
      expect((await diff('own')).finished.exitCode).toBe(0)
    })

    test('of a copy that an older version began are named, with the command that repairs them', async () => {
      await copy('own')
      // As the older version left it: the hash of its plan, and a collection with the write time of its row.
      await using to = await openCopyStore(five.url('t5'), { mode: 'write' })
      const runs = new RunLedger(await to.ledger(), { ...newOwner('here'), runId: 1_000_000n })
      const key = { schema: 't5', name: 'own' }
      const now = await runs.plan(key)
      if (now === null) throw new Error('the copy has left no plan')
      const { [OWN_TIMES]: timed, ...before } = JSON.parse(now.plan) as Record<string, unknown>
      expect(timed).toEqual(['l', 'm', 's', 'ud'])
      await runs.savePlan(key, { ...now, hash: hashOfFields(before), plan: JSON.stringify(before) }, true)
      await five.cql("UPDATE t5.own USING TIMESTAMP 2000 SET m={'a':'goes'} WHERE id=1")
      const ran = await copy('own', { restart: false })
      expect(ran.finished.exitCode, failures(ran)).toBe(0)
      for (const type of ['plan.ready', 'table.finished'])
        expect(JSON.stringify(ran.events.find((event) => event.type === type))).toMatch(
          /"names":\["l","m","s","ud"\],"means":"[^"]*older version.*sluice diff --fix --overwrite-newer/,
        )
      const repaired = await diff('own', { fix: true, overwriteNewer: true })
      expect(repaired.finished.exitCode, failures(repaired)).toBe(0)
      expect((await timesOf('t5', 1))['m']).toEqual([[2001n], [60000]])
      const anew = await copy('own', { onExisting: 'upsert' })
      expect(JSON.stringify(anew.events)).not.toContain('older version')
    })

    test('of a newer value of the target stay', async () => {
      await copy('own')
      await five.cql("UPDATE t5.own USING TIMESTAMP 9000 SET m={'a':'newer'} WHERE id=1")
      await five.cql("UPDATE s5.own USING TIMESTAMP 9500 SET v='mended' WHERE id=1")
      const kept = await diff('own', { fix: true })
      expect(kept.finished.exitCode).toBe(1)
      expect(await five.rows("SELECT v, m['a'] FROM t5.own WHERE id = 1")).toEqual([['mended', 'newer']])
    })
  })

  describe('counters that were deleted in the target', () => {
    beforeEach(async () => {
      for (const keyspace of ['s5', 't5'])
        await five.cql(
          `DROP TABLE IF EXISTS ${keyspace}.cnt`,
          `CREATE TABLE ${keyspace}.cnt (k text PRIMARY KEY, a counter, b counter)`,
          `UPDATE ${keyspace}.cnt SET a = a + 1000, b = b + 2000 WHERE k = 'r'`,
        )
    })

    test('with their row get the value of the source in one run', async () => {
      await five.cql("UPDATE s5.cnt SET a = a + 7 WHERE k = 'other'", "DELETE FROM t5.cnt WHERE k = 'r'")
      const repaired = await diff('cnt', { fix: true, fixCounters: true })
      expect(repaired.finished.exitCode, failures(repaired)).toBe(0)
      expect(await five.rows("SELECT a, b FROM t5.cnt WHERE k = 'r'")).toEqual([[1000n, 2000n]])
      expect(await five.rows("SELECT a, b FROM t5.cnt WHERE k = 'other'")).toEqual([[7n, null]])
    })

    test('alone never count again, which is reported for the row', async () => {
      await five.cql("DELETE a FROM t5.cnt WHERE k = 'r'", "UPDATE s5.cnt SET b = b + 5 WHERE k = 'r'")
      const repaired = await diff('cnt', { fix: true, fixCounters: true })
      expect(repaired.finished.exitCode).toBe(1)
      expect(JSON.stringify(repaired.events)).toMatch(/row \(r\) cannot be repaired: .*a counter .* was deleted/)
      expect(await five.rows("SELECT a, b FROM t5.cnt WHERE k = 'r'")).toEqual([[null, 2005n]])
    })
  })

  test('a materialized view is refused by name, as source and as target', async () => {
    await five.cql(
      'DROP MATERIALIZED VIEW IF EXISTS s5.seen',
      'DROP TABLE IF EXISTS s5.viewed',
      'CREATE TABLE s5.viewed (id int PRIMARY KEY, n int)',
      'CREATE MATERIALIZED VIEW s5.seen AS SELECT * FROM s5.viewed WHERE n IS NOT NULL AND id IS NOT NULL PRIMARY KEY (n, id)',
      'INSERT INTO s5.viewed (id, n) VALUES (1, 5)',
    )
    const from = await copy('seen')
    expect(from.finished.error).toMatchObject({
      code: 'TABLE_REFUSED',
      message: 's5.seen cannot be copied: it is a materialized view of s5.viewed',
    })
    expect(
      await five.rows("SELECT table_name FROM system_schema.tables WHERE keyspace_name = 't5'"),
    ).not.toContainEqual(['seen'])
    const into = await perform(
      copyBetween(five.url('s5'), five.url('s5'), ['s5.viewed'], {
        toSchema: 's5',
        toTable: 'seen',
        onExisting: 'upsert',
      }),
    )
    expect(into.finished.error).toMatchObject({
      code: 'TABLE_REFUSED',
      message: 's5.seen cannot be written: it is a materialized view of s5.viewed',
    })
  })

  test('tables with compact storage are copied in spite of hidden columns', async () => {
    const tables = {
      plain: '(p text PRIMARY KEY, v text, w int)',
      dense: '(p text, c int, v text, PRIMARY KEY (p, c))',
      bare: '(p text, c int, PRIMARY KEY (p, c))',
    }
    for (const [name, columns] of Object.entries(tables))
      await five.cql(
        `DROP TABLE IF EXISTS t5.${name}`,
        `DROP TABLE IF EXISTS s5.${name}`,
        `CREATE TABLE s5.${name} ${columns} WITH COMPACT STORAGE`,
      )
    await five.cql(
      "INSERT INTO s5.plain (p, v, w) VALUES ('a', 'b', 1)",
      "INSERT INTO s5.dense (p, c, v) VALUES ('a', 1, 'b')",
      "INSERT INTO s5.bare (p, c) VALUES ('a', 1)",
    )
    for (const name of Object.keys(tables)) {
      const ran = await copy(name)
      expect(ran.finished.exitCode, failures(ran)).toBe(0)
      expect(await five.rows(`SELECT * FROM t5.${name}`)).toEqual(await five.rows(`SELECT * FROM s5.${name}`))
      expect((await diff(name)).finished.exitCode).toBe(0)
    }
  })

  test('rows that expire during a comparison are no difference', async () => {
    for (const keyspace of ['s5', 't5'])
      await five.cql(
        `DROP TABLE IF EXISTS ${keyspace}.short`,
        `CREATE TABLE ${keyspace}.short (id int PRIMARY KEY, v text)`,
        `INSERT INTO ${keyspace}.short (id, v) VALUES (-1, 'stays')`,
      )
    let id = 0
    const insert = async (): Promise<void> => {
      const rows = Array.from({ length: 10 }, () => id++)
      await five.cql(
        // The rows of one side expire two seconds after those of the other, as in a copy.
        ...rows.flatMap((one) => [
          `INSERT INTO s5.short (id, v) VALUES (${one}, 'v') USING TTL 2`,
          `INSERT INTO t5.short (id, v) VALUES (${one}, 'v') USING TTL 4`,
        ]),
      )
    }
    const { signal, abort } = abortable()
    const inserting = (async () => {
      while (!signal.aborted) await insert()
    })()
    try {
      // After this time, some rows have expired in the source and not in the target.
      await sleep(3500)
      const found = await diff('short')
      expect(found.finished.totals).toMatchObject({ extra: '0', missing: '0' })
      expect(found.finished.error?.hint ?? '').not.toContain('--delete-extra')
    } finally {
      abort()
      await inserting
    }
    await five.cql("INSERT INTO t5.short (id, v) VALUES (-2, 'longer') USING TTL 600")
    expect((await diff('short')).finished.totals).toMatchObject({ extra: '1', missing: '0' })
  })

  test('other features of 5.0: doctor, the short name of storage-attached indexes, vectors of any type', async () => {
    await five.cql(
      'DROP TABLE IF EXISTS t5.beside',
      'DROP TABLE IF EXISTS s5.beside',
      'CREATE TABLE s5.beside (id int PRIMARY KEY, t text, vt vector<text, 2>, vl vector<frozen<list<int>>, 2>, vs vector<smallint, 2>)',
      "CREATE INDEX beside_t ON s5.beside (t) USING 'sai' WITH OPTIONS = {'case_sensitive': 'false'}",
      `INSERT INTO s5.beside (id, t, vt, vl, vs) VALUES (1, 'a', ['', '${'x'.repeat(300)}'], [[1], []], [1, -2])`,
    )
    const ran = await copy('beside', { with: ['indexes'] })
    expect(ran.finished.exitCode, failures(ran)).toBe(0)
    const rows = await five.rows('SELECT vt, vl, vs FROM s5.beside')
    expect(JSON.stringify(await five.rows('SELECT vt, vl, vs FROM t5.beside'))).toBe(JSON.stringify(rows))
    const options = "SELECT options FROM system_schema.indexes WHERE keyspace_name = 't5' AND table_name = 'beside'"
    expect(await five.rows(options)).toEqual([
      [
        new Map([
          ['case_sensitive', 'false'],
          ['class_name', 'StorageAttachedIndex'],
          ['target', 't'],
        ]),
      ],
    ])
    const inspected = await perform({ kind: 'doctor', catalog: five.url('s5') })
    expect(JSON.stringify(inspected.events)).toContain('s5: SimpleStrategy, replication_factor 1')
  })
})

describe.skipIf(FIVE_MISSING !== '')('guardrails of Cassandra 5.0, for an ordinary role', { timeout: 90_000 }, () => {
  let five: Five
  beforeAll(async () => {
    five = await startFive({
      users: true,
      yaml: { page_size_fail_threshold: 500, user_timestamps_enabled: false, items_per_collection_fail_threshold: 100 },
    })
    await five.cql(
      `CREATE KEYSPACE s5 WITH replication = ${ONCE}`,
      `CREATE KEYSPACE t5 WITH replication = ${ONCE}`,
      "CREATE ROLE app WITH PASSWORD = 'app' AND LOGIN = true",
      'GRANT ALL ON KEYSPACE s5 TO app',
      'GRANT ALL ON KEYSPACE t5 TO app',
      'CREATE TABLE s5.t (id int PRIMARY KEY, v text, s set<int>, z list<text>)',
      ...[1, 2, 3].map((id) => `INSERT INTO s5.t (id, v, s) VALUES (${id}, 'v', {1})`),
      // A superuser may write such rows.
      `INSERT INTO s5.t (id, v, s, z) VALUES (4, 'v', {${Array.from({ length: 200 }, (_, i) => i).join()}}, ['${'x'.repeat(6000)}'])`,
    )
  }, 240_000)
  afterAll(async () => five?.[Symbol.asyncDispose]())

  test('pages have the allowed size; refused write times are reported, and omitted with --no-stamps', async () => {
    const url = (keyspace: string): string => five.url(keyspace, 'app:app')
    const copy = (more: Parameters<typeof copyBetween>[3] = {}) =>
      perform(copyBetween(url('s5'), url('t5'), ['s5.t'], { toSchema: 't5', restart: true, ...more }))
    const stamped = await copy()
    expect(failures(stamped)).toMatch(/guardrail.*--no-stamps/is)
    expect(failures(stamped)).not.toContain('row.aside')
    const bare = await copy({ cassandra: { dropStamps: true } })
    expect(bare.finished.totals, failures(bare)).toMatchObject({ read: '4', written: '3', quarantined: '1' })
    expect((await five.rows('SELECT id, v FROM t5.t')).toSorted()).toEqual([
      [1, 'v'],
      [2, 'v'],
      [3, 'v'],
    ])
  })
})

function abortable(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}
