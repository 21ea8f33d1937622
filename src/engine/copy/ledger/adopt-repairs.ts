/**
 * Repairs of an unfinished run are assigned to the run that resumes it, so that one `diff --undo` reverts the repairs
 * of both runs.
 */
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { TableKey } from './owner.ts'
import { noteRepairPlan, repairPlanText, storedRepairPlan } from './repair-plans.ts'
import { adoptedChanges, hasSurplusChanges } from './surplus-changes.ts'

/** `operation` of `copy --again` runs in `migration_runs`. */
export const AGAIN_OPERATION = 'copy --again'

/** Exit codes of finished runs; their repairs are not assigned to another run. */
const FINISHED_EXIT_CODES: ReadonlySet<number> = new Set([0, 1])

const TABLE = 'schema_name = ? AND table_name = ?'

/**
 * Call only from the one process that compares the table.
 * @returns the run whose repairs were assigned to this run, and their number; null if the last run has none, was
 * finished, or recorded rows with other columns or another key
 */
export async function adoptRepairs(
  database: LedgerDatabase,
  runId: bigint,
  table: TableKey,
  plan: TablePlan,
): Promise<{ readonly runId: bigint; readonly rows: bigint } | null> {
  const { castText: text } = ledgerDialect(database.dialect).types
  const mine = [table.schema, table.name]
  const [last] = await database.all(
    `SELECT CAST(run_id AS ${text}), exit_code FROM migration_runs
     WHERE operation = ? AND run_id <> ? AND run_id IN
       (SELECT run_id FROM migration_repairs WHERE ${TABLE} AND undone_ms IS NULL)
     ORDER BY started_ms DESC, run_id DESC LIMIT 1`,
    [AGAIN_OPERATION, runId, ...mine],
  )
  if (last === undefined) return null
  const [id, exitCode] = last
  if (exitCode != null && FINISHED_EXIT_CODES.has(Number(exitCode))) return null
  const before = BigInt(String(id))
  // Rows recorded with other columns cannot be undone together with these.
  if ((await storedRepairPlan(database, before, table)) !== repairPlanText(plan)) return null
  await noteRepairPlan(database, runId, table, plan)
  const which = { sql: `WHERE run_id = ? AND ${TABLE} AND undone_ms IS NULL`, parameters: [before, ...mine] }
  const [[counted] = []] = await database.batch([
    { sql: `SELECT COUNT(*) FROM migration_repairs ${which.sql}`, parameters: which.parameters },
    {
      sql: `UPDATE migration_repairs SET run_id = ? ${which.sql}`,
      parameters: [runId, ...which.parameters],
    },
    ...((await hasSurplusChanges(database)) ? [adoptedChanges(before, runId, table)] : []),
  ])
  return { runId: before, rows: BigInt(String(counted?.[0] ?? 0)) }
}
