/** Archives for judges: everything that sluice does to a Delta table has been done to them. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { makePlace, perform, type Place } from '../support/copy-systems.ts'
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
}

const QUARTERS: readonly (readonly [from: string, to: string])[] = Array.from({ length: 13 }, (_, i) => {
  const first = (n: number): string => new Date(Date.UTC(2019, 3 * n, 1)).toISOString().slice(0, 10)
  return [first(i), first(i + 1)] as const
})
const AGAIN = '2019-Q2'
const TABLE = 'typed'

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

async function archived(place: Place, folder: string, refusals: MadeArchive['refusals']): Promise<MadeArchive> {
  const to = mkdtempSync(join(folder, 'to-'))
  const run: Operation = {
    kind: 'archive',
    from: place.url,
    tables: [TABLE],
    to,
    olderThan: '8q',
    partitions: [],
    asText: [],
    detach: true,
    drop: true,
    confirm: TABLE,
    graceMs: 0,
    dryRun: false,
  }
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

async function done(operation: Operation): Promise<void> {
  const { finished, events } = await perform(operation)
  if (finished.exitCode === 0) return
  throw new Error(`${operation.kind}: ${JSON.stringify(finished.error ?? events.slice(-5))}`)
}
