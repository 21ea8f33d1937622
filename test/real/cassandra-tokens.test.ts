/** Distribution of rows on the ring: on one node, on two, for even, skewed, wide and empty tables. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RingEvent, RingHostEvent, RingPartEvent } from '../../src/model/run/event.ts'
import { CASSANDRA_AVAILABLE, startCassandra, type CassandraCluster } from '../support/servers/cassandra.ts'
import { perform } from './operation-kit.ts'

describe.skipIf(!CASSANDRA_AVAILABLE)('the ring of a table', () => {
  let cluster: CassandraCluster
  beforeAll(async () => {
    cluster = await startCassandra()
    await cluster.cql(
      `CREATE KEYSPACE "Ring" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
      `CREATE TABLE "Ring"."Even" ("Id" int PRIMARY KEY, body text)`,
      `CREATE TABLE "Ring".wide (tenant text, at bigint, body text, PRIMARY KEY (tenant, at))`,
      `CREATE TABLE "Ring".few (tenant text, at bigint, body text, PRIMARY KEY (tenant, at))`,
      `CREATE TABLE "Ring".pairs (pair frozen<tuple<int, text>>, born timestamp, at bigint, PRIMARY KEY ((pair, born), at))`,
      `INSERT INTO "Ring".pairs (pair, born, at) VALUES ((NULL, 'a,b'), 0, 1)`,
      `CREATE TABLE "Ring".empty (a int, b text, c int, PRIMARY KEY ((a, b), c))`,
    )
    const { connectCassandra } = await import('../../src/stores/cassandra/connect.ts')
    const { concurrent } = await import('cassandra-driver')
    await using link = await connectCassandra(cluster.url('Ring'))
    const even = Array.from({ length: 60_000 }, (_, i) => [i, 'x'.repeat(20)])
    await concurrent.executeConcurrent(link.client, 'INSERT INTO "Ring"."Even" ("Id", body) VALUES (?, ?)', even, {
      concurrencyLevel: 256,
    })
    const wide = Array.from({ length: 12_000 }, (_, i) => [i < 8000 ? 'one' : `t${i % 40}`, BigInt(i), 'y'])
    await concurrent.executeConcurrent(
      link.client,
      'INSERT INTO "Ring".wide (tenant, at, body) VALUES (?, ?, ?)',
      wide,
      {
        concurrencyLevel: 256,
      },
    )
    const few = Array.from({ length: 2800 }, (_, i) => [`t${i % 7}`, BigInt(i), 'y'])
    await concurrent.executeConcurrent(link.client, 'INSERT INTO "Ring".few (tenant, at, body) VALUES (?, ?, ?)', few, {
      concurrencyLevel: 256,
    })
  }, 120_000)
  afterAll(async () => {
    await cluster?.stop()
  })

  const look = async (table: string, options: { splits?: number; sample?: number; seed?: string } = {}) => {
    const { events, finished } = await perform({
      kind: 'tokens',
      from: cluster.url('Ring'),
      tables: [table],
      splits: 16,
      sample: 64,
      seed: 'a',
      ...options,
    })
    expect(finished.error).toBeUndefined()
    return {
      parts: events.filter((event): event is typeof event & RingPartEvent => event.type === 'ring.part'),
      hosts: events.filter((event): event is typeof event & RingHostEvent => event.type === 'ring.host'),
      ring: events.find((event): event is typeof event & RingEvent => event.type === 'ring'),
    }
  }

  it('is counted if the windows contain all of a few large partitions', async () => {
    for (const seed of ['a', 'b', 'c']) {
      const { ring } = await look('few', { splits: 4, sample: 256, seed })
      expect(ring).toMatchObject({ exact: true, rows: '2800', partitions: '7' })
    }
  })

  it('is estimated well from a sample', async () => {
    const { parts, hosts, ring } = await look('Even')
    expect(parts).toHaveLength(16)
    expect(parts[0]?.from).toBe('-9223372036854775808')
    expect(parts.at(-1)?.to).toBe('9223372036854775807')
    for (const [i, part] of parts.slice(1).entries()) expect(BigInt(part.from)).toBe(BigInt(parts[i]?.to ?? '') + 1n)
    expect(ring?.exact).toBe(false)
    // 64 windows of 250 rows: 16,000 of 60,000 rows, so the estimate of the total is off by about a percent.
    expect(Number(ring?.seen)).toBeLessThan(25_000)
    expect(Number(ring?.rows)).toBeGreaterThan(57_000)
    expect(Number(ring?.rows)).toBeLessThan(63_000)
    expect(ring?.partitions).toBe(ring?.rows)
    expect(Number(ring?.bytes) / Number(ring?.rows)).toBeCloseTo(28, 0)
    expect(ring?.skew).toBeGreaterThanOrEqual(1)
    expect(ring?.skew).toBeLessThan(1.3)
    expect(ring?.server).toBeUndefined()
    expect(hosts).toMatchObject([{ up: true, share: 1, rows: ring?.rows }])
    expect(Number(hosts[0]?.ranges)).toBeGreaterThan(0)
  })

  it('samples the same windows for the same seed, and others for another one', async () => {
    const [one, same, other] = [await look('Even'), await look('Even'), await look('Even', { seed: 'b' })]
    expect(same.parts.map(({ rows }) => rows)).toEqual(one.parts.map(({ rows }) => rows))
    expect(other.parts.map(({ rows }) => rows)).not.toEqual(one.parts.map(({ rows }) => rows))
  })

  it('counts a table that the windows contain completely', async () => {
    const { ring } = await look('Even', { splits: 256, sample: 512 })
    expect(ring).toMatchObject({ exact: true, rows: '60000', partitions: '60000', seen: '60000' })
  })

  it('names a partition that is too wide', async () => {
    const { ring } = await look('wide')
    expect(ring?.fullest).toMatchObject({ key: ['one'], more: true })
    expect(Number(ring?.fullest?.rows)).toBeGreaterThanOrEqual(5000)
    expect(ring?.partitions).toBe('41')
    expect(ring?.skew).toBeGreaterThan(5)
    expect(ring?.exact).toBe(false)
  })

  it('names a partition by a tuple that contains NULL', async () => {
    const { ring } = await look('pairs')
    expect(ring?.fullest?.key).toEqual(['[null,"a,b"]', '1970-01-01 00:00:00'])
  })

  it('reports an empty table', async () => {
    const { ring } = await look('empty')
    expect(ring).toMatchObject({ exact: true, rows: '0', skew: 1, seen: '0' })
    expect(ring?.fullest).toBeUndefined()
  })

  it('refuses tables without a ring', async () => {
    const options = { splits: 16, sample: 16, seed: 'a' }
    const { finished } = await perform({ kind: 'tokens', from: 'sqlite:///:none:', tables: ['x'], ...options })
    expect(finished.exitCode).not.toBe(0)
    const gone = await perform({ kind: 'tokens', from: cluster.url('Ring'), tables: ['gone'], ...options })
    expect(gone.finished.error?.code).toBe('NO_SUCH_TABLE')
  })

  it('is found by discover', async () => {
    const { events } = await perform({ kind: 'discover-database', url: cluster.url('Ring'), tables: ['*'] })
    const found = events.flatMap((event) => (event.type === 'relation' ? [event] : []))
    expect(found.map(({ table, key, ring }) => [table, key, ring])).toEqual([
      ['Ring.Even', ['Id'], { partitioner: 'murmur3', columns: 1 }],
      ['Ring.empty', ['a', 'b', 'c'], { partitioner: 'murmur3', columns: 2 }],
      ['Ring.few', ['tenant', 'at'], { partitioner: 'murmur3', columns: 1 }],
      ['Ring.pairs', ['pair', 'born', 'at'], { partitioner: 'murmur3', columns: 2 }],
      ['Ring.wide', ['tenant', 'at'], { partitioner: 'murmur3', columns: 1 }],
    ])
  })
})
