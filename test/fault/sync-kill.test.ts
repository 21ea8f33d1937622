/**
 * kill -9 at every durable step of a rebase and of a prune: right before and right after the COMMIT of each write
 * transaction. Reads in between return the old answers or the new ones, and the same command then has the same result
 * as without a kill.
 */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { answersOf } from '../support/answers.ts'
import { catalogUrl, makeRoom, openAt, killMoments } from '../support/backend.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import {
  add,
  dumpCatalog,
  METADATA,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { childOf, copyCatalog } from './kill-kit.ts'

const child = await childOf('sync-child.mjs')

const COMMITS: readonly (readonly Line[])[] = [
  [PROTOCOL, METADATA, add('a', { partitionValues: { day: '1' } }), add('b'), { txn: { appId: 'x', version: 1 } }],
  [remove('a'), add('c', { partitionValues: { day: '2' } }), { txn: { appId: 'x', version: 2 } }],
  [add('d'), { txn: { appId: 'y', version: 2 } }],
  [remove('b'), add('e', { partitionValues: { day: '3' } })],
  [remove('d'), add('f'), add('g')],
]

type What = 'import' | 'prune'

async function reading<T>(
  file: string,
  body: (database: Awaited<ReturnType<typeof openAt>>) => Promise<T>,
): Promise<T> {
  await using database = await openAt(file, 'read')
  return await body(database)
}

/** @param later changes the log before the command runs */
async function killEverywhere(
  what: What,
  later: (table: string) => void,
  isOneOf: (seen: string, old: string, end: string) => boolean,
): Promise<number> {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const log = join(table, '_delta_log')
  const [early, late] = [join(folder.path, 'early'), join(folder.path, 'late')]
  writeLog(early, COMMITS.slice(0, what === 'prune' ? 5 : 2))
  writeLog(late, COMMITS)
  later(late)
  const show = (which: string): void => {
    rmSync(log, { recursive: true, force: true })
    cpSync(join(which, '_delta_log'), log, { recursive: true, preserveTimestamps: true })
  }
  const begin = async (file: string): Promise<void> => {
    show(early)
    await child.here('import', await makeRoom(file), table)
    show(late)
  }
  const original = join(folder.path, 'original.db')
  await begin(original)
  const prepared = async (name: string): Promise<string> => {
    const file = join(folder.path, name)
    if (!copyCatalog(original, file)) await begin(file)
    return file
  }
  const clean = await prepared('clean.db')
  const old = await reading(clean, (database) => answersOf(database, 't'))
  const writes = await child.here(what, catalogUrl(clean), table)
  const end = await reading(clean, (database) => answersOf(database, 't'))
  const expected = await reading(clean, dumpCatalog)
  expect(end).not.toBe(old)
  for (const [when, at] of killMoments(writes, 8, 16)) {
    const name = `killed ${when} write ${at} of ${writes}`
    const file = await prepared(`${when}-${at}.db`)
    const words = [what, catalogUrl(file), table]
    const expectWhole = async (): Promise<void> => {
      const seen = await reading(file, (database) => answersOf(database, 't'))
      expect(isOneOf(seen, old, end), name).toBe(true)
    }
    expect(child.run(...words, when, at)).toBe('killed')
    await expectWhole()
    child.run(...words, 'before', 5)
    await expectWhole()
    await child.here(...words)
    expect(await reading(file, dumpCatalog), name).toBe(expected)
  }
  return writes
}

describe('answers are the old or the new ones after kill -9', () => {
  test('in a rebase', { timeout: 300_000 }, async () => {
    const later = (table: string): void => {
      writeCheckpoint(table, 3, checkpointOf(COMMITS, 3))
      dropCommits(table, 0, 3)
    }
    // Between the base and the end, the catalog may be at a version of the new history, but never mix both histories.
    const isOneOf = (seen: string, old: string, end: string): boolean => {
      const [version, first] = JSON.parse(seen) as [number, unknown]
      const base = (JSON.parse(end) as unknown[])[1]
      return seen === old || seen === end || (version === 3 && JSON.stringify(first) === JSON.stringify(base))
    }
    expect(await killEverywhere('import', later, isOneOf)).toBeGreaterThan(12)
  })

  test('in a prune', { timeout: 300_000 }, async () => {
    const isOneOf = (seen: string, old: string, end: string): boolean => seen === old || seen === end
    expect(await killEverywhere('prune', () => undefined, isOneOf)).toBeGreaterThan(8)
  })
})
