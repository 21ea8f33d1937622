/**
 * Archives of a version whose ledger had neither a version number nor ownership tokens: each state can be completed.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { missing, perform } from '../support/copy-systems.ts'
import { countedBy } from '../support/archive-places.ts'
import { oldPostgresArchives, oldSqliteArchives } from '../support/old-archives.ts'
import type { Operation } from '../../src/app/operations/list.ts'

const STATES =
  'planned exporting exported verified landed published detached dropping dropped restored retracted failed'.split(' ')

/** Native partitions: killed in or after the transaction that detaches, drops, attaches or recreates. */
const NATIVE =
  'planned exporting exported verified landed published detaching halfway detached dropping halfgone dropped attaching attached recreating recreated retracted restored failed'.split(
    ' ',
  )
const ALL = process.env['SLUICE_TEST_ALL'] !== undefined
/** The states that differ most. */
const SOME = 'halfway halfgone recreated retracted'.split(' ')
/** States in which the partition's own index is lost: an older version dropped it and did not record its definition. */
const BARE = new Set('halfgone dropped recreating recreated'.split(' '))

async function ended(operation: Operation): Promise<string> {
  const { finished } = await perform(operation)
  return finished.error === undefined ? 'ok' : finished.error.code
}

test(
  'SQLite: each state is resumed, after an adoption of the archive if it has a log',
  { timeout: 120_000 },
  async () => {
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
      // A table whose periods are all dropped has nothing due.
      if (state !== 'dropped') expect(`${state} ${first}`).toBe(`${state} ${hasLog ? 'ARCHIVE_FOREIGN' : 'ok'}`)
      if (hasLog) {
        const adopt = { kind: 'archive-adopt', from: url, table, confirm: table, accept: [], dryRun: false } as const
        expect(`${state} ${await ended(adopt)}`).toBe(`${state} ok`)
      }
      // Twice: the second run drops what the first one detached.
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
  },
)

test.for([
  ['postgresql', ALL ? NATIVE : SOME],
  ['postgresql-heads', ALL ? 'landed published halfway dropping attached recreated'.split(' ') : ['attached']],
] as const)(
  '%s, native partitions: each state is resumed, and no row is lost or duplicated',
  { timeout: 600_000 },
  async ([program, states], { skip }) => {
    const why = await missing('postgresql')
    if (why !== '') skip(why)
    const folder = mkdtempSync(join(tmpdir(), 'sluice-old-'))
    const { place, archives } = await oldPostgresArchives(folder, program)
    const from = place.url
    for (const state of states) {
      const table = `t_${state}`
      const said = async (operation: Operation): Promise<string> => `${state} ${await ended(operation)}`
      const query = `SELECT count(*), sum(n) FROM ${table}`
      const counted = async (): Promise<string> =>
        `${state} ${(await countedBy({ kind: 'query', from, table, query, limit: 10, format: 'table' })).counted}`
      const partitions = ['2019', '2020']
      const run = {
        kind: 'archive',
        from,
        tables: [table],
        partitions,
        asText: [],
        detach: true,
        drop: true,
        confirm: table,
        graceMs: 0,
        dryRun: false,
      } as const
      // Before the resume, too: the ledger determines which side counts.
      expect(await counted()).toBe(`${state} 24 1932`)
      if (state === 'failed') await place.sql(`UPDATE ${table} SET d = '2019-01-01' WHERE d = 'infinity'`)
      const log = join(archives, `public.${table}`, '_delta_log')
      const hasLog = existsSync(log) && readdirSync(log).some((name) => name.endsWith('.json'))
      // A table whose periods are all dropped has nothing due.
      if (state !== 'dropped' && state !== 'recreating')
        expect(await said(run)).toBe(`${state} ${hasLog || program !== 'postgresql' ? 'ARCHIVE_FOREIGN' : 'ok'}`)
      if (hasLog) {
        const adopt = { kind: 'archive-adopt', from, table, confirm: table, accept: [], dryRun: false } as const
        expect(await said(adopt)).toBe(`${state} ok`)
      }
      expect(await counted()).toBe(`${state} 24 1932`)
      // Twice: the second run drops what the first one detached.
      for (const _ of [1, 2]) expect(await said(run)).toBe(`${state} ok`)
      expect([
        state,
        await place.rows(
          `SELECT partition_name, state FROM migration_archive_partitions WHERE table_name = '${table}' ORDER BY 1`,
        ),
        await place.rows(`SELECT count(*), min(at::date::text) FROM ${table}`),
        await place.rows(
          `SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE '${table}\\_20%' AND relname NOT LIKE '%\\_2090'`,
        ),
      ]).toEqual([
        state,
        [
          ['2019', 'DROPPED'],
          ['2020', 'DROPPED'],
        ],
        [['8', '2090-01-03']],
        [],
      ])
      expect(await counted()).toBe(`${state} 24 1932`)
      expect(await said({ kind: 'restore', from, table, partitions, dryRun: false })).toBe(`${state} ok`)
      expect([state, await place.rows(`SELECT count(*), sum(n), count(DISTINCT id) FROM ${table}`)]).toEqual([
        state,
        [['24', '1932', '24']],
      ])
      expect(await counted()).toBe(`${state} 24 1932`)
      const own = await place.rows(
        `SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname = '${table}_2019_n'`,
      )
      expect(`${state} ${own.length}`).toBe(`${state} ${BARE.has(state) ? 0 : 1}`)
    }
    expect(
      await ended({
        kind: 'archive-verify',
        from,
        tables: states.map((state) => `t_${state}`),
        partitions: [],
        deep: true,
      }),
    ).toBe('ok')
    rmSync(folder, { recursive: true, force: true })
  },
)
