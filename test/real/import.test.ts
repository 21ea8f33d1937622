/**
 * The importer and its users, with a real SQLite file: locks, manual damage, rewritten logs, hostile names, full disks.
 */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readableTable } from '../../src/catalog/catalog.ts'
import { acquireLease, releaseLease } from '../../src/catalog/lease.ts'
import { refuseImport } from '../../src/engine/lake/import/plan.ts'
import type { Cursor } from '../../src/catalog/import/head.ts'
import type { ImportOptions } from '../../src/catalog/import/options.ts'
import { setMany } from '../../src/catalog/import/set-many.ts'
import { versionAtTime } from '../../src/catalog/query/counts.ts'
import { activeFiles } from '../../src/catalog/query/files.ts'
import { PARTITION_COLUMNS } from '../../src/catalog/relations.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { FilePages } from '../../src/engine/lake/queries/files-page.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import { Interrupter, NEVER } from '../../src/shared/abort.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { keyHash } from '../../src/shared/hash.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import type { SqlDatabase, SqlReader } from '../../src/model/run/sql-port.ts'
import { BACKEND, ON_SERVER, openAt, shareOf } from '../support/backend.ts'
import {
  ENDED,
  holderOf,
  add,
  dumpCatalog,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
  type Line,
} from '../support/catalog-kit.ts'
import { checkpointOf, dropCommits, writeCheckpoint } from '../support/cleaned-log.ts'
import { losingCommits } from '../support/lost-commits.ts'
import { differencesOf, validated } from './validate-setup.ts'

const FIRST: readonly Line[] = [PROTOCOL, METADATA, add('a'), add('b')]

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'none'
  } catch (error) {
    return error instanceof SluiceError ? error.code : String(error)
  }
}

async function paths(database: SqlDatabase, version: number): Promise<string[]> {
  const found: string[] = []
  for await (const page of activeFiles(database, 't', version)) found.push(...page.map(({ path }) => path))
  return found.toSorted()
}

test('a name that is spelled with escapes is the same name in both passes', async () => {
  using folder = temporaryFolder()
  const deletionVector = {
    storageType: 'u',
    pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^',
    offset: 4,
    sizeInBytes: 40,
    cardinality: 6,
  }
  writeLog(folder.path, [FIRST, [add('c', { deletionVector })], [remove('c', { deletionVector })]])
  for (const version of [1, 2]) {
    const file = join(folder.path, '_delta_log', `${String(version).padStart(20, '0')}.json`)
    writeFileSync(file, readFileSync(file, 'utf8').replace('deletionVector', String.raw`deletionVecto\u0072`))
  }
  await using database = await openCatalog(join(folder.path, 'c.db'))
  expect(await importInto(database, folder.path)).toMatchObject({ status: 'completed', version: 2 })
  expect(await paths(database, 1)).toEqual(['a', 'b', 'c'])
  expect(await paths(database, 2)).toEqual(['a', 'b'])
})

test('a second import adds only what is new', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  expect(await importInto(database, folder.path)).toMatchObject({ status: 'completed', version: 0, actions: 4 })
  writeLog(folder.path, [[remove('a'), add('c')]], 1)
  expect(await importInto(database, folder.path)).toMatchObject({ status: 'completed', version: 1, actions: 2 })
  expect(await importInto(database, folder.path)).toMatchObject({ status: 'current', version: 1 })
  expect(await paths(database, 0)).toEqual(['a', 'b'])
  expect(await paths(database, 1)).toEqual(['b', 'c'])
  const [row] = await database.all('SELECT count(*) FROM migration_status')
  expect(row).toEqual([2])
})

test('after the two DELETEs of the guide the catalog is refused by name, and an import from the start is correct', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST, [add('c')]])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, folder.path)
  const before = await dumpCatalog(database)
  await database.write(async (transaction) => {
    await transaction.run("DELETE FROM delta_files WHERE table_id = 't'")
    await transaction.run("DELETE FROM migration_status WHERE table_id = 't'")
  })
  await expect(readableTable(database, { tableId: 't' })).rejects.toThrow(/t is no longer in the catalog/)
  await importInto(database, folder.path)
  expect(await dumpCatalog(database)).toBe(before)

  // One of the two alone makes the table unreadable.
  await database.write((transaction) => transaction.run("DELETE FROM delta_files WHERE table_id = 't'"))
  expect(await codeOf(readableTable(database, { tableId: 't' }))).toBe('NOT_IMPORTED')
})

test('a table that another run imports is refused with the lease owner; the lease of a dead owner is taken at once', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  const other = holderOf('sluice import elsewhere')
  const lease = await acquireLease(database, 't', other)
  await expect(importInto(database, folder.path)).rejects.toMatchObject({
    code: 'TABLE_LOCKED',
    where: expect.stringContaining(`process ${process.pid} on here`) as string,
  })
  await releaseLease(database, lease)
  await acquireLease(database, 't', holderOf('killed', ENDED))
  expect(await importInto(database, folder.path)).toMatchObject({
    status: 'completed',
  })
})

