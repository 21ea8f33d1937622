/**
 * How a stream of PostgreSQL starts: what it waits for, what it creates, and how it removes objects of killed attempts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ChangeSource } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, SIGNAL, type Psql } from './copy-postgresql-kit.ts'
import { asked, changesOf, keyed, LOGICAL } from './follow-source-kit.ts'

const NAME = `sluice_${'a'.repeat(56)}`

let server: PostgresServer
let store: CopyStore
let source: ChangeSource
let sql: Psql

const until = async (what: string, is: () => Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 1500; i++) {
    if (await is()) return
    await sleep(20)
  }
  throw new Error(`never came: ${what}`)
}
const slots = (): Promise<unknown[][]> => sql.rows('SELECT slot_name, plugin FROM pg_replication_slots')
const publications = (): Promise<unknown[][]> => sql.rows('SELECT pubname FROM pg_publication')

describe.skipIf(!POSTGRES_OWN)(`the start of a stream of PostgreSQL ${POSTGRES_MISSING}`, () => {
  beforeAll(async () => {
    server = await startPostgres({ extraSettings: LOGICAL })
    await server.createDatabase('begun')
    sql = await psql(server.url('begun'))
    await sql.run(`
      CREATE TABLE plain (id int PRIMARY KEY, v text);
      CREATE SCHEMA "Ä""; DROP"; CREATE TABLE "Ä""; DROP"."${'é'.repeat(31)}'" ("i""d" int PRIMARY KEY, "ß" int);
      CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
      CREATE TABLE made (id int PRIMARY KEY, s int GENERATED ALWAYS AS (id + 1) STORED)`)
    store = await openPostgresCopy(server.url('begun'))
    source = changesOf(store)
  })

  afterAll(async () => {
    await store?.[Symbol.asyncDispose]()
    await sql?.close()
    await server?.[Symbol.asyncDispose]()
  })

  afterEach(() => source.end(NAME, SIGNAL))

  test('a position that the source reports is on the disk: a stream reaches it even if the source is at rest', async () => {
    const flushed = 'pg_current_wal_flush_lsn()'
    // A SELECT that prunes a page writes such a record in a transaction without a commit record: it stays in memory
    // until something flushes it.
    await sql.run('BEGIN')
    const [[waits] = []] = await sql.rows(
      `SELECT pg_logical_emit_message(false, 'test', repeat('x', 100)) > ${flushed}`,
    )
    await sql.run('ROLLBACK')
    expect(waits).toBe('t')
    const end = source.text(await source.fence(SIGNAL))
    expect(await sql.rows(`SELECT ${flushed} >= '${end}'::pg_lsn`)).toEqual([['t']])
  })

  test('publishes tables by name, whatever their names, and partitions through the root', async () => {
    const hostile = `"Ä""; DROP"."${'é'.repeat(31)}'"`
    const all = await store.tables('*.*', SIGNAL)
    const names = all.map(({ table }) => `${table.schema}.${table.name}`)
    expect(names).toContain(`Ä"; DROP.${'é'.repeat(31)}'`)
    const tables = all
      .filter(({ table }) => table.name !== 'made')
      .map((table) => ({
        table,
        columns: table.columns.map((column) => ({ name: column.name, as: column.type, column })),
        identity: table.key,
      }))
    const startRecord = await source.begin(NAME, tables, SIGNAL)
    expect(await sql.rows('SELECT tablename FROM pg_publication_tables ORDER BY tablename COLLATE "C"')).toEqual([
      ['parts'],
      ['plain'],
      [`${'é'.repeat(31)}'`],
    ])
    expect(await sql.rows('SELECT puballtables, pubviaroot FROM pg_publication')).toEqual([['f', 't']])
    expect(await slots()).toEqual([[NAME, 'pgoutput']])
    expect(source.text(source.position(startRecord.start))).toBe(startRecord.start)
    const applied = source.position(startRecord.start)
    expect(await source.verify(startRecord, tables, applied, SIGNAL)).toEqual({ faults: [], moved: {}, unclear: [] })
    await sql.run(`ALTER TABLE ${hostile} RENAME COLUMN "ß" TO "ß'"`)
    const { faults } = await source.verify(startRecord, tables, applied, SIGNAL)
    expect(faults.map(({ message }) => message)).toEqual([`Ä"; DROP.${'é'.repeat(31)}': column ß was renamed to ß'`])
  })

  test('publishes stored generated columns only if they are copied', async ({ skip }) => {
    skip((await server.major()) < 18, 'servers before PostgreSQL 18 do not report them')
    const [table] = await asked(store, 'made')
    const columns = table!.table.columns.map((column) => ({ name: column.name, as: column.type, column }))
    await source.begin(NAME, [{ ...table!, columns, identity: ['id'] }], SIGNAL)
    expect(await sql.rows('SELECT pubgencols FROM pg_publication')).toEqual([['s']])
    await source.begin(NAME, await keyed(store, 'made'), SIGNAL)
    expect(await sql.rows('SELECT pubgencols FROM pg_publication')).toEqual([['n']])
  })

  test('never makes the server refuse changes of a table with REPLICA IDENTITY FULL', async ({ skip }) => {
    skip((await server.major()) < 18, 'servers before PostgreSQL 18 do not look at generated columns')
    await sql.run(`CREATE TABLE named (id int NOT NULL UNIQUE, g int GENERATED ALWAYS AS (id + 1) STORED);
      ALTER TABLE named REPLICA IDENTITY FULL; INSERT INTO named VALUES (1)`)
    const startRecord = await source.begin(NAME, await keyed(store, 'named'), SIGNAL)
    await sql.run('UPDATE named SET id = 2; DELETE FROM named; INSERT INTO named VALUES (3)')
    expect(await sql.rows('SELECT pubgencols FROM pg_publication')).toEqual([['s']])
    expect(
      await source.verify(startRecord, await keyed(store, 'named'), source.position(startRecord.start), SIGNAL),
    ).toMatchObject({
      faults: [],
    })
  })

  test('removes the objects of attempts that were killed after the publication, and after the slot', async () => {
    const tables = await keyed(store, 'plain')
    await sql.run(`CREATE PUBLICATION ${NAME} FOR ALL TABLES`)
    await source.begin(NAME, tables, SIGNAL)
    await sql.run(`INSERT INTO plain VALUES (1, 'x')`)
    const [old] = await source.slots(SIGNAL)
    const startRecord = await source.begin(NAME, tables, SIGNAL)
    expect(source.position(startRecord.start)).toBeGreaterThan(source.position(old?.confirmed ?? ''))
    expect(await publications()).toEqual([[NAME]])
    expect(await slots()).toEqual([[NAME, 'pgoutput']])
    await expect(source.begin('theirs', tables, SIGNAL)).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  })

  test('names the transactions that it waits for, and continues when they have ended', async () => {
    const writer = await psql(server.url('begun'))
    await writer.run("SET application_name TO 'nightly'; BEGIN; INSERT INTO plain VALUES (2, 'x')")
    const reported: string[] = []
    const startRecord = source.begin(NAME, await keyed(store, 'plain'), SIGNAL, (message) => reported.push(message))
    await until('a word', async () => reported.length > 0)
    expect(reported[0]).toMatch(
      /^slot sluice_a+ waits for open transactions: session \d+ of sluice in database begun \(nightly\), open for \d+ s$/,
    )
    await writer.run('COMMIT')
    expect((await startRecord).slot).toBe(NAME)
    await writer.close()
  })

  test('writers wait for the slot alone, and not for open transactions of other databases', async () => {
    await server.createDatabase('beside')
    const [other, writer] = [await psql(server.url('beside')), await psql(server.url('begun'))]
    await other.run("SET application_name TO 'batch'; CREATE TABLE far (id int); BEGIN; INSERT INTO far VALUES (1)")
    await writer.run("SET lock_timeout TO '2s'")
    const reported: string[] = []
    const startRecord = source.begin(
      NAME,
      await keyed(store, 'plain'),
      SIGNAL,
      (message) => reported.push(message),
      true,
    )
    startRecord.catch(() => undefined)
    await until('a word', async () => reported.length > 0)
    expect(reported).toEqual([
      expect.stringMatching(
        /^the lock that blocks writers waits for open transactions: session \d+ of sluice in database beside \(batch\), open for \d+ s$/,
      ),
    ])
    await writer.run("INSERT INTO plain VALUES (80, 'x')")
    await other.run('COMMIT')
    expect((await startRecord).slot).toBe(NAME)
    expect(reported.slice(1)).toEqual([
      expect.stringMatching(/^writers of public.plain waited for at most \d+ ms while/),
    ])
    await writer.run("INSERT INTO plain VALUES (81, 'x')")
    await writer.close()
    await other.close()
  })

  test('a table that is copied again waits for no session of another database, and names those that it waits for', async () => {
    const tables = await keyed(store, 'plain')
    const startRecord = await source.begin(NAME, tables, SIGNAL)
    await server.createDatabase('elsewhere')
    const [other, writer] = [await psql(server.url('elsewhere')), await psql(server.url('begun'))]
    await other.run('CREATE TABLE far (id int); BEGIN; INSERT INTO far VALUES (1)')
    await writer.run("SET application_name TO 'nightly'; BEGIN; INSERT INTO plain VALUES (70, 'x')")
    const reported: string[] = []
    const position = source.position(startRecord.start)
    const renewed = source.renew?.(startRecord, tables, position, SIGNAL, (message) => reported.push(message))
    await until('a word', async () => reported.length > 0)
    expect(reported).toEqual([
      expect.stringMatching(
        /^the first snapshot waits for open transactions: session \d+ of sluice in database begun \(nightly\), open for \d+ s$/,
      ),
    ])
    await writer.run('COMMIT')
    expect(await renewed).toMatchObject({ slot: NAME })
    await other.run('COMMIT')
    await writer.close()
    await other.close()
  })

  test('triggers wait for sessions that use the table, and name no others', async () => {
    const triggers = store.offers.triggerChanges?.()
    const [holder, other] = [await psql(server.url('begun')), await psql(server.url('begun'))]
    await holder.run("SET application_name TO 'holder'; BEGIN; INSERT INTO parts VALUES (71)")
    await other.run("SET application_name TO 'reader'; BEGIN; INSERT INTO plain VALUES (72, 'x'); SELECT * FROM parts")
    const reported: string[] = []
    const begun = triggers?.begin('sluice_72', await keyed(store, 'parts'), SIGNAL, (message) => reported.push(message))
    await until('a word', async () => reported.length > 0)
    expect(reported).toEqual([
      expect.stringMatching(
        /waits for open transactions: session \d+ of \S+ in database begun \(holder\), open for \d+ s$/,
      ),
    ])
    await holder.run('ROLLBACK')
    expect(await begun).toMatchObject({ slot: 'sluice_72' })
    await other.run('ROLLBACK')
    await triggers?.end('sluice_72', SIGNAL)
    await holder.close()
    await other.close()
  })

  test('an abort leaves no slot and no publication behind', async () => {
    const writer = await psql(server.url('begun'))
    await writer.run("BEGIN; INSERT INTO plain VALUES (3, 'x')")
    const broken = new AbortController()
    const startRecord = source.begin(NAME, await keyed(store, 'plain'), broken.signal)
    await until('a slot', async () => (await slots()).length === 1)
    broken.abort(new Error('enough'))
    await expect(startRecord).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await publications()).toEqual([])
    expect(await slots()).toEqual([])
    await writer.run('ROLLBACK')
    await writer.close()
  })

  test('waits for a commit that no snapshot shows yet', async () => {
    await sql.run('SET synchronous_commit TO local; ALTER DATABASE begun SET synchronous_commit TO local')
    const writer = await psql(server.url('begun'))
    await writer.run('SET synchronous_commit TO on')
    await sql.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await sql.run('SELECT pg_reload_conf()')
    // Each session rereads the settings at its own time.
    await until('the setting', async () => (await writer.rows('SHOW synchronous_standby_names'))[0]?.[0] === 'nobody')
    // Its commit record is in the log, and no snapshot shows it: it waits for a standby that never comes.
    const [[pid] = []] = await writer.rows('SELECT pg_backend_pid()')
    await sql.run('SET synchronous_commit TO local; ALTER ROLE ALL SET synchronous_commit TO local')
    let isThere = false
    const inserted = async (): Promise<void> => {
      isThere = false
      await writer.run("INSERT INTO plain VALUES (4, 'x')")
      isThere = true
    }
    let commit = inserted()
    await until('the wait', async () => {
      // Sessions read the setting before the checkpointer makes them honour it: a commit in between does not wait.
      if (isThere) {
        await sql.run('DELETE FROM plain WHERE id = 4')
        commit = inserted()
      }
      // Others, such as autovacuum, may wait as well.
      const waits = `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = ${String(pid)}`
      return (await sql.rows(waits)).length === 1
    })
    let made = false
    const startRecord = source.begin(NAME, await keyed(store, 'plain'), SIGNAL).then((value) => {
      made = true
      return value
    })
    await until('a slot', async () => (await slots()).length === 1)
    await sleep(300)
    expect(made).toBe(false)
    expect(await sql.rows('SELECT id FROM plain WHERE id = 4')).toEqual([])
    await sql.run('ALTER SYSTEM RESET synchronous_standby_names')
    await sql.run('SELECT pg_reload_conf()')
    await commit
    await startRecord
    expect(await sql.rows('SELECT id FROM plain WHERE id = 4')).toEqual([['4']])
    await sql.run('ALTER DATABASE begun RESET synchronous_commit')
    await writer.close()
  })
})
