/** Workers share a run that begins a stream: it does not take over chunks that were copied before the stream began. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { WorkerStage } from '../support/worker-stage.ts'

const COPY = ['copy', '--from', 'shop', '--to', 'cold', '--tables', 't', '--checkpoint-size', '50', '--tasks', '2']
const FOLLOW = [...COPY, '--follow', '--until-caught-up']
const ROWS = `SELECT count(*) || ' ' || md5(string_agg(id || note, ',' ORDER BY id)) AS sum FROM t`

describe.skipIf(!POSTGRES_OWN)(`workers of a stream ${POSTGRES_MISSING}`, { timeout: 240_000 }, () => {
  let stage: WorkerStage
  beforeAll(async () => {
    stage = await WorkerStage.open(['wal_level=logical', 'max_replication_slots=10', 'max_wal_senders=10'])
  }, 120_000)
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })

  async function ended(...args: readonly string[]): Promise<string> {
    const run = await stage.distribute(...args)
    await stage.until(
      'the end',
      async () => (await stage.run(run)).status !== 'running' || (await stage.run(run)).status,
    )
    const { status, error } = await stage.run(run)
    return `${status} ${JSON.stringify(error)}`
  }

  async function sums(): Promise<readonly unknown[]> {
    return [await stage.ask(stage.data, 'source', ROWS), await stage.ask(stage.data, 'target', ROWS)]
  }

  test('do not take over chunks that workers copied before it', async () => {
    await stage.ask(
      stage.data,
      'source',
      `CREATE TABLE t AS SELECT g AS id, md5(g::text) AS note FROM generate_series(1, 500) g;
       ALTER TABLE t ADD PRIMARY KEY (id)`,
    )
    stage.worker({ host: 'one' })
    stage.worker({ host: 'two' })
    expect(await ended(...COPY)).toMatch(/^ok/)
    await stage.ask(stage.data, 'source', `DELETE FROM t WHERE id < 20; UPDATE t SET note = 'z' WHERE id = 100`)
    const refused = await ended(...FOLLOW)
    expect(refused).toMatch(/^refused/)
    expect(refused).toMatch(/no stream can begin for .*: it was copied before/)
    expect(await stage.ask(stage.data, 'source', 'SELECT slot_name FROM pg_replication_slots')).toEqual([])
    const anew = await ended(...FOLLOW, '--restart', '--on-existing', 'replace-range')
    expect(anew).toMatch(/^ok/)
    const [left, right] = await sums()
    expect(right).toEqual(left)
    await stage.ask(stage.data, 'source', `DELETE FROM t WHERE id = 300`)
    expect(await ended(...FOLLOW)).toMatch(/^ok/)
    const [here, there] = await sums()
    expect(there).toEqual(here)
  })
})