test('a run that lost its lease writes nothing more', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST, ...Array.from({ length: 20 }, (_, i) => [add(`f${i}`)])])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  let stolen = false
  // One transaction: between two, the owner could renew the lease.
  const steal = async (): Promise<void> => {
    if (stolen) return
    stolen = true
    await database.write((transaction) =>
      transaction.run("UPDATE catalog_leases SET owner = 'thief', fence = fence + 1 WHERE table_id = 't'"),
    )
  }
  expect(await codeOf(importInto(database, folder.path, { batchSize: 2, whilePaused: steal }))).toBe('LEASE_LOST')
})

test('a stop ends at a version boundary, and the next import continues from there', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST, ...Array.from({ length: 30 }, (_, i) => [add(`f${i}`)])])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  const interrupt = new Interrupter()
  const stopped = await importInto(database, folder.path, {
    batchSize: 5,
    interrupt,
    onProgress: () => interrupt.requestStop(),
  })
  expect(stopped.status).toBe('stopped')
  expect(await codeOf(readableTable(database, { tableId: 't' }))).toBe('IMPORT_UNFINISHED')
  const [row] = await database.all("SELECT status, version FROM migration_status WHERE table_id = 't'")
  expect(row).toEqual(['stopped', stopped.version])
  const again = new Interrupter()
  await importInto(database, folder.path, { batchSize: 5, interrupt: again, onProgress: () => again.requestStop() })
  expect(await importInto(database, folder.path)).toMatchObject({ status: 'completed', version: 30, resumed: true })
  // The totals are those of the whole import, and not of its last run.
  const [[files] = []] = await database.all("SELECT count(*) FROM delta_files WHERE table_id = 't'")
  expect(await database.all('SELECT files_processed FROM migration_status')).toEqual([[files]])
})

const REMOVING: readonly (readonly Line[])[] = [FIRST, [add('c')], [remove('a'), add('d')], [remove('b'), add('e')]]

test('an import whose COMMITs are lost writes each batch once: from the start, and after a stop', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  writeLog(table, REMOVING)
  await using whole = await openCatalog(join(folder.path, 'whole.db'))
  await importInto(whole, table, { batchSize: 1 })
  const expected = await dumpCatalog(whole)
  for (const stopped of ['no', 'yes', 'by an older program']) {
    await using database = await openCatalog(join(folder.path, `${stopped}.db`))
    if (stopped !== 'no') {
      const interrupt = new Interrupter()
      const onProgress: ImportOptions['onProgress'] = ({ version }) => {
        if (version === 0) interrupt.requestStop()
      }
      await importInto(database, table, { batchSize: 1, interrupt, onProgress })
    }
    if (stopped === 'by an older program') {
      const [[cursor] = []] = await database.all('SELECT "cursor" FROM delta_tables')
      const older = JSON.stringify({ ...(JSON.parse(String(cursor)) as Cursor), transaction: undefined })
      await database.write((transaction) => transaction.run('UPDATE delta_tables SET "cursor" = ?', [older]))
    }
    await importInto(losingCommits(database), table, { batchSize: 1 })
    expect(await dumpCatalog(database)).toBe(expected)
  }
})

test('an import whose COMMITs are lost has all commits below its base; validate names one that the catalog lacks', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const commits = [...REMOVING, [add('f')], [add('g')]]
  writeLog(table, commits)
  writeCheckpoint(table, 4, checkpointOf(commits, 4))
  dropCommits(table, 3, 4)
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(losingCommits(database), table, { batchSize: 1 })
  const below = 'SELECT DISTINCT version FROM delta_actions WHERE version < 4 ORDER BY version'
  expect(await database.all(below)).toEqual([[0], [1], [2]])
  const at = { catalog: database, log: openLocalLog(table), tableId: 't' }
  expect((await validated(at)).differences).toBe(0)
  await database.write((transaction) => transaction.run('DELETE FROM delta_actions WHERE version = 1'))
  expect(differencesOf((await validated(at)).events)).toMatchObject([/^actions v1 .*/])
})

/** A log of which a cleanup removes commits as soon as `name` is read for the `time`th time. */
function cleanedAt(table: string, name: string, time: number, cleanup: () => void): LogStore {
  let reads = 0
  return new Proxy(openLocalLog(table), {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      return (...given: unknown[]): unknown => {
        if (key === 'read' && String(given[0]).endsWith(name) && ++reads === time) cleanup()
        return value.apply(target, given) as unknown
      }
    },
  })
}

