/**
 * A catalog of an older program: it can be read without an upgrade, it is upgraded in place, also after kill -9 after
 * any statement, and an import that the older program has begun continues.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dialectOf } from '../../src/catalog/dialect.ts'
import { CATALOG_LEASE_MS } from '../../src/catalog/lease.ts'
import { OWNERS_VERSION } from '../../src/catalog/migration-5.ts'
import { readStatus } from '../../src/catalog/status.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import type { SqlDatabase, SqlRow } from '../../src/model/run/sql-port.ts'
import { BACKEND, catalogUrl, makeRoom, openAt } from '../support/backend.ts'
import {
  add,
  importInto,
  METADATA,
  openCatalog,
  PROTOCOL,
  remove,
  temporaryFolder,
  writeLog,
} from '../support/catalog-kit.ts'
import { NOBODYS_PID } from '../support/lease-owners.ts'
import { perform } from '../real/operation-kit.ts'
import { childOf } from './kill-kit.ts'

const child = await childOf('catalog-upgrade-child.mjs')

/** Queries of the guide. */
const HISTORY = `SELECT table_id, status, version, files_processed, 
       started_at, completed_at, error_message
FROM migration_status 
ORDER BY started_at DESC;`
const FAILED = `SELECT table_id, error_message, started_at
FROM migration_status 
WHERE status = 'failed'
ORDER BY started_at DESC;`

/** Texts that may be in the columns, and the times they become; null if a text is not a time. */
const TEXTS: readonly (readonly [text: string, time: string | null])[] = [
  ['2026-11-20T12:04:16.204Z', '2026-11-20T12:04:16.204Z'],
  ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59.000Z'],
  ['2026-11-20 12:04:16.204567', '2026-11-20T12:04:16.204567Z'],
  ['2026-11-20 23:04:16-02:30', '2026-11-21T01:34:16.000Z'],
  ['2026-11-20T12:04:16.5+02', '2026-11-20T10:04:16.500Z'],
  ['2026-02-30T00:00:00.000Z', null],
  ['2026-13-01T00:00:00.000Z', null],
  ['0000-01-01T00:00:00.000Z', null],
  ['20.11.2026', null],
  ["it's now", null],
  ['now', null],
  ['', null],
]

/** A catalog as written by a program with only the first two migrations, as of commit 2b37cb5. */
async function oldCatalog(file: string): Promise<SqlDatabase> {
  const database = await openAt(file, 'write')
  const { migrations, binaryCollation, tableEnd = '' } = dialectOf(database)
  const binary = binaryCollation?.(database) ?? ''
  await database.write(async (transaction) => {
    await transaction.script(
      `CREATE TABLE catalog_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, breaking INTEGER NOT NULL, applied_at TEXT NOT NULL)${tableEnd.replaceAll('${binary}', binary)}`,
    )
    for (const { version, name, sql } of migrations.slice(0, 2)) {
      await transaction.script(sql.replaceAll('${binary}', binary))
      const sum = createHash('sha256').update(sql).digest('hex').slice(0, 16)
      await transaction.run('INSERT INTO catalog_migrations VALUES (?, ?, ?, 1, ?)', [version, name, sum, 'then'])
    }
  })
  return database
}

const IDS = TEXTS.map((_, i) => BigInt(i + 1))

async function writeTexts(database: SqlDatabase): Promise<void> {
  await database.write(async (transaction) => {
    for (const [i, [text]] of TEXTS.entries()) {
      await transaction.run(
        'INSERT INTO migration_status (import_id, table_id, status, files_processed, started_at, completed_at) VALUES (?, ?, ?, 0, ?, ?)',
        [IDS[i] ?? 0n, 'texts', 'completed', text, i % 2 === 0 ? null : text],
      )
    }
  })
}

async function queried(database: SqlDatabase, sql: string): Promise<readonly SqlRow[]> {
  const rows: SqlRow[] = []
  for await (const page of database.query(sql, { pageRows: 100, signal: new AbortController().signal }))
    rows.push(...page.rows)
  return rows
}

