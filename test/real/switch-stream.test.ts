/**
 * How a stream of the new public table starts, from the transaction of the cutover on; and a COMMIT whose answer is
 * lost.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, SIGNAL, type Psql } from './copy-postgresql-kit.ts'
import { changesOf, keyed, LOGICAL } from './follow-source-kit.ts'
import { rowsOnly, take } from './replication-kit.ts'
import { makeNewTable, NO_VALUES, NOTHING, opened, ours, request, turn } from './switch-kit.ts'

const FORWARD = request("it's", 'twin "p"', 'old one')
const BACK = request("it's", 'old one', 'twin "p"')
const PUBLIC = `public."it's"`
const TWIN = 'public."twin ""p"""'
const OLD = 'public."old one"'
const TABLE = `CREATE TABLE ${PUBLIC} (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL, note text, PRIMARY KEY (id, at)); INSERT INTO ${PUBLIC} (at, note) VALUES ('2024-02-02', 'before')`
const SLOT = 'sluice_back_and_forth'
/** The path on Debian and Ubuntu. */
const OLDER = '/usr/lib/postgresql/15/bin'

const VERSIONS = [
  ['the newest', undefined, ''],
  ['15', OLDER, existsSync(join(OLDER, 'postgres')) ? '' : ' (needs PostgreSQL 15)'],
] as const

describe.each(VERSIONS)(
  'a reverse stream out of the table that became public, PostgreSQL %s%3$s',
  (_, folder, missing) => {
    const isLeftOut = !POSTGRES_OWN || missing !== ''
    let server: PostgresServer
    let store: CopyStore
    let sql: Psql

    beforeAll(async () => {
      if (isLeftOut) return
      server = await startPostgres({ extraSettings: LOGICAL, ...(folder === undefined ? {} : { binFolder: folder }) })
      await server.createDatabase('streams')
      sql = await psql(server.url('streams'))
      store = await openPostgresCopy(server.url('streams'))
      await sql.run(TABLE)
      await makeNewTable(store, sql, FORWARD.from, { twin: FORWARD.to.name })
      await sql.run(`INSERT INTO ${TWIN} OVERRIDING SYSTEM VALUE SELECT * FROM ${PUBLIC}`)
    })

    afterAll(async () => {
      if (isLeftOut) return
      await store[Symbol.asyncDispose]()
      await sql.close()
      await server[Symbol.asyncDispose]()
    })

    test.skipIf(isLeftOut)('is complete from its start position, and reports what is written after it', async () => {
      const source = changesOf(store)
      const twins = await keyed(store, 'public.twin*')
      const first = await source.begin(SLOT, twins.slice(0, 1), SIGNAL)
      const [newTable] = twins
      if (newTable === undefined) throw new Error('no twin')
      const tables = [{ ...newTable, table: { ...newTable.table, table: { schema: 'public', name: "it's" } } }]
      await sql.run(`INSERT INTO ${TWIN} (at, note) VALUES ('2024-03-03', 'applied before the switch')`)
      await using attempt = await opened(store, FORWARD)
      await attempt.exchange(NO_VALUES)
      const position = await attempt.position()
      expect(await attempt.startRecord('sluice_gone', first.start, []), 'a slot that is gone').toBeNull()
      const startRecord = await attempt.startRecord(SLOT, first.start, tables)
      if (startRecord === null) throw new Error('the slot has lost changes')
      expect(await attempt.commit(NOTHING)).toBe('committed')
      expect(Object.keys(startRecord.shapes)).toEqual(["public.it's"])
      expect(await source.verify(startRecord, tables, position, SIGNAL)).toEqual({ faults: [], moved: {}, unclear: [] })
      await sql.run(`INSERT INTO ${PUBLIC} (at, note) VALUES ('2025-04-04', 'after the switch')`)
      await using stream = await source.open(startRecord, tables, position, SIGNAL)
      const changes = rowsOnly(await take(stream, 1))
      expect(changes).toHaveLength(1)
      expect(JSON.stringify(changes)).toContain('after the switch')
      await stream[Symbol.asyncDispose]()
      await source.end(SLOT, SIGNAL)
      await expect(sql.run(`DELETE FROM ${OLD}`)).rejects.toMatchObject({ code: '55000' })
      await turn(store, BACK)
      expect((await ours(sql)).filter((one) => one.startsWith('function'))).toHaveLength(1)
    })

    test.skipIf(isLeftOut)('closes the ledger in the same transaction, or has not happened', async () => {
      await sql.run(
        'CREATE TABLE IF NOT EXISTS public.ledger (id int PRIMARY KEY, turn int); INSERT INTO public.ledger VALUES (1, 0)',
      )
      const set = (id: number) => ({
        statements: [{ sql: 'UPDATE ledger SET turn = turn + 1 WHERE id = ?', parameters: [id] }],
        guard: { sql: 'SELECT 1 FROM ledger WHERE id = ?', parameters: [1] },
        landed: { sql: 'SELECT 1 FROM ledger WHERE turn > ?', parameters: [0] },
      })
      const kind = async (): Promise<unknown> =>
        (await sql.rows(`SELECT relkind FROM pg_class WHERE relname = 'it''s'`))[0]?.[0]
      for (const id of [2, 1]) {
        await using attempt = await opened(store, FORWARD)
        await attempt.exchange(NO_VALUES)
        expect(await attempt.commit(set(id))).toBe(id === 1 ? 'committed' : 'fenced')
        expect(await kind()).toBe(id === 1 ? 'p' : 'r')
      }
      {
        await using attempt = await opened(store, BACK)
        await attempt.exchange(NO_VALUES)
        const lost = { ...set(1), guard: { sql: 'SELECT 1 WHERE ? = 0', parameters: [1] } }
        expect(await attempt.commit(lost)).toBe('fenced')
      }
      expect([await kind(), await sql.rows('SELECT turn FROM ledger')]).toEqual(['p', [['1']]])
      await turn(store, BACK)
    })
  },
)
