/** Cassandra as a target of copies from other systems: types, nulls, keys, existing rows, refusals. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { makePlace, perform, type Place } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { codes, copyBetween, failures, started, texts } from './cassandra-target-kit.ts'

describe.skipIf(!CASSANDRA_AVAILABLE)(
  `copies into Cassandra${CASSANDRA_MISSING === '' ? '' : ` (${CASSANDRA_MISSING})`}`,
  () => {
    let folder = ''
    let target: TestKeyspace
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'sluice-cassandra-target-'))
    })
    beforeEach(async () => {
      target = await newKeyspace()
      return async () => {
        await target[Symbol.asyncDispose]()
      }
    }, 120_000)
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    async function sqlite(): Promise<Place> {
      return makePlace('sqlite', folder)
    }

    describe('from SQL', () => {
      test('rows, nulls and types are copied and proved; a second run does nothing', async () => {
        const place = await sqlite()
        await place.sql(
          `CREATE TABLE rides (id INTEGER PRIMARY KEY, name TEXT NOT NULL, ratio REAL, "note ""x""" TEXT, data BLOB) STRICT`,
          `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
         INSERT INTO rides SELECT i, 'name ' || i, i / 8.0, CASE i % 7 WHEN 0 THEN NULL ELSE 'é 🚰 ' || i END,
           CASE i % 3 WHEN 0 THEN NULL ELSE zeroblob(i % 5) END FROM n`,
        )
        const copy = copyBetween(place.url, target.url, ['rides'], { chunkRows: 500 })
        const first = await perform(copy)
        expect(first.finished.error).toBeUndefined()
        expect(first.finished).toMatchObject({ exitCode: 0, totals: { read: '2500', written: '2500', proved: '5' } })
        const rows = await target.rows('SELECT id, name, ratio, "note ""x""", data, writetime(data) AS t FROM rides')
        expect(rows.length).toBe(2500)
        for (const row of rows) {
          const id = Number(row.get('id'))
          expect(row.get('name')).toBe(`name ${id}`)
          expect(row.get('ratio')).toBe(id / 8)
          expect(row.get('note "x"')).toBe(id % 7 === 0 ? null : `é 🚰 ${id}`)
          expect(row.get('t') === null).toBe(id % 3 === 0)
        }
        const second = await perform(copy)
        expect(second.finished.exitCode).toBe(0)
        expect(started(second)).toBe(0)
      }, 120_000)

      test('a quarantined row that a killed retry has written is counted by the next one', async () => {
        const place = await sqlite()
        await place.sql(
          'CREATE TABLE rides (id INTEGER PRIMARY KEY, name TEXT)',
          "INSERT INTO rides VALUES (1, 'a'), (2, x'00'), (3, 'c')",
        )
        const copy = copyBetween(place.url, target.url, ['rides'])
        expect(codes(await perform(copy))).toEqual(['ROWS_ASIDE'])
        await place.sql("UPDATE rides SET name = 'b' WHERE id = 2")
        await target.cql("INSERT INTO rides (id, name) VALUES (2, 'b')")
        const retried = await perform({ kind: 'retry-quarantine', from: place.url, to: target.url })
        expect(retried.finished).toMatchObject({ exitCode: 0, totals: { written: '1' } })
        expect((await perform(copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '3' } })
      }, 120_000)

      test('the first of several key columns is the partition key; rows are written without nulls', async () => {
        const place = await sqlite()
        const names = Array.from({ length: 10 }, (_, i) => `c${i}`)
        const values = names.map((name, i) => `CASE (i >> ${i}) & 1 WHEN 1 THEN '${name} ' || i END`)
        await place.sql(
          `CREATE TABLE sparse (a INTEGER NOT NULL, b TEXT NOT NULL, ${names.map((name) => `${name} TEXT`).join(', ')}, PRIMARY KEY (a, b)) STRICT`,
          `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1023)
         INSERT INTO sparse SELECT i % 40, 'b' || i, ${values.join(', ')} FROM n`,
        )
        const ran = await perform(copyBetween(place.url, target.url, ['sparse'], { chunkRows: 1024 }))
        expect(ran.finished, failures(ran)).toMatchObject({ exitCode: 0, totals: { read: '1024', written: '1024' } })
        const { partitionKeys, clusteringKeys } = await target.link.client.metadata.getTable(target.name, 'sparse')
        expect([partitionKeys, clusteringKeys].map((keys) => keys.map(({ name }) => name))).toEqual([['a'], ['b']])
        const all = names.map((name) => `${name}, writetime(${name})`).join(', ')
        const rows = await target.rows(`SELECT a, b, ${all} FROM sparse`)
        expect(rows.length).toBe(1024)
        for (const row of rows) {
          const [, b, ...found] = row.values() as unknown[]
          const number = Number(String(b).slice(1))
          for (let i = 0; i < 10; i++) {
            const isThere = ((number >> i) & 1) === 1
            expect(found[2 * i]).toBe(isThere ? `c${i} ${number}` : null)
            expect(found[2 * i + 1] === null).toBe(!isThere)
          }
        }
      }, 120_000)

      test('rows that Cassandra cannot store are quarantined, and the others are copied', async () => {
        const place = await sqlite()
        await place.sql(
          `CREATE TABLE odd (id TEXT NOT NULL PRIMARY KEY, note TEXT) STRICT`,
          `INSERT INTO odd VALUES ('', 'empty'), ('a', 'x'), (printf('%70000s', 'long'), 'too long'), ('b', NULL)`,
        )
        const ran = await perform(copyBetween(place.url, target.url, ['odd']))
        expect(ran.finished, failures(ran)).toMatchObject({ totals: { read: '4', written: '2', quarantined: '2' } })
        expect(ran.finished.exitCode).toBe(1)
        expect(await texts(target, 'SELECT id, note FROM odd')).toEqual(['["a","x"]', '["b",null]'])
      }, 120_000)

      test('tables without a key, names that Cassandra cannot have, and --on-existing replace-range are refused by name', async () => {
        const place = await sqlite()
        await place.sql(
          'CREATE TABLE bare (a TEXT) STRICT',
          `CREATE TABLE "two words" (id INTEGER PRIMARY KEY) STRICT`,
          'CREATE TABLE plain (id INTEGER PRIMARY KEY) STRICT',
          `INSERT INTO bare VALUES ('a'), ('a')`,
        )
        const codesOf = async (table: string, more: Partial<CopyOperation> = {}): Promise<unknown> =>
          codes(await perform(copyBetween(place.url, target.url, [table], more)))
        expect(await codesOf('bare')).toEqual(['UNSUPPORTED_KEY'])
        expect(await codesOf('two words')).toEqual(['TABLE_REFUSED'])
        expect(await codesOf('plain', { onExisting: 'replace-range' })).toEqual(['UNSUPPORTED_KEY'])
      }, 120_000)

      test('a table whose rows could merge by the key of the target is refused before a write, each time', async () => {
        const place = await sqlite()
        await place.sql(
          'CREATE TABLE measured (at REAL PRIMARY KEY, note TEXT NOT NULL) STRICT',
          `INSERT INTO measured VALUES (1.5, 'a'), (2.5, 'b')`,
        )
        await target.cql(
          'CREATE TABLE measured (at double PRIMARY KEY, note text)',
          'CREATE TABLE noted (note text PRIMARY KEY, at double)',
        )
        const copy = copyBetween(place.url, target.url, ['measured'])
        for (let run = 0; run < 2; run++) {
          const { finished } = await perform(copy)
          expect(finished.error).toMatchObject({
            code: 'UNSUPPORTED_KEY',
            reason: 'the key of the target table is at, and the source has no key that can be used',
            hint: 'copy into a table with another key: at is a floating point number, which is not a safe key',
          })
        }
        const other = await perform({ ...copy, toTable: 'noted' })
        expect(other.finished.error).toMatchObject({ code: 'UNSUPPORTED_KEY', hint: expect.stringContaining('--key') })
        const keyed = await perform({ ...copy, toTable: 'noted', key: ['note'] })
        expect(keyed.finished, failures(keyed)).toMatchObject({ exitCode: 0, totals: { written: '2' } })
      }, 120_000)

      test('rows with NULL in their key are quarantined, and the others are copied', async () => {
        const place = await sqlite()
        await place.sql(
          'CREATE TABLE nulls (a INT, b INT, v TEXT, UNIQUE (a, b))',
          `INSERT INTO nulls VALUES (1, 1, 'x'), (NULL, 1, 'y'), (2, NULL, 'z'), (NULL, 1, 'y')`,
        )
        const { finished } = await perform(copyBetween(place.url, target.url, ['nulls']))
        expect(finished).toMatchObject({ exitCode: 1, totals: { read: '4', written: '1', quarantined: '3' } })
        expect(await texts(target, 'SELECT a, b, v FROM nulls')).toEqual(['["1n","1n","x"]'])
      }, 120_000)

      test('refuse, upsert and append', async () => {
        const place = await sqlite()
        await place.sql(
          'CREATE TABLE kept (id INTEGER PRIMARY KEY, a TEXT, b TEXT) STRICT',
          `INSERT INTO kept VALUES (1, 'one', NULL), (2, 'two', 'zwei'), (3, 'three', 'drei')`,
        )
        await target.cql(
          'CREATE TABLE kept (id bigint PRIMARY KEY, a text, b text)',
          `INSERT INTO kept (id, a, b) VALUES (1, 'old', 'stale')`,
          `INSERT INTO kept (id, a, b) VALUES (9, 'other', 'row')`,
        )
        const copy = (more: Partial<CopyOperation>): CopyOperation => copyBetween(place.url, target.url, ['kept'], more)
        expect(codes(await perform(copy({})))).toEqual(['TARGET_NOT_EMPTY'])
        expect(await texts(target, 'SELECT id, a, b FROM kept')).toEqual([
          '["1n","old","stale"]',
          '["9n","other","row"]',
        ])

        const upserted = await perform(copy({ onExisting: 'upsert', restart: true }))
        expect(upserted.finished, failures(upserted)).toMatchObject({ exitCode: 0, totals: { written: '3' } })
        const all = ['["1n","one",null]', '["2n","two","zwei"]', '["3n","three","drei"]', '["9n","other","row"]']
        expect(await texts(target, 'SELECT id, a, b FROM kept')).toEqual(all)

        await place.sql(`INSERT INTO kept VALUES (4, 'four', NULL)`)
        const appended = await perform(copy({ onExisting: 'append', restart: true }))
        expect(appended.finished, failures(appended)).toMatchObject({
          exitCode: 0,
          totals: { read: '4', written: '1', skipped: '3' },
        })
        const more = [...all, '["4n","four",null]'].toSorted()
        expect(await texts(target, 'SELECT id, a, b FROM kept')).toEqual(more)

        await place.sql(`UPDATE kept SET a = 'changed' WHERE id = 2`)
        expect((await perform(copy({ onExisting: 'append', restart: true }))).finished.exitCode).toBe(1)
        expect(await texts(target, 'SELECT id, a, b FROM kept')).toEqual(more)
      }, 120_000)

      test('if a consistency level is not available, rows are written at ONE', async () => {
        const place = await sqlite()
        await place.sql(
          'CREATE TABLE weak (id INTEGER PRIMARY KEY, a TEXT) STRICT',
          `INSERT INTO weak VALUES (1, 'one'), (2, 'two')`,
        )
        const cassandra = { writeConsistency: 'TWO', fallBackToOne: true } as const
        const ran = await perform(copyBetween(place.url, target.url, ['weak'], { cassandra }))
        expect(ran.finished, failures(ran)).toMatchObject({ totals: { written: '2' } })
        expect(await texts(target, 'SELECT id, a FROM weak')).toEqual(['["1n","one"]', '["2n","two"]'])
      }, 120_000)
    })
  },
)
