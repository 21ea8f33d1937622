/**
 * Positions of a stream: numbers of a counter in the stream's own row of progress.
 *
 * A round takes its number before its snapshot, and a fence takes one as well. Before anything is told under a number, `shown` is moved up to it, behind the
 * snapshot: that commit stands in the server's log behind all that the snapshot shows. So either everything that a target has outlives a crash of the source, or
 * `shown` does not reach what is applied, and the stream halts. That holds whatever `innodb_flush_log_at_trx_commit` and `sync_binlog` say, and takes no right.
 */
import type { LogPosition } from '../../../../model/copy/change.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { ticked } from '../../partition/maintenance/options.ts'
import type { Session } from '../../session.ts'
import { progressTable } from './log.ts'

const NO_TABLE = 1146
/** No right on the table, or on its database. */
const DENIED = new Set([1044, 1142])

type Progress = {
  readonly token: string
  /** Greatest number that was taken. */
  readonly counter: LogPosition
  /** Greatest number under which something was told, or may have been. */
  readonly shown: LogPosition
  /** Notes of rounds up to this number were taken out of the logs. */
  readonly forgotten: LogPosition
}

/** @returns null where the row, or its table, is gone, or nobody may read it */
export async function readProgress(session: Session, database: string, name: string): Promise<Progress | null> {
  try {
    const [row] = await session.rows(
      `SELECT token, CAST(counter AS CHAR), CAST(shown AS CHAR), CAST(forgotten AS CHAR) FROM ${ticked(progressTable(database, name))}`,
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

/** The next number, committed. @param session may write @throws SluiceError SOURCE_IO, retryable, where the row is gone */
export async function takeNumber(session: Session, database: string, name: string): Promise<LogPosition> {
  const { changed } = await session.execute(
    `UPDATE ${ticked(progressTable(database, name))} SET counter = LAST_INSERT_ID(counter + 1)`,
  )
  if (changed === 0) throw logsGone(`the row of progress of stream ${name} is gone`)
  const [[number] = []] = await session.rows('SELECT CAST(LAST_INSERT_ID() AS CHAR)')
  await session.command('COMMIT')
  return BigInt(String(number))
}

/** Now, ms since the epoch, by the clock of the server. */
export async function clockMs(session: Session): Promise<number> {
  const [[now] = []] = await session.rows('SELECT CAST(FLOOR(UNIX_TIMESTAMP(NOW(3)) * 1000) AS CHAR)')
  return Number(now)
}

/** What was shown before this call may be told under the number from now on. */
export async function noteShown(session: Session, database: string, name: string, number: LogPosition): Promise<void> {
  await session.execute(`UPDATE ${ticked(progressTable(database, name))} SET shown = GREATEST(shown, ?)`, [number])
  await session.command('COMMIT')
}

/** Ends a stream's session, so that whoever opens it again looks at the source first and says what was lost. */
export function logsGone(message: string): SluiceError {
  return new SluiceError('SOURCE_IO', message, { kind: 'source', retryable: true })
}
