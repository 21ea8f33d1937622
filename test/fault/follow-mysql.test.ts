/**
 * A stream into MySQL, killed at any step, disconnected and run again while the source is written to: the result is
 * equal.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { makePlace, missing, perform, placeOn } from '../support/copy-systems.ts'
import { expectSameRows } from '../support/follow-projection.ts'
import { leftAtSource, stageOf, startFollowServer, writerStage, type Stage } from '../support/follow-stage.ts'
import { startWriter } from '../support/follow-writer.ts'
import { MARIADB_MISSING, startMariadb } from '../support/servers/mariadb.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

const WHEN = ['before', 'during', 'after'] as const
const absent = POSTGRES_OWN ? await missing('mysql') : 'needs a PostgreSQL server of its own'

let server: PostgresServer

beforeAll(async () => {
  if (absent === '') server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const writing = { keys: 600, pauseMs: 2, numbersOnly: true }
const stage = async (): Promise<Stage> => writerStage(server, 600, await makePlace('mysql', ''))

describe.skipIf(absent !== '')(`a stream into MySQL ${absent}`, () => {
  test('is equal after kills while its source is written to', { timeout: 300_000 }, async () => {
    const one = await stage()
    const writer = startWriter(one.source.url, { ...writing, seed: 3, truncates: true })
    const steps = ALL ? Array.from({ length: 40 }, (_, i) => 1 + ((i * 7) % 90)) : [70, 40]
    let killed = 0
    for (const [i, step] of steps.entries()) {
      const child = startCopy({ ...one.copy, follow: { until: 'equal' } }, { step, when: WHEN[i % 3] ?? 'before' })
      if ((await child.ended).signal !== null) killed++
    }
    expect(killed).toBeGreaterThan(0)
    await writer.stop()
    const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(finished).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    expect(finished.notChecked).toMatch(/every row was found equal/)
    await expectSameRows(one)
    expect(await leftAtSource(one)).toHaveLength(2)
  })

  test.skipIf(MARIADB_MISSING !== '')(
    'a crash of the target loses no change that was confirmed to the source',
    { timeout: 180_000 },
    async () => {
      await using mariadb = await startMariadb()
      const one = await stageOf(
        server,
        ['CREATE TABLE late (id int PRIMARY KEY, name text)', 'INSERT INTO late VALUES (1, $$first$$)'],
        ['late'],
        200,
        await placeOn('mysql', mariadb.url()),
      )
      const child = startCopy(one.copy)
      await child.until('follow.progress')
      await expect.poll(() => one.target.rows('SELECT id FROM late'), { timeout: 60_000 }).toEqual([['1']])
      await expect
        .poll(() => one.target.rows('SELECT state FROM migration_stream_tables'), { timeout: 60_000 })
        .toEqual([['live']])
      // From here on, commits are only in the memory of the server.
      await mariadb.sql(
        'SET GLOBAL innodb_flush_log_at_timeout = 2700',
        'SET GLOBAL innodb_flush_log_at_trx_commit = 0',
      )
      const [[before = ''] = []] = await one.source.rows('SELECT pg_current_wal_insert_lsn()')
      for (let id = 2; id <= 6; id++) {
        await one.source.sql(`INSERT INTO late VALUES (${id}, 'later')`)
        await expect
          .poll(() => one.target.rows('SELECT max(id) FROM late'), { timeout: 60_000 })
          .toEqual([[String(id)]])
      }
      await mariadb.kill9()
      const [[ahead] = []] = await one.source.rows(
        `SELECT bool_or(confirmed_flush_lsn > '${before}') FROM pg_replication_slots WHERE database = current_database()`,
      )
      await mariadb.restart()
      expect(ahead).toBe('f')
      await expect.poll(() => one.target.rows('SELECT count(*) FROM late'), { timeout: 60_000 }).toEqual([['6']])
      child.process.kill('SIGTERM')
      expect((await child.ended).finished?.error).toBeUndefined()
    },
  )

  test('continues if the server ends its sessions, and reports emptied tables', { timeout: 120_000 }, async () => {
    const target = await makePlace('mysql', '')
    const one = await stageOf(
      server,
      [
        'CREATE TABLE boss (id int PRIMARY KEY, name text)',
        'CREATE TABLE staff (id int PRIMARY KEY, seat int UNIQUE, boss int REFERENCES boss ON DELETE CASCADE, big text)',
        'ALTER TABLE staff ALTER COLUMN big SET STORAGE EXTERNAL',
        "INSERT INTO boss SELECT i, 'boss ' || i FROM generate_series(1, 20) i",
        'INSERT INTO staff SELECT i, i, 1 + i % 20, repeat(md5(i::text), 100) FROM generate_series(1, 400) i',
      ],
      ['boss', 'staff'],
      200,
      target,
    )
    const wanted = { ...one.copy, with: ['indexes', 'constraints'] } as const
    const child = startCopy(wanted)
    await child.until('follow.progress')
    // Every seat moves to the next row in one transaction, while the sessions at the target are ended repeatedly.
    for (let round = 0; round < 3; round++) {
      await one.source.sql(
        `BEGIN; UPDATE staff SET seat = seat + 1000; UPDATE staff SET seat = 1 + (seat - 1000) % 400; DELETE FROM boss WHERE id = ${round + 1}; COMMIT`,
      )
      const sessions = await target.rows(
        'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
      )
      await target.sql(...sessions.map(([id]) => `KILL CONNECTION ${id}`)).catch(() => undefined)
      await expect
        .poll(() => target.rows('SELECT count(*) FROM boss'), { timeout: 30_000 })
        .toEqual([[String(20 - round - 1)]])
    }
    child.process.kill('SIGKILL')
    await child.ended
    const equal = await perform({ ...wanted, follow: { until: 'equal' } })
    expect(equal.finished).toMatchObject({ exitCode: 0, totals: { live: '2' } })
    await expectSameRows(one)
    const [[made] = []] = await target.rows('SHOW CREATE TABLE staff').then((rows) => rows.map((row) => [row[1]]))
    expect(made).toMatch(/UNIQUE KEY .*seat.*FOREIGN KEY/s)
    const { follow: _follow, ...plain } = wanted
    expect((await perform(plain)).finished).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })
    await target.sql('SET foreign_key_checks = 0', 'DELETE FROM boss')
    expect((await perform({ ...wanted, follow: { until: 'caught-up' } })).finished).toMatchObject({
      error: { code: 'STREAM_HALTED', message: expect.stringMatching(/boss holds no rows/) as string },
    })
    await target.sql('ALTER TABLE staff DROP FOREIGN KEY staff_boss_fkey', 'DROP INDEX staff_seat_key ON staff')
    const anew = await perform({ ...wanted, restart: true, follow: { until: 'equal' } })
    expect(anew.finished).toMatchObject({ exitCode: 0, totals: { live: '2' } })
    await expectSameRows(one)
    const started = anew.events.find((event) => event.type === 'follow.started')
    const { from, to } = one.copy
    const stream = started?.type === 'follow.started' ? started.stream : ''
    const end = { kind: 'follow', stream, from, to, end: true, untilCaughtUp: false, untilEqual: false } as const
    expect((await perform(end)).finished.exitCode).toBe(0)
    expect(await leftAtSource(one)).toEqual([])
  })
})
