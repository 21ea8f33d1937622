/**
 * Detaches a partition with DETACH PARTITION CONCURRENTLY, outside of any transaction, if long statements make every
 * lock attempt fail. Its first transaction marks the partition: later statements do not read it through the parent. The
 * second one must wait for earlier readers. A lock timeout ends the command in that wait, and FINALIZE is retried until
 * it succeeds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { DetachState, PartitionRequest } from '../../../model/archive/port.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { tableByIdentity, tableByName, type FoundRelation } from '../server/known.ts'
import { isPostgresBusy } from '../server/locks.ts'
import { ARCHIVED_SCHEMA, moveAway } from './move.ts'
import { moveBelow, tablesBelow } from '../server/tree.ts'

export type DetachedPartition = Pick<PartitionRequest, 'parent' | 'partition' | 'identity'>

/** First server version with DETACH PARTITION CONCURRENTLY. */
const SINCE = 140_000
/** Longest wait for the end of a terminated session, ms. */
const ENDING_MS = 5000

/** Reason why this detach is impossible; null if it is possible. */
export async function concurrentDetachRefusal(
  session: CopySession,
  { parent }: DetachedPartition,
): Promise<string | null> {
  if (session.version < SINCE) return 'this server has no DETACH PARTITION CONCURRENTLY'
  const above = await tableByName(session, parent)
  if (above === null) return null
  const [row] = await session.ask(
    `SELECT (SELECT partdefid <> 0::oid FROM pg_catalog.pg_partitioned_table WHERE partrelid = ${above.oid}::oid),
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(k.conname) || ' of ' || k.conrelid::pg_catalog.regclass::text, ', ' ORDER BY k.conname)
        FROM pg_catalog.pg_constraint k WHERE k.confrelid = ${above.oid}::oid AND k.contype = 'f' AND k.conparentid = 0::oid)`,
  )
  if (row?.[0] === 't') return `${tableText(parent)} has a default partition, so the server cannot detach concurrently`
  if (row?.[1] != null)
    return `the foreign key ${row[1]} refers to ${tableText(parent)}: the server would search its rows while writers wait`
  return null
}

/** State of a detach. @returns `table`: null if `standing` is `gone` */
export async function detachState(
  session: CopySession,
  { parent, partition, identity }: DetachedPartition,
): Promise<{ readonly standing: DetachState; readonly table: FoundRelation | null }> {
  const table = await tableByIdentity(session, identity)
  const standing = await (async (): Promise<DetachState> => {
    if (table === null) return 'gone'
    if (table.parent !== null) {
      const above = await tableByName(session, parent)
      if (above?.oid !== table.parent) return 'gone'
      return table.leaving ? 'pending' : 'in'
    }
    if (table.name.schema === ARCHIVED_SCHEMA) return 'away'
    return tableSql(table.name) === tableSql(partition) ? 'out' : 'gone'
  })()
  return { standing, table: standing === 'gone' ? null : table }
}

/**
 * Marks a partition.
 * @param lockTimeoutMs lock timeout, ms; the lock blocks only changes of the table's definition
 * @returns true if the partition is marked or detached; false if the lock timeout expired first
 */
export async function markDetaching(
  session: CopySession,
  where: DetachedPartition,
  lockTimeoutMs: number,
): Promise<boolean> {
  await session.ask(`SET lock_timeout = ${Math.max(1, Math.floor(lockTimeoutMs))}`)
  try {
    await session.ask(
      `ALTER TABLE ${tableSql(where.parent)} DETACH PARTITION ${tableSql(where.partition)} CONCURRENTLY`,
    )
  } catch (error) {
    if (!session.alive || !isPostgresBusy(error)) throw error
  } finally {
    if (session.alive) await session.ask('RESET lock_timeout')
  }
  return (await detachState(session, where)).standing !== 'in'
}

/** Finishes the detach if necessary, and moves the table. The caller has locked the table and those below it. */
export async function endAndMove(session: CopySession, where: DetachedPartition, table: FoundRelation): Promise<void> {
  const { standing } = await detachState(session, where)
  if (standing === 'pending') {
    await session.ask(`ALTER TABLE ${tableSql(where.parent)} DETACH PARTITION ${tableSql(table.name)} FINALIZE`)
  }
  if (standing === 'away') return
  await moveAway(session, table, where.partition)
  if (table.kind === 'p') await moveBelow(session, await tablesBelow(session, table))
}

/** Advisory lock of a session that may mark a partition: a later program finds the session by this lock and ends it. */
export async function lockDetaching(session: CopySession, identity: string): Promise<void> {
  await session.ask(`SELECT pg_catalog.pg_advisory_lock(${keyOf(identity)})`)
}

export async function unlockDetaching(session: CopySession, identity: string): Promise<void> {
  await session.ask(`SELECT pg_catalog.pg_advisory_unlock(${keyOf(identity)})`)
}

/**
 * Ends sessions of earlier programs that may mark the partition.
 * @throws SluiceError TARGET_BUSY if one does not end
 */
export async function endMarkingSessions(
  session: CopySession,
  { identity, partition }: DetachedPartition,
): Promise<void> {
  const until = performance.now() + ENDING_MS
  for (;;) {
    if (await session.isTrue(`SELECT pg_catalog.pg_try_advisory_lock(${keyOf(identity)})`))
      return unlockDetaching(session, identity)
    await session.ask(
      `SELECT pg_catalog.pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
         AND ((l.classid::bigint << 32) | l.objid::bigint) = ${keyOf(identity)}`,
    )
    if (performance.now() > until) {
      throw new SluiceError('TARGET_BUSY', `an earlier program is still detaching ${tableText(partition)}`, {
        retryable: true,
        hint: 'end its session on the server, then run the same command again',
      })
    }
    await sleep(50)
  }
}

function keyOf(identity: string): string {
  return `pg_catalog.hashtextextended(${literal(`sluice leaves ${identity}`)}, 0)`
}
