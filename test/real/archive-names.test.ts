/**
 * Partition names in any usual spelling are accepted by each command; the error for an unknown name suggests similar
 * ones.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Ran } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-names-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const labelsOf = ({ events }: Ran): readonly string[] => [
  ...new Set(events.flatMap((event) => (event.type === 'archive.state' ? [event.partition] : []))),
]

test('run, hold, release, verify and restore accept such names', async () => {
  const place = await makePlace('sqlite', folder)
  const commands = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 50))
  const run = { ...commands.run, olderThan: undefined } as unknown as Operation & { kind: 'archive' }
  const hold = (named: string, reason: string | null): Operation => ({
    kind: 'archive-hold',
    from: place.url,
    table: TABLE,
    partitions: [named],
    reason,
  })
  const first = await perform({ ...run, partitions: ['2020q1'] })
  expect(first.finished).toMatchObject({ exitCode: 0 })
  expect(labelsOf(first)).toEqual(['2020-Q1'])
  expect((await perform(hold('Q1 2020', 'audit'))).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(hold('20q2', 'audit'))).finished).toMatchObject({ exitCode: 0 })
  expect(await place.rows('SELECT partition_name, hold_reason FROM migration_archive_partitions ORDER BY 1')).toEqual([
    ['2020-Q1', 'audit'],
    ['2020-Q2', 'audit'],
  ])
  for (const name of ['2020-q1', 'q2-20'])
    expect((await perform(hold(name, null))).finished).toMatchObject({ exitCode: 0 })
  const verify = { ...commands.verify, partitions: ['fy20q1'] } as Operation & { kind: 'archive-verify' }
  expect((await perform(verify)).finished).toMatchObject({ exitCode: 0, totals: { checked: '1' } })
  const restore = { ...commands.restore, partitions: ['2020-1'] } as Operation & { kind: 'restore' }
  expect((await perform(restore)).finished).toMatchObject({ exitCode: 0, totals: { restored: '1' } })

  const error = async (operation: Operation) => (await perform(operation)).finished.error
  expect(await error({ ...verify, partitions: ['2029q1'] })).toMatchObject({
    code: 'PARTITION_STATE',
    message: 'no ledger has a partition 2029-Q1 (2020-Q1?)',
  })
  expect(await error({ ...restore, partitions: ['2020-Q7'] })).toMatchObject({
    code: 'PARTITION_STATE',
    message: `2020-Q7 of ${TABLE} is not archived (2020-Q1?)`,
  })
  expect(await error(hold('2020-Q3', null))).toMatchObject({
    code: 'PARTITION_STATE',
    message: `the ledger has no partition 2020-Q3 of ${TABLE} (2020-Q1?)`,
  })
  expect(await error({ ...run, partitions: ['2020-Q9'] })).toMatchObject({
    code: 'BAD_FLAG',
    message: 'this calendar has no quarter "2020-Q9" (2020-Q1?)',
  })
})

test('an ambiguous name of two quarters is refused, and nothing changes', async () => {
  const place = await makePlace('sqlite', folder)
  const { run } = commandsOf(await makeBookings(place, 'plain', mkdtempSync(join(folder, 'to-')), 50))
  const calendar = { unit: 'quarter', firstMonth: 1, yearOffset: 1, firstWeekday: 1, zone: 'UTC' } as const
  const asked = { ...run, olderThan: undefined, calendar, partitions: ['2020q2'] } as unknown as Operation
  const { finished } = await perform(asked)
  expect(finished.error).toMatchObject({
    code: 'BAD_FLAG',
    message:
      '"2020q2" is ambiguous: it may be Q2-FY20 (2019-04-01 .. 2019-06-30) or Q2-FY21 (2020-04-01 .. 2020-06-30)',
  })
  const meant = { ...run, olderThan: undefined, calendar, partitions: ['q2 fy2021'] } as unknown as Operation
  expect(labelsOf(await perform(meant))).toEqual(['Q2-FY21'])
})

test.each(['sqlite', 'mysql'] as const)('%s: a renamed table does not get a second archive', async (system) => {
  if ((await missing(system)) !== '') return
  const place = await makePlace(system, folder)
  const to = mkdtempSync(join(folder, 'to-'))
  const { run, query } = commandsOf(await makeBookings(place, 'plain', to, 50))
  expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  await place.sql(`ALTER TABLE ${TABLE} RENAME TO visits`)
  const archives = readdirSync(to)
  const renamed = { ...run, tables: ['visits'] } as Operation
  expect((await perform(renamed)).finished).toMatchObject({ exitCode: 0 })
  expect(readdirSync(to)).toEqual(archives)
  // In a ledger of an older version only the name identifies the table.
  await place.sql('UPDATE migration_archives SET witness = NULL')
  for (const dryRun of [true, false]) {
    const { finished } = await perform({ ...renamed, dryRun } as Operation)
    expect(finished.error).toMatchObject({ code: 'PARTITION_STATE' })
    expect(finished.error?.message).toContain(TABLE)
    expect(finished.error?.hint).toContain('rename the table back')
  }
  expect(readdirSync(to)).toEqual(archives)
  await place.sql(`ALTER TABLE visits RENAME TO ${TABLE}`)
  expect((await perform(run)).finished).toMatchObject({ exitCode: 0 })
  expect((await perform(query)).finished).toMatchObject({ exitCode: 0 })
})

test('partitions of the same name in two schemas are two partitions', { timeout: 90_000 }, async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const place = await makePlace('postgresql', folder)
  const part = (name: string, from: string, to: string): string =>
    `CREATE TABLE ${name} PARTITION OF ${TABLE} FOR VALUES FROM ('${from}') TO ('${to}')`
  await place.sql(
    'CREATE SCHEMA s1',
    'CREATE SCHEMA s2',
    'CREATE SCHEMA s3',
    `CREATE TABLE ${TABLE} (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
    part('s2.x', '2020-06-15', '2020-06-20'),
    part('newest', '2090-01-01', '2091-01-01'),
    `INSERT INTO ${TABLE} VALUES (2, '2020-06-16'), (9, '2090-01-02')`,
  )
  const { run, drop, restore } = commandsOf({ place, form: 'native', to: mkdtempSync(join(folder, 'to-')) })
  const done = async (operation: Operation): Promise<readonly string[]> => {
    const ran = await perform(operation)
    expect(ran.finished, JSON.stringify(ran.events.slice(-3))).toMatchObject({ exitCode: 0 })
    return labelsOf(ran)
  }
  expect(await done(run)).toEqual(['x'])
  // A partition that left under its plain name keeps it; others of the same name have their schema in the name.
  await place.sql(
    part('s1.x', '2020-06-01', '2020-06-15'),
    part('s3.x', '2020-06-20', '2020-06-25'),
    `INSERT INTO ${TABLE} VALUES (1, '2020-06-02'), (3, '2020-06-21')`,
  )
  expect(await done(run)).toEqual(['s1.x', 's3.x'])
  expect(new Set(await done(drop))).toEqual(new Set(['x', 's1.x', 's3.x']))
  expect(await place.rows(`SELECT id FROM ${TABLE}`)).toEqual([['9']])
  for (const label of ['x', 's3.x', 's1.x']) await done({ ...restore, partitions: [label] } as Operation)
  expect(await place.rows(`SELECT id, tableoid::regclass::text FROM ${TABLE} ORDER BY id`)).toEqual([
    ['1', 's1.x'],
    ['2', 's2.x'],
    ['3', 's3.x'],
    ['9', 'newest'],
  ])
  expect(await done({ ...run, partitions: ['s1.x'] } as Operation)).toEqual(['s1.x'])
})

test('a new partition with the table name of a dropped one is archived', { timeout: 90_000 }, async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const place = await makePlace('postgresql', folder)
  const part = (name: string, from: string, to: string): string =>
    `CREATE TABLE ${name} PARTITION OF ${TABLE} FOR VALUES FROM ('${from}') TO ('${to}')`
  await place.sql(
    `CREATE TABLE ${TABLE} (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
    part('p0', '2020-01-01', '2020-01-11'),
    part('newest', '2090-01-01', '2091-01-01'),
    `INSERT INTO ${TABLE} VALUES (1, '2020-01-02'), (9, '2090-01-02')`,
  )
  const { run, drop, restore, verify } = commandsOf({ place, form: 'native', to: mkdtempSync(join(folder, 'to-')) })
  const done = async (operation: Operation): Promise<readonly string[]> => {
    const ran = await perform(operation)
    expect(ran.finished, JSON.stringify(ran.events.slice(-3))).toMatchObject({ exitCode: 0 })
    return labelsOf(ran)
  }
  expect(await done(run)).toEqual(['p0'])
  await done(drop)
  await place.sql(part('p0', '2020-03-01', '2020-03-11'), `INSERT INTO ${TABLE} VALUES (2, '2020-03-02')`)
  const [[identity] = []] = await place.rows("SELECT 'p0'::regclass::oid")
  const again = `p0 (${String(identity)})`
  expect(await done(run)).toEqual([again])
  await done(drop)
  expect(await place.rows(`SELECT id FROM ${TABLE}`)).toEqual([['9']])
  await done(verify)
  await done({ ...restore, partitions: [again] } as Operation)
  expect(await place.rows(`SELECT id, tableoid::regclass::text FROM ${TABLE} ORDER BY id`)).toEqual([
    ['2', 'p0'],
    ['9', 'newest'],
  ])
  expect(await done({ ...run, partitions: [again] } as Operation)).toEqual([again])
  await done({ ...restore, partitions: [again] } as Operation)
  // The ledger knows it by its bounds.
  await place.sql('ALTER TABLE p0 RENAME TO p3')
  await done({ ...restore, partitions: ['p0'] } as Operation)
  expect(await place.rows(`SELECT id FROM ${TABLE} ORDER BY id`)).toEqual([['1'], ['2'], ['9']])
})
