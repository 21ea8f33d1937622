/**
 * Generated columns of followed tables: a change of an expression halts the stream, a plain column of the target gets
 * the values, and a sign-off compares them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Interrupter } from '../../src/shared/abort.ts'
import { perform, type Ran } from '../support/copy-systems.ts'
import { twoCutover } from '../support/two-stage.ts'
import { caughtUp, stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

// Streams on a busy machine need more time.
vi.setConfig({ testTimeout: 120_000 })

let server: PostgresServer
beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
})

const table = (vat: string): string =>
  `CREATE TABLE ge (id int PRIMARY KEY, net numeric(10,2), vat numeric(10,2)${vat})`
const STORED = ' GENERATED ALWAYS AS (round(net * 0.19, 2)) STORED'
const OTHER = ' GENERATED ALWAYS AS (round(net * 0.16, 2)) STORED'
const ROWS = 'INSERT INTO ge (id, net) SELECT i, i FROM generate_series(1, 100) i'
const SEVEN = 'ALTER TABLE ge ALTER vat SET EXPRESSION AS (round(net * 0.07, 2))'
const SUM = 'SELECT sum(vat) FROM ge'

/** @param vat definition in the target; null if the copy makes the table */
async function stageWith(source: string, vat: string | null): Promise<Stage> {
  const stage = await stageOf(server, [table(source), ROWS], ['ge'])
  if (vat !== null) await stage.target.sql(table(vat))
  return stage
}

const textOf = ({ finished, events }: Ran): string =>
  JSON.stringify([finished, events.filter(({ type }) => type === 'table.finished' || type === 'plan.ready')])

function streamOf({ events }: Ran): string {
  const started = events.find((event) => event.type === 'follow.started')
  if (started?.type !== 'follow.started') throw new Error('no stream began')
  return started.stream
}

const signOff = (stage: Stage, stream: string): Promise<Ran> =>
  perform({ kind: 'sign-off', stream, from: stage.source.url, to: stage.target.url, tables: [] })

async function expectSameSums({ source, target }: Stage): Promise<void> {
  expect(await target.rows(SUM)).toEqual(await source.rows(SUM))
}

