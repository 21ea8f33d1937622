/** Rows whose key is NULL: a period with such rows is refused as a whole, and an erasure finds them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandsOf, countedBy, type Form } from '../support/archive-places.ts'
import { makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'
import type { Operation } from '../../src/app/operations/list.ts'

type Run = Operation & { kind: 'archive' }

const PLACES: readonly (readonly [System, Form])[] = [
  ['sqlite', 'plain'],
  ['postgresql', 'plain'],
  ['postgresql', 'native'],
  ['mysql', 'plain'],
]
const WITHOUT = new Map(await Promise.all(PLACES.map(async ([system]) => [system, await missing(system)] as const)))
/** Rows of the first quarter, of the second, and of a day that is not due. */
const ROWS = [
  ['a', '2020-01-02', 42],
  [null, '2020-01-03', 42],
  ['b', '2020-04-02', 42],
  ['c', '2090-10-10', 42],
  [null, '2090-10-10', 42],
  [null, '2090-10-11', 43],
] as const

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-null-keys-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const valuesOf = (rows: readonly (typeof ROWS)[number][]): string =>
  rows.map(([k, at, who]) => `(${k === null ? 'NULL' : `'${k}'`}, '${at}', ${who})`).join(', ')

async function makeTable([system, form]: (typeof PLACES)[number]): Promise<{
  readonly place: Place
  readonly run: Run
  readonly drop: Run
}> {
  const place = await makePlace(system, folder)
  const at = system === 'postgresql' ? 'timestamp(0)' : 'datetime'
  const columns = `k varchar(20), at ${at} NOT NULL, who integer`
  if (form === 'native') {
    await place.sql(`CREATE TABLE n (${columns}, UNIQUE (k, at)) PARTITION BY RANGE (at)`)
    for (const [i, [from, to]] of [
      ['2020-01-01', '2020-04-01'],
      ['2020-04-01', '2020-07-01'],
      ['2090-01-01', '2091-01-01'],
    ].entries())
      await place.sql(`CREATE TABLE n_${i} PARTITION OF n FOR VALUES FROM ('${from}') TO ('${to}')`)
  } else await place.sql(`CREATE TABLE n (${columns}, ${system === 'sqlite' ? 'PRIMARY KEY' : 'UNIQUE'} (k))`)
  await place.sql(`INSERT INTO n VALUES ${valuesOf(ROWS)}`)
  const { run } = commandsOf({ place, form, to: mkdtempSync(join(folder, 'to-')) })
  const own = { ...run, tables: ['n'] } as Run
  return { place, run: own, drop: { ...own, drop: true, confirm: 'n' } }
}

const left = async (place: Place): Promise<string> =>
  (await place.rows('SELECT who, count(*) FROM n GROUP BY who ORDER BY who')).map((row) => row.join(': ')).join(', ')

