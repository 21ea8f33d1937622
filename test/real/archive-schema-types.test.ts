/**
 * Columns of an archived table that get another type, values that a column of the archive cannot store, and kills
 * during a run.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startArchiver } from '../fault/archive-kit.ts'
import { commandsOf, makeBookings, TABLE, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const [OLD, NEW] = ['2020-Q1', '2020-Q2'] as const

type Commit = { readonly metaData?: { readonly schemaString: string } }
type Fields = { readonly fields: readonly { readonly name: string; readonly type: string }[] }

async function made(system: System, form: Form, folder: string) {
  const bookings = await makeBookings(await makePlace(system, folder), form, mkdtempSync(join(folder, 'to-')), 60)
  const { place, to } = bookings
  const commands = commandsOf(bookings)
  const only = (label: string, more: object = {}): Operation & { kind: 'archive' } => ({
    ...(commands.run as Operation & { kind: 'archive' }),
    partitions: [label],
    ...more,
  })
  return {
    place,
    only,
    root: () => join(to, readdirSync(to)[0] ?? ''),
    ended: async (operation: Operation): Promise<string> => {
      const { finished } = await perform(operation)
      return finished.error === undefined ? 'ok' : `${finished.error.code}: ${finished.error.message}`
    },
    asked: async (query: string): Promise<readonly (readonly unknown[])[]> => {
      const ran = await perform({ ...commands.query, query } as Operation)
      expect(ran.finished).toMatchObject({ exitCode: 0 })
      return ran.events.flatMap((event) => (event.type === 'row' ? [event.values.map(String)] : []))
    },
    restore: { ...commands.restore, partitions: [OLD] } as Operation & { kind: 'restore' },
    verify: { ...commands.verify, deep: true } as Operation,
    fields: (): readonly string[] => {
      const log = join(to, readdirSync(to)[0] ?? '', '_delta_log')
      const lines = readdirSync(log)
        .filter((name) => /^\d{20}\.json$/.test(name))
        .toSorted()
        .flatMap((name) => readFileSync(join(log, name), 'utf8').trim().split('\n'))
      const schemas = lines.flatMap((line) => (JSON.parse(line) as Commit).metaData?.schemaString ?? [])
      return (JSON.parse(schemas.at(-1) ?? '{"fields":[]}') as Fields).fields.map(({ name, type }) => `${name} ${type}`)
    },
  }
}

const retype = ({ system }: Place, column: string, type: string): string =>
  system === 'mysql'
    ? `ALTER TABLE ${TABLE} MODIFY ${column} ${type}`
    : `ALTER TABLE ${TABLE} ALTER COLUMN ${column} TYPE ${type}`

describe.each([
  ['postgresql', 'native'],
  ['postgresql', 'plain'],
  ['mysql', 'plain'],
] as const)('%s, %s', (system, form) => {
  let why = ''
  let folder = ''
  beforeAll(async () => {
    why = await missing(system)
    folder = mkdtempSync(join(tmpdir(), 'sluice-schema-types-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.for(['DETACHED', 'DROPPED'])('a column gets another type: %s', async (state, { skip }) => {
    if (why !== '') skip(why)
    const { place, only, asked, ended, restore, verify, fields } = await made(system, form, folder)
    expect(await ended(only(OLD))).toBe('ok')
    if (state === 'DROPPED') expect(await ended(only(OLD, { drop: true, confirm: TABLE }))).toBe('ok')
    await place.sql(retype(place, 'amount', 'varchar(40)'))
    expect(await ended(only(NEW))).toBe('ok')
    const kept = system === 'mysql' ? 'amount__decimal_12_2' : 'amount__numeric_12_2'
    expect(fields()).toEqual(expect.arrayContaining([`${kept} decimal(12,2)`, 'amount string']))
    // MySQL and PostgreSQL convert decimals to texts themselves: these are older values of the present column.
    expect(await asked(`SELECT count(*), count(amount), sum(CAST(amount AS decimal(12, 2))) FROM ${TABLE}`)).toEqual([
      ['180', '144', '4356.00'],
    ])
    expect(await ended(verify)).toBe('ok')
    expect(await ended(restore)).toMatch(/cannot be restored: amount was (?:numeric|decimal)\(12,2\) and is/)
    expect(await ended({ ...restore, without: ['amount'] })).toBe('ok')
    expect(await asked(`SELECT count(*), count(amount), count(note) FROM ${TABLE}`)).toEqual([
      [
        '180',
        // Its rows never left a plain table, so the database converted their values, too.
        form === 'plain' && state === 'DETACHED' ? '144' : '96',
        '153',
      ],
    ])
    expect(await ended(only(OLD))).toBe('ok')
    expect(await ended(verify)).toBe('ok')
  })

  test.for(['DETACHED', 'DROPPED'])('a wider type accepts older values: %s', async (state, { skip }) => {
    if (why !== '') skip(why)
    const { place, only, asked, ended, restore, verify } = await made(system, form, folder)
    expect(await ended(only(OLD))).toBe('ok')
    if (state === 'DROPPED') expect(await ended(only(OLD, { drop: true, confirm: TABLE }))).toBe('ok')
    await place.sql(retype(place, 'amount', 'numeric(20,4)'))
    expect(await ended(only(NEW))).toBe('ok')
    expect(await ended(verify)).toBe('ok')
    expect(await ended(restore)).toBe('ok')
    expect(await asked(`SELECT count(*), count(amount), sum(amount) FROM ${TABLE}`)).toEqual([
      ['180', '144', '4356.0000'],
    ])
    expect(await ended(verify)).toBe('ok')
  })
})

test('MySQL: a binary column of another length, which the server pads, has another type', async ({ skip }) => {
  const why = await missing('mysql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-schema-types-'))
  const { place, only, asked, ended, restore, fields } = await made('mysql', 'plain', folder)
  await place.sql(`ALTER TABLE ${TABLE} ADD b binary(2)`, `UPDATE ${TABLE} SET b = 'ab'`)
  expect(await ended(only(OLD))).toBe('ok')
  expect(await ended(only(OLD, { drop: true, confirm: TABLE }))).toBe('ok')
  await place.sql(retype(place, 'b', 'binary(4)'))
  expect(
    await asked(`SELECT octet_length(b), octet_length(b__binary_2), count(*) FROM ${TABLE} GROUP BY ALL ORDER BY 3`),
  ).toEqual([
    ['null', '2', '60'],
    ['4', 'null', '120'],
  ])
  expect(await ended({ ...restore, dryRun: true })).toMatch(/cannot be restored: b was binary\(2\) and is binary\(4\)/)
  expect(await ended(restore)).toMatch(/cannot be restored: b was binary\(2\) and is binary\(4\)/)
  await place.sql(retype(place, 'b', 'varbinary(9)'))
  expect(await asked(`SELECT count(b) FROM ${TABLE}`)).toEqual([['180']])
  expect(await ended(only(NEW))).toBe('ok')
  expect(fields().filter((one) => one.startsWith('b'))).toEqual(['b binary'])
  expect(await ended(restore)).toBe('ok')
  expect(await place.rows(`SELECT DISTINCT length(b) FROM ${TABLE} ORDER BY 1`)).toEqual([['2'], ['4']])
  rmSync(folder, { recursive: true, force: true })
})

test('PostgreSQL: a shorter type cuts no blanks of a detached partition', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-schema-types-'))
  const { place, only, ended, restore, verify } = await made('postgresql', 'native', folder)
  await place.sql(
    `ALTER TABLE ${TABLE} ADD COLUMN code varchar(50)`,
    `UPDATE ${TABLE} SET code = CASE id % 2 WHEN 0 THEN 'abc' || repeat(' ', 17) ELSE 'short' END`,
  )
  expect(await ended(only(OLD))).toBe('ok')
  await place.sql(`ALTER TABLE ${TABLE} ALTER COLUMN code TYPE varchar(10) USING rtrim(code)`)
  expect(await ended(restore)).toMatch(/VALUE_REFUSED: 30 values of column code of .* do not fit .*varying\(10\)/)
  await place.sql(`ALTER TABLE ${TABLE} ALTER COLUMN code TYPE varchar(20)`)
  expect(await ended(restore)).toBe('ok')
  const lengths = `SELECT DISTINCT length(code) FROM ${TABLE} WHERE at < '2020-04-01' ORDER BY 1`
  expect(await place.rows(lengths)).toEqual([['5'], ['20']])
  expect(await ended(verify)).toBe('ok')
  rmSync(folder, { recursive: true, force: true })
})

describe('values that a column of the archive cannot store', () => {
  let folder = ''
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-schema-values-'))))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('PostgreSQL: if nothing is published, the column is stored as text from the beginning', async ({ skip }) => {
    const why = await missing('postgresql')
    if (why !== '') skip(why)
    const { place, only, asked, ended, fields, verify, restore } = await made('postgresql', 'native', folder)
    await place.sql(`ALTER TABLE ${TABLE} ADD COLUMN until date DEFAULT 'infinity'`)
    const refused = await perform(only(OLD))
    expect(refused.finished.error?.message).toContain('until')
    expect(refused.finished.error?.hint).toContain('--as-text until')
    expect(await ended(only(OLD, { asText: ['until'] }))).toBe('ok')
    expect(fields()).toContain('until string')
    expect(await ended(only(NEW))).toBe('ok')
    expect(fields()).toHaveLength(6)
    expect(await asked(`SELECT count(*) FROM ${TABLE} WHERE until = 'infinity'`)).toEqual([['180']])
    expect(await ended(verify)).toBe('ok')
    expect(await ended(restore)).toBe('ok')
  })

  test('PostgreSQL: a plan with all values names those that a run would refuse', async ({ skip }) => {
    const why = await missing('postgresql')
    if (why !== '') skip(why)
    const { place, only, ended } = await made('postgresql', 'native', folder)
    await place.sql(
      `ALTER TABLE ${TABLE} ADD COLUMN until date, ADD COLUMN since timestamptz`,
      `UPDATE ${TABLE} SET until = '-infinity', since = '0044-03-15 BC', amount = 'NaN' WHERE id IN (1, 2)`,
      `UPDATE ${TABLE} SET until = '9999-12-31', since = '0001-01-01 00:00:00+00', amount = -9999999999.99 WHERE id = 3`,
      `UPDATE ${TABLE} SET until = '10000-01-01' WHERE id = 4`,
      `UPDATE ${TABLE} SET until = 'infinity' WHERE id > 100000`,
    )
    const plan = only(OLD, { dryRun: true, exact: true })
    const { events } = await perform(plan)
    const warned = events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event.message] : []))
    expect(warned.map((message) => message.replace(/ that .*/, ''))).toEqual([
      `a run would be refused: ${OLD} has 2 values in amount`,
      `a run would be refused: ${OLD} has 3 values in until`,
      `a run would be refused: ${OLD} has 2 values in since`,
    ])
    expect(await ended(only(OLD))).toContain('VALUE_REFUSED')
    const asText = ['amount', 'until', 'since']
    expect((await perform({ ...plan, asText })).events.some((one) => one.type === 'log' && one.level === 'warn')).toBe(
      false,
    )
    expect(await ended(only(OLD, { asText }))).toBe('ok')
  })

  test('PostgreSQL: if something is published, the text is a new column', async ({ skip }) => {
    const why = await missing('postgresql')
    if (why !== '') skip(why)
    const { place, only, asked, ended, fields, verify } = await made('postgresql', 'native', folder)
    await place.sql(`ALTER TABLE ${TABLE} ADD COLUMN until date DEFAULT '2020-05-05'`)
    expect(await ended(only(OLD))).toBe('ok')
    await place.sql(`UPDATE ${TABLE} SET until = 'infinity'`)
    expect(await ended(only(NEW))).toMatch(/until/)
    expect(await ended(only(NEW, { asText: ['until'] }))).toBe('ok')
    expect(fields()).toEqual(expect.arrayContaining(['until__date date', 'until string']))
    expect(await asked(`SELECT until, count(*) FROM ${TABLE} GROUP BY ALL ORDER BY ALL`)).toEqual([
      ['2020-05-05', '60'],
      ['infinity', '120'],
    ])
    expect(await ended(only(NEW))).toBe('ok')
    expect(await ended(verify)).toBe('ok')
  })
})

