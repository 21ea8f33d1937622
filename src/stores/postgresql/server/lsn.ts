/** Positions of the write-ahead log: as PostgreSQL writes them, and the one that fences off what is visible now. */
import type { LogPosition } from '../../../model/copy/change.ts'
import { positionOf } from '../../../model/copy/position.ts'
import type { CopySession } from './session.ts'
import { sqlStateOf } from './server-errors.ts'

/** Headers of a page of the log: of each page, and of the first one of a file. */
const HEADERS = [24n, 40n]
/** The smallest size of a file of the log. */
const FILE = 1024n * 1024n
/** The role has no right to, or writes nothing at all. */
const NO_RIGHT = /^(?:42501|25006)$/

/** `0/1A2B3C8`, as pg_lsn prints it. */
export function lsnText(position: LogPosition): string {
  return `${(position >> 32n).toString(16)}/${(position & 0xffff_ffffn).toString(16)}`.toUpperCase()
}

/** @throws Error for a text that is no LSN */
export function lsnOf(text: string): LogPosition {
  if (!text.includes('/')) throw new Error(`this is no position of a log: ${text}`)
  return positionOf(text)
}

/**
 * Every transaction that a snapshot taken before this call shows has its commit record before the returned position: the insert position, because with
 * synchronous_commit=off a visible commit may not be written yet. On a standby, the position that is replayed.
 * @throws as the session does
 */
export async function fence(session: CopySession): Promise<LogPosition> {
  const [row] = await session.ask(
    `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
       ELSE pg_catalog.pg_current_wal_insert_lsn() END, pg_catalog.current_setting('wal_block_size')`,
  )
  const [position, pageBytes] = row ?? []
  if (position == null || pageBytes == null) throw new Error('the server does not tell a position of its log')
  return recordEnd(lsnOf(position), BigInt(pageBytes))
}

/** Whether what lies before a position is on the disk: until then no stream gets there. */
export async function isFlushed(session: CopySession, position: LogPosition): Promise<boolean> {
  const [row] = await session.ask(
    `SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_flush_lsn() END`,
  )
  return row?.[0] == null || lsnOf(row[0]) >= position
}

/**
 * Takes all of the log to the disk by a commit. A SELECT that tidies a page writes log, too; where its transaction is rolled back, as those of readers are, it
 * stays in memory until somebody else commits, which at a source at rest nobody does. Nothing where the role may not.
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
 * Where the last record before a position may end. At the end of a page the server tells an insert position behind the header of the next one, which no
 * record has reached: a stream that has sent everything would stay before it until something else is written.
 */
export function recordEnd(position: LogPosition, pageBytes: bigint): LogPosition {
  const offset = position % pageBytes
  const page = position - offset
  if (offset === HEADERS[0]) return page
  return offset === HEADERS[1] && page % FILE === 0n ? page : position
}
