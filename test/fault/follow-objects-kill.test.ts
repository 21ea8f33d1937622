/**
 * A stream builds indexes and constraints of tables that have caught up: it continues without an error, and after a kill
 * the same command resumes it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import type { System } from '../support/copy-systems.ts'
import { makePlace, missing, perform } from '../support/copy-systems.ts'
import { stageOf, startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { of, startCopy } from './copy-kit.ts'

const absent = POSTGRES_OWN ? '' : 'needs a PostgreSQL server of its own'
const TARGETS: readonly System[] = ['postgresql', 'mysql', 'sqlite', 'duckdb']

const folder = mkdtempSync(join(tmpdir(), 'sluice-objects-kill-'))
let server: PostgresServer

beforeAll(async () => {
  if (absent === '') server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(absent !== '')(`a stream that builds indexes ${absent}`, () => {
  test.each(TARGETS)('resumes after a kill between two of them, into %s', { timeout: 300_000 }, async (system) => {
    const lacks = await missing(system)
    if (lacks !== '') return
    const one = await stageOf(
      server,
      [
        'CREATE TABLE boss (id int PRIMARY KEY, seat int NOT NULL)',
        'CREATE UNIQUE INDEX boss_seat ON boss (seat)',
        'CREATE TABLE staff (id int PRIMARY KEY, seat int NOT NULL, boss int NOT NULL REFERENCES boss)',
        'CREATE UNIQUE INDEX staff_seat ON staff (seat)',
        'INSERT INTO boss SELECT i, i FROM generate_series(1, 20) i',
        'INSERT INTO staff SELECT i, i, 1 + i % 20 FROM generate_series(1, 400) i',
      ],
      ['boss', 'staff'],
      200,
      await makePlace(system, folder),
    )
    const wanted = { ...one.copy, with: ['indexes', 'constraints'] } as const
    const { signal } = await startCopy(wanted, { killedBy: { type: 'index.done', times: 1 } }).ended
    expect(signal).toBe('SIGKILL')
    expect(await one.target.rows('SELECT DISTINCT state FROM migration_stream_tables')).toEqual([['catchup']])
    // Every unique value goes to the next row, and rows get a parent that is new.
    await one.source.sql(
      'UPDATE staff SET seat = seat + 1000',
      'UPDATE staff SET seat = seat - 999',
      'INSERT INTO boss VALUES (21, 21)',
      'UPDATE staff SET boss = 21 WHERE id % 7 = 0',
    )
    const { finished, events } = await perform({ ...wanted, follow: { until: 'equal' } })
    expect(finished.error).toBeUndefined()
    expect(finished.exitCode).toBe(0)
    expect(events.some(({ type }) => type === 'index.failed')).toBe(false)
    for (const query of ['SELECT id, seat FROM boss ORDER BY id', 'SELECT id, seat, boss FROM staff ORDER BY id'])
      expect((await one.target.rows(query)).map(String)).toEqual((await one.source.rows(query)).map(String))
  })

  // Files are read at each transaction (SQLite), or each changed row is deleted first (DuckDB).
  test.each(['postgresql', 'mysql'] as const)(
    'writes by a unique index that it has just built, into %s',
    { timeout: 120_000 },
    async (system) => {
      if ((await missing(system)) !== '') return
      const one = await stageOf(
        server,
        [
          'CREATE TABLE staff (id int PRIMARY KEY, seat int NOT NULL)',
          'CREATE UNIQUE INDEX staff_seat ON staff (seat)',
          'INSERT INTO staff SELECT i, i FROM generate_series(1, 400) i',
        ],
        ['staff'],
        40,
        await makePlace(system, folder),
      )
      const wanted = { ...one.copy, with: ['indexes'] } as const
      const first = new AbortController()
      const begun = await perform(wanted, {
        interrupt: { ...NEVER, stop: first.signal },
        onEvent: ({ type }) => void (type === 'chunk.done' && first.abort()),
      })
      expect(of(begun.events, 'follow.table').map(({ state }) => state)).not.toContain('catchup')
      // Applied before the index is built.
      await one.source.sql('UPDATE staff SET seat = seat + 1000')
      const second = new AbortController()
      const events: Event[] = []
      const running = perform(wanted, {
        interrupt: { ...NEVER, stop: second.signal },
        onEvent: (event) => void events.push(event),
      })
      await expect
        .poll(() => of(events, 'follow.table').map(({ state }) => state), { timeout: 60_000 })
        .toContain('live')
      await one.source.sql(
        'BEGIN; UPDATE staff SET seat = 1 WHERE id = 1; UPDATE staff SET seat = 1001 WHERE id = 2; UPDATE staff SET seat = 1002 WHERE id = 1; COMMIT',
      )
      const query = 'SELECT id, seat FROM staff WHERE id < 4 ORDER BY id'
      await expect
        .poll(async () => String(await one.target.rows(query)), { timeout: 60_000 })
        .toBe('1,1002,2,1001,3,1003')
      second.abort()
      expect((await running).finished.error).toBeUndefined()
      expect(of(events, 'index.done')).toHaveLength(1)
      expect(of(events, 'log').map(({ message }) => message)).not.toContainEqual(expect.stringMatching(/opened again/))
    },
  )
})
