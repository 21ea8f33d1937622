/** The connection of a stream: replies while no reader reads, memory use, and how a loss is detected. */
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Change } from '../../src/model/copy/change.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { FollowedTable } from '../../src/model/follow/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { psql } from './copy-postgresql-kit.ts'
import {
  startRecord,
  endBirth,
  followed,
  isActive,
  open,
  rowsOnly,
  startLogical,
  take,
  until,
  type Birth,
  type LogicalServer,
} from './replication-kit.ts'

describe.skipIf(!POSTGRES_OWN)('the connection of a stream (needs a server of its own)', () => {
  let live: LogicalServer
  let store: CopyStore
  let table: FollowedTable
  const births: Birth[] = []

  beforeAll(async () => {
    live = await startLogical()
    store = await openPostgresCopy(live.url)
    await live.sql.run('CREATE TABLE t (id int PRIMARY KEY, v text)')
    table = await followed(store, 'public.t')
  })

  afterEach(async () => {
    for (const one of births.splice(0)) await endBirth(live.sql, one)
    await live.sql.run('TRUNCATE t')
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await live.sql.close()
    await live.server[Symbol.asyncDispose]()
  })

  async function born(): Promise<Birth> {
    const one = await startRecord(live.sql, 't')
    births.push(one)
    return one
  }

  test('a reader that sleeps longer than wal_sender_timeout keeps its connection, and a large transaction needs little memory', async () => {
    const at = await born()
    const rows = 300_000
    await live.sql.run(`ALTER DATABASE live SET wal_sender_timeout TO '2s'`)
    try {
      await live.sql.run(`INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, ${rows}) i`)
      await using stream = await open(live.url, at, [table])
      await until(async () => (await stream.next(1000)).some(({ type }) => type === 'insert'))
      const session = `FROM pg_stat_replication r JOIN pg_stat_activity a USING (pid) WHERE pid = (
        SELECT active_pid FROM pg_replication_slots WHERE slot_name = '${at.slot}')`
      const [[pid] = []] = await live.sql.rows(`SELECT pid ${session}`)
      // The buffers here and on the way are full: the server waits.
      await until(
        async () => (await live.sql.rows(`SELECT 1 ${session} AND wait_event = 'WalSenderWriteData'`)).length > 0,
      )
      const before = process.memoryUsage().arrayBuffers
      await new Promise((resolve) => setTimeout(resolve, 3000))
      expect(await live.sql.rows(`SELECT pid ${session}`)).toEqual([[pid]])
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024)
      let count = 0
      let most = 0
      for (let ended = false; !ended;) {
        const changes = await stream.next(20_000)
        expect(changes.length).toBeLessThan(10_000)
        for (const change of changes) {
          if (change.type === 'insert') count++
          ended ||= change.type === 'commit'
        }
        most = Math.max(most, process.memoryUsage().arrayBuffers)
      }
      // The first batch was compared above.
      expect(count).toBeGreaterThan(rows - 10_000)
      expect(most - before).toBeLessThan(24 * 1024 * 1024)
      expect(await live.sql.rows(`SELECT pid ${session}`)).toEqual([[pid]])
    } finally {
      await live.sql.run('ALTER DATABASE live RESET wal_sender_timeout')
    }
  })

  test('a value of many megabytes arrives complete', async () => {
    const at = await born()
    await live.sql.run("INSERT INTO t SELECT 1, string_agg(md5(i::text), '') FROM generate_series(1, 200000) i")
    const [[wanted] = []] = await live.sql.rows('SELECT md5(v) FROM t')
    await using stream = await open(live.url, at, [table])
    const [change] = rowsOnly(await take(stream, 1))
    const text = String(change?.type === 'insert' ? change.row[1] : '')
    expect(text.length).toBe(6_400_000)
    const [[found] = []] = await live.sql.rows(`SELECT md5('${text}')`)
    expect(found).toBe(wanted)
  })

  test('a server that no longer responds is a lost connection', async () => {
    const at = await born()
    await live.sql.run(`ALTER DATABASE live SET wal_sender_timeout TO '1s'`)
    try {
      await using stream = await open(`${live.url}?response_timeout=1`, at, [table])
      const [[pid] = []] = await live.sql.rows(
        `SELECT active_pid FROM pg_replication_slots WHERE slot_name = '${at.slot}'`,
      )
      process.kill(Number(pid), 'SIGSTOP')
      try {
        const endless = async (): Promise<void> => {
          for (;;) await stream.next(20_000)
        }
        await expect(endless()).rejects.toMatchObject({ code: 'CONNECTION_LOST', kind: 'source', retryable: true })
      } finally {
        process.kill(Number(pid), 'SIGCONT')
      }
    } finally {
      await live.sql.run('ALTER DATABASE live RESET wal_sender_timeout')
    }
  })

  test('a lost connection first passes on what had arrived', async () => {
    const at = await born()
    await live.sql.run("INSERT INTO t VALUES (1, 'a')")
    await using stream = await open(live.url, at, [table])
    const [[end] = []] = await live.sql.rows('SELECT pg_current_wal_flush_lsn()')
    await until(
      async () =>
        (
          await live.sql.rows(
            `SELECT 1 FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid WHERE slot_name = '${at.slot}' AND sent_lsn >= '${String(end)}'`,
          )
        ).length > 0,
    )
    await live.sql.run(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${at.slot}'`,
    )
    await until(async () => !(await isActive(live.sql, at.slot)))
    expect(rowsOnly(await take(stream, 1))).toEqual([{ type: 'insert', table: 0, row: ['1', 'a'] }])
    await expect(stream.next(20_000)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await expect(stream.next(0)).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  test('an aborted stream ends its wait', async () => {
    const at = await born()
    const stop = new AbortController()
    await using stream = await open(live.url, at, [table], at.start, { signal: stop.signal })
    setTimeout(() => stop.abort(), 50)
    const endless = async (): Promise<void> => {
      for (;;) await stream.next(600_000)
    }
    await expect(endless()).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('a server that is killed and restarted continues after the durable position, whatever it remembers', async () => {
    const at = await born()
    for (const id of [1, 2, 3]) await live.sql.run(`INSERT INTO t VALUES (${id})`)
    await using stream = await open(live.url, at, [table])
    const [, second = 0n] = (await take(stream, 3)).flatMap((change) => (change.type === 'commit' ? [change.end] : []))
    stream.confirm(second)
    await live.sql.close().catch(() => undefined)
    await live.server.kill9()
    const endless = async (): Promise<void> => {
      for (;;) await stream.next(20_000)
    }
    await expect(endless()).rejects.toMatchObject({ code: 'CONNECTION_LOST', kind: 'source', retryable: true })
    await expect(open(live.url, at, [table])).rejects.toMatchObject({ kind: 'source', retryable: true })
    await live.server.restart()
    live = { ...live, sql: await psql(live.url) }
    await using again = await open(live.url, at, [table], second)
    expect(rowsOnly(await take(again, 1))).toEqual([{ type: 'insert', table: 0, row: ['3', null] }])
  })
})

test.skipIf(!POSTGRES_OWN)('a stream over an encrypted connection (needs a server of its own)', async () => {
  const fixtures = path.resolve(import.meta.dirname, '../../fixtures/tls')
  const ssl = { cert: path.join(fixtures, 'server.pem'), key: path.join(fixtures, 'server.key') }
  const live = await startLogical({ ssl })
  const url = `${live.url}?sslmode=verify-full&sslrootcert=${encodeURIComponent(path.join(fixtures, 'ca.pem'))}`
  const store = await openPostgresCopy(url)
  await live.sql.run('CREATE TABLE t (id int PRIMARY KEY, v text)')
  const table = await followed(store, 'public.t')
  const at = await startRecord(live.sql, 't')
  await live.sql.run("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 10000) i")
  const stream = await open(url, at, [table])
  const [[encrypted] = []] = await live.sql.rows(
    `SELECT ssl FROM pg_stat_ssl JOIN pg_replication_slots ON active_pid = pid WHERE slot_name = '${at.slot}'`,
  )
  expect(encrypted).toBe('t')
  const changes = await take(stream, 1)
  expect(rowsOnly(changes)).toHaveLength(10_000)
  stream.confirm((changes.at(-1) as Change & { type: 'commit' }).end)
  await stream[Symbol.asyncDispose]()
  expect(await isActive(live.sql, at.slot)).toBe(false)
  await store[Symbol.asyncDispose]()
  await live.sql.close()
  await live.server[Symbol.asyncDispose]()
})