test('PostgreSQL: columns change while a partition is detached and not proved yet', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-schema-away-'))
  const { place, only, asked, ended, verify, restore } = await made('postgresql', 'native', folder)
  const killed = await startArchiver(only(OLD), { at: 'state DETACHED', when: 'before' }).ended
  expect(killed.signal).toBe('SIGKILL')
  const state = "SELECT state FROM migration_archive_partitions WHERE partition_name = '2020-Q1'"
  expect(await place.rows(state)).toEqual([['DETACHING']])
  await place.sql(
    `ALTER TABLE ${TABLE} RENAME COLUMN note TO remark`,
    `ALTER TABLE ${TABLE} DROP COLUMN amount`,
    `ALTER TABLE ${TABLE} ADD COLUMN extra integer DEFAULT 4`,
  )
  const counts = `SELECT count(*), count(remark), count(extra) FROM ${TABLE}`
  expect(await asked(counts)).toEqual([['180', '153', '120']])
  expect(await ended(only(OLD))).toBe('ok')
  expect(await place.rows(state)).toEqual([['DETACHED']])
  expect(await asked(counts)).toEqual([['180', '153', '120']])
  expect(await ended(verify)).toBe('ok')
  expect(await ended({ ...restore, without: ['amount'] })).toBe('ok')
  expect(await asked(counts)).toEqual([['180', '153', '180']])
  rmSync(folder, { recursive: true, force: true })
})

