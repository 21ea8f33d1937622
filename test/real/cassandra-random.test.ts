/**
 * A ring of the RandomPartitioner, whose tokens go up to 2^127: copied as a whole and in parts, into SQL and into
 * another keyspace.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RING_TOKENS } from '../../src/model/copy/ring.ts'
import { copyOf, makePlace, perform } from '../support/copy-systems.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { CASSANDRA_MISSING, CASSANDRA_OWN, startOwn, type CassandraCluster } from '../support/servers/cassandra.ts'
import { copyBetween, failures, started, texts } from './cassandra-target-kit.ts'

const ROWS = 400

describe.skipIf(!CASSANDRA_OWN)(`the RandomPartitioner ${CASSANDRA_MISSING}`, () => {
  let folder = ''
  let cluster: CassandraCluster
  let from: TestKeyspace
  let to: TestKeyspace

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-random-'))
    cluster = await startOwn(1, { heapMb: 384, forgetful: true, partitioner: 'RandomPartitioner' })
    from = await newKeyspace({ cluster: cluster.url() })
    to = await newKeyspace({ cluster: cluster.url() })
    await from.cql('CREATE TABLE people (id int, no int, name text, PRIMARY KEY (id, no))')
    const put = 'INSERT INTO people (id, no, name) VALUES (?, ?, ?)'
    await Promise.all(
      Array.from({ length: ROWS }, (_, i) =>
        from.link.client.execute(put, [i >> 1, i & 1, `n${i}`], { prepare: true }),
      ),
    )
  }, 120_000)

  afterAll(async () => {
    await from[Symbol.asyncDispose]()
    await to[Symbol.asyncDispose]()
    await cluster[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  test('into SQL, first in halves, then the rest', { timeout: 60_000 }, async () => {
    const place = await makePlace('sqlite', folder)
    const half = RING_TOKENS.random.high / 2n
    const first = await perform(
      copyOf({ ...place, url: from.url }, place, 'people', { ring: { splits: 5, max: String(half) } }),
    )
    expect(first.finished, failures(first)).toMatchObject({ exitCode: 0 })
    const [[some = '0'] = []] = await place.rows('SELECT COUNT(*) FROM people')
    expect(Number(some)).toBeGreaterThan(ROWS / 4)
    expect(Number(some)).toBeLessThan((ROWS * 3) / 4)
    const rest = await perform(copyOf({ ...place, url: from.url }, place, 'people', { ring: { splits: 7 } }))
    expect(rest.finished, failures(rest)).toMatchObject({ exitCode: 0 })
    expect(await place.rows('SELECT COUNT(*), COUNT(DISTINCT name) FROM people')).toEqual([
      [String(ROWS), String(ROWS)],
    ])
    expect(started(await perform(copyOf({ ...place, url: from.url }, place, 'people')))).toBe(0)
  })

  test('into another keyspace, with its write times', { timeout: 60_000 }, async () => {
    const ran = await perform(copyBetween(from.url, to.url, ['people'], { ring: { splits: 8 } }))
    expect(ran.finished, failures(ran)).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
    const cql = 'SELECT id, no, name, writetime(name) AS at FROM people'
    expect(await texts(to, cql)).toEqual(await texts(from, cql))
  })
})
