/**
 * Columns of a followed table that are dropped, added, renamed or retyped while no program follows it: the next run
 * reports it, and leaves no old values in the target without a report.
 */
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf, makePlace, missing, perform, placeOn, type Place, type Ran } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

const absent = await missing('mysql')

const folder = temporaryFolder()
let server: PostgresServer

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const SOURCES = [
  ['postgresql', 'slot'],
  ['postgresql', 'trigger'],
  ['sqlite', 'trigger'],
  ['mysql', 'trigger'],
] as const

type Pair = { readonly source: Place; readonly target: Place; readonly copy: CopyOperation }

/** A followed table with equal rows on both sides. */
async function followed(
  system: 'postgresql' | 'sqlite' | 'mysql',
  cdc: 'slot' | 'trigger',
  columns?: string[],
): Promise<Pair> {
  const source = system === 'postgresql' ? await placeOn(system, server.url()) : await makePlace(system, folder.path)
  const target = await placeOn('postgresql', server.url())
  await source.sql(
    ...(system === 'sqlite' ? ['PRAGMA journal_mode = WAL'] : []),
    'CREATE TABLE c (id int PRIMARY KEY, v varchar(10), w varchar(10))',
    `INSERT INTO c VALUES (1, 'v', 'w'), (2, 'v', 'w')`,
  )
  // The target has all columns, whichever are followed.
  await target.sql('CREATE TABLE c (id bigint PRIMARY KEY, v text, w text)')
  const copy = copyOf(source, target, 'c', { follow: { cdc }, ...(columns === undefined ? {} : { columns }) })
  const pair = { source, target, copy }
  expect((await caughtUp(pair)).finished.error?.message).toBeUndefined()
  return pair
}

/** A table with a column that both sides compute, followed into the same system, with equal rows. */
async function computed(system: 'postgresql' | 'sqlite' | 'mysql', cdc: 'slot' | 'trigger'): Promise<Pair> {
  const place = (): Promise<Place> =>
    system === 'postgresql' ? placeOn(system, server.url()) : makePlace(system, folder.path)
  const [source, target] = [await place(), await place()]
  for (const side of [source, target])
    await side.sql(
      ...(system === 'sqlite' ? ['PRAGMA journal_mode = WAL'] : []),
      'CREATE TABLE c (id int PRIMARY KEY, w varchar(10), v int GENERATED ALWAYS AS (id * 2) STORED)',
    )
  await source.sql(`INSERT INTO c (id, w) VALUES (1, 'w'), (2, 'w')`)
  const pair = { source, target, copy: copyOf(source, target, 'c', { follow: { cdc } }) }
  expect((await caughtUp(pair)).finished.error?.message).toBeUndefined()
  return pair
}

function caughtUp({ copy }: Pair, more: Partial<CopyOperation['follow']> = {}): Promise<Ran> {
  return perform({ ...copy, follow: { ...copy.follow, ...more, until: 'caught-up' } })
}

