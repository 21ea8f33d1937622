/**
 * Nodes that sync their commit log periodically: which writes a killed node loses, and how long an irreversible step
 * waits.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { connectCassandra } from '../../src/stores/cassandra/connect.ts'
import { CASSANDRA_OWN, startOwn, type CassandraCluster } from '../support/servers/cassandra.ts'

const PERIOD_S = 3

describe.skipIf(!CASSANDRA_OWN)('commitlog_sync: periodic (needs a node of its own)', { timeout: 180_000 }, () => {
  let cluster: CassandraCluster

  beforeAll(async () => {
    cluster = await startOwn(1, { yaml: { commitlog_sync_period_in_ms: PERIOD_S * 1000 } })
    await cluster.cql(
      "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      'CREATE TABLE k.t (id int PRIMARY KEY)',
    )
  }, 120_000)
  afterAll(() => cluster?.stop())

  /**
   * Writes two rows, one before and one after `flushed`, and kills the node.
   * @returns ids in the table after its restart
   */
  async function afterKill(before: number, behind: number): Promise<readonly number[]> {
    {
      await using store = await openCopyStore(`${cluster.url('k')}?commitlog_sync_period=${PERIOD_S}`, {
        mode: 'write',
      })
      await using link = await connectCassandra(cluster.url('k'))
      await link.client.execute(`INSERT INTO k.t (id) VALUES (${before})`)
      await store.offers.durability?.flushed(NEVER.abort)
      await link.client.execute(`INSERT INTO k.t (id) VALUES (${behind})`)
      await cluster.nodes[0]?.kill9()
    }
    await cluster.nodes[0]?.start()
    await using link = await connectCassandra(cluster.url('k'))
    const { rows } = await link.client.execute('SELECT id FROM k.t')
    return rows.map((row) => Number(row.get('id')))
  }

  test('an acknowledged row may be lost in a crash, but not after `flushed` has returned', async () => {
    // A sync may happen between the second write and the kill, so try again; without any lost row the test would prove
    // nothing.
    let forgotten = false
    for (let id = 1; id < 8 && !forgotten; id += 2) {
      const kept = await afterKill(id, id + 1)
      expect(kept).toContain(id)
      forgotten = !kept.includes(id + 1)
    }
    expect(forgotten).toBe(true)
  })

  test('the wait ends with the run, and nodes that sync before they acknowledge need no wait', async () => {
    const opened = (seconds: number): ReturnType<typeof openCopyStore> =>
      openCopyStore(`${cluster.url('k')}?commitlog_sync_period=${seconds}`, { mode: 'read' })
    await using slow = await opened(600)
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 200)
    await expect(slow.offers.durability?.flushed(stop.signal)).rejects.toMatchObject({ code: 'ABORTED' })
    await using batch = await opened(0)
    const begun = performance.now()
    await batch.offers.durability?.flushed(NEVER.abort)
    expect(performance.now() - begun).toBeLessThan(3000)
  })
})