const TYPES = `SELECT lower(data_type), is_nullable FROM information_schema.columns WHERE table_name = 'migration_status'
  AND column_name IN ('started_at', 'completed_at') AND table_schema = ${BACKEND === 'mysql' ? 'database()' : 'current_schema()'}`

async function expectUpgraded(file: string): Promise<void> {
  await using database = await openAt(file, 'read')
  if (BACKEND !== 'sqlite') {
    const type = BACKEND === 'mysql' ? 'datetime' : 'timestamp with time zone'
    expect((await database.all(TYPES)).map((row) => row.map(String))).toEqual([
      [type, 'YES'],
      [type, 'YES'],
    ])
  }
  const rows = await readStatus(database, 'texts')
  const found = TEXTS.map((_, i) => rows.find(({ importId }) => importId === String(IDS[i])))
  // SQLite has no type for times, so other texts stay.
  const expected = TEXTS.map(([text, time]) => time ?? (BACKEND === 'sqlite' ? text : null))
  expect(found.map((row) => row?.startedAt)).toEqual(expected)
  expect(found.map((row) => row?.completedAt)).toEqual(expected.map((time, i) => (i % 2 === 0 ? null : time)))
  expect(await database.all('SELECT version FROM catalog_migrations ORDER BY version')).toEqual(
    dialectOf(database).migrations.map(({ version }) => [version]),
  )
}

test(`texts of an old catalog in ${BACKEND} become times; others become NULL, and their rows stay`, async () => {
  using folder = temporaryFolder()
  const file = join(folder.path, 'c.db')
  {
    await using old = await oldCatalog(file)
    await writeTexts(old)
    // Before the first write, it can be read as it is.
    const [first] = (await readStatus(old, 'texts')).filter(({ importId }) => importId === '1')
    expect(first?.startedAt).toBe('2026-11-20T12:04:16.204Z')
  }
  await (await openCatalog(file)).close()
  await expectUpgraded(file)
  await using database = await openAt(file, 'read')
  const history = await queried(database, HISTORY)
  expect(history).toHaveLength(TEXTS.length)
  // The guide's queries return the same texts as before.
  expect(history.map((row) => row[4])).toContain('2026-11-20T12:04:16.204Z')
  expect(history.map((row) => row[4])).toContain('2024-02-29T23:59:59' + (BACKEND === 'sqlite' ? 'Z' : '.000Z'))
  expect(await queried(database, FAILED)).toEqual([])
})

const KILLED = `kill -9 behind any statement of the upgrade in ${BACKEND} leaves something that the next one mends`
test.skipIf(BACKEND === 'sqlite')(KILLED, async () => {
  using folder = temporaryFolder()
  const count = await (async () => {
    const file = join(folder.path, 'whole.db')
    await (await oldCatalog(file)).close()
    return child.here(await makeRoom(file))
  })()
  // If a whole migration is one transaction, only its end needs a test.
  const moments = BACKEND === 'mysql' ? Array.from({ length: count }, (_, i) => i + 1) : [count]
  const file = join(folder.path, 'c.db')
  {
    await using old = await oldCatalog(file)
    await writeTexts(old)
  }
  for (const at of moments) {
    expect(child.run(catalogUrl(file), at)).toBe('killed')
    await using database = await openAt(file, 'read')
    expect(await database.all('SELECT max(version) FROM catalog_migrations')).toEqual([
      [BACKEND !== 'mysql' ? 2 : at < count ? 3 : 4],
    ])
    expect(await readStatus(database, 'texts')).toHaveLength(TEXTS.length)
  }
  await (await openCatalog(file)).close()
  await expectUpgraded(file)
})

