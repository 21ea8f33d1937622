/** The owner of a stream: a row next to the counter's table. */
import type Database from 'better-sqlite3'
import type { RecordedTarget } from '../../../../model/follow/port.ts'
import { followerOf } from '../../../common/follower-note.ts'
import { quote } from '../../../common/sqlite-dialect/ddl.ts'
import { written } from '../../copy/connection.ts'
import { sqliteFollowerTable } from './log.ts'
import { definitionOf } from '../../copy/shape.ts'

export function readSqliteFollower(connection: Database.Database, stream: string): RecordedTarget | null {
  const name = sqliteFollowerTable(stream)
  if (definitionOf(connection, name) === null) return null
  const note = connection
    .prepare(`SELECT note FROM ${quote(name)} WHERE one = 1`)
    .pluck()
    .get()
  return followerOf(typeof note === 'string' ? note : null)
}

/** @param was the owner that was recorded before; null for none @returns false if another owner is recorded now */
export async function writeSqliteFollower(
  connection: Database.Database,
  stream: string,
  follower: RecordedTarget,
  was: string | null,
  signal: AbortSignal,
): Promise<boolean> {
  const name = quote(sqliteFollowerTable(stream))
  return await written(
    connection,
    () => {
      if ((readSqliteFollower(connection, stream)?.owner ?? null) !== was) return false
      connection.exec(
        `CREATE TABLE IF NOT EXISTS ${name} (one INTEGER PRIMARY KEY CHECK (one = 1), note TEXT NOT NULL)`,
      )
      connection.prepare(`INSERT OR REPLACE INTO ${name} VALUES (1, ?)`).run(JSON.stringify(follower))
      return true
    },
    signal,
  )
}
