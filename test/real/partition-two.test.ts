/**
 * `partition plan` from one database to another: `partition run` does what it accepts, and refuses by the same names
 * what it refuses.
 */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { perform, placeOn, type Place, type Ran } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import type { LifecyclePhaseEvent } from '../../src/model/partition/lifecycle-events.ts'
import { of } from '../fault/copy-kit.ts'
import { retire } from './decommission-database-kit.ts'

/** Binaries of an older version, if the machine has them. */
const OLDER = '/usr/lib/postgresql/15/bin'

let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

type Pair = { readonly old: Place; readonly fresh: Place }

async function pair(on: PostgresServer, columns: string, ...before: readonly string[]): Promise<Pair> {
  const [old, fresh] = [await placeOn('postgresql', on.url()), await placeOn('postgresql', server.url())]
  await old.sql(
    ...before,
    `CREATE TABLE b (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, ${columns})`,
    `INSERT INTO b (at) SELECT now() - i * interval '9 hours' FROM generate_series(1, 400) i`,
    'CREATE INDEX ON b (at)',
    'ANALYZE b',
  )
  return { old, fresh }
}

const options = { table: 'b', by: 'at', calendar: {} } as const

function plan({ old, fresh }: Pair): Promise<Ran> {
  return perform({ kind: 'partition-plan', from: old.url, to: fresh.url, ...options, lanes: 1, exact: false })
}

function run({ old, fresh }: Pair, restart = false): Promise<Ran> {
  const more = { workers: 2, untilCaughtUp: true, untilEqual: false, quiesce: false, restart } as const
  const operation: Extract<Operation, { kind: 'partition-run' }> = { kind: 'partition-run', from: old.url, to: fresh.url, ...options, ...more } // prettier-ignore
  return perform(operation)
}

async function status({ old, fresh }: Pair): Promise<readonly LifecyclePhaseEvent[]> {
  const words = { table: '', into: '', stream: '' }
  const wanted = { ahead: 1, olderThan: '8q', archive: '/archive', oldTableGraceMs: 0 }
  const ends = { from: 0, ...(old === fresh ? {} : { to: 1 }) }
  const entry = { table: 'b', by: 'at', calendar: {}, ...ends, ...wanted, words }
  const databases = [old.url, fresh.url]
  const { events } = await perform({ kind: 'lifecycle-status', tables: ['b'], entries: [entry], databases })
  return of(events, 'lifecycle.phase')
}

function refusals({ events }: Ran): readonly string[] {
  return of(events, 'partition.finding').flatMap(({ verdict, about, object }) =>
    verdict === 'refused' ? [`${about} ${object ?? ''}`] : [],
  )
}

