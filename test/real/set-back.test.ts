/**
 * Stores that must agree, with one of them restored to each earlier step: the results are the table of
 * docs/dev/set-back.md, and no row is lost without a report.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { copyOf, makePlace, type Place } from '../support/copy-systems.ts'
import { codeOf, fileSide, folderSide, tried, written } from './set-back-kit.ts'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-set-back-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('archive: ledger with its source, log, files', { timeout: 600_000 }, async () => {
  const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'to'), 12)
  const { run, drop, restore, sweep } = commandsOf(made)
  const { place, archive } = made
  const adopt: Operation = {
    kind: 'archive-adopt',
    from: place.url,
    table: TABLE,
    confirm: TABLE,
    accept: [],
    dryRun: false,
  }
  const all = await place.rows(`SELECT * FROM ${TABLE} ORDER BY id`)
  const sweeping = { ...sweep, retentionMs: 0 } as Operation
  const isLog = (path: string): boolean => path.startsWith('_delta_log')
  const lines = await tried({
    about: 'archive',
    sides: [
      fileSide('ledger and source', place),
      folderSide('log', archive, isLog),
      folderSide('files', archive, (path) => !isLog(path)),
    ],
    steps: [
      { name: 'run', operation: run },
      { name: 'drop', operation: drop },
      { name: 'restore', operation: restore },
      { name: 'run again', operation: { ...run, partitions: ['2020-Q1', '2020-Q2'] } as Operation },
      { name: 'drop again', operation: drop },
      { name: 'sweep', operation: sweeping },
    ],
    settle: async () => {
      const refused: string[] = []
      // Commands that may destroy data run first.
      for (const one of [sweeping, restore, adopt, sweeping, restore]) {
        if (one === adopt && refused.length === 0) continue
        for (const code of await codeOf(one)) if (!refused.includes(code)) refused.push(code)
      }
      return refused
    },
    isWhole: async () => JSON.stringify(await place.rows(`SELECT * FROM ${TABLE} ORDER BY id`)) === JSON.stringify(all),
  })
  expect(lines).toEqual(written('archive'))
})

test(
  'archive that another database continued: both ledgers with their sources, log, files',
  { timeout: 600_000 },
  async () => {
    const made = await makeBookings(await makePlace('sqlite', folder), 'plain', join(folder, 'moved'), 12)
    const { place: first, archive } = made
    const second: Place = { ...first, url: `sqlite:///${join(folder, 'second.db')}` }
    const [ofFirst, ofSecond] = [commandsOf(made), commandsOf({ ...made, place: second })]
    const adopt = ({ url }: Place): Operation => ({
      kind: 'archive-adopt',
      from: url,
      table: TABLE,
      confirm: TABLE,
      accept: [],
      dryRun: false,
    })
    const all = await first.rows(`SELECT * FROM ${TABLE} ORDER BY id`)
    const isLog = (path: string): boolean => path.startsWith('_delta_log')
    const fileOf = ({ url }: Place): string => url.slice('sqlite:///'.length)
    const lines = await tried({
      about: 'moved',
      sides: [
        fileSide('first ledger and source', first),
        fileSide('second ledger and source', second),
        folderSide('log', archive, isLog),
        folderSide('files', archive, (path) => !isLog(path)),
      ],
      steps: [
        { name: 'drop', operation: ofFirst.drop },
        {
          name: 'move',
          before: async () => {
            const database = new Database(fileOf(first))
            database.pragma('wal_checkpoint(TRUNCATE)')
            database.close()
            copyFileSync(fileOf(first), fileOf(second))
          },
          operation: adopt(second),
        },
        { name: 'restore there', operation: ofSecond.restore },
      ],
      settle: async () => {
        const refused: string[] = []
        const sweeps = [ofFirst, ofSecond].map(({ sweep }) => ({ ...sweep, retentionMs: 0 }) as Operation)
        // Commands that may destroy data run first.
        for (const one of [...sweeps, ofFirst.restore, adopt(first), ...sweeps, ofFirst.restore]) {
          if (one.kind === 'archive-adopt' && refused.length === 0) continue
          if ('from' in one && one.from === second.url && !existsSync(fileOf(second))) continue
          for (const code of await codeOf(one)) if (!refused.includes(code)) refused.push(code)
        }
        return refused
      },
      isWhole: async () =>
        JSON.stringify(await first.rows(`SELECT * FROM ${TABLE} ORDER BY id`)) === JSON.stringify(all),
    })
    expect(lines).toEqual(written('moved'))
  },
)

/**
 * Numbered rows in the source, forty more each time; the target must have all of them, even those that the source has
 * lost.
 */
function growing(
  source: Place,
  target: Place,
): { readonly more: () => Promise<void>; readonly count: () => number; readonly isWhole: () => Promise<boolean> } {
  let rows = 0
  const more = async (): Promise<void> => {
    rows += 40
    await source.sql(
      `WITH RECURSIVE n(i) AS (SELECT ${rows - 39} UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) INSERT INTO t SELECT i, 'v' || i FROM n`,
    )
  }
  return {
    more,
    count: () => rows,
    isWhole: async () => {
      const [there] = await target.rows('SELECT count(*), sum(id) FROM t')
      return there?.join() === `${rows},${(rows * (rows + 1)) / 2}`
    },
  }
}

test('copy: source, target with its ledger', { timeout: 300_000 }, async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)')
  const { more, isWhole } = growing(source, target)
  const copy = copyOf(source, target, 't', { chunkRows: 10 })
  const lines = await tried({
    about: 'copy',
    sides: [fileSide('source', source), fileSide('target and ledger', target)],
    steps: [
      { name: 'first', operation: copy, before: more },
      { name: 'second', operation: copy, before: more },
    ],
    settle: () => codeOf(copy),
    isWhole,
  })
  expect(lines).toEqual(written('copy'))
})

test('stream: source with its change log, target with its checkpoint', { timeout: 300_000 }, async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql('PRAGMA journal_mode = WAL', 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)')
  const { more, isWhole, count } = growing(source, target)
  const copy = copyOf(source, target, 't', { chunkRows: 10, follow: { cdc: 'trigger', until: 'caught-up' } })
  const lines = await tried({
    about: 'stream',
    sides: [fileSide('source', source), fileSide('target and checkpoint', target)],
    steps: [
      { name: 'first', operation: copy, before: more },
      { name: 'second', operation: copy, before: more },
      { name: 'third', operation: copy, before: more },
    ],
    settle: async () => {
      const refused = await codeOf(copy)
      const [has] = await source.rows('SELECT count(*) FROM t').catch(() => [])
      // The way out that a halt names makes the target equal to the source, so the source must be complete.
      if (refused.length === 0 || (await isWhole()) || has?.[0] !== String(count())) return refused
      return [...refused, 'then --restart', ...(await codeOf({ ...copy, restart: true }))]
    },
    isWhole,
  })
  expect(lines).toEqual(written('stream'))
})
