/** Archives for judges: everything that sluice does to a Delta table has been done to them. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { makePlace, perform, type Place, type System } from '../support/copy-systems.ts'
import type { Operation } from '../../src/engine/operations/list.ts'
import type { JudgeName } from './judge.ts'
import { makeTyped } from './types.ts'

export type MadeArchive = {
  readonly root: string
  /** A partition that was restored, changed and archived again, and its rows. */
  readonly partition: string
  readonly rows: number
  /** Why a judge cannot read it; a judge that is not named reads it. */
  readonly refusals: Partial<Record<JudgeName, RegExp>>
  /** Older versions have lost files: only the newest one is judged. */
  readonly newest?: true
}

const QUARTERS: readonly (readonly [from: string, to: string])[] = Array.from({ length: 13 }, (_, i) => {
  const first = (n: number): string => new Date(Date.UTC(2019, 3 * n, 1)).toISOString().slice(0, 10)
  return [first(i), first(i + 1)] as const
})
const AGAIN = '2019-Q2'
const TABLE = 'typed'
/** Of a quarter of a plain table. */
const ROWS = 9
const RUN = {
  kind: 'archive',
  tables: [TABLE],
  olderThan: '8q',
  partitions: [],
  asText: [],
  detach: true,
  drop: true,
  confirm: TABLE,
  graceMs: 0,
  dryRun: false,
} as const

export const ARCHIVES: Readonly<Record<string, (folder: string) => Promise<MadeArchive>>> = {
  'every type': async (folder) => {
    const place = await makePlace('postgresql', folder)
    await makeTyped(place, QUARTERS)
    return archived(place, folder, {})
  },
  'names that need a mapping': async (folder) => {
    const place = await makePlace('postgresql', folder)
    await makeTyped(place, QUARTERS, ['a b', 'c,d;e{f}(g)=h', 'tab\there', 'ключ', 'do"t.ted', 'back`tick'])
    return archived(place, folder, { polars: /reader features \['columnMapping'\], which polars does not support/ })
  },
  'names that differ in case only': async (folder) => {
    const place = await makePlace('postgresql', folder)
    await makeTyped(place, QUARTERS, ['Said'])
    const twice = /Duplicate field name \(case-insensitive\): 'Said'/
    return archived(place, folder, {
      deltalake: twice,
      polars: twice,
      duckdb: twice,
      'delta-spark': /DELTA_DUPLICATE_COLUMNS_FOUND/,
    })
  },
}

/** Quarters of a table that any system can have, each archived and dropped. */
async function plain(system: System, folder: string): Promise<{ readonly place: Place; readonly root: string }> {
  const place = await makePlace(system, folder)
  const moment = system === 'postgresql' ? 'timestamptz' : 'datetime'
  const key = system === 'sqlite' ? 'INTEGER PRIMARY KEY' : 'bigint PRIMARY KEY'
  await place.sql(
    `CREATE TABLE ${TABLE} (id ${key}, at ${moment} NOT NULL, said varchar(200), price numeric(12,2), small smallint, day date, raw ${system === 'postgresql' ? 'bytea' : 'blob'})`,
  )
  const raw = system === 'postgresql' ? "'\\x00ff10'" : "X'00ff10'"
  for (const [i, [from]] of QUARTERS.entries()) {
    const rows = Array.from({ length: ROWS }, (_, n) => {
      const said = n % 3 === 0 ? 'NULL' : n % 3 === 1 ? "''" : `'é😀 ${n} of ${i}'`
      return `(${i * 1000 + n}, '${from} 0${n % 9}:00:00', ${said}, ${n % 4 === 0 ? 'NULL' : `${n}.25`}, ${n}, '${from}', ${n % 2 === 0 ? 'NULL' : raw})`
    })
    await place.sql(`INSERT INTO ${TABLE} VALUES ${rows.join(', ')}`)
  }
  const to = mkdtempSync(join(folder, 'to-'))
  const run: Operation = { ...RUN, from: place.url, to, by: 'at' }
  await done(run)
  await done(run)
  const [[root] = []] = await place.rows('SELECT archive FROM migration_archives')
  return { place, root: String(root) }
}

/** What a plain table goes through: erased, expired, swept; only then is what is left of its versions judged. */
async function outlived(system: System, folder: string): Promise<MadeArchive> {
  const { place, root } = await plain(system, folder)
  const common = { from: place.url, table: TABLE, confirm: TABLE, dryRun: false } as const
  await done({ kind: 'archive-erase', ...common, where: 'id IN (1002, 5003)', reason: 'T-1' })
  await done({ kind: 'archive-expire', ...common, olderThan: '2y', partitions: ['2019-Q1'], retentionMs: 0 })
  await done({ kind: 'archive-sweep', from: place.url, tables: [], olderThanMs: 0, dryRun: false })
  await done({ kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true })
  return { root, partition: AGAIN, rows: ROWS - 1, refusals: {}, newest: true }
}

async function archived(place: Place, folder: string, refusals: MadeArchive['refusals']): Promise<MadeArchive> {
  const to = mkdtempSync(join(folder, 'to-'))
  const run: Operation = { ...RUN, from: place.url, to }
  await done(run)
  await done({ kind: 'restore', from: place.url, table: TABLE, partitions: [AGAIN], dryRun: false })
  // Late rows, which are published with those that were there.
  await place.sql(
    `INSERT INTO ${TABLE} (id, at, said) VALUES (77001, '2019-05-05', 'late'), (77002, '2019-06-05', NULL)`,
  )
  await done({ ...run, partitions: [AGAIN] })
  await done({ kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true })
  return { root: join(to, `public.${TABLE}`), partition: AGAIN, rows: 11, refusals }
}

/** Plain tables of every system that has them, judged in turn, one a day. */
export const OTHERS: Readonly<
  Record<string, { readonly system: System; readonly make: (folder: string) => Promise<MadeArchive> }>
> = {
  'a plain table of SQLite, erased from, expired and swept': {
    system: 'sqlite',
    make: async (folder) => outlived('sqlite', folder),
  },
  'a plain table of PostgreSQL, erased from, expired and swept': {
    system: 'postgresql',
    make: async (folder) => outlived('postgresql', folder),
  },
  'a plain table of MariaDB, erased from, expired and swept': {
    system: 'mysql',
    make: async (folder) => outlived('mysql', folder),
  },
}

async function done(operation: Operation): Promise<void> {
  const { finished, events } = await perform(operation)
  if (finished.exitCode === 0) return
  throw new Error(`${operation.kind}: ${JSON.stringify(finished.error ?? events.slice(-5))}`)
}
