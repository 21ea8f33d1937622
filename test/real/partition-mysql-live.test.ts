/**
 * Partitions of MySQL that are created while other sessions write, lock the table or create partitions too, and while
 * the program is killed.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type {
  NewPartition,
  MaintenanceStore,
  MakeRequest,
  RangedTable,
} from '../../src/model/partition/maintenance-port.ts'
import { mysqlConfig } from '../../src/stores/mysql/config.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { openCopySession } from '../../src/stores/mysql/copy/sessions.ts'
import { alterWhenFree, politeUntil } from '../../src/stores/mysql/partition/maintenance/locks.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { refused, SIGNAL } from './copy-mysql-kit.ts'

vi.setConfig({ testTimeout: 90_000 })

const BIN = resolve(import.meta.dirname, '../../dist/cli/bin.js')
const skipped = !MARIADB_AVAILABLE
const why = skipped ? ` (skipped: ${MARIADB_MISSING})` : ''
const DATABASE = 'sluice_partitions_live'
/** Limit for waits on a busy machine; for those on an idle one see the report of issue 14. */
const LONG_MS = 2000

let server: MariadbServer
let store: CopyStore
let maintenance: MaintenanceStore
let other: Connection
let made = 0

beforeAll(async () => {
  if (skipped) return
  server = await startMariadb()
  await server.sql(`DROP DATABASE IF EXISTS ${DATABASE}`)
  await server.createDatabase(DATABASE)
  store = await openMysqlCopy(server.url(DATABASE))
  maintenance = kept(store)
  other = await connect()
})

afterAll(async () => {
  await other?.end()
  await store?.[Symbol.asyncDispose]()
  await server?.stop()
})

function kept(of: CopyStore): MaintenanceStore {
  const found = of.offers.maintenance
  if (found === undefined) throw new Error('nothing is maintained here')
  return found
}

async function connect(): Promise<Connection> {
  return await createConnection({ uri: server.url(DATABASE) })
}

/** Months of 2024, and a partition for all later rows if wanted. */
async function months(rest: 'MAXVALUE' | 'none'): Promise<string> {
  const name = `t${++made}`
  const parts = Array.from({ length: 4 }, (_, n) => `PARTITION p2024_${n + 1} VALUES LESS THAN ('2024-0${n + 2}-01')`)
  if (rest === 'MAXVALUE') parts.push('PARTITION rest VALUES LESS THAN (MAXVALUE)')
  await server.sql(
    `CREATE TABLE ${DATABASE}.${name} (id BIGINT NOT NULL AUTO_INCREMENT, at DATE NOT NULL, note VARCHAR(40), PRIMARY KEY (id, at)) PARTITION BY RANGE COLUMNS (at) (${parts.join(', ')})`,
  )
  return name
}

const COMING: readonly NewPartition[] = Array.from({ length: 3 }, (_, n) => ({
  name: { name: `p2024_${n + 5}` },
  from: `2024-0${n + 5}-01`,
  to: `2024-0${n + 6}-01`,
}))

async function inspected(name: string, by: MaintenanceStore = maintenance): Promise<RangedTable> {
  const table = await by.inspect({ name }, false, SIGNAL)
  if (table === null) throw new Error(`${name} is not partitioned`)
  return table
}

async function make(name: string, more: Partial<MakeRequest> = {}, by: MaintenanceStore = maintenance) {
  const table = await inspected(name, by)
  return await by.make({ table, partitions: COMING, lockTimeoutMs: 100, retryLimitMs: 20_000, signal: SIGNAL, ...more })
}

const namesOf = async (name: string): Promise<readonly string[]> =>
  (await inspected(name)).partitions.map((one) => one.name.name)

/**
 * Writes into one month until it is stopped; returns the duration of each transaction, and the errors.
 * @param rest pause between two transactions, ms; then each reads before it writes
 */
