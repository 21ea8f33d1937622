/** The ledger of archives has a version: older ledgers are upgraded, newer ones are refused. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { archivedTables, readArchive, readDetached, readParts } from '../../src/archive/ledger/record.ts'
import { ARCHIVE_LEDGER_VERSION, prepareArchiveLedger } from '../../src/archive/ledger/schema.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'
import { oldSqliteArchives } from '../support/old-archives.ts'

const folder = (): string => mkdtempSync(join(tmpdir(), 'sluice-ledger-version-'))

/** The tables as the first version created them, on a server with a default character set other than UTF-8. */
const OLD_MYSQL = [
  `CREATE TABLE migration_archives (schema_name VARCHAR(190) NOT NULL, table_name VARCHAR(190) NOT NULL, archive LONGTEXT, archive_id VARCHAR(190),
    time_column VARCHAR(190), calendar LONGTEXT, stored LONGTEXT, grace_ms BIGINT, revision BIGINT, tool VARCHAR(190), created_ms BIGINT,
    PRIMARY KEY (schema_name, table_name)) DEFAULT CHARACTER SET latin1`,
  `CREATE TABLE migration_archive_partitions (schema_name VARCHAR(190) NOT NULL, table_name VARCHAR(190) NOT NULL, partition_name VARCHAR(190) NOT NULL,
    state VARCHAR(190), from_bound VARCHAR(190), to_bound VARCHAR(190), native_schema VARCHAR(190), native_table VARCHAR(190), native_identity VARCHAR(190),
    num_rows BIGINT, checksum VARCHAR(190), source_bytes BIGINT, file_bytes BIGINT, files LONGTEXT, file_prefix VARCHAR(190), delta_version BIGINT,
    removed_rows BIGINT, removed_sum VARCHAR(190), restoring BIGINT, retracted BIGINT, hold_reason LONGTEXT, fence BIGINT, owner VARCHAR(190),
    host VARCHAR(190), pid BIGINT, lease_until BIGINT, run_id BIGINT, read_view LONGTEXT, read_at VARCHAR(190), error_code VARCHAR(190),
    error_message LONGTEXT, planned_ms BIGINT, changed_ms BIGINT, export_ms BIGINT, drop_after_ms BIGINT,
    PRIMARY KEY (schema_name, table_name, partition_name)) DEFAULT CHARACTER SET latin1`,
  `INSERT INTO migration_archives (schema_name, table_name, archive, archive_id, calendar, stored, grace_ms, revision)
    VALUES ('', 'caf\u00e9', '/archive', 'id', '{}', '{"columns":[],"partitionColumn":"p","mapped":false,"sortBy":[]}', 0, 3)`,
  `INSERT INTO migration_archive_partitions (schema_name, table_name, partition_name, state, fence) VALUES ('', 'caf\u00e9', '2019', 'PLANNED', 1)`,
]

async function prepared(place: Place, times = 1): Promise<void> {
  await using store = await openCopyStore(place.url, { mode: 'write' })
  await using database = await store.ledger()
  await Promise.all(Array.from({ length: times }, () => prepareArchiveLedger(database)))
}

test.for(['sqlite', 'postgresql', 'mysql', 'duckdb'] as const)(
  '%s: several processes create one ledger',
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const place = await makePlace(system, folder())
    await prepared(place, 3)
    await prepared(place)
    expect(await place.rows('SELECT MAX(version) FROM migration_archive_ledger')).toEqual([
      [`${ARCHIVE_LEDGER_VERSION}`],
    ])
    await place.sql(`INSERT INTO migration_archive_ledger (version) VALUES (${ARCHIVE_LEDGER_VERSION + 1})`)
    await expect(prepared(place)).rejects.toMatchObject({ code: 'LEDGER_NEWER' })
  },
)

test('SQLite: a ledger without a version can be read, and gets a version with the first change', async () => {
  const { url, file } = oldSqliteArchives(folder())
  const list = { kind: 'archive-list', from: url, tables: [], count: false } as const
  const before = await perform(list)
  expect(before.finished).toMatchObject({ exitCode: 0, totals: { tables: '12', partitions: '24' } })
  const database = new Database(file)
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE name = 'migration_archive_ledger'")
  expect(tables.all()).toEqual([])
  const hold = { kind: 'archive-hold', from: url, table: 't_detached', partitions: ['2019'], reason: 'audit' } as const
  // The ledger stores the hold. An archive of a version that recorded no database must be adopted before its log can
  // record the hold.
  const { error } = (await perform(hold)).finished
  expect(error).toMatchObject({ code: 'ARCHIVE_FOREIGN', message: expect.stringContaining('is held') })
  expect(error?.hint).toContain('sluice archive adopt --table t_detached')
  const held =
    "SELECT hold_reason FROM migration_archive_partitions WHERE table_name = 't_detached' AND hold_reason IS NOT NULL"
  expect(database.prepare(held).all()).toEqual([{ hold_reason: 'audit' }])
  expect(database.prepare('SELECT version FROM migration_archive_ledger').all()).toEqual([
    { version: ARCHIVE_LEDGER_VERSION },
  ])
  expect((await perform(list)).finished).toMatchObject({ exitCode: 0, totals: { tables: '12', partitions: '24' } })
  database.prepare('UPDATE migration_archive_ledger SET version = 99').run()
  database.close()
  for (const operation of [list, { ...hold, reason: null }] as const) {
    expect((await perform(operation)).finished.error?.code).toBe('LEDGER_NEWER')
  }
})

