/**
 * A log that was cleaned past the catalog: the table moves to a new base, and every reader sees the old state or the
 * new one.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { shareOf } from '../support/backend.ts'
import { answersOf } from '../support/answers.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { differencesOf, validated } from './validate-setup.ts'
import {
  add,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'

const domain = (name: string, removed = false): Line => ({
  domainMetadata: { domain: name, configuration: '{}', removed },
})
const COMMITS: readonly (readonly Line[])[] = [
  [PROTOCOL, METADATA, add('a'), add('b'), { txn: { appId: 'old', version: 1 } }, domain('gone'), domain('stays')],
  [remove('a'), add('c', { partitionValues: { day: '2024-01-02' } })],
  [add('d'), { txn: { appId: 'new', version: 2 } }],
  [remove('b'), domain('gone', true), add('e', { partitionValues: { day: '2024-01-03' } })],
  [remove('d'), add('b', { size: 7 }), add('f')],
  [remove('c'), add('g')],
]
/** Without the transaction of `old`, as if it had expired. */
const BASE = checkpointOf(COMMITS, 4).filter((line) => !JSON.stringify(line).includes('"old"'))

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const thrown = await promise.then(
    () => null,
    (error: unknown) => error,
  )
  return thrown instanceof SluiceError ? thrown.code : String(thrown)
}

/** The catalog at version 1, and its log cleaned up to checkpoint 4. */
async function cleaned(table: string, database: SqlDatabase): Promise<void> {
  writeLog(table, COMMITS.slice(0, 2))
  await importInto(database, table)
  writeLog(table, COMMITS)
  writeCheckpoint(table, 4, BASE)
  dropCommits(table, 0, 4)
}

/** The database, with a check after every transaction. */
function watched(database: SqlDatabase, look: () => Promise<void>): SqlDatabase {
  return new Proxy(database, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (key !== 'write' || typeof value !== 'function') {
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      }
      return async (...given: Parameters<SqlDatabase['write']>): Promise<unknown> => {
        const result: unknown = await target.write(...given)
        await look()
        return result
      }
    },
  })
}