async function writer(name: string, day: string, ending: AbortSignal, rest = 0) {
  const connection = await connect()
  const [waits, errors]: [number[], string[]] = [[], []]
  let written = 0
  while (!ending.aborted) {
    const at = performance.now()
    try {
      await connection.beginTransaction()
      if (rest > 0) await connection.query(`SELECT COUNT(*) FROM ${name} WHERE at = '${day}' AND id > ${written}`)
      await connection.query(`INSERT INTO ${name} (at, note) VALUES ('${day}', 'w')`)
      await connection.commit()
      written++
    } catch (error) {
      errors.push(String(error))
      await connection.rollback()
    }
    waits.push(performance.now() - at)
    if (rest > 0) await new Promise((done) => setTimeout(done, rest))
  }
  await connection.end()
  return { written, longest: Math.max(...waits), errors }
}

/** Counts the rows of a table repeatedly: the count never decreases. */
async function observer(name: string, ending: AbortSignal): Promise<boolean> {
  const connection = await connect()
  let [last, isGrowing] = [0, true]
  while (!ending.aborted) {
    const [[row]] = await connection.query<RowDataPacket[]>(
      `SELECT COUNT(*) AS n, COUNT(DISTINCT id) AS d FROM ${name}`,
    )
    const [rows, ids] = [Number(row?.['n']), Number(row?.['d'])]
    if (rows < last || ids !== rows) isGrowing = false
    last = rows
  }
  await connection.end()
  return isGrowing
}