describe.skipIf(!POSTGRES_OWN)(`generated columns of followed tables ${POSTGRES_MISSING}`, () => {
  test('another expression of the source halts the stream, is refused by the next run and a sign-off, and --resync resolves it', async ({
    skip,
  }) => {
    skip((await server.major()) < 17, 'no SET EXPRESSION before PostgreSQL 17')
    const stage = await stageWith(STORED, null)
    const begun = await caughtUp(stage)
    expect(begun.finished.exitCode, textOf(begun)).toBe(0)
    await expectSameSums(stage)
    const stream = streamOf(begun)
    const interrupt = new Interrupter()
    let follows = false
    const following = perform(stage.copy, {
      interrupt,
      onEvent: ({ type }) => (follows ||= type === 'follow.progress'),
    })
    while (!follows) await sleep(20)
    await stage.source.sql(SEVEN, 'UPDATE ge SET net = net + 1 WHERE id <= 4')
    const ended = await Promise.race([following, sleep(40_000)])
    interrupt.requestStop()
    await following
    expect(ended?.finished.error, 'the stream went on').toMatchObject({ code: expect.stringMatching(/HALTED|CHANGED/) })
    expect(textOf(ended!)).toContain('column vat was computed from round((net * 0.19), 2)')
    for (const ran of [await caughtUp(stage), await signOff(stage, stream)]) {
      expect(ran.finished.exitCode).not.toBe(0)
      expect(textOf(ran)).toMatch(/vat (?:was computed from|is computed from another)/)
    }
    await stage.target.sql(SEVEN)
    const resynced = await perform({ ...stage.copy, follow: { until: 'caught-up', resync: ['ge'] } })
    expect(resynced.finished.exitCode, textOf(resynced)).toBe(0)
    await expectSameSums(stage)
    const signed = await signOff(stage, stream)
    expect(signed.finished.exitCode, textOf(signed)).toBe(0)
  })

  test('another expression of the target is refused by the plan, and later by a sign-off', async ({ skip }) => {
    const other = await caughtUp(await stageWith(STORED, OTHER))
    expect(textOf(other)).toContain('ge.vat is computed from another expression in the target')
    skip((await server.major()) < 17, 'no SET EXPRESSION before PostgreSQL 17')
    const stage = await stageWith(STORED, STORED)
    const stream = streamOf(await caughtUp(stage))
    await stage.target.sql(SEVEN)
    const ran = await signOff(stage, stream)
    expect(ran.finished.exitCode).not.toBe(0)
    expect(textOf(ran)).toContain('is computed from another expression')
    const refused = await perform(twoCutover({ ...stage, stream, addressFile: '', hook: '' }, { dryRun: true }))
    expect(refused.finished.error?.hint).toMatch(
      /--columns is an option of the command that began the stream: give it to sluice copy --follow --from \S+ --tables ge\b/,
    )
  })

  test('a sign-off names a column that the target computed once, and that the stream does not write', async () => {
    const stage = await stageWith(STORED, null)
    const begun = await caughtUp(stage)
    expect(begun.finished.exitCode, textOf(begun)).toBe(0)
    await stage.target.sql('ALTER TABLE ge ALTER vat DROP EXPRESSION')
    await stage.source.sql('UPDATE ge SET net = net + 1 WHERE id <= 4')
    await caughtUp(stage)
    const ran = await signOff(stage, streamOf(begun))
    expect(JSON.stringify(ran.events)).toContain('the source computes vat, and neither the stream nor the target does')
  })

  test('a sign-off refuses rows for which the same expression gives other values', async () => {
    const stage = await stageOf(
      server,
      [
        `CREATE FUNCTION taxed(numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2'`,
        table(' GENERATED ALWAYS AS (taxed(net)) STORED'),
        ROWS,
      ],
      ['ge'],
    )
    await stage.target.sql(
      `CREATE FUNCTION taxed(numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 2'`,
      table(' GENERATED ALWAYS AS (taxed(net)) STORED'),
    )
    const begun = await caughtUp(stage)
    expect(begun.finished.exitCode, textOf(begun)).toBe(0)
    await stage.target.sql(
      `CREATE OR REPLACE FUNCTION taxed(numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT $1 * 3'`,
      'UPDATE ge SET net = net WHERE id <= 4',
    )
    const ran = await signOff(stage, streamOf(begun))
    expect(ran.finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
    const equal = await perform({ ...stage.copy, follow: { until: 'equal' } })
    expect(equal.finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
  })

  test.each(['slot', 'trigger'] as const)('a plain column of the target gets the values, by %s', async (cdc) => {
    const stage = await stageWith(STORED, '')
    const copy = { ...stage.copy, follow: { until: 'caught-up', cdc } } as const
    const begun = await perform(copy)
    if (cdc === 'slot' && (await server.major()) < 18) {
      expect(textOf(begun)).toContain('the generated column vat, which servers before PostgreSQL 18 do not report')
      return
    }
    expect(begun.finished.exitCode, textOf(begun)).toBe(0)
    await expectSameSums(stage)
    await stage.source.sql(
      'UPDATE ge SET net = net + 1 WHERE id <= 4',
      'DELETE FROM ge WHERE id = 9',
      'INSERT INTO ge VALUES (200, 200)',
    )
    expect((await perform(copy)).finished.exitCode).toBe(0)
    expect(await stage.target.rows('SELECT count(*) FROM ge WHERE vat IS NULL')).toEqual([['0']])
    await expectSameSums(stage)
    const signed = await signOff(stage, streamOf(begun))
    expect(signed.finished.exitCode, textOf(signed)).toBe(0)
  })

  test('a sign-off names the column that a stream of an earlier version does not copy', async () => {
    const stage = await stageWith(STORED, '')
    // The stream is begun with the columns that older versions chose.
    const begun = await perform({ ...stage.copy, columns: ['id', 'net'], follow: { until: 'caught-up' } })
    expect(begun.finished.exitCode, textOf(begun)).toBe(0)
    await stage.target.sql(
      `UPDATE migration_streams SET wishes = ((wishes::jsonb) - 'columns')::text WHERE wishes LIKE '%columns%'`,
    )
    const [[options] = []] = await stage.target.rows('SELECT wishes FROM migration_streams')
    expect(options).not.toContain('columns')
    expect((await signOff(stage, streamOf(begun))).finished.exitCode).toBe(0)
    const [[document] = []] = await stage.target.rows('SELECT document FROM migration_sign_offs')
    expect(JSON.parse(document ?? '')).toMatchObject({
      verdict: 'given',
      leftBehind: [{ kind: 'generated column', names: ['vat'], means: expect.stringContaining('not copied') }],
    })
  })

  test('with a slot only, a plain column for a VIRTUAL one is refused by name', async ({ skip }) => {
    skip((await server.major()) < 18, 'no VIRTUAL before PostgreSQL 18')
    const stage = await stageWith(STORED.replace('STORED', 'VIRTUAL'), '')
    const ran = await caughtUp(stage)
    expect(ran.finished.exitCode).not.toBe(0)
    expect(textOf(ran)).toContain('the generated column vat, which a stream does not report, because it is not stored')
    const noted = await perform({ ...stage.copy, follow: { until: 'caught-up', cdc: 'trigger' } })
    expect(noted.finished.exitCode, textOf(noted)).toBe(0)
    await expectSameSums(stage)
  })
})
