/**
 * A stream with a writer, apply workers whose number changes, and random kills of the program, either server or its
 * sessions: the result is equal.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { copyOf, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { FOLLOW_NAMES, FOLLOW_TABLES, randomOf, seedRows, startWriter } from '../support/follow-writer.ts'
import { expectEqual } from '../support/follow-stage.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { of, startCopy, type Child } from './copy-kit.ts'

const KEYS = 600
/** Delays the flush of asynchronous commits as long as possible. */
const LAZY = ['wal_writer_delay=10000', 'wal_writer_flush_after=0']
const DEATHS = ['program', 'source', 'target', 'sessions of the source', 'sessions of the target'] as const
const FROM = Number(process.env['SLUICE_TEST_SEED'] ?? 1)
const SEEDS = Array.from({ length: 6 }, (_, i) => FROM + i)
const ROUNDS = 12

async function endSessions({ rows }: Place): Promise<void> {
  const all = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
  await rows(all)
}

test.skipIf(!POSTGRES_OWN)(
  'changes that a crash takes back from the source are not copied',
  { timeout: 60_000 },
  async () => {
    await using from = await startPostgres({ extraSettings: ['wal_level=logical', ...LAZY] })
    await using to = await startPostgres()
    await placeOn('postgresql', to.url())
    const [source, target] = [await placeOn('postgresql', from.url()), await placeOn('postgresql', to.url())]
    await source.sql(
      'CREATE TABLE t (id int PRIMARY KEY, v text)',
      "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 200) i",
    )
    const copy = {
      ...copyOf(source, target, 't', { chunkRows: 50, workers: 1 }),
      follow: { until: 'caught-up' },
    } as const
    await startCopy(copy, { killedBy: { type: 'chunk.started', times: 1 } }).ended
    // Committed and visible, but not flushed for seconds.
    await source.sql('SET synchronous_commit = off', "UPDATE t SET v = 'never was'")
    await startCopy(copy, { killedBy: { type: 'chunk.done', times: 1 } }).ended
    await from.kill9()
    await from.restart()
    expect((await perform(copy)).finished.exitCode).toBe(0)
    await expectEqual({ source, target, names: ['t'], copy })
  },
)

describe.skipIf(!POSTGRES_OWN || !ALL)('a stream under random kills', { timeout: 400_000 }, () => {
  test.each(SEEDS)('is equal in the end (SLUICE_TEST_SEED=%d)', async (seed) => {
    const random = randomOf(seed * 7919)
    await using from = await startPostgres({ extraSettings: ['wal_level=logical', 'max_wal_senders=20', ...LAZY] })
    await using to = await startPostgres({ extraSettings: LAZY })
    await placeOn('postgresql', to.url())
    const [source, target] = [await placeOn('postgresql', from.url()), await placeOn('postgresql', to.url())]
    await target.sql(`ALTER DATABASE ${new URL(target.url).pathname.slice(1)} SET synchronous_commit = off`)
    await source.sql(...FOLLOW_TABLES, ...seedRows(KEYS))
    const copy = { ...copyOf(source, target, 'acct', { chunkRows: 50, workers: 2 }), tables: [...FOLLOW_NAMES] }
    const one = { source, target, names: FOLLOW_NAMES, copy }
    const deaths: string[] = []
    let child: Child | null = null
    for (let round = 0; round < ROUNDS; round++) {
      const writer = startWriter(source.url, { seed: seed * 100 + round, keys: KEYS, truncates: true, pauseMs: 3 })
      child ??= startCopy({ ...copy, follow: { lanes: 1 + random(3) } })
      if (random(3) > 0) await Promise.race([child.until('follow.progress').catch(() => undefined), sleep(3000)])
      await sleep(random(700))
      const death = DEATHS[random(DEATHS.length)] ?? 'program'
      deaths.push(death)
      const server: PostgresServer | null = death === 'source' ? from : death === 'target' ? to : null
      await server?.kill9()
      await server?.restart()
      if (death === 'sessions of the source') await endSessions(source)
      if (death === 'sessions of the target') await endSessions(target)
      if (death === 'program') {
        child.process.kill('SIGKILL')
        await child.ended
        child = null
      }
      // Its sessions may have been ended as well.
      await writer.stop().catch(() => undefined)
      if (child !== null && child.process.exitCode !== null) {
        const { finished } = await child.ended
        expect(finished?.error?.code, `${deaths.join(', ')}: ${JSON.stringify(finished?.error)}`).toMatch(/^(?:CONNECTION_LOST|CONNECT_FAILED|CHUNKS_FAILED|SOURCE_IO|TARGET_IO|TARGET_BUSY|COMMIT_UNKNOWN)$/) // prettier-ignore
        child = null
      }
    }
    child?.process.kill('SIGKILL')
    await child?.ended
    const { finished, events } = await perform({ ...copy, follow: { until: 'caught-up' } })
    expect(finished, `${deaths.join(', ')}: ${JSON.stringify(finished.error)}`).toMatchObject({ exitCode: 0 })
    expect(of(events, 'follow.halted')).toEqual([])
    await expectEqual(one, deaths.join(', '))
  })
})
