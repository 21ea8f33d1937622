/**
 * Chunks that were copied before a stream began: no stream reports the changes since then, so they must not be taken
 * over.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { copyOf, makePlace, perform, placeOn, type Ran } from '../support/copy-systems.ts'
import { caughtUp, leftAtSource, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { of, startCopy, untilFrozen } from './copy-kit.ts'

let server: PostgresServer
const folder = mkdtempSync(join(tmpdir(), 'sluice-gap-'))

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const BEFORE = ['CREATE TABLE t (id int PRIMARY KEY, v text)', "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')"]
const MEANWHILE = ['DELETE FROM t WHERE id = 1', "UPDATE t SET v = 'z' WHERE id = 2", "INSERT INTO t VALUES (4, 'd')"]
const ROWS = 'SELECT id, v FROM t ORDER BY id'
const NOW = [
  ['2', 'z'],
  ['3', 'c'],
  ['4', 'd'],
]
const KINDS = ['slots', 'triggers of PostgreSQL', 'triggers of MySQL', 'triggers of SQLite'] as const

async function stage(kind: (typeof KINDS)[number]): Promise<Stage> {
  const on = { 'triggers of MySQL': 'mysql', 'triggers of SQLite': 'sqlite' } as const
  const [source, target] = [
    await (kind in on ? makePlace(on[kind as keyof typeof on], folder) : placeOn('postgresql', server.url())),
    await placeOn('postgresql', server.url()),
  ]
  await source.sql(...(source.system === 'sqlite' ? ['PRAGMA journal_mode = WAL'] : []), ...BEFORE)
  const follow = kind === 'slots' ? {} : ({ cdc: 'trigger' } as const)
  return { source, target, names: ['t'], copy: { ...copyOf(source, target, 't'), follow } }
}

async function ended(stream: string, { from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  const on = { untilCaughtUp: false, untilEqual: false, end: true } as const
  expect((await perform({ kind: 'follow', stream, from, to, ...on })).finished.exitCode).toBe(0)
}

function streamOf({ events }: Ran): string {
  return of(events, 'follow.started')[0]?.stream ?? ''
}

/** Nothing is created and nothing is written. */
async function expectRefused(one: Stage, ran: Ran, hint: RegExp): Promise<void> {
  expect(ran.finished).toMatchObject({ exitCode: 5, error: { code: 'PLAN_CHANGED' } })
  expect(ran.finished.error?.message).toMatch(/^no stream can begin for .*: it was copied before/)
  expect(ran.finished.error?.hint).toMatch(hint)
  expect(ran.finished).not.toHaveProperty('resumeCommand')
  expect(of(ran.events, 'follow.started')).toEqual([])
  if (one.source.system === 'postgresql') expect(await leftAtSource(one)).toEqual([])
}

describe.skipIf(!POSTGRES_OWN).each(KINDS)(`a stream by %s ${POSTGRES_MISSING}`, { timeout: 60_000 }, (kind) => {
  test.each(['an ended stream', 'a copy'])('does not take over chunks that %s has left', async (before) => {
    const one = await stage(kind)
    const { follow: _follow, ...plain } = one.copy
    const first = before === 'a copy' ? await perform(plain) : await caughtUp(one)
    expect(first.finished).toMatchObject({ exitCode: 0 })
    if (before !== 'a copy') await ended(streamOf(first), one.copy)
    await one.source.sql(...MEANWHILE)
    const planned = await perform({ ...one.copy, dryRun: true })
    await expectRefused(one, planned, /--restart --on-existing replace-range/)
    await expectRefused(one, await caughtUp(one), /--restart --on-existing replace-range/)
    const anew = await caughtUp({ ...one, copy: { ...one.copy, restart: true, onExisting: 'replace-range' } })
    expect(anew.finished, JSON.stringify(anew.finished.error)).toMatchObject({ exitCode: 0, totals: { live: '1' } })
    expect(await one.target.rows(ROWS)).toEqual(NOW)
    await one.source.sql('DELETE FROM t WHERE id = 3')
    expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0 })
    expect(await one.target.rows(ROWS)).toEqual([NOW[0], NOW[2]])
  })
})

