/** Wide rows: what waits to be written is bounded in bytes, and a program with a small heap follows transactions that are larger than it. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { perform } from '../support/copy-systems.ts'
import { stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { startCopy } from './copy-kit.ts'

const WIDE = 300_000
const ROWS = 1500
/** A third of what the rows take. */
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

  /** Its table is followed, and nobody follows now. */
  async function followed(): Promise<Stage> {
    // A wide text is a few bytes on the disk, and whole in the stream.
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

  test('one transaction of them', async () => {
    const one = await followed()
    await one.source.sql(`INSERT INTO t SELECT i, repeat(chr(97 + i % 26), ${WIDE}) FROM generate_series(1, ${ROWS}) i`)
    await expectFollowed(one)
  })

  test('many transactions of one', async () => {
    const one = await followed()
    await one.source.sql(
      `DO $$ BEGIN FOR i IN 1 .. ${ROWS} LOOP INSERT INTO t VALUES (i, repeat(chr(97 + i % 26), ${WIDE})); COMMIT; END LOOP; END $$`,
    )
    await expectFollowed(one)
  })
})
