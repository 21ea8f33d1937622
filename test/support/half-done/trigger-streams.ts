/** Streams by triggers out of SQLite that were killed: between the chunks, and with half of the changes applied. */
import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { expect } from 'vitest'
import type { CopyOperation } from '../../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf, type Place } from '../copy-systems.ts'
import { leave } from './child.ts'
import { ELSEWHERE } from './copies.ts'
import { rehashed } from './plans.ts'

export type Ends = { readonly source: Place; readonly target: Place }
export const STATES = ['copying', 'live'] as const
export type State = (typeof STATES)[number]

/** Sets this file as the source in the ledger of a target; it is a copy of the original source. */
export function fromHere(source: Place): (text: string) => string {
  const file = source.url.replace('sqlite:///', '')
  const { dev, ino } = statSync(file, { bigint: true })
  return (text) =>
    rehashed(
      text
        .replaceAll(/sqlite \d+:\d+/g, `sqlite ${dev}:${ino}`)
        .replaceAll(/"file":"\d+"/g, `"file":"${ino}"`)
        .replaceAll(/INTO "migration_streams".*?(\w+\.db)/.exec(text)?.[1] ?? '', basename(file)),
    )
}

const inserted = (from: number, to: number, what: string): string =>
  `INSERT INTO orders VALUES ${Array.from({ length: to - from + 1 }, (_, at) => `(${from + at}, ${(from + at) % 7 === 0 ? 'NULL' : `'${what}${from + at}'`})`).join(', ')}`
const TOLD = [inserted(101, 110, 'told'), "UPDATE orders SET v = 'changed' WHERE id <= 5", 'DELETE FROM orders WHERE id IN (6, 7)', 'UPDATE orders SET id = 200 WHERE id = 8'] // prettier-ignore
const LATER = [inserted(301, 310, 'later'), "UPDATE orders SET v = 'again' WHERE id IN (1, 35, 101)", 'DELETE FROM orders WHERE id IN (9, 36, 102)', 'UPDATE orders SET id = 406 WHERE id = 37'] // prettier-ignore

/** The command that was killed. */
export function followed({ source, target }: Ends): CopyOperation {
  return {
    ...copyOf(source, target, 'orders', { chunkRows: 10, workers: 1 }),
    follow: { cdc: 'trigger', until: 'equal' },
  }
}

export async function leaveStream(ends: Ends, state: State): Promise<void> {
  const { source, target } = ends
  // SQLite stores this setting in the file.
  if (source.system === 'sqlite') await source.sql('PRAGMA journal_mode = WAL')
  await source.sql(`CREATE TABLE orders (id INTEGER PRIMARY KEY, v VARCHAR(40))`, inserted(1, 60, 'v'))
  const endless = { ...followed(ends), follow: { cdc: 'trigger' } } as const
  if (state === 'copying') await leave(endless, { host: ELSEWHERE, dies: { type: 'chunk.done', times: 3 } })
  else {
    await leave(followed(ends), { host: ELSEWHERE })
    await source.sql(...TOLD)
    const isReported = async (): Promise<boolean> =>
      (await target.rows('SELECT id FROM orders WHERE id = 200')).length === 1
    await leave(endless, { host: ELSEWHERE, dies: { once: isReported } })
  }
  await source.sql(...LATER)
}

export async function judgeStream({ source, target }: Ends): Promise<void> {
  const here = await source.rows('SELECT id, v FROM orders ORDER BY id')
  expect(here.length).toBeGreaterThan(60)
  expect(await target.rows('SELECT id, v FROM orders ORDER BY id')).toEqual(here)
  const streams = await target.rows('SELECT status, state FROM migration_streams JOIN migration_stream_tables USING (stream_id)') // prettier-ignore
  expect(streams).toEqual([['active', 'live']])
}