async function countOf(name: string): Promise<number> {
  const [[row]] = await other.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM ${name}`)
  return Number(row?.['n'])
}

/** Resolves once an ALTER waits for the lock of a table. */
async function somebodyWaits(): Promise<void> {
  await vi.waitFor(
    async () => {
      const [rows] = await other.query<RowDataPacket[]>(
        "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table metadata lock' AND INFO LIKE 'ALTER%'",
      )
      expect(rows).toHaveLength(1)
    },
    { timeout: 20_000, interval: 5 },
  )
}

describe.skipIf(skipped)(`creation of partitions of MySQL${why}`, () => {
  test.for(['none', 'MAXVALUE'] as const)(
    'works with a writer on every partition (behind them: %s), and each row is seen once',
    async (rest) => {
      const name = await months(rest)
      const ending = new AbortController()
      const days = ['2024-01-05', '2024-02-05', '2024-03-05', '2024-04-05']
      const writers = days.map((day) => writer(name, day, ending.signal))
      const watched = observer(name, ending.signal)
      await vi.waitFor(async () => expect(await countOf(name)).toBeGreaterThan(20))
      const result = await make(name)
      ending.abort()
      const ends = await Promise.all(writers)
      expect(await watched).toBe(true)
      expect(result.made.map((one) => one.name.name)).toEqual(['p2024_5', 'p2024_6', 'p2024_7'])
      expect(ends.flatMap(({ errors }) => errors)).toEqual([])
      expect(Math.max(...ends.map(({ longest }) => longest))).toBeLessThan(LONG_MS)
      expect(await countOf(name)).toBe(ends.reduce((sum, { written }) => sum + written, 0))
      expect((await namesOf(name)).slice(4)).toEqual([
        'p2024_5',
        'p2024_6',
        'p2024_7',
        ...(rest === 'none' ? [] : ['rest']),
      ])
    },
  )

  test('succeeds when a transaction of five seconds has ended, and no session waits behind it until then', async () => {
    const name = await months('none')
    const holder = await connect()
    await holder.beginTransaction()
    await holder.query(`INSERT INTO ${name} (at) VALUES ('2024-01-01')`)
    const ending = new AbortController()
    const writing = writer(name, '2024-02-05', ending.signal, 5)
    const making = make(name)
    await new Promise((done) => setTimeout(done, 5000))
    expect(await namesOf(name)).toHaveLength(4)
    // A session that has read may still write, and is not ended because of the ALTER.
    await holder.query(`INSERT INTO ${name} (at) VALUES ('2024-03-01')`)
    await holder.commit()
    const result = await making
    ending.abort()
    const { longest, errors } = await writing
    expect([result.made.length, errors]).toEqual([3, []])
    expect(result.tries).toBeGreaterThan(3)
    expect(longest).toBeLessThan(LONG_MS)
    await holder.end()
  })

  test('gives up within its time limit if the table is never free; others wait no longer than allowed', async () => {
    const name = await months('none')
    const holder = await connect()
    await holder.beginTransaction()
    await holder.query(`SELECT COUNT(*) FROM ${name}`)
    const ending = new AbortController()
    const writing = writer(name, '2024-02-05', ending.signal, 5)
    const begun = performance.now()
    const error = await refused(make(name, { retryLimitMs: 3000 }))
    const took = performance.now() - begun
    ending.abort()
    const { longest, errors } = await writing
    expect([error.code, error.retryable]).toEqual(['TARGET_BUSY', true])
    expect(took).toBeLessThan(3000 + LONG_MS)
    expect(longest).toBeLessThan(LONG_MS)
    // The server ends a session that reads and then writes while the ALTER waits, as a deadlock.
    expect(errors.filter((one) => !one.includes('Deadlock found'))).toEqual([])
    expect(await namesOf(name)).toHaveLength(4)
    await holder.rollback()
    await holder.end()
    expect((await make(name)).made).toHaveLength(3)
  })

  /**
   * Alters the table as on MySQL: without NOWAIT.
   * @returns when `free` has released it
   */
  async function asMysql(on: MariadbServer, name: string, ready: (statements: number) => boolean) {
    const config = mysqlConfig(on.url(DATABASE))
    const [worker, watcher, holder, writing] = await Promise.all([
      openCopySession(config, 'write'),
      openCopySession(config, 'read'),
      createConnection({ uri: on.url(DATABASE) }),
      createConnection({ uri: on.url(DATABASE) }),
    ])
    worker.facts = { ...worker.facts, flavour: 'mysql' }
    await worker.command('SET SESSION autocommit = 1, lock_wait_timeout = 1')
    await holder.beginTransaction()
    await holder.query(`SELECT COUNT(*) FROM ${name}`)
    const seen: string[] = []
    let inspections = 0
    const done = alterWhenFree(
      { worker, watcher },
      {
        table: { name },
        statement: (words) => {
          seen.push(words)
          return `ALTER TABLE ${name} ADD PARTITION (PARTITION p2024_5 VALUES LESS THAN ('2024-06-01'))`
        },
        check: async () => void inspections++,
      },
      { lockTimeoutMs: 100, retryLimitMs: 20_000, politeUntil: politeUntil(20_000), signal: SIGNAL },
    )
    let longest = 0
    while (!ready(seen.length) || inspections < 5) {
      const at = performance.now()
      await writing.query(`INSERT INTO ${name} (at) VALUES ('2024-02-05')`)
      longest = Math.max(longest, performance.now() - at)
      if (inspections > 4 && ready(0)) break
    }
    const before = seen.length
    // A session that has read may still write, unless the ALTER is waiting just then.
    await holder.commit()
    const { tries } = await done
    await Promise.all([worker.close(), watcher.close(), holder.end(), writing.end()])
    return { tries, before, seen, longest }
  }

  test('with MySQL, which has no NOWAIT, ends its waits before they are long', async () => {
    const name = await months('none')
    const { tries, seen, longest } = await asMysql(server, name, (statements) => statements > 2)
    expect([tries, new Set(seen)]).toEqual([seen.length, new Set([''])])
    expect(longest).toBeLessThan(LONG_MS)
    expect(await namesOf(name)).toHaveLength(5)
  })

  test('with a MySQL that reports lock owners, makes no session wait until the table is free', async (context) => {
    context.skip(!server.isOurs, 'the instruments of the server are not ours')
    const name = 'instrumented'
    await using watched = await startMariadb({
      more: ['--performance-schema=ON', '--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON'],
    })
    await watched.sql(
      `CREATE DATABASE ${DATABASE}`,
      `CREATE TABLE ${DATABASE}.${name} (at DATE) PARTITION BY RANGE COLUMNS (at) (PARTITION p2024_4 VALUES LESS THAN ('2024-05-01'))`,
    )
    const { tries, before, seen } = await asMysql(watched, name, () => true)
    expect(before).toBe(0)
    expect(tries).toBeGreaterThan(seen.length)
  })

  test('moves the rows that are inserted during it, and loses none', async () => {
    const name = await months('MAXVALUE')
    const holder = await connect()
    await holder.beginTransaction()
    await holder.query(`INSERT INTO ${name} (at) VALUES ('2024-05-05'), ('2031-01-01')`)
    // With a lock timeout of a second the statement waits until the rows are committed, which were invisible before.
    const making = make(name, { lockTimeoutMs: 5000, retryLimitMs: 20, partitions: COMING.slice(0, 1) })
    await somebodyWaits()
    await holder.commit()
    expect((await making).made).toHaveLength(1)
    expect(await maintenance.count(await inspected(name), SIGNAL)).toEqual([0n, 0n, 0n, 0n, 1n, 1n])
    await holder.end()
    // Now there is a row that would have to be moved, which is refused.
    expect((await refused(make(name, { partitions: COMING.slice(1) }))).code).toBe('TABLE_REFUSED')
  })

  test('by two hosts at once happens once for each partition', async () => {
    const name = await months('MAXVALUE')
    await using second = await openMysqlCopy(server.url(DATABASE))
    const both = await Promise.all([make(name), make(name, {}, kept(second)), make(name, {}, kept(second))])
    expect(both.flatMap((one) => one.made.map(({ from }) => from)).toSorted()).toEqual(COMING.map(({ from }) => from))
    expect(both.flatMap((one) => one.foundMade)).toHaveLength(6)
    expect(await namesOf(name)).toHaveLength(8)
  })

  test('works while another session creates the same partition, another one or MAXVALUE, renames or drops', async () => {
    const sql = {
      same: "ADD PARTITION (PARTITION theirs VALUES LESS THAN ('2024-06-01'))",
      wider: "ADD PARTITION (PARTITION theirs VALUES LESS THAN ('2024-08-01'))",
      rest: 'ADD PARTITION (PARTITION theirs VALUES LESS THAN (MAXVALUE))',
      narrower: "ADD PARTITION (PARTITION p2024_5 VALUES LESS THAN ('2024-05-10'))",
      renamed: 'REORGANIZE PARTITION rest INTO (PARTITION theirs VALUES LESS THAN (MAXVALUE))',
    }
    for (const [kind, end] of [
      ['same', { made: 2, found: 1 }],
      ['rest', { made: 3, found: 0 }],
      ['wider', 'TABLE_REFUSED'],
      ['narrower', 'TABLE_REFUSED'],
      ['renamed', { made: 3, found: 0 }],
    ] as const) {
      const name = await months(kind === 'renamed' ? 'MAXVALUE' : 'none')
      const holder = await connect()
      await holder.beginTransaction()
      await holder.query(`SELECT COUNT(*) FROM ${name}`)
      // This program's ALTER tries first and cannot; the other one waits in line, and is first.
      const making = make(name, { retryLimitMs: 60_000 }).then(
        (result) => ({ made: result.made.length, found: result.foundMade.length }),
        (error: unknown) => (error as { code?: unknown }).code,
      )
      const theirs = other.query(`ALTER TABLE ${name} ${sql[kind]}`)
      const hand = await connect()
      await vi.waitFor(async () => {
        const [rows] = await hand.query<RowDataPacket[]>(
          "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table metadata lock' AND INFO LIKE '%theirs%' OR INFO LIKE '%05-10%' AND STATE LIKE 'Waiting%'",
        )
        expect(rows.length).toBeGreaterThan(0)
      })
      await holder.commit()
      await theirs
      expect([kind, await making]).toEqual([kind, end])
      await holder.end()
      await hand.end()
    }
    const name = await months('none')
    const table = await inspected(name)
    await server.sql(`DROP TABLE ${DATABASE}.${name}`)
    const gone = maintenance.make({ table, partitions: COMING, lockTimeoutMs: 100, retryLimitMs: 1000, signal: SIGNAL })
    expect((await refused(gone)).code).toBe('NO_SUCH_TABLE')
  })

  test('ends when it is stopped, and the table is unchanged', async () => {
    const name = await months('none')
    const holder = await connect()
    await holder.beginTransaction()
    await holder.query(`SELECT COUNT(*) FROM ${name}`)
    const ending = new AbortController()
    const making = refused(make(name, { signal: ending.signal, retryLimitMs: 40, lockTimeoutMs: 30_000 }))
    await somebodyWaits()
    ending.abort()
    expect((await making).code).toBe('ABORTED')
    expect(await namesOf(name)).toHaveLength(4)
    await holder.rollback()
    await holder.end()
  })

  test.for(['none', 'MAXVALUE'] as const)(
    'is completed by a run after some that were killed (behind them: %s)',
    async (rest) => {
      const name = `k${++made}`
      const dayAfter = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
      const parts = [-2, -1].map(
        (n) => `PARTITION p${dayAfter(n - 1).replaceAll('-', '')} VALUES LESS THAN ('${dayAfter(n)}')`,
      )
      if (rest !== 'none') parts.push('PARTITION rest VALUES LESS THAN (MAXVALUE)')
      await server.sql(
        `CREATE TABLE ${DATABASE}.${name} (at DATE NOT NULL, x INT) PARTITION BY RANGE COLUMNS (at) (${parts.join(', ')})`,
      )
      const words = [
        BIN,
        'partition',
        'ensure',
        '--from',
        server.url(DATABASE),
        '--table',
        name,
        '--ahead',
        '12',
        '--ci',
      ]
      const run = () => spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] })
      let before = parts.length
      for (let kill = 0; kill < (rest === 'none' ? 1 : 2); kill++) {
        const child = run()
        const over = once(child, 'exit')
        await vi.waitFor(async () => expect((await namesOf(name)).length).toBeGreaterThan(before + 2), {
          timeout: 30_000,
          interval: 5,
        })
        child.kill('SIGKILL')
        expect((await over)[1]).toBe('SIGKILL')
        before = (await namesOf(name)).length
      }
      for (const [made1, status] of [
        [/made/, 0],
        [/ 0 partitions created, no alarm/, 0],
      ] as const) {
        const child = run()
        let text = ''
        child.stdout.on('data', (data: Buffer) => (text += data.toString()))
        child.stderr.on('data', (data: Buffer) => (text += data.toString()))
        const [code] = (await once(child, 'close')) as [number]
        expect([code, text]).toEqual([status, expect.stringMatching(made1)])
      }
      const { partitions } = await inspected(name)
      const bounded = partitions.filter(({ isDefault }) => !isDefault)
      // The two existing ones, yesterday, and today with twelve days; one more if it is midnight by now.
      expect([16, 17]).toContain(bounded.length)
      for (const [n, { from, to }] of bounded.entries()) {
        if (n === 0) continue
        expect(from).toBe(bounded[n - 1]?.to)
        expect(Date.parse(to ?? '') - Date.parse(from ?? '')).toBe(86_400_000)
      }
      expect(partitions.filter(({ isDefault }) => isDefault)).toHaveLength(rest === 'none' ? 0 : 1)
    },
  )

  test('is completed by a run after the server was killed', async (context) => {
    context.skip(!server.isOurs, 'the server is not ours to kill')
    for (const rest of ['none', 'MAXVALUE'] as const) {
      const name = await months(rest)
      await server.sql(`INSERT INTO ${DATABASE}.${name} (at) VALUES ('2024-01-05'), ('2024-04-05')`)
      const days = Array.from({ length: 25 }, (_, n): NewPartition => {
        const [from, to] = [n + 1, n + 2].map((day) => `2024-05-${String(day).padStart(2, '0')}`)
        return { name: { name: `p${from ?? ''}` }, from: from ?? '', to: to ?? '' }
      })
      const making = refused(make(name, { partitions: days }))
      await vi.waitFor(async () => expect((await namesOf(name)).length).toBeGreaterThan(8), {
        timeout: 30_000,
        interval: 5,
      })
      await other.end()
      await server.kill9()
      expect(['CONNECTION_LOST', 'CONNECT_FAILED']).toContain((await making).code)
      await server.restart()
      other = await connect()
      const result = await make(name, { partitions: days })
      expect(result.made.length + result.foundMade.length).toBe(25)
      expect(result.foundMade.length).toBeGreaterThan(2)
      expect(await namesOf(name)).toHaveLength(rest === 'none' ? 29 : 30)
      expect(await countOf(name)).toBe(2)
    }
  })
})
