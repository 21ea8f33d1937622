/** Checks that the ledger has a named run or table: an empty result for a wrong name would be misleading. */
import { namedParts } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'

/** The requested names; null for all. */
type RequestedNames = { readonly runId: bigint | null; readonly table: string | null }

/**
 * @param asked a table by its name in the target, optionally with its schema
 * @throws SluiceError BAD_FLAG for an unknown run, NO_SUCH_TABLE for an unknown table
 */
export async function refuseUnknownTable(
  database: LedgerDatabase,
  { runId, table }: RequestedNames,
  label: string,
): Promise<void> {
  const isAnywhere = async (condition: string, parameters: readonly (bigint | string)[], of: readonly string[]) => {
    for (const name of of) {
      const found = await database.all(`SELECT 1 FROM ${name} WHERE ${condition} LIMIT 1`, parameters)
      if (found.length > 0) return true
    }
    return false
  }
  if (runId !== null && !(await isAnywhere('run_id = ?', [runId], ['migration_runs', 'migration_quarantine']))) {
    throw noSuchLedgerRun(runId)
  }
  if (table === null) return
  const [schema, name] = namedParts(table)
  const isNamed = '(table_name = ? OR (schema_name = ? AND table_name = ?))'
  if (await isAnywhere(isNamed, [table, schema, name], ['migration_plans', 'migration_quarantine'])) return
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
