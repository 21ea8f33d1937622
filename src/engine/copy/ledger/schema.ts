/**
 * The tables of the ledger. `migration_checkpoints` begins with the columns that users of the resumable script query, and keeps one row a chunk
 * that counts: what was cut again, and what belongs to copies of before, goes to `migration_chunk_history`.
 */
import type { TableName, TableSpec } from '../../../model/copy/column-type.ts'
import type { LedgerDatabase } from '../../../stores/copy-port.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { ledgerDialect, type LedgerDialect } from '../../../stores/ledger-dialect.ts'
import { CHUNK_COLUMNS, columnType, indexes, removals, SEED_COLUMNS, tables } from './columns.ts'
import { STEPS } from './steps.ts'

export const LEDGER_VERSION = 2

/** Names of the ledger's own tables, which are never part of a copy by pattern. */
export function isLedgerTable({ name }: TableName): boolean {
  return /^(?:migration_(?:ledger|runs|plans|checkpoints|chunk_history|quarantine|repairs|repair_plans|rechecks|tracked_runs|tokens|objects|accepted_differences|surplus_changes|archives|archive_(?:partitions|history|heads|ledger)|removals)|sluice_ledger_(?:head|log|part))$/.test(
    name,
  )
}

/** A column that tells a table of the ledger from a user's own table of that name; every other table of the ledger has a `table_name`. */
const MARKS: Readonly<Record<string, readonly string[]>> = {
  migration_ledger: ['version'],
  migration_runs: ['plan_hash'],
  migration_plans: ['plan_hash'],
  // The script's own table has no more than this.
  migration_checkpoints: ['records_processed'],
  migration_chunk_history: ['retired_ms'],
  migration_quarantine: ['quarantine_id'],
  migration_repairs: ['repair_id'],
  migration_tokens: ['token'],
}

/** Whether a table that `isLedgerTable` names has the columns of the ledger's, and is none of the user's. */
export function isOwnLedgerTable({ table, columns }: TableSpec): boolean {
  const names = new Set(columns.map(({ name }) => name))
  const marks = MARKS[table.name] ?? (table.name.startsWith('migration_') ? ['table_name'] : [])
  return marks.every((mark) => names.has(mark))
}

/**
 * Creates a missing ledger, brings an older one to this version, and adds columns to a table that the script left. A program that is killed meanwhile
 * leaves the old version behind, and the next one repeats the step; several programs at once repeat each other's statements.
 * @returns whether a table of the script was found and adopted
 * @throws SluiceError LEDGER_NEWER
 */
export async function prepareLedger(database: LedgerDatabase): Promise<{ readonly adopted: boolean }> {
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
  for (const sql of removals(database.dialect)) await runDdl(database, sql)
  if (version === LEDGER_VERSION) return { adopted: false }
  const adopted = version === 0 && (await create(database, dialect))
  const look = {
    dialect: database.dialect,
    types: dialect.types,
    columns: columnNames.bind(null, database, dialect),
    renewals: async (some: readonly string[]) => (await database.renewals?.(some)) ?? [],
  }
  for (const { version: next, statements } of STEPS) {
    if (next <= version) continue
    for (const sql of await statements(look)) await runDdl(database, sql)
    await noteVersion(database, next)
  }
  return { adopted }
}

/** @returns whether a table of the script was there */
async function create(database: LedgerDatabase, dialect: LedgerDialect): Promise<boolean> {
  const found = await columnNames(database, dialect, 'migration_checkpoints')
  const statements = [...dialect.before, ...tables(dialect)]
  const adopted = found.size > 0
  if (adopted) {
    for (const [name, kind] of Object.entries({ ...SEED_COLUMNS, ...CHUNK_COLUMNS })) {
      if (!found.has(name))
        statements.push(`ALTER TABLE migration_checkpoints ADD COLUMN ${name} ${columnType(dialect, kind)}`)
    }
  }
  statements.push(...indexes(database.dialect))
  // Each by itself: some systems commit every change of a table at once, and each of these can run again.
  for (const sql of statements) await runDdl(database, sql)
  return adopted
}

/** A version that a newer program has written meanwhile stays. */
async function noteVersion(database: LedgerDatabase, version: number): Promise<void> {
  await database.batch([
    { sql: 'DELETE FROM migration_ledger WHERE version <= ?', parameters: [version] },
    { sql: 'INSERT INTO migration_ledger (version) VALUES (?)', parameters: [version] },
  ])
}

/** Whether there is a ledger, of this version or another: `runs` and `doctor` read it as it is. */
export async function hasLedger(database: LedgerDatabase): Promise<boolean> {
  return (await versionOf(database, ledgerDialect(database.dialect))) > 0
}

async function versionOf(database: LedgerDatabase, dialect: LedgerDialect): Promise<number> {
  if ((await columnNames(database, dialect, 'migration_ledger')).size === 0) return 0
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
    // Two that prepare the same ledger at the same moment: whatever the other one made is there.
    if (/already exists|duplicate (?:column|key)|exists already/i.test((error as Error).message)) return
    throw error
  }
}