test.each([
  { when: 'below the base', kept: [0, 1, 2, 5, 6], at: 5, time: 1, cleaned: [0, 1], named: 'commits 0 to 1' },
  { when: 'in the first pass', kept: [0, 1, 2, 3, 4, 5, 6], at: 1, time: 1, cleaned: [0, 3], named: 'commits 0 to 3' },
  { when: 'in the second pass', kept: [0, 1, 2, 3, 4, 5, 6], at: 2, time: 2, cleaned: [0, 3], named: 'commits 0 to 3' },
  { when: 'of the base itself', kept: [4, 5, 6], at: 4, time: 1, cleaned: [4, 4], named: 'commit 4' },
])('an import goes on from the checkpoint if commits are cleaned up during it: $when', async (given) => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'table')
  const commits = [...REMOVING, [add('f')], [add('g')], [add('h')]]
  writeLog(table, commits)
  writeCheckpoint(table, 4, checkpointOf(commits, 4))
  for (const version of commits.keys()) if (!given.kept.includes(version)) dropCommits(table, version, version)
  const cleanup = (): void => dropCommits(table, given.cleaned[0] as number, given.cleaned[1] as number)
  const log = cleanedAt(table, `${given.at}.json`, given.time, cleanup)
  const notes: string[] = []
  await using database = await openCatalog(join(folder.path, 'c.db'))
  const result = await importInto(database, table, { log, batchSize: 1, onNote: (note) => notes.push(note) })
  expect(result).toMatchObject({ status: 'completed', version: 6, historyFrom: 4 })
  expect(notes.join('\n')).toContain(`a log cleanup removed ${given.named}`)
  await using other = await openCatalog(join(folder.path, 'other.db'))
  await importInto(other, table, { batchSize: 1 })
  const cells = (one: SqlDatabase) => one.all('SELECT version, line, raw FROM delta_actions ORDER BY version, line')
  expect(await cells(database)).toEqual(await cells(other))
  expect((await validated({ catalog: database, log: openLocalLog(table), tableId: 't' })).differences).toBe(0)
})

test('a validation during which an import ends finds no difference', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, folder.path)
  writeLog(
    folder.path,
    Array.from({ length: 6 }, (_, i) => [add(`f${i}`)]),
    1,
  )
  const interrupt = new Interrupter()
  await importInto(database, folder.path, { batchSize: 2, interrupt, onProgress: () => interrupt.requestStop() })
  // The log is listed after the catalog's rows have been read.
  let importing: Promise<unknown> | null = null
  const log = new Proxy(openLocalLog(folder.path), {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (key !== 'list' || typeof value !== 'function') {
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      }
      return async function* (...given: unknown[]) {
        importing ??= importInto(database, folder.path)
        expect(await importing).toMatchObject({ status: 'completed', version: 6 })
        yield* value.apply(target, given) as AsyncIterable<unknown>
      }
    },
  })
  const { events, notes } = await validated({ catalog: database, log, tableId: 't' })
  expect(importing).not.toBeNull()
  expect(differencesOf(events)).toEqual([])
  expect(notes.join()).toContain('an import is unfinished')
})

test('a rewritten log is never mixed with its earlier versions', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST, [add('c')]])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, folder.path)
  const commit = join(folder.path, '_delta_log', '00000000000000000001.json')
  const text = readFileSync(commit, 'utf8')
  writeFileSync(commit, text.replace('"c"', '"X"'))
  writeLog(folder.path, [[add('d')]], 2)
  expect(await codeOf(importInto(database, folder.path))).toBe('LOG_REWRITTEN')
  writeFileSync(commit, text)
  rmSync(join(folder.path, '_delta_log', '00000000000000000002.json'))
  rmSync(commit)
  expect(await codeOf(importInto(database, folder.path))).toBe('LOG_REWRITTEN')
})

test('a commit that changes during its import is found', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST, [add('c')], [add('d')]])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  const commit = join(folder.path, '_delta_log', '00000000000000000002.json')
  const onStart = (): void => appendFileSync(commit, `${JSON.stringify(add('e'))}\n`)
  expect(await codeOf(importInto(database, folder.path, { onStart }))).toBe('LOG_CHANGED')
})

test('broken lines and gaps fail by name and are recorded; a repaired log imports', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST, [add('c')], [add('d')]])
  const commit = join(folder.path, '_delta_log', '00000000000000000001.json')
  const text = readFileSync(commit, 'utf8')
  await using database = await openCatalog(join(folder.path, 'c.db'))
  writeFileSync(commit, text.slice(0, 40))
  await expect(importInto(database, folder.path)).rejects.toMatchObject({
    code: 'BAD_ACTION',
    where: expect.stringContaining('00001.json:1') as string,
  })
  rmSync(commit)
  expect(await codeOf(importInto(database, folder.path))).toBe('LOG_GAP')
  const failures = await database.all(
    "SELECT error_message FROM migration_status WHERE status = 'failed' ORDER BY import_id",
  )
  expect(failures.map(([message]) => String(message).split(':')[0])).toEqual(['BAD_ACTION', 'LOG_GAP'])
  writeFileSync(commit, text)
  expect(await importInto(database, folder.path)).toMatchObject({ status: 'completed', version: 2 })
  expect(await paths(database, 2)).toEqual(['a', 'b', 'c', 'd'])
})

