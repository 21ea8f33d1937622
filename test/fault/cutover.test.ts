/**
 * A replicated table takes over the public name while users write by it, is reverted, and cut over again; killed at any
 * step, the same command completes it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import type { Event } from '../../src/model/run/event.ts'
import { perform } from '../support/copy-systems.ts'
import {
  cutoverOf,
  cutoverStage,
  PARKED,
  PUBLIC,
  startBooker,
  startObserver,
  switched,
  turnOf,
  TWIN,
  type Booker,
  type CutoverStage,
} from '../support/cutover-stage.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { of, startCopy, untilFrozen } from './copy-kit.ts'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Waits until so many more statements are committed. */
async function more(booker: Booker, statements: number): Promise<void> {
  const seen = booker.committed()
  while (booker.committed() < seen + statements) await sleep(10)
}

/** Kinds of the tables under the three names: `r` plain, `p` partitioned. */
async function kinds({ place }: CutoverStage): Promise<Readonly<Record<string, string | null>>> {
  const rows = await place.rows(`SELECT relname, relkind FROM pg_class WHERE relkind IN ('r', 'p')`)
  const found = new Map(rows.map(([name, kind]) => [name, kind ?? null]))
  return { public: found.get(PUBLIC) ?? null, parked: found.get(PARKED) ?? null, twin: found.get(TWIN) ?? null }
}

const FORWARD = { public: 'p', parked: 'r', twin: null }
const BACK = { public: 'r', parked: null, twin: 'p' }

async function rowsOf({ place }: CutoverStage, name: string): Promise<readonly (string | null)[]> {
  return (await place.rows(`SELECT t::text FROM ${quoted(name)} t ORDER BY 1`)).map(([row]) => row ?? null)
}

/** The id of the active stream. */
async function streamOf({ place }: CutoverStage): Promise<string> {
  const rows = await place.rows(`SELECT stream_id FROM migration_streams WHERE status = 'active'`)
  expect(rows).toHaveLength(1)
  return rows[0]?.[0] ?? ''
}

/** Both tables have the same rows, each booking once, and nothing is left of ended streams. */
async function expectEqual(stage: CutoverStage, other: string, ids: ReadonlySet<string>): Promise<void> {
  const stream = await streamOf(stage)
  const { finished } = await perform({
    kind: 'follow',
    stream,
    to: stage.place.url,
    end: false,
    untilCaughtUp: true,
    untilEqual: false,
  })
  expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
  expect(await rowsOf(stage, other)).toEqual(await rowsOf(stage, PUBLIC))
  for (const name of [PUBLIC, other]) {
    const [[all, distinct] = []] = await stage.place.rows(`SELECT count(*), count(DISTINCT id) FROM ${quoted(name)}`)
    expect(all, name).toBe(distinct)
    const there = new Set((await stage.place.rows(`SELECT id::text FROM ${quoted(name)}`)).map(([id]) => id ?? ''))
    expect(
      [...ids].filter((id) => !there.has(id)),
      name,
    ).toEqual([])
  }
  const slots = await stage.place.rows(
    'SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()',
  )
  expect(slots).toEqual([[`sluice_${stream}`]])
  expect(await stage.place.rows('SELECT pubname::text FROM pg_publication')).toEqual([[`sluice_${stream}`]])
}

async function statuses({ place }: CutoverStage): Promise<readonly (string | null)[]> {
  return (await place.rows('SELECT status FROM migration_switches ORDER BY turn')).map(([status]) => status ?? null)
}

/** Tables with a trigger that guards them, by name. */
async function guards({ place }: CutoverStage): Promise<readonly (readonly (string | null)[])[]> {
  return await place.rows(
    `SELECT c.relname::text FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid WHERE g.tgname ~ 'sluice' ORDER BY 1`,
  )
}

function gate(events: readonly Event[], name: string): string | undefined {
  return of(events, 'cutover.gate').findLast((one) => one.name === name)?.state
}