test('PostgreSQL: a ledger of version 4 keeps the columns of its partitions, and needs --renamed', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-schema-old-'))
  const { place, only, asked, ended, verify, restore } = await made('postgresql', 'native', folder)
  expect(await ended(only(OLD, { detach: true }))).toBe('ok')
  expect(await ended(only(OLD, { drop: true, confirm: TABLE }))).toBe('ok')
  await place.sql(
    'ALTER TABLE migration_archive_partitions DROP COLUMN stored',
    "UPDATE migration_archives SET stored = (stored::jsonb - 'numbersOf')::text",
    'UPDATE migration_archive_ledger SET version = 4',
    `ALTER TABLE ${TABLE} RENAME COLUMN note TO remark`,
  )
  expect(await ended(verify)).toBe('ok')
  expect(await ended(only(NEW))).toContain('PLAN_CHANGED')
  expect(await ended(only(NEW, { renamed: ['note=remark'] }))).toBe('ok')
  // From now on the ledger knows the column numbers.
  await place.sql(`ALTER TABLE ${TABLE} RENAME COLUMN remark TO word`)
  expect(await ended(verify)).toBe('ok')
  expect(await asked(`SELECT count(*), count(word) FROM ${TABLE}`)).toEqual([['180', '153']])
  expect(await ended(restore)).toBe('ok')
  expect(await asked(`SELECT count(*), count(word) FROM ${TABLE}`)).toEqual([['180', '153']])
  rmSync(folder, { recursive: true, force: true })
})

