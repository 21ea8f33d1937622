/**
 * The archive tables of the ledger, in the source database: `migration_archives`, one row per table;
 * `migration_archive_partitions`, one row per partition with its state; `migration_archive_history`, state
 * changes of partitions, for users; `migration_archive_heads`, ownership tokens of the Delta log that this ledger wrote
 * or intends to write; `migration_archive_commits`, the sha256 of each commit that this ledger wrote;
 * `migration_archive_erasures` and `migration_archive_erased`, what was erased and why; `migration_archive_sweeps`,
 * which files of older versions were destroyed.
 * `migration_archive_ledger` holds their version.
 */
import { SluiceError } from '../../shared/errors.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { changeTable, keyTables, createLedgerTable, noteVersion } from '../../stores/common/late-table.ts'
import { ledgerDialect, type LedgerDialect } from '../../stores/ledger-dialect.ts'
import { refuseForeignTables, refuseIncomplete } from '../../stores/common/ledger-tables.ts'
import { INDEXES, TABLES, type ArchiveColumns } from './columns.ts'

/**
 * 1: made by programs that wrote no version. 8: partitions by value, whose bounds an older program would read as times.
 * 9: partitions by numbers that are not times. 10: the sha256 of commits. 11: the log names ledgers, and an older
 * program would sweep files of other ledgers; the column `witness` identifies a table without a table number.
 */
export const ARCHIVE_LEDGER_VERSION = 11

/** The primary key of each table. */
const KEYS: Readonly<Record<string, string>> = {
  migration_archive_ledger: 'PRIMARY KEY (version)',
  ...Object.fromEntries(
    Object.entries(TABLES).map(([name, { key }]) => [name, `PRIMARY KEY (${Object.keys(key).join(', ')})`]),
  ),
}

/**
 * Creates missing tables, and upgrades an older ledger to this version. After a killed upgrade the ledger still has its
 * old version, and the next upgrade repeats all steps. Two concurrent upgrades run the same statements.
 * @throws SluiceError TABLE_REFUSED if a table of the user has a name of the ledger's; LEDGER_NEWER
 */
export async function prepareArchiveLedger(database: LedgerDatabase): Promise<void> {
  const dialect = ledgerDialect(database.dialect)
  const version = await refuseNewer(database)
  if (version === ARCHIVE_LEDGER_VERSION) return await keyTables(database, KEYS)
  await refuseForeignTables(database, ['migration_archive_ledger', ...Object.keys(TABLES)])
  if (version > 0) await keyTables(database, KEYS)
  const { types } = dialect
  await createLedgerTable(database, 'migration_archive_ledger', `version ${types.integer} NOT NULL PRIMARY KEY`)
  for (const [name, { key, columns }] of Object.entries(TABLES)) {
    const there = await ledgerColumns(database, name)
    if (there.size === 0) {
      const keys = Object.entries(key).map(([column, kind]) => `${column} ${types[kind]} NOT NULL`)
      const parts = [...keys, ...Object.entries(columns).map((one) => columnSql(one, dialect)), KEYS[name]]
      await createLedgerTable(database, name, parts.join(', '))
      continue
    }
    for (const one of Object.entries(columns)) {
      if (!there.has(one[0])) await changeTable(database, `ALTER TABLE ${name} ADD COLUMN ${columnSql(one, dialect)}`)
    }
  }
  // Version 1 used the character set of the database: it may lack characters of labels, and `Users` may equal `users`.
  const renewals = version === 1 ? ((await database.renewals?.(Object.keys(TABLES))) ?? []) : []
  for (const sql of renewals) await changeTable(database, sql)
  const { kept, unlessThere } = dialect.indexes
  for (const [name, { table, columns }] of kept ? Object.entries(INDEXES) : [])
    await changeTable(database, `CREATE INDEX ${unlessThere}${name} ON ${table} (${columns})`)
  await noteVersion(database, 'migration_archive_ledger', ARCHIVE_LEDGER_VERSION)
}

/**
 * @returns the version of the ledger; 0 without archives, 1 if the program that made it wrote no version
 * @throws SluiceError TABLE_REFUSED if a table of the user has a name of the ledger's; LEDGER_NEWER, because data of a
 * newer program may mean something else; LEDGER_DAMAGED if a table is missing
 */
export async function refuseNewer(database: LedgerDatabase): Promise<number> {
  const columns = await ledgerColumns(database, 'migration_archive_ledger')
  if (columns.size === 0) {
    await refuseForeignTables(database, Object.keys(TABLES))
    return (await hasArchives(database)) ? 1 : 0
  }
  if (columns.size > 1 || !columns.has('version')) await refuseForeignTables(database, ['migration_archive_ledger'])
  const [row] = await database.all('SELECT MAX(version) FROM migration_archive_ledger')
  const version = Number(row?.[0] ?? 1)
  if (version <= ARCHIVE_LEDGER_VERSION) {
    // A preparation killed at its first step has not written a version yet.
    if (version > 1) await refuseIncomplete(database, 'archive', version)
    return version
  }
  throw new SluiceError('LEDGER_NEWER', `a newer sluice wrote the ledger of archives (version ${version})`, {
    reason: `this sluice knows versions up to ${ARCHIVE_LEDGER_VERSION}`,
    hint: 'use the newer sluice for the archives of this database',
  })
}

/** True if any table was ever archived from this database. Creates nothing. */
export async function hasArchives(database: LedgerDatabase): Promise<boolean> {
  return (await ledgerColumns(database, 'migration_archive_partitions')).size > 0
}

/** Column names of a ledger table; empty if the table does not exist. */
export async function ledgerColumns(database: LedgerDatabase, table: string): Promise<ReadonlySet<string>> {
  const rows = await database.all(ledgerDialect(database.dialect).columns, [table])
  return new Set(rows.map(([name]) => String(name).toLowerCase()))
}

function columnSql(
  [name, kind]: readonly [string, ArchiveColumns[string] | undefined],
  { types }: LedgerDialect,
): string {
  return `${name} ${types[kind ?? 'text']}`
}
