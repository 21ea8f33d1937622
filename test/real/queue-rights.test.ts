/**
 * The rights that `sluice grants` prints for a queue's database, given to real roles: a worker can work, and an
 * observer can only read.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import type { ErrorInfo } from '../../src/shared/errors.ts'
import { POSTGRES_MISSING, POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { makeOrders, WorkerStage } from '../support/worker-stage.ts'

const ROLES = ['queue_owner', 'queue_worker', 'queue_reader'] as const
const SECRET = 'hunter2'

/** A role name that an unquoted statement would execute as SQL. */
const HOSTILE = 'o"ne\'; DROP SCHEMA sluice_queue; -- $(id)'

/** The statements that docs/guides/workers.md shows. */
function grantsOfPage(): readonly string[] {
  const page = readFileSync(path.join(import.meta.dirname, '../../docs/guides/workers.md'), 'utf8')
  const [, block = ''] = /## Rights in the queue's database[^]*?```sql\n([^]*?)```/.exec(page) ?? []
  return block.split('\n').flatMap((line) => (line === '' || line.startsWith('--') ? [] : [line.replace(/;$/, '')]))
}

const statementsOf = (events: readonly Event[]): readonly string[] =>
  events.flatMap((event) => (event.type === 'statement' ? [event.sql] : []))
const errorOf = (events: readonly Event[]): ErrorInfo | undefined =>
  events.flatMap((event) => (event.type === 'run.finished' ? [event.error] : []))[0]

