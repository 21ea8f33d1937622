/**
 * By how much runs have changed the surplus that later runs expect, where they compared rows and mended them: whoever takes their repairs back takes
 * this back, too, and a look finds again what it would have found before.
 */
import { randomUUID } from 'node:crypto'
import type { LedgerDatabase, Statement } from '../../../model/copy/port.ts'
import { makeLateTable } from './late-tables.ts'
import { ledgerDialect } from '../../../stores/ledger-dialect.ts'
import type { TableKey } from './owner.ts'
import { CLOSED } from './stored-chunk.ts'

const TABLE = 'schema_name = ? AND table_name = ?'
/** Changes that are taken back in one transaction. */
const AT_ONCE = 20

/** Whether any run has noted a change. */
export async function hasSurplusChanges(database: LedgerDatabase): Promise<boolean> {
  return (await database.all(ledgerDialect(database.dialect).columns, ['migration_surplus_changes'])).length > 0
}

/** To be called before `surplusStatements` or `notedChange`: a ledger of an older copy gets its table then. */
export async function prepareSurplusChanges(database: LedgerDatabase): Promise<void> {
  if (await hasSurplusChanges(database)) return
  await makeLateTable(database, 'migration_surplus_changes')
}

/** A chunk as it was read from the ledger; null for a table that is counted as a whole. */
export type Expected = { readonly id: number; readonly fence: number } | null

/**
 * Statements of one transaction that make another surplus expected, unless somebody has changed it since it was read. A second time they do nothing.
 * @param from the surplus as it was read; null where nobody has noted any
 */
export function surplusStatements(
  database: LedgerDatabase,
  runId: bigint,
  key: TableKey,
  chunk: Expected,
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
 * Notes that a surplus becomes another, where one is known; for the transaction in which it does, before it does.
 * @param of whose surplus it is
 * @param where which row of the ledger has it
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

/** What a run has changed belongs to another one from now on, as its repairs do; of ledgers that have any changes. */
export function adoptedChanges(from: bigint, to: bigint, { schema, name }: TableKey): Statement {
  return {
    sql: `UPDATE migration_surplus_changes SET run_id = ? WHERE run_id = ? AND ${TABLE} AND undone_ms IS NULL`,
    parameters: [to, from, schema, name],
  }
}

/** Makes expected again what was before a run. To be called before its rows are put back: until they are, the counts differ. */
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
  const stands = 'EXISTS (SELECT 1 FROM migration_surplus_changes WHERE change_id = ? AND undone_ms IS NULL)'
  const statements = rows.map(([id, chunk, change]): readonly Statement[] => {
    const changeId = String(id)
    const [table, which, parameters] =
      chunk == null
        ? ['migration_plans', TABLE, [schema, name]]
        : ['migration_checkpoints', `id = ? AND ${CLOSED}`, [Number(chunk)]]
    return [
      {
        sql: `UPDATE ${table} SET surplus = surplus - (${BigInt(String(change))}) WHERE ${which} AND ${stands}`,
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

/** When the surplus of a table or of its chunks was last changed by a comparison that stands, by the ids of chunks; null for the table as a whole. */
export async function lastChanges(
  database: LedgerDatabase,
  { schema, name }: TableKey,
): Promise<ReadonlyMap<number | null, number>> {
  if (!(await hasSurplusChanges(database))) return new Map()
  const rows = await database.all(
    `SELECT checkpoint_id, MAX(changed_ms) FROM migration_surplus_changes WHERE ${TABLE} AND undone_ms IS NULL GROUP BY checkpoint_id`,
    [schema, name],
  )
  return new Map(rows.map(([chunk, at]) => [chunk == null ? null : Number(chunk), Number(at)]))
}
