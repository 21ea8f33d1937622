/** The plan refuses what a target cannot hold, as the run would: what a dry run accepts, succeeds. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const wide = (more: number): string => Array.from({ length: more }, (_, i) => `c${i} smallint`).join(', ')

async function places(from: System, to: System, skip: (is: boolean, why: string) => void): Promise<[Place, Place]> {
  for (const system of [from, to]) {
    const why = await missing(system)
    skip(why !== '', why)
  }
  return [await makePlace(from, folder.path), await makePlace(to, folder.path)]
}

const REFUSED: readonly (readonly [System, System, name: string, columns: string, message: RegExp, code?: string])[] = [
  ['postgresql', 'postgresql', 't', '', /t has no columns with values to copy/],
  ['postgresql', 'sqlite', 't', '', /t has no columns with values to copy/],
  ['postgresql', 'mysql', 't', 'k jsonb PRIMARY KEY', /cannot have the key k, which is json/, 'UNSUPPORTED_KEY'],
  ['postgresql', 'mysql', 't', 'k int[] PRIMARY KEY', /cannot have the key k, which is json/, 'UNSUPPORTED_KEY'],
  ['postgresql', 'mysql', 't', 'k int PRIMARY KEY, "a😀" text', /not accept a column named "a😀"/],
  ['postgresql', 'mysql', 't😀', 'k int PRIMARY KEY', /not accept a table named "t😀"/],
  ['postgresql', 'mysql', 't', `k int PRIMARY KEY, ${wide(1500)}`, /not accept a table of 1501 columns/],
  ['postgresql', 'mysql', 't', 'k int PRIMARY KEY, "a " text', /not accept a column named "a "/],
  ['postgresql', 'sqlite', 'sqlite_sequence', 'k int PRIMARY KEY', /begin with sqlite_ belong/],
  ['postgresql', 'd1', 'sqlite_sequence', 'k int PRIMARY KEY', /begin with sqlite_ belong/],
  ['postgresql', 'd1', 't', `k int PRIMARY KEY, ${wide(100)}`, /has 101 columns/],
  ['sqlite', 'postgresql', 't', 'k int PRIMARY KEY, "" text', /not accept a column named ""/],
  ['sqlite', 'mysql', 't', 'k int PRIMARY KEY, "" text', /not accept a column named ""/],
  ['sqlite', 'duckdb', 't', 'k int PRIMARY KEY, "" text', /not accept a column named ""/],
  ['sqlite', 'postgresql', 't', `k int PRIMARY KEY, ${wide(1600)}`, /not accept a table of 1601 columns/],
]

describe('a dry run refuses what a run refuses', () => {
  test.for(REFUSED)(
    '%s to %s: %s, %s',
    { timeout: 60_000 },
    async ([from, to, name, columns, message, code = 'TABLE_REFUSED'], { skip }) => {
      const [source, target] = await places(from, to, skip)
      await source.sql(`CREATE TABLE "${name}" (${columns})`)
      const copy = copyOf(source, target, name)
      for (const dryRun of [true, false]) {
        const { finished } = await perform({ ...copy, dryRun })
        expect(finished.error).toMatchObject({ code, message: expect.stringMatching(message) })
      }
    },
  )

  test('an integer key that holds texts', async () => {
    const [source, target] = [await makePlace('sqlite', folder.path), await makePlace('sqlite', folder.path)]
    await source.sql('CREATE TABLE t (k INTEGER PRIMARY KEY DESC)', `INSERT INTO t VALUES (1), ('xx')`)
    for (const dryRun of [true, false]) {
      const { finished } = await perform({ ...copyOf(source, target, 't'), dryRun })
      expect(finished.error).toMatchObject({ code: 'VALUE_REFUSED', message: 'a key of t is not a whole number: xx' })
    }
  })

  /** The server empties such a table when it starts after a crash; chunks that the ledger has would be gone. */
  test.for([
    ['postgresql', 'CREATE UNLOGGED TABLE t (k int PRIMARY KEY)'],
    ['postgresql', 'CREATE TABLE t (k int PRIMARY KEY) PARTITION BY RANGE (k)', 'CREATE TABLE a PARTITION OF t FOR VALUES FROM (0) TO (2)', 'CREATE UNLOGGED TABLE b PARTITION OF t FOR VALUES FROM (2) TO (9)'], // prettier-ignore
    ['mysql', 'CREATE TABLE t (k int PRIMARY KEY) ENGINE = MEMORY'],
  ] as const)('a table that a crash of the server empties: %s, %s', async ([to, ...made], { skip }) => {
    const [source, target] = await places('sqlite', to, skip)
    await source.sql('CREATE TABLE t (k INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1), (2)')
    await target.sql(...made)
    for (const dryRun of [true, false]) {
      const { finished } = await perform({ ...copyOf(source, target, 't'), dryRun })
      expect(finished.error).toMatchObject({
        code: 'TABLE_REFUSED',
        message: expect.stringMatching(/^rows cannot be copied into this table: .* is (?:UNLOGGED|a table of MEMORY)$/),
      })
    }
    expect(await target.rows('SELECT count(*) FROM t')).toEqual([['0']])
  })
})