test('paths with quotes, newlines, emoji and half surrogates are read back unchanged', async () => {
  using folder = temporaryFolder()
  const names = [
    '"; DROP TABLE delta_files; --',
    "it's",
    'line\nbreak',
    '😀/🚰.parquet',
    'tab\there',
    '%2520',
    ...(BACKEND === 'postgresql' ? [] : ['nul\u0000']),
    '\\back',
    '../up.parquet',
  ]
  const lake = join(folder.path, 'lake "x"; --')
  mkdirSync(lake)
  writeLog(lake, [
    [PROTOCOL, METADATA, ...names.map((name) => add(name, { partitionValues: { day: name }, tags: { [name]: name } }))],
  ])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, lake)
  expect(await paths(database, 0)).toEqual([...names].toSorted())
  const [row] = await database.all('SELECT count(*) FROM delta_partitions')
  expect(row).toEqual([names.length])
})

test.skipIf(BACKEND !== 'postgresql')('a NUL in a text is refused by name if the database cannot hold it', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST, [add('nul\u0000')]])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await expect(importInto(database, folder.path)).rejects.toMatchObject({
    code: 'VALUE_REFUSED',
    message: 'column path of delta_files cannot store the character U+0000',
  })
  expect(await codeOf(readableTable(database, { tableId: 't' }))).toBe('IMPORT_UNFINISHED')
})

test('numbers at the limits: int64 statistics stay text, absurd sizes are refused', async () => {
  using folder = temporaryFolder()
  const stats = '{"numRecords":1,"minValues":{"id":-9223372036854775808},"maxValues":{"id":9223372036854775807}}'
  writeLog(folder.path, [[PROTOCOL, METADATA, add('a', { stats }), { txn: { appId: 'x', version: 1 } }]])
  const commit = join(folder.path, '_delta_log', '00000000000000000000.json')
  writeFileSync(commit, readFileSync(commit, 'utf8').replace('"version":1}', '"version":9223372036854775807}'))
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, folder.path)
  expect(await database.all('SELECT stats FROM delta_files')).toEqual([[stats]])
  expect(await database.all('SELECT CAST(txn_version AS TEXT) FROM delta_txns')).toEqual([['9223372036854775807']])
  writeFileSync(commit, readFileSync(commit, 'utf8').replace('"size":100', '"size":9223372036854775807'))
  await using other = await openCatalog(join(folder.path, 'd.db'))
  expect(await codeOf(importInto(other, folder.path))).toBe('BAD_ACTION')
})

test.skipIf(BACKEND !== 'sqlite')(
  'a full disk is reported in the words of the guide, loses nothing, and the import continues afterwards',
  async () => {
    using folder = temporaryFolder()
    const big = 'x'.repeat(4_000)
    writeLog(folder.path, [FIRST, ...Array.from({ length: 60 }, (_, i) => [add(`f${i}`, { tags: { big } })])])
    const file = join(folder.path, 'c.db')
    await using database = await openCatalog(file)
    const limit = (pages: number): Promise<void> =>
      database.write((transaction) => transaction.script(`PRAGMA max_page_count = ${pages}`))
    await limit(45)
    await expect(importInto(database, folder.path, { batchSize: 5 })).rejects.toMatchObject({
      code: 'NO_SPACE',
      message: 'Disk space exhausted',
    })
    await limit(1_000_000)
    await importInto(database, folder.path, { batchSize: 5 })
    await using clean = await openCatalog(join(folder.path, 'd.db'))
    await importInto(clean, folder.path)
    const body = (dump: string): string => dump.slice(0, dump.indexOf('migration_status'))
    expect(body(await dumpCatalog(database))).toBe(body(await dumpCatalog(clean)))
  },
)

test("a catalog of a newer version and another program's database are refused", async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'c.db')
  {
    await using database = await openCatalog(file)
    await database.write((transaction) =>
      transaction.run("INSERT INTO catalog_migrations VALUES (99, 'future', 'x', 1, '2030-01-01')"),
    )
  }
  expect(await codeOf(openCatalog(file))).toBe('CATALOG_NEWER')
  const foreign = join(folder.path, 'foreign.db')
  {
    await using database = await openAt(foreign, 'write')
    await database.write((transaction) => transaction.script('CREATE TABLE delta_files (x INTEGER)'))
  }
  expect(await codeOf(openCatalog(foreign))).toBe('NOT_A_CATALOG')
})

