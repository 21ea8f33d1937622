/**
 * Ranges that a server cannot return in one page, and partitions that it cannot return at all: all other rows arrive,
 * and unreadable partitions are reported.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { copyOf, makePlace, perform, type Ran } from '../support/copy-systems.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { CASSANDRA_MISSING, CASSANDRA_OWN, startOwn, type CassandraCluster } from '../support/servers/cassandra.ts'

/** With more deleted rows, a server aborts the read. */
const MOST_TOMBSTONES = 150

// Without SLUICE_TEST_ALL, cassandra-copy.test.ts tests a part of this.
describe.skipIf(!CASSANDRA_OWN || !ALL)(`reads that fail ${CASSANDRA_MISSING}`, () => {
  let folder = ''
  let cluster: CassandraCluster
  let keyspace: TestKeyspace

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-unreadable-'))
    cluster = await startOwn(1, {
      heapMb: 384,
      forgetful: true,
      yaml: {
        tombstone_warn_threshold: 100,
        tombstone_failure_threshold: MOST_TOMBSTONES,
        range_request_timeout_in_ms: 700,
        read_request_timeout_in_ms: 700,
      },
    })
    keyspace = await newKeyspace({ cluster: cluster.url() })
  }, 120_000)

  afterAll(async () => {
    await keyspace[Symbol.asyncDispose]()
    await cluster[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  const change = async (cql: string, rows: readonly (readonly unknown[])[]): Promise<void> => {
    for (let at = 0; at < rows.length; at += 64) {
      const some = rows.slice(at, at + 64)
      await Promise.all(some.map((row) => keyspace.link.client.execute(cql, [...row], { prepare: true })))
    }
  }

  const fill = async (table: string): Promise<void> => {
    await keyspace.cql(`CREATE TABLE ${table} (k int, c int, v text, PRIMARY KEY (k, c))`)
    const rows = Array.from({ length: 300 }, (_, i) => [i % 60, i, `v${i}`])
    await change(`INSERT INTO ${keyspace.name}.${table} (k, c, v) VALUES (?, ?, ?)`, rows)
  }

  const remove = (table: string, k: number, cs: readonly number[]): Promise<void> =>
    change(
      `DELETE v FROM ${keyspace.name}.${table} WHERE k = ? AND c = ?`,
      cs.map((c) => [k, c]),
    )

  const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

  const copied = async (table: string): Promise<Ran & { readonly there: readonly (readonly (string | null)[])[] }> => {
    const to = await makePlace('sqlite', folder)
    const ran = await perform(copyOf({ ...to, url: keyspace.url }, to, table, { ring: { splits: 2 } }))
    return { ...ran, there: await to.rows(`SELECT k, c FROM ${table} ORDER BY k, c`) }
  }

  test('a page that is too large is read in smaller pages', { timeout: 120_000 }, async () => {
    await fill('sparse')
    const live = numbers(0, 400).map((i) => [7000, i * 10, 'sparse'])
    await change(`INSERT INTO ${keyspace.name}.sparse (k, c, v) VALUES (?, ?, ?)`, live)
    await remove(
      'sparse',
      7000,
      numbers(0, 4000).filter((c) => c % 10 > 5),
    )
    const { finished, there } = await copied('sparse')
    expect(finished.error).toBeUndefined()
    expect(finished).toMatchObject({ exitCode: 0, totals: { written: '700', quarantined: '0' } })
    expect(there).toHaveLength(700)
  })

  test('only an unreadable partition is quarantined, by its key', { timeout: 300_000 }, async () => {
    await fill('broken')
    await remove('broken', 9000, numbers(0, 2 * MOST_TOMBSTONES))
    await change(`INSERT INTO ${keyspace.name}.broken (k, c, v) VALUES (?, ?, ?)`, [
      [9000, -5, 'before'],
      [9000, 5000, 'behind'],
    ])
    const { finished, events, there } = await copied('broken')
    expect(finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' }, totals: { quarantined: '1' } })
    expect(events.filter((one) => one.type === 'row.aside')).toMatchObject([
      { key: ['9000', null], error: { code: 'VALUE_REFUSED' } },
    ])
    const others = there.filter(([k]) => k !== '9000')
    expect(others).toHaveLength(300)
    expect(new Set(there.map((row) => row.join('|'))).size).toBe(there.length)
  })
})
