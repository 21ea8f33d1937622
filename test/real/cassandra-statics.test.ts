/**
 * Static columns: the shared values of a partition are read correctly for any page size, and partitions without rows
 * are copied, too.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { concurrent } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'
import { openCassandraCopy } from '../../src/stores/cassandra/copy/index.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { copyBetween, failures, texts } from './cassandra-target-kit.ts'

const TABLE = `CREATE TABLE m10 (id text, c int, st text static, tags set<text> static, v text, PRIMARY KEY (id, c)) WITH CLUSTERING ORDER BY (c DESC)`
const WRITTEN = 1_600_000_000_000_000

describe.skipIf(!CASSANDRA_AVAILABLE)(
  `static columns${CASSANDRA_MISSING === '' ? '' : ` (${CASSANDRA_MISSING})`}`,
  () => {
    let source: TestKeyspace
    beforeAll(async () => {
      source = await newKeyspace()
      await source.cql(TABLE)
      const { client } = source.link
      const rows = Array.from({ length: 300 }, (_, i) => [`p${i % 100}`, Math.floor(i / 100), `v${i}`])
      await concurrent.executeConcurrent(client, 'INSERT INTO m10 (id, c, v) VALUES (?, ?, ?)', rows)
      const shared = Array.from({ length: 100 }, (_, i) => [`p${i}`, i % 3 === 0 ? null : `s${i}`, [`t${i}`]])
      const cql = `INSERT INTO m10 (id, st, tags) VALUES (?, ?, ?) USING TIMESTAMP ${WRITTEN} AND TTL 400000`
      await concurrent.executeConcurrent(client, cql, shared)
      // A partition of many rows extends over several pages, and one without rows has static values only.
      const many = Array.from({ length: 120 }, (_, i) => ['many', i, 'v'])
      await concurrent.executeConcurrent(client, 'INSERT INTO m10 (id, c, v) VALUES (?, ?, ?)', many)
      await source.cql(
        `INSERT INTO m10 (id, st) VALUES ('many', 'of many') USING TIMESTAMP ${WRITTEN}`,
        `INSERT INTO m10 (id, st) VALUES ('no row', 'of none') USING TIMESTAMP ${WRITTEN}`,
      )
    }, 60_000)
    afterAll(async () => {
      await source[Symbol.asyncDispose]()
    })

    /** Reads each partition by its key, in one page. */
    async function slowly(what: string): Promise<readonly string[]> {
      const all: string[] = []
      for (const id of [...Array.from({ length: 100 }, (_, i) => `p${i}`), 'many', 'no row']) {
        all.push(...(await texts(source, `SELECT ${what} FROM m10 WHERE id = '${id}'`)))
      }
      return all.toSorted()
    }

    test.for([1, 7, 50, 1000])(
      'pages of %d rows give the same as single partitions, with write times and TTLs',
      { timeout: 60_000 },
      async (pageRows) => {
        await using store = await openCassandraCopy(source.url, { mode: 'read', cassandra: { pageRows } })
        const { signal } = new AbortController()
        const [table] = await store.tables('m10', signal)
        if (table === undefined) throw new Error('the table is there')
        await using view = await store.source(signal)
        const columns = table.columns.map((column) => ({ name: column.name, as: column.type, column }))
        const request = { table, columns, range: { by: 'all' }, where: null, ordered: false, stamps: true } as const
        const position = (name: string): number => columns.findIndex((column) => column.name === name)
        const found: string[] = []
        for await (const { rows, stamps } of view.read(request, { rows: 100, bytes: 1_000_000 }, signal)) {
          for (const [i, row] of rows.entries()) {
            const cell = (name: string): unknown => row[position(name)] ?? null
            const [time, life] = [stamps?.[i]?.times[position('st')], stamps?.[i]?.lifetimes[position('st')]]
            const tags = cell('tags') === null ? null : (JSON.parse(cell('tags') as string) as unknown)
            const c = cell('c') === null ? null : Number(cell('c'))
            found.push(JSON.stringify([cell('id'), c, cell('st'), tags, cell('v')]))
            if (cell('st') === null) continue
            expect(String(time), String(cell('id'))).toBe(String(WRITTEN))
            if (cell('c') === null || cell('id') === 'many') expect(life).toBeNull()
            else expect(400_000 - (life ?? 0)).toBeLessThan(300)
          }
        }
        expect(found.toSorted()).toEqual(await slowly('id, c, st, tags, v'))
      },
    )

    test('in PostgreSQL each row has the static values of its partition', { timeout: 60_000 }, async ({ skip }) => {
      const why = await missing('postgresql')
      if (why !== '') skip(why)
      const folder = mkdtempSync(path.join(tmpdir(), 'sluice-statics-'))
      const to = await makePlace('postgresql', folder)
      const copy = copyBetween(source.url, to.url, ['m10'], { ring: { splits: 1 }, cassandra: { pageRows: 50 } })
      const ran = await perform(copy)
      expect(ran.finished.error?.code).toBe('ROWS_ASIDE')
      expect(ran.finished.totals).toMatchObject({ read: '421', written: '420', quarantined: '1' })
      const there = await to.rows('SELECT id, c, st FROM m10')
      const wanted = (await slowly('id, c, st')).filter((row) => !row.includes('no row'))
      const found = there.map(([id, c, st]) => JSON.stringify([id, Number(c), st]))
      expect(found.toSorted()).toEqual(wanted)
      const again = await perform({ kind: 'retry-quarantine', from: source.url, to: to.url })
      expect(again.finished.error?.reason).toBe('the partition (no row) has static values, but no row')
      const { finished } = await perform(diffOf(to.url, { cassandra: { pageRows: 50 } }))
      expect(finished.totals).toMatchObject({ missing: '0', different: '0' })
      rmSync(folder, { recursive: true, force: true })
    })

    test('between clusters they are equal after a copy, and are compared', { timeout: 60_000 }, async () => {
      await using target = await newKeyspace()
      const more = { ring: { splits: 1 }, cassandra: { pageRows: 50 } }
      const ran = await perform(copyBetween(source.url, target.url, ['m10'], more))
      expect(ran.finished.error, failures(ran)).toBeUndefined()
      expect(ran.finished.totals).toMatchObject({ read: '421', written: '421', quarantined: '0' })
      const what = 'id, c, st, writetime(st), tags, v, writetime(v)'
      const alone = "SELECT id, c, st, tags, v FROM m10 WHERE id = 'many'"
      expect(await texts(target, alone)).toEqual(await texts(source, alone))
      const options = { prepare: true, fetchSize: 5000 }
      const all = async ({ link, name }: TestKeyspace): Promise<readonly string[]> => {
        const { rows } = await link.client.execute(`SELECT ${what} FROM ${name}.m10`, [], options)
        return rows.map((row) => row.values().map(String).join('|')).toSorted()
      }
      expect(await all(target)).toEqual(await all(source))

      const same = await perform(diffOf(target.url, more))
      expect(same.finished.error).toBeUndefined()
      expect(same.finished.totals).toMatchObject({ rows: '421', missing: '0', extra: '0', different: '0' })

      // Rows that the target lacks are copied; those that only the target has are removed with --delete-extra.
      await source.cql(`INSERT INTO m10 (id, st) VALUES ('late', 'of none') USING TIMESTAMP ${WRITTEN}`)
      await target.cql(`INSERT INTO m10 (id, st) VALUES ('stranger', 'not of the source') USING TIMESTAMP ${WRITTEN}`)
      const apart = await perform(diffOf(target.url, more))
      expect(apart.finished.totals).toMatchObject({ missing: '1', extra: '1', different: '0' })
      const repaired = await perform(diffOf(target.url, { ...more, fix: true, deleteExtra: true }))
      expect(repaired.finished.error).toBeUndefined()
      expect(repaired.finished.totals).toMatchObject({ missing: '1', extra: '1', fixed: '2' })
      expect(await texts(target, `SELECT id, st FROM m10 WHERE id IN ('stranger')`)).toEqual([])
      expect((await perform(diffOf(target.url, more))).finished.exitCode).toBe(0)
    })

    function diffOf(to: string, more: Partial<DiffOperation>): DiffOperation {
      return {
        kind: 'diff',
        from: source.url,
        to,
        tables: ['m10'],
        rename: {},
        workers: 4,
        limit: 1000,
        fix: false,
        deleteExtra: false,
        ring: { splits: 1 },
        ...more,
      }
    }
  },
)
