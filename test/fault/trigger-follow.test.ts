/** A stream by triggers, from a server without logical replication. */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RunMetrics } from '../../src/app/metrics/run-metrics.ts'
import type { Event } from '../../src/model/run/event.ts'
import { perform } from '../support/copy-systems.ts'
import { startWriter } from '../support/follow-writer.ts'
import { caughtUp, expectEqual } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { triggersLeft, triggerStage, untilEqual, writerTriggerStage } from '../support/trigger-stage.ts'
import { startCopy } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startPostgres({ extraSettings: ['wal_level=replica'] })
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

/** The metric of quarantined rows, for each table of a run. */
function quarantinedIn(events: readonly Event[]): readonly number[] {
  const metrics = new RunMetrics()
  for (const event of events) metrics.take(event)
  return [...metrics.of('sluice_copy_rows_quarantined')].map(({ value }) => value)
}

const T = ['CREATE TABLE t (id int PRIMARY KEY, v int)', 'INSERT INTO t SELECT i, 0 FROM generate_series(1, 300) i']

describe.skipIf(!POSTGRES_OWN)(`a stream by triggers ${POSTGRES_MISSING}`, () => {
  test('is equal after kills while its source is written to', { timeout: 120_000 }, async () => {
    const one = await writerTriggerStage(server, 600)
    const writer = startWriter(one.source.url, { seed: 5, keys: 600, truncates: true, pauseMs: 2 })
    for (const step of [9, 34]) {
      const child = startCopy({ ...one.copy, follow: { cdc: 'trigger', until: 'caught-up' } }, { step, when: 'after' })
      await child.ended
    }
    expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    const proved = await untilEqual(one)
    expect(proved.finished.exitCode).toBe(0)
    const differing = proved.events.filter((event) => event.type === 'follow.proved' && event.differing !== '0')
    expect(differing).toEqual([])
    await writer.stop()
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await expectEqual(one)
  })

  test('copies a table again as a whole if it failed because of refused rows', { timeout: 60_000 }, async () => {
    const one = await triggerStage(
      server,
      ['CREATE TABLE d (id int PRIMARY KEY, v int)', 'INSERT INTO d SELECT i, 0 FROM generate_series(1, 200) i'],
      ['d'],
    )
    await one.target.sql('CREATE TABLE d (id int PRIMARY KEY, v int CONSTRAINT positive CHECK (v > 0))')
    const few = await caughtUp({ ...one, copy: { ...one.copy, maxAside: 10 } })
    expect(few.finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' } })
    await one.target.sql('ALTER TABLE d DROP CONSTRAINT positive')
    expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0 })
    await expectEqual(one)
  })

  test(
    'quarantines rows with a duplicate key, and applies them once the source is repaired',
    { timeout: 60_000 },
    async () => {
      const one = await triggerStage(
        server,
        [
          'CREATE TABLE d (id int PRIMARY KEY DEFERRABLE, v int)',
          'INSERT INTO d SELECT i, 0 FROM generate_series(1, 50) i',
          'BEGIN; SET LOCAL session_replication_role = replica; INSERT INTO d SELECT 1 + i % 5, i FROM generate_series(1, 15) i; COMMIT',
        ],
        ['d'],
      )
      const refused = await caughtUp(one)
      expect(refused.finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' } })
      const lines = await one.target.rows('SELECT count(*)::text FROM migration_quarantine WHERE replayed_ms IS NULL')
      const counted = await one.target.rows('SELECT sum(rows_quarantined)::text FROM migration_checkpoints')
      expect(lines).toEqual(counted)
      const again = await caughtUp(one)
      expect(again.finished).toMatchObject({ exitCode: 1 })
      // The second run copies nothing, but the rows of the first one still wait.
      expect(quarantinedIn(again.events)).toEqual(lines.flat().map(Number))
      const said = again.events.flatMap((event) => (event.type === 'row.aside' ? [event.error.message] : []))
      expect(said[0]).toMatch(/^the row \d was not written: the source has 4 rows with this key$/)
      await one.source.sql('DELETE FROM d WHERE id < 4', 'DELETE FROM d WHERE v > 0')
      // As older programs left it, which wrote one entry for all rows of a key.
      await one.target.sql(
        'DELETE FROM migration_quarantine q USING migration_quarantine o WHERE o.row_key = q.row_key AND o.quarantine_id < q.quarantine_id',
      )
      const repaired = await caughtUp(one)
      expect(repaired.finished, JSON.stringify(repaired.finished.error)).toMatchObject({ exitCode: 0 })
      expect(quarantinedIn(repaired.events)).toEqual([0])
      expect((await untilEqual(one)).finished.exitCode).toBe(0)
      await expectEqual(one)
      // After the copy, duplicates are not quarantined: the target has one row of each key, and is not reported as
      // equal.
      await one.source.sql(
        'BEGIN; SET LOCAL session_replication_role = replica; INSERT INTO d VALUES (10, 1), (10, 2), (99, 0), (99, 1); COMMIT',
      )
      const doubled = await untilEqual(one)
      expect(doubled.finished).toMatchObject({
        exitCode: 1,
        error: {
          code: 'DIFFERENCES',
          message: expect.stringMatching(/^3 rows of .*d share their key with another row/),
        },
      })
      expect(doubled.events.filter((event) => event.type === 'follow.proved' && event.differing === '0')).toEqual([])
    },
  )

  test(
    'begins again if its start was killed while it waited, and so do restart and resync',
    { timeout: 90_000 },
    async () => {
      const one = await triggerStage(
        server,
        [
          ...T,
          'CREATE TABLE u (id int PRIMARY KEY, v int)',
          'INSERT INTO u SELECT i, 0 FROM generate_series(1, 300) i',
        ],
        ['t', 'u'],
      )
      const blocker = new pg.Client({ connectionString: one.source.url })
      await blocker.connect()
      await blocker.query('BEGIN; UPDATE u SET v = 1 WHERE id = 1')
      const child = startCopy(one.copy)
      while ((await triggersLeft(one)).length === 0) await sleep(20)
      child.process.kill('SIGKILL')
      await child.ended
      await blocker.query('COMMIT')
      await blocker.end()
      expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0 })
      const again = await perform({ ...one.copy, follow: { ...one.copy.follow, resync: ['t'], until: 'caught-up' } })
      expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
      const anew = await perform({ ...one.copy, restart: true, follow: { ...one.copy.follow, until: 'caught-up' } })
      expect(anew.finished, JSON.stringify(anew.finished.error)).toMatchObject({ exitCode: 0 })
      await expectEqual(one)
    },
  )

  test('applies changes again if it is killed before it deletes the recorded keys', { timeout: 60_000 }, async () => {
    const one = await triggerStage(server, T, ['t'])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    const [[log] = []] = await one.source.rows(
      `SELECT oid::regclass::text FROM pg_class WHERE relname ~ '^keys_' AND relkind = 'r'`,
    )
    const blocker = new pg.Client({ connectionString: one.source.url })
    await blocker.connect()
    // Recorded keys can be read and written, but not deleted.
    await blocker.query(`BEGIN; LOCK TABLE ${String(log).split('.')[0]}.progress IN SHARE MODE`)
    const child = startCopy(one.copy)
    await one.source.sql(
      'UPDATE t SET v = 7 WHERE id < 10',
      'DELETE FROM t WHERE id = 20',
      'UPDATE t SET id = 900 WHERE id = 21',
    )
    while ((await one.target.rows('SELECT FROM t WHERE id = 900')).length === 0) await sleep(20)
    child.process.kill('SIGKILL')
    await child.ended
    await blocker.end()
    expect(await one.source.rows(`SELECT count(*) FROM ${log}`)).toEqual([['12']])
    await one.source.sql('UPDATE t SET v = 8 WHERE id = 1', 'INSERT INTO t VALUES (20, 9)')
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await expectEqual(one)
    expect(await one.source.rows(`SELECT count(*) FROM ${log}`)).toEqual([['0']])
  })

  test(
    'continues, halts if a trigger is missing, and leaves nothing at the source when it ends',
    { timeout: 60_000 },
    async () => {
      const one = await triggerStage(server, [...T, 'CREATE TABLE u (id int PRIMARY KEY)'], ['t', 'u'])
      const first = await caughtUp(one)
      expect(first.finished.exitCode).toBe(0)
      const started = first.events.find((event) => event.type === 'follow.started')
      expect(started).toMatchObject({ cdc: 'trigger', isNew: true })
      const stream = started?.type === 'follow.started' ? started.stream : ''
      const notes = first.events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
      expect(notes.join()).toMatch(/public.t: a write of one row takes [\d.]+ ms, (?:with|and) the trigger/)
      const { cdc: _cdc, ...plain } = one.copy.follow ?? {}
      const slot = await perform({ ...one.copy, follow: { ...plain, cdc: 'slot', until: 'caught-up' } })
      expect(slot.finished).toMatchObject({
        error: { code: 'BAD_FLAG', message: /reads changes by triggers, not by a/ },
      })
      await one.source.sql('INSERT INTO u VALUES (1)')
      const again = await perform({ ...one.copy, follow: { ...plain, until: 'caught-up' } })
      expect(again.finished.exitCode).toBe(0)
      await expectEqual(one)
      const follow = { kind: 'follow', stream, from: one.copy.from, to: one.copy.to, untilEqual: false } as const
      await one.source.sql('TRUNCATE t', 'INSERT INTO t VALUES (5, 5)')
      expect((await perform({ ...follow, end: false, untilCaughtUp: true })).finished.exitCode).toBe(0)
      await expectEqual(one)
      await one.source.sql('ALTER TABLE u DISABLE TRIGGER ALL')
      const halted = await perform({ ...follow, end: false, untilCaughtUp: true })
      expect(halted.finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
      expect(halted.events.find((event) => event.type === 'follow.halted')).toMatchObject({
        code: 'TRIGGERS_CHANGED',
        tables: ['public.u'],
      })
      expect((await perform({ ...follow, end: true, untilCaughtUp: false })).finished.exitCode).toBe(0)
      expect(await triggersLeft(one)).toEqual([])
    },
  )

  test('is suggested if a slot is refused', { timeout: 60_000 }, async () => {
    const one = await triggerStage(server, T, ['t'])
    const { finished } = await perform({ ...one.copy, follow: { until: 'caught-up' } })
    expect(finished).toMatchObject({ exitCode: 6, error: { code: 'NOT_FOLLOWABLE' } })
    expect(finished.error?.hint).toMatch(/--cdc trigger/)
  })
})
