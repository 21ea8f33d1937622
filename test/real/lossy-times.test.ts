/**
 * Times that lose their meaning or their time of day in the target, as --accept-lossy permits: copied, proved, and
 * equal for diff.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, makePlace, missing, perform, type Place, type System } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lossy-times-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LOCAL = {
  postgresql: 'timestamp',
  mysql: 'DATETIME(6)',
  sqlite: 'TIMESTAMP_TEXT(6)',
  duckdb: 'TIMESTAMP',
} as const
const INSTANT = {
  postgresql: 'timestamptz',
  mysql: 'TIMESTAMP(6) NULL',
  sqlite: 'TIMESTAMPTZ_TEXT(6)',
  duckdb: 'TIMESTAMPTZ',
} as const
const SYSTEMS = Object.keys(LOCAL) as (keyof typeof LOCAL)[]
const PAIRS = SYSTEMS.flatMap((from) => SYSTEMS.map((to) => [from, to] as const))

async function places(from: System, to: System, skip: (when: boolean, why: string) => void): Promise<readonly Place[]> {
  for (const system of [from, to]) {
    const why = await missing(system)
    skip(why !== '', `needs ${system}: ${why}`)
  }
  return [await makePlace(from, folder), await makePlace(to, folder)]
}

async function copiesAndCompares(source: Place, target: Place): Promise<void> {
  const copy = copyOf(source, target, 't', { acceptLossy: ['seen'] })
  const { finished, events } = await perform(copy)
  expect(events.filter(({ type }) => type === 'chunk.failed' || type === 'row.aside')).toEqual([])
  expect(finished).toMatchObject({ exitCode: 0, totals: { written: '3', quarantined: '0' } })
  expect((await perform({ ...copy, again: true })).finished).toMatchObject({ exitCode: 0 })
  const diff = await perform({ kind: 'diff', from: source.url, to: target.url, tables: ['t'], rename: {}, limit: 10, fix: false, deleteExtra: false, workers: 1 }) // prettier-ignore
  expect(diff.finished).toMatchObject({ exitCode: 0, totals: { rows: '3' } })
}

test.for(PAIRS)(
  'a time without time zone is read as UTC: %s to %s',
  { timeout: 60_000 },
  async ([from, to], { skip }) => {
    const [source, target] = (await places(from, to, skip)) as [Place, Place]
    await source.sql(
      `CREATE TABLE t (k INTEGER PRIMARY KEY, seen ${LOCAL[from]})`,
      `INSERT INTO t VALUES (1, '2024-02-29 13:00:00.5'), (2, '1999-12-31 23:59:59'), (3, NULL)`,
    )
    await target.sql(`CREATE TABLE t (k INTEGER PRIMARY KEY, seen ${INSTANT[to]})`)
    await copiesAndCompares(source, target)
  },
)

test.for(PAIRS)('an instant becomes its day in UTC: %s to %s', { timeout: 60_000 }, async ([from, to], { skip }) => {
  const [source, target] = (await places(from, to, skip)) as [Place, Place]
  const offset = from === 'mysql' ? '' : '+00:00'
  await source.sql(
    `CREATE TABLE t (k INTEGER PRIMARY KEY, seen ${INSTANT[from]})`,
    `INSERT INTO t VALUES (1, '2024-02-29 13:00:00.5${offset}'), (2, '1999-12-31 23:59:59${offset}'), (3, NULL)`,
  )
  await target.sql(`CREATE TABLE t (k INTEGER PRIMARY KEY, seen ${to === 'sqlite' ? 'DATE_TEXT' : 'date'})`)
  await copiesAndCompares(source, target)
})
