/** Positions of the write-ahead log: their text, and the position that covers all commits visible now. */
import type { LogPosition } from '../../../model/copy/change.ts'
import { positionOf } from '../../../model/copy/position.ts'
import type { CopySession } from './session.ts'
import { sqlStateOf } from './server-errors.ts'

/** Sizes of the headers of log pages, bytes: of each page, and of the first page of a file. */
const HEADERS = [24n, 40n]
/** Smallest size of a log file, bytes. */
const FILE = 1024n * 1024n
/** SQLSTATEs: the role lacks the right, or the session is read-only. */
const NO_RIGHT = /^(?:42501|25006)$/

/** Text of a position as pg_lsn prints it, such as `0/1A2B3C8`. */
export function lsnText(position: LogPosition): string {
  return `${(position >> 32n).toString(16)}/${(position & 0xffff_ffffn).toString(16)}`.toUpperCase()
}

/** @throws Error for a text that is no LSN */
export function lsnOf(text: string): LogPosition {
  if (!text.includes('/')) throw new Error(`this is not a position of a log: ${text}`)
  return positionOf(text)
}

/**
 * Position after the commit record of every transaction in an earlier snapshot. It is the insert position, because with
 * synchronous_commit=off a visible commit may not be written yet. On a standby it is the replay position.
 * @throws errors of the session
 */
export async function commitFence(session: CopySession): Promise<LogPosition> {
  const [row] = await session.ask(
    `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
       ELSE pg_catalog.pg_current_wal_insert_lsn() END, pg_catalog.current_setting('wal_block_size')`,
  )
  const [position, pageBytes] = row ?? []
  if (position == null || pageBytes == null) throw new Error('the server does not report a position of its log')
  return recordEnd(lsnOf(position), BigInt(pageBytes))
}

/**
 * True if the log is on disk up to a position. Always true on a standby: only log that is on disk is streamed to it.
 */
export async function isFlushed(session: CopySession, position: LogPosition): Promise<boolean> {
  const [row] = await session.ask(
    `SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_flush_lsn() END`,
  )
  return row?.[0] == null || lsnOf(row[0]) >= position
}

/**
 * Flushes the log to disk by a commit. A SELECT that prunes a page writes log, too. Readers roll back, so this log
 * stays in memory until another session commits, which may never happen on an idle source. Does nothing if the role
 * lacks the right.
 */
export async function flushLog(session: CopySession): Promise<void> {
  try {
    await session.ask(
      `BEGIN; SET LOCAL synchronous_commit TO local; SELECT pg_catalog.pg_logical_emit_message(true, 'sluice', ''); COMMIT`,
    )
  } catch (error) {
    await session.rollBack()
    if (!NO_RIGHT.test(sqlStateOf(error) ?? '')) throw error
  }
}

/**
 * Latest possible end of the last record before a position. At the end of a page, the server reports an insert position
 * after the header of the next page, where no record ends. A stream that has sent all records would not reach that
 * position until the next write.
 */
export function recordEnd(position: LogPosition, pageBytes: bigint): LogPosition {
  const offset = position % pageBytes
  const page = position - offset
  if (offset === HEADERS[0]) return page
  return offset === HEADERS[1] && page % FILE === 0n ? page : position
}