test(`an import that the old program has begun in ${BACKEND} continues under its own id`, async () => {
  using folder = temporaryFolder()
  writeLog(folder.path, [[PROTOCOL, METADATA, add('a')], [add('b')], [remove('a'), add('c')], [add('d'), add('e')]])
  const file = join(folder.path, 'c.db')
  const importId = '1763640256204000000'
  {
    await using old = await oldCatalog(file)
    // This import runs the current program, which writes columns that the old program did not have.
    const owners = dialectOf(old).migrations.find(({ version }) => version === OWNERS_VERSION)
    await old.write((transaction) => transaction.script(owners?.sql ?? ''))
    const interrupt = new Interrupter()
    const stopped = await importInto(old, folder.path, {
      importId,
      batchSize: 1,
      interrupt,
      onProgress: () => interrupt.requestStop(),
    })
    expect(stopped.status).toBe('stopped')
    await old.write(async (transaction) => {
      await transaction.run(
        "UPDATE migration_status SET status = 'in_progress', started_at = '2026-11-20T12:04:16.204Z'",
      )
      // The old program was killed.
      const [now, gone] = [await old.now(), `owner = '17/t', host = 'here', pid = ${NOBODYS_PID}`]
      await transaction.run(`UPDATE catalog_leases SET ${gone}, expires_at = ?`, [now + CATALOG_LEASE_MS])
    })
    await old.write(async (transaction) => {
      for (const name of ['machine', 'process_started'])
        await transaction.script(`ALTER TABLE catalog_leases DROP COLUMN ${name}`)
    })
  }
  {
    await using database = await openCatalog(file)
    if (BACKEND === 'postgresql') {
      // A statement of an old program that is still running.
      await database.write((transaction) =>
        transaction.run('UPDATE migration_status SET completed_at = ? WHERE import_id = ?', [
          '2026-11-20T12:05:00.000Z',
          BigInt(importId),
        ]),
      )
    }
    await importInto(database, folder.path)
    expect(await readStatus(database)).toMatchObject([
      { importId, status: 'completed', version: 3, startedAt: '2026-11-20T12:04:16.204Z' },
    ])
    const [{ completedAt } = { completedAt: null }] = await readStatus(database)
    expect(completedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  }
  const { events, finished } = await perform({ kind: 'migration-status', catalog: catalogUrl(file) })
  expect(finished.exitCode).toBe(0)
  expect(events.find(({ type }) => type === 'run')).toMatchObject({ startedAt: '2026-11-20T12:04:16.204Z' })
})

test(`an old program refuses a catalog in ${BACKEND} that a newer one has upgraded`, async () => {
  using folder = temporaryFolder()
  await using database = await openCatalog(join(folder.path, 'c.db'))
  const upgrades = await database.all('SELECT version, breaking FROM catalog_migrations WHERE version > 3')
  expect(upgrades).toEqual([
    ...(BACKEND === 'sqlite' ? [] : [[4, 1]]),
    [OWNERS_VERSION, 0],
    ...(BACKEND === 'postgresql'
      ? [
          [6, 0],
          [7, 0],
        ]
      : []),
  ])
})

test.skipIf(BACKEND !== 'postgresql')(
  "a user's view of these columns is reported, and the upgrade changes nothing until it is dropped",
  async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'c.db')
    await using old = await oldCatalog(file)
    await writeTexts(old)
    await old.write((transaction) =>
      transaction.script(`CREATE VIEW "slow; imports" AS SELECT table_id, started_at FROM migration_status;
        CREATE VIEW counted AS SELECT status, count(*) FROM migration_status GROUP BY status`),
    )
    await expect(openCatalog(file)).rejects.toMatchObject({
      code: 'TABLE_REFUSED',
      message: 'the catalog cannot be upgraded (times of imports): view slow; imports',
    })
    expect(await old.all('SELECT max(version) FROM catalog_migrations')).toEqual([[2]])
    await old.write((transaction) => transaction.script('DROP VIEW "slow; imports"'))
    await (await openCatalog(file)).close()
    await expectUpgraded(file)
    expect(await old.all('SELECT * FROM counted')).toEqual([['completed', TEXTS.length]])
  },
)