test.skipIf(ON_SERVER)('a file that is no database and a missing folder are refused', async () => {
  using folder = temporaryFolder()
  const text = join(folder.path, 'text.db')
  writeFileSync(text, 'no database at all, only some text that is long enough to be a page of one'.repeat(100))
  expect(await codeOf(openCatalog(text))).toBe('TARGET_CORRUPT')
  expect(await codeOf(openCatalog(join(folder.path, 'no/such/folder/c.db')))).toBe('CONNECT_FAILED')
})

test('a log that was cleaned past the catalog is imported again from its checkpoint, and this is reported', async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [FIRST])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, folder.path)
  const log = join(folder.path, '_delta_log')
  rmSync(join(log, '00000000000000000000.json'))
  const checkpoint = join(log, '00000000000000000005.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json')
  const lines = [PROTOCOL, METADATA, add('z'), { checkpointMetadata: { version: 5 } }]
  writeFileSync(checkpoint, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  utimesSync(checkpoint, 1_700_000_005, 1_700_000_005)
  const notes: string[] = []
  const result = await importInto(database, folder.path, { onNote: (note) => notes.push(note) })
  expect(result).toMatchObject({ version: 5, historyFrom: 5, files: 1 })
  expect(notes.join()).toContain('cleaned past version 0')
  expect(await codeOf(readableTable(database, { tableId: 't' }, 0))).toBe('HISTORY_MISSING')
  expect(existsSync(checkpoint) && statSync(checkpoint).size > 0).toBe(true)
})

test('import --moved refuses a log without any imported commit: nothing shows that it is the same one', async () => {
  using folder = temporaryFolder()
  const [a, b] = [join(folder.path, 'a'), join(folder.path, 'b')]
  writeLog(a, [FIRST, [add('x')]])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, a)
  cpSync(a, b, { recursive: true })
  const log = join(b, '_delta_log')
  for (const version of [0, 1]) rmSync(join(log, `${String(version).padStart(20, '0')}.json`))
  const lines = [PROTOCOL, METADATA, add('z'), { checkpointMetadata: { version: 5 } }]
  const checkpoint = join(log, '00000000000000000005.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json')
  writeFileSync(checkpoint, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  rmSync(a, { recursive: true })
  await expect(importInto(database, b, { moved: true })).rejects.toMatchObject({
    code: 'LOG_REWRITTEN',
    message: 'the newest imported commit cannot be compared with this log',
  })
  expect(await database.all('SELECT location, current_version FROM delta_tables')).toEqual([[openLocalLog(a).root, 1]])
})

const IN_COMMIT: Line = {
  protocol: { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['inCommitTimestamp'] },
}
const T = 1_500_000_000_000
/** Metadata with in-commit timestamps: enabled, from a version on if one is given, or disabled. */
function timed(on: boolean, from?: readonly [version: number, time: number]): Line {
  const configuration = {
    'delta.enableInCommitTimestamps': String(on),
    ...(from === undefined
      ? {}
      : {
          'delta.inCommitTimestampEnablementVersion': String(from[0]),
          'delta.inCommitTimestampEnablementTimestamp': String(from[1]),
        }),
  }
  return { metaData: { ...(METADATA['metaData'] as Line), configuration } }
}
const at = (inCommitTimestamp: number): Line => ({
  commitInfo: { inCommitTimestamp, timestamp: 1, operation: 'WRITE' },
})
const noted: Line = { commitInfo: { timestamp: 1, operation: 'WRITE' } }
/** Times of commit files: from 1.7e12 on, a second apart (`writeLog`). */
const FILE = 1_700_000_000_000
const switched: readonly (readonly [string, readonly (readonly Line[])[], readonly number[]])[] = [
  [
    'off, where the commits had been ahead of their files',
    [[at(FILE + 60_000), IN_COMMIT, timed(true)], [at(FILE + 61_000)], [noted, timed(false)], [noted, add('c')]],
    [FILE, FILE + 1000, FILE + 2000, FILE + 3000],
  ],
  [
    'off by the protocol alone',
    [[at(T), IN_COMMIT, timed(true)], [at(T + 10)], [noted, PROTOCOL], [noted]],
    [FILE, FILE + 1000, FILE + 2000, FILE + 3000],
  ],
  [
    'off and on again from a later version on',
    [
      [at(T), IN_COMMIT, timed(true)],
      [at(T + 10), timed(false)],
      [at(FILE + 1500), timed(true, [2, FILE + 1500])],
      [at(FILE + 1600)],
    ],
    [FILE, FILE + 1000, FILE + 1500, FILE + 1600],
  ],
  [
    'on for the whole history',
    [[at(T), IN_COMMIT, timed(false)], [at(T + 10)], [at(T + 20), timed(true)], [at(T + 30)]],
    [T, T + 10, T + 20, T + 30],
  ],
]

