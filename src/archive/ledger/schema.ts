/**
 * The tables of archives in the ledger, which lies in the source database: `migration_archives`, one row a table; `migration_archive_partitions`, one row
 * a partition with the state that counts; `migration_archive_history`, what happened to partitions, for people; `migration_archive_heads`, the heads of
 * the Delta log that this ledger has left or intends; `migration_archive_commits`, the sha256 of each commit that this ledger wrote into it; `migration_archive_erasures` and `migration_archive_erased`, what was erased and why;
 * `migration_archive_sweeps`, which files of older versions were destroyed.
 * `migration_archive_ledger` holds their version.
 */
import { SluiceError } from '../../shared/errors.ts'
import type { LedgerDatabase } from '../../model/copy/port.ts'
import { changeTable, makeLate } from '../../stores/common/late-table.ts'
import { ledgerDialect, type LedgerDialect } from '../../stores/ledger-dialect.ts'
import { refuseForeignTables, refuseIncomplete } from '../../stores/common/ledger-tables.ts'
import { INDEXES, TABLES, type Columns } from './columns.ts'

/** 1 is what programs made that wrote no version. From 8 on a table may be cut by values, whose bounds an older program would take for times; from 9 on by numbers that are no times. From 10 on the sha256 of commits is kept. From 11 on the log names ledgers, and an older program would sweep files of others; tables without a number have witnesses. */
export const ARCHIVE_LEDGER_VERSION = 11

/**
 * Creates missing tables, and brings an older ledger to this version. A program that is killed meanwhile leaves the old version behind, and the next
 * one repeats the step; two programs at once repeat each other's statements.
 * @throws SluiceError TABLE_REFUSED where a table of a user has a name of the ledger's; LEDGER_NEWER
 */
export async function prepareArchiveLedger(database: LedgerDatabase): Promise<void> {
  const dialect = ledgerDialect(database.dialect)
  const version = await refuseNewer(database)
  if (version === ARCHIVE_LEDGER_VERSION) return
  await refuseForeignTables(database, ['migration_archive_ledger', ...Object.keys(TABLES)])
  const { types } = dialect
  await makeLate(database, 'migration_archive_ledger', `version ${types.integer} NOT NULL`)
  for (const [name, { key, unique, columns }] of Object.entries(TABLES)) {
    const there = await ledgerColumns(database, name)
    if (there.size === 0) {
      const keys = Object.entries(key).map(([column, kind]) => `${column} ${types[kind]} NOT NULL`)
      const primary = unique ? [`PRIMARY KEY (${Object.keys(key).join(', ')})`] : []
      const parts = [...keys, ...Object.entries(columns).map((one) => columnSql(one, dialect)), ...primary]
      await makeLate(database, name, parts.join(', '))
      continue
    }
    for (const one of Object.entries(columns)) {
      if (!there.has(one[0])) await changeTable(database, `ALTER TABLE ${name} ADD COLUMN ${columnSql(one, dialect)}`)
    }
  }
  // Version 1 took the character set of the database, where labels may not fit, and `Users` and `users` were one.
  const renewals = version === 1 ? ((await database.renewals?.(Object.keys(TABLES))) ?? []) : []
  for (const sql of renewals) await changeTable(database, sql)
  const { kept, unlessThere } = dialect.indexes
  for (const [name, { table, columns }] of kept ? Object.entries(INDEXES) : [])
    await changeTable(database, `CREATE INDEX ${unlessThere}${name} ON ${table} (${columns})`)
  await database.batch([
    { sql: 'DELETE FROM migration_archive_ledger WHERE version <= ?', parameters: [ARCHIVE_LEDGER_VERSION] },
    { sql: 'INSERT INTO migration_archive_ledger (version) VALUES (?)', parameters: [ARCHIVE_LEDGER_VERSION] },
  ])
}

/**
 * @returns the version of the ledger; 0 without archives, 1 where the program that made it wrote no version
 * @throws SluiceError TABLE_REFUSED where a table of a user has a name of the ledger's; LEDGER_NEWER: what a newer program wrote may mean something else; LEDGER_DAMAGED where a table is missing
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
    // One that was killed at its first step has noted no version yet.
    if (version > 1) await refuseIncomplete(database, 'archive', version)
    return version
  }
  throw new SluiceError('LEDGER_NEWER', `a newer sluice wrote the ledger of archives (version ${version})`, {
    reason: `this one knows versions up to ${ARCHIVE_LEDGER_VERSION}`,
    hint: 'use the newer sluice for the archives of this database',
  })
}

/** Whether anything was ever archived out of this database. Creates nothing. */
export async function hasArchives(database: LedgerDatabase): Promise<boolean> {
  return (await ledgerColumns(database, 'migration_archive_partitions')).size > 0
}

/** Names of the columns that a table of the ledger has; none where there is no such table. */
export async function ledgerColumns(database: LedgerDatabase, table: string): Promise<ReadonlySet<string>> {
  const rows = await database.all(ledgerDialect(database.dialect).columns, [table])
  return new Set(rows.map(([name]) => String(name).toLowerCase()))
}

function columnSql([name, kind]: readonly [string, Columns[string] | undefined], { types }: LedgerDialect): string {
  return `${name} ${types[kind ?? 'text']}`
}
