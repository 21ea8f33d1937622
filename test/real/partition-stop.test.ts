/**
 * A stop of `partition ensure` takes effect at once, and the report is true: what was created, and whether anything is
 * left.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { perform, type Ran } from '../support/copy-systems.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql, SIGNAL, type Psql } from './copy-postgresql-kit.ts'
import { leftOvers, look, make } from './partition-kit.ts'

const BUDGET_MS = 60_000
/** Far below the limit, and enough for a busy machine. */
const AT_ONCE_MS = 10_000
const year = new Date().getUTCFullYear()

describe.skipIf(!POSTGRES_OWN)('a stop of partition ensure (needs a server of its own)', () => {
  let server: PostgresServer
  let store: CopyStore
  let direct: Psql
  let other: Psql

  beforeAll(async () => {
    server = await startPostgres()
    await server.createDatabase('stops')
    direct = await psql(server.url('stops'))
    other = await psql(server.url('stops'))
    store = await openPostgresCopy(server.url('stops'))
  })

  beforeEach(async () => {
    await direct.run(`SET TimeZone TO 'UTC'; DROP SCHEMA public CASCADE; CREATE SCHEMA public;
      CREATE TABLE t (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE t_${year - 1} PARTITION OF t FOR VALUES FROM ('${year - 1}-01-01') TO ('${year}-01-01');
      CREATE TABLE t_${year} PARTITION OF t FOR VALUES FROM ('${year}-01-01') TO ('${year + 1}-01-01'); CREATE TABLE t_rest PARTITION OF t DEFAULT`)
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    for (const side of [direct, other]) await side.close()
    await server[Symbol.asyncDispose]()
  })

  const rows = (): Promise<void> =>
    direct.run(`INSERT INTO t SELECT i, '${year + 1}-02-03' FROM generate_series(1, 3000) i`)
  const options = [1, 2].map((n) => [`t_${year + n}`, `${year + n}-01-01`, `${year + n + 1}-01-01`] as const)

  async function stopped(stopAt: (event: Event) => boolean, ahead = 2): Promise<Ran & { readonly ms: number }> {
    const interrupt = new Interrupter()
    const operation: Operation = {
      kind: 'partition-ensure',
      from: server.url('stops'),
      tables: ['public.t'],
      calendar: { unit: 'year' },
      ahead,
      patienceMs: 100,
      budgetMs: BUDGET_MS,
      dryRun: false,
    }
    let asked = performance.now()
    const ran = await perform(operation, {
      interrupt,
      onEvent: (event) => {
        if (interrupt.stop.aborted || !stopAt(event)) return
        asked = performance.now()
        interrupt.requestStop()
      },
    })
    return { ...ran, ms: performance.now() - asked }
  }
  const step = (wanted: string) => (event: Event) => event.type === 'partition.progress' && event.step === wanted
  const made = ({ events }: Ran): readonly string[] =>
    events.flatMap((event) => (event.type === 'partition.made' ? [event.label] : []))

  test('while it copies or follows removes what it created, and keeps every row', async () => {
    await rows()
    for (const at of ['logging', 'copying', 'following']) {
      const ran = await stopped(step(at))
      expect([ran.finished.status, ran.finished.exitCode, made(ran), ran.ms < AT_ONCE_MS]).toEqual([
        'stopped',
        75,
        [],
        true,
      ])
      expect(await leftOvers(direct)).toEqual([])
      expect(await direct.rows('SELECT count(*), (SELECT count(*) FROM t_rest) FROM t')).toEqual([['3000', '3000']])
    }
  })

  test('when nothing is left to do has no effect, and the run is not reported as stopped', async () => {
    await rows()
    const ran = await stopped((event) => event.type === 'partition.made')
    expect([ran.finished.status, ran.finished.exitCode, made(ran)]).toEqual([
      'ok',
      0,
      [String(year + 1), String(year + 2)],
    ])
    expect(await leftOvers(direct)).toEqual([])
  })

  test('while it waits for an old snapshot, for a lock, or for another run ends the wait', async () => {
    const waits: readonly (readonly [string, string, string])[] = [
      ['BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1', 'ROLLBACK', 'moved'],
      ['BEGIN; LOCK TABLE t_rest IN ACCESS EXCLUSIVE MODE', 'ROLLBACK', 'made'],
      [
        "SELECT pg_advisory_lock((x'736c7563'::bigint << 32) | 't'::regclass::oid::bigint)",
        'SELECT pg_advisory_unlock_all()',
        'alone',
      ],
    ]
    for (const [hold, release, what] of waits) {
      if (what === 'moved') await rows()
      else await direct.run('TRUNCATE t')
      const table = await look(store, 't')
      await other.run(hold)
      const stop = new AbortController()
      const steps: string[] = []
      const running = make(store, table, options, {
        retryLimitMs: BUDGET_MS,
        signal: SIGNAL,
        stop: stop.signal,
        onStep: (one) => steps.push(one),
      })
      const waiting =
        what === 'moved'
          ? "query LIKE '%backend_xmin%'"
          : what === 'made'
            ? "query LIKE '%LOCK TABLE%'"
            : "query LIKE '%try_advisory%'"
      await expect
        .poll(
          async () =>
            (
              await direct.rows(
                `SELECT count(*) > 0 FROM pg_stat_activity WHERE ${waiting} AND pid <> pg_backend_pid()`,
              )
            )[0]?.[0],
          { timeout: 20_000 },
        )
        .toBe('t')
      const asked = performance.now()
      stop.abort()
      const { made: all } = await running
      expect([what, all, performance.now() - asked < AT_ONCE_MS]).toEqual([what, [], true])
      await other.run(release)
      expect(await leftOvers(direct)).toEqual([])
    }
    expect((await make(store, await look(store, 't'), options)).made).toHaveLength(2)
  })

  test('between two partitions keeps the first, and reports that the other is left', async () => {
    // A created partition holds no lock that the other needs: only a stop comes between.
    const stop = new AbortController()
    const { made: first } = await make(store, await look(store, 't'), options, {
      stop: stop.signal,
      onStep: (one, count) => {
        if (one === 'making' && count === 1n) stop.abort()
      },
    })
    expect(first.map(({ name }) => name.name)).toEqual([`t_${year + 1}`])
    expect(await leftOvers(direct)).toEqual([])
    const ran = await stopped((event) => event.type === 'partition.progress', 3)
    expect([ran.finished.status, made(ran)]).toEqual(['stopped', []])
  })
})
