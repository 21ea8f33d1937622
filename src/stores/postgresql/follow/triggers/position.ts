/**
 * The positions of a stream that uses triggers are positions of the server's log (LSNs). They only grow, so they can be
 * compared, and the lag can be reported in bytes as for a replication slot.
 *
 * A round reads its position first, then takes its snapshot. A catch-up position is one byte after the end of the log,
 * and a record is added to the log right afterwards. So if the position of a round is at or above a catch-up position,
 * the round read its position after the catch-up position was taken. The round's snapshot shows everything that any
 * snapshot before the catch-up position shows. The positions of commit records do not matter. A transaction may become
 * visible long after its commit record was written, because its session waits for the disk or a standby. A later round
 * reports such a transaction, because its notes become visible together with its rows.
 *
 * Every reported transaction is on the source's disk, although with synchronous_commit=off a commit is visible before
 * it is written. So after a crash, the log never ends before a position that a target has, and the source has every
 * transaction that a target has.
 */
import type { LogPosition } from '../../../../model/copy/change.ts'
import type { CopySession } from '../../server/session.ts'
import { flushLog, lsnOf } from '../../server/lsn.ts'

const INSERT = 'pg_catalog.pg_current_wal_insert_lsn()'

export async function insertPosition(session: CopySession): Promise<LogPosition> {
  return lsnOf((await session.one(`SELECT ${INSERT}`)) ?? '')
}

/** Returns a catch-up position, see above. @param session may write, and is in no transaction */
export async function triggerFence(session: CopySession): Promise<LogPosition> {
  const position = await insertPosition(session)
  await flushLog(session)
  return position + 1n
}

/** Two columns of a query: the end of the log on disk, and whether this is the end of the whole log. */
export const WRITTEN = `pg_catalog.pg_current_wal_flush_lsn(), pg_catalog.pg_current_wal_flush_lsn() >= ${INSERT}`