describe.skipIf(!POSTGRES_OWN)(`rights in the database of a queue ${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  let stage: WorkerStage
  const as = (role: (typeof ROLES)[number]): string =>
    stage.urlOf(stage.queue, 'queue').replace(/\/\/[^@]*@/, `//${role}:${SECRET}@`)
  beforeAll(async () => {
    stage = await WorkerStage.open()
    await makeOrders(stage, 2000)
    for (const role of ROLES) await stage.ask(stage.queue, 'queue', `CREATE ROLE ${role} LOGIN PASSWORD '${SECRET}'`)
    await stage.ask(stage.queue, 'queue', 'GRANT CREATE ON DATABASE queue TO queue_owner')
  }, 120_000)
  afterAll(async () => {
    await stage[Symbol.asyncDispose]()
  })

  const grants = async (connect: string, role: string, to: string, ...more: readonly string[]) =>
    await stage.sluice('grants', '--connect', connect, '--role', role, '--to', to, ...more)

  test('a login that may only connect cannot stop a worker', async () => {
    await stage.ask(stage.queue, 'queue', `CREATE ROLE stranger LOGIN PASSWORD '${SECRET}'`)
    const worker = stage.worker({ host: 'told' })
    const listening =
      'SELECT pid, query_start::text AS since FROM pg_stat_activity WHERE query LIKE \'LISTEN "jobs:insert"%\''
    await stage.until('it listens', async () => (await stage.ask(stage.queue, 'queue', listening)).length > 0)
    const before = await stage.ask(stage.queue, 'queue', listening)
    const stranger = new pg.Client({
      connectionString: stage.urlOf(stage.queue, 'queue').replace(/\/\/[^@]*@/, `//stranger:${SECRET}@`),
    })
    await stranger.connect()
    for (const said of ['{"breaking":true,"migrationNumber":999}', 'null', '', '[', '{"count":1e9}'])
      for (const channel of ['worker:migrate', 'jobs:insert'])
        await stranger.query('SELECT pg_notify($1, $2)', [channel, said])
    await stranger.end()
    // The next runner listens again.
    const copy = ['copy', '--from', 'shop', '--to', 'cold', '--table', 'orders', '--tasks', '1'] as const
    const run = await stage.distribute(...copy)
    await stage.until('the end', async () => (await stage.run(run)).status !== 'running')
    expect(await stage.ask(stage.queue, 'queue', listening)).toEqual(before)
    worker.signal('SIGTERM')
    expect(await worker.ended).toBe(0)
    // Other tests start with a database without a queue, and an empty target.
    await stage.ask(stage.queue, 'queue', 'DROP SCHEMA sluice_queue CASCADE; DROP SCHEMA graphile_worker CASCADE')
    await stage.ask(stage.data, 'target', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  })

  test('rights that cannot be granted are refused by name, and before a queue exists none is granted', async () => {
    const early = await grants(stage.urlOf(stage.queue, 'queue'), 'observer', 'queue_reader', '--apply')
    expect([early.code, errorOf(early.events)]).toMatchObject([
      2,
      { code: 'NO_SUCH_PATH', message: 'the database queue has no queue' },
    ])
    for (const words of [
      ['--connect', stage.urlOf(stage.queue, 'queue'), '--role', 'reader'],
      ['--database-url', stage.urlOf(stage.queue, 'queue'), '--role', 'worker'],
    ]) {
      const { code, err } = await stage.sluice('grants', '--to', 'queue_reader', ...words)
      expect([code, err]).toEqual([2, expect.stringContaining('exclude each other')])
    }
    const file = await grants('sqlite:///queue.db', 'worker', 'queue_worker')
    expect([file.code, file.err]).toEqual([6, expect.stringContaining('cannot be used for a queue of workers')])
  })

  test('the printed grants are enough to work, and to read without changing anything', async () => {
    const copy = ['copy', '--from', 'shop', '--to', 'cold', '--table', 'orders', '--tasks', '1'] as const
    const run = await stage.distribute(...copy, '--connect', as('queue_owner'))
    const again = ['--every', '1h', '--', 'diff', '--from', 'shop', '--to', 'cold', '--table', 'orders'] as const
    const added = await stage.sluice('schedule', 'add', 'nightly', '--connect', as('queue_owner'), ...again)
    expect(added.code, added.err).toBe(0)
    const early = await stage.sluice('runs', '--distributed', '--connect', as('queue_reader'))
    expect([early.code, early.err]).toEqual([4, expect.stringContaining('TARGET_DENIED')])
    expect(early.err).toContain('GRANT SELECT ON ALL TABLES IN SCHEMA \\"sluice_queue\\" TO \\"queue_reader\\"')
    expect([early.code, errorOf(early.events)?.hint]).toEqual([
      4,
      expect.stringMatching(/sluice grants --connect .* --role observer --to queue_reader .*prints all of it/),
    ])
    const superuser = stage.urlOf(stage.queue, 'queue')
    // Printed first: nothing is granted yet.
    const printed = [
      await grants(superuser, 'worker', 'queue_worker'),
      await grants(as('queue_owner'), 'observer', 'queue_reader'),
    ]
    expect(printed.flatMap(({ events }) => statementsOf(events))).toEqual(grantsOfPage())
    expect((await stage.sluice('workers', '--connect', as('queue_reader'))).code).toBe(4)
    for (const { events } of printed) for (const sql of statementsOf(events)) await stage.ask(stage.queue, 'queue', sql)
    const inspections = [
      ['runs', '--distributed'],
      ['runs', '--distributed', '--run', run],
      ['workers'],
      ['schedule', 'list'],
    ] as const
    for (const words of inspections) {
      const { code, err } = await stage.sluice(...words, '--connect', as('queue_reader'))
      expect([words, code], err).toEqual([words, 0])
    }
    const changes = [
      ['ctl', run, 'stop', '--distributed'],
      ['ctl', run, 'rate', '5', '--distributed'],
      [...copy, '--distributed'],
      ['workers', '--drain', 'host1'],
      ['schedule', 'pause', 'nightly'],
      ['schedule', 'run-now', 'nightly'],
      ['worker', '--idle', '1s'],
    ] as const
    for (const words of changes) {
      const { code, err } = await stage.sluice(...words, '--connect', as('queue_reader'))
      expect([words, code], err).toEqual([words, 4])
      // The missing right.
      expect([words, err]).toEqual([words, expect.stringContaining('GRANT \\"queue_owner\\" TO \\"queue_reader\\"')])
    }
    // The owner of the database is trusted. Since PostgreSQL 16 an owner cannot grant membership in itself.
    await stage.ask(stage.queue, 'queue', 'ALTER DATABASE queue OWNER TO queue_owner')
    const paused = await stage.sluice('schedule', 'pause', 'nightly', '--connect', as('queue_reader'))
    expect([paused.code, errorOf(paused.events)?.hint]).toEqual([
      4,
      expect.stringContaining('as a superuser, or a role that may administer queue_owner: GRANT "queue_owner" TO'),
    ])
    const adds = await stage.sluice('schedule', 'add', 'more', '--connect', as('queue_reader'), ...again)
    expect([adds.code, adds.err]).toEqual([4, expect.stringContaining('GRANT \\"queue_owner\\"')])
    expect(await stage.run(run)).toMatchObject({ status: 'running', wishes: {} })
    const worker = stage.worker({ args: ['--idle', '3s'], stores: { queue: as('queue_worker') } })
    await stage.until('the end', async () => (await stage.run(run)).status === 'ok')
    expect(await worker.ended).toBe(0)
    const resumed = await stage.sluice('ctl', run, 'resume', '--distributed', '--connect', as('queue_worker'))
    expect([resumed.code, resumed.err]).toEqual([2, expect.stringContaining('has ended: ok')])
    const next = await stage.distribute(...copy, '--connect', as('queue_worker'))
    expect((await stage.sluice('ctl', next, 'stop', '--distributed', '--connect', as('queue_worker'))).code).toBe(0)
    expect(await stage.run(next)).toMatchObject({ status: 'stopped' })
  })

  test('--apply grants what it prints to any name, and only if the login may', async () => {
    const superuser = stage.urlOf(stage.queue, 'queue')
    const asked = async (sql: string): Promise<unknown> => (await stage.ask(stage.queue, 'queue', sql))[0]
    const named = `"${HOSTILE.replaceAll('"', '""')}"`
    await stage.ask(stage.queue, 'queue', `CREATE ROLE ${named} LOGIN PASSWORD '${SECRET}'`)
    // The reader has the right without its grant option: the server would only warn, and grant nothing.
    for (const [login, role] of [
      ['queue_reader', 'observer'],
      ['queue_reader', 'worker'],
    ] as const) {
      const { code, events } = await grants(as(login), role, HOSTILE, '--apply')
      expect([code, errorOf(events)?.code, statementsOf(events)]).toEqual([4, 'TARGET_DENIED', []])
      expect(errorOf(events)?.hint).toContain('queue_owner')
      const printed = await grants(as(login), role, HOSTILE)
      expect(printed.code).toBe(0)
      expect(printed.err).toContain('this login may not run these statements')
    }
    expect((await grants(as('queue_owner'), 'observer', HOSTILE, '--apply')).code).toBe(0)
    const theirs = superuser.replace(/\/\/[^@]*@/, `//${encodeURIComponent(HOSTILE)}:${SECRET}@`)
    expect((await stage.sluice('workers', '--connect', theirs)).code).toBe(0)
    // A table that a later version adds can be read by them, too.
    await stage.ask(stage.queue, 'queue', 'SET ROLE queue_owner; CREATE TABLE sluice_queue.later (a int)')
    expect(
      await asked(`SELECT has_table_privilege('queue_reader', 'sluice_queue.later', 'SELECT') AS reads,
        has_table_privilege('queue_reader', 'sluice_queue.later', 'INSERT') AS writes`),
    ).toEqual({ reads: true, writes: false })
    const again = await grants(superuser, 'worker', 'queue_worker', '--apply')
    expect([again.code, statementsOf(again.events)]).toEqual([0, []])
    expect(again.err).toContain('already')
    const missing = await grants(superuser, 'worker', 'nobody')
    expect([missing.code, errorOf(missing.events)]).toMatchObject([
      2,
      { code: 'BAD_FLAG', hint: `create it first: CREATE ROLE "nobody" LOGIN PASSWORD '…';` },
    ])
    await stage.ask(stage.queue, 'queue', `ALTER ROLE ${named} NOINHERIT`)
    const idle = await grants(superuser, 'worker', HOSTILE, '--apply')
    expect([idle.code, errorOf(idle.events)?.hint]).toEqual([2, expect.stringContaining('INHERIT')])
    await stage.ask(stage.queue, 'queue', 'ALTER SCHEMA sluice_queue OWNER TO CURRENT_USER')
    const owned = await grants(superuser, 'worker', HOSTILE, '--apply')
    expect([owned.code, errorOf(owned.events)?.message]).toEqual([4, expect.stringContaining('a superuser')])
    // No hint advises to grant the membership that this command refuses.
    const paused = await stage.sluice('schedule', 'pause', 'nightly', '--connect', as('queue_reader'))
    expect([paused.code, errorOf(paused.events)?.hint]).toEqual([4, errorOf(owned.events)?.hint])
  })
})
