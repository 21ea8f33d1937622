/** One node of two goes away during a copy, and comes back: nothing is lost, and what cannot go on without it says so. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/event.ts'
import { makePlace, perform, type Place } from '../support/copy-systems.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { CASSANDRA_OWN, startOwn, type CassandraCluster } from '../support/servers/cassandra.ts'
import type { CassandraNode } from '../support/servers/cassandra-node.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { copyBetween, failures } from '../real/cassandra-target-kit.ts'

const ROWS = 1200
const TWO_COPIES = "{'class': 'SimpleStrategy', 'replication_factor': 2}"

describe.skipIf(!CASSANDRA_OWN)('two nodes, every row on both (need nodes of their own)', { timeout: 180_000 }, () => {
  let cluster: CassandraCluster
  let other: CassandraNode
  const folder = temporaryFolder()
  const numbers = Array.from({ length: ROWS }, (_, i) => i)

  beforeAll(async () => {
    cluster = await startOwn(2, {
      commitlog: 'batch',
      heapMb: 250,
      yaml: { read_request_timeout_in_ms: 3000, range_request_timeout_in_ms: 3000, write_request_timeout_in_ms: 3000 },
    })
    const [, second] = cluster.nodes
    if (second === undefined) throw new Error('two nodes were asked for')
    other = second
  }, 180_000)
  beforeEach(async () => {
    if (other.pid === null) await other.start()
    await cluster.agree()
  }, 120_000)
  afterAll(async () => {
    await cluster?.stop()
    folder[Symbol.dispose]()
  })

  /** Both nodes have all of its rows. */
  async function keyspace(): Promise<TestKeyspace> {
    return newKeyspace({ cluster: cluster.url(), replication: TWO_COPIES })
  }

  async function filled(): Promise<TestKeyspace> {
    const made = await keyspace()
    await made.cql('CREATE TABLE t (id int PRIMARY KEY, name text)')
    const { client } = made.link
    for (let at = 0; at < ROWS; at += 100) {
      await Promise.all(
        numbers.slice(at, at + 100).map((id) =>
          client.execute('INSERT INTO t (id, name) VALUES (?, ?)', [id, `name ${id}`], {
            prepare: true,
            consistency: 5,
          }),
        ),
      )
    }
    return made
  }

  /** Kills the second node when the first chunk is done, and starts it again when a chunk has failed for it. */
  function outage(): { readonly onEvent: (event: Event) => void; readonly ended: () => Promise<readonly string[]> } {
    const complaints: string[] = []
    let killed: Promise<void> | null = null
    let restarted: Promise<void> | null = null
    return {
      onEvent: (event) => {
        if (event.type === 'chunk.done') killed ??= other.kill9()
        if (event.type !== 'chunk.retried') return
        complaints.push(`${event.error.code}: ${event.error.message}`)
        restarted ??= (killed ?? Promise.resolve()).then(() => other.start())
      },
      ended: async () => {
        await killed
        await restarted
        return complaints
      },
    }
  }

  test('a source read at QUORUM waits for the node, and loses no chunk', async () => {
    await using source = await filled()
    const target = await makePlace('sqlite', folder.path)
    const { onEvent, ended } = outage()
    const copy = copyBetween(`${source.url}?consistency=QUORUM&dc=datacenter1`, target.url, ['t'], {
      workers: 2,
      ring: { splits: 24 },
    })
    const ran = await perform(copy, { onEvent })
    const complaints = await ended()
    expect(ran.finished, failures(ran)).toMatchObject({
      exitCode: 0,
      totals: { written: String(ROWS), quarantined: '0' },
    })
    expect(complaints.length).toBeGreaterThan(0)
    expect(
      complaints.every((text) => /too few replicas|did not answer|connection|no node/.test(text)),
      complaints.join(),
    ).toBe(true)
    expect(await ids(target)).toEqual(numbers)
  })

  test('a source read at ONE does not need it', async () => {
    await using source = await filled()
    const target = await makePlace('sqlite', folder.path)
    await other.kill9()
    const ran = await perform(copyBetween(`${source.url}?consistency=ONE`, target.url, ['t'], { ring: { splits: 8 } }))
    expect(ran.finished, failures(ran)).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
    expect(await ids(target)).toEqual(numbers)
    await other.start()
    await cluster.agree()
  })

  test('a target written at QUORUM waits for the node; every row is on both afterwards', async () => {
    await using target = await keyspace()
    const source = await filledFile()
    const { onEvent, ended } = outage()
    const copy = copyBetween(source.url, `${target.url}?consistency=QUORUM`, ['t'], { workers: 2, chunkRows: 50 })
    const ran = await perform(copy, { onEvent })
    await ended()
    expect(ran.finished, failures(ran)).toMatchObject({
      exitCode: 0,
      totals: { written: String(ROWS), quarantined: '0' },
    })
    const { rows } = await target.link.client.execute('SELECT id, name FROM t', [], { consistency: 5, fetchSize: 5000 })
    expect(rows.map((row) => Number(row.get('id'))).toSorted((a, b) => a - b)).toEqual(numbers)
  })

  test('a ledger that has no majority is a clear error, and the next run goes on', async () => {
    await using target = await keyspace()
    const source = await filledFile()
    await other.kill9()
    const copy = copyBetween(source.url, `${target.url}?consistency=ONE&retry_seconds=2&request_timeout=5`, ['t'], {
      chunkRows: 200,
    })
    const ran = await perform(copy)
    expect(ran.finished.exitCode).not.toBe(0)
    expect(ran.finished.error).toMatchObject({ retryable: true })
    await other.start()
    await cluster.agree()
    const again = await perform(copy)
    expect(again.finished, failures(again)).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
  })

  async function filledFile(): Promise<Place> {
    const place = await makePlace('sqlite', folder.path)
    await place.sql(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT) STRICT',
      `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS - 1}) INSERT INTO t SELECT i, 'name ' || i FROM n`,
    )
    return place
  }

  async function ids(place: Place): Promise<readonly number[]> {
    return (await place.rows('SELECT id FROM t ORDER BY id')).map(([id]) => Number(id))
  }
})
