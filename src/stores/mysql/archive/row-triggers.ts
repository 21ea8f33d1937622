/** Triggers of a MySQL table that fire when an archive removes rows or restores them. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { backquotedName } from '../../../shared/sql-text.ts'
import type { RowTriggers } from '../../../model/archive/port.ts'
import type { MysqlSession } from '../session.ts'

const REMEDY = 'drop it while no other program writes to the table, and create it again after the run or restore'

/** Only a BEFORE INSERT trigger can change a row. No session can disable triggers. */
export async function mysqlRowTriggers(session: MysqlSession, { schema, name }: TableName): Promise<RowTriggers> {
  const rows = await session.rows(
    `SELECT TRIGGER_NAME, ACTION_TIMING = 'BEFORE' AND EVENT_MANIPULATION = 'INSERT' FROM information_schema.TRIGGERS
     WHERE EVENT_OBJECT_SCHEMA = COALESCE(?, DATABASE()) AND EVENT_OBJECT_TABLE = ? AND EVENT_MANIPULATION IN ('INSERT', 'DELETE') ORDER BY 1`,
    [schema ?? null, name],
  )
  const versioned = await session.rows(
    `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(?, DATABASE()) AND TABLE_NAME = ? AND TABLE_TYPE = 'SYSTEM VERSIONED'`,
    [schema ?? null, name],
  )
  const history = { by: 'WITH SYSTEM VERSIONING', remedy: `DELETE HISTORY FROM ${backquotedName(name)}` }
  const named = (early: number): readonly string[] =>
    rows.filter((row) => Number(row[1]) === early).map(([trigger]) => `trigger ${String(trigger)}`)
  return {
    changing: named(1),
    firing: named(0),
    quiet: false,
    remedy: REMEDY,
    ...(versioned.length === 0 ? {} : { history }),
  }
}
