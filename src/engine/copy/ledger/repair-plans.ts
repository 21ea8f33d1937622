/** Columns, types and key with which repaired rows are recorded. Without them the rows could not be restored. */
import type { ColumnType, TableSpec } from '../../../model/copy/column-type.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { TableKey } from './owner.ts'
import { isMissingTable } from '../../../stores/common/late-table.ts'
import { noteOfRun } from './late-tables.ts'

type Stored = {
  /** Row key of the source, by the names of its columns. */
  readonly key: readonly string[]
  readonly rangeKey: readonly string[]
  readonly columns: readonly { readonly from: string; readonly to: string; readonly as: ColumnType }[]
}

/** Call before the first repair of a table. Creates the ledger's table for such plans if an older ledger lacks it. */
export async function noteRepairPlan(
  database: LedgerDatabase,
  runId: bigint,
  table: TableKey,
  plan: TablePlan,
): Promise<void> {
  await noteOfRun(database, 'migration_repair_plans', [runId, table], 'plan', repairPlanText(plan))
}

/**
 * Text of the columns and the key with which rows are recorded; equal for plans whose repairs can be undone together.
 */
export function repairPlanText({ source, rangeKey, columns }: TablePlan): string {
  const stored: Stored = { key: source.key, rangeKey, columns: columns.map(({ from, to, as }) => ({ from, to, as })) }
  return JSON.stringify(stored)
}

/** The recorded text of `repairPlanText` for a table of a run; null if there is none. */
export async function storedRepairPlan(
  database: LedgerDatabase,
  runId: bigint,
  table: TableKey,
): Promise<string | null> {
  const stored = await read(database, runId, table)
  return stored === null ? null : JSON.stringify(stored)
}

/**
 * The plan under which repairs of a table were recorded, applied to the table's current definition.
 * @param target current definition
 * @returns the plan; null if the run recorded none; or the name of a column that the table no longer has
 */
export async function repairPlan(
  database: LedgerDatabase,
  runId: bigint,
  table: TableKey,
  target: TableSpec,
): Promise<TablePlan | null | string> {
  const stored = await read(database, runId, table)
  if (stored === null) return null
  const columns: TablePlan['columns'][number][] = []
  for (const { from, to, as } of stored.columns) {
    const column = target.columns.find(({ name }) => name === to)
    if (column === undefined) return to
    columns.push({ from, to, as, source: column, target: column })
  }
  return {
    source: { ...target, key: stored.key },
    target,
    create: false,
    columns,
    onExisting: 'upsert',
    proof: 'canonical',
    rangeKey: stored.rangeKey,
    sortsAlike: true,
    cut: 'key',
    chunkRows: 1,
    hash: '',
  }
}

async function read(database: LedgerDatabase, runId: bigint, { schema, name }: TableKey): Promise<Stored | null> {
  try {
    const [row] = await database.all(
      'SELECT plan FROM migration_repair_plans WHERE run_id = ? AND schema_name = ? AND table_name = ?',
      [runId, schema, name],
    )
    return row === undefined ? null : (JSON.parse(String(row[0])) as Stored)
  } catch (error) {
    // No run has recorded a plan in this ledger.
    if (isMissingTable(error)) return null
    throw error
  }
}
