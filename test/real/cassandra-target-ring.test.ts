/**
 * Copies from one Cassandra to another: write times and TTLs of each value, static columns, collections, user-defined
 * types, counters.
 */
import { beforeEach, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { perform } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { codes, copyBetween, failures, started, texts } from './cassandra-target-kit.ts'

const WIDE = `CREATE TABLE wide ("Pk" text, "ck ""q""" int, day text, shared text static, tags_of set<text> static, a text, b double,
  tags set<text>, props map<text, int>, steps list<text>, pair frozen<tuple<int, text>>, home frozen<address>,
  PRIMARY KEY (("Pk"), "ck ""q""", day)) WITH CLUSTERING ORDER BY ("ck ""q""" DESC, day ASC)`
const COLUMNS = `"Pk", "ck ""q""", day, shared, writetime(shared), tags_of, a, writetime(a), b, writetime(b), ttl(b), tags, props, steps, pair, home`

describe.skipIf(!CASSANDRA_AVAILABLE)(
  `between clusters${CASSANDRA_MISSING === '' ? '' : ` (${CASSANDRA_MISSING})`}`,
  () => {
    let source: TestKeyspace
    let target: TestKeyspace
    beforeEach(async () => {
      source = await newKeyspace()
      target = await newKeyspace()
      return async () => {
        await source[Symbol.asyncDispose]()
        await target[Symbol.asyncDispose]()
      }
    }, 60_000)

    /** Partitions with and without rows, and values with write times and TTLs of their own. */
    async function fill(): Promise<void> {
      await source.cql(
        'CREATE TYPE point (x double, y double)',
        'CREATE TYPE address ("Street" text, at frozen<point>)',
        WIDE,
        `INSERT INTO wide ("Pk", shared, tags_of) VALUES ('only static', 's0', {'x'}) USING TIMESTAMP 1500000000000000`,
      )
      for (let i = 0; i < 60; i++) {
        const time = 1_600_000_000_000_000 + i
        const life = i % 3 === 0 ? ` AND TTL ${50_000 + i}` : ''
        const home = `{"Street": 'S ${i}', at: {x: 1.5, y: null}}`
        const more = i % 4 === 0 ? '' : `, {'t${i}', 'a', ''}, {'k': ${i}}, ['l', 'l', 'm${i}'], (${i}, null), ${home}`
        await source.cql(
          `INSERT INTO wide ("Pk", "ck ""q""", day, a${more === '' ? '' : ', tags, props, steps, pair, home'})
           VALUES ('p''${i % 7}', ${i}, 'd${i % 3}', 'é''; DROP TABLE x; -- ${i}'${more}) USING TIMESTAMP ${time}${life}`,
        )
        if (i % 5 !== 0) continue
        const where = `WHERE "Pk" = 'p''${i % 7}'`
        await source.cql(
          `UPDATE wide USING TIMESTAMP ${time + 5000} SET b = ${i}.5 ${where} AND "ck ""q""" = ${i} AND day = 'd${i % 3}'`,
          `UPDATE wide USING TIMESTAMP ${time + 9000} SET shared = 'shared ${i}' ${where}`,
        )
      }
    }

    test(
      'all arrives unchanged: write times, TTLs, static columns, collections, user-defined types',
      { timeout: 120_000 },
      async () => {
        await fill()
        const copy = copyBetween(source.url, target.url, ['wide'], { chunkRows: 10 })
        const ran = await perform(copy)
        expect(ran.finished, failures(ran)).toMatchObject({
          exitCode: 0,
          totals: { read: '61', written: '61', quarantined: '0' },
        })
        const before = await texts(source, `SELECT ${COLUMNS} FROM wide`)
        expect(before.length).toBe(61)
        expect(await texts(target, `SELECT ${COLUMNS} FROM wide`)).toEqual(before)
        const lives = async (keyspace: TestKeyspace): Promise<ReadonlyMap<string, number | null>> => {
          const rows = await keyspace.rows('SELECT "Pk", "ck ""q""", ttl(a) FROM wide')
          return new Map(
            rows.map((row) => {
              const [pk, ck, life] = row.values() as unknown[]
              return [`${String(pk)}/${String(ck)}`, life === null ? null : Number(life)]
            }),
          )
        }
        const [at, to] = [await lives(source), await lives(target)]
        for (const [key, life] of at) {
          if (life === null) expect(to.get(key), key).toBeNull()
          else expect(Math.abs((to.get(key) ?? 0) - life), key).toBeLessThan(60)
        }
        const second = await perform(copy)
        expect(second.finished.exitCode).toBe(0)
        expect(started(second)).toBe(0)
        const order = await target.rows('SELECT "ck ""q""" FROM wide WHERE "Pk" = ?', ["p'1"])
        expect(order.map((row) => Number((row.values() as unknown[])[0]))).toEqual([57, 50, 43, 36, 29, 22, 15, 8, 1])
      },
    )

    test(
      'a second copy duplicates nothing, and removes what the source has removed',
      { timeout: 120_000 },
      async () => {
        await fill()
        const copy = copyBetween(source.url, target.url, ['wide'], { onExisting: 'upsert' })
        const first = await perform(copy)
        expect(first.finished.exitCode, failures(first)).toBe(0)
        const again = await perform({ ...copy, restart: true })
        expect(again.finished.exitCode, failures(again)).toBe(0)
        expect(await texts(target, `SELECT ${COLUMNS} FROM wide`)).toEqual(
          await texts(source, `SELECT ${COLUMNS} FROM wide`),
        )
        const row = `WHERE "Pk" = 'p''1' AND "ck ""q""" = 1 AND day = 'd1'`
        await source.cql(`UPDATE wide SET tags = tags - {'a'}, steps = steps - ['l'], props['new'] = 1 ${row}`)
        const third = await perform({ ...copy, restart: true })
        expect(third.finished.exitCode, failures(third)).toBe(0)
        const values = '"Pk", "ck ""q""", day, a, b, tags, props, steps, home'
        expect(await texts(target, `SELECT ${values} FROM wide`)).toEqual(
          await texts(source, `SELECT ${values} FROM wide`),
        )
      },
    )

    test('with other layout, names and types, rows are found by their keys', { timeout: 120_000 }, async () => {
      await source.cql('CREATE TABLE t (a text, b int, v int, PRIMARY KEY (a, b))')
      for (let i = 0; i < 40; i++) {
        await source.cql(
          `INSERT INTO t (a, b, v) VALUES ('a${i % 4}', ${i}, ${i}) USING TIMESTAMP ${1_500_000_000_000_000 + i}`,
        )
      }
      await target.cql('CREATE TABLE "T" ("B" bigint, "A" text, v varint, more text, PRIMARY KEY (("B", "A")))')
      const copy = copyBetween(source.url, target.url, ['t'], {
        toTable: 'T',
        rename: { a: 'A', b: 'B' },
        cassandra: { batchRows: 10 },
      })
      const ran = await perform(copy)
      expect(ran.finished, failures(ran)).toMatchObject({ exitCode: 0, totals: { written: '40' } })
      expect(await texts(target, 'SELECT "A", writetime(v) FROM "T"')).toEqual(
        await texts(source, 'SELECT a, writetime(v) FROM t'),
      )
      expect(codes(await perform({ ...copy, restart: true }))).toEqual(['TARGET_NOT_EMPTY'])
      const appended = await perform({ ...copy, restart: true, onExisting: 'append' })
      expect(appended.finished, failures(appended)).toMatchObject({
        exitCode: 0,
        totals: { written: '0', skipped: '40' },
      })
    })

    test('a batch contains rows of one partition only', { timeout: 120_000 }, async () => {
      await source.cql('CREATE TABLE b (p int, c int, v text, PRIMARY KEY (p, c))')
      for (let i = 0; i < 300; i++) {
        await source.cql(`INSERT INTO b (p, c, v) VALUES (${i % 3}, ${i}, '${'x'.repeat(i)}')`)
      }
      const ran = await perform(copyBetween(source.url, target.url, ['b'], { cassandra: { batchRows: 50 } }))
      expect(ran.finished, failures(ran)).toMatchObject({ exitCode: 0, totals: { written: '300' } })
      const all = 'SELECT p, c, v, writetime(v) FROM b'
      expect(await texts(target, all)).toEqual(await texts(source, all))
    })

    test('counters have their values once, after any number of copies', { timeout: 120_000 }, async () => {
      await source.cql(
        'CREATE TABLE hits (page text, day int, total counter static, seen counter, liked counter, PRIMARY KEY (page, day))',
      )
      for (let i = 0; i < 30; i++) {
        const liked = i % 2 === 0 ? ', liked = liked - 1' : ''
        await source.cql(
          `UPDATE hits SET seen = seen + ${i * 10}${liked} WHERE page = 'p${i % 4}' AND day = ${i}`,
          `UPDATE hits SET total = total + ${i} WHERE page = 'p${i % 4}'`,
        )
      }
      const copy = copyBetween(source.url, target.url, ['hits'])
      const all = 'SELECT page, day, total, seen, liked FROM hits'
      const again = { ...copy, restart: true, onExisting: 'upsert' } as const
      for (const operation of [copy, again]) {
        const ran = await perform(operation)
        expect(ran.finished.exitCode, failures(ran)).toBe(0)
        expect(await texts(target, all)).toEqual(await texts(source, all))
      }
      await source.cql(`UPDATE hits SET seen = seen + 7, liked = liked + 1 WHERE page = 'p1' AND day = 1`)
      const third = await perform(again)
      expect(third.finished.exitCode, failures(third)).toBe(0)
      expect(await texts(target, all)).toEqual(await texts(source, all))
      const appended = await perform({ ...again, onExisting: 'append' })
      expect(appended.finished, failures(appended)).toMatchObject({ exitCode: 0, totals: { written: '0' } })
    })

    test('write times and TTLs other than those of the source, if requested', { timeout: 120_000 }, async () => {
      await source.cql(
        'CREATE TABLE w (k int PRIMARY KEY, a text, b text)',
        `INSERT INTO w (k, a) VALUES (1, 'x') USING TIMESTAMP 5`,
        `UPDATE w USING TIMESTAMP 9 AND TTL 5000 SET b = 'y' WHERE k = 1`,
      )
      let number = 0
      const look = async (cassandra: NonNullable<CopyOperation['cassandra']>): Promise<string> => {
        const toTable = `w${number++}`
        const ran = await perform(copyBetween(source.url, target.url, ['w'], { toTable, cassandra }))
        expect(ran.finished.exitCode, failures(ran)).toBe(0)
        const [row] = await target.rows(`SELECT writetime(a), ttl(a), writetime(b), ttl(b) FROM ${toTable}`)
        return ((row?.values() ?? []) as unknown[]).map(String).join(' ')
      }
      expect(await look({})).toMatch(/^5 null 9 (?:4\d{3}|5000)$/)
      expect(await look({ writetime: '77', ttl: 900 })).toMatch(/^77 (?:900|8\d\d) 77 (?:900|8\d\d)$/)
      expect(await look({ dropStamps: true })).toMatch(/^(\d{16}) null \1 null$/)
    })
  },
)
