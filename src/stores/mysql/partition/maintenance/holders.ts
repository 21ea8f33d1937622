/**
 * Finds out whether a transaction has a lock on a table. Reads the server's metadata lock instrument, which is on by
 * default in MySQL, and off in MariaDB.
 */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import type { MysqlSession } from '../../session.ts'

const INSTRUMENT = 'wait/lock/metadata/sql/mdl'

/** True if a transaction has locked the table now; null if the server does not report it, or not to this login. */
export type IsLocked = () => Promise<boolean | null>

export async function mysqlLockHolders(session: MysqlSession, { schema, name }: TableName): Promise<IsLocked> {
  if (!(await reports(session))) return async () => null
  return async () => {
    const rows = await asked(
      session,
      `SELECT EXISTS (SELECT 1 FROM performance_schema.metadata_locks
       WHERE OBJECT_TYPE = 'TABLE' AND OBJECT_SCHEMA = COALESCE(?, DATABASE()) AND OBJECT_NAME = ? AND LOCK_STATUS = 'GRANTED')`,
      [schema ?? null, name],
    )
    return rows === null ? null : Number(rows[0]?.[0]) !== 0
  }
}

async function reports(session: MysqlSession): Promise<boolean> {
  const rows = await asked(
    session,
    'SELECT ENABLED, @@performance_schema FROM performance_schema.setup_instruments WHERE NAME = ?',
    [INSTRUMENT],
  )
  const [enabled, isOn] = rows?.[0] ?? []
  return enabled === 'YES' && Number(isOn) === 1
}

/** Rows of a query; null if the server refuses the query. */
async function asked(session: MysqlSession, sql: string, parameters: readonly (string | null)[]) {
  try {
    return await session.rows(sql, [...parameters])
  } catch (error) {
    if (session.broken !== null || mysqlErrorNumber(error) === null) throw error
    return null
  }
}
