/** What `doctor` reports for a Cassandra cluster, which has no catalog and is checked for copies. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/shared/clock.ts'
import { CASSANDRA_OWN, startOwn, type CassandraCluster } from '../support/servers/cassandra.ts'
import { perform } from './operation-kit.ts'

const found = (performed: Awaited<ReturnType<typeof perform>>): readonly string[] =>
  performed.events.flatMap((event) =>
    event.type === 'check' && event.area === 'database' ? [`${event.status} ${event.check}: ${event.found}`] : [],
  )

test('an invalid address and one that nothing listens on are reported', async () => {
  const wrong = await perform({ kind: 'doctor', catalog: 'cassandra://h/k?speed=high' })
  expect(found(wrong)).toEqual(['fail address: the URL has an unknown parameter: speed'])
  expect(wrong.finished.exitCode).toBe(1)
  const gone = await perform({ kind: 'doctor', catalog: 'cassandra://127.0.0.1:1/k' })
  expect(found(gone)[1]).toBe('fail login: Database connection failed')
  expect(gone.check('login')?.cause).toContain('ECONNREFUSED')
})

describe.skipIf(!CASSANDRA_OWN)('clusters with two nodes, and with users (need nodes of their own)', () => {
  let cluster: CassandraCluster
  let guarded: CassandraCluster
  const SPACE = "CREATE KEYSPACE two WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 2}"

  beforeAll(async () => {
    ;[cluster, guarded] = await Promise.all([
      startOwn(2, { forgetful: true, heapMb: 200 }),
      startOwn(1, { users: true, forgetful: true, heapMb: 200 }),
    ])
    await cluster.cql(
      SPACE,
      "CREATE KEYSPACE one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      "CREATE KEYSPACE far WITH replication = {'class': 'NetworkTopologyStrategy', 'elsewhere': 3}",
    )
    await guarded.cql(
      SPACE,
      "CREATE USER eve WITH PASSWORD 'apple-tree' NOSUPERUSER",
      'GRANT SELECT ON KEYSPACE two TO eve',
    )
  }, 180_000)
  afterAll(async () => {
    await Promise.all([cluster, guarded].map((one) => one?.stop()))
  })

  test('every requirement of a copy is checked', async () => {
    const performed = await perform({ kind: 'doctor', catalog: cluster.url('two') })
    expect(found(performed)).toEqual([
      expect.stringMatching(/^ok address: cassandra:\/\/127\.0\.0\.1:\d+,127\.0\.0\.2:/),
      expect.stringMatching(/^ok login: without a user, in /),
      expect.stringMatching(/^(?:ok|warn) round trip: .* median of 5$/),
      'ok encryption: not encrypted; it stays on this machine',
      'ok release: Cassandra 2.1.0, native protocol 3, cluster sluice tests',
      'ok ring: Murmur3Partitioner: tokens from -2^63 to 2^63 - 1',
      'ok nodes: 2 of 2 nodes up: 2 in datacenter1, the local one',
      'ok schema: the same on all nodes',
      'ok keyspace: two: NetworkTopologyStrategy, datacenter1 2; read and written at LOCAL_QUORUM',
      'ok rights: the cluster does not require a login',
      'ok clocks: the same time here and on all nodes that are up',
    ])
    expect(performed.finished.exitCode).toBe(0)
  })

  test('a single replica, replicas elsewhere, and a missing keyspace are reported', async () => {
    const one = await perform({ kind: 'doctor', catalog: cluster.url('one') })
    expect(one.check('keyspace')).toMatchObject({
      status: 'warn',
      cause: 'one replica of each row: rows of a node that is down cannot be read',
    })
    const far = await perform({ kind: 'doctor', catalog: cluster.url('far') })
    expect(far.check('keyspace')).toMatchObject({
      status: 'warn',
      cause: 'the local data center datacenter1 has no replicas',
    })
    const none = await perform({ kind: 'doctor', catalog: cluster.url('none') })
    expect(none.check('keyspace')).toMatchObject({ status: 'fail', cause: 'the cluster has no keyspace none' })
    expect(none.finished.exitCode).toBe(1)
  })

  test('missing rights and a wrong password are reported', async () => {
    const reader = await perform({ kind: 'doctor', catalog: guarded.url('two', 'eve', 'apple-tree') })
    expect(reader.check('rights')).toMatchObject({
      status: 'warn',
      found: 'the user has no right to MODIFY, CREATE on the keyspace "two"',
      hint: `as a superuser: GRANT MODIFY ON KEYSPACE "two" TO 'eve'; GRANT CREATE ON KEYSPACE "two" TO 'eve'`,
    })
    const superuser = await perform({ kind: 'doctor', catalog: guarded.url('two') })
    expect(superuser.check('rights')).toMatchObject({ status: 'ok', found: 'cassandra is a superuser' })
    const wrong = await perform({ kind: 'doctor', catalog: guarded.url('two', 'eve', 'pear-tree') })
    expect(wrong.check('login')).toMatchObject({ status: 'fail' })
    expect(JSON.stringify(wrong.events)).not.toMatch(/pear-tree|apple-tree/)
  })

  test('a clock that is off is reported', async () => {
    const clock = { ...systemClock, now: () => systemClock.now() - 60_000, ticks: () => systemClock.ticks() }
    const performed = await perform({ kind: 'doctor', catalog: cluster.url('two') }, clock)
    expect(performed.check('clocks')).toMatchObject({
      status: 'fail',
      found: expect.stringMatching(/^node 127\.0\.0\.\d is 60\.\d s ahead of this machine$/) as string,
    })
  })

  test('a node that is down is named', async () => {
    await cluster.nodes[1]?.kill9()
    const performed = await perform({ kind: 'doctor', catalog: cluster.url('two') })
    expect(performed.check('nodes')).toMatchObject({
      status: 'warn',
      found: '1 of 2 nodes up: 2 in datacenter1, the local one',
      cause: 'down: 127.0.0.2',
    })
  })
})
