/**
 * kill -9 at every durable step of an import: each write transaction, right before and right after its COMMIT, at first import and at resume.
 * Whatever was killed, the same command again must end in the catalog of an undisturbed run, and no reader may see a half version on the way.
 */
import { spawnSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  add,
  dumpCatalog,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import { folderOf, HAVE_TABLES } from '../tables/shared-tables.ts'

const CHILD = resolve(import.meta.dirname, 'import-child.mjs')

type Ran = { readonly killed: boolean; readonly writes: number; readonly out: string }

function run(file: string, table: string, batchSize: number, when = 'never', at = 0): Ran {
  const child = spawnSync(process.execPath, [CHILD, file, table, String(batchSize), when, String(at)], {
    encoding: 'utf8',
  })
  if (child.signal === 'SIGKILL') return { killed: true, writes: 0, out: '' }
  if (child.status !== 0) throw new Error(child.stderr)
  return { killed: false, writes: Number(child.stdout.trim().split(' ')[1]), out: child.stdout }
}

/** The view may only ever show what some whole version holds. */
async function expectWholeVersion(file: string): Promise<void> {
  await using database = openSqlite(file, 'read')
  const [there] = await database.all("SELECT count(*) FROM sqlite_schema WHERE name = 'delta_tables'")
  if (there?.[0] === 0) return
  const rows = await database.all(
    `SELECT t.current_version, t.num_files, t.num_bytes, count(f.file_no), coalesce(sum(f.size), 0)
     FROM delta_tables t LEFT JOIN delta_active_files f ON f.table_id = t.table_id GROUP BY t.table_id`,
  )
  for (const [version, files, bytes, seen, seenBytes] of rows) {
    if (version === null) expect(seen).toBe(0)
    else expect([seen, seenBytes]).toEqual([files, bytes])
  }
}

async function killEverywhere(table: string, batchSize: number): Promise<number> {
  using folder = temporaryFolder()
  const clean = join(folder.path, 'clean.db')
  const { writes } = run(clean, table, batchSize)
  await using undisturbed = openSqlite(clean, 'read')
  const expected = await dumpCatalog(undisturbed)
  for (const when of ['before', 'after']) {
    for (let at = 1; at <= writes; at++) {
      const file = join(folder.path, `${when}-${at}.db`)
      expect(run(file, table, batchSize, when, at).killed).toBe(true)
      await expectWholeVersion(file)
      // Killed again, one step into the resume.
      run(file, table, batchSize, 'before', 3)
      await expectWholeVersion(file)
      const end = run(file, table, batchSize)
      expect(end.killed).toBe(false)
      await using database = openSqlite(file, 'read')
      expect(await dumpCatalog(database), `killed ${when} write ${at} of ${writes}`).toBe(expected)
    }
  }
  return writes
}

describe('kill -9 in an import', () => {
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
    // A log cleaned behind its checkpoint: the base is loaded in several parts.
    const table = join(folder.path, 'table')
    cpSync(folderOf('delta-rs/simple_table_with_checkpoint'), table, { recursive: true, preserveTimestamps: true })
    for (let version = 0; version < 10; version++) {
      const name = `${String(version).padStart(20, '0')}.json`
      spawnSync('rm', ['-f', join(table, '_delta_log', name)])
    }
    await using probe = await openCatalog(join(folder.path, 'probe.db'))
    expect(probe.dialect).toBe('sqlite')
    expect(await killEverywhere(table, 2)).toBeGreaterThan(5)
  })
})