test('PostgreSQL: a ledger without a version gets one, and keeps every partition', async ({ skip }) => {
  const why = await missing('postgresql')
  if (why !== '') skip(why)
  const place = await makePlace('postgresql', folder())
  const dump = readFileSync(join(import.meta.dirname, '../../fixtures/archives/sqlite.sql'), 'utf8').split('\n')
  const ledger = dump.filter((line) => /^(?:CREATE TABLE|INSERT INTO) migration_/.test(line))
  await place.sql(...ledger.map((line) => (line.startsWith('CREATE') ? line.replaceAll('INTEGER', 'BIGINT') : line)))
  await prepared(place, 2)
  await using store = await openCopyStore(place.url, { mode: 'write' })
  await using database = await store.ledger()
  const found = await readArchive(database, { name: 't_landed' })
  expect(found?.partitions.map(({ label, state, logged }) => [label, state, logged])).toEqual([
    ['2019', 'VERIFIED', null],
    ['2020', 'PLANNED', null],
  ])
  expect(await archivedTables(database)).toHaveLength(12)
})

test('MySQL: the texts of an older ledger become UTF-8, and upper case differs from lower case', async ({ skip }) => {
  const why = await missing('mysql')
  if (why !== '') skip(why)
  const place = await makePlace('mysql', folder())
  await place.sql(...OLD_MYSQL)
  await prepared(place)
  await place.sql(
    `INSERT INTO migration_archives (schema_name, table_name, archive, archive_id, calendar, stored, grace_ms, revision)
      SELECT schema_name, 'Caf\u00e9', archive, archive_id, calendar, stored, grace_ms, revision FROM migration_archives`,
    `INSERT INTO migration_archives (schema_name, table_name, archive, archive_id, calendar, stored, grace_ms, revision)
      SELECT schema_name, '\u5ba2\u6236', archive, archive_id, calendar, stored, grace_ms, revision FROM migration_archives LIMIT 1`,
  )
  await using store = await openCopyStore(place.url, { mode: 'write' })
  await using database = await store.ledger()
  const found = await readArchive(database, { name: 'caf\u00e9' })
  expect(found).toMatchObject({
    archive: '/archive',
    revision: '3',
    origin: null,
    partitions: [{ label: '2019', logged: null }],
  })
  expect(await readArchive(database, { name: '\u5ba2\u6236' })).not.toBeNull()
})

/** One table with parts and detached periods, and another table. */
const INDEXED = [
  `INSERT INTO migration_archives (schema_name, table_name, archive, archive_id, calendar, stored, grace_ms, revision)
    VALUES ('', 't', '/archive', 'id', '{}', '{"columns":[],"partitionColumn":"p","mapped":false,"sortBy":[]}', 0, 3)`,
  `INSERT INTO migration_archive_partitions (schema_name, table_name, partition_name, state, fence, period, part, native_table, native_identity) VALUES
    ('', 't', '2019', 'DROPPED', 1, NULL, NULL, NULL, NULL), ('', 't', '2019.part10', 'DETACHED', 1, '2019', 10, NULL, NULL),
    ('', 't', '2019.part2', 'DROPPED', 1, '2019', 2, NULL, NULL), ('', 't', '2020', 'DETACHED', 1, NULL, NULL, NULL, NULL),
    ('', 't', '2021', 'DETACHED', 1, NULL, NULL, 't_2021', '17'), ('', 'u', '2019', 'DETACHED', 1, NULL, NULL, NULL, NULL),
    ('', 'u', '2019.part2', 'DETACHED', 1, '2019', 2, NULL, NULL)`,
]
/** The statement that shows an execution plan. */
const EXPLAINED = { sqlite: 'EXPLAIN QUERY PLAN', postgresql: 'EXPLAIN', mysql: 'EXPLAIN' } as const

test.for(['sqlite', 'postgresql', 'mysql'] as const)(
  '%s: parts of a period and detached periods are found by indexes, in a ledger of an older version, too',
  async (system, { skip }) => {
    const why = await missing(system)
    if (why !== '') skip(why)
    const place = await makePlace(system, folder())
    await prepared(place)
    const indexes = ['by_period', 'by_state'].map((name) => `migration_archive_partitions_${name}`)
    for (const name of indexes) {
      await place.sql(`DROP INDEX ${name}${system === 'mysql' ? ' ON migration_archive_partitions' : ''}`)
    }
    await place.sql('UPDATE migration_archive_ledger SET version = 6')
    await prepared(place, 2)
    await place.sql(...INDEXED)
    // Enough rows that no planner chooses a full scan.
    const many = Array.from({ length: 2000 }, (_, i) => `('', 't', 'p${i}', 'DROPPED', 1, 'p', ${i + 2})`)
    await place.sql(
      `INSERT INTO migration_archive_partitions (schema_name, table_name, partition_name, state, fence, period, part) VALUES ${many.join(', ')}`,
      system === 'mysql' ? 'ANALYZE TABLE migration_archive_partitions' : 'ANALYZE',
    )
    const plans = await Promise.all(
      ["period = '2019'", "state = 'DETACHED'"].map((where) =>
        place.rows(
          `${EXPLAINED[system]} SELECT files FROM migration_archive_partitions WHERE schema_name = '' AND table_name = 't' AND ${where}`,
        ),
      ),
    )
    expect(
      plans.map((rows, i) =>
        rows
          .flat()
          .join(' ')
          .includes(indexes[i] ?? '?'),
      ),
    ).toEqual([true, true])
    await using store = await openCopyStore(place.url, { mode: 'write' })
    await using database = await store.ledger()
    const labels = (found: readonly { readonly label: string }[]): readonly string[] => found.map(({ label }) => label)
    expect(labels(await readParts(database, { name: 't' }, '2019'))).toEqual(['2019', '2019.part2', '2019.part10'])
    expect(labels(await readParts(database, { name: 't' }, '2019.part2'))).toEqual([])
    expect(labels(await readDetached(database, { name: 't' })).toSorted()).toEqual(['2019.part10', '2020'])
  },
)