describe.skipIf(!POSTGRES_OWN)(`a plan from one database to another ${POSTGRES_MISSING}`, () => {
  test('prints the statements that create the new table there', { timeout: 120_000 }, async () => {
    const both = await pair(server, 'n numeric(10, 2) DEFAULT 1, s serial')
    const planned = await plan(both)
    expect([planned.finished.exitCode, refusals(planned)]).toEqual([0, []])
    const ownSequence = {
      verdict: 'made',
      about: 'sequence',
      detail: expect.stringContaining('gets its own sequence of this name'),
    }
    expect(of(planned.events, 'partition.finding')).toContainEqual(expect.objectContaining(ownSequence))
    const statements = of(planned.events, 'partition.sql').map(({ sql }) => sql)
    expect(statements.find((one) => one.startsWith('CREATE TABLE'))).toMatch(/^CREATE TABLE "public"\."b" \(/)
    await both.fresh.sql(...statements)
    // The table may be created by hand or by the run.
    const again = await plan(both)
    expect([again.finished.exitCode, refusals(again), of(again.events, 'partition.sql')]).toEqual([0, [], []])
    expect(of(again.events, 'partition.finding')).toContainEqual(expect.objectContaining(ownSequence))
    expect((await run(both)).finished).toMatchObject({ exitCode: 0 })
    expect(await both.fresh.rows('SELECT count(*) FROM b')).toEqual([['400']])
    const owners = `SELECT count(*) FROM pg_depend WHERE objid = 'b_s_seq'::regclass AND deptype = 'a'`
    expect(await both.fresh.rows(owners)).toEqual([['0']])
  })

  test('names each type that is missing there, as the run does', { timeout: 120_000 }, async () => {
    const types = [
      `CREATE TYPE "Sort of" AS ENUM ('zeta', '', 'alpha')`,
      'CREATE DOMAIN pos AS bigint CHECK (VALUE <> 0)',
      'CREATE SCHEMA app',
      'CREATE TYPE app.pair AS (a int, b text)',
    ]
    const both = await pair(server, 's "Sort of", many "Sort of"[], p pos, c app.pair', ...types)
    const planned = await plan(both)
    expect(planned.finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_REFUSED', reason: 'type' } })
    expect(refusals(planned)).toEqual([
      'type public."Sort of"',
      'type public."Sort of"[]',
      'type public.pos',
      'type app.pair',
    ])
    const refused = await run(both)
    expect(refused.finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_REFUSED', reason: 'type' } })
    expect(await both.fresh.rows(`SELECT count(*) FROM pg_class WHERE relname = 'b'`)).toEqual([['0']])
    await both.fresh.sql(...types)
    const passed = await plan(both)
    expect([passed.finished.exitCode, refusals(passed)]).toEqual([0, []])
    expect((await run(both)).finished).toMatchObject({ exitCode: 0 })
  })

  test('names a function that is missing there, as the run does', { timeout: 120_000 }, async () => {
    const made = `CREATE FUNCTION next_no() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'`
    const both = await pair(server, 'n int DEFAULT next_no()', made)
    const planned = await plan(both)
    expect([planned.finished.exitCode, refusals(planned)]).toEqual([1, ['new table public.b']])
    expect((await run(both)).finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_REFUSED' } })
    await both.fresh.sql(made)
    expect((await plan(both)).finished).toMatchObject({ exitCode: 0 })
    expect((await run(both)).finished).toMatchObject({ exitCode: 0 })
  })

  test('names all missing objects at once', { timeout: 120_000 }, async () => {
    const all = [
      "CREATE TYPE mood AS ENUM ('a')",
      "CREATE FUNCTION next_no() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
      `CREATE COLLATION mine (locale = 'C')`,
    ]
    const both = await pair(
      server,
      'n int DEFAULT next_no(), m mood, t text COLLATE mine, x int DEFAULT next_no() + 1',
      ...all,
    )
    const planned = await plan(both)
    const reasons = of(planned.events, 'partition.finding').flatMap(({ verdict, detail }) => (verdict === 'refused' ? [detail] : [])) // prettier-ignore
    expect(reasons).toEqual([
      expect.stringContaining('has no type of that name'),
      expect.stringMatching(/column n: function public\.next_no\(\) does not exist$/),
      expect.stringMatching(/column t: collation "public\.mine" .*does not exist$/),
      expect.stringMatching(/column x: function public\.next_no\(\) does not exist$/),
    ])
    await both.fresh.sql(...all)
    expect((await plan(both)).finished).toMatchObject({ exitCode: 0 })
  })

  test(
    'reports why a server older than PostgreSQL 18 refuses a VIRTUAL column',
    { timeout: 120_000 },
    async (context) => {
      context.skip((await server.major()) < 18 || !existsSync(OLDER), 'needs PostgreSQL 18, and an older one')
      await using older = await startPostgres({ binFolder: OLDER })
      const columns =
        'v int GENERATED ALWAYS AS (1 + 1) VIRTUAL, w int GENERATED ALWAYS AS (2 + 2) VIRTUAL, s int GENERATED ALWAYS AS (3) STORED'
      const both = { ...(await pair(server, columns)), fresh: await placeOn('postgresql', older.url()) }
      const planned = await plan(both)
      const found = of(planned.events, 'partition.finding').filter(({ verdict }) => verdict === 'refused')
      expect(found.map(({ detail }) => detail)).toEqual(
        ['v', 'w'].map((name) => expect.stringMatching(new RegExp(`column ${name} is generated as VIRTUAL, which PostgreSQL has since version 18$`)) as string), // prettier-ignore
      )
      for (const { hint } of found) expect(hint).toContain('make the column STORED in the old table first')
    },
  )

  test('leaves a foreign key to a missing table with the old table', { timeout: 120_000 }, async () => {
    const both = await pair(server, 'g int REFERENCES guests', 'CREATE TABLE guests (id int PRIMARY KEY)')
    const planned = await plan(both)
    expect([planned.finished.exitCode, refusals(planned)]).toEqual([0, []])
    const key = of(planned.events, 'partition.finding').find(({ about }) => about === 'foreign key from it')
    expect(key).toMatchObject({ verdict: 'changes', object: 'b_g_fkey' })
    expect(key?.detail).toMatch(/stays with the old table, .*"public\.guests" does not exist/)
    const statements = of(planned.events, 'partition.sql').map(({ sql }) => sql)
    expect(statements.filter((one) => one.includes('b_g_fkey'))).toEqual([])
    const ran = await run(both)
    expect(ran.finished).toMatchObject({ exitCode: 0 })
    const reported = of(ran.events, 'log').map(({ message, hint = '' }) => `${message} ${hint}`)
    expect(reported.filter((one) => one.includes('b_g_fkey'))).toEqual([
      expect.stringMatching(/stays with the old table/),
    ])
  })

  test('refuses a source whose changes cannot be followed, as the run does', { timeout: 120_000 }, async () => {
    await using deaf = await startPostgres({})
    const both = await pair(deaf, 'n int')
    const planned = await plan(both)
    expect(planned.finished).toMatchObject({ exitCode: 1, error: { code: 'PARTITION_REFUSED', reason: 'following' } })
    expect((await run(both)).finished).toMatchObject({ error: { code: 'NOT_FOLLOWABLE' } })
    // Within one database there is a way without following.
    const alone = await plan({ ...both, fresh: both.old })
    expect([alone.finished.exitCode, refusals(alone)]).toEqual([0, []])
    expect(of(alone.events, 'partition.finding').find(({ about }) => about === 'following')).toMatchObject({
      verdict: 'changes',
    })
  })

  test('refuses a name that another table has there, as the run does', { timeout: 120_000 }, async () => {
    const both = await pair(server, 'n int')
    await both.fresh.sql('CREATE TABLE b (id int)')
    for (const one of [await plan(both), await run(both)])
      expect(one.finished).toMatchObject({ error: { code: 'TABLE_REFUSED' } })
  })

  test.each(['in another database', 'beside the old one'])(
    'status reports of the copy %s that it has partitions',
    { timeout: 240_000 },
    async (where) => {
      const made = await pair(server, 'n int')
      const isElsewhere = where === 'in another database'
      const both = isElsewhere ? made : { ...made, fresh: made.old }
      expect((await run(both)).finished).toMatchObject({ exitCode: 0 })
      const [, , coming, archiving] = await status(both)
      const name = isElsewhere ? String.raw`public\.b of postgresql:\S+` : String.raw`public\.b_partitioned`
      expect(coming?.state).toBe('not begun')
      expect(coming?.detail).toMatch(
        new RegExp(`^${name} has \\d+ partitions, there up to .*; partition ensure keeps them`),
      )
      expect(Number(coming?.partitions)).toBeGreaterThan(2)
      expect(archiving?.detail).toMatch(new RegExp(`^nothing is archived; partitions of ${name} are archived once`))
    },
  )

  test.each(['in another database', 'beside the old one'])(
    'a move to a table %s that was given up after a cutover back begins again',
    { timeout: 240_000 },
    async (where) => {
      const made = await pair(server, 'n int')
      const isElsewhere = where === 'in another database'
      const both = isElsewhere ? made : { ...made, fresh: made.old }
      const { old, fresh } = both
      const copy = isElsewhere ? 'b' : 'b_partitioned'
      const [from, to] = [old.url, fresh.url]
      const newest = async (place: Place): Promise<string> =>
        (await place.rows('SELECT max(stream_id::bigint) FROM migration_streams'))[0]?.[0] ?? ''
      const cutover = (stream: string, revert: boolean): Promise<Ran> =>
        perform(
          { kind: 'cutover', stream, from, to, triesForMs: 60_000, unsigned: true, revert, keepSessions: false, stay: false, dryRun: false, confirm: 'b' }, // prettier-ignore
          { commandLine: 'sluice cutover' },
        )
      const follow = (stream: string, end: boolean, ends = { from, to }): Promise<Ran> =>
        perform({ kind: 'follow', stream, ...ends, end, untilCaughtUp: true, untilEqual: false })

      expect((await run(both)).finished).toMatchObject({ exitCode: 0 })
      const first = await newest(fresh)
      expect((await cutover(first, false)).finished.error).toBeUndefined()
      expect((await cutover(first, true)).finished.error).toBeUndefined()
      const last = await newest(fresh)
      expect((await follow(last, true)).finished.error).toBeUndefined()

      const repeated = await cutover(last, true)
      expect(repeated.finished).toMatchObject({ exitCode: 0, totals: { switched: '0' } })
      expect(repeated.finished.resumeCommand).toBeUndefined()
      expect(of(repeated.events, 'log').map(({ message }) => message)).toContain(
        `stream ${last} was ended: it no longer applies changes to the old table`,
      )
      expect((await follow(last, false)).finished.error).toMatchObject({
        code: 'STREAM_HALTED',
        hint: expect.stringMatching(/^a cutover began the stream, .* run partition run, or copy --follow, with --restart$/) as string, // prettier-ignore
      })

      const [left, before] = await status(both)
      expect(left).toMatchObject({ state: 'not begun', next: expect.stringMatching(/^sluice partition run .* --restart$/) as string }) // prettier-ignore
      expect(left?.detail).toContain(
        `its earlier copy public.${copy} is still in the target: if users do not write to it, drop it`,
      )
      expect(left?.also).toBeUndefined()
      expect(before).toMatchObject({ state: 'not begun', detail: expect.stringContaining('no partitioned table yet') as string }) // prettier-ignore
      expect((await run(both)).finished.error).toMatchObject({
        code: 'PLAN_CHANGED',
        hint: `drop public.${copy} in the target, which the run makes again; then begin again with --restart`,
      })
      await expect(fresh.sql(`TRUNCATE ${copy}`)).rejects.toMatchObject({
        hint: expect.stringMatching(/ If the move was given up and the stream was ended, this table can be dropped\.$/) as string, // prettier-ignore
      })
      await fresh.sql(`DROP TABLE ${copy}`)
      expect((await status(both))[0]?.detail).not.toContain('still in the target')
      expect((await run(both, true)).finished).toMatchObject({ exitCode: 0 })
      const second = await newest(fresh)
      const [filled, waiting] = await status(both)
      expect(filled).toMatchObject({ stream: second, state: 'due' })
      expect(waiting).toMatchObject({ state: 'not begun', detail: 'the partitioned table is not signed off yet' })

      expect((await cutover(second, false)).finished.error).toBeUndefined()
      const back = await newest(old)
      const [done, switched] = await status(both)
      expect(done).toMatchObject({ stream: second, state: 'done' })
      expect(switched).toMatchObject({ turn: 1, state: 'due', detail: expect.stringMatching(/^switched /) as string })
      const ends = isElsewhere ? { from: to, to: from } : { from, to }
      expect((await follow(back, true, ends)).finished.error).toBeUndefined()
      if (!isElsewhere) return
      const retired = await perform({ ...retire({ old, to: fresh }), dryRun: true })
      expect(of(retired.events, 'decommission.finding').filter(({ verdict }) => verdict === 'refused')).toEqual([])
      const opposite = await perform({ ...retire({ old: fresh, to: old }), dryRun: true })
      expect(of(opposite.events, 'decommission.finding').filter(({ verdict }) => verdict === 'refused')).toMatchObject([
        { about: 'switch', detail: expect.stringMatching(/^cutover 1 moved its users/) as string },
      ])
    },
  )
})
