/**
 * A copy from one keyspace into another while programs and servers are killed, tables change, and a server is
 * overloaded: no silent error.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { Event } from '../../src/model/run/event.ts'
import { openCqlLedger } from '../../src/stores/cassandra/ledger/index.ts'
import { ledgerProblems } from '../support/copy-ledger.ts'
import { perform, type Place, type Ran } from '../support/copy-systems.ts'
import { CASSANDRA_MISSING, CASSANDRA_OWN, startOwn, type CassandraCluster } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { answering, BATCH, errorFor, EXECUTE, PREPARE } from '../support/servers/cql-frames.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { codes, copyBetween, failures, started, texts } from '../real/cassandra-target-kit.ts'
import { startCopy } from './copy-kit.ts'

const ROWS = 1200
const PARTITIONS = 150
const LOOK = 'SELECT p, c, v, writetime(v), ttl(v), n, writetime(n) FROM t'
/** With more deleted rows, the server aborts a read. */
const MOST_TOMBSTONES = 150
const NEVER = new AbortController().signal

describe.skipIf(!CASSANDRA_OWN)(`copies between keyspaces ${CASSANDRA_MISSING}`, { timeout: 120_000 }, () => {
  let cluster: CassandraCluster
  let source: TestKeyspace
  let before: readonly string[]

  beforeAll(async () => {
    cluster = await startOwn(1, {
      commitlog: 'batch',
      heapMb: 384,
      yaml: {
        tombstone_warn_threshold: 100,
        tombstone_failure_threshold: MOST_TOMBSTONES,
        read_request_timeout_in_ms: 500,
        range_request_timeout_in_ms: 500,
        write_request_timeout_in_ms: 2000,
      },
    })
    source = await filled()
    before = await texts(source, LOOK)
  }, 120_000)
  beforeEach(async () => {
    const [node] = cluster.nodes
    if (node?.pid === null) await node.start()
  }, 120_000)
  afterAll(async () => {
    await source?.link[Symbol.asyncDispose]()
    await cluster?.stop()
  })

  const keyspace = (): Promise<TestKeyspace> => newKeyspace({ cluster: cluster.url() })

  async function filled(): Promise<TestKeyspace> {
    const made = await keyspace()
    await made.cql('CREATE TABLE t (p int, c int, v text, n int, extra text, PRIMARY KEY (p, c))')
    for (let at = 0; at < ROWS; at += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => at + i).map((i) =>
          made.rows('INSERT INTO t (p, c, v, n, extra) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?', [
            i % PARTITIONS,
            i,
            `row ${i}`,
            i,
            'x',
            1_600_000_000_000_000n + BigInt(i),
          ]),
        ),
      )
    }
    return made
  }

  const copyInto = (target: TestKeyspace, more: Partial<CopyOperation> = {}): CopyOperation =>
    copyBetween(source.url, target.url, ['t'], { workers: 2, ring: { splits: 32 }, ...more })

  /** Same rows with the same write times, a consistent ledger, and nothing left to do. */
  async function expectDone(target: TestKeyspace, copy: CopyOperation): Promise<void> {
    expect(await texts(target, LOOK)).toEqual(before)
    await using ledger = await openCqlLedger(target.link, target.name, NEVER, { isReadOnly: true })
    const place = {
      system: 'sqlite',
      rows: async (sql: string) =>
        (await ledger.all(sql)).map((row) => row.map((cell) => (cell === null ? null : String(cell)))),
    } as unknown as Place
    expect(await ledgerProblems(place, 't', ROWS)).toEqual([])
    const once = await perform(copy)
    expect(once.finished, failures(once)).toMatchObject({ exitCode: 0, status: 'ok' })
    expect(started(once)).toBe(0)
  }

  /** Runs `act` when the first chunk is done. */
  function afterFirst(act: () => Promise<unknown>): {
    readonly onEvent: (event: Event) => void
    readonly acted: () => Promise<unknown>
  } {
    let acting: Promise<unknown> | null = null
    return {
      onEvent: (event) => {
        if (event.type === 'chunk.done') acting ??= act()
      },
      acted: async () => {
        expect(acting).not.toBeNull()
        await acting
      },
    }
  }

  const messages = ({ events }: Ran): string =>
    events.flatMap((event) => (event.type === 'chunk.retried' ? [event.error.message] : [])).join('; ')

  test('a copy completes after the tool was killed in two ranges', async () => {
    await using target = await keyspace()
    const copy = copyInto(target)
    for (const [step, when, options] of [
      [100, 'during', {}],
      [500, 'after', { cassandra: { batchRows: 1 } }],
    ] as const) {
      expect((await startCopy({ ...copy, ...options }, { step, when }).ended).signal).toBe('SIGKILL')
    }
    const last = await perform(copy)
    expect(last.finished, failures(last)).toMatchObject({ exitCode: 0, totals: { quarantined: '0' } })
    await expectDone(target, copy)
  })

  test('a copy survives a server that is killed and restarted', async () => {
    await using target = await keyspace()
    const copy = copyInto(target)
    const [node] = cluster.nodes
    const { onEvent, acted } = afterFirst(async () => {
      await node?.kill9()
      await node?.start()
    })
    const ran = await perform(copy, { onEvent })
    await acted()
    // Retries within a chunk are reported, too.
    expect(ran.events.some((event) => event.type === 'log' && event.message.startsWith('a request fails: '))).toBe(true)
    if (ran.finished.exitCode !== 0) {
      expect(ran.finished.error, failures(ran)).toMatchObject({ retryable: true })
      const again = await perform(copy)
      expect(again.finished, failures(again)).toMatchObject({ exitCode: 0 })
    }
    await expectDone(target, copy)
  })

  describe('a table changes while it is copied', () => {
    test.for([
      ['the source loses a column', 'source', ['ALTER TABLE t DROP extra'], 'SOURCE_GONE'],
      [
        'the source is dropped and made anew',
        'source',
        ['DROP TABLE t', 'CREATE TABLE t (p int, c int, v text, n int, extra text, PRIMARY KEY (p, c))'],
        'SOURCE_GONE',
      ],
      ['the target loses a column', 'target', ['ALTER TABLE t DROP extra'], 'TABLE_REFUSED'],
      [
        'the target is dropped and made anew',
        'target',
        ['DROP TABLE t', 'CREATE TABLE t (p int, c int, v text, n int, extra text, PRIMARY KEY (p, c))'],
        'TABLE_REFUSED',
      ],
      ['the target is dropped', 'target', ['DROP TABLE t'], 'TABLE_REFUSED'],
    ] as const)('%s: the copy stops with one error', async ([, side, statements, code]) => {
      await using target = await keyspace()
      const own = side === 'source' ? await filled() : source
      const { onEvent, acted } = afterFirst(() => (side === 'source' ? own : target).cql(...statements))
      const ran = await perform(copyBetween(own.url, target.url, ['t'], { workers: 1, ring: { splits: 32 } }), {
        onEvent,
      })
      await acted()
      expect(ran.finished.exitCode).not.toBe(0)
      // If a table changes between its rows and their proof, the proof fails.
      const first = side === 'target' ? [code, 'SOURCE_GONE', 'PROOF_FAILED'] : [code]
      expect(
        codes(ran).filter((one) => !first.includes(String(one))),
        failures(ran),
      ).toEqual([])
      expect(codes(ran)).toHaveLength(1)
      expect(started(ran)).toBeLessThan(32)
    })
  })

  test('an unreadable partition is quarantined, the rest is copied, and the run is recorded as FAIL', async () => {
    await using own = await keyspace()
    await using target = await keyspace()
    await own.cql('CREATE TABLE t (p int, c int, v text, PRIMARY KEY (p, c))')
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        own.rows('INSERT INTO t (p, c, v) VALUES (?, ?, ?)', [i % 50, i, `row ${i}`]),
      ),
    )
    for (const p of [9000, 9001]) {
      const deleted = Array.from({ length: 2 * MOST_TOMBSTONES }, (_, c) => c)
      await Promise.all(deleted.map((c) => own.rows('DELETE v FROM t WHERE p = ? AND c = ?', [p, c])))
      await own.rows('INSERT INTO t (p, c, v) VALUES (?, ?, ?)', [p, 5000, 'behind'])
    }
    // Of this partition, not even the key can be read: the server aborts before its first row.
    await own.rows('INSERT INTO t (p, c, v) VALUES (?, ?, ?)', [9000, -5, 'before'])
    const copy = copyBetween(own.url, target.url, ['t'], { workers: 2, ring: { splits: 8 }, track: {} })
    const ran = await perform(copy)
    expect(ran.finished).toMatchObject({ exitCode: 1, error: { code: 'ROWS_ASIDE' }, totals: { quarantined: '2' } })
    const aside = ran.events.flatMap((one) => (one.type === 'row.aside' ? one.key : [])).filter((part) => part !== null)
    expect(aside.toSorted()).toEqual(['9000', expect.stringMatching(/^token -?\d+$/)])
    const there = (await target.rows('SELECT p FROM t')).map((row) => Number(row.get('p')))
    expect(there.filter((p) => p < 9000)).toHaveLength(200)
    const details = await target.rows('SELECT status FROM cdm_run_details')
    const reported = details.map((row) => String(row.get('status'))).toSorted()
    expect(reported).toEqual(['FAIL', 'FAIL', 'PASS', 'PASS', 'PASS', 'PASS', 'PASS', 'PASS'])
  })

  test('requests that an overloaded server refuses are retried later, from the first request on', async () => {
    await using target = await keyspace()
    const { ip = '', port = 0 } = cluster.nodes[0]?.place ?? {}
    await using proxy = await startProxy(port, ip)
    let asked = 0
    let early = 0
    let refused = 0
    let until = 0
    proxy.onClientData(
      answering((opcode, frame) => {
        if (opcode !== PREPARE && opcode !== EXECUTE && opcode !== BATCH) return null
        // Overload during planning, and during the copy.
        if (++asked === 1 || asked === 200) until = performance.now() + (asked === 1 ? 500 : 1500)
        if (performance.now() > until && asked % 23 !== 0) return null
        if (asked < 200) early++
        else refused++
        return errorFor(frame, 0x1001, 'too many requests')
      }),
    )
    const through = (url: string): string => url.replace(`${ip}:${port}`, `127.0.0.1:${proxy.port}`)
    const copy = copyBetween(through(source.url), through(target.url), ['t'], { workers: 2, ring: { splits: 32 } })
    const ran = await perform(copy)
    expect(ran.finished, `${failures(ran)} ${messages(ran)}`).toMatchObject({
      exitCode: 0,
      totals: { written: String(ROWS), quarantined: '0' },
    })
    expect(early).toBeGreaterThan(3)
    expect(refused).toBeGreaterThan(20)
    await expectDone(target, copyInto(target))
  })
})
