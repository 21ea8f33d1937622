/**
 * A SQLite file and D1 accept any value in any column: a value that another program wrote into a target differs like
 * any other, and is repaired and restored as it was stored.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { caughtUp, stageOf, startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { of } from '../fault/copy-kit.ts'

let folder = ''
let server: PostgresServer

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-odd-'))
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await server?.[Symbol.asyncDispose]()
})

/** Each changes one cell of one row. */
const ODD = [
  "UPDATE t SET n = 'x' WHERE id = 1",
  "UPDATE t SET n = x'0102' WHERE id = 2",
  'UPDATE t SET n = 1.5 WHERE id = 3',
  "UPDATE t SET v = x'61' WHERE id = 4",
  // The bytes of a blob as digits are the text of the source.
  "UPDATE t SET v = x'41' WHERE id = 5",
  "UPDATE t SET f = 'abc' WHERE id = 6",
  "UPDATE t SET raw = 'text' WHERE id = 7",
  'UPDATE t SET yes = 2 WHERE id = 8',
  "UPDATE t SET at = 'yesterday' WHERE id = 9",
  "UPDATE t SET d = 'much' WHERE id = 10",
  "UPDATE t SET v = CAST(x'ff00' AS TEXT) WHERE id = 11",
]

const CLASSES =
  'SELECT id, typeof(n), n, typeof(v), hex(v), typeof(f), f, typeof(raw), hex(raw), typeof(yes), yes, typeof(at), at, typeof(d), d FROM t ORDER BY id'

const ids = (events: readonly { readonly key: readonly (string | null)[] }[]): readonly number[] =>
  events.map(({ key }) => Number(key[0])).toSorted((a, b) => a - b)

const EACH = ODD.map((_, i) => i + 1)

async function classes(target: Place): Promise<unknown> {
  return await target.rows(CLASSES)
}

const SYSTEMS = ['sqlite', 'd1'] as const
test.each(SYSTEMS)('%s: diff names such rows, --fix repairs them, --undo restores them as stored', async (system) => {
  if ((await missing(system)) !== '') return
  const source = await makePlace('sqlite', folder)
  const target = await makePlace(system, folder)
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, v TEXT, f REAL, raw BLOB, yes BOOLEAN, at TIMESTAMP, d DECIMAL(10,2))',
    `WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 20)
     INSERT INTO t SELECT i, i, CASE i WHEN 5 THEN '41' ELSE 'v' || i END, i / 4.0, x'00', 1, '2026-01-01 00:00:00', 1.25 FROM i`,
  )
  const copy = copyOf(source, target, 't')
  expect((await perform(copy)).finished.exitCode).toBe(0)
  const right = await classes(target)
  await target.sql(...ODD)
  const odd = await classes(target)
  const diff = { ...copy, kind: 'diff', limit: 100, fix: false } as const
  const found = await perform(diff)
  expect(found.finished).toMatchObject({ exitCode: 1, error: { code: 'DIFFERENCES' } })
  expect(ids(of(found.events, 'difference'))).toEqual(EACH)
  const repaired = await perform({ ...diff, fix: true })
  expect(repaired.finished, JSON.stringify(repaired.finished.error)).toMatchObject({
    exitCode: 0,
    totals: { fixed: '11' },
  })
  expect(await classes(target)).toEqual(right)
  const undone = await perform({
    kind: 'diff-undo',
    runId: repaired.events[0]?.runId ?? '',
    to: target.url,
    tables: [],
  })
  expect(undone.finished, JSON.stringify(undone.finished.error)).toMatchObject({
    exitCode: 0,
    totals: { undone: '11' },
  })
  // A text of invalid bytes is restored as these bytes: a cell does not have their storage class.
  const back = (rows: unknown): string =>
    JSON.stringify(rows).replace(/(\["11","integer","11",)"(?:text|blob)"/, '$1"bytes"')
  expect(back(await classes(target))).toBe(back(odd))
})

describe.skipIf(!POSTGRES_OWN)(`a followed table ${POSTGRES_MISSING}`, () => {
  test('is compared completely, and such rows are repaired', { timeout: 60_000 }, async () => {
    const target = await makePlace('sqlite', folder)
    const tables = [
      'CREATE TABLE t (id int PRIMARY KEY, n int, v text, f float8, raw bytea, yes bool, at timestamp, d numeric(10,2))',
      `INSERT INTO t SELECT i, i, CASE i WHEN 5 THEN '41' ELSE 'v' || i END, i / 4.0, '\\x00', true, '2026-01-01', 1.25 FROM generate_series(1, 20) i`,
    ]
    const one = await stageOf(server, tables, ['t'], 1000, target)
    expect((await caughtUp(one)).finished.exitCode).toBe(0)
    const right = await classes(target)
    await target.sql(...ODD)
    const equal = await perform({ ...one.copy, follow: { until: 'equal' } })
    expect(equal.finished, JSON.stringify(equal.finished.error)).toMatchObject({ exitCode: 0 })
    expect(ids(of(equal.events, 'difference'))).toEqual(EACH)
    expect(await classes(target)).toEqual(right)
    const [[before] = []] = await target.rows('SELECT before_json FROM migration_repairs WHERE row_key = \'["2"]\'')
    expect(before).toContain('{"b":"0102"}')
  })
})
