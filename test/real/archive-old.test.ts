/** Archives of a program that knew neither a version of their ledger nor heads: whatever state each was left in, they end right. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import type { Operation } from '../../src/engine/operation.ts'
import { perform } from '../support/copy-systems.ts'
import { countedBy } from '../support/archive-places.ts'
import { oldSqliteArchives } from '../support/old-archives.ts'

const STATES =
  'planned exporting exported verified landed published detached dropping dropped restored retracted failed'.split(' ')

async function ended(operation: Operation): Promise<string> {
  const { finished } = await perform(operation)
  return finished.error === undefined ? 'ok' : finished.error.code
}

test('SQLite: every state is gone on with, after the archive was adopted where it has a log', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-old-'))
  const { url, file, archives } = oldSqliteArchives(folder)
  const database = new Database(file)
  database.prepare("UPDATE t_failed SET n = 14 WHERE n = 'abc'").run()
  for (const state of STATES) {
    const table = `t_${state}`
    const log = join(archives, table, '_delta_log')
    const hasLog = existsSync(log) && readdirSync(log).some((name) => name.endsWith('.json'))
    const run = {
      kind: 'archive',
      from: url,
      tables: [table],
      partitions: ['2019', '2020'],
      asText: [],
      detach: true,
      drop: true,
      confirm: table,
      graceMs: 0,
      dryRun: false,
    } as const
    const first = await ended(run)
    // A table of which all is archived and dropped has nothing that is due.
    if (state !== 'dropped') expect(`${state} ${first}`).toBe(`${state} ${hasLog ? 'ARCHIVE_FOREIGN' : 'ok'}`)
    if (hasLog) {
      const adopt = { kind: 'archive-adopt', from: url, table, confirm: table, accept: [], dryRun: false } as const
      expect(`${state} ${await ended(adopt)}`).toBe(`${state} ok`)
    }
    // Twice: what was detached by the first of them is dropped by the second.
    for (const _ of [1, 2]) expect(`${state} ${await ended(run)}`).toBe(`${state} ok`)
    const rows = database
      .prepare('SELECT partition_name, state FROM migration_archive_partitions WHERE table_name = ? ORDER BY 1')
      .raw()
      .all(table)
    expect([state, rows]).toEqual([
      state,
      [
        ['2019', 'DROPPED'],
        ['2020', 'DROPPED'],
      ],
    ])
    expect(database.prepare(`SELECT count(*) FROM ${table}`).raw().all()).toEqual([[8]])
    const query = `SELECT count(*), sum(n) FROM ${table}`
    const counted = await countedBy({ kind: 'query', from: url, table, query, limit: 10, format: 'table' })
    expect(`${state} ${counted.counted}`).toBe(`${state} 24 1932`)
  }
  database.close()
  expect(await ended({ kind: 'archive-verify', from: url, tables: [], partitions: [], deep: true })).toBe('ok')
  rmSync(folder, { recursive: true, force: true })
})
