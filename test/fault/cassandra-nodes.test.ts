/**
 * One of two nodes is killed during a copy and restarted: no row is lost, and what cannot continue without the node
 * reports so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL as EVERYTHING } from '../support/backend.ts'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { connectCassandra } from '../../src/stores/cassandra/connect.ts'
import { openCqlLedger } from '../../src/stores/cassandra/ledger/index.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { makePlace, perform, type Place, type Ran } from '../support/copy-systems.ts'
import { CASSANDRA_OWN, startOwn, type CassandraCluster } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import type { CassandraNode } from '../support/servers/cassandra-node.ts'
import { copyBetween, failures, started, texts } from '../real/cassandra-target-kit.ts'

const ROWS = 1200
const TWO_COPIES = "{'class': 'SimpleStrategy', 'replication_factor': 2}"
const LOOK = 'SELECT id, name, writetime(name) FROM t'
/** How long the node is down: less than the ledger waits for it. */
const AWAY_MS = 1500
/** Codes of consistency levels. */
const ONE = 1
const ALL = 5
const IMPATIENT = 'retry_seconds=2&request_timeout=5'

describe.skipIf(!CASSANDRA_OWN)('two nodes, every row on both (need nodes of their own)', { timeout: 90_000 }, () => {
  let cluster: CassandraCluster
  let other: CassandraNode
  let source: TestKeyspace
  let before: readonly string[]
  const folder = temporaryFolder()
  const numbers = Array.from({ length: ROWS }, (_, i) => i)

  beforeAll(async () => {
    cluster = await startOwn(2, {
      commitlog: 'batch',
      heapMb: 250,
      yaml: {
        read_request_timeout_in_ms: 1500,
        range_request_timeout_in_ms: 1500,
        write_request_timeout_in_ms: 1500,
        // The smallest allowed value: a dead node is detected after about twelve seconds instead of twenty.
        phi_convict_threshold: 5,
      },
    })
    const [, second] = cluster.nodes
    if (second === undefined) throw new Error('two nodes were asked for')
    other = second
    source = await keyspace()
    await source.cql('CREATE TABLE t (id int PRIMARY KEY, name text)')
    const { client } = source.link
    for (let at = 0; at < ROWS; at += 100) {
      await Promise.all(
        numbers
          .slice(at, at + 100)
          .map((id) =>
            client.execute(
              'INSERT INTO t (id, name) VALUES (?, ?) USING TIMESTAMP ?',
              [id, `name ${id}`, 1_600_000_000_000_000n + BigInt(id)],
              { prepare: true, consistency: ALL },
            ),
          ),
      )
    }
    before = await texts(source, LOOK)
  }, 120_000)
  afterAll(async () => {
    await source?.link[Symbol.asyncDispose]()
    await cluster?.stop()
    folder[Symbol.dispose]()
  })

  /** A keyspace whose rows are all on both nodes. */
  async function keyspace(): Promise<TestKeyspace> {
    return newKeyspace({ cluster: cluster.url(), replication: TWO_COPIES })
  }

  /** Runs a copy whose second node is killed when the first chunk is done, and restarted a little later. */
  async function withOutage(copy: CopyOperation): Promise<Ran> {
    const outages: Promise<void>[] = []
    const away = async (): Promise<void> => {
      await other.kill9()
      await sleep(AWAY_MS)
      await other.start()
    }
    const onEvent = ({ type }: Event): void => {
      if (type === 'chunk.done' && outages.length === 0) outages.push(away())
    }
    const ran = await perform(copy, { onEvent })
    expect(outages).toHaveLength(1)
    await Promise.all(outages)
    await cluster.agree()
    return ran
  }

  async function ids(place: Place): Promise<readonly number[]> {
    return (await place.rows('SELECT id FROM t ORDER BY id')).map(([id]) => Number(id))
  }

  test('a source read at QUORUM waits for the node, and no chunk is lost', async () => {
    const target = await makePlace('sqlite', folder.path)
    const url = `${source.url}?consistency=QUORUM&dc=datacenter1`
    const ran = await withOutage(copyBetween(url, target.url, ['t'], { workers: 2, ring: { splits: 24 } }))
    expect(ran.finished, failures(ran)).toMatchObject({
      exitCode: 0,
      totals: { written: String(ROWS), quarantined: '0' },
    })
    const complaints = ran.events.flatMap((event) => (event.type === 'chunk.retried' ? [event.error.message] : []))
    for (const text of complaints) expect(text).toMatch(/too few replicas|did not answer|connection|no node/)
    expect(await ids(target)).toEqual(numbers)
  })

  test('a target written at QUORUM waits for the node; each row is on both nodes, with its write time', async () => {
    await using target = await keyspace()
    const copy = copyBetween(`${source.url}?consistency=ONE`, `${target.url}?consistency=QUORUM`, ['t'], {
      workers: 2,
      ring: { splits: 24 },
    })
    const ran = await withOutage(copy)
    expect(ran.finished, failures(ran)).toMatchObject({
      exitCode: 0,
      totals: { written: String(ROWS), quarantined: '0' },
    })
    // Hinted handoff is off, so rows that a node missed would stay missing.
    for (const consistency of [ONE, ALL]) {
      const { rows } = await target.link.client.execute(LOOK, [], { consistency, fetchSize: 5000 })
      expect(rows.length).toBe(ROWS)
    }
    expect(await texts(target, LOOK)).toEqual(before)
    const again = await perform(copy)
    expect(again.finished, failures(again)).toMatchObject({ exitCode: 0 })
    expect(started(again)).toBe(0)
  })

  test.skipIf(!EVERYTHING)(
    'with one node down, level ONE works, and a ledger without a majority reports it and waits',
    async () => {
      await using target = await keyspace()
      await using ledgers = await keyspace()
      await using link = await connectCassandra(`${ledgers.url}?${IMPATIENT}`)
      await using ledger = await openCqlLedger(link, ledgers.name, new AbortController().signal)
      await prepareLedger(ledger)
      const put = (text: string): Promise<unknown> =>
        ledger.batch([{ sql: 'INSERT INTO migration_tokens (token) VALUES (?)', parameters: [text] }])
      await put('a')
      const copy = copyBetween(`${source.url}?consistency=ONE`, `${target.url}?consistency=ONE&${IMPATIENT}`, ['t'], {
        ring: { splits: 8 },
      })
      await other.kill9()

      await waitUntil(async () => {
        const error: unknown = await put('b').catch((thrown: unknown) => thrown)
        return (error as { readonly code?: string }).code === 'TARGET_BUSY'
      })
      await expect(put('b')).rejects.toMatchObject({ code: 'TARGET_BUSY', retryable: true })
      await expect(put('b')).rejects.toThrow(/too few replicas/)

      const file = await makePlace('sqlite', folder.path)
      const ran = await perform(copyBetween(`${source.url}?consistency=ONE`, file.url, ['t'], { ring: { splits: 8 } }))
      expect(ran.finished, failures(ran)).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      expect(await ids(file)).toEqual(numbers)

      // The ledger cannot be written yet: the run waits, or ends with a retryable error.
      const waiting = perform(copy)
      await sleep(AWAY_MS)
      await other.start()
      await cluster.agree()
      await waitUntil(() =>
        put('c').then(
          () => true,
          () => false,
        ),
      )
      expect(await ledger.all("SELECT token FROM migration_tokens WHERE token IN ('a', 'c') ORDER BY token")).toEqual([
        ['a'],
        ['c'],
      ])
      const waited = await waiting
      if (waited.finished.exitCode !== 0) expect(waited.finished.error).toMatchObject({ retryable: true })
      const again = waited.finished.exitCode === 0 ? waited : await perform(copy)
      expect(again.finished, failures(again)).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      expect(await texts(target, LOOK)).toEqual(before)
    },
  )

  async function waitUntil(isSo: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 40_000
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new Error('waited in vain')
      await sleep(200)
    }
  }
})