describe.skipIf(!POSTGRES_OWN)('a column that changes between two runs of a stream', () => {
  for (const [system, cdc] of SOURCES) {
    describe.skipIf(system === 'mysql' && absent !== '')(`of ${system} by a ${cdc}`, () => {
      const retype = system === 'mysql' ? 'MODIFY COLUMN v varchar(20)' : 'ALTER COLUMN v TYPE varchar(20)'
      test.each([
        ['dropped', 'DROP COLUMN v'],
        ['added', 'ADD COLUMN x int DEFAULT 7'],
        ['renamed', 'RENAME COLUMN v TO x'],
        ...(system === 'sqlite' ? [] : [['retyped', retype]]),
      ])('that is %s halts its table', { timeout: 60_000 }, async (_what, clause) => {
        const pair = await followed(system, cdc)
        // The plan alone refuses a target without a column of that name.
        await pair.target.sql('ALTER TABLE c ADD COLUMN x text')
        await pair.source.sql(`ALTER TABLE c ${clause}`, 'DELETE FROM c WHERE id = 1', 'INSERT INTO c (id) VALUES (1)')
        for (const run of ['the next run', 'the one after it']) {
          const { finished } = await caughtUp(pair)
          expect(finished, run).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
          expect(finished.error?.message).toMatch(/^(?:\w+\.)?c: /)
        }
      })

      test.each([
        ['dropped', 'DROP COLUMN v'],
        ['renamed', 'RENAME COLUMN v TO x'],
      ])('that both sides compute and that is %s halts its table', { timeout: 60_000 }, async (_what, clause) => {
        const pair = await computed(system, cdc)
        await pair.source.sql(`ALTER TABLE c ${clause}`, 'DELETE FROM c WHERE id = 1', 'INSERT INTO c (id) VALUES (1)')
        for (const run of ['the next run', 'the one after it']) {
          const { finished } = await caughtUp(pair)
          expect(finished, run).toMatchObject({ exitCode: 5, error: { code: 'STREAM_HALTED' } })
          expect(finished.error?.message).toMatch(/^(?:\w+\.)?c: /)
        }
      })

      test('that is dropped is left out when its table is copied again', { timeout: 60_000 }, async () => {
        const pair = await followed(system, cdc)
        await pair.source.sql('ALTER TABLE c DROP COLUMN v')
        expect((await caughtUp(pair)).finished).toMatchObject({ exitCode: 5 })
        const resync = [system === 'postgresql' ? 'public.c' : 'c']
        expect((await caughtUp(pair, { resync })).finished).toMatchObject({ exitCode: 0 })
        expect((await caughtUp(pair)).finished).toMatchObject({ exitCode: 0 })
        expect(await pair.target.rows('SELECT id, v, w FROM c ORDER BY id')).toEqual([
          ['1', null, 'w'],
          ['2', null, 'w'],
        ])
      })
    })
  }

  test.each(['slot', 'trigger'] as const)(
    'that a %s stream does not follow may be dropped',
    { timeout: 60_000 },
    async (cdc) => {
      const pair = await followed('postgresql', cdc, ['id', 'w'])
      await pair.source.sql('ALTER TABLE c DROP COLUMN v', `UPDATE c SET w = 'x' WHERE id = 1`)
      expect((await caughtUp(pair)).finished).toMatchObject({ exitCode: 0 })
      expect(await pair.target.rows('SELECT id, w FROM c ORDER BY id')).toEqual([
        ['1', 'x'],
        ['2', 'w'],
      ])
    },
  )

  test.each([['followed'], ['left out']] as const)(
    'that is %s may be dropped on both sides while changes from before wait in the slot',
    { timeout: 60_000 },
    async (what) => {
      const pair = await followed('postgresql', 'slot', what === 'followed' ? undefined : ['id', 'w'])
      await pair.source.sql(`INSERT INTO c VALUES (3, 'w', 'before')`, `UPDATE c SET w = 'before' WHERE id = 1`)
      for (const side of [pair.source, pair.target]) await side.sql('ALTER TABLE c DROP COLUMN v')
      await pair.source.sql(`UPDATE c SET w = 'after' WHERE id = 2`)
      expect((await caughtUp(pair)).finished).toMatchObject({ exitCode: 0 })
      expect(await pair.target.rows('SELECT id, w FROM c ORDER BY id')).toEqual([
        ['1', 'before'],
        ['2', 'after'],
        ['3', 'before'],
      ])
    },
  )

  test.each(['slot', 'trigger'] as const)(
    'of a %s stream may be dropped on both sides',
    { timeout: 60_000 },
    async (cdc) => {
      const pair = await followed('postgresql', cdc)
      for (const side of [pair.source, pair.target]) await side.sql('ALTER TABLE c DROP COLUMN v')
      await pair.source.sql(`UPDATE c SET w = 'x' WHERE id = 1`)
      expect((await caughtUp(pair)).finished).toMatchObject({ exitCode: 0 })
    },
  )
})

describe.skipIf(!POSTGRES_OWN)('a table that is altered after its plan and before its slot', () => {
  test.each([
    ['a column is added', 'ADD COLUMN x int DEFAULT 7', 'id,v,w,x'],
    ['a column has another type', 'ALTER COLUMN v TYPE varchar(20)', 'id,v,w'],
  ])('%s: the run is refused, leaves no slot, and the next one plans it anew', { timeout: 60_000 }, async (...one) => {
    const [, clause, names] = one
    const [source, target] = [await placeOn('postgresql', server.url()), await placeOn('postgresql', server.url())]
    await source.sql('CREATE TABLE c (id int PRIMARY KEY, v varchar(10), w text)', `INSERT INTO c VALUES (1, 'v', 'w')`)
    const copy = copyOf(source, target, 'c', { follow: { until: 'caught-up' } })
    // The server creates a slot once this transaction has ended.
    const open = new pg.Client(source.url)
    await open.connect()
    await open.query('BEGIN; SELECT pg_current_xact_id()')
    let altered: Promise<unknown> | undefined
    const { finished } = await perform(copy, {
      onEvent: (event) => {
        if (event.type !== 'log' || !event.message.startsWith('the slot is created when')) return
        altered ??= source.sql(`ALTER TABLE c ${clause}`).then(async () => await open.query('COMMIT'))
      },
    })
    await altered
    await open.end()
    expect(finished.error).toMatchObject({
      code: 'NOT_FOLLOWABLE',
      message: 'public.c was altered while its stream was created',
    })
    const database = 'database = current_database()'
    expect(await source.rows(`SELECT count(*) FROM pg_replication_slots WHERE ${database}`)).toEqual([['0']])
    expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
    const columns = `SELECT string_agg(column_name, ',' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'c'`
    expect(await target.rows(columns)).toEqual([[names]])
    expect(await target.rows('SELECT c::text FROM c')).toEqual(await source.rows('SELECT c::text FROM c'))
  })
})
