/** Names of the ledger's tables, and what tells one of them from a table of a user that has its name. */
import type { TableName, TableSpec } from '../model/copy/column-type.ts'
import { SluiceError } from '../shared/errors.ts'
import type { LedgerDatabase } from './copy-port.ts'
import { ledgerDialect } from './ledger-dialect.ts'
import type { SqlRow } from './port.ts'

/** Columns that each table of the ledger has had in every version. */
const MARKS: ReadonlyMap<string, readonly string[]> = new Map([
  ['migration_ledger', ['version']],
  ['migration_tokens', ['token']],
  ['migration_runs', ['run_id', 'plan_hash']],
  ['migration_plans', ['schema_name', 'table_name', 'plan_hash']],
  // The script's own table has no more than this.
  ['migration_checkpoints', ['table_name', 'records_processed']],
  ['migration_chunk_history', ['table_name', 'retired_ms']],
  ['migration_quarantine', ['quarantine_id', 'row_key']],
  ['migration_repairs', ['repair_id', 'row_key']],
  ['migration_repair_plans', ['run_id', 'schema_name', 'table_name']],
  ['migration_rechecks', ['recheck_id']],
  ['migration_tracked_runs', ['run_id', 'schema_name', 'table_name']],
  ['migration_objects', ['schema_name', 'table_name', 'kind']],
  ['migration_accepted_differences', ['acceptance_id']],
  ['migration_surplus_changes', ['table_name']],
  ['migration_archive_ledger', ['version']],
  ['migration_archives', ['schema_name', 'table_name', 'archive']],
  ['migration_archive_partitions', ['schema_name', 'table_name', 'partition_name']],
  ['migration_archive_history', ['table_name', 'partition_name']],
  ['migration_archive_heads', ['table_name']],
  ['migration_removals', ['table_name']],
  ['sluice_ledger_head', []],
  ['sluice_ledger_log', []],
  ['sluice_ledger_part', []],
])

/** Tables of one column, which a user's table may have among others. */
const OF_ONE_COLUMN: ReadonlySet<string> = new Set(['migration_ledger', 'migration_tokens', 'migration_archive_ledger'])

/** Names of the ledger's own tables, which are never part of a copy by pattern. */
export function isLedgerTable({ name }: TableName): boolean {
  return MARKS.has(name)
}

/** Whether a table that `isLedgerTable` names has the columns of the ledger's, and is none of the user's. */
export function isOwnLedgerTable({ table, columns }: Pick<TableSpec, 'table' | 'columns'>): boolean {
  return lacking(table.name, namesOf(columns)) === null
}

/**
 * Looks at every table of the database that has a name of the ledger's, before any of them is made or altered.
 * @param names of the tables; all of the ledger's without it
 * @param how one after the other where the database is open for reading only
 * @throws SluiceError TABLE_REFUSED where one of them is a user's own
 */
export async function refuseForeignTables(
  database: LedgerDatabase,
  names: readonly string[] = [...MARKS.keys()],
  how: 'together' | 'each' = 'together',
): Promise<void> {
  const { columns: sql } = ledgerDialect(database.dialect)
  const found: (readonly SqlRow[])[] = []
  if (how === 'together') found.push(...(await database.batch(names.map((name) => ({ sql, parameters: [name] })))))
  else for (const name of names) found.push(await database.all(sql, [name]))
  for (const [at, name] of names.entries()) {
    const there = new Set((found[at] ?? []).map(([column]) => String(column).toLowerCase()))
    refuseForeign(name, there)
  }
}

/** The same for tables that are known already. @throws SluiceError TABLE_REFUSED */
export function refuseForeignAmong(tables: readonly Pick<TableSpec, 'table' | 'columns'>[]): void {
  for (const { table, columns } of tables) refuseForeign(table.name, namesOf(columns))
}

function refuseForeign(table: string, columns: ReadonlySet<string>): void {
  const why = columns.size === 0 ? null : lacking(table, columns)
  if (why === null) return
  throw new SluiceError('TABLE_REFUSED', `the database has a table ${table} that is not of sluice's ledger`, {
    reason: `the ledger keeps its notes under this name, and ${why}`,
    hint: 'rename that table, or use another database or schema for this; nothing was created or changed',
  })
}

function namesOf(columns: TableSpec['columns']): ReadonlySet<string> {
  return new Set(columns.map(({ name }) => name.toLowerCase()))
}

/** @returns what does not fit; null where everything does */
function lacking(name: string, columns: ReadonlySet<string>): string | null {
  if (OF_ONE_COLUMN.has(name) && columns.size > 1) return 'that table has other columns'
  const missing = (MARKS.get(name) ?? []).find((mark) => !columns.has(mark))
  return missing === undefined ? null : `that table has no column ${missing}`
}
