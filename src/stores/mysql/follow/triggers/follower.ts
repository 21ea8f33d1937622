/** The owner of a stream: a row next to the progress row. */
import type { RecordedTarget } from '../../../../model/follow/port.ts'
import { followerOf } from '../../../common/follower-note.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { backquotedTable } from '../../copy/names.ts'
import type { MysqlSession } from '../../session.ts'
import { mysqlFollowerTable, mysqlProgressTable } from './log.ts'

const NO_TABLE = 1146

export async function readMysqlFollower(
  session: MysqlSession,
  database: string,
  name: string,
): Promise<RecordedTarget | null> {
  try {
    const [row] = await session.rows(`SELECT note FROM ${backquotedTable(mysqlFollowerTable(database, name))}`)
    return followerOf(row?.[0] == null ? null : String(row[0]))
  } catch (error) {
    if (mysqlErrorNumber(error) === NO_TABLE) return null
    throw error
  }
}

/** Call at READ COMMITTED. Locks the progress row, so that deleting notes and changing the owner exclude each other. */
export async function lockProgress(session: MysqlSession, database: string, name: string): Promise<void> {
  await session.rows(`SELECT one FROM ${backquotedTable(mysqlProgressTable(database, name))} FOR UPDATE`)
}

/**
 * @param session must allow writes @param was current owner; null for none @returns false if another owner is recorded
 */
export async function writeMysqlFollower(
  session: MysqlSession,
  database: string,
  name: string,
  follower: RecordedTarget,
  was: string | null,
): Promise<boolean> {
  const table = backquotedTable(mysqlFollowerTable(database, name))
  if ((await readMysqlFollower(session, database, name)) === null)
    await session.command(
      `CREATE TABLE IF NOT EXISTS ${table} (one TINYINT NOT NULL PRIMARY KEY, note TEXT CHARACTER SET utf8mb4 NOT NULL) ENGINE = InnoDB`,
    )
  await session.command('START TRANSACTION')
  try {
    await lockProgress(session, database, name)
    const isExpected = ((await readMysqlFollower(session, database, name))?.owner ?? null) === was
    if (isExpected) await session.execute(`REPLACE INTO ${table} VALUES (1, ?)`, [JSON.stringify(follower)])
    await session.command('COMMIT')
    return isExpected
  } catch (error) {
    await session.rollBack()
    throw error
  }
}