describe('a move to a new base', () => {
  test.each(shareOf([1, 3, 10_000], 3))(
    'shows the old or the new state at every step, batch size %i',
    async (batchSize) => {
      using folder = temporaryFolder()
      const table = join(folder.path, 'table')
      await using database = await openCatalog(join(folder.path, 'c.db'))
      await cleaned(table, database)
      await using other = await openCatalog(join(folder.path, 'fresh.db'))
      await importInto(other, table)
      const old = await answersOf(database, 't')
      const seen: string[] = []
      const notes: string[] = []
      const result = await importInto(
        watched(database, async () => {
          seen.push(await answersOf(database, 't'))
        }),
        table,
        { batchSize, stepRows: 2, onNote: (note) => notes.push(note) },
      )
      const fresh = await answersOf(other, 't')
      expect(result).toMatchObject({ status: 'completed', version: 5, historyFrom: 4 })
      expect(notes).toEqual(['the log was cleaned past version 1: history now begins at version 4'])
      expect(await answersOf(database, 't')).toBe(fresh)
      const before = seen.findIndex((one) => one !== old)
      expect(before).toBeGreaterThan(5)
      // Between the base and the last commit the catalog is at complete versions of the new history.
      for (const one of seen.slice(before)) expect([4, 5]).toContain((JSON.parse(one) as number[])[0])
      expect(seen.at(-1)).toBe(fresh)
      const { differences, events } = await validated({ catalog: database, log: openLocalLog(table), tableId: 't' })
      expect(differences, JSON.stringify(events.filter(({ type }) => type === 'verify.mismatch'))).toBe(0)
      for (const relation of ['delta_files', 'delta_actions', 'delta_txns', 'delta_domains', 'delta_partitions']) {
        const count = `SELECT count(*) FROM ${relation} WHERE table_id = 't'`
        expect(await database.all(count), relation).toEqual(await other.all(count))
      }
      expect(await codeOf(readableTable(database, { tableId: 't' }, 1))).toBe('HISTORY_MISSING')
      expect((await importInto(database, table)).status).toBe('current')
    },
  )

  test('that was stopped half-way leaves the old state, and starts again', async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await cleaned(table, database)
    const old = await answersOf(database, 't')
    const interrupt = new Interrupter()
    const stopped = await importInto(database, table, {
      batchSize: 1,
      stepRows: 2,
      interrupt,
      onProgress: () => interrupt.requestStop(),
    })
    expect(stopped).toMatchObject({ status: 'stopped', version: 1 })
    expect(await answersOf(database, 't')).toBe(old)
    // The log may be cleaned further before the next run.
    writeCheckpoint(table, 5, checkpointOf(COMMITS, 5))
    rmSync(join(table, '_delta_log', '00000000000000000004.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json'))
    dropCommits(table, 5, 5)
    expect(await importInto(database, table)).toMatchObject({ status: 'completed', version: 5, historyFrom: 5 })
    const { differences } = await validated({ catalog: database, log: openLocalLog(table), tableId: 't' })
    expect(differences).toBe(0)
  })

  test('that ended before the old history was deleted has no difference, although the log has older commits', async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    writeLog(table, COMMITS.slice(0, 2))
    await importInto(database, table)
    writeLog(table, COMMITS)
    writeCheckpoint(table, 4, BASE)
    dropCommits(table, 0, 2)
    dropCommits(table, 4, 4)
    const isMoved = async (): Promise<boolean> =>
      (await database.all('SELECT 1 FROM delta_tables WHERE current_version >= 4')).length > 0
    const dying = watched(database, async () => {
      if (await isMoved()) throw new Error('killed')
    })
    await expect(importInto(dying, table, { batchSize: 1, stepRows: 2 })).rejects.toThrow('killed')
    // Another user restored some of the older commits.
    writeLog(table, COMMITS)
    for (const version of [2, 4]) dropCommits(table, version, version)
    const at = { catalog: database, log: openLocalLog(table), tableId: 't' }
    expect(differencesOf((await validated(at)).events)).toEqual([])
    expect(await importInto(database, table)).toMatchObject({ status: 'completed', version: 5, historyFrom: 4 })
    expect(differencesOf((await validated(at)).events)).toEqual([])
  })

  test('of another table is refused, and so is a shorter or edited log', async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await cleaned(table, database)
    const old = await answersOf(database, 't')
    const stranger = JSON.parse(JSON.stringify(BASE).replaceAll('5fba94ed', '00000000')) as Line[]
    writeCheckpoint(table, 4, stranger)
    expect(await codeOf(importInto(database, table))).toBe('LOG_REWRITTEN')
    // The same with the commits above the known version present, and a checkpoint of that version.
    writeLog(table, COMMITS)
    rmSync(join(table, '_delta_log', '00000000000000000004.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json'))
    writeCheckpoint(table, 1, [...stranger.slice(0, -1), { checkpointMetadata: { version: 1 } }])
    dropCommits(table, 0, 1)
    expect(await codeOf(importInto(database, table))).toBe('LOG_REWRITTEN')
    dropCommits(table, 1, 5)
    rmSync(join(table, '_delta_log'), { recursive: true })
    writeLog(table, COMMITS.slice(0, 1))
    expect(await codeOf(importInto(database, table))).toBe('LOG_REWRITTEN')
    expect(await answersOf(database, 't')).toBe(old)
  })
})

