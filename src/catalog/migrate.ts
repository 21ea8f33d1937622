/** Numbered, forward-only migrations. A catalog that a newer sluice made is refused, never guessed at. */
import { createHash } from 'node:crypto'
import { SluiceError } from '../shared/errors.ts'
import { isoTime } from '../shared/clock.ts'
import type { SqlDatabase, SqlReader } from '../stores/port.ts'
import { dialectOf } from './dialect.ts'
import type { CatalogDialect, Migration } from './dialect-port.ts'

const TABLE = 'catalog_migrations'

export type CatalogPresence = 'absent' | 'present'

/**
 * Brings a database to the newest schema, one transaction for all that is missing.
 * @throws SluiceError CATALOG_NEWER, NOT_A_CATALOG
 */
export async function migrateCatalog(database: SqlDatabase, nowMs: number): Promise<void> {
  const dialect = dialectOf(database)
  if ((await applied(database, dialect)).length === dialect.migrations.length) return
  await database.write(async (transaction) => {
    const done = await applied(transaction, dialect)
    if (done.length === 0) {
      await transaction.script(
        `CREATE TABLE IF NOT EXISTS ${TABLE} (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, breaking INTEGER NOT NULL, applied_at TEXT NOT NULL)`,
      )
    }
    for (const migration of dialect.migrations.slice(done.length)) {
      // The row first: a second process that migrates at the same time fails on its key and not in the middle of DDL.
      await transaction.run(
        `INSERT INTO ${TABLE} (version, name, checksum, breaking, applied_at) VALUES (?, ?, ?, ?, ?)`,
        [migration.version, migration.name, checksum(migration), migration.breaking ? 1 : 0, isoTime(nowMs)],
      )
      await transaction.script(migration.sql)
    }
  })
}

/**
 * Says whether a database holds a catalog this tool can read.
 * @throws SluiceError CATALOG_NEWER when a newer tool made it
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
    if (names.has('delta_files') || names.has('delta_tables') || names.has('migration_status')) {
      throw new SluiceError(
        'NOT_A_CATALOG',
        'the database holds tables named like a catalog, but sluice did not make them',
        {
          ...(reader.label === undefined ? {} : { where: reader.label }),
          hint: 'name another database for the catalog',
        },
      )
    }
    return []
  }
  const rows = await reader.all(`SELECT version, name, checksum, breaking FROM ${TABLE} ORDER BY version`)
  const known = dialect.migrations
  const versions: number[] = []
  for (const [version, name, sum, breaking] of rows) {
    const migration = known.find((m) => m.version === version)
    if (migration === undefined) {
      if (breaking === 0) continue
      throw newer(reader.label, `migration ${String(version)} (${String(name)}) is unknown here`)
    }
    if (checksum(migration) !== sum)
      throw newer(reader.label, `migration ${String(version)} (${String(name)}) differs from ours`)
    versions.push(migration.version)
  }
  return versions
}

function newer(label: string | undefined, detail: string): SluiceError {
  return new SluiceError('CATALOG_NEWER', 'the catalog was made by a newer sluice', {
    where: label === undefined ? detail : `${label}: ${detail}`,
    hint: 'use the newer sluice, or name another catalog and import again',
  })
}

function checksum(migration: Migration): string {
  return createHash('sha256').update(migration.sql).digest('hex').slice(0, 16)
}
