/** Archives for outside readers, after all operations of sluice on a Delta table. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../../src/app/operations/list.ts'
import { makePlace, type Place, type System } from '../support/copy-systems.ts'
import { renamedAndDropped, widened } from './changed-archives.ts'
import { done, QUARTERS, RUN, TABLE, type MadeArchive } from './made-archive.ts'
import { expired, outlived } from './outlived-archives.ts'
import { makeTyped } from './types.ts'

/** This partition is restored, changed and archived again. */
const AGAIN = '2019-Q2'

export const ARCHIVES: Readonly<Record<string, (folder: string) => Promise<MadeArchive>>> = {
  'every type': async (folder) => {
    const place = await makePlace('postgresql', folder)
    await makeTyped(place, QUARTERS)
    return archived(place, folder, {})
  },
  'names that need a mapping': async (folder) => {
    const place = await makePlace('postgresql', folder)
    await makeTyped(place, QUARTERS, ['a b', 'c,d;e{f}(g)=h', 'tab\there', 'ключ', 'do"t.ted', 'back`tick'])
    return archived(place, folder, {
      polars: { said: /reader features \['columnMapping'\], which polars does not support/ },
    })
  },
  'names that differ in case only': async (folder) => {
    const place = await makePlace('postgresql', folder)
    await makeTyped(place, QUARTERS, ['Said'])
    const twice = { said: /Duplicate field name \(case-insensitive\): 'Said'/ }
    return archived(place, folder, {
      deltalake: twice,
      polars: twice,
      duckdb: twice,
      'delta-spark': { said: /DELTA_DUPLICATE_COLUMNS_FOUND/ },
    })
  },
}

async function archived(place: Place, folder: string, refusals: MadeArchive['refusals']): Promise<MadeArchive> {
  const to = mkdtempSync(join(folder, 'to-'))
  const run: Operation = { ...RUN, from: place.url, to }
  await done(run)
  await done({ kind: 'restore', from: place.url, table: TABLE, partitions: [AGAIN], dryRun: false })
  // Late rows, which are archived with the existing ones.
  await place.sql(
    `INSERT INTO ${TABLE} (id, at, said) VALUES (77001, '2019-05-05', 'late'), (77002, '2019-06-05', NULL)`,
  )
  await done({ ...run, partitions: [AGAIN] })
  await done({ kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true })
  return { root: join(to, `public.${TABLE}`), partition: AGAIN, rows: 11, refusals }
}

/** Later changes of archives; one of them is read per day. */
export const OTHERS: Readonly<
  Record<string, { readonly system: System; readonly make: (folder: string) => Promise<MadeArchive> }>
> = {
  'a plain table of SQLite, erased from, expired and swept': {
    system: 'sqlite',
    make: async (folder) => outlived('sqlite', folder),
  },
  'columns that were added, renamed, dropped, retyped and added again': {
    system: 'postgresql',
    make: renamedAndDropped,
  },
  'a plain table of PostgreSQL, erased from, expired and swept': {
    system: 'postgresql',
    make: async (folder) => outlived('postgresql', folder),
  },
  'a plain table of SQLite, expired, brought back, and not swept': { system: 'sqlite', make: expired },
  'a plain table of MariaDB, erased from, expired and swept': {
    system: 'mysql',
    make: async (folder) => outlived('mysql', folder),
  },
  'columns that were widened': { system: 'postgresql', make: widened },
}
