/**
 * Wide rows: the rows that wait to be written are limited in bytes, and a program with a small heap applies
 * transactions that are larger than it.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { perform } from '../support/copy-systems.ts'
import { stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

const WIDE = 300_000
const ROWS = 1500
/** A third of the size of the rows. */
const HEAP_MB = 160

describe.skipIf(!POSTGRES_OWN)(`wide rows ${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startFollowServer()
  })
  afterAll(() => server[Symbol.asyncDispose]())
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  /** A stage whose stream exists, but is not running. */
  async function followed(): Promise<Stage> {
    // A wide text takes a few bytes on disk, and its full length in the stream.
    const one = await stageOf(server, ['CREATE TABLE t (id int PRIMARY KEY, v text)', `INSERT INTO t VALUES (0, '')`], ['t']) // prettier-ignore
    expect((await perform({ ...one.copy, follow: { until: 'caught-up' } })).finished).toMatchObject({ exitCode: 0 })
    return one
  }

  async function expectFollowed(one: Stage): Promise<void> {
    vi.stubEnv('NODE_OPTIONS', `--max-old-space-size=${HEAP_MB}`)
    const { finished, signal } = await startCopy({ ...one.copy, follow: { until: 'caught-up' } }).ended
    expect(signal).toBeNull()
    expect(finished).toMatchObject({ exitCode: 0 })
    const sums = `SELECT count(*), sum(id), sum(length(v)), count(DISTINCT md5(v)) FROM t`
    expect(await one.target.rows(sums)).toEqual(await one.source.rows(sums))
  }

  test('a small heap is enough for one transaction of wide rows', async () => {
    const one = await followed()
    await one.source.sql(`INSERT INTO t SELECT i, repeat(chr(97 + i % 26), ${WIDE}) FROM generate_series(1, ${ROWS}) i`)
    await expectFollowed(one)
  })

  test('a small heap is enough for many transactions of one wide row', async () => {
    const one = await followed()
    await one.source.sql(
      `DO $$ BEGIN FOR i IN 1 .. ${ROWS} LOOP INSERT INTO t VALUES (i, repeat(chr(97 + i % 26), ${WIDE})); COMMIT; END LOOP; END $$`,
    )
    await expectFollowed(one)
  })
})
