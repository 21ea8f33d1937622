/**
 * Positions of a stream by triggers: places of the server's log, which grows by itself, so that they can be compared and told in bytes as those of a slot.
 *
 * A round has the position that was read before its snapshot was taken; a fence is one byte behind the position that was read for it, and the log is made to grow
 * right after. So a round has reached a fence only if its position was read later, and its snapshot later still: it shows everything that any snapshot taken before the fence
 * shows. Where commit records stand does not matter: one that lies before a position may become visible long after it, when its session has waited for the disk
 * or for a standby, and such a transaction is told by a later round, because its notes become visible together with it.
 *
 * What is told lies before what is on the source's disk: after a crash the log never ends before a position that a target has, and no transaction that a target
 * has is lost (with synchronous_commit=off a commit is visible before it is written).
 */
import type { LogPosition } from '../../../../model/copy/change.ts'
import type { CopySession } from '../../server/session.ts'
import { flushLog, lsnOf } from '../../server/lsn.ts'

const INSERT = 'pg_catalog.pg_current_wal_insert_lsn()'

export async function insertPosition(session: CopySession): Promise<LogPosition> {
  const [row] = await session.ask(`SELECT ${INSERT}`)
  return lsnOf(row?.[0] ?? '')
}

/** See above. @param session may write, and is in no transaction */
export async function triggerFence(session: CopySession): Promise<LogPosition> {
  const position = await insertPosition(session)
  await flushLog(session)
  return position + 1n
}

/** Of a query: the end of the log that is on the disk, and whether that is all of it. */
export const WRITTEN = `pg_catalog.pg_current_wal_flush_lsn(), pg_catalog.pg_current_wal_flush_lsn() >= ${INSERT}`
