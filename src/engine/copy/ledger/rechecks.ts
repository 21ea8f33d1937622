/**
 * Rows written at a lower consistency level than requested, until they are found or written again at the requested
 * level.
 */
import { createHash } from 'node:crypto'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import type { RunOwner, TableKey } from './owner.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import { makeLateTable } from './late-tables.ts'

/** Limit of keys in one row of the ledger. */
const KEYS = 500

export type Recheck = {
  readonly id: string
  readonly runId: bigint
  readonly table: TableKey
  readonly level: string
  /** Texts of the key in the target, one list per row. */
  readonly keys: readonly (readonly string[])[]
}

/** Records rows to check again; repeating it changes nothing. */
export async function noteRechecks(
  database: LedgerDatabase,
  { runId }: RunOwner,
  { schema, name }: TableKey,
  level: string,
  keys: readonly (readonly string[])[],
): Promise<void> {
  await makeLateTable(database, 'migration_rechecks')
  const { now } = ledgerDialect(database.dialect)
  for (let from = 0; from < keys.length; from += KEYS) {
    const text = JSON.stringify(keys.slice(from, from + KEYS))
    const id = createHash('sha256')
      .update(JSON.stringify([String(runId), schema, name, text]))
      .digest('hex')
      .slice(0, 32)
    await database.batch([
      { sql: 'DELETE FROM migration_rechecks WHERE recheck_id = ?', parameters: [id] },
      {
        sql: `INSERT INTO migration_rechecks (recheck_id, run_id, schema_name, table_name, level_written, row_keys, created_ms)
              VALUES (?, ?, ?, ?, ?, ?, ${now})`,
        parameters: [id, runId, schema, name, level, text],
      },
    ])
  }
}

/** Lists not checked yet, oldest first. @param runId of one run; null for all */
export async function openRechecks(database: LedgerDatabase, runId: bigint | null): Promise<readonly Recheck[]> {
  const dialect = ledgerDialect(database.dialect)
  const columns = await database.all(dialect.columns, ['migration_rechecks'])
  if (columns.length === 0) return []
  const { castText: text } = dialect.types
  const rows = await database.all(
    `SELECT recheck_id, CAST(run_id AS ${text}), schema_name, table_name, level_written, row_keys FROM migration_rechecks
     WHERE rechecked_ms IS NULL ${runId === null ? '' : 'AND run_id = ?'} ORDER BY created_ms, recheck_id`,
    runId === null ? [] : [runId],
  )
  return rows.map(([id, run, schema, name, level, keys]) => ({
    id: String(id),
    runId: BigInt(String(run)),
    table: { schema: String(schema), name: String(name) },
    level: String(level),
    keys: JSON.parse(String(keys)) as readonly (readonly string[])[],
  }))
}

/** Records that all rows of a list are in the target at the requested level. */
export function recheckedStatement(database: LedgerDatabase, id: string): Statement {
  const { now } = ledgerDialect(database.dialect)
  return {
    sql: `UPDATE migration_rechecks SET rechecked_ms = ${now} WHERE recheck_id = ? AND rechecked_ms IS NULL`,
    parameters: [id],
  }
}