describe.each(PLACES)('%s, %s', (system, form) => {
  const why = WITHOUT.get(system) ?? ''

  test.skipIf(why !== '')(
    `a period with such a row is refused by name, and none of its rows leaves${why}`,
    { timeout: 60_000 },
    async () => {
      const { place, run, drop } = await makeTable([system, form])
      const planned = await perform({ ...run, dryRun: true, exact: true })
      const warned = planned.events.flatMap((one) => (one.type === 'log' && one.level === 'warn' ? [one.message] : []))
      expect(warned.join('\n')).toMatch(/2020-Q1 has 1 row with NULL in its key \(k\)/)
      const ran = await perform(run)
      expect(ran.finished.exitCode).not.toBe(0)
      const refused = ran.events.flatMap((one) => (one.type === 'archive.state' && one.error ? [one] : []))
      expect(refused.map(({ partition, error }) => [partition, error?.code])).toEqual([['2020-Q1', 'UNSUPPORTED_KEY']])
      expect(refused[0]?.error?.message).toContain('1 row')
      // The other period is archived.
      await perform(drop)
      expect(await left(place)).toBe('42: 4, 43: 1')
      await place.sql("UPDATE n SET k = 'now' WHERE k IS NULL AND who = 42 AND at < '2021-01-01'")
      expect((await perform(drop)).finished).toMatchObject({ exitCode: 0, totals: { dropped: '1' } })
      expect(await left(place)).toBe('42: 2, 43: 1')
    },
  )

  test.skipIf(why !== '')(`an erasure finds each such row${why}`, { timeout: 60_000 }, async () => {
    const { place, run, drop } = await makeTable([system, form])
    await place.sql("DELETE FROM n WHERE k IS NULL AND at < '2021-01-01'")
    for (const one of [run, drop]) expect((await perform(one)).finished.error ?? null).toBeNull()
    expect(await left(place)).toBe('42: 2, 43: 1')
    const erase = { kind: 'archive-erase', from: place.url, table: 'n', reason: 'T', dryRun: false } as const
    expect((await perform({ ...erase, where: 'who = 42', confirm: 'n' })).finished).toMatchObject({
      exitCode: 0,
      totals: { rows: '2', sourceRows: '2' },
    })
    expect(await left(place)).toBe('43: 1')
  })

  test.skipIf(why !== '')(
    `a row added after the export is not in the archive, and stays${why}`,
    { timeout: 60_000 },
    async () => {
      const { place, run, drop } = await makeTable([system, form])
      await place.sql("DELETE FROM n WHERE k IS NULL AND at < '2021-01-01'")
      expect((await perform({ ...run, detach: false })).finished.error ?? null).toBeNull()
      await place.sql("INSERT INTO n VALUES (NULL, '2020-01-03', 42)")
      const verify = { kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true } as const
      expect((await perform(verify)).finished.exitCode).toBe(1)
      expect((await perform(drop)).finished.exitCode).not.toBe(0)
      // A partition of PostgreSQL is detached by then, and its rows can be corrected in the detached table.
      const tables = await place.rows(
        system === 'postgresql'
          ? "SELECT table_schema, table_name FROM information_schema.tables WHERE table_name LIKE 'n_0%'"
          : "SELECT 'n', 'n'",
      )
      expect(tables).toHaveLength(form === 'native' || system !== 'postgresql' ? 1 : 0)
      const from = form === 'native' ? (tables[0] ?? []).join('.') : 'n'
      const kept = await place.rows(`SELECT count(*) FROM ${from} WHERE k IS NULL AND at < '2021-01-01'`)
      expect(kept.map(String)).toEqual(['1'])
    },
  )

  test.skipIf(why !== '' || form === 'native')(
    `a row added after the detach is counted, survives the drop, and is refused as a further part${why}`,
    { timeout: 60_000 },
    async () => {
      const { place, run, drop } = await makeTable([system, form])
      await place.sql("DELETE FROM n WHERE k IS NULL AND at < '2021-01-01'")
      expect((await perform(run)).finished.error ?? null).toBeNull()
      await place.sql("INSERT INTO n VALUES (NULL, '2020-01-03', 42)")
      const query = { kind: 'query', from: place.url, table: 'n', query: 'SELECT count(*) FROM n', limit: 10 } as const
      const count = async (): Promise<string> => (await countedBy({ ...query, format: 'table' })).counted
      expect(await count()).toBe('6')
      const dropped = await perform(drop)
      expect(await place.rows('SELECT k FROM n WHERE who = 42 ORDER BY at, k')).toHaveLength(3)
      const errors = dropped.events.flatMap((one) =>
        one.type === 'archive.state' && one.error ? [one.error.code] : [],
      )
      expect(errors.filter((code) => code !== 'UNSUPPORTED_KEY')).toEqual([])
      expect(await count()).toBe('6')
      expect((await perform({ ...run, partitions: ['2020-Q1'] })).finished.exitCode).not.toBe(0)
      expect(await count()).toBe('6')
    },
  )
})
