/**
 * kill -9 at every durable step of an import: each write transaction, right before and right after its COMMIT, in a
 * first import and in a resumed one. After any kill, the same command must result in the catalog of an undisturbed run,
 * and no reader may see a part of a version meanwhile.
 */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
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
import { makeRoom, openAt, killMoments } from '../support/backend.ts'
import { dialectOf } from '../../src/catalog/dialect.ts'
import { folderOf, HAVE_TABLES } from '../tables/shared-tables.ts'
import { childOf } from './kill-kit.ts'

const child = await childOf('import-child.mjs')

/** The view may show only whole versions. */
async function expectWholeVersion(file: string): Promise<void> {
  await using database = await openAt(file, 'read')
  const names = await database.all(dialectOf(database).objectNames)
  if (!names.some(([name]) => name === 'delta_tables')) return
  const rows = await database.all(
    `SELECT t.current_version, t.num_files, t.num_bytes, count(f.file_no), coalesce(sum(f.size), 0)
     FROM delta_tables t LEFT JOIN delta_active_files f ON f.table_id = t.table_id GROUP BY t.table_id, t.current_version, t.num_files, t.num_bytes`,
  )
  for (const [version, files, bytes, seen, seenBytes] of rows) {
    if (version === null) expect(seen).toBe(0)
    else expect([seen, seenBytes]).toEqual([files, bytes])
  }
}

async function killEverywhere(table: string, batchSize: number): Promise<number> {
  using folder = temporaryFolder()
  const clean = join(folder.path, 'clean.db')
  const writes = await child.here(await makeRoom(clean), table, batchSize)
  await using undisturbed = await openAt(clean, 'read')
  const expected = await dumpCatalog(undisturbed)
  for (const [when, at] of killMoments(writes, 4, 12)) {
    const file = join(folder.path, `${when}-${at}.db`)
    const url = await makeRoom(file)
    expect(child.run(url, table, batchSize, when, at)).toBe('killed')
    await expectWholeVersion(file)
    // Killed again, one step into the resumed import.
    child.run(url, table, batchSize, 'before', 3)
    await expectWholeVersion(file)
    await child.here(url, table, batchSize)
    await using database = await openAt(file, 'read')
    expect(await dumpCatalog(database), `killed ${when} write ${at} of ${writes}`).toBe(expected)
  }
  return writes
}

describe('an import has the same catalog after kill -9', () => {
  test('of commits, in batches of two rows', { timeout: 240_000 }, async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    const commits: Line[][] = [[PROTOCOL, METADATA, add('a'), add('b')]]
    commits.push(
      [remove('a'), add('c')],
      [add('b', { size: 7 })],
      [remove('b'), remove('c')],
      [add('a'), { txn: { appId: 'x', version: 3 } }],
    )
    writeLog(table, commits)
    expect(await killEverywhere(table, 2)).toBeGreaterThan(6)
  })

  test.skipIf(!HAVE_TABLES)('of a table that starts at a checkpoint', { timeout: 240_000 }, async () => {
    using folder = temporaryFolder()
    // A log that was cleaned up to its checkpoint: the base is loaded in several parts.
    const table = join(folder.path, 'table')
    cpSync(folderOf('delta-rs/simple_table_with_checkpoint'), table, { recursive: true, preserveTimestamps: true })
    for (let version = 0; version < 10; version++) {
      const name = `${String(version).padStart(20, '0')}.json`
      rmSync(join(table, '_delta_log', name), { force: true })
    }
    expect(await killEverywhere(table, 2)).toBeGreaterThan(5)
  })
})
