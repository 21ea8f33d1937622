/**
 * Rows of replicated tables that wait to be read again, named by a user or left by a killed program. The apply worker
 * repairs them, whichever program runs it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiffFollowedOperation } from '../../src/engine/follow/operations/diff-followed/declaration.ts'
import type { SteeringRequest } from '../../src/engine/run/operation.ts'
import type { Event } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, perform, type Ran } from '../support/copy-systems.ts'
import { startWriter } from '../support/follow-writer.ts'
import { caughtUp, expectEqual, stageOf, startFollowServer, writerStage, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { psql } from '../real/copy-postgresql-kit.ts'
import { of, startCopy, untilFrozen } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const TABLE = [
  'CREATE TABLE t (id int PRIMARY KEY, v text)',
  "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 200) i",
]

/** Leaves a row that a user has named, as if the program had ended before it read the row. */
async function leaveWaiting({ target }: Stage, key: string): Promise<void> {
  await target.sql(
    `INSERT INTO migration_stream_rereads (reread_id, stream_id, schema_name, table_name, row_key, reason, noted_ms)
     SELECT gen_random_uuid()::text, stream_id, schema_name, table_name, '["${key}"]', 'difference', 0 FROM migration_stream_tables`,
  )
}

const ARCHIVE = {
  kind: 'archive',
  to: '/nowhere',
  partitions: [],
  asText: [],
  detach: false,
  drop: false,
  dryRun: false,
} as const

const FOLLOW = { kind: 'follow', untilCaughtUp: false, untilEqual: false } as const

async function streamOf({ target }: Pick<Stage, 'target'>): Promise<string> {
  const [[stream] = []] = await target.rows('SELECT stream_id FROM migration_streams')
  return stream ?? ''
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  while (!(await reached())) await sleep(20)
}

const waits = async ({ target }: Stage): Promise<boolean> =>
  (await target.rows('SELECT 1 FROM migration_stream_rereads')).length > 0

/** Compares and repairs rows by command. @param more additional options */
async function byHand(
  { copy, target }: Stage,
  scope: DiffFollowedOperation['scope'],
  more: Partial<DiffFollowedOperation> = {},
  around: Parameters<typeof perform>[1] = {},
): Promise<Ran> {
  const stream = await streamOf({ target })
  const ends = { from: copy.from, to: copy.to }
  const operation = { kind: 'diff-followed', stream, ...ends, scope, limit: 100, dryRun: false } as const
  return await perform({ ...operation, ...more }, around)
}

const outcomes = (events: readonly Event[]): Readonly<Record<string, string>> =>
  Object.fromEntries(of(events, 'follow.row').map(({ key, outcome }) => [key.join(), outcome]))