describe.skipIf(!POSTGRES_OWN)(`a cutover ${POSTGRES_MISSING}`, () => {
  test('works, is reverted and repeated while users write by the public name', { timeout: 240_000 }, async () => {
    const stage = await cutoverStage(server, 2000)
    for (const [turn, revert] of [false, true, false].entries()) {
      const booker = startBooker(stage.place.url, 3 + turn)
      const observer = startObserver(stage.place.url, 2000)
      await more(booker, 50)
      const { finished, events } = turn === 0 ? await switched(stage) : await perform(turnOf(stage, revert))
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
      expect(await kinds(stage)).toEqual(revert ? BACK : FORWARD)
      await more(booker, 50)
      const ids = await booker.stop()
      expect(await observer.stop()).toBeGreaterThan(0)
      const [reported] = of(events, 'cutover.switched')
      expect(reported).toMatchObject({ table: `public.${PUBLIC}`, revert, stream: await streamOf(stage) })
      expect(reported?.pauseMs).toBeLessThan(2000)
      expect(finished.proof).toMatch(/^\d+ rows equal as of /)
      await expectEqual(stage, revert ? TWIN : PARKED, ids)
    }
    expect(await statuses(stage)).toEqual(['done', 'done', 'done'])
    // The same direction again: nothing changes, and it reports this.
    const before = await stage.place.rows('SELECT count(*) FROM migration_streams')
    const again = await perform(turnOf(stage, false))
    expect(again.finished).toMatchObject({ exitCode: 0, totals: { switched: '0' } })
    expect(of(again.events, 'cutover.step').map(({ step }) => step)).toEqual(['done before'])
    expect(await stage.place.rows('SELECT count(*) FROM migration_streams')).toEqual(before)
    // Only its stream may change rows of the old table.
    await expect(stage.place.sql(`DELETE FROM ${quoted(PARKED)}`)).rejects.toThrow(/is the old table/)
    await expect(
      stage.place.sql(`SET session_replication_role TO replica; DELETE FROM ${quoted(PARKED)}`),
    ).rejects.toThrow(/is the old table/)
  })

  const KILLS: readonly (readonly [string, Parameters<typeof startCopy>[1]])[] = [
    ['when the way back is being created', { killedBy: { type: 'follow.started', times: 1 } }],
    ['while everybody waits', { killedBy: { type: 'cutover.step', times: 1 } }],
    ['behind the commit', { killedBy: { type: 'cutover.step', times: 2 } }],
    ['before the slot of the stream before is removed', { killedBy: { type: 'cutover.switched', times: 1 } }],
    ['before the way back is followed', { killedBy: { type: 'cutover.step', times: 3 } }],
    ['when the way back is followed', { killedBy: { type: 'follow.started', times: 2 } }],
  ]

  // Every other state in CI; all of them with SLUICE_TEST_ALL.
  const some = KILLS.filter((_, at) => ALL || at % 2 === 0)
  test.each([...some])(
    'killed %s, it ends in the same state after the same command',
    { timeout: 120_000 },
    async (_, options) => {
      const stage = await cutoverStage(server, 600)
      const booker = startBooker(stage.place.url, 11, 2)
      const child = startCopy(cutoverOf(stage), options)
      expect((await child.ended).signal).toBe('SIGKILL')
      await more(booker, 20)
      const { finished } = await switched(stage)
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
      expect(await kinds(stage)).toEqual(FORWARD)
      await expectEqual(stage, PARKED, await booker.stop())
      expect(await statuses(stage)).toEqual(['done'])
    },
  )

  test('killed after the commit, the program of the reverse stream completes it', { timeout: 120_000 }, async () => {
    const stage = await cutoverStage(server, 400)
    const child = startCopy(cutoverOf(stage), { killedBy: { type: 'cutover.switched', times: 1 } })
    expect((await child.ended).signal).toBe('SIGKILL')
    expect(await statuses(stage)).toEqual(['switched'])
    await expectEqual(stage, PARKED, new Set())
    expect(await statuses(stage)).toEqual(['done'])
    // No copy began the reverse stream.
    const { place } = stage
    await place.sql(`ALTER TABLE ${quoted(PARKED)} DROP COLUMN qty`)
    const asked = { kind: 'follow', to: place.url, end: false, untilCaughtUp: true, untilEqual: false } as const
    const { finished } = await perform({ ...asked, stream: await streamOf(stage) })
    expect(finished.error?.hint).toMatch(
      /--columns, --rename are options of copy, which the stream of a cutover does not/,
    )
    const reverse = await streamOf(stage)
    await place.sql(`SELECT pg_drop_replication_slot('sluice_${reverse}')`)
    const { finished: lost } = await perform({ ...asked, stream: reverse })
    expect([lost.error?.code, lost.error?.hint]).toEqual([
      'SLOT_LOST',
      `no command begins the stream of a cutover again: end it with sluice follow ${reverse} --end; the old table keeps the rows that it has, and no cutover leads back to it`,
    ])
  })

  test('a frozen program blocks others no longer than allowed, and tries again', { timeout: 120_000 }, async () => {
    const stage = await cutoverStage(server, 400)
    const booker = startBooker(stage.place.url, 31, 2)
    const child = startCopy(cutoverOf(stage, { budgetMs: 800 }), { frozenBy: { type: 'cutover.step', times: 1 } })
    await child.until('cutover.step')
    await untilFrozen(child)
    const since = performance.now()
    await more(booker, 30)
    expect(booker.longestMs()).toBeLessThan(1700)
    await sleep(Math.max(0, 3000 - (performance.now() - since)))
    child.process.kill('SIGCONT')
    const { finished, events } = await child.ended
    expect(finished, JSON.stringify(finished?.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
    const [first] = of(events, 'cutover.step').filter(({ step }) => step === 'released')
    expect(first?.detail).toMatch(
      /^(the catch-up of the stream|an idle session of this program) took longer than --pause-budget 800 ms/,
    )
    const [reported] = of(events, 'cutover.switched')
    expect(reported?.pauseMs).toBeGreaterThanOrEqual(800)
    expect(reported?.pauseMs).toBeLessThan(1700)
    await expectEqual(stage, PARKED, await booker.stop())
  })

  test('of two operators one cuts over, the other is refused or finds it done', { timeout: 120_000 }, async () => {
    const stage = await cutoverStage(server, 600)
    const booker = startBooker(stage.place.url, 21, 2)
    const both = await Promise.all([1, 2].map(() => startCopy(cutoverOf(stage)).ended))
    const ends = both.map(({ finished }) => finished?.error?.code ?? finished?.totals['switched'])
    expect(ends).toContain('1')
    for (const end of ends) expect(['1', '0', 'LEDGER_BUSY']).toContain(end)
    expect(await kinds(stage)).toEqual(FORWARD)
    await expectEqual(stage, PARKED, await booker.stop())
    expect(await statuses(stage)).toEqual(['done'])
  })

  test('over the time limit nothing changes, and writers continue', { timeout: 120_000 }, async () => {
    const stage = await cutoverStage(server, 600)
    const reader = new pg.Client({ connectionString: stage.place.url })
    reader.on('error', () => undefined)
    await reader.connect()
    // A reader with an open transaction.
    await reader.query(`BEGIN; SELECT count(*) FROM ${quoted(PUBLIC)}`)
    const booker = startBooker(stage.place.url, 5, 2)
    const late = await switched(stage, { budgetMs: 400, triesForMs: 12_000 })
    expect(late.finished).toMatchObject({ exitCode: 75, status: 'stopped' })
    expect(late.finished.error?.message).toMatch(/cutover check lock: other sessions lock the table/)
    expect(gate(late.events, 'lock')).toBe('waiting')
    expect(of(late.events, 'cutover.step').filter(({ step }) => step === 'released').length).toBeGreaterThan(1)
    expect(await kinds(stage)).toEqual({ public: 'r', parked: null, twin: 'p' })
    expect(await statuses(stage)).toEqual(['given up'])
    expect(await guards(stage)).toEqual([])
    expect(booker.longestMs()).toBeLessThan(2000)
    await reader.query('COMMIT')
    await reader.end()
    const { finished } = await switched(stage)
    expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0 })
    await expectEqual(stage, PARKED, await booker.stop())
  })

  test(
    'writes to the new table, and new or dropped partitions, between comparison and lock are noticed',
    { timeout: 120_000 },
    async () => {
      const stage = await cutoverStage(server, 400)
      const reader = new pg.Client({ connectionString: stage.place.url })
      reader.on('error', () => undefined)
      await reader.connect()
      /**
       * Everything is compared, and only the lock is not available: executes the statements, and then the lock becomes
       * available.
       */
      const meanwhile = async (...statements: string[]): Promise<Awaited<ReturnType<typeof startCopy>['ended']>> => {
        await reader.query(`BEGIN; SELECT count(*) FROM ${quoted(PUBLIC)}`)
        const child = startCopy(cutoverOf(stage))
        while (gate(child.events, 'lock') !== 'waiting') {
          await Promise.race([sleep(20), child.ended.then(() => Promise.reject(new Error('it has ended')))])
        }
        await stage.place.sql(...statements)
        await reader.query('COMMIT')
        return await child.ended
      }
      const part = `${quoted(TWIN)} DETACH PARTITION "q1 25"`
      const gone = await meanwhile(`ALTER TABLE ${part}`)
      expect(gone.finished).toMatchObject({
        exitCode: 6,
        error: { code: 'NOT_SWITCHABLE', message: expect.stringContaining('q1 25') as string },
      })
      expect(await kinds(stage)).toEqual({ public: 'r', parked: null, twin: 'p' })
      await stage.place.sql(
        `ALTER TABLE ${quoted(TWIN)} ATTACH PARTITION "q1 25" FOR VALUES FROM ('2025-01-01') TO ('2025-04-01')`,
      )
      const strange = await meanwhile(
        `CREATE TABLE "stran'ge" (LIKE ${quoted(TWIN)} INCLUDING ALL EXCLUDING IDENTITY)`,
        `INSERT INTO "stran'ge" (id, created_at) VALUES (-1, '2031-05-05')`,
        `ALTER TABLE ${quoted(TWIN)} ATTACH PARTITION "stran'ge" FOR VALUES FROM ('2031-01-01') TO ('2032-01-01')`,
      )
      await reader.end()
      expect(strange.finished, JSON.stringify(strange.finished?.error)).toMatchObject({
        exitCode: 0,
        totals: { switched: '1' },
      })
      expect(of(strange.events, 'cutover.step').map(({ detail }) => detail)).toContainEqual(
        "partition public.stran'ge is new: all rows are compared once more",
      )
      await expectEqual(stage, PARKED, new Set())
      expect(await guards(stage)).toEqual([[PARKED]])
    },
  )

  test('a slot of the way back that was lost between two tries is made again', { timeout: 120_000 }, async () => {
    const stage = await cutoverStage(server, 400)
    const reader = new pg.Client({ connectionString: stage.place.url })
    await reader.connect()
    await reader.query(`BEGIN; LOCK TABLE ${quoted(PUBLIC)} IN ACCESS SHARE MODE`)
    const child = startCopy(cutoverOf(stage))
    while (gate(child.events, 'lock') !== 'waiting') {
      await Promise.race([sleep(20), child.ended.then(() => Promise.reject(new Error('it has ended')))])
    }
    const [[id] = []] = await stage.place.rows('SELECT switch_id FROM migration_switches')
    await stage.place.rows(`SELECT pg_drop_replication_slot('sluice_${id}')`)
    await reader.end()
    const { finished } = await child.ended
    expect(finished, JSON.stringify(finished?.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
    const back = await perform(turnOf(stage, true))
    expect(back.finished, JSON.stringify(back.finished.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
  })

  test('leftovers of a killed run are removed by a next one that cannot cut over', { timeout: 120_000 }, async () => {
    const stage = await cutoverStage(server, 400)
    const child = startCopy(cutoverOf(stage), { killedBy: { type: 'follow.proved', times: 1 } })
    expect((await child.ended).signal).toBe('SIGKILL')
    expect(await statuses(stage)).toEqual(['preparing'])
    expect((await guards(stage)).length).toBeGreaterThan(1)
    const left = await switched(stage, { unsigned: false })
    expect(left.finished).toMatchObject({ exitCode: 1, error: { code: 'NOT_SIGNED' } })
    expect([await statuses(stage), await guards(stage)]).toEqual([['given up'], []])
    await stage.place.sql(`UPDATE ${quoted(TWIN)} SET qty = -7 WHERE id = 7`)
  })

  test('a stream that a cutover has ended names the stream that continues', { timeout: 120_000 }, async () => {
    const stage = await cutoverStage(server, 400)
    for (const revert of [false, true]) {
      const { finished } = revert ? await perform(turnOf(stage, true)) : await switched(stage)
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
    }
    const { stream, place } = stage
    const newest = await streamOf(stage)
    expect(newest).not.toBe(stream)
    const ended = {
      message: expect.stringMatching(new RegExp(`^stream ${stream} has ended: its tables were exchanged on 2`)),
    }
    const signed = await perform({ kind: 'sign-off', stream, to: place.url, tables: [] })
    expect(signed.finished.error).toMatchObject({
      ...ended,
      hint: expect.stringContaining(`sluice sign-off ${newest}`),
    })
    const asked = { kind: 'follow', stream, to: place.url, end: false, untilCaughtUp: true, untilEqual: false } as const
    const followed = await perform(asked)
    expect(followed.finished.error).toMatchObject({
      ...ended,
      hint: expect.stringContaining(`sluice follow ${newest}`),
    })
    const own = await perform({ kind: 'sign-off', stream: newest, to: place.url, tables: [] })
    expect(own.finished.error?.code).not.toBe('STREAM_HALTED')
  })

  test('failed cutover checks change nothing, and report what to do', { timeout: 120_000 }, async () => {
    const stage = await cutoverStage(server, 400)
    const left = await stage.place.rows('SELECT slot_name FROM pg_replication_slots ORDER BY 1')
    const unsigned = await switched(stage, { unsigned: false })
    expect(unsigned.finished).toMatchObject({ exitCode: 1, error: { code: 'NOT_SIGNED' } })
    expect(gate(unsigned.events, 'sign-off')).toBe('refused')
    const back = await perform(turnOf(stage, true))
    expect(back.finished).toMatchObject({ exitCode: 2, error: { code: 'BAD_FLAG' } })
    const { confirm: _confirm, ...silent } = cutoverOf(stage)
    expect((await perform(silent)).finished).toMatchObject({ exitCode: 2, error: { code: 'MISSING_CONFIRM' } })
    const dry = await perform({ ...silent, dryRun: true })
    expect(dry.finished, JSON.stringify(dry.finished.error)).toMatchObject({ exitCode: 0, totals: { refused: '0' } })
    expect(of(dry.events, 'cutover.finding').map(({ verdict }) => verdict)).toContain('made')
    await stage.place.sql(`CREATE TABLE ${quoted(PARKED)} (id int)`)
    expect((await switched(stage)).finished).toMatchObject({ exitCode: 6, error: { code: 'NOT_SWITCHABLE' } })
    await stage.place.sql(`DROP TABLE ${quoted(PARKED)}`)
    expect(await kinds(stage)).toEqual({ public: 'r', parked: null, twin: 'p' })
    expect(await stage.place.rows('SELECT slot_name FROM pg_replication_slots ORDER BY 1')).toEqual(left)
  })

  test('the newest sign-off is valid, and one from before the table was copied again is not', async () => {
    const stage = await cutoverStage(server, 400)
    const { stream, place } = stage
    const signing = async (): Promise<string | undefined> =>
      (await perform({ kind: 'sign-off', stream, to: place.url, tables: [] })).finished.error?.code
    const signOffNow = async (): Promise<string> => {
      const { events } = await perform({ ...cutoverOf(stage, { unsigned: false }), dryRun: true })
      const last = of(events, 'cutover.gate').findLast(({ name }) => name === 'sign-off')
      return `${last?.state}: ${last?.detail}`
    }
    expect(await signing()).toBeUndefined()
    expect(await signOffNow()).toMatch(/^ok: given by /)
    await place.sql(
      `SET session_replication_role TO replica; UPDATE ${quoted(TWIN)} SET qty = -1 WHERE id IN (SELECT id FROM ${quoted(TWIN)} LIMIT 5)`,
    )
    expect(await signing()).toBe('DIFFERENCES')
    expect(await signOffNow()).toMatch(/^refused: the newest sign-off was refused at 2\d{3}-/)
    const follow = {
      kind: 'follow',
      stream,
      to: place.url,
      end: false,
      untilCaughtUp: true,
      untilEqual: false,
    } as const
    expect((await perform({ ...follow, untilCaughtUp: false, untilEqual: true })).finished.error).toBeUndefined()
    expect(await signing()).toBeUndefined()
    expect(await signOffNow()).toMatch(/^ok: given by /)
    const again = await perform({ ...follow, resync: [`public.${PUBLIC}`] })
    expect(again.finished.error).toBeUndefined()
    expect(await signOffNow()).toMatch(/^refused: the table was copied again after the newest sign-off, given at 2/)
  }, 120_000)

  test(
    'rows that another session changed in the new table are repaired before it takes over',
    { timeout: 120_000 },
    async () => {
      const stage = await cutoverStage(server, 400)
      await stage.place.sql(
        `SET session_replication_role TO replica; UPDATE ${quoted(TWIN)} SET qty = -1 WHERE id IN (SELECT id FROM ${quoted(TWIN)} LIMIT 5); DELETE FROM ${quoted(TWIN)} WHERE id = 77`,
      )
      const { finished, events } = await switched(stage)
      expect(finished, JSON.stringify(finished.error)).toMatchObject({ exitCode: 0, totals: { switched: '1' } })
      expect(of(events, 'follow.proved').some(({ differing }) => differing !== '0')).toBe(true)
      await expectEqual(stage, PARKED, new Set())
    },
  )
})
