/** Finds a named run or table in the ledger: an empty result for a wrong name would be misleading. */
import { namedParts, tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { tableOfKey, type TableKey } from './owner.ts'

/** The requested names; null for all. */
type RequestedNames = { readonly runId: bigint | null; readonly table: string | null }

/**
 * Tables of the target with this name, with or without the schema; if there are none, those into which a source table
 * of this name was copied.
 */
export async function tablesCalled(database: LedgerDatabase, given: string): Promise<readonly TableKey[]> {
  const [schema, name] = namedParts(given)
  const keys = async (of: string, condition: string, parameters: readonly string[]): Promise<TableKey[]> => {
    const sql = `SELECT DISTINCT schema_name, table_name FROM ${of} WHERE ${condition}`
    return (await database.all(sql, parameters)).map(([at, one]) => ({ schema: String(at), name: String(one) }))
  }
  for (const of of ['migration_plans', 'migration_quarantine']) {
    const found = await keys(of, '(table_name = ? OR (schema_name = ? AND table_name = ?))', [given, schema, name])
    if (found.length > 0) return found
  }
  return await keys('migration_plans', 'source_table IN (?, ?)', [given, tableText(tableOfKey({ schema, name }))])
}

/**
 * @param asked a table by its name in the target, optionally with its schema, or by its name in the source
 * @throws SluiceError BAD_FLAG for an unknown run, NO_SUCH_TABLE for an unknown table
 */
export async function refuseUnknownTable(
  database: LedgerDatabase,
  { runId, table }: RequestedNames,
  label: string,
): Promise<void> {
  const knowsRun = async (id: bigint): Promise<boolean> => {
    for (const name of ['migration_runs', 'migration_quarantine']) {
      const found = await database.all(`SELECT 1 FROM ${name} WHERE run_id = ? LIMIT 1`, [id])
      if (found.length > 0) return true
    }
    return false
  }
  if (runId !== null && !(await knowsRun(runId))) throw noSuchLedgerRun(runId)
  if (table === null || (await tablesCalled(database, table)).length > 0) return
  throw new SluiceError('NO_SUCH_TABLE', `no copy into this database has written into a table ${table}`, {
    where: label,
    hint: 'give the name of the table in the target; sluice runs --to URL lists what was copied',
  })
}

export function noSuchLedgerRun(runId: bigint | string): SluiceError {
  return new SluiceError('BAD_FLAG', `the ledger has no run ${runId}`, {
    hint: 'sluice runs --to URL without a run lists all runs',
  })
}