describe('a dry run refuses a database file whose folder is missing, as the run does', () => {
  const lake = join(import.meta.dirname, '../../fixtures/lake')
  const missingFolder = (): string => join(folder.path, 'missing', 'folder')

  test.for(['sqlite', 'duckdb'] as const)('%s as a target', async (system) => {
    const source = await makePlace('sqlite', folder.path)
    await source.sql('CREATE TABLE t (k INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1)')
    const copy = copyOf(source, { url: `${system}:///${missingFolder()}/x.db` }, 't')
    const [plan, real] = [await perform({ ...copy, dryRun: true }), await perform(copy)]
    expect(plan.finished).toMatchObject({ exitCode: 4, error: { code: 'CONNECT_FAILED' } })
    expect(plan.finished.error).toEqual(real.finished.error)
    expect(existsSync(missingFolder())).toBe(false)
  })

  test.for(['sqlite', 'duckdb'] as const)('%s as a catalog', async (system) => {
    const catalog = `${system}:///${missingFolder()}/x.db`
    const how = { catalog, batchSize: 1000, waitMs: 0, resume: false, verbose: false }
    const one = { ...how, kind: 'import', table: join(lake, 'sales/orders'), allowRefused: false } as const
    const all = { ...how, kind: 'batch-import', path: lake, recursive: true, exclude: [], parallel: 2 } as const
    for (const operation of [one, all]) {
      const [plan, real] = [
        await perform({ ...operation, dryRun: true }),
        await perform({ ...operation, dryRun: false }),
      ]
      expect(plan.finished, operation.kind).toMatchObject({ exitCode: 4, error: { code: 'CONNECT_FAILED' } })
      expect(plan.finished.error).toEqual(real.finished.error)
      expect(existsSync(missingFolder())).toBe(false)
    }
  })
})

describe('cases near the limits are accepted', () => {
  test.for(['postgresql', 'sqlite', 'duckdb'] as const)(
    '1,200 columns to %s',
    { timeout: 120_000 },
    async (to, { skip }) => {
      const [source, target] = await places('postgresql', to, skip)
      await source.sql(
        `CREATE TABLE t (k int PRIMARY KEY, ${wide(1200)})`,
        'INSERT INTO t (k, c7) VALUES (1, 2), (3, 4)',
      )
      const { finished } = await perform(copyOf(source, target, 't'))
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: '2' } })
      expect(await target.rows('SELECT k, c7 FROM t ORDER BY k')).toEqual([['1', '2'], ['3', '4']]) // prettier-ignore
    },
  )

  test('names of any characters', async ({ skip }) => {
    for (const to of ['postgresql', 'mysql', 'duckdb', 'sqlite'] as const) {
      const [source, target] = await places('sqlite', to, skip)
      await source.sql(`CREATE TABLE "t\n'" (k int PRIMARY KEY, "a\nb" text)`, `INSERT INTO "t\n'" VALUES (1, 'x')`)
      expect((await perform(copyOf(source, target, "t\n'"))).finished.exitCode, to).toBe(0)
    }
  })
})

test.for(['sqlite', 'duckdb', 'postgresql', 'mysql', 'd1'] as const)(
  'the plan counts as many chunks as the run makes: %s',
  { timeout: 120_000 },
  async (from, { skip }) => {
    const [source, target] = await places(from, 'sqlite', skip)
    const rows = (some: readonly number[], row: (i: number) => string): string => some.map(row).join(', ')
    const few = Array.from({ length: 40 }, (_, i) => i + 1)
    await source.sql(
      'CREATE TABLE holes (k INTEGER PRIMARY KEY)',
      `INSERT INTO holes VALUES ${rows(few, (i) => `(${i + Math.trunc(i / 4)})`)}`,
      'CREATE TABLE sparse (k INTEGER PRIMARY KEY)',
      `INSERT INTO sparse VALUES ${rows(few, (i) => `(${i * 100})`)}`,
      'CREATE TABLE named (k VARCHAR(9) PRIMARY KEY)',
      `INSERT INTO named VALUES ${rows(few, (i) => `('k${i}')`)}`,
      'CREATE TABLE pairs (a INTEGER, b INTEGER, PRIMARY KEY (a, b))',
      `INSERT INTO pairs VALUES ${rows(few.slice(3), (i) => `(${i % 3}, ${i})`)}`,
      'CREATE TABLE bare (a INTEGER)',
      `INSERT INTO bare VALUES ${rows(few.slice(0, 9), (i) => `(${i})`)}`,
      'CREATE TABLE empty (k INTEGER PRIMARY KEY)',
    )
    for (const name of ['holes', 'sparse', 'named', 'pairs', 'bare', 'empty']) {
      const { events, finished } = await perform(copyOf(source, target, name, { chunkRows: 10 }))
      const planned = events.flatMap((event) => (event.type === 'plan.ready' ? [event.chunks] : []))
      expect(planned, name).toEqual([finished.totals['chunks']])
    }
  },
)
