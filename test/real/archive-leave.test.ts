/** Partitions are detached first and proved afterwards: effects on other sessions, and which steps are allowed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { startArchiver } from '../fault/archive-kit.ts'
import { commandsOf, countedBy, makeBookings, type Archived } from '../support/archive-places.ts'
import { perform, placeOn } from '../support/copy-systems.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'

const LABEL = '2020-Q1'

describe.skipIf(!POSTGRES_OWN)('detach first, prove afterwards (needs a server of its own)', () => {
  let folder = ''
  let server: PostgresServer
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-leave-'))
    server = await startPostgres()
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  const fresh = async (rows = 60): Promise<Archived> =>
    makeBookings(await placeOn('postgresql', server.url('postgres')), 'native', mkdtempSync(join(folder, 'to-')), rows)
  const runOf = (archived: Archived, more: object = {}): Operation =>
    Object.assign({}, commandsOf(archived).run, { olderThan: undefined, partitions: [LABEL], ...more })
  const stateOf = async ({ place }: Archived): Promise<string | null | undefined> =>
    (await place.rows(`SELECT state FROM migration_archive_partitions WHERE partition_name = '${LABEL}'`))[0]?.[0]
  const detaching = async (archived: Archived): Promise<void> => {
    const { signal } = await startArchiver(runOf(archived), { at: 'COMMIT state DETACHING', when: 'after' }).ended
    expect(signal).toBe('SIGKILL')
  }

  test(
    'while its rows are summed, only reader locks are held, and writers of the table continue',
    { timeout: 60_000 },
    async () => {
      const archived = await fresh()
      const { place } = archived
      await place.sql(
        `INSERT INTO bookings SELECT 1000 + i, '2020-02-01'::timestamp + i * interval '1 second', repeat(md5(i::text), 8), 1 FROM generate_series(1, 100000) i`,
      )
      await detaching(archived)
      const [[table] = []] = await place.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'sluice_archived'")
      const work = perform(runOf(archived))
      const summing = `SELECT a.pid FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
      WHERE a.datname = current_database() AND a.state = 'active' AND a.query ~ 'md5' AND a.pid <> pg_backend_pid()
        AND l.relation = 'sluice_archived."${table}"'::regclass AND l.granted`
      let pids: readonly number[] = []
      while (pids.length === 0) {
        pids = (await place.rows(summing)).map(([pid]) => Number(pid))
        if (pids.length === 0) await sleep(2)
      }
      // The process that sums the rows is stopped here, so the locks can be inspected.
      for (const pid of pids) process.kill(pid, 'SIGSTOP')
      try {
        const held = await place.rows(
          `SELECT DISTINCT mode FROM pg_locks WHERE locktype = 'relation' AND pid <> pg_backend_pid()
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        )
        expect(held).toEqual([['AccessShareLock']])
        await place.sql(
          "SET lock_timeout = '1s'; INSERT INTO bookings VALUES (7, '2020-05-05', 'while it is summed', 1); UPDATE bookings SET amount = 2 WHERE id = 7",
        )
        expect(await stateOf(archived)).toBe('DETACHING')
      } finally {
        for (const pid of pids) process.kill(pid, 'SIGCONT')
      }
      expect((await work).finished).toMatchObject({ exitCode: 0 })
      expect(await stateOf(archived)).toBe('DETACHED')
    },
  )

  test(
    'a held partition stays in its table; a detached one becomes DETACHED, and is not dropped',
    { timeout: 60_000 },
    async () => {
      const archived = await fresh()
      const hold = {
        kind: 'archive-hold',
        from: archived.place.url,
        table: 'bookings',
        partitions: [LABEL],
        reason: 'audit',
      } as Operation
      expect((await perform(runOf(archived, { detach: false }))).finished).toMatchObject({ exitCode: 0 })
      expect((await perform(hold)).finished).toMatchObject({ exitCode: 0 })
      await perform(runOf(archived))
      expect(await stateOf(archived)).toBe('PUBLISHED')
      expect((await perform({ ...hold, reason: null } as Operation)).finished).toMatchObject({ exitCode: 0 })
      await detaching(archived)
      expect((await perform(hold)).finished).toMatchObject({ exitCode: 0 })
      expect((await perform(runOf(archived))).finished).toMatchObject({ exitCode: 0 })
      expect(await stateOf(archived)).toBe('DETACHED')
      await perform(runOf(archived, { drop: true, confirm: 'bookings' }))
      expect(await stateOf(archived)).toBe('DETACHED')
    },
  )

  test(
    'a published partition that lacks an archived row stays attached, also with more rows than archived',
    { timeout: 60_000 },
    async () => {
      const archived = await fresh()
      const { place } = archived
      const rows = async (): Promise<readonly unknown[]> => place.rows('SELECT id FROM bookings ORDER BY id')
      expect((await perform(runOf(archived, { detach: false }))).finished).toMatchObject({ exitCode: 0 })
      await place.sql('DELETE FROM bookings WHERE id = (SELECT min(id) FROM bookings)')
      await place.sql("INSERT INTO bookings SELECT 9000 + i, '2020-02-01', 'later', 1 FROM generate_series(1, 5) i")
      const before = await rows()
      for (const _ of [1, 2]) {
        const { finished } = await perform(runOf(archived))
        expect(finished).toMatchObject({ exitCode: 5, error: { code: 'PARTITION_CHANGED' } })
        expect(finished.error?.reason).toContain('nothing was changed')
        expect(await stateOf(archived)).toBe('PUBLISHED')
        expect(await rows()).toEqual(before)
      }
    },
  )

  test(
    '--no-detach leaves a detached partition where it is; queries, verify, list and plan include its rows',
    { timeout: 60_000 },
    async () => {
      const archived = await fresh()
      const { query, verify } = commandsOf(archived)
      const whole = (await countedBy(query)).counted
      await detaching(archived)
      expect((await countedBy(query)).counted).toBe(whole)
      expect((await perform(runOf(archived, { detach: false }))).finished).toMatchObject({ exitCode: 0 })
      expect(await stateOf(archived)).toBe('DETACHING')
      expect((await perform({ ...verify, deep: true } as Operation)).finished).toMatchObject({ exitCode: 0 })
      const list = await perform({
        kind: 'archive-list',
        from: archived.place.url,
        tables: [],
        count: false,
      })
      expect(list.events).toContainEqual(
        expect.objectContaining({ type: 'archived', partition: LABEL, state: 'DETACHING' }),
      )
      const plan = await perform(runOf(archived, { dryRun: true }))
      expect(plan.events).toContainEqual(
        expect.objectContaining({ type: 'archive.planned', partition: LABEL, status: 'resume', state: 'DETACHING' }),
      )
      // An erasure could not guarantee that the rows of that table are erased.
      const erase = await perform({
        kind: 'archive-erase',
        from: archived.place.url,
        table: 'bookings',
        where: 'id = 3',
        reason: 'TICKET-1',
        dryRun: true,
      })
      expect(erase.finished).toMatchObject({
        error: { code: 'PARTITION_STATE', hint: expect.stringContaining('archive run') },
      })
      // The condition of the query excludes its table.
      const later = await countedBy({
        ...query,
        query: 'SELECT count(*) AS n, 0 AS s FROM bookings WHERE "at" >= \'2089-01-01\'',
      } as Operation)
      expect(later.counted).toBe('60 0')
      expect(
        (
          await countedBy({
            ...query,
            query: 'SELECT count(*) AS n, 0 AS s FROM bookings WHERE "at" < \'2020-02-01\'',
          } as Operation)
        ).counted,
      ).toBe('60 0')
    },
  )

  test(
    'failed tries are reported, and a partition stays in its table when the lock time is used up',
    { timeout: 60_000 },
    async () => {
      const hindered = await fresh()
      {
        await using hindering = await reading(hindered, 'SELECT count(*) FROM bookings')
        const busy = await perform(runOf(hindered, { budgetMs: 400 }))
        expect(busy.finished).toMatchObject({ error: { code: 'TARGET_BUSY' } })
        expect(await stateOf(hindered)).toBe('PUBLISHED')
        await hindering.end()
      }
      // For a partition whose detach has not begun, the first half of the time is for locks of the table.
      const archived = await fresh()
      await using reader = await reading(archived, 'SELECT count(*) FROM bookings')
      const work = perform(runOf(archived))
      const wanted = async (): Promise<boolean> =>
        (await archived.place.rows("SELECT 1 FROM pg_locks WHERE relation = 'bookings'::regclass AND NOT granted"))
          .length > 0
      // In the second try no session blocks the detach.
      for (const is of [true, false, true]) while ((await wanted()) !== is) await sleep(2)
      await reader.end()
      const { finished, events } = await work
      expect(finished).toMatchObject({ exitCode: 0 })
      const notes = events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
      expect(notes.join('\n')).toMatch(
        /2020-Q1 was detached: after \d+ (try|tries) failed, locks were awaited or held for at most \d+ ms/,
      )
    },
  )

  describe('a published partition that was taken out of its table by hand', () => {
    const bounds = "FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')"
    const published = async (): Promise<Archived> => {
      const archived = await fresh()
      expect((await perform(runOf(archived, { detach: false }))).finished).toMatchObject({ exitCode: 0 })
      return archived
    }
    const later = (archived: Archived): Operation =>
      Object.assign({}, commandsOf(archived).query, {
        query: 'SELECT count(*) AS n, 0 AS s FROM bookings WHERE "at" >= \'2089-01-01\'',
      })
    /** What `verify` and `list` report about it. */
    const namedBy = async (archived: Archived): Promise<readonly unknown[]> => {
      const verify = await perform(commandsOf(archived).verify)
      const list = await perform({ kind: 'archive-list', from: archived.place.url, tables: [], count: false })
      return [
        verify.finished.exitCode,
        verify.events.flatMap((one) => (one.type === 'archive.finding' ? [[one.partition, one.detail]] : [])),
        list.events.flatMap((one) => (one.type === 'archived' ? [one.error] : [])),
      ]
    }
    const noPartition = 'its table is no longer a partition'
    const named = [
      1,
      [[LABEL, expect.stringContaining(noPartition)]],
      [expect.stringMatching(/is no longer a partition of /)],
    ]

    test('detached or dropped: a query that needs its rows is refused by name', { timeout: 60_000 }, async () => {
      const archived = await published()
      const { query, restore } = commandsOf(archived)
      const whole = (await countedBy(query)).counted
      expect(await namedBy(archived)).toEqual([0, [], [undefined]])
      for (const sql of ['ALTER TABLE bookings DETACH PARTITION bookings_0', 'DROP TABLE bookings_0']) {
        await archived.place.sql(sql)
        const { finished } = (await countedBy(query)).ran
        expect(finished, sql).toMatchObject({
          error: {
            code: 'PARTITION_CHANGED',
            message: expect.stringMatching(/bookings_0, the table of 2020-Q1, is no longer a partition of /),
            hint: expect.stringMatching(/attach the table again.*sluice restore .* --partition 2020-Q1/),
          },
        })
        expect((await countedBy(later(archived))).counted).toBe('60 0')
        expect(await namedBy(archived), sql).toEqual(named)
      }
      const back = await perform(Object.assign({}, restore, { partitions: [LABEL] }))
      expect(back.finished).toMatchObject({ exitCode: 0 })
      expect((await countedBy(query)).counted).toBe(whole)
      expect(await namedBy(archived)).toEqual([0, [], [undefined]])
    })

    test('rows of a table in its place count, and the table is named', { timeout: 60_000 }, async () => {
      const archived = await published()
      await archived.place.sql(
        'DROP TABLE bookings_0',
        "CREATE TABLE bookings_m PARTITION OF bookings FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')",
      )
      const inPart = await countedBy(commandsOf(archived).query)
      await archived.place.sql('DROP TABLE bookings_m', `CREATE TABLE bookings_0 PARTITION OF bookings ${bounds}`)
      for (const { counted, ran } of [inPart, await countedBy(commandsOf(archived).query)]) {
        expect(counted).toMatch(/^120 /)
        const warned = ran.events.flatMap((one) => (one.type === 'log' && one.level === 'warn' ? [one.message] : []))
        expect(warned).toEqual([expect.stringMatching(/^2020-Q1: its table is no longer a partition/)])
      }
      expect(await namedBy(archived)).toEqual(named)
    })

    test('a detach that a user began and did not finish is treated the same', { timeout: 60_000 }, async () => {
      const archived = await published()
      await using reader = await reading(archived, 'SELECT count(*) FROM bookings')
      const pending = archived.place
        .sql("SET lock_timeout = '2s'", 'ALTER TABLE bookings DETACH PARTITION bookings_0 CONCURRENTLY')
        .catch(() => undefined)
      const isPending = async (): Promise<boolean> =>
        (await archived.place.rows('SELECT 1 FROM pg_inherits WHERE inhdetachpending')).length > 0
      while (!(await isPending())) await sleep(2)
      await archived.place.rows(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%CONCURRENTLY' AND pid <> pg_backend_pid()",
      )
      await pending
      await reader.end()
      expect((await countedBy(commandsOf(archived).query)).counted).toMatch(/^PARTITION_CHANGED/)
      expect(await namedBy(archived)).toEqual(named)
    })
  })

  describe('a detached table that a user dropped or moved', () => {
    const restoreOf = (archived: Archived, more: object = {}): Operation =>
      Object.assign({}, commandsOf(archived).restore, { partitions: [LABEL] }, more)
    const dropOf = (archived: Archived): Operation => runOf(archived, { drop: true, confirm: 'bookings' })
    const byHand = async ({ place }: Archived, sql: (table: string) => string): Promise<void> => {
      const [[table] = []] = await place.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname IN ('sluice_archived', 'aside')",
      )
      await place.sql(sql(`"${table}"`))
    }
    const dropped = (archived: Archived): Promise<void> =>
      byHand(archived, (table) => `DROP TABLE sluice_archived.${table}`)
    const rowsOf = async ({ place }: Archived): Promise<unknown> =>
      (await place.rows('SELECT count(*) FROM bookings'))[0]?.[0]

    test('is restored from the files, or called dropped', { timeout: 60_000 }, async () => {
      const archived = await fresh()
      expect((await perform(runOf(archived))).finished).toMatchObject({ exitCode: 0 })
      await dropped(archived)
      expect((await perform(restoreOf(archived, { dryRun: true }))).finished).toMatchObject({ exitCode: 0 })
      expect((await perform(restoreOf(archived))).finished).toMatchObject({ exitCode: 0 })
      expect([await stateOf(archived), await rowsOf(archived)]).toEqual(['RESTORED', '180'])
      expect((await perform(runOf(archived))).finished).toMatchObject({ exitCode: 0 })
      await dropped(archived)
      expect((await perform(dropOf(archived))).finished).toMatchObject({ exitCode: 0 })
      expect([await stateOf(archived), await rowsOf(archived)]).toEqual(['DROPPED', '120'])
      expect((await perform(restoreOf(archived))).finished).toMatchObject({ exitCode: 0 })
      expect([await stateOf(archived), await rowsOf(archived)]).toEqual(['RESTORED', '180'])
    })

    test('dropped before it was summed: only --as-changed restores it', { timeout: 60_000 }, async () => {
      const archived = await fresh()
      await detaching(archived)
      await dropped(archived)
      expect((await countedBy(commandsOf(archived).query)).counted).toMatch(/^PARTITION_STATE/)
      for (const operation of [runOf(archived), restoreOf(archived)]) {
        expect((await perform(operation)).finished).toMatchObject({
          error: { code: 'PARTITION_CHANGED', hint: expect.stringContaining('--as-changed') },
        })
      }
      const anyway = await perform(restoreOf(archived, { asChanged: true, confirm: 'bookings' }))
      expect(anyway.finished).toMatchObject({ exitCode: 0 })
      expect([await stateOf(archived), await rowsOf(archived)]).toEqual(['RESTORED', '180'])
    })

    test('rows that it lost before it was summed are restored from the archive', { timeout: 60_000 }, async () => {
      const archived = await fresh()
      await detaching(archived)
      await byHand(archived, (table) => `UPDATE sluice_archived.${table} SET note = 'changed' WHERE id = 5`)
      const changed = await perform(restoreOf(archived, { dryRun: true }))
      expect(JSON.stringify(changed.events)).toContain('compared now: 1 row has other values (5')
      expect(changed.finished).toMatchObject({ exitCode: 0 })
      await byHand(
        archived,
        (table) =>
          `DELETE FROM sluice_archived.${table} WHERE id < 3; INSERT INTO sluice_archived.${table} SELECT 900 + i, '2020-02-02', 'late', 1 FROM generate_series(1, 3) i`,
      )
      const refused = {
        error: {
          code: 'PARTITION_CHANGED',
          message: expect.stringContaining('3 archived rows are missing (0'),
          reason: expect.stringContaining('was detached before this was found'),
          hint: expect.stringMatching(/--into NEW_TABLE.*--as-changed --confirm=/),
        },
      }
      const attempts = [restoreOf(archived, { dryRun: true }), restoreOf(archived), runOf(archived)]
      for (const operation of attempts) {
        expect((await perform(operation)).finished).toMatchObject(refused)
        expect([await stateOf(archived), await rowsOf(archived)]).toEqual(['DETACHING', '120'])
      }
      const bounds = "FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')"
      await byHand(archived, (table) => `ALTER TABLE bookings ATTACH PARTITION sluice_archived.${table} ${bounds}`)
      expect((await perform(restoreOf(archived))).finished).toMatchObject(refused)
      await byHand(archived, (table) => `ALTER TABLE bookings DETACH PARTITION sluice_archived.${table}`)
      // Both ways that the hint names.
      expect((await perform(restoreOf(archived, { into: 'kept' }))).finished).toMatchObject({ exitCode: 0 })
      expect(await archived.place.rows('SELECT count(*) FROM kept')).toEqual([['60']])
      const given = restoreOf(archived, { asChanged: true, confirm: 'bookings' })
      expect((await perform(given)).finished).toMatchObject({ exitCode: 0 })
      expect([await stateOf(archived), await rowsOf(archived)]).toEqual(['RESTORED', '180'])
    })

    test(
      'if a user attached it again, its rows count once, and a restore accepts it unchanged',
      { timeout: 90_000 },
      async () => {
        const bounds = "FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')"
        const archived = await fresh()
        const attach = (): Promise<void> =>
          byHand(archived, (table) => `ALTER TABLE bookings ATTACH PARTITION sluice_archived.${table} ${bounds}`)
        const ids = '180 18005310'
        expect((await countedBy(commandsOf(archived).query)).counted).toBe(ids)
        expect((await perform(runOf(archived))).finished).toMatchObject({ exitCode: 0 })
        await attach()
        const asked = await countedBy(commandsOf(archived).query)
        expect(asked.counted).toBe(ids)
        expect(asked.ran.events.flatMap((one) => (one.type === 'query.sources' ? one.notLooked : []))).toEqual([
          expect.stringMatching(
            /^files of 2020-Q1, whose table sluice_archived\.bookings_0_\d+ was attached again by hand/,
          ),
        ])
        const verify = Object.assign({}, commandsOf(archived).verify, { deep: true })
        const { finished, events } = await perform(verify)
        expect(finished).toMatchObject({ exitCode: 1, totals: { findings: '1' } })
        expect(events.flatMap((one) => (one.type === 'archive.finding' ? [one] : []))).toMatchObject([
          {
            finding: 'differs from the source',
            partition: LABEL,
            detail: expect.stringContaining('attached again by hand'),
          },
        ])
        const hint = expect.stringMatching(
          /sluice restore .* --partition 2020-Q1,.*ALTER TABLE "public"\."bookings" DETACH PARTITION/,
        )
        const refused = { error: { code: 'PARTITION_CHANGED', hint } }
        expect((await perform(dropOf(archived))).finished).toMatchObject(refused)
        // The way that the hint names succeeds.
        await byHand(archived, (table) => `ALTER TABLE bookings DETACH PARTITION sluice_archived.${table}`)
        expect((await countedBy(commandsOf(archived).query)).counted).toBe(ids)
        await attach()
        await archived.place.sql("UPDATE bookings SET note = 'other' WHERE at < '2020-01-20'")
        expect((await perform(restoreOf(archived, { dryRun: true }))).finished.error?.code).toBe('PARTITION_CHANGED')
        const given = { asChanged: true, confirm: 'bookings' }
        expect((await perform(restoreOf(archived, { ...given, dryRun: true }))).finished).toMatchObject({ exitCode: 0 })
        expect((await perform(restoreOf(archived, given))).finished).toMatchObject({
          exitCode: 0,
          totals: { restored: '1' },
        })
        expect([await stateOf(archived), await rowsOf(archived)]).toEqual(['RESTORED', '180'])
        // It is archived as any partition, and accepted unchanged where no row was changed.
        expect((await perform(runOf(archived))).finished).toMatchObject({ exitCode: 0 })
        expect([await stateOf(archived), await rowsOf(archived)]).toEqual(['DETACHED', '120'])
        await attach()
        expect((await perform(restoreOf(archived))).finished).toMatchObject({ exitCode: 0, totals: { restored: '1' } })
        expect([await stateOf(archived), await rowsOf(archived)]).toEqual(['RESTORED', '180'])
        expect((await countedBy(commandsOf(archived).query)).counted).toBe(ids)
        expect((await perform(Object.assign({}, commandsOf(archived).verify))).finished).toMatchObject({ exitCode: 0 })
      },
    )

    test('the hint for a moved table names the target schema', { timeout: 60_000 }, async () => {
      const archived = await fresh()
      expect((await perform(runOf(archived))).finished).toMatchObject({ exitCode: 0 })
      await archived.place.sql('CREATE SCHEMA aside')
      await byHand(archived, (table) => `ALTER TABLE sluice_archived.${table} SET SCHEMA aside`)
      for (const operation of [dropOf(archived), restoreOf(archived)]) {
        expect((await perform(operation)).finished).toMatchObject({
          error: {
            code: 'PARTITION_CHANGED',
            hint: expect.stringMatching(/move it back to sluice_archived\.bookings_0_\d+/),
          },
        })
      }
      await byHand(archived, (table) => `ALTER TABLE aside.${table} SET SCHEMA sluice_archived`)
      expect((await perform(dropOf(archived))).finished).toMatchObject({ exitCode: 0 })
      expect(await stateOf(archived)).toBe('DROPPED')
    })
  })
})

/** A transaction that has read the table and stays open. */
async function reading({ place }: Archived, sql: string): Promise<AsyncDisposable & { end(): Promise<void> }> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: place.url })
  await client.connect()
  await client.query('BEGIN')
  await client.query(sql)
  let over = false
  const end = async (): Promise<void> => {
    if (!over) await client.end()
    over = true
  }
  return { end, [Symbol.asyncDispose]: end }
}
