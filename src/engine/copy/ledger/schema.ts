/**
 * Tables of the ledger. `migration_checkpoints` begins with the columns that users of the resumable script query, and
 * has one row per current chunk. Divided chunks and chunks of earlier copies move to `migration_chunk_history`.
 */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { ledgerDialect, type LedgerDialect } from '../../../stores/ledger-dialect.ts'
import { keyTables, noteVersion } from '../../../stores/common/late-table.ts'
import { refuseForeignTables, refuseIncomplete } from '../../../stores/common/ledger-tables.ts'
import { CHUNK_COLUMNS, lateKeys, ledgerColumnType, removals, SEED_COLUMNS, tables } from './columns.ts'
import { STEPS } from './steps.ts'

export const LEDGER_VERSION = 4

/**
 * Creates a missing ledger, upgrades an older one, and adds columns to a table of the script. If a process is killed
 * meanwhile, the ledger keeps the old version, and the next process repeats the step. Concurrent processes may run the
 * same statements.
 * @throws SluiceError LEDGER_NEWER; LEDGER_DAMAGED if a table is missing; TABLE_REFUSED if a user's table has a name of
 * the ledger
 */
export async function prepareLedger(database: LedgerDatabase): Promise<void> {
  const dialect = ledgerDialect(database.dialect)
  const version = await versionOf(database, dialect)
  if (version > LEDGER_VERSION) {
    throw new SluiceError(
      'LEDGER_NEWER',
      `the ledger in the target was written by a newer sluice (version ${version})`,
      {
        hint: 'use that version, or copy into another database',
      },
    )
  }
  if (version < LEDGER_VERSION) await refuseForeignTables(database)
  if (version > 0) await refuseIncomplete(database, 'copy', version)
  for (const sql of removals(dialect)) await runDdl(database, sql)
  if (version > 0) await keyTables(database, lateKeys(dialect))
  if (version === LEDGER_VERSION) return
  if (version === 0) await create(database, dialect)
  const facts = {
    types: dialect.types,
    indexes: dialect.indexes,
    columns: columnNames.bind(null, database, dialect),
    renewals: async (some: readonly string[]) => (await database.renewals?.(some)) ?? [],
  }
  for (const { version: next, statements } of STEPS) {
    if (next <= version) continue
    for (const sql of await statements(facts)) await runDdl(database, sql)
    await noteVersion(database, 'migration_ledger', next)
  }
}

async function create(database: LedgerDatabase, dialect: LedgerDialect): Promise<void> {
  const found = await columnNames(database, dialect, 'migration_checkpoints')
  const statements = [...dialect.before, ...tables(dialect)]
  if (found.size > 0) {
    for (const [name, kind] of Object.entries({ ...SEED_COLUMNS, ...CHUNK_COLUMNS })) {
      if (!found.has(name))
        statements.push(`ALTER TABLE migration_checkpoints ADD COLUMN ${name} ${ledgerColumnType(dialect, kind)}`)
    }
  }
  // Run the statements one by one: some systems commit each DDL statement at once, and each may run again.
  for (const sql of statements) await runDdl(database, sql)
}

/**
 * True if there is a ledger, of any version: `runs` and `doctor` read it unchanged.
 * @throws SluiceError TABLE_REFUSED if a user's table has a name of the ledger; LEDGER_DAMAGED if a table is missing
 */
export async function hasLedger(database: LedgerDatabase): Promise<boolean> {
  const version = await versionOf(database, ledgerDialect(database.dialect))
  if (version === 0) await refuseForeignTables(database)
  else await refuseIncomplete(database, 'copy', version)
  return version > 0
}

async function versionOf(database: LedgerDatabase, dialect: LedgerDialect): Promise<number> {
  const columns = await columnNames(database, dialect, 'migration_ledger')
  if (columns.size === 0) return 0
  if (columns.size > 1 || !columns.has('version')) await refuseForeignTables(database, ['migration_ledger'])
  const [row] = await database.all('SELECT MAX(version) FROM migration_ledger')
  return Number(row?.[0] ?? 0)
}

async function columnNames(
  database: LedgerDatabase,
  dialect: LedgerDialect,
  table: string,
): Promise<ReadonlySet<string>> {
  const rows = await database.all(dialect.columns, [table])
  return new Set(rows.map(([name]) => String(name).toLowerCase()))
}

async function runDdl(database: LedgerDatabase, sql: string): Promise<void> {
  try {
    await database.batch([{ sql, parameters: [] }])
  } catch (error) {
    // Ignore: another process prepares the same ledger at the same time, and has created or dropped this object.
    if (/already exists|duplicate (?:column|key)|exists already|can't drop /i.test((error as Error).message)) return
    throw error
  }
}