test.each(switched)(
  'commit times, switched %s, follow the rule of the newest version',
  async (_name, commits, times) => {
    for (const [steps, batchSize] of [
      [1, 10_000],
      [1, 1],
      [commits.length, 10_000],
    ] as const) {
      using folder = temporaryFolder()
      await using database = await openCatalog(join(folder.path, 'c.db'))
      if (steps === 1) writeLog(folder.path, commits)
      for (let step = 0; step < steps; step++) {
        if (steps > 1) writeLog(folder.path, [commits[step] ?? []], step)
        await importInto(database, folder.path, { batchSize })
      }
      const rows = await database.all("SELECT commit_time FROM delta_commits WHERE table_id = 't' ORDER BY version")
      expect(rows.flat(), `${steps} imports, batches of ${batchSize}`).toEqual(times)
      const [head] = await database.all("SELECT current_commit_time FROM delta_tables WHERE table_id = 't'")
      expect(head).toEqual([times.at(-1)])
      const log = openLocalLog(folder.path)
      const table = await DeltaTable.open(log, parquetRows, NEVER.abort)
      for (const time of times.flatMap((one) => [one, one + 1])) {
        expect(await versionAtTime(database, 't', time), String(time)).toBe(await table.versionAt(time))
      }
      if (steps === 1) continue
      const { differences, events } = await validated({ catalog: database, log, tableId: 't' })
      expect(differencesOf(events)).toEqual([])
      expect(differences).toBe(0)
    }
  },
)

test('an import recomputes times that an older program stored by the rule of each version', async () => {
  using folder = temporaryFolder()
  const [, commits, times] = switched[0] as (typeof switched)[number]
  writeLog(folder.path, commits)
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, folder.path)
  const stored = async (): Promise<unknown> =>
    (await database.all("SELECT commit_time FROM delta_commits WHERE table_id = 't' ORDER BY version")).flat()
  const age = async (): Promise<void> => {
    await database.write(async (transaction) => {
      const old = [FILE + 60_000, FILE + 61_000, FILE + 61_001, FILE + 61_002]
      for (const [version, time] of old.entries()) {
        await transaction.run('UPDATE delta_commits SET commit_time = ?, in_commit_time = ? WHERE version = ?', [
          time,
          version < 2 ? 1 : 0,
          version,
        ])
      }
      await transaction.run('UPDATE delta_tables SET current_commit_time = ?', [old[3] ?? 0])
    })
  }
  await age()
  expect((await importInto(database, folder.path)).status).toBe('current')
  expect(await stored()).toEqual(times)
  expect(await database.all('SELECT current_commit_time FROM delta_tables')).toEqual([[times[3]]])
  await age()
  writeLog(folder.path, [[noted]], 4)
  await importInto(database, folder.path)
  expect(await stored()).toEqual([...times, FILE + 4000])
})

/** Spark and others name files of the table itself by absolute paths: a shallow clone, a convert, a restore. */
const spelled: readonly (readonly [
  string,
  readonly ((at: { a: string; b: string }) => readonly Line[])[],
  string[] | null,
])[] = [
  [
    'in its own folder, removed by the same name',
    [({ a }) => [add(`file://${a}/x`)], ({ a }) => [remove(`file:${a}/x`)]],
    ['a', 'b'],
  ],
  ['in the folder that it is moved to', [({ b }) => [add(`file://${b}/x`)], () => [remove('x')]], ['a', 'b']],
  ['beside its folder', [() => [add('../y')], ({ b }) => [remove(`file://${b.replace(/[^/]*$/, 'y')}`)]], ['a', 'b']],
  ['elsewhere, for all folders', [() => [add('file:///far/x')], () => [remove('/far/x')]], ['a', 'b']],
  // From the other folder, this remove names a file that was never added; the added one stays.
  ['where it means another file from the other folder', [({ a }) => [remove(`file://${a}/a`)], () => [add('c')]], null],
  [
    'where a remove of another file means one from the other folder',
    [({ b }) => [remove(`${b}/a`)], () => [add('c')]],
    null,
  ],
]

