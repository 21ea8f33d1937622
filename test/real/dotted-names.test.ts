/**
 * Two tables whose names differ only in the part to which a dot belongs, `s."x.t"` and `"s.x".t`, are two tables. A table
 * with `*` or `?` in its name is named by it, and by its name in double quotes.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { isCalled, quotedTable, tableText } from '../../src/model/copy/column-type.ts'
import { isNamed } from '../../src/partition/decommission/old-table-switch.ts'
import { makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

const [IN_NAME, IN_SCHEMA] = ['s."x.t"', '"s.x".t'] as const
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-dots-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function ran(...words: readonly string[]): Promise<Ran> {
  const { request } = await parseCommandLine(words, {})
  if (request.kind !== 'operation') throw new Error(`${words.join(' ')} starts nothing`)
  return perform(request.operation)
}

async function both(system: 'postgresql' | 'duckdb'): Promise<Place> {
  const place = await makePlace(system, folder)
  for (const [schema, table, who, days] of [
    ['s', IN_NAME, 'name', 801],
    ['"s.x"', IN_SCHEMA, 'schema', 800],
  ] as const)
    await place.sql(
      `DROP SCHEMA IF EXISTS ${schema} CASCADE`,
      `CREATE SCHEMA ${schema}`,
      `CREATE TABLE ${table} (id BIGINT PRIMARY KEY, moment TIMESTAMPTZ NOT NULL, who TEXT)`,
      `INSERT INTO ${table} SELECT i, TIMESTAMPTZ '2023-01-01 12:00:00+00' + i * INTERVAL '1 day', '${who}' FROM generate_series(0, ${days - 1}) g(i)`,
    )
  return place
}

test.each([
  [IN_NAME, 's.x.t'],
  [IN_SCHEMA, IN_SCHEMA],
  ['"a.b"."c"".d"', '"a.b".c".d'],
])('the text of %s is %s', (sql, text) => {
  expect(tableText(quotedTable(sql) ?? { name: '' })).toBe(text)
})

test('a name in double quotes means the table, with and without its schema', () => {
  const table = { schema: "o'dd S", name: 'Ereig.nisse' }
  for (const name of [tableText(table), `"o'dd S"."Ereig.nisse"`, '"Ereig.nisse"', 'Ereig.nisse'])
    expect(isCalled(table, name), name).toBe(true)
  expect(isCalled(table, '"nisse"')).toBe(false)
  expect(isNamed(tableText({ schema: 'public', name: 'bookings' }), '"public"."bookings"')).toBe(true)
  expect(isNamed(tableText({ schema: 'public', name: 'bookings' }), '"bookings"')).toBe(true)
  expect(isNamed(tableText({ schema: 'public', name: 'bookings' }), '"other"."bookings"')).toBe(false)
})

describe.each(['postgresql', 'duckdb'] as const)('%s', { timeout: 90_000 }, (system) => {
  test('a copy of both copies both', async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const [from, to] = [await both(system), await makePlace('sqlite', folder)]
    for (const [table, into] of [
      [IN_NAME, 'one'],
      [IN_SCHEMA, 'two'],
    ] as const)
      expect(
        (await ran('copy', '--from', from.url, '--to', to.url, '--table', table, '--to-table', into)).finished.exitCode,
      ).toBe(0)
    expect(await to.rows('SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two)')).toEqual([['801', '800']])
    const plan = await ran(
      'copy',
      '--from',
      from.url,
      '--to',
      to.url,
      '--table',
      IN_NAME,
      '--table',
      IN_SCHEMA,
      '--dry-run',
    )
    expect(JSON.stringify(plan.events)).toContain('"s.x.t"')
    expect(JSON.stringify(plan.events)).toContain(JSON.stringify(IN_SCHEMA))
  })
})

test('the archive of one is not that of the other', { timeout: 90_000 }, async ({ skip }) => {
  const why = await missing('postgresql')
  skip(why !== '', `needs postgresql: ${why}`)
  const { url, rows } = await both('postgresql')
  const to = mkdtempSync(join(folder, 'archive-'))
  const archive = (table: string): Promise<Ran> =>
    ran(
      'archive',
      'run',
      '--from',
      url,
      '--table',
      table,
      '--by',
      'moment',
      '--calendar',
      'year',
      '--to',
      to,
      '--partition',
      '2023',
      '--grace',
      '0s',
    )
  expect((await archive(IN_NAME)).finished).toMatchObject({ exitCode: 0 })
  const asked = await ran('query', IN_SCHEMA, 'select 1 from "t"', '--from', url)
  expect(JSON.stringify([asked.finished, asked.events])).toMatch(/no archive/)
  expect((await archive(IN_SCHEMA)).finished).toMatchObject({ exitCode: 0 })
  expect(await rows('SELECT schema_name, table_name, archive FROM migration_archives ORDER BY 1')).toEqual([
    ['s', 'x.t', expect.stringMatching(/\/s\.x\.t$/)],
    ['s.x', 't', expect.stringMatching(/\/[^/]*22s\.x[^/]*$/)],
  ])
  const confirm = `--confirm=${IN_SCHEMA}`
  expect((await ran('archive', 'run', '--from', url, '--table', IN_SCHEMA, '--drop', confirm)).finished.exitCode).toBe(
    0,
  )
  expect(await rows(`SELECT (SELECT count(*) FROM ${IN_NAME}), (SELECT count(*) FROM ${IN_SCHEMA})`)).toEqual([
    ['801', '435'],
  ])
})

describe.each(['sqlite', 'postgresql', 'mysql'] as const)('%s', { timeout: 90_000 }, (system) => {
  test('a table with * or ? in its name is archived and dropped from alone', async ({ skip }) => {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
    const place = await makePlace(system, folder)
    const quote = system === 'mysql' ? '`' : '"'
    for (const name of ['a*b', 'a-b', 'c?', 'cd'])
      await place.sql(
        `CREATE TABLE ${quote}${name}${quote} (id INTEGER PRIMARY KEY, day DATE NOT NULL)`,
        `INSERT INTO ${quote}${name}${quote} VALUES (1, '2023-05-01'), (2, '2024-05-01'), (3, '2025-05-01')`,
      )
    const of = ['--from', place.url, '--by', 'day', '--calendar', 'year', '--grace', '0s']
    const to = ['--to', mkdtempSync(join(folder, 'archive-'))]
    const archive = (table: string, year: string, ...more: readonly string[]): Promise<Ran> =>
      ran('archive', 'run', ...of, ...to, '--table', table, '--partition', year, ...more)
    const left = async (): Promise<readonly string[]> =>
      await Promise.all(
        ['a*b', 'a-b', 'c?', 'cd'].map(async (name) =>
          String(await place.rows(`SELECT id FROM ${quote}${name}${quote} ORDER BY id`)),
        ),
      )
    for (const [table, year] of [
      ['a*b', '2023'],
      ['"a*b"', '2024'],
      ['c?', '2023'],
    ] as const)
      expect((await archive(table, year, '--drop', `--confirm=${table}`)).finished).toMatchObject({ exitCode: 0 })
    expect(await left()).toEqual(['3', '1,2,3', '2,3', '1,2,3'])
    // A pattern, though only one table matches it.
    expect((await archive('a-*', '2023', '--drop', '--confirm=a-*')).finished.error).toMatchObject({
      code: 'BAD_FLAG',
      message: '--drop requires one table, by its name',
    })
    const plan = ['archive', 'plan', ...of, ...to, '--table', 'a-b', '--table', 'cd', '--drop']
    expect((await ran(...plan)).finished.error?.code).toBe('BAD_FLAG')
    const hold = ['archive', 'hold', '--from', place.url, '--table', 'a*b', '--partition', '2023', '--reason', 'audit']
    expect((await ran(...hold)).finished.exitCode).toBe(0)
    expect(await left()).toEqual(['3', '1,2,3', '2,3', '1,2,3'])
  })
})
