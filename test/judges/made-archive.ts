/** An archive for outside readers, and their expected answers. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../../src/app/operations/list.ts'
import { makePlace, perform, type Place, type System } from '../support/copy-systems.ts'
import type { JudgeName } from './judge.ts'

export type Refusal = {
  readonly said: RegExp
  /** The first version that is refused; default: every version. */
  readonly from?: number
}

export type MadeArchive = {
  readonly root: string
  /** A partition of the newest version; `rows` is its row count. */
  readonly partition: string
  readonly rows: number
  /** Expected errors by reader; a reader that is not listed reads the archive. */
  readonly refusals: Partial<Record<JudgeName, Refusal>>
  /** Destroyed versions and rows: no reader may find one of the ids in a version below the first complete one. */
  readonly destroyed?: { readonly wholeFrom: number; readonly ids: readonly number[] }
}

export const QUARTERS: readonly (readonly [from: string, to: string])[] = Array.from({ length: 13 }, (_, i) => {
  const first = (n: number): string => new Date(Date.UTC(2019, 3 * n, 1)).toISOString().slice(0, 10)
  return [first(i), first(i + 1)] as const
})
/** Labels of the quarters in the archive. */
export const LABELS: readonly string[] = QUARTERS.map(([from]) => {
  return `${from.slice(0, 4)}-Q${(Number(from.slice(5, 7)) + 2) / 3}`
})
export const TABLE = 'typed'
/** Rows of each quarter that `makeQuarters` makes. */
export const ROWS = 9

export const RUN = {
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

export async function done(operation: Operation): Promise<void> {
  const { finished, events } = await perform(operation)
  if (finished.exitCode === 0) return
  throw new Error(`${operation.kind}: ${JSON.stringify(finished.error ?? events.slice(-5))}`)
}

/**
 * A table by quarter for any system, with ids from 0, 1000, 2000 … on. @param native true for partitions of PostgreSQL
 */
export async function makeQuarters(system: System, folder: string, native = false): Promise<Place> {
  const place = await makePlace(system, folder)
  const moment = system === 'postgresql' ? 'timestamptz' : 'datetime'
  const id = system === 'sqlite' ? 'INTEGER PRIMARY KEY' : 'bigint NOT NULL'
  const key = system === 'sqlite' ? '' : `, PRIMARY KEY (id${native ? ', at' : ''})`
  await place.sql(
    `CREATE TABLE ${TABLE} (id ${id}, at ${moment} NOT NULL, said varchar(200), price numeric(12,2), small smallint, day date, raw ${system === 'postgresql' ? 'bytea' : 'blob'}${key})${native ? ' PARTITION BY RANGE (at)' : ''}`,
  )
  const raw = system === 'postgresql' ? "'\\x00ff10'" : "X'00ff10'"
  for (const [i, [from, to]] of QUARTERS.entries()) {
    if (native)
      await place.sql(`CREATE TABLE ${TABLE}_${i} PARTITION OF ${TABLE} FOR VALUES FROM ('${from}') TO ('${to}')`)
    const rows = Array.from({ length: ROWS }, (_, n) => {
      const said = n % 3 === 0 ? 'NULL' : n % 3 === 1 ? "''" : `'é😀 ${n} of ${i}'`
      return `(${i * 1000 + n}, '${from} 0${n % 9}:00:00', ${said}, ${n % 4 === 0 ? 'NULL' : `${n}.25`}, ${n}, '${from}', ${n % 2 === 0 ? 'NULL' : raw})`
    })
    await place.sql(`INSERT INTO ${TABLE} VALUES ${rows.join(', ')}`)
  }
  return place
}

/** Archives and drops each quarter of a plain table. */
export async function plainArchive(
  system: System,
  folder: string,
): Promise<{ readonly place: Place; readonly root: string; readonly run: Operation & { readonly kind: 'archive' } }> {
  const place = await makeQuarters(system, folder)
  const run = { ...RUN, from: place.url, to: mkdtempSync(join(folder, 'to-')), by: 'at' }
  await done(run)
  await done(run)
  return { place, root: await rootOf(place), run }
}

export async function rootOf(place: Place): Promise<string> {
  const [[root] = []] = await place.rows('SELECT archive FROM migration_archives')
  return String(root)
}
