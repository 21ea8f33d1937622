/** `catalog_validations`: the result of each validation, so that a list can show which tables are validated. */
import type { SqlReader, SqlTransaction } from '../model/run/sql-port.ts'

export type ValidationRow = {
  readonly tableId: string
  readonly version: number
  readonly differences: number
  readonly checks: number
  /** ms since the epoch. */
  readonly checkedAt: number
}

export async function recordValidation(transaction: SqlTransaction, runId: string, row: ValidationRow): Promise<void> {
  await transaction.run(
    'INSERT INTO catalog_validations (table_id, checked_at, run_id, version, checks, differences) VALUES (?, ?, ?, ?, ?, ?)',
    [row.tableId, row.checkedAt, BigInt(runId), row.version, row.checks, row.differences],
  )
}

/** The newest validation of each table. */
export async function latestValidations(reader: SqlReader): Promise<ReadonlyMap<string, ValidationRow>> {
  const rows = await reader.all(
    'SELECT table_id, version, differences, checks, checked_at FROM catalog_validations ORDER BY checked_at',
  )
  return new Map(
    rows.map((row) => {
      const [tableId, version, differences, checks, checkedAt] = row as [string, number, number, number, number]
      return [tableId, { tableId, version, differences, checks, checkedAt }]
    }),
  )
}
