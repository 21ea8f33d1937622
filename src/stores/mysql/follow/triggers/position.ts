/**
 * Positions of a stream are numbers of a counter in the stream's own progress row. A batch takes its number before its
 * snapshot; a catch-up position takes a number as well. After the snapshot, and before a change is reported under a
 * number, a commit raises `shown` to this number. In the server's log, this commit comes after all commits that the
 * snapshot shows. So after a crash of the source there are two cases: the source still has all changes that the target
 * has, or `shown` is below the applied position and the stream halts. This holds for every value of
 * `innodb_flush_log_at_trx_commit` and `sync_binlog`, and needs no further privilege.
 */
import type { LogPosition } from '../../../../model/copy/change.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { backquotedTable } from '../../copy/names.ts'
import type { MysqlSession } from '../../session.ts'
import { mysqlProgressTable } from './log.ts'

const NO_TABLE = 1146
/** Error numbers: no right on the table, or on its database. */
const DENIED = new Set([1044, 1142])

type Progress = {
  readonly token: string
  /** Largest number that was taken. */
  readonly counter: LogPosition
  /** Largest number under which a change was, or may have been, reported. */
  readonly shown: LogPosition
  /** Notes of batches up to this number were deleted from the logs. */
  readonly forgotten: LogPosition
}

/** @returns null if the row or its table does not exist, or if the user has no right to read it */
export async function readProgress(session: MysqlSession, database: string, name: string): Promise<Progress | null> {
  try {
    const [row] = await session.rows(
      `SELECT token, CAST(counter AS CHAR), CAST(shown AS CHAR), CAST(forgotten AS CHAR) FROM ${backquotedTable(mysqlProgressTable(database, name))}`,
    )
    if (row === undefined) return null
    const [token, counter, shown, forgotten] = row.map(String)
    return {
      token: token ?? '',
      counter: BigInt(counter ?? 0),
      shown: BigInt(shown ?? 0),
      forgotten: BigInt(forgotten ?? 0),
    }
  } catch (error) {
    const number = mysqlErrorNumber(error) ?? 0
    if (number === NO_TABLE || DENIED.has(number)) return null
    throw error
  }
}

/**
 * Takes the next number and commits.
 * @param session must allow writes
 * @throws SluiceError SOURCE_IO, retryable: row missing
 */
export async function takeNumber(session: MysqlSession, database: string, name: string): Promise<LogPosition> {
  const { changed } = await session.execute(
    `UPDATE ${backquotedTable(mysqlProgressTable(database, name))} SET counter = LAST_INSERT_ID(counter + 1)`,
  )
  if (changed === 0) throw logsGone(`the row of progress of stream ${name} is gone`)
  const [[number] = []] = await session.rows('SELECT CAST(LAST_INSERT_ID() AS CHAR)')
  await session.command('COMMIT')
  return BigInt(String(number))
}

/** Now, ms since the epoch, by the clock of the server. */
export async function mysqlClockMs(session: MysqlSession): Promise<number> {
  const [[now] = []] = await session.rows('SELECT CAST(FLOOR(UNIX_TIMESTAMP(NOW(3)) * 1000) AS CHAR)')
  return Number(now)
}

/** Raises `shown` to the number. Call it after the snapshot and before anything is reported under the number. */
export async function noteShown(
  session: MysqlSession,
  database: string,
  name: string,
  number: LogPosition,
): Promise<void> {
  await session.execute(
    `UPDATE ${backquotedTable(mysqlProgressTable(database, name))} SET shown = GREATEST(shown, ?)`,
    [number],
  )
  await session.command('COMMIT')
}

/** Error that ends a stream's session. Opening it again verifies the source and reports what was lost. */
export function logsGone(message: string): SluiceError {
  return new SluiceError('SOURCE_IO', message, { kind: 'source', retryable: true })
}