describe.skipIf(!POSTGRES_OWN)(`a stream by slots ${POSTGRES_MISSING}`, { timeout: 60_000 }, () => {
  test('does not take over chunks of a copy that was killed', async () => {
    const one = await stage('slots')
    const { follow: _follow, ...plain } = one.copy
    const copy = { ...plain, chunkRows: 1, workers: 1 }
    const child = startCopy(copy, { killedBy: { type: 'chunk.done', times: 2 } })
    expect((await child.ended).signal).toBe('SIGKILL')
    await one.source.sql(...MEANWHILE)
    await expectRefused(one, await caughtUp(one), /--restart --on-existing replace-range/)
    // Without a stream the copy continues.
    expect((await perform(plain)).finished.exitCode).not.toBe(5)
  })

  test('begins although a copy has begun that has read nothing yet', async () => {
    const one = await stage('slots')
    const { follow: _follow, ...plain } = one.copy
    const child = startCopy({ ...plain, workers: 1 }, { killedBy: { type: 'copy.started', times: 1 } })
    expect((await child.ended).signal).toBe('SIGKILL')
    expect((await caughtUp(one)).finished).toMatchObject({ exitCode: 0 })
  })

  test('leaves no chunk to a copy that has read before the stream began, and copies them itself', async () => {
    const one = await stage('slots')
    const { follow: _follow, ...plain } = one.copy
    const small = { chunkRows: 1, workers: 1 }
    const before = startCopy({ ...plain, ...small }, { frozenBy: { type: 'copy.started', times: 1 } })
    await untilFrozen(before)
    await one.source.sql(...MEANWHILE)
    const following = { ...one.copy, ...small, follow: { until: 'caught-up' } } as const
    const stream = startCopy(following, { frozenBy: { type: 'follow.started', times: 1 } })
    await untilFrozen(stream)
    before.process.kill('SIGCONT')
    const refused = await before.ended
    stream.process.kill('SIGCONT')
    expect((await stream.ended).finished).toMatchObject({ exitCode: 0, totals: { live: '1' } })
    expect(await one.target.rows(ROWS)).toEqual(NOW)
    expect(refused.finished).toMatchObject({ exitCode: 5, error: { code: 'TABLE_FOLLOWED' } })
  })

  test.each([8, 11, 14])('does not take over chunks that a copy copied after step %i of the stream', async (step) => {
    const one = await stage('slots')
    const { follow: _follow, ...plain } = one.copy
    const small = { chunkRows: 1, workers: 1 }
    const before = startCopy({ ...plain, ...small }, { frozenBy: { type: 'copy.started', times: 1 } })
    await untilFrozen(before)
    await one.source.sql(...MEANWHILE)
    const following = { ...one.copy, ...small, follow: { until: 'caught-up' } } as const
    const stream = startCopy(following, { step, when: 'frozen' })
    await untilFrozen(stream)
    before.process.kill('SIGCONT')
    await before.ended
    stream.process.kill('SIGCONT')
    const { finished } = await stream.ended
    if (finished?.exitCode === 0) expect(await one.target.rows(ROWS)).toEqual(NOW)
    else expect(finished).toMatchObject({ exitCode: 5, error: { code: 'PLAN_CHANGED' } })
  })

  test('in the opposite direction begins in the former source, and takes over no chunk of either', async () => {
    const one = await stage('slots')
    const { source, target } = one
    await ended(streamOf(await caughtUp(one)), one.copy)
    await target.sql(...MEANWHILE)
    const back: Stage = {
      source: target,
      target: source,
      names: ['t'],
      copy: { ...copyOf(target, source, 't'), follow: {} },
    }
    expect((await caughtUp(back)).finished).toMatchObject({ exitCode: 1, error: { code: 'CHUNKS_FAILED' } })
    const over = await caughtUp({ ...back, copy: { ...back.copy, restart: true, onExisting: 'replace-range' } })
    expect(over.finished, JSON.stringify(over.finished.error)).toMatchObject({ exitCode: 0, totals: { live: '1' } })
    expect(await source.rows(ROWS)).toEqual(NOW)
    await ended(streamOf(over), back.copy)
    await source.sql('DELETE FROM t WHERE id = 3')
    await expectRefused(one, await caughtUp(one), /--restart --on-existing replace-range/)
    await target.sql('DELETE FROM t WHERE id = 4')
    await expectRefused(back, await caughtUp(back), /--restart --on-existing replace-range/)
  })

  test('does not take over chunks if the target has lost its table', async () => {
    const one = await stage('slots')
    await ended(streamOf(await caughtUp(one)), one.copy)
    await one.target.sql('DROP TABLE t')
    await expectRefused(one, await caughtUp(one), /^begin again with --restart$/)
    expect((await caughtUp({ ...one, copy: { ...one.copy, restart: true } })).finished).toMatchObject({ exitCode: 0 })
  })
})

type PartitionRun = Extract<Operation, { readonly kind: 'partition-run' }>
const RUN = { kind: 'partition-run', table: 't', by: 'at', calendar: {}, workers: 1, untilCaughtUp: true } as const

describe.skipIf(!POSTGRES_OWN)(`partition run ${POSTGRES_MISSING}`, { timeout: 120_000 }, () => {
  test.each(['in another database', 'beside the old one'])(
    '%s does not take over chunks of an ended stream',
    async (where) => {
      const source = await placeOn('postgresql', server.url())
      const target = where === 'beside the old one' ? source : await placeOn('postgresql', server.url())
      const into = target === source ? 't_partitioned' : 't'
      await source.sql(
        'CREATE TABLE t (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, at date NOT NULL)',
        'CREATE INDEX ON t (at)',
        "INSERT INTO t VALUES (1, '2026-10-01')",
      )
      const more = { untilEqual: false, quiesce: false, restart: false } as const
      const run: PartitionRun = { ...RUN, ...more, from: source.url, to: target.url }
      const one: Stage = { source, target, names: ['t'], copy: copyOf(source, target, 't') }
      const first = await perform(run)
      expect(first.finished, JSON.stringify(first.finished.error)).toMatchObject({ exitCode: 0 })
      await ended(streamOf(first), one.copy)
      await source.sql("INSERT INTO t VALUES (2, '2026-09-01'), (3, '2026-10-02')", 'DELETE FROM t WHERE id = 1')
      await expectRefused(one, await perform(run), new RegExp(`^drop public\\.${into} in the target, .*--restart$`))
      await target.sql(`TRUNCATE ${into}`)
      const anew = await perform({ ...run, restart: true })
      expect(anew.finished, JSON.stringify(anew.finished.error)).toMatchObject({ exitCode: 0, totals: { live: '1' } })
      expect(await target.rows(`SELECT id FROM ${into} ORDER BY id`)).toEqual([['2'], ['3']])
    },
  )
})
