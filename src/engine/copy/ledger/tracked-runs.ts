/** Maps runs of the ledger to runs of `cdm_run_info`: the ids differ if the user gave one. */
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { isMissingTable } from '../../../stores/common/late-table.ts'
import { noteOfRun } from './late-tables.ts'
import type { TableKey } from './owner.ts'

/** Records the id of a tracked run; repeating this changes nothing. */
export async function noteTrackedRun(
  database: LedgerDatabase,
  runId: bigint,
  table: TableKey,
  trackedId: bigint,
): Promise<void> {
  await noteOfRun(database, 'migration_tracked_runs', [runId, table], 'tracked_id', trackedId)
}

/** Runs of the ledger by their ids in `cdm_run_info`, for copies into one table. */
export async function trackedRuns(database: LedgerDatabase, table: TableKey): Promise<ReadonlyMap<bigint, bigint>> {
  const text = ledgerDialect(database.dialect).types.castText
  const runs = await database.all(`SELECT CAST(run_id AS ${text}) FROM migration_runs`)
  const named = await namedRuns(database, table, text)
  const given = new Set(named.values())
  const own = runs.map(([id]) => BigInt(String(id))).filter((id) => !given.has(id))
  return new Map([...own.map((id) => [id, id] as const), ...named])
}

async function namedRuns(
  database: LedgerDatabase,
  { schema, name }: TableKey,
  text: string,
): Promise<Map<bigint, bigint>> {
  try {
    const rows = await database.all(
      `SELECT CAST(tracked_id AS ${text}), CAST(run_id AS ${text}) FROM migration_tracked_runs
       WHERE schema_name = ? AND table_name = ?`,
      [schema, name],
    )
    return new Map(rows.map(([tracked, run]) => [BigInt(String(tracked)), BigInt(String(run))]))
  } catch (error) {
    // The table is missing: in this ledger, no user gave an id to a run.
    if (isMissingTable(error)) return new Map()
    throw error
  }
}
