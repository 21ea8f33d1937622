/** Values that leave with a partition and come back, judged by the server's own functions: hexadecimal bytes, storage class, number of a member. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/engine/operations/list.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { copyOf, makePlace, missing, perform, type Place, type Ran } from '../support/copy-systems.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql'] as const
const WITHOUT = new Map(await Promise.all(SYSTEMS.map(async (system) => [system, await missing(system)] as const)))
const without = (system: (typeof SYSTEMS)[number]): string => WITHOUT.get(system) ?? ''

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

type Run = Operation & { readonly kind: 'archive' }

/** A table `s` whose column `d` says when: its rows of the first quarter of 2023 leave. */
const PERIOD = '2023-Q1'

async function commands(place: Place, more: Partial<Run> = {}) {
  const to = mkdtempSync(join(folder.path, 'to-'))
  const run = {
    kind: 'archive',
    from: place.url,
    to,
    tables: ['s'],
    asText: [],
    detach: true,
    dryRun: false,
    drop: false,
    partitions: [PERIOD],
    graceMs: 0,
    by: 'd',
    ...more,
  } as Run
  const drop = { ...run, drop: true, confirm: 's' } as Run
  const restore = { kind: 'restore', from: place.url, table: 's', partitions: [PERIOD], dryRun: false } as Operation
  const verify = { kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true } as Operation
  return { run, drop, restore, verify }
}

/** The first error of a run, wherever it is reported; null where there is none. */
function errorOf({ finished, events }: Ran): { readonly code: string; readonly text: string } | null {
  const ofPartition = events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event.error] : []))
  const error = ofPartition[0] ?? finished.error
  if (error === undefined) return null
  return { code: error.code, text: `${error.message} | ${error.where ?? ''} | ${error.hint ?? ''}` }
}

async function done(operation: Operation): Promise<Ran> {
  const ran = await perform(operation)
  expect(errorOf(ran)).toBeNull()
  expect(ran.finished).toMatchObject({ exitCode: 0 })
  return ran
}

/** Rows leave, and come back: the judge has to say the same of them. @param judge a query of the server's own words */
async function leaveAndReturn(place: Place, judge: string, more: Partial<Run> = {}): Promise<void> {
  const before = await place.rows(judge)
  const { run, drop, restore, verify } = await commands(place, more)
  await done(run)
  await done(drop)
  expect((await place.rows(judge)).length).toBeLessThan(before.length)
  await done(verify)
  await done(restore)
  expect(await place.rows(judge)).toEqual(before)
}

describe('members of MySQL', () => {
  const judge = `SELECT id, en + 0, HEX(en), em + 0, HEX(em), st + 0, HEX(st), sm + 0, HEX(sm), HEX(b1), HEX(b9), HEX(b64) FROM s ORDER BY id`
  const make = async (): Promise<Place> => {
    const place = await makePlace('mysql', folder.path)
    await place.sql(
      `CREATE TABLE s (id int PRIMARY KEY, d date NOT NULL, en enum('a','b','it''s','1'), em enum('','a','0'), st set('a','b','c'), sm set('','a','0'), b1 bit(1), b9 bit(9), b64 bit(64))`,
      "SET SESSION sql_mode = ''",
      `INSERT INTO s VALUES (1, '2023-02-01', 'a', 'a', 'a,c', 3, 1, 256, 18446744073709551615),
        (2, '2023-02-01', 'nonsense', 'nonsense', '', 0, 0, 0, 0), (3, '2023-02-01', NULL, '', NULL, 1, NULL, NULL, NULL),
        (4, '2023-02-02', 'it''s', '0', 'c', 4, b'1', 511, 1), (5, '2023-02-02', 4, 0, 7, 7, 0, 1, 2), (6, '2026-11-01', 'b', 'a', 'b', 'a', 1, 1, 1)`,
    )
    return place
  }

  it.skipIf(without('mysql') !== '')(
    `come back with number and text${without('mysql')}`,
    { timeout: 60_000 },
    async () => {
      await leaveAndReturn(await make(), judge)
    },
  )

  it.skipIf(without('mysql') !== '')(
    `are copied with number and text${without('mysql')}`,
    { timeout: 60_000 },
    async () => {
      const place = await make()
      const to = await makePlace('mysql', folder.path)
      const { finished } = await perform(copyOf(place, to, 's'))
      expect(finished.error ?? null).toBeNull()
      expect(await to.rows(judge)).toEqual(await place.rows(judge))
    },
  )

  it.skipIf(without('mysql') !== '')(`are named by a plan${without('mysql')}`, { timeout: 60_000 }, async () => {
    const { run } = await commands(await make())
    const { events } = await done({ ...run, dryRun: true, exact: true })
    const notes = events.flatMap((event) => (event.type === 'log' ? [event.message] : [])).join('\n')
    expect(notes).toMatch(/2023-Q1 has 1 value in en .*number 0/)
    expect(notes).toMatch(/2023-Q1 has 2 values in em .*number 0/)
  })
})