test.each(shareOf(spelled, 2))(
  'import --moved resolves or refuses a file that is named %s',
  async (_name, [before, after], left) => {
    using folder = temporaryFolder()
    const [a, b] = [join(folder.path, 'a'), join(folder.path, 'deep', 'b')]
    writeLog(a, [FIRST, before?.({ a, b }) ?? []])
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await importInto(database, a)
    cpSync(a, b, { recursive: true, preserveTimestamps: true })
    rmSync(a, { recursive: true })
    const follow = async (): Promise<unknown> => importInto(database, b, { moved: true })
    const plan = async (): Promise<void> =>
      refuseImport({
        database,
        log: openLocalLog(b),
        parquet: parquetRows,
        tableId: 't',
        moved: true,
        interrupt: NEVER,
      })
    const place = async (): Promise<unknown> => (await database.all('SELECT location FROM delta_tables'))[0]?.[0]
    if (left === null) {
      await expect(follow()).rejects.toMatchObject({
        code: 'LOG_REWRITTEN',
        message: expect.stringContaining('"a"') as string,
        hint: expect.stringContaining('sluice rollback t --forget --confirm=t') as string,
      })
      await expect(plan()).rejects.toMatchObject({ code: 'LOG_REWRITTEN' })
      expect(await place()).toBe(openLocalLog(a).root)
      return
    }
    await plan()
    expect(await place()).toBe(openLocalLog(a).root)
    await follow()
    expect(await place()).toBe(openLocalLog(b).root)
    writeLog(b, [after?.({ a, b }) ?? []], 2)
    await importInto(database, b)
    expect(await paths(database, 2)).toEqual(left)
    const { differences, events } = await validated({ catalog: database, log: openLocalLog(b), tableId: 't' })
    expect(differencesOf(events)).toEqual([])
    expect(differences).toBe(0)
  },
)

test('import --moved reads every remaining commit, even with unchanged times, before it adopts their times', async () => {
  using folder = temporaryFolder()
  const [a, b] = [join(folder.path, 'a'), join(folder.path, 'b')]
  const commits = Array.from({ length: 150 }, (_, version) => [add(`f${String(version).padStart(3, '0')}`)])
  writeLog(a, [FIRST, ...commits])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, a)
  cpSync(a, b, { recursive: true, preserveTimestamps: true })
  rmSync(a, { recursive: true })
  const logFile = (version: number): string => join(b, '_delta_log', `${String(version).padStart(20, '0')}.json`)
  const place = async (): Promise<unknown> => (await database.all('SELECT location FROM delta_tables'))[0]?.[0]
  const edit = (version: number, from: string, to: string): void => {
    writeFileSync(logFile(version), readFileSync(logFile(version), 'utf8').replace(from, to))
  }
  const { atime, mtime } = statSync(logFile(4))
  for (const version of commits.keys()) utimesSync(logFile(version + 1), 1_800_000_000, 1_800_000_000 + version)
  for (const times of ['another', 'its own']) {
    edit(4, 'f003', 'g003')
    if (times === 'its own') utimesSync(logFile(4), atime, mtime)
    await expect(importInto(database, b, { moved: true }), times).rejects.toMatchObject({
      code: 'LOG_REWRITTEN',
      message: expect.stringContaining('commit 4 has changed') as string,
    })
    expect(await place()).toBe(openLocalLog(a).root)
    edit(4, 'g003', 'f003')
  }
  const notes: string[] = []
  await importInto(database, b, { moved: true, onNote: (note) => void notes.push(note) })
  expect(notes).toContainEqual(expect.stringContaining('150 older commits were read and have the same bytes'))
  expect(await place()).toBe(openLocalLog(b).root)
})

test('keys that an older program left under the old root after a move get the new root with another --moved', async () => {
  using folder = temporaryFolder()
  const table = join(folder.path, 'a')
  writeLog(table, [FIRST, [add(`file://${table}/x`)]])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, table)
  const keys = async (): Promise<unknown> => database.all('SELECT key_hash FROM delta_files ORDER BY file_no')
  const right = await keys()
  await database.write((transaction) => transaction.run("UPDATE delta_files SET key_hash = 7 WHERE path LIKE 'file:%'"))
  await importInto(database, table, { moved: true })
  expect(await keys()).toEqual(right)
})

