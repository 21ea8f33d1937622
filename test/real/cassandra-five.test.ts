/** What only a Cassandra of 5.0 has: times of collections, guardrails, storage-attached indexes, vectors. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { DiffOperation } from '../../src/engine/operation.ts'
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


  describe('times and lives of collections', () => {
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
        "UPDATE s5.own USING TTL 60000 AND TIMESTAMP 3000 SET m={'a':'b'} WHERE id=4",
        "UPDATE s5.own USING TIMESTAMP 3500 SET m=m+{'c':'forever'} WHERE id=4",
      )
    })

    test('are those of each collection, and not those of its row', async () => {
      const ran = await copy('own')
      expect(ran.finished.exitCode, failures(ran)).toBe(0)
      expect(await timesOf('t5', 1)).toEqual(await timesOf('s5', 1))
      expect(await timesOf('t5', 2)).toEqual(await timesOf('s5', 2))
      expect(await timesOf('t5', 3)).toEqual(await timesOf('s5', 3))
      expect((await timesOf('t5', 4))['m']).toEqual([
        [3500n, 3500n],
        [null, null],
      ])
      expect((await diff('own')).finished.exitCode).toBe(0)
    })

    test('are the largest of their elements, which the plan and the end say', async () => {
      const ran = await copy('own')
      const plan = ran.events.find((event) => event.type === 'plan.ready')
      expect(JSON.stringify(plan)).toMatch(/elements.*latest write time.*longest time to live/)
      const end = ran.events.find((event) => event.type === 'table.finished')
      expect(JSON.stringify(end)).toContain('in one row elements of m had write times or times to live of their own')
    })

    test('are compared, and mended', async () => {
      await copy('own')
      await five.cql("UPDATE t5.own USING TIMESTAMP 1000 SET m={'a':'goes'} WHERE id=2")
      await five.cql("UPDATE t5.own USING TIMESTAMP 1001 SET m={'a':'goes'}, l=[1,2] WHERE id=1")
      const found = await diff('own')
      expect(found.finished.exitCode).toBe(1)
      const difference = found.events.find((event) => event.type === 'difference')
      expect(difference).toMatchObject({ key: ['1'], difference: 'different', newer: ['l', 'm'] })
      expect(JSON.stringify(difference)).toContain('never expires')
      const mended = await diff('own', { fix: true, overwriteNewer: true })
      expect(mended.finished.exitCode, failures(mended)).toBe(0)
      expect(mended.finished.totals).toMatchObject({ different: '1', fixed: '1' })
      expect(await five.rows('SELECT l, m FROM t5.own WHERE id = 1')).toEqual(
        await five.rows('SELECT l, m FROM s5.own WHERE id = 1'),
      )
      expect((await timesOf('t5', 1))['l']).toEqual([
        [1002n, 1002n],
        [60000, 60000],
      ])
      expect((await diff('own')).finished.exitCode).toBe(0)
    })

    test('of a later value of the target stay', async () => {
      await copy('own')
      await five.cql("UPDATE t5.own USING TIMESTAMP 9000 SET m={'a':'newer'} WHERE id=1")
      await five.cql("UPDATE s5.own USING TIMESTAMP 9500 SET v='mended' WHERE id=1")
      const kept = await diff('own', { fix: true })
      expect(kept.finished.exitCode).toBe(1)
      expect(await five.rows("SELECT v, m['a'] FROM t5.own WHERE id = 1")).toEqual([['mended', 'newer']])
    })
  })
})