test.for([
  ['the head is stored', 'INSERT INTO migration_archive_heads', 'after'],
  ['the columns are noted', 'UPDATE migration_archives SET stored', 'before'],
  ['the columns are noted', 'UPDATE migration_archives SET stored', 'after'],
  ['the commit is put', 'link', 'before'],
  ['the commit is put', 'link', 'after'],
] as const)('SQLite: killed when %s (%s, %s): the next run ends correctly', async ([, at, when]) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-schema-kill-'))
  const { place, only, asked, ended, fields, verify, restore } = await made('sqlite', 'plain', folder)
  expect(await ended(only(OLD))).toBe('ok')
  await place.sql(`ALTER TABLE ${TABLE} DROP COLUMN note`)
  await place.sql(`ALTER TABLE ${TABLE} ADD COLUMN extra INTEGER DEFAULT 3`)
  const run = only(NEW, { dropped: ['note'] })
  const killed = await startArchiver(run, { at, when }).ended
  expect(killed.signal).toBe('SIGKILL')
  const counts = `SELECT count(*), count(amount) FROM ${TABLE}`
  expect(await asked(counts)).toEqual([['180', '144']])
  expect(await ended(run)).toBe('ok')
  expect(fields()).toEqual(['sluice_partition string', 'id long', 'at timestamp_ntz', 'amount string', 'extra long'])
  expect(await asked(counts)).toEqual([['180', '144']])
  expect(await ended(verify)).toBe('ok')
  expect(await ended({ ...restore, without: ['note'] })).toBe('ok')
  expect(await asked(`SELECT count(*), sum(extra) FROM ${TABLE}`)).toEqual([['180', '540']])
  rmSync(folder, { recursive: true, force: true })
})

