/**
 * A server is killed and its standby takes over, or it is started from a snapshot of its disk: no change of another
 * history is applied, and rows that source or target have lost are reported.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import type { Cdc } from '../../src/model/follow/port.ts'
import { ALL } from '../support/backend.ts'
import { copyOf, perform, placeOn, postgresAt, type Place } from '../support/copy-systems.ts'
import { caughtUp, expectEqual, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'
import { of, saying, startCopy } from './copy-kit.ts'

const SETTINGS = ['wal_level=logical', 'max_wal_senders=10', 'max_replication_slots=10']
const NAMES = ['t', 'u']
const TABLES = [
  'CREATE TABLE t (id int PRIMARY KEY, v text)',
  'CREATE TABLE u (id int PRIMARY KEY, n int)',
  "INSERT INTO t SELECT i, 'old' FROM generate_series(1, 300) i",
  'INSERT INTO u SELECT i, 0 FROM generate_series(1, 300) i',
]

type Pair = AsyncDisposable & {
  readonly primary: PostgresServer
  readonly standby: PostgresServer
  /** The address that all programs connect to. */
  readonly way: Proxy
}

async function startPair(): Promise<Pair> {
  const primary = await startPostgres({ extraSettings: SETTINGS })
  const standby = await startPostgres({ extraSettings: SETTINGS, standbyOf: primary })
  const way = await startProxy(primary.port)
  return {
    primary,
    standby,
    way,
    [Symbol.asyncDispose]: async () => {
      await way.close()
      await standby[Symbol.asyncDispose]()
      await primary[Symbol.asyncDispose]()
    },
  }
}

async function ask(server: PostgresServer, sql: string): Promise<string> {
  const client = new pg.Client({ connectionString: server.url() })
  await client.connect()
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' })
    return String(rows[0]?.[0])
  } finally {
    await client.end()
  }
}

/** Waits until the standby has replayed every byte that the primary has written. */
async function isReplayed({ primary, standby }: Pair): Promise<void> {
  const end = await ask(primary, 'SELECT pg_current_wal_flush_lsn()')
  while ((await ask(standby, `SELECT pg_last_wal_replay_lsn() >= '${end}'`)) !== 'true') await sleep(20)
}

/** Promotes the standby, and redirects the address to it. */
async function promote({ standby, way }: Pair): Promise<void> {
  expect(await ask(standby, 'SELECT pg_promote()')).toBe('true')
  way.redirect(standby.port)
}

/** The same database under another address. */
function through(place: Place, port: number): Place {
  const url = new URL(place.url)
  url.port = String(port)
  return postgresAt(url.href)
}

function stageBetween(source: Place, target: Place, cdc: Cdc): Stage {
  const quick = ({ url }: Place): Place => postgresAt(`${url}?retry_seconds=1&connect_timeout=2`)
  const one = copyOf(quick(source), quick(target), 't', { chunkRows: 100, workers: 2 })
  return { source, target, names: NAMES, copy: { ...one, tables: NAMES, follow: { cdc } } }
}

