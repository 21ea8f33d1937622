/**
 * A stream with several apply workers, killed while they have different positions, and divided again: the result is
 * equal, and each apply worker continues from its own position.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spreadGroups } from '../../src/engine/follow/apply/divide.ts'
import { ALL } from '../support/backend.ts'
import { perform } from '../support/copy-systems.ts'
import { caughtUp, expectEqual, stageOf, startFollowServer, writerStage } from '../support/follow-stage.ts'
import { startWriter } from '../support/follow-writer.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const LANES = 'SELECT lane::text, log_position::text FROM migration_stream_lanes ORDER BY 1'
const DIVISION = 'SELECT source_table, lane::text FROM migration_stream_tables ORDER BY 1'

test('table groups go to the apply worker with the fewest changes, and none is empty', () => {
  const tables = ['a', 'b', 'c', 'd'].map((name) => ({ name }))
  const changes = (updates: number) => ({ inserts: 0, updates, deletes: 0, truncates: 0 })
  const counts = { a: changes(5), b: changes(100), c: changes(40), d: changes(50) }
  expect(spreadGroups([[0, 1], [2], [3]], tables, counts, 2)).toEqual([0, 0, 1, 1])
  expect(spreadGroups([[0], [1], [2], [3]], tables, {}, 9)).toEqual([0, 1, 2, 3])
  expect(spreadGroups([[0, 1, 2, 3]], tables, {}, 3)).toEqual([0, 0, 0, 0])
})

describe.skipIf(!POSTGRES_OWN)('a stream with several apply workers', { timeout: 90_000 }, () => {
  test('is equal after kills while its source is written to', async () => {
    const one = await writerStage(server, 800)
    const writer = startWriter(one.source.url, { seed: 9, keys: 800, truncates: true, pauseMs: 2 })
    const follow = { lanes: 3 }
    expect((await perform({ ...one.copy, follow: { ...follow, until: 'caught-up' } })).finished.exitCode).toBe(0)
    for (const table of ALL ? ['acct', 'ev', 'moves', 'cnt'] : ['ev']) {
      const child = startCopy({ ...one.copy, follow })
      const client = new pg.Client({ connectionString: one.target.url })
      await client.connect()
      await child.until('follow.progress')
      // One apply worker waits, and the others continue.
      await client.query(`BEGIN; LOCK TABLE ${table} IN EXCLUSIVE MODE`)
      for (;;) {
        const lanes = await one.target.rows(LANES)
        if (new Set(lanes.map(([, position]) => position)).size > 1) break
        await sleep(20)
      }
      child.process.kill('SIGKILL')
      await child.ended
      await client.end()
    }
    await writer.stop()
    const { finished } = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { live: '4' } })
    await expectEqual(one)
    const lanes = await one.target.rows(LANES)
    expect(lanes.map(([lane]) => lane)).toEqual(['0', '1', '2'])
    expect(new Set(lanes.map(([, position]) => position)).size, 'all stand at one position').toBe(1)
  })

  test('keeps tables with foreign keys together, and can be divided again', async () => {
    const tables = [
      'CREATE TABLE up (id int PRIMARY KEY)',
      'CREATE TABLE down (id int PRIMARY KEY, up int REFERENCES up)',
      'CREATE TABLE alone (id int PRIMARY KEY)',
    ]
    const one = await stageOf(server, tables, ['up', 'down', 'alone'])
    const run = async (lanes: number) => await perform({ ...one.copy, follow: { lanes, until: 'caught-up' } })
    expect((await run(3)).finished.exitCode).toBe(0)
    const of = new Map((await one.target.rows(DIVISION)).map(([name, lane]) => [name, lane]))
    expect(of.get('public.up')).toBe(of.get('public.down'))
    expect(new Set(of.values()).size).toBe(2)
    await one.source.sql(
      'INSERT INTO up SELECT generate_series(1, 50)',
      'BEGIN; INSERT INTO down SELECT i, i FROM generate_series(1, 50) i; INSERT INTO alone SELECT generate_series(1, 20); COMMIT',
      'TRUNCATE alone, down',
      'INSERT INTO alone VALUES (7)',
    )
    // Each apply worker counts two transactions.
    expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0, totals: { transactions: '4' } })
    await expectEqual(one)
    expect((await run(1)).finished.exitCode).toBe(0)
    expect(new Set((await one.target.rows(DIVISION)).map(([, lane]) => lane))).toEqual(new Set(['0']))
    await one.source.sql('INSERT INTO alone VALUES (8)')
    const last = await caughtUp(one)
    expect(last.finished).toMatchObject({ exitCode: 0, totals: { transactions: '5' } })
    await expectEqual(one)
  })

  test('is refused for an invalid number of apply workers', async () => {
    const one = await stageOf(server, ['CREATE TABLE t (id int PRIMARY KEY)'], ['t'])
    const { finished } = await perform({ ...one.copy, follow: { lanes: 17, until: 'caught-up' } })
    expect(finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
  })
})