test('user-defined types, and arrays of them, are the same after they or their schema are renamed', async ({
  skip,
}) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-renamed-types-'))
  const { place, only, ended, asked, restore, verify } = await made('postgresql', 'native', folder)
  await place.sql(
    'CREATE SCHEMA app',
    "CREATE TYPE app.mood AS ENUM ('a', 'b')",
    'CREATE DOMAIN app.size AS numeric(4,1)',
    'CREATE TYPE app.span AS RANGE (subtype = app.size)',
    'CREATE TYPE app.pair AS (x int, m app.mood, s app.span[], z app.size)',
    `ALTER TABLE ${TABLE} ADD k app.mood DEFAULT 'a', ADD c app.pair DEFAULT '(1,b,,2)', ADD l app.mood[] DEFAULT '{a,b}', ADD p app.pair[] DEFAULT '{"(2,a,,)"}'`,
    `ALTER TABLE ${TABLE} ADD r app.span DEFAULT '[1,2)', ADD s app.span[] DEFAULT '{"[1,2)"}', ADD z app.size DEFAULT 3, ADD y app.size[] DEFAULT '{3,4}'`,
  )
  const rows = `SELECT * FROM ${TABLE} ORDER BY id`
  const before = await place.rows(rows)
  expect(await ended(only(OLD))).toBe('ok')
  expect(await ended(only(OLD, { drop: true, confirm: TABLE }))).toBe('ok')
  const values = `SELECT count(k), count(c), count(l), count(p), count(r), count(s), count(z), count(y) FROM ${TABLE} WHERE k = 'a'`
  const counted = await asked(values)
  await place.sql('ALTER SCHEMA app RENAME TO app2')
  for (const type of ['mood', 'pair', 'span', 'size']) await place.sql(`ALTER TYPE app2.${type} RENAME TO new_${type}`)
  expect(await asked(values)).toEqual(counted)
  expect(await ended(only(NEW))).toBe('ok')
  expect(await asked(values)).toEqual(counted)
  expect(await ended(verify)).toBe('ok')
  expect(await ended({ ...restore, partitions: [OLD, NEW] })).toBe('ok')
  expect(await place.rows(rows)).toEqual(before)
  rmSync(folder, { recursive: true, force: true })
})
