/** Rows of followed tables that wait to be read again: named by hand, or left by a program that was killed. The lane mends them, whoever has it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { caughtUp, expectEqual, stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const TABLE = [
  'CREATE TABLE t (id int PRIMARY KEY, v text)',
  "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 200) i",
]

/** A row that somebody has named, as a program that ended before it could read it has left it. */
async function leaveWaiting({ target }: Stage, key: string): Promise<void> {
  await target.sql(
    `INSERT INTO migration_stream_rereads (reread_id, stream_id, schema_name, table_name, row_key, reason, noted_ms)
     SELECT gen_random_uuid()::text, stream_id, schema_name, table_name, '["${key}"]', 'difference', 0 FROM migration_stream_tables`,
  )
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  while (!(await reached())) await sleep(20)
}

const waits = async ({ target }: Stage): Promise<boolean> =>
  (await target.rows('SELECT 1 FROM migration_stream_rereads')).length > 0

describe.skipIf(!POSTGRES_OWN)(`rows of a followed table by hand ${POSTGRES_MISSING}`, () => {
  test(
    'of a live table that wait are read when a stream is opened, and while it runs',
    { timeout: 60_000 },
    async () => {
      const one = await stageOf(server, TABLE, ['t'])
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await one.target.sql("UPDATE t SET v = 'wrong' WHERE id = 7")
      await leaveWaiting(one, '7')
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await expectEqual(one, 'left by a program before')
      const child = startCopy(one.copy)
      await child.until('follow.progress')
      await one.target.sql('DELETE FROM t WHERE id = 9', "INSERT INTO t VALUES (900, 'nobody knows')")
      for (const key of ['9', '900']) await leaveWaiting(one, key)
      await until(async () => !(await waits(one)))
      child.process.kill('SIGKILL')
      await child.ended
      await expectEqual(one, 'named while it runs')
    },
  )
})