test('a partition is one row, whatever the column order of its writers, and an import merges those of an older program', async () => {
  using folder = temporaryFolder()
  const metaData = { ...(METADATA['metaData'] as Line), partitionColumns: ['b', 'a', 'c'] }
  const placed = (path: string, partitionValues: Line): Line => add(path, { partitionValues })
  const orders: readonly Line[] = [
    { b: 'x', a: '1', c: null },
    { a: '1', c: '', b: 'x' },
    { c: null, b: 'x', a: '1' },
  ]
  const commits = orders.map((values, i) => [placed(`x${i}`, values), placed(`y${i}`, { ...values, a: '2' })])
  writeLog(folder.path, [[PROTOCOL, { metaData }, ...(commits[0] ?? [])], ...commits.slice(1, 2)])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, folder.path)
  writeLog(folder.path, commits.slice(2), 2)
  await importInto(database, folder.path, { olderCompared: true })
  const stats = async (): Promise<unknown> =>
    database.all('SELECT partition_values, num_files FROM delta_partition_stats ORDER BY partition_values')
  const right = [
    ['{"b":"x","a":"1","c":null}', 3],
    ['{"b":"x","a":"2","c":null}', 3],
  ]
  expect(await stats()).toEqual(right)
  const proved = async (): Promise<string> => {
    const { differences, events, notes } = await validated({
      catalog: database,
      log: openLocalLog(folder.path),
      tableId: 't',
    })
    expect(differencesOf(events)).toEqual([])
    expect(differences).toBe(0)
    return notes.join()
  }
  expect(await proved()).not.toContain('delta_partitions')
  await unmergePartitions(database)
  expect(await proved()).toContain('2 partitions have several rows in delta_partitions')
  // A query for new commits only reads their partitions, and finds them under the keys of the older program.
  writeLog(folder.path, [[placed('x4', { c: null, b: 'x', a: '1' })]], 3)
  await importInto(database, folder.path, { olderCompared: true })
  expect(await database.all('SELECT count(*) FROM delta_partitions')).toEqual([[6]])
  await importInto(database, folder.path)
  expect(await stats()).toEqual([['{"b":"x","a":"1","c":null}', 4], right[1]])
  expect(await database.all('SELECT count(*) FROM delta_partitions')).toEqual([[2]])
  expect(await proved()).not.toContain('delta_partitions')
})

test('a sync finds the partition that an older program stored by the text of its writer', async () => {
  using folder = temporaryFolder()
  const unnamed = (path: string): Line => add(path, { partitionValues: { day: '' } })
  writeLog(folder.path, [[PROTOCOL, METADATA, unnamed('a')]])
  await using database = await openCatalog(join(folder.path, 'c.db'))
  await importInto(database, folder.path)
  await unmergePartitions(database)
  writeLog(folder.path, [[unnamed('b')], [add('c', { partitionValues: { day: null } })], [unnamed('d')]], 1)
  await importInto(database, folder.path, { olderCompared: true })
  expect(await database.all('SELECT num_files FROM delta_partition_stats')).toEqual([[4]])
})

// Only one program at a time can open a DuckDB file.
test.skipIf(BACKEND === 'duckdb')(
  'the Files tab has every file of a condition while an import merges partitions',
  async () => {
    using folder = temporaryFolder()
    const days = Array.from({ length: 500 }, (_, i) => new Date(i * 86_400_000).toISOString().slice(0, 10))
    const files = [null, ...days, ''].map((day, i) => add(`f${i}`, { partitionValues: { day } }))
    writeLog(folder.path, [[PROTOCOL, METADATA, ...files]])
    await using database = await openCatalog(join(folder.path, 'c.db'))
    await importInto(database, folder.path)
    await unmergePartitions(database)
    let merged = false
    /** Merges after the first page of files. */
    const merging = (reader: SqlReader): SqlReader => ({
      dialect: reader.dialect,
      all: async (sql, parameters) => reader.all(sql, parameters),
      async *pages(...question) {
        yield* reader.pages(...question)
        if (merged) return
        merged = true
        await importInto(database, folder.path)
      },
    })
    await using viewer = await openAt(join(folder.path, 'c.db'), 'read')
    const watched = new Proxy(viewer, {
      get(target, name) {
        if (name === 'all' || name === 'pages') return merging(target)[name]
        if (name === 'read')
          return async <T>(body: (reader: SqlReader) => Promise<T>): Promise<T> =>
            target.read(async (reader) => body(merging(reader)))
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    const table = await readableTable(database, { tableId: 't' })
    const located = { from: 'catalog', database: watched, table, importId: 'x', path: folder.path } as const
    const where = "day IS NULL OR day >= '1970-01-01'"
    const query = { where, sort: 'path', descending: false, from: 0, count: 10 } as const
    const page = await new FilePages().page(located, query, new AbortController().signal)
    expect(merged).toBe(true)
    expect(await database.all('SELECT count(*) FROM delta_partitions')).toEqual([[501]])
    expect(page.total).toBe(502)
  },
)

/** Stores partitions as an older program did: a row for each text of its values, found by the hash of that text. */
async function unmergePartitions(database: SqlDatabase): Promise<void> {
  await database.write(async (transaction) => {
    await transaction.run('DELETE FROM delta_partitions')
    const rows = await transaction.all('SELECT file_no, partition_values FROM delta_files ORDER BY file_no')
    const texts = [...new Set(rows.map(([, values]) => String(values)))]
    await transaction.load(
      'delta_partitions',
      PARTITION_COLUMNS,
      texts.map((text, i) => [i + 1, 't', keyHash(text, null), text]),
    )
    const numbers = rows.map(([fileNo, values]) => [Number(fileNo), texts.indexOf(String(values)) + 1] as const)
    await setMany(
      transaction,
      { relation: 'delta_files', key: 'file_no', column: 'partition_no', tableId: 't' },
      numbers,
    )
  })
}
