/**
 * Changes that comparing and repairing runs made to the expected surplus. Undoing their repairs undoes these changes
 * too, so that later counts expect the earlier surplus.
 */
import { randomUUID } from 'node:crypto'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import { makeLateTable } from './late-tables.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { TableKey } from './owner.ts'
import { CLOSED } from './stored-chunk.ts'
import { hasTable } from './statement.ts'
import { numberOrNull } from '../../../stores/common/cells.ts'

const TABLE = 'schema_name = ? AND table_name = ?'
/** Changes undone in one transaction. */
const AT_ONCE = 20

/** True if any run has recorded a change. */
export function hasSurplusChanges(database: LedgerDatabase): Promise<boolean> {
  return hasTable(database, 'migration_surplus_changes')
}

/** Call before `surplusStatements` or `notedChange`: creates the table if an older ledger lacks it. */
export async function prepareSurplusChanges(database: LedgerDatabase): Promise<void> {
  if (await hasSurplusChanges(database)) return
  await makeLateTable(database, 'migration_surplus_changes')
}

/** A chunk as read from the ledger; null for a table that is counted as a whole. */
export type StoredChunkKey = { readonly id: number; readonly fence: number } | null

/**
 * Statements of one transaction that set a new expected surplus, unless it was changed since it was read. Repeated,
 * they do nothing.
 * @param from the surplus as read; null if none was recorded
 */
export function surplusStatements(
  database: LedgerDatabase,
  runId: bigint,
  key: TableKey,
  chunk: StoredChunkKey,
  from: bigint | null,
  to: bigint,
): readonly Statement[] {
  const [table, which] =
    chunk === null
      ? ['migration_plans', { sql: TABLE, parameters: [key.schema, key.name] }]
      : [
          'migration_checkpoints',
          { sql: `id = ? AND ${CLOSED} AND COALESCE(fence, 0) = ?`, parameters: [chunk.id, chunk.fence] },
        ]
  const known = `${which.sql} AND surplus ${from === null ? 'IS NULL' : `= ${from}`}`
  const where = { sql: known, parameters: which.parameters }
  return [
    notedChange(database, runId, chunk === null ? 'plan' : 'chunk', to, where),
    { sql: `UPDATE ${table} SET surplus = ? WHERE ${known}`, parameters: [to, ...which.parameters] },
  ]
}

/**
 * Records a change of a known surplus; run it in the same transaction, before the change.
 * @param of kind of the ledger row that has the surplus
 * @param where selects the row of the ledger
 */
export function notedChange(
  { dialect }: LedgerDatabase,
  runId: bigint,
  of: 'chunk' | 'plan',
  to: bigint,
  where: Statement,
): Statement {
  const { now, types } = ledgerDialect(dialect)
  const [table, id] = of === 'chunk' ? ['migration_checkpoints', 'id'] : ['migration_plans', 'NULL']
  return {
    sql: `INSERT INTO migration_surplus_changes (change_id, run_id, schema_name, table_name, checkpoint_id, surplus_change, changed_ms)
          SELECT CAST(? AS ${types.castText}), ${runId}, schema_name, table_name, ${id}, (${to}) - surplus, ${now} FROM ${table}
          WHERE surplus IS NOT NULL AND surplus <> ${to} AND ${where.sql}`,
    parameters: [randomUUID(), ...where.parameters],
  }
}

/**
 * Assigns the changes of one run to another run, as `adoptRepairs` does with repairs. The ledger must have the table of
 * changes.
 */
export function adoptedChanges(from: bigint, to: bigint, { schema, name }: TableKey): Statement {
  return {
    sql: `UPDATE migration_surplus_changes SET run_id = ? WHERE run_id = ? AND ${TABLE} AND undone_ms IS NULL`,
    parameters: [to, from, schema, name],
  }
}

/** Restores the surplus expected before a run. Call before the rows are restored: counts differ until they are. */
export async function undoSurplusChanges(
  database: LedgerDatabase,
  runId: bigint,
  { schema, name }: TableKey,
): Promise<void> {
  const { now, types } = ledgerDialect(database.dialect)
  if (!(await hasSurplusChanges(database))) return
  const rows = await database.all(
    `SELECT change_id, checkpoint_id, CAST(surplus_change AS ${types.castText}) FROM migration_surplus_changes
     WHERE run_id = ? AND ${TABLE} AND undone_ms IS NULL`,
    [runId, schema, name],
  )
  const existsSql = 'EXISTS (SELECT 1 FROM migration_surplus_changes WHERE change_id = ? AND undone_ms IS NULL)'
  const statements = rows.map(([id, chunk, change]): readonly Statement[] => {
    const changeId = String(id)
    const [table, which, parameters] =
      chunk == null
        ? ['migration_plans', TABLE, [schema, name]]
        : ['migration_checkpoints', `id = ? AND ${CLOSED}`, [Number(chunk)]]
    return [
      {
        sql: `UPDATE ${table} SET surplus = surplus - (${BigInt(String(change))}) WHERE ${which} AND ${existsSql}`,
        parameters: [...parameters, changeId],
      },
      {
        sql: `UPDATE migration_surplus_changes SET undone_ms = ${now} WHERE change_id = ? AND undone_ms IS NULL`,
        parameters: [changeId],
      },
    ]
  })
  for (let at = 0; at < statements.length; at += AT_ONCE)
    await database.batch(statements.slice(at, at + AT_ONCE).flat())
}

/**
 * Time of the last change of the surplus that is not undone, by chunk id; null is the key of the table as a whole.
 */
export async function lastChanges(
  database: LedgerDatabase,
  { schema, name }: TableKey,
): Promise<ReadonlyMap<number | null, number>> {
  if (!(await hasSurplusChanges(database))) return new Map()
  const rows = await database.all(
    `SELECT checkpoint_id, MAX(changed_ms) FROM migration_surplus_changes WHERE ${TABLE} AND undone_ms IS NULL GROUP BY checkpoint_id`,
    [schema, name],
  )
  return new Map(rows.map(([chunk, at]) => [numberOrNull(chunk), Number(at)]))
}