describe('a log that has older commits and lacks a later one was not cleaned', () => {
  const WAYS = [
    ['import', {}],
    ['sync', { olderCompared: true }],
  ] as const
  test.each(WAYS)('%s writes nothing until the commit arrives', async (_, how) => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    writeLog(table, COMMITS.slice(0, 4))
    await importInto(database, table)
    // Only the catalog has versions 0 to 1.
    writeCheckpoint(table, 2, checkpointOf(COMMITS, 2))
    dropCommits(table, 0, 1)
    await importInto(database, table, how)
    const old = await answersOf(database, 't')
    // A copy of the log receives 5 and its checkpoint before 4.
    writeLog(table, COMMITS.slice(5), 5)
    writeCheckpoint(table, 5, checkpointOf(COMMITS, 5))
    const late = {
      code: 'LOG_GAP',
      message: 'commit 4 is missing between commit 3 and commit 5',
      retryable: true,
      hint: expect.stringContaining('sluice rollback t --forget --confirm=t') as string,
    }
    await expect(importInto(database, table, how)).rejects.toMatchObject(late)
    // Neither is it a cleanup if the newest known commit is late as well.
    dropCommits(table, 3, 3)
    await expect(importInto(database, table, how)).rejects.toMatchObject(late)
    expect(await answersOf(database, 't')).toBe(old)
    writeLog(table, COMMITS.slice(3, 5), 3)
    expect(await importInto(database, table, how)).toMatchObject({ status: 'completed', version: 5, historyFrom: 0 })
    await using whole = await openCatalog(join(folder.path, 'whole.db'))
    writeLog(join(folder.path, 'other'), COMMITS)
    await importInto(whole, join(folder.path, 'other'))
    expect(await answersOf(database, 't')).toBe(await answersOf(whole, 't'))
  })

  test('nor is it a cleanup if the newest version is only in a checkpoint', async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    writeLog(table, COMMITS.slice(0, 4))
    await importInto(database, table)
    writeCheckpoint(table, 5, checkpointOf(COMMITS, 5))
    await expect(importInto(database, table)).rejects.toMatchObject({
      code: 'LOG_GAP',
      message: 'commits 4 to 5 are missing after commit 3',
    })
    writeLog(table, COMMITS.slice(4), 4)
    expect(await importInto(database, table)).toMatchObject({ status: 'completed', version: 5, historyFrom: 0 })
  })
})

describe('a log that still has every commit above the known version', () => {
  test('is continued without a new base, even if the known commit is gone', async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    writeLog(table, COMMITS.slice(0, 3))
    await importInto(database, table)
    writeLog(table, COMMITS)
    writeCheckpoint(table, 4, BASE)
    dropCommits(table, 0, 2)
    expect(await importInto(database, table)).toMatchObject({ version: 5, historyFrom: 0 })
    await using whole = await openCatalog(join(folder.path, 'whole.db'))
    writeLog(join(folder.path, 'other'), COMMITS)
    await importInto(whole, join(folder.path, 'other'))
    expect(await answersOf(database, 't')).toBe(await answersOf(whole, 't'))
  })

  test('is continued from a later checkpoint if that of the known version cannot be read', async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    writeLog(table, COMMITS.slice(0, 3))
    await importInto(database, table)
    writeLog(table, COMMITS)
    writeCheckpoint(table, 2, [{ checkpointMetadata: { version: 2 } }])
    writeCheckpoint(table, 4, BASE)
    dropCommits(table, 0, 2)
    expect(await importInto(database, table)).toMatchObject({ version: 5, historyFrom: 0 })
  })

  test('is not read again below it; an older commit of another size is found by a full listing', async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    writeLog(table, COMMITS.slice(0, 3))
    await importInto(database, table)
    const log = openLocalLog(table)
    const lists: (string | undefined)[] = []
    const reads: string[] = []
    const counted = {
      ...log,
      root: log.root,
      label: log.label,
      list: (path: string, options: Parameters<typeof log.list>[1]) => {
        lists.push(options.after)
        return log.list(path, options)
      },
      read: (path: string, options: Parameters<typeof log.read>[1]) => {
        reads.push(path)
        return log.read(path, options)
      },
      head: log.head.bind(log),
      localFile: log.localFile.bind(log),
    }
    writeLog(table, COMMITS.slice(3, 5), 3)
    await importInto(database, table, { log: counted, olderCompared: true })
    expect(lists).toEqual(['00000000000000000002'])
    expect(new Set(reads.map((path) => path.slice(-6, -5)))).toEqual(new Set(['2', '3', '4']))
    // The known commit is removed, so a full listing is needed; commit 1 has changed.
    writeCheckpoint(table, 4, checkpointOf(COMMITS, 4))
    dropCommits(table, 4, 4)
    writeLog(table, [[remove('a'), add('cc', { partitionValues: { day: '2024-01-02' } })]], 1)
    expect(existsSync(join(table, '_delta_log'))).toBe(true)
    expect(await codeOf(importInto(database, table))).toBe('LOG_REWRITTEN')
  })
})

