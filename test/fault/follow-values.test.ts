/** Single values that one of the sides cannot hold, and partitions, in targets of every system. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DiffFollowedOperation } from '../../src/engine/operations/diff-followed/declaration.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Ran } from '../support/copy-systems.ts'
import { caughtUp, stageOf, startFollowServer, type Stage } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

let server: PostgresServer
const folder = temporaryFolder()
const mysqlMissing = await missing('mysql')

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const SYSTEMS = mysqlMissing === '' ? (['sqlite', 'duckdb', 'mysql'] as const) : (['sqlite', 'duckdb'] as const)

async function streamOf({ target }: Stage): Promise<string> {
  const [[stream] = []] = await target.rows('SELECT stream_id FROM migration_streams')
  return stream ?? ''
}

/** Rows by hand. */
async function byHand(one: Stage, scope: DiffFollowedOperation['scope'], table: string): Promise<Ran> {
  const { from, to } = one.copy
  const stream = await streamOf(one)
  return await perform({ kind: 'diff-followed', stream, from, to, scope, table, limit: 100, dryRun: false })
}

async function signedOff(one: Stage, more: { readonly partition?: string } = {}): Promise<Ran> {
  const { from, to } = one.copy
  return await perform({ kind: 'sign-off', stream: await streamOf(one), from, to, tables: [...one.names], ...more })
}

const PARTED = [
  'CREATE TABLE ev (id int, at timestamptz, v int, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
  "CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (MINVALUE) TO ('2026-02-01 00:00:00+00')",
  "CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00')",
  'CREATE TABLE ev_rest PARTITION OF ev DEFAULT',
  "INSERT INTO ev SELECT i, timestamptz '2026-01-30 00:00:00+00' + i * interval '12 hours', i FROM generate_series(0, 99) i",
]

describe.skipIf(!POSTGRES_OWN).each(SYSTEMS)(`into %s ${POSTGRES_MISSING}`, (system) => {
  test('rows of one partition of the source are compared and mended', { timeout: 60_000 }, async () => {
    const one = await stageOf(server, PARTED, ['ev'], 1000, await makePlace(system, folder.path))
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    const signed = await signedOff(one, { partition: 'ev_2' })
    expect(signed.finished, JSON.stringify(signed.finished.error)).toMatchObject({ exitCode: 0 })
    await one.target.sql('UPDATE ev SET v = -1 WHERE id IN (1, 20, 90)')
    for (const [name, fixed] of [
      ['ev_2', '1'],
      ['ev_rest', '1'],
      ['ev_1', '1'],
    ] as const) {
      const { finished } = await byHand(one, { by: 'partition', name }, 'ev')
      expect(finished, `${name} ${JSON.stringify(finished.error)}`).toMatchObject({ exitCode: 0, totals: { fixed } })
    }
    expect(await one.target.rows('SELECT count(*) FROM ev WHERE v < 0')).toEqual([['0']])
  })
})
