/** Numbered, forward-only migrations. A catalog created by a newer sluice is refused. */
import { createHash } from 'node:crypto'
import { asSluiceError, SluiceError } from '../shared/errors.ts'
import { isoTime } from '../shared/clock.ts'
import {
  REPEATABLE,
  type SessionLock,
  type SqlDatabase,
  type SqlReader,
  type SqlTransaction,
} from '../model/run/sql-port.ts'
import { OWN_TABLES } from '../stores/common/own-tables.ts'
import { dialectOf } from './dialect.ts'
import type { CatalogDialect, Migration } from './dialect-port.ts'

const TABLE = 'catalog_migrations'
const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS ${TABLE} (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, breaking INTEGER NOT NULL, applied_at TEXT NOT NULL)`
const LOCK_WAIT_MS = 30_000
const LOCK_POLL_MS = 100

export type CatalogPresence = 'absent' | 'present'

/**
 * Applies all missing migrations in one transaction. Where DDL commits implicitly, runs one statement at a time, and
 * each can run again.
 * @throws SluiceError CATALOG_NEWER, NOT_A_CATALOG; LEDGER_DAMAGED if the catalog has lost a table; TARGET_BUSY if
 * another program's migration does not end; TABLE_REFUSED if other users' objects block it
 */
export async function migrateCatalog(database: SqlDatabase, nowMs: number): Promise<void> {
  const dialect = dialectOf(database)
  if ((await applied(database, dialect)).length === dialect.migrations.length) return
  await using alone = await migrationLock(database)
  if (!alone.held) throw migrating(database)
  const binary = dialect.binaryCollation?.(database) ?? ''
  if (dialect.transactionalDdl) {
    await database.write((transaction) => migrate(transaction, dialect, nowMs, binary), REPEATABLE)
  } else {
    await database.write((transaction) => migrateByStatement(transaction, dialect, nowMs, binary), REPEATABLE)
  }
}

async function migrate(
  transaction: SqlTransaction,
  dialect: CatalogDialect,
  nowMs: number,
  binary: string,
): Promise<void> {
  const done = await applied(transaction, dialect)
  if (done.length === 0) await transaction.script(MIGRATIONS_TABLE)
  for (const migration of dialect.migrations.slice(done.length)) {
    await refuseBlocked(transaction, migration)
    // Insert the row first: a second process that migrates at the same time fails on the key, not in the middle of DDL.
    await record(transaction, migration, nowMs)
    await perform(transaction, migration, binary)
  }
}

/** Runs each missing migration, then inserts its row: a migration without a row runs again from its start. */
async function migrateByStatement(
  transaction: SqlTransaction,
  dialect: CatalogDialect,
  nowMs: number,
  binary: string,
): Promise<void> {
  const names = new Set((await transaction.all(dialect.objectNames)).map(([name]) => name))
  if (!names.has(TABLE)) {
    refuseForeign(names, undefined)
    await transaction.script(`${MIGRATIONS_TABLE}${dialect.tableEnd ?? ''}`.replaceAll('${binary}', binary))
  }
  const done = await applied(transaction, dialect)
  for (const migration of dialect.migrations.slice(done.length)) {
    await refuseBlocked(transaction, migration)
    await perform(transaction, migration, binary)
    await record(transaction, migration, nowMs)
  }
}

async function perform(transaction: SqlTransaction, { sql, done }: Migration, binary: string): Promise<void> {
  if (done !== undefined && (await transaction.all(done)).length > 0) return
  await transaction.script(sql.replaceAll('${binary}', binary))
}

/**
 * Refuses a migration that objects of other users block, such as a view on a column. These objects are never dropped.
 * @throws SluiceError TABLE_REFUSED
 */
async function refuseBlocked(reader: SqlReader, { name, blockers }: Migration): Promise<void> {
  if (blockers === undefined) return
  const others = (await reader.all(blockers)).map(([text]) => String(text))
  if (others.length === 0) return
  throw new SluiceError('TABLE_REFUSED', `the catalog cannot be upgraded (${name}): ${others.join(', ')}`, {
    reason: 'they refer to columns of migration_status whose type changes, and do not belong to the catalog',
    hint: 'save their definitions, drop them, run the same command again, then recreate them',
  })
}

async function record(transaction: SqlTransaction, migration: Migration, nowMs: number): Promise<void> {
  await transaction.run(`INSERT INTO ${TABLE} (version, name, checksum, breaking, applied_at) VALUES (?, ?, ?, ?, ?)`, [
    migration.version,
    migration.name,
    checksum(migration),
    migration.breaking ? 1 : 0,
    isoTime(nowMs),
  ])
}

async function migrationLock(database: SqlDatabase): Promise<SessionLock> {
  if (database.lock === undefined) return { held: true, [Symbol.asyncDispose]: async () => undefined }
  for (let waited = 0; waited < LOCK_WAIT_MS; waited += LOCK_POLL_MS) {
    const lock = await database.lock('migration')
    if (lock !== null) return lock
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS))
  }
  throw migrating(database)
}

function migrating(database: SqlDatabase): SluiceError {
  return new SluiceError('TARGET_BUSY', 'another program is creating or upgrading this catalog', {
    where: database.label,
    hint: 'wait until it ends, then run the same command again',
    retryable: true,
  })
}

/**
 * Finds out whether a database has a catalog that this program can read.
 * @throws SluiceError CATALOG_NEWER if a newer sluice created it; LEDGER_DAMAGED if it has lost a table
 */
export async function catalogPresence(database: SqlDatabase): Promise<CatalogPresence> {
  return (await applied(database, dialectOf(database))).length === 0 ? 'absent' : 'present'
}

async function applied(
  reader: SqlReader & { readonly label?: string },
  dialect: CatalogDialect,
): Promise<readonly number[]> {
  const names = new Set((await reader.all(dialect.objectNames)).map(([name]) => name))
  if (!names.has(TABLE)) {
    refuseForeign(names, reader.label)
    return []
  }
  const rows = await reader
    .all(`SELECT version, name, checksum, breaking FROM ${TABLE} ORDER BY version`)
    .catch((error: unknown) => {
      const { message, reason = '' } = asSluiceError(error)
      if (/column/i.test(`${message} ${reason}`)) throw notACatalog(reader.label)
      throw error
    })
  const known = dialect.migrations
  const versions: number[] = []
  for (const [version, name, sum, breaking] of rows) {
    const migration = known.find((m) => m.version === version)
    if (migration === undefined) {
      if (breaking === 0) continue
      throw newer(reader.label, `migration ${String(version)} (${String(name)}) is unknown to this sluice`)
    }
    if (checksum(migration) !== sum)
      throw newer(
        reader.label,
        `migration ${String(version)} (${String(name)}) differs from the same migration of this sluice`,
      )
    versions.push(migration.version)
  }
  await refuseIncomplete(reader, names, Math.max(0, ...versions))
  return versions
}

/**
 * Refuses a catalog that has lost a table: an empty new table would contradict the log.
 * @throws SluiceError LEDGER_DAMAGED
 */
async function refuseIncomplete(
  reader: SqlReader & { readonly label?: string },
  names: ReadonlySet<unknown>,
  version: number,
): Promise<void> {
  const lost: string[] = []
  for (const { name, owner, since } of OWN_TABLES)
    if (owner === 'catalog' && since <= version && !names.has(name) && !(await isHidden(reader, name))) lost.push(name)
  if (lost.length === 0) return
  const what = lost.length === 1 ? 'a table' : `${lost.length} tables`
  throw new SluiceError('LEDGER_DAMAGED', `the catalog lost ${what}: ${lost.join(', ')}`, {
    where: reader.label,
    reason: 'dropped, or restored only in part from a backup; nothing was changed',
    hint: 'restore all tables delta_*, catalog_* and migration_status from one backup; without a backup, drop the remaining ones, and import the logs again',
  })
}

/** True if a table exists that the server does not list because the login has no right on it. */
async function isHidden(reader: SqlReader, name: string): Promise<boolean> {
  try {
    await reader.all(`SELECT 1 FROM ${name} WHERE 1 = 0`)
    return true
  } catch (error) {
    const { code, retryable } = asSluiceError(error)
    // After a lost connection it is unknown whether the table exists.
    if (retryable) throw error
    return code === 'TARGET_DENIED'
  }
}

function refuseForeign(names: ReadonlySet<unknown>, label: string | undefined): void {
  if (!['delta_files', 'delta_tables', 'migration_status'].some((name) => names.has(name))) return
  throw notACatalog(label)
}

function notACatalog(label: string | undefined): SluiceError {
  return new SluiceError(
    'NOT_A_CATALOG',
    'the database has tables named like those of a catalog, but sluice did not create them',
    { where: label, hint: 'name another database for the catalog' },
  )
}

function newer(label: string | undefined, detail: string): SluiceError {
  return new SluiceError('CATALOG_NEWER', 'the catalog was created by a newer sluice', {
    where: label === undefined ? detail : `${label}: ${detail}`,
    hint: 'use the newer sluice, or name another catalog and import again',
  })
}

function checksum(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex').slice(0, 16)
}