describe('another history of the same table, whose known commit is gone', () => {
  // The table was restored to version 1, and others wrote more commits.
  const OTHER = [...COMMITS.slice(0, 2), ...[2, 3, 4, 5].map((version) => [add(`other-${version}`)])]

  const CASES: readonly (readonly [string, (table: string) => void])[] = [
    [
      'a checkpoint one version above',
      (table) => {
        writeLog(table, OTHER)
        writeCheckpoint(table, 4, checkpointOf(OTHER, 4))
        dropCommits(table, 0, 3)
      },
    ],
    [
      'a checkpoint two versions above',
      (table) => {
        writeLog(table, OTHER)
        writeCheckpoint(table, 5, checkpointOf(OTHER, 5))
        dropCommits(table, 0, 3)
      },
    ],
    [
      'a checkpoint of the very version, and nothing new',
      (table) => {
        writeLog(table, OTHER.slice(0, 4))
        writeCheckpoint(table, 3, checkpointOf(OTHER, 3))
        dropCommits(table, 0, 3)
      },
    ],
  ]
  test.each(CASES)('is refused by its files: %s', async (_, rewrite) => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    writeLog(table, COMMITS.slice(0, 4))
    await importInto(database, table)
    const old = await answersOf(database, 't')
    rmSync(join(table, '_delta_log'), { recursive: true })
    rewrite(table)
    await expect(importInto(database, table)).rejects.toMatchObject({
      code: 'LOG_REWRITTEN',
      message: expect.stringMatching(
        /commit 3 is gone, and version \d has other files: only in the log: .*other-\d.*; only in the catalog: .*[de]/,
      ) as string,
    })
    expect(await answersOf(database, 't')).toBe(old)
  })

  test.each([
    ['the metadata', { metaData: { ...(METADATA as { metaData: object }).metaData, configuration: { owner: 'a' } } }],
    ['transaction new', { txn: { appId: 'new', version: 9 } }],
    ['domain other', domain('other')],
  ])('is refused by what it declares, with the same files: %s', async (what, lost) => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    const known = [...COMMITS.slice(0, 3), [lost]]
    writeLog(table, known)
    await importInto(database, table)
    const old = await answersOf(database, 't')
    const later = [[add('x')], [add('y')]]
    const continued = (version3: readonly Line[]): void => {
      const log = [...COMMITS.slice(0, 3), version3, ...later]
      rmSync(join(table, '_delta_log'), { recursive: true })
      writeLog(table, log)
      writeCheckpoint(table, 4, checkpointOf(log, 4))
      dropCommits(table, 0, 3)
    }
    continued([{ commitInfo: { operation: 'OTHER' } }])
    await expect(importInto(database, table)).rejects.toMatchObject({
      code: 'LOG_REWRITTEN',
      message: expect.stringContaining(`commit 3 is gone, and version 4 declares otherwise: ${what}`) as string,
    })
    expect(await answersOf(database, 't')).toBe(old)
    continued([lost])
    expect(await importInto(database, table)).toMatchObject({ status: 'completed', version: 5 })
  })

  test('is refused if the catalog knew its version only from a checkpoint', async () => {
    using folder = temporaryFolder()
    const table = join(folder.path, 'table')
    await using database = await openCatalog(join(folder.path, 'c.db'))
    writeCheckpoint(table, 3, checkpointOf(COMMITS, 3))
    await importInto(database, table)
    expect(await importInto(database, table)).toMatchObject({ status: 'current' })
    rmSync(join(table, '_delta_log'), { recursive: true })
    writeLog(table, OTHER)
    expect(await codeOf(importInto(database, table))).toBe('LOG_REWRITTEN')
    writeLog(table, COMMITS)
    expect(await importInto(database, table)).toMatchObject({ status: 'completed', version: 5 })
  })
})