describe.skipIf(!POSTGRES_OWN)(`a failover of ${POSTGRES_MISSING}`, () => {
  test.each(ALL ? (['slot', 'trigger'] as const) : (['slot'] as const))(
    'the source of a stream by %s: the stream halts and applies nothing of the other timeline',
    { timeout: 90_000 },
    async (cdc) => {
      await using pair = await startPair()
      await using there = await startPostgres()
      // Test servers begin with the same data, so only the OID of the database distinguishes them.
      await placeOn('postgresql', there.url())
      const target = await placeOn('postgresql', there.url())
      const direct = await placeOn('postgresql', pair.primary.url())
      await direct.sql(...TABLES)
      const one = stageBetween(through(direct, pair.way.port), target, cdc)
      const child = startCopy(one.copy)
      await child.until('follow.progress')
      for (let i = 0; i < 20; i++) await direct.sql(`UPDATE t SET v = 'new ${i}' WHERE id = ${i}`)
      await isReplayed(pair)
      // The target gets a change that the standby never gets.
      await pair.standby.stop()
      await direct.sql('UPDATE u SET n = 7')
      while ((await target.rows('SELECT min(n) FROM u'))[0]?.[0] !== '7') await sleep(20)
      await pair.primary.kill9()
      await pair.standby.restart()
      // For a while the address leads to a standby, and nothing is read from it.
      pair.way.redirect(pair.standby.port)
      await saying(child, /is (?:now )?a standby/)
      await promote(pair)
      const source = through(direct, pair.standby.port)
      await source.sql("INSERT INTO t VALUES (1000, 'of another history')")
      const { finished, events } = await child.ended
      expect(finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
      expect(finished?.error?.hint).toMatch(/--restart/)
      const [halt] = of(events, 'follow.halted')
      expect(halt).toMatchObject({ code: 'OTHER_SERVER', tables: ['public.t', 'public.u'] })
      expect(halt?.message).toMatch(/another timeline/)
      expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
      expect(await target.rows('SELECT count(*) FROM t WHERE id = 1000')).toEqual([['0']])
      const again = await perform({ ...one.copy, restart: true, follow: { cdc, until: 'equal' } })
      expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
      await expectEqual({ ...one, source })
      expect(await target.rows('SELECT count(*) FROM t WHERE id = 1000')).toEqual([['1']])
    },
  )

  test.skipIf(!ALL).each([
    ['has everything: the stream goes on', false],
    ['lacks what the source was told to forget: all tables halt', true],
  ])('the target, whose standby %s', { timeout: 90_000 }, async (_what, lags) => {
    await using pair = await startPair()
    await using from = await startPostgres({ extraSettings: SETTINGS })
    await placeOn('postgresql', from.url())
    const source = await placeOn('postgresql', from.url())
    const direct = await placeOn('postgresql', pair.primary.url())
    await source.sql(...TABLES)
    const one = stageBetween(source, through(direct, pair.way.port), 'slot')
    const child = startCopy(one.copy)
    await child.until('follow.progress')
    const confirmed = async (): Promise<string | null | undefined> =>
      (
        await source.rows('SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE database = current_database()')
      )[0]?.[0]
    const changed = async (n: number): Promise<void> => {
      const before = await confirmed()
      await source.sql(`UPDATE u SET n = ${n}`)
      while ((await direct.rows('SELECT min(n) FROM u'))[0]?.[0] !== String(n)) await sleep(20)
      while ((await confirmed()) === before) await sleep(20)
    }
    await changed(1)
    await isReplayed(pair)
    if (lags) {
      await pair.standby.stop()
      await changed(2)
      await pair.primary.kill9()
      await pair.standby.restart()
    } else await pair.primary.kill9()
    pair.way.redirect(pair.standby.port)
    if (!lags) await saying(child, /is (?:now )?a standby/)
    await promote(pair)
    const target = through(direct, pair.standby.port)
    if (lags) {
      const { finished, events } = await child.ended
      expect(finished).toMatchObject({ exitCode: 5, error: { code: 'SLOT_LOST' } })
      expect(of(events, 'follow.halted')[0]).toMatchObject({ code: 'SLOT_LOST', tables: ['public.t', 'public.u'] })
      const again = await perform({ ...one.copy, restart: true, follow: { until: 'equal' } })
      expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
    } else {
      await source.sql('UPDATE u SET n = 3', 'DELETE FROM t WHERE id = 1')
      while ((await target.rows('SELECT min(n) FROM u'))[0]?.[0] !== '3') await sleep(20)
      child.process.kill('SIGKILL')
      await child.ended
      expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0 })
    }
    await expectEqual({ ...one, target })
  })

  // The snapshot has slot and publication, or triggers and logs, and its server goes on in the same timeline.
  test.each(ALL ? (['slot', 'trigger'] as const) : (['slot'] as const))(
    'the source starts from an earlier snapshot of its disk: the stream by %s halts',
    { timeout: 120_000 },
    async (cdc) => {
      await using from = await startPostgres({ extraSettings: SETTINGS })
      await using there = await startPostgres()
      await placeOn('postgresql', there.url())
      const target = await placeOn('postgresql', there.url())
      const source = await placeOn('postgresql', from.url())
      await source.sql(...TABLES)
      const one = stageBetween(source, target, cdc)
      expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0 })
      const snapshot = `${from.dataFolder}.snapshot`
      await from.kill9()
      execFileSync('cp', ['-a', from.dataFolder, snapshot])
      await from.restart()
      await source.sql("INSERT INTO t SELECT i, 'lost' FROM generate_series(1001, 6000) i")
      await source.sql('BEGIN; SET LOCAL synchronous_commit = off; UPDATE u SET n = 7; COMMIT')
      // The record of a switch ends with its file, so nothing is behind the applied position.
      await source.sql('SELECT pg_switch_wal()')
      expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0 })
      // A crash is no earlier state: the source has on its disk what the stream has applied.
      await from.kill9()
      await from.restart()
      expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0 })
      await from.kill9()
      rmSync(from.dataFolder, { recursive: true })
      execFileSync('cp', ['-a', snapshot, from.dataFolder])
      await from.restart()
      await source.sql("INSERT INTO t VALUES (1000, 'of another history')")
      const { finished, events } = await caughtUp(one)
      expect(finished).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
      const [halt] = of(events, 'follow.halted')
      expect(halt).toMatchObject({ code: 'OTHER_SERVER', tables: ['public.t', 'public.u'] })
      expect(halt?.message).toMatch(/restored to an earlier time/)
      const again = await perform({ ...one.copy, restart: true, follow: { cdc, until: 'equal' } })
      expect(again.finished, JSON.stringify(again.finished.error)).toMatchObject({ exitCode: 0 })
      await expectEqual(one)
    },
  )
})
