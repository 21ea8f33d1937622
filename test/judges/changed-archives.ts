/** Archives whose table was altered between two runs: each version is read with the columns that it had. */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { done, LABELS, makeQuarters, rootOf, ROWS, RUN, TABLE, type MadeArchive } from './made-archive.ts'

/** Statements that alter the table before the next quarters are archived. */
const CHANGED: readonly (readonly string[])[] = [
  [],
  [`ALTER TABLE ${TABLE} ADD COLUMN extra integer DEFAULT 7`, `ALTER TABLE ${TABLE} ADD COLUMN "a b" text`],
  [`ALTER TABLE ${TABLE} RENAME COLUMN said TO told`, `UPDATE ${TABLE} SET "a b" = 'é ' || id`],
  [`ALTER TABLE ${TABLE} DROP COLUMN raw`],
  [
    `ALTER TABLE ${TABLE} ALTER COLUMN price TYPE varchar(40)`,
    `ALTER TABLE ${TABLE} ALTER COLUMN small TYPE date USING day`,
  ],
  [`ALTER TABLE ${TABLE} ADD COLUMN raw text`, `UPDATE ${TABLE} SET raw = 'not the bytes of before'`],
  [`ALTER TABLE ${TABLE} RENAME COLUMN extra TO said`],
]

const WIDENED: readonly (readonly string[])[] = [
  [],
  [],
  [],
  [`ALTER TABLE ${TABLE} ALTER COLUMN small TYPE integer`, `UPDATE ${TABLE} SET small = 2000000000`],
  [`ALTER TABLE ${TABLE} ALTER COLUMN price TYPE numeric(20,4)`, `UPDATE ${TABLE} SET price = 1234567890123456.0625`],
  [`ALTER TABLE ${TABLE} ALTER COLUMN small TYPE bigint`, `UPDATE ${TABLE} SET small = -9007199254740993`],
]

export async function renamedAndDropped(folder: string): Promise<MadeArchive> {
  const root = await altered(folder, CHANGED)
  const from = firstWith(root, /"delta\.columnMapping\.mode":"name"/)
  return {
    root,
    partition: '2019-Q2',
    rows: ROWS,
    refusals: { polars: { said: /requires reader version 2 \(column mapping\), which polars does not support/, from } },
  }
}

export async function widened(folder: string): Promise<MadeArchive> {
  const root = await altered(folder, WIDENED, true)
  const from = firstWith(root, /"readerFeatures":\[[^\]]*"typeWidening"/)
  const unsupported = { said: /typeWidening/i, from }
  return { root, partition: '2019-Q2', rows: ROWS, refusals: { deltalake: unsupported, polars: unsupported } }
}

/** Archives two quarters after each change, and all others after the last one. @returns the Delta table */
async function altered(folder: string, changes: readonly (readonly string[])[], widen?: true): Promise<string> {
  const place = await makeQuarters('postgresql', folder, true)
  const run = {
    ...RUN,
    from: place.url,
    to: mkdtempSync(join(folder, 'to-')),
    drop: false,
    ...(widen === undefined ? {} : { widen }),
  } as const
  for (const [i, change] of changes.entries()) {
    await place.sql(...change)
    await done({ ...run, partitions: LABELS.slice(2 * i, i + 1 === changes.length ? undefined : 2 * i + 2) })
  }
  await done({ kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true })
  return rootOf(place)
}

/** The first version whose commit contains the text. */
function firstWith(root: string, text: RegExp): number {
  const log = join(root, '_delta_log')
  const commits = readdirSync(log).filter((name) => /^\d{20}\.json$/.test(name))
  const found = commits.toSorted().find((name) => text.test(readFileSync(join(log, name), 'utf8')))
  if (found === undefined) throw new Error(`no commit has ${text}`)
  return Number.parseInt(found, 10)
}
