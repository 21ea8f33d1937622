/** Whether a ledger knows what somebody names: a wrong name found nothing is not the same as nothing that waits. */
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase } from '../../../stores/copy-port.ts'

/** What is asked for; null where everything is. */
type Asked = { readonly runId: bigint | null; readonly table: string | null }

/**
 * @param asked a table by its name in the target, or with its schema before it
 * @throws SluiceError NO_SUCH_TABLE where the ledger has neither a run of that number nor a table of that name
 */
export async function refuseUnknown(database: LedgerDatabase, { runId, table }: Asked, label: string): Promise<void> {
  const isAnywhere = async (condition: string, parameters: readonly (bigint | string)[], of: readonly string[]) => {
    for (const name of of) {
      const found = await database.all(`SELECT 1 FROM ${name} WHERE ${condition} LIMIT 1`, parameters)
      if (found.length > 0) return true
    }
    return false
  }
  if (runId !== null && !(await isAnywhere('run_id = ?', [runId], ['migration_runs', 'migration_quarantine']))) {
    throw new SluiceError('NO_SUCH_TABLE', `the ledger knows no run ${runId}`, {
      where: label,
      hint: 'sluice runs --to URL lists them; without a number, rows of all runs are meant',
    })
  }
  if (table === null) return
  const dot = table.indexOf('.')
  const [schema, name] = [table.slice(0, Math.max(dot, 0)), table.slice(dot + 1)]
  const isNamed = '(table_name = ? OR (schema_name = ? AND table_name = ?))'
  if (await isAnywhere(isNamed, [table, schema, name], ['migration_plans', 'migration_quarantine'])) return
  throw new SluiceError('NO_SUCH_TABLE', `no copy into this database has filled a table ${table}`, {
    where: label,
    hint: 'name it as the target does; sluice runs --to URL lists what was copied',
  })
}
