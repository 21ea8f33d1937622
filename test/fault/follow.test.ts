/**
 * A stream whose source is written to, and which is killed at any step, disconnected and run again: the result is
 * equal.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { perform } from '../support/copy-systems.ts'
import { startWriter, type Writer } from '../support/follow-writer.ts'
import {
  caughtUp,
  expectEqual,
  leftAtSource,
  stageOf,
  startFollowServer,
  writerStage,
} from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const WHEN = ['before', 'during', 'after'] as const

/** Waits until the writer has committed so many more transactions. */
async function more(writer: Writer, transactions: number): Promise<void> {
  const seen = writer.committed()
  while (writer.committed() < seen + transactions) await sleep(10)
}

describe.skipIf(!POSTGRES_OWN)(`a stream ${POSTGRES_MISSING}`, () => {
  test('is equal after kills while its source is written to', { timeout: ALL ? 1_800_000 : 300_000 }, async () => {
    const seeds = ALL ? [1, 2, 3, 4, 5, 6] : [1]
    for (const seed of seeds) {
      const one = await writerStage(server, 1500)
      const writer = startWriter(one.source.url, { seed, keys: 1500, truncates: true, pauseMs: 2 })
      const steps = ALL ? Array.from({ length: 40 }, (_, i) => 1 + ((i * 7 + seed * 13) % 90)) : [3, 12, 20, 34, 45, 70]
      let killed = 0
      for (const [i, step] of steps.entries()) {
        const child = startCopy(
          { ...one.copy, follow: { until: 'caught-up' } },
          { step, when: WHEN[i % 3] ?? 'before' },
        )
        if ((await child.ended).signal !== null) killed++
      }
      expect(killed).toBeGreaterThan(0)
      await more(writer, 20)
      await writer.stop()
      const { finished } = await caughtUp(one)
      expect(finished, `seed ${seed}`).toMatchObject({ exitCode: 0, totals: { live: '4' } })
      await expectEqual(one, `seed ${seed}`)
      expect(await leftAtSource(one)).toHaveLength(2)
    }
  })

  test('is compared as of one position, and repaired, while its source is written', { timeout: 120_000 }, async () => {
    const one = await writerStage(server, 1500)
    const writer = startWriter(one.source.url, { seed: 7, keys: 1500, pauseMs: 5 })
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.target.sql(
      'UPDATE acct SET qty = -5 WHERE id IN (SELECT id FROM acct ORDER BY id LIMIT 3)',
      'DELETE FROM moves WHERE a IN (SELECT a FROM moves ORDER BY a DESC LIMIT 2)',
      "INSERT INTO ev VALUES (999999, '2026-05-05', 1, 'nobody knows')",
    )
    const { finished, events } = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(finished.exitCode).toBe(0)
    const proved = events.filter((event) => event.type === 'follow.proved')
    // Tables that differ at first are equal at the end, each as of one position.
    expect(proved.some(({ differing }) => differing !== '0')).toBe(true)
    for (const name of one.names) {
      expect(proved.findLast(({ table }) => table === `public.${name}`)).toMatchObject({ differing: '0', unread: '0' })
    }
    expect(await one.target.rows('SELECT count(*) FROM migration_repairs')).not.toEqual([['0']])
    await writer.stop()
    // The same for an idle source.
    const last = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(last.finished.exitCode).toBe(0)
    await expectEqual(one)
  })

  // In each of these threads a copy had to restart, or lost rows.
  // pgcopydb #374, #644, #659: it continues without its snapshot, with the existing slot.
  // pgcopydb #662, #829: the requested end applies to the run that continues. PeerDB #1750, #2408: it does not restart.
  test.each(ALL ? [1, 2, 4] : [2])(
    'pgcopydb #374 #644 #659 #662 #829, PeerDB #1750 #2408: a copy killed after chunk %d continues',
    { timeout: 60_000 },
    async (chunks) => {
      const one = await writerStage(server, 1200)
      const writer = startWriter(one.source.url, { seed: chunks, keys: 1200, pauseMs: 5 })
      const child = startCopy(one.copy, { killedBy: { type: 'chunk.done', times: chunks } })
      expect((await child.ended).signal).toBe('SIGKILL')
      const left = await leftAtSource(one)
      await more(writer, 10)
      await writer.stop()
      const { finished, events } = await caughtUp(one)
      expect(finished).toMatchObject({ exitCode: 0, totals: { live: '4' } })
      expect(events.find((event) => event.type === 'follow.started')).toMatchObject({ isNew: false })
      expect(events.filter((event) => event.type === 'chunk.skipped').length).toBeGreaterThanOrEqual(chunks)
      expect(await leftAtSource(one)).toEqual(left)
      await expectEqual(one)
    },
  )

  test('does not block sessions that truncate tables while it is planned', { timeout: 120_000 }, async () => {
    const names = ['a', 'b', 'c']
    const made = names.flatMap((name) => [
      `CREATE TABLE ${name} (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text)`,
      `INSERT INTO ${name} (v) SELECT 'v' FROM generate_series(1, 2000)`,
    ])
    const one = await stageOf(server, made, names, 200)
    const client = new pg.Client({ connectionString: one.source.url })
    await client.connect()
    await client.query("SET lock_timeout = '10s'")
    const refused: string[] = []
    let isDone = false
    const writer = (async () => {
      for (let i = 0; !isDone; i++) {
        const name = names[i % names.length] ?? ''
        await client
          .query(`BEGIN; TRUNCATE ${name}; INSERT INTO ${name} (v) VALUES ('again'); COMMIT`)
          .catch(async (error: unknown) => {
            refused.push(String(error))
            await client.query('ROLLBACK')
          })
        await sleep(300)
      }
    })()
    const ran = await perform(
      { ...one.copy, follow: { until: 'caught-up' } },
      { onEvent: ({ type }) => void (isDone ||= type === 'follow.started') },
    )
    isDone = true
    await writer
    await client.end()
    expect(ran.finished, JSON.stringify(ran.finished.error)).toMatchObject({ exitCode: 0 })
    expect(refused).toEqual([])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await expectEqual(one)
  })

  test('is begun once by two concurrent programs', { timeout: 60_000 }, async () => {
    const one = await stageOf(
      server,
      ['CREATE TABLE t (id int PRIMARY KEY)', 'INSERT INTO t SELECT generate_series(1, 500)'],
      ['t'],
    )
    const both = await Promise.all(
      [startCopy(one.copy), startCopy(one.copy)].map(async (child) => {
        const progress = child.until('follow.progress').then(
          () => 'follows',
          () => 'ended',
        )
        const how = await Promise.race([progress, child.ended.then(({ finished }) => finished?.exitCode)])
        child.process.kill('SIGKILL')
        await child.ended
        return how
      }),
    )
    expect(both.filter((how) => how === 'follows').length).toBeLessThanOrEqual(1)
    await one.source.sql('INSERT INTO t VALUES (1000)')
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await expectEqual(one)
    expect(await leftAtSource(one)).toHaveLength(2)
  })

  test('continues in the same run if every session at the source is ended', { timeout: 60_000 }, async () => {
    const one = await writerStage(server, 1200)
    const child = startCopy(one.copy)
    await child.until('chunk.done')
    const end = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
    await one.source.rows(end)
    await child.until('follow.progress')
    await one.source.rows(end)
    await one.source.sql(`UPDATE acct SET qty = 77 WHERE id < 50`)
    for (;;) {
      const [[count] = []] = await one.target.rows('SELECT count(*) FROM acct WHERE qty = 77')
      if (Number(count) >= 49) break
      await sleep(50)
    }
    child.process.kill('SIGKILL')
    await child.ended
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await expectEqual(one)
  })

  test(
    'synchdb#256, SeaTunnel PR#11556: commits between slot, snapshots and the end of the copy arrive',
    { timeout: 60_000 },
    async () => {
      const one = await stageOf(
        server,
        ['CREATE TABLE t (id int PRIMARY KEY, v int)', 'INSERT INTO t SELECT i, 0 FROM generate_series(1, 900) i'],
        ['t'],
        100,
      )
      let changed = 0
      const child = startCopy(one.copy)
      for (const type of ['follow.started', 'copy.started', 'chunk.started', 'chunk.done'] as const) {
        await child.until(type)
        changed++
        await one.source.sql(
          `UPDATE t SET v = v + 1`,
          `INSERT INTO t VALUES (${1000 + changed}, ${changed})`,
          `DELETE FROM t WHERE id = ${changed}`,
        )
      }
      await child.until('follow.progress')
      child.process.kill('SIGKILL')
      await child.ended
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await expectEqual(one)
      expect(await one.target.rows('SELECT min(v), max(v) FROM t WHERE id <= 900')).toEqual([['4', '4']])
    },
  )

  test(
    'ends with slot and publication removed; until then no other copy may write to its tables',
    { timeout: 60_000 },
    async () => {
      const one = await stageOf(server, ['CREATE TABLE t (id int PRIMARY KEY)', 'INSERT INTO t VALUES (1), (2)'], ['t'])
      const first = await caughtUp(one)
      expect(first.finished.exitCode).toBe(0)
      const started = first.events.find((event) => event.type === 'follow.started')
      const { follow: _follow, ...plain } = one.copy
      expect((await perform(plain)).finished).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })
      const stream = started?.type === 'follow.started' ? started.stream : ''
      const end = {
        kind: 'follow',
        stream,
        from: one.copy.from,
        to: one.copy.to,
        end: true,
        untilCaughtUp: false,
        untilEqual: false,
      } as const
      expect((await perform(end)).finished.exitCode).toBe(0)
      expect(await leftAtSource(one)).toEqual([])
      expect((await perform(end)).finished.exitCode).toBe(0)
      await one.source.sql('INSERT INTO t VALUES (3)')
      expect(
        (await perform({ ...one.copy, restart: true, follow: { until: 'caught-up' }, onExisting: 'replace-range' }))
          .finished.exitCode,
      ).toBe(0)
      await expectEqual(one)
    },
  )
})
