/**
 * Dates that MySQL stores and no calendar has: refused by name with the flag that stores them, found by a plan, and
 * restored unchanged.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandsOf } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const why = await missing('mysql')
let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-zero-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ODD = [
  [1, '0000-00-00', '2020-01-02 00:00:00'],
  [2, '2024-00-10', '0000-00-00 00:00:00'],
  [3, '2020-02-03', '2024-05-00 10:00:00'],
  [5, '2020-02-30', '2021-02-29 01:00:00'],
] as const

async function visits(): Promise<{ readonly place: Place; readonly run: Operation & { kind: 'archive' } }> {
  const place = await makePlace('mysql', folder)
  await place.sql(
    'CREATE TABLE visits (id bigint PRIMARY KEY, at datetime NOT NULL, born date, seen datetime)',
    "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'",
    `INSERT INTO visits VALUES ${ODD.map(([id, born, seen]) => `(${id}, '2020-01-05', '${born}', '${seen}')`).join(', ')}`,
    "INSERT INTO visits VALUES (4, '2020-04-05', '1980-01-01', NULL)",
  )
  const { run } = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
  return { place, run: { ...run, tables: ['visits'] } as Operation & { kind: 'archive' } }
}

const content = (place: Place): Promise<readonly (readonly (string | null)[])[]> =>
  place.rows('SELECT id, CAST(born AS CHAR), CAST(seen AS CHAR) FROM visits ORDER BY id')

test.skipIf(why !== '')(
  `are refused by name, found by a plan, and stored as texts${why}`,
  { timeout: 60_000 },
  async () => {
    const { place, run } = await visits()
    const before = await content(place)
    expect(before[0]).toEqual(['1', '0000-00-00', '2020-01-02 00:00:00'])

    const plan = await perform({ ...run, dryRun: true, exact: true })
    expect(plan.finished).toMatchObject({ exitCode: 0 })
    const warned = plan.events.flatMap((event) => (event.type === 'log' && event.level === 'warn' ? [event] : []))
    expect(warned.map(({ message, hint }) => [message, hint])).toEqual([
      [
        expect.stringContaining('2020-Q1 has 3 values in born that cannot be stored as date') as string,
        expect.stringContaining('--as-text born') as string,
      ],
      [
        expect.stringContaining('2020-Q1 has 3 values in seen that cannot be stored as timestamp_ntz') as string,
        expect.stringContaining('--as-text seen') as string,
      ],
    ])

    const refused = await perform({ ...run, partitions: ['2020-Q1'] })
    const error = refused.events.flatMap((event) =>
      event.type === 'archive.state' && event.error ? [event.error] : [],
    )
    expect(error).toHaveLength(1)
    expect(error[0]).toMatchObject({
      code: 'VALUE_REFUSED',
      message: expect.stringMatching(/born.*0000-00-00/) as string,
      hint: expect.stringContaining('--as-text born') as string,
    })
    expect(await content(place)).toEqual(before)

    const asText = { ...run, asText: ['born', 'seen'] }
    expect((await perform(asText)).finished).toMatchObject({ exitCode: 0, totals: { detached: '2' } })
    expect((await perform({ ...asText, drop: true, confirm: 'visits' })).finished.error ?? null).toBeNull()
    expect(await place.rows('SELECT count(*) FROM visits')).toEqual([['0']])
    const restore = { kind: 'restore', from: place.url, table: 'visits', dryRun: false } as const
    const back = await perform({ ...restore, partitions: ['2020-Q1', '2020-Q2'] })
    expect(back.finished.error ?? null).toBeNull()
    expect(await content(place)).toEqual(before)
  },
)

test.skipIf(why !== '')(`in the time column belong to no period, and are reported${why}`, async () => {
  const { place, run } = await visits()
  await place.sql("SET SESSION sql_mode = ''", "INSERT INTO visits VALUES (9, '0000-00-00 00:00:00', NULL, NULL)")
  const ran = await perform({ ...run, asText: ['born', 'seen'] })
  expect(ran.finished).toMatchObject({ exitCode: 0, totals: { detached: '2' } })
  expect(ran.events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')).toContain(
    '1 row has a day in at outside of the years 1 to 9999',
  )
})

test.skipIf(why !== '')(
  `are not NULL for an erasure, in columns that are NOT NULL${why}`,
  { timeout: 60_000 },
  async () => {
    const place = await makePlace('mysql', folder)
    await place.sql(
      "SET SESSION sql_mode = ''",
      'CREATE TABLE visits (id bigint PRIMARY KEY, at datetime NOT NULL, born date NOT NULL, seen datetime NOT NULL, note int)',
      `INSERT INTO visits VALUES (1, '2020-01-05', '0000-00-00', '0000-00-00', 1), (2, '2020-01-06', '2022-05-05', '2022-05-05', 2),
       (4, '2090-01-01', '0000-00-00', '0000-00-00', 4), (5, '2090-01-02', '2026-01-01', '2026-01-01', NULL)`,
    )
    const { run } = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    const own = { ...run, tables: ['visits'], asText: ['born', 'seen'] } as Operation & { kind: 'archive' }
    for (const one of [own, { ...own, drop: true, confirm: 'visits' }])
      expect((await perform(one)).finished.error ?? null).toBeNull()
    const erase = { kind: 'archive-erase', from: place.url, table: 'visits', reason: 'T', dryRun: false } as const
    const ids = async (): Promise<string> => (await place.rows('SELECT id FROM visits ORDER BY id')).join()
    for (const where of ['born IS NULL', 'seen IS NULL', 'born IS NULL OR seen IS NULL', 'NOT (born IS NOT NULL)']) {
      const erased = await perform({ ...erase, where, confirm: 'visits' })
      expect(erased.finished, where).toMatchObject({ exitCode: 0, totals: { rows: '0', sourceRows: '0' } })
      expect(await ids(), where).toBe('4,5')
    }
    const one = await perform({ ...erase, where: 'note IS NULL AND born IS NOT NULL', confirm: 'visits' })
    expect(one.finished).toMatchObject({ exitCode: 0, totals: { rows: '0', sourceRows: '1' } })
    expect(await ids()).toBe('4')
    const all = await perform({ ...erase, where: 'born IS NOT NULL', confirm: 'visits' })
    expect(all.finished).toMatchObject({ exitCode: 0, totals: { rows: '2', sourceRows: '1' } })
  },
)

test.for(['date', 'timestamp', 'timestamptz'])(
  'a %s before the year 1 in the time column belongs to no period, and blocks no other row',
  async (type, { skip }) => {
    const absent = await missing('postgresql')
    if (absent !== '') skip(absent)
    const place = await makePlace('postgresql', folder)
    await place.sql(
      `CREATE TABLE visits (id int PRIMARY KEY, at ${type})`,
      "INSERT INTO visits VALUES (1, '2020-01-05'), (2, '0044-03-15 BC'), (3, '-infinity'), (4, NULL)",
    )
    const commands = commandsOf({ place, form: 'plain', to: mkdtempSync(join(folder, 'to-')) })
    const run = { ...commands.run, tables: ['visits'] } as Operation & { kind: 'archive' }
    const ran = await perform(run)
    expect(ran.finished, JSON.stringify(ran.events.slice(-2))).toMatchObject({ exitCode: 0, totals: { detached: '1' } })
    expect(ran.events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')).toContain(
      '2 rows have a day in at outside of the years 1 to 9999, 1 row has no value in at: they do not belong to a period',
    )
    expect((await perform({ ...run, drop: true, confirm: 'visits' })).finished).toMatchObject({ exitCode: 0 })
    expect(await place.rows('SELECT id FROM visits ORDER BY id')).toEqual([['2'], ['3'], ['4']])
  },
)
