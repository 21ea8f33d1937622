/** Partitions of PostgreSQL that are partitioned themselves are detached, dropped and restored as a whole. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, makeBookings, observe, TABLE } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Ran } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const why = await missing('postgresql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-divided-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const messages = ({ events }: Ran): string =>
  events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')
const only = (operation: Operation, label: string): Operation => ({ ...operation, partitions: [label] }) as Operation

/** Tables of the trees, their schemas, and how many rows each has by itself. */
const TREES = `SELECT n.nspname, regexp_replace(c.relname, '_[0-9]{4,}$', ''), c.relkind, c.relispartition,
    CASE WHEN c.relkind = 'r' THEN (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM ONLY %I.%I', n.nspname, c.relname), false, true, '')))[1]::text END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (c.relname LIKE '${TABLE}%' OR n.nspname = 'side' OR n.nspname = 'sluice_archived') AND c.relkind IN ('r', 'p') ORDER BY 1, 2`

describe.skipIf(why !== '')(`PostgreSQL${why}`, { timeout: 90_000 }, () => {
  const fresh = async (rows = 60) => {
    const place = await makePlace('postgresql', folder)
    const archived = await makeBookings(place, 'divided', mkdtempSync(join(folder, 'to-')), rows)
    return { place, archived, commands: commandsOf(archived) }
  }

  test('a detach and a drop are undone by a restore, which brings a dropped partition back undivided', async () => {
    const { place, archived, commands } = await fresh()
    const { run, drop, restore, verify, query } = commands
    await using observer = await observe(archived)
    const whole = async (): Promise<void> => {
      expect((await observer.look()).problems).toEqual([])
      expect((await countedBy(query)).counted).toBe(counted)
      expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
    }
    const { counted } = await countedBy(query)
    const trees = await place.rows(TREES)
    const indexes = `SELECT schemaname, indexname FROM pg_indexes WHERE tablename LIKE '${TABLE}%' OR schemaname = 'side' ORDER BY 1, 2`
    const indexed = await place.rows(indexes)
    const planned = await perform({ ...run, dryRun: true } as Operation)
    expect(planned.events).toContainEqual(
      expect.objectContaining({
        partition: '2020-Q1',
        status: 'due',
        note: 'not inherited from the parent: 4 tables below it, partitioned by HASH (id), which a restore cannot recreate after they are dropped',
      }),
    )
    const [first] = planned.events.filter((event) => event.type === 'archive.planned')
    expect(Number(first?.bytes)).toBeGreaterThan(0)
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0, totals: { detached: '2' } })
    await whole()
    // No table of a tree keeps its name, so that no session writes into a part of it by that name.
    const away = await place.rows(TREES)
    expect(away.map(([schema, name]) => `${schema}.${name}`)).toEqual([
      'public.bookings',
      'public.bookings_2',
      ...['0', '0_a', '0_b', '0_high', '1', '1_low', '1_rest'].map((name) => `sluice_archived.bookings_${name}`),
      'sluice_archived.low',
    ])
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(TREES)).toEqual(trees)
    expect(await place.rows(indexes)).toEqual(indexed)
    await whole()
    const again = { ...run, partitions: ['2020-Q1', '2020-Q2'] } as Operation
    expect((await perform(again)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
    expect((await place.rows(TREES)).map(([, name]) => name)).toEqual(['bookings', 'bookings_2'])
    await whole()
    const back = await perform(restore)
    expect(back.finished).toMatchObject({ exitCode: 0 })
    expect(messages(back)).toContain(
      '2020-Q1: not restored: its partitioning by HASH (id) into 4 tables: these tables were dropped with it, and all of its rows are in one table',
    )
    expect((await place.rows(TREES)).map(([, name, kind, , n]) => `${name} ${kind} ${n ?? ''}`)).toEqual([
      'bookings p ',
      'bookings_0 r 60',
      'bookings_1 r 60',
      'bookings_2 r 60',
    ])
    await whole()
  })

  test('rows written into a table of the tree are found before it is dropped', async () => {
    const { place, archived, commands } = await fresh()
    const { run, drop, query, restore } = commands
    expect((await perform({ ...only(run, '2020-Q1'), detach: false } as Operation)).finished).toMatchObject({
      exitCode: 0,
    })
    // By the name of a leaf, between export and detach.
    await place.sql(`INSERT INTO side.low SELECT id, '2020-01-03', 'late', 1 FROM generate_series(61, 99) id
      WHERE satisfies_hash_partition('${TABLE}_0'::regclass, 2, 1, id::bigint)`)
    await using observer = await observe(archived)
    const { counted } = await countedBy(query)
    const ran = await perform(only(run, '2020-Q1'))
    expect(ran.finished).toMatchObject({ exitCode: 0 })
    expect(messages(ran)).toContain('it is exported again')
    expect((await observer.look()).problems).toEqual([])
    expect((await countedBy(query)).counted).toBe(counted)
    // After that, into a table that no session should write to.
    const [[leaf] = []] = await place.rows(
      `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE tablename LIKE 'low_%'`,
    )
    await place.sql(`DELETE FROM ${leaf ?? ''}`)
    expect((await perform(only(drop, '2020-Q1'))).finished.exitCode).not.toBe(0)
    expect((await countedBy(query)).counted).toBe(counted)
    expect((await perform(only(restore, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(`SELECT count(*), sum(id) FROM ${TABLE}`)).toEqual([counted.split(' ')])
  })

  test('a session that writes into a table of the tree blocks the detach, and is named', async () => {
    const { place, commands } = await fresh(20)
    const { run } = commands
    const run1 = { ...only(run, '2020-Q1'), budgetMs: 300, patienceMs: 50 } as Operation
    const other = new pg.Client({ connectionString: place.url, application_name: 'leaf writer' })
    await other.connect()
    try {
      await other.query(`BEGIN; UPDATE side.low SET note = 'open'`)
      const ran = await perform(run1)
      expect(JSON.stringify(ran.events)).toContain('leaf writer')
      expect(await place.rows(`SELECT to_regclass('side.low') IS NOT NULL`)).toEqual([['t']])
      await other.query('COMMIT')
    } finally {
      await other.end()
    }
    expect((await perform({ ...run1, budgetMs: 60_000 } as Operation)).finished).toMatchObject({ exitCode: 0 })
  })

  test('one worker does all, because a reader of the tree blocks a detach by another worker', async () => {
    const { place, commands } = await fresh(20)
    const ran = await perform({ ...commands.run, workers: 4 } as Operation)
    expect(ran.finished).toMatchObject({ exitCode: 0, totals: { detached: '2' } })
    expect(messages(ran)).toContain('one worker is used')
    const reader = new pg.Client({ connectionString: place.url })
    await reader.connect()
    try {
      await perform(commands.restore)
      await reader.query(`BEGIN; SELECT count(*) FROM ${TABLE}_0`)
      const locked = `SELECT mode FROM pg_locks WHERE relation = '${TABLE}'::regclass AND granted`
      expect(await place.rows(locked)).toEqual([['AccessShareLock']])
    } finally {
      await reader.end()
    }
  })

  test('while a session writes into a table of the tree, no rows are summed or dropped', async () => {
    const { place, commands } = await fresh(20)
    const { run, drop } = commands
    expect((await perform(only(run, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
    const [[leaf] = []] = await place.rows(
      `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE tablename LIKE 'low_%'`,
    )
    const other = new pg.Client({ connectionString: place.url })
    await other.connect()
    try {
      // A DELETE takes no lock on the parent tables.
      await other.query(`BEGIN; DELETE FROM ${leaf ?? ''}`)
      const dropping = perform(only(drop, '2020-Q1'))
      const waiting = `SELECT DISTINCT relation::regclass::text FROM pg_locks WHERE locktype = 'relation' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
      await expect.poll(() => place.rows(waiting), { timeout: 30_000, interval: 20 }).toEqual([[leaf]])
      await other.query('COMMIT')
      const { finished } = await dropping
      expect(finished.error).toMatchObject({ code: 'PARTITION_CHANGED' })
      expect(await place.rows(`SELECT count(*) FROM ${leaf ?? ''}`)).toEqual([['0']])
    } finally {
      await other.end()
    }
  })

  test('late rows of the default partition are moved into the tree', async () => {
    const { place, commands } = await fresh(20)
    const { run, restore } = commands
    await place.sql(`CREATE TABLE ${TABLE}_rest PARTITION OF ${TABLE} DEFAULT`)
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(
      `INSERT INTO ${TABLE} VALUES (90001, '2020-02-02', 'late', NULL), (90002, '2020-02-02', 'late', NULL)`,
    )
    expect((await perform(only(restore, '2020-Q1'))).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}_0`)).toEqual([['22']])
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}_rest`)).toEqual([['0']])
  })

  test('a table whose columns have changed since gets the tree back', async () => {
    const { place, commands } = await fresh(20)
    const { run, restore, verify } = commands
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
    await place.sql(`ALTER TABLE ${TABLE} ADD extra int DEFAULT 7`, `ALTER TABLE ${TABLE} RENAME note TO remark`)
    expect((await perform(restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows(`SELECT count(*), count(remark), sum(extra) FROM ${TABLE}_0`)).toEqual([
      ['20', '17', '140'],
    ])
    expect((await perform(verify)).finished).toMatchObject({ exitCode: 0 })
  })

  test('rows are erased from a tree', async () => {
    const { place, archived, commands } = await fresh(20)
    const { run, drop, query } = commands
    const erase: Operation = {
      kind: 'archive-erase',
      from: place.url,
      table: TABLE,
      where: 'id = 5 or id = 100007',
      reason: 'T-1',
      dryRun: false,
      confirm: TABLE,
    }
    expect((await perform({ ...only(run, '2020-Q1'), detach: false } as Operation)).finished).toMatchObject({
      exitCode: 0,
    })
    expect((await perform(only(run, '2020-Q2'))).finished).toMatchObject({ exitCode: 0 })
    const erased = await perform(erase)
    expect(erased.finished.error).toBeUndefined()
    expect((await countedBy(query)).counted.split(' ')[0]).toBe('58')
    await using observer = await observe(archived)
    expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
    expect((await perform(drop)).finished).toMatchObject({ exitCode: 0 })
    expect((await countedBy(query)).counted.split(' ')[0]).toBe('58')
    expect((await perform(commands.restore)).finished).toMatchObject({ exitCode: 0 })
    expect(await observer.live()).not.toContain('5')
    expect(await place.rows(`SELECT count(*) FROM ${TABLE}`)).toEqual([['58']])
  })

  test('the error names objects below a partition that block its detach', async () => {
    const { place, commands } = await fresh(20)
    await place.sql(
      'CREATE TABLE photos (b_id bigint, b_at timestamp(0), CONSTRAINT of_low FOREIGN KEY (b_id, b_at) REFERENCES side.low)',
      `CREATE PUBLICATION of_low FOR TABLE ${TABLE}_1_low`,
    )
    const { finished } = await perform(commands.run)
    expect(finished.error).toMatchObject({ code: 'PARTITIONS_BLOCKED' })
    expect(finished.error?.reason).toContain(
      '2020-Q1: foreign keys of other tables refer to it and not to the whole table: of_low of photos',
    )
    expect(finished.error?.reason).toContain('2020-Q2: the publication of_low lists it separately')
  })
})