describe.skipIf(!POSTGRES_OWN)(`rows of a replicated table that a user names ${POSTGRES_MISSING}`, () => {
  test(
    'wait in a live table, and are read when a stream is opened, and while it runs',
    { timeout: 120_000 },
    async () => {
      const one = await stageOf(server, TABLE, ['t'])
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await one.target.sql("UPDATE t SET v = 'wrong' WHERE id = 7")
      await leaveWaiting(one, '7')
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await expectEqual(one, 'left by a program before')
      const child = startCopy(one.copy)
      await child.until('follow.progress')
      await one.target.sql('DELETE FROM t WHERE id = 9', "INSERT INTO t VALUES (900, 'nobody knows')")
      for (const key of ['9', '900']) await leaveWaiting(one, key)
      await until(async () => !(await waits(one)))
      child.process.kill('SIGKILL')
      await child.ended
      await expectEqual(one, 'named while it runs')
    },
  )

  test('wait, and the command reports what blocks the stream that must read them', { timeout: 60_000 }, async () => {
    const one = await stageOf(server, TABLE, ['t'])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    const [interrupt, events]: [Interrupter, Event[]] = [new Interrupter(), []]
    let options: (one: SteeringRequest) => void = () => undefined
    const control = { paused: false, lanes: null, onRequest: (listener: typeof options) => void (options = listener) }
    const running = perform(one.copy, { interrupt, control, onEvent: (event) => void events.push(event) })
    await until(async () => of(events, 'follow.progress').length > 0)
    options({ act: 'hold', held: true })
    await one.target.sql("UPDATE t SET v = 'wrong' WHERE id = 7")
    const reported: Event[] = []
    const mending = byHand(one, { by: 'key', keys: ['7'] }, {}, { onEvent: (event) => void reported.push(event) })
    const [run] = of(events, 'run.started')
    const warned = (): readonly (readonly [string, string | undefined])[] =>
      of(reported, 'log').flatMap(({ level, message, hint }) => (level === 'warn' ? [[message, hint] as const] : []))
    await until(async () => warned().length > 0)
    expect(warned()).toEqual([[`run ${run?.runId} is paused and reads no rows`, `run sluice ctl ${run?.runId} resume`]])
    options({ act: 'hold', held: false })
    expect((await mending).finished).toMatchObject({ exitCode: 0, totals: { fixed: '1' } })
    interrupt.requestStop()
    await running
    await expectEqual(one)
  })

  test('are repaired by the program that runs the stream, during writes', { timeout: 120_000 }, async () => {
    const one = await writerStage(server, 600)
    const child = startCopy(one.copy)
    await child.until('follow.progress')
    await until(
      async () => (await one.target.rows("SELECT 1 FROM migration_stream_tables WHERE state <> 'live'")).length === 0,
    )
    const writer = startWriter(one.source.url, { seed: 5, keys: 600, pauseMs: 5 })
    // Rows that the writer does not change.
    await one.source.sql(
      'INSERT INTO acct (id, qty) SELECT i, 1 FROM generate_series(5001, 5010) i',
      "INSERT INTO ev SELECT i, '2026-05-01', 1 FROM generate_series(5001, 5010) i",
    )
    for (const table of ['acct', 'ev'])
      await until(async () => (await one.target.rows(`SELECT 1 FROM ${table} WHERE id > 5000`)).length === 10)
    await one.target.sql(
      'UPDATE acct SET qty = -5 WHERE id IN (5001, 5002)',
      'DELETE FROM acct WHERE id = 5003',
      'INSERT INTO acct (id, qty, at) VALUES (6000, 1, now())',
      "UPDATE ev SET v = -1 WHERE id = 5004 AND day = '2026-05-01'",
      "INSERT INTO ev VALUES (6001, '2026-05-02', 1), (6002, '2026-01-02', 1)",
    )
    const inspected = await byHand(one, { by: 'range', low: '5001', high: '6000' }, { table: 'acct', dryRun: true })
    expect(inspected.finished).toMatchObject({
      exitCode: 1,
      error: { code: 'DIFFERENCES' },
      totals: { missing: '1', extra: '1', different: '2' },
    })
    expect(await waits(one)).toBe(false)
    const keyed = await byHand(one, { by: 'key', keys: ['5001', '05004'] }, { table: 'public.acct' })
    expect(keyed.finished.exitCode).toBe(0)
    expect(outcomes(keyed.events)).toEqual({ 5001: 'mended', 5004: 'equal' })
    const ranged = await byHand(one, { by: 'range', low: '5001', high: '6000' }, { table: 'acct' })
    expect(ranged.finished).toMatchObject({ exitCode: 0, totals: { fixed: '3' } })
    expect(outcomes(ranged.events)).toEqual({ 5002: 'mended', 5003: 'mended', 6000: 'removed' })
    const [repaired] = of(ranged.events, 'follow.row')
    expect(repaired?.position).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/)
    expect(
      await one.target.rows(`SELECT count(*) FROM migration_repairs WHERE run_id = ${repaired?.repairedBy}`),
    ).toEqual([['4']])
    const parted = await byHand(one, { by: 'partition', name: 'ev_2' }, { table: 'ev' })
    expect(parted.finished.exitCode).toBe(0)
    expect(outcomes(parted.events)).toMatchObject({ '5004,2026-05-01': 'mended', '6001,2026-05-02': 'removed' })
    expect(outcomes(parted.events)).not.toHaveProperty('6002,2026-01-02')
    const last = await byHand(one, { by: 'key', keys: ['6002,2026-01-02'] }, { table: 'ev' })
    expect(outcomes(last.events)).toEqual({ '6002,2026-01-02': 'removed' })
    for (const [from, table] of [
      [one.copy.from, 'ev'],
      [one.copy.from, 'ev_1'],
      [one.copy.from, 'acct'],
      [one.copy.to, 'ev'],
    ] as const) {
      const archived = await perform({ ...ARCHIVE, from, tables: [table] })
      expect(archived.finished, table).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })
    }
    await writer.stop()
    const quiet = await perform({ ...one.copy, follow: { until: 'caught-up' } })
    expect(quiet.finished.error).toMatchObject({ code: 'LEDGER_BUSY' })
    child.process.kill('SIGKILL')
    await child.ended
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await expectEqual(one)
  })

  test(
    'are repaired by this program if none runs the stream, or if that one is killed',
    { timeout: 120_000 },
    async () => {
      const one = await stageOf(server, TABLE, ['t'])
      expect((await caughtUp(one)).finished.exitCode).toBe(0)
      await one.target.sql("UPDATE t SET v = 'wrong' WHERE id IN (7, 8)")
      await one.source.sql("UPDATE t SET v = 'on its way' WHERE id = 9")
      const alone = await byHand(one, { by: 'range', low: '7', high: '9' })
      expect(alone.finished).toMatchObject({ exitCode: 0, totals: { different: '3', fixed: '2', equal: '1' } })
      expect(outcomes(alone.events)).toEqual({ 7: 'mended', 8: 'mended', 9: 'equal' })
      await expectEqual(one, 'by this program')
      const child = startCopy(one.copy)
      await child.until('follow.progress')
      child.process.kill('SIGSTOP')
      await untilFrozen(child)
      await one.target.sql('DELETE FROM t WHERE id = 10')
      const named = byHand(one, { by: 'key', keys: ['10'] })
      await until(() => waits(one))
      child.process.kill('SIGKILL')
      const { finished, events } = await named
      expect(finished.exitCode).toBe(0)
      expect(outcomes(events)).toEqual({ 10: 'mended' })
      await child.ended
      await expectEqual(one, 'after the other was killed')
      // Repairs by a stream cannot be undone while the stream is active.
      const [[repairedBy] = []] = await one.target.rows(
        'SELECT run_id FROM migration_repairs WHERE row_key = \'["10"]\'',
      )
      const undo = await perform({ kind: 'diff-undo', runId: repairedBy ?? '', to: one.copy.to, tables: [] })
      expect(undo.finished.error).toMatchObject({ code: 'TABLE_FOLLOWED' })
    },
  )

  test('in a file are repaired if no program runs the stream, else only compared', { timeout: 120_000 }, async () => {
    const folder = temporaryFolder()
    const one = await stageOf(server, TABLE, ['t'], 1000, await makePlace('sqlite', folder.path))
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.target.sql("UPDATE t SET v = 'wrong' WHERE id = 7", 'DELETE FROM t WHERE id = 9')
    const { finished, events } = await byHand(one, { by: 'range', low: '5', high: '9' })
    expect(finished).toMatchObject({ exitCode: 0, totals: { missing: '1', different: '1', fixed: '2' } })
    expect(outcomes(events)).toEqual({ 7: 'mended', 9: 'mended' })
    expect(await one.target.rows('SELECT v FROM t WHERE id BETWEEN 7 AND 9')).toEqual([['v7'], ['v8'], ['v9']])
    const child = startCopy(one.copy)
    await child.until('follow.progress')
    const key: DiffFollowedOperation['scope'] = { by: 'key', keys: ['7'] }
    expect((await byHand(one, key)).finished.error).toMatchObject({ code: 'LEDGER_BUSY' })
    expect((await byHand(one, key, { dryRun: true })).finished.exitCode).toBe(0)
    child.process.kill('SIGKILL')
    await child.ended
    folder[Symbol.dispose]()
  })

  test('are repaired as the hint of a plain comparison says', { timeout: 120_000 }, async () => {
    const one = await stageOf(server, TABLE, ['t'])
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await one.target.sql("UPDATE t SET v = 'wrong' WHERE id = 7")
    const { from, to, tables } = one.copy
    const diff = { kind: 'diff', from, to, tables, rename: {}, limit: 1, deleteExtra: false, workers: 1 } as const
    const compared = await perform({ ...diff, fix: false })
    const stream = await streamOf(one)
    expect(compared.finished.error).toMatchObject({
      code: 'DIFFERENCES',
      hint: expect.stringContaining(`run sluice follow ${stream} --until-equal to compare again`),
    })
    expect(compared.finished.error?.hint).not.toContain('sluice diff --from')
    expect((await perform({ ...diff, fix: true })).finished.error?.code).toBe('TABLE_FOLLOWED')
    const equal = await perform({ ...FOLLOW, stream, from, to, untilEqual: true, end: false })
    expect(equal.finished.exitCode, equal.finished.error?.message).toBe(0)
    await expectEqual(one)
  })

  test('and that are quarantined are applied by the next run', { timeout: 120_000 }, async () => {
    const one = await stageOf(server, TABLE, ['t'])
    await one.source.sql("UPDATE t SET v = 'bad' WHERE id = 7")
    await one.target.sql("CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'))")
    expect((await caughtUp(one)).finished.error).toMatchObject({
      code: 'ROWS_ASIDE',
      hint: expect.stringContaining('run the same command again'),
    })
    const retry = await perform({ kind: 'retry-quarantine', to: one.copy.to })
    expect(retry.finished.error).toMatchObject({
      code: 'TABLE_FOLLOWED',
      hint: expect.stringContaining('sluice follow'),
    })
    // The rows of a copy without a stream are retried all the same.
    await one.source.sql('CREATE TABLE u (id int PRIMARY KEY, v text)', "INSERT INTO u VALUES (1, 'bad'), (2, 'good')")
    await one.target.sql("CREATE TABLE u (id int PRIMARY KEY, v text CHECK (v <> 'bad'))")
    const copied = await perform(copyOf(one.source, one.target, 'u'))
    expect(copied.finished.error?.code).toBe('ROWS_ASIDE')
    await one.source.sql("UPDATE u SET v = 'good'")
    expect((await perform({ kind: 'retry-quarantine', from: one.copy.from, to: one.copy.to })).finished).toMatchObject({
      totals: { written: '1', quarantined: '1' },
      error: {
        code: 'ROWS_ASIDE',
        message: '1 of 2 quarantined rows were not written; not retried: 1 row of public.t',
      },
    })
    await one.source.sql("UPDATE t SET v = 'good' WHERE id = 7")
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    await expectEqual(one)
  })

  test(
    'stay if the stream begins during an archive run: each partition checks this, and a stream waits for the running one',
    { timeout: 120_000 },
    async () => {
      using folder = temporaryFolder()
      const one = await stageOf(
        server,
        [
          'CREATE TABLE ev (id int PRIMARY KEY, k text NOT NULL, v text)',
          "INSERT INTO ev SELECT i, chr(97 + i % 3), 'v' || i FROM generate_series(0, 59) i",
        ],
        ['ev'],
      )
      const { source } = one
      const from = one.copy.from
      const archive = { ...ARCHIVE, from, tables: ['ev'], to: folder.path, byValue: 'k', partitions: ['a', 'b'] }
      const drop = { ...archive, detach: true, drop: true, confirm: 'ev', graceMs: 0 }
      const restore = { kind: 'restore', from, table: 'ev', partitions: ['a', 'b'], dryRun: false } as const
      const states = async (): Promise<string> =>
        (await source.rows('SELECT partition_name, state FROM migration_archive_partitions ORDER BY 1')).join(' ')
      expect((await perform(archive)).finished.exitCode).toBe(0)
      const holder = await psql(source.url)
      // A publication shows that a stream reads from the source. It is created between the first partition and the
      // second.
      const between = async (operation: Parameters<typeof perform>[0], state: string): Promise<Ran> => {
        await holder.run("BEGIN; SELECT 1 FROM migration_archive_partitions WHERE partition_name = 'b' FOR UPDATE")
        const running = perform(operation)
        await until(async () => (await states()).startsWith(`a,${state} `))
        await source.sql('CREATE PUBLICATION sluice_4711 FOR TABLE ev')
        await holder.run('COMMIT')
        const ran = await running
        await source.sql('DROP PUBLICATION sluice_4711')
        return ran
      }
      const refused = {
        exitCode: 1,
        error: { reason: expect.stringContaining('cannot be removed or restored: stream 4711 reads from the table') },
      }
      const grace = { graceMs: 0 }
      expect((await between({ ...archive, ...grace, detach: true }, 'DETACHED')).finished).toMatchObject(refused)
      expect(await states()).toBe('a,DETACHED b,PUBLISHED')
      expect((await perform({ ...archive, ...grace, detach: true })).finished.exitCode).toBe(0)
      expect((await between(drop, 'DROPPED')).finished).toMatchObject(refused)
      expect(await states()).toBe('a,DROPPED b,DETACHED')
      expect(await source.rows('SELECT k, count(*) FROM ev GROUP BY k ORDER BY k')).toEqual([
        ['b', '20'],
        ['c', '20'],
      ])
      await holder.run("BEGIN; SELECT 1 FROM ev WHERE k = 'b' FOR UPDATE")
      const dropping = perform(drop)
      await until(
        async () =>
          (await source.rows('SELECT 1 FROM migration_archive_partitions WHERE owner IS NOT NULL')).length > 0,
      )
      const events: Event[] = []
      const following = perform(
        { ...one.copy, follow: { until: 'caught-up' } },
        { onEvent: (event) => void events.push(event) },
      )
      const waiting = /restores rows of b of (public\.)?ev; waiting/
      const ended = following.then(() => true)
      await Promise.race([ended, until(async () => of(events, 'log').some(({ message }) => waiting.test(message)))])
      expect(await one.target.rows("SELECT to_regclass('ev')")).toEqual([[null]])
      await holder.run('COMMIT')
      expect((await dropping).finished.exitCode).toBe(0)
      expect((await following).finished.exitCode).toBe(0)
      expect(of(events, 'log').filter(({ message }) => waiting.test(message))).toHaveLength(1)
      await expectEqual(one, 'behind the drop')
      const slot = (await perform({ ...FOLLOW, to: one.copy.to, from, stream: await streamOf(one), end: true }))
        .finished
      expect(slot.exitCode).toBe(0)
      expect((await between(restore, 'RESTORED')).finished).toMatchObject(refused)
      expect(await states()).toBe('a,RESTORED b,DROPPED')
      await holder.close()
    },
  )

  test('and that cannot exist are refused by name', { timeout: 120_000 }, async () => {
    const one = await stageOf(
      server,
      [...TABLE, 'CREATE TABLE u (a text, b text, PRIMARY KEY (a, b))', "INSERT INTO u VALUES ('5', 'z')"],
      ['t', 'u'],
    )
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    const key = (...keys: string[]): DiffFollowedOperation['scope'] => ({ by: 'key', keys })
    const refused: readonly (readonly [DiffFollowedOperation['scope'], Partial<DiffFollowedOperation>, object])[] = [
      [key('1'), {}, { code: 'BAD_FLAG', reason: expect.stringContaining('public.u') }],
      [key('1'), { table: 'w' }, { code: 'NO_SUCH_TABLE' }],
      [key('1'), { stream: '12' }, { code: 'NO_SUCH_TABLE' }],
      [key('one'), { table: 't' }, { code: 'BAD_FLAG', message: expect.stringContaining('is not a value of id') }],
      [key('99999999999'), { table: 't' }, { code: 'BAD_FLAG' }],
      [key('900'), { table: 't' }, { code: 'BAD_FLAG', message: expect.stringContaining('has no row') }],
      [{ by: 'range', low: '9', high: '1' }, { table: 't' }, { code: 'BAD_FLAG' }],
      [{ by: 'range', low: '9', high: '1' }, { table: 'u' }, { code: 'BAD_FLAG' }],
      [{ by: 'partition', name: 'p' }, { table: 't' }, { code: 'BAD_FLAG', reason: 'it is not partitioned' }],
    ]
    for (const [scope, more, error] of refused) {
      const { finished } = await byHand(one, scope, more)
      expect(finished, JSON.stringify([scope, more])).toMatchObject({ exitCode: 2, error })
    }
    await one.target.sql(
      'UPDATE migration_streams SET status = \'halted\', fault = \'[{"code":"TABLE_CHANGED","tables":["public.t"],"message":"m","since":"0/1"}]\'',
    )
    expect((await byHand(one, key('1'), { table: 't' })).finished.error).toMatchObject({ code: 'STREAM_HALTED' })
    expect(await waits(one)).toBe(false)
  })
})
