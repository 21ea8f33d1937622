/**
 * A partition leaves its parent outside of any transaction, where statements run so long that no lock is ever to be had: DETACH PARTITION CONCURRENTLY. Its first
 * transaction marks the partition, and nobody who begins then reads it through its parent; the second one has to wait for whoever read it before. That wait is
 * not left to the server, which would hold a session for as long: the command is broken off there, and FINALIZE is tried until it comes through.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { LeaveStanding, PartitionRequest } from '../../../model/archive/port.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { tableByIdentity, tableByName, type FoundTable } from '../server/known.ts'
import { isBusy } from '../server/locks.ts'
import { ARCHIVED_SCHEMA, archivedName, moveTable } from './move.ts'
import { moveBelow, tablesBelow } from '../server/tree.ts'

export type Where = Pick<PartitionRequest, 'parent' | 'partition' | 'identity'>

/** Servers before it have no such detach. */
const SINCE = 140_000
/** How long a session that was ended may take to go. */
const ENDING_MS = 5000

/** Why it cannot be detached so, in words; null where it can. */
export async function keepsFromSlowLeave(session: CopySession, { parent }: Where): Promise<string | null> {
  if (session.version < SINCE) return 'this server has no DETACH PARTITION CONCURRENTLY'
  const above = await tableByName(session, parent)
  if (above === null) return null
  const [row] = await session.ask(
    `SELECT (SELECT partdefid <> 0::oid FROM pg_catalog.pg_partitioned_table WHERE partrelid = ${above.oid}::oid),
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(k.conname) || ' of ' || k.conrelid::pg_catalog.regclass::text, ', ' ORDER BY k.conname)
        FROM pg_catalog.pg_constraint k WHERE k.confrelid = ${above.oid}::oid AND k.contype = 'f' AND k.conparentid = 0::oid)`,
  )
  if (row?.[0] === 't') return `${tableText(parent)} has a default partition, with which the server detaches none so`
  if (row?.[1] != null)
    return `the foreign key ${row[1]} refers to it: the server would look for its rows while their writers wait`
  return null
}

export async function standingOf(
  session: CopySession,
  { parent, partition, identity }: Where,
): Promise<{ readonly standing: LeaveStanding; readonly table: FoundTable | null }> {
  const table = await tableByIdentity(session, identity)
  const standing = await (async (): Promise<LeaveStanding> => {
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
 * Marks a partition. Returns whether it is marked, or further; where others had the parent locked against it, it is not.
 * @param patienceMs for its own lock, which keeps only those waiting who change the definition of the table
 */
export async function markLeaving(session: CopySession, where: Where, patienceMs: number): Promise<boolean> {
  await session.ask(`SET lock_timeout = ${Math.max(1, Math.floor(patienceMs))}`)
  try {
    await session.ask(
      `ALTER TABLE ${tableSql(where.parent)} DETACH PARTITION ${tableSql(where.partition)} CONCURRENTLY`,
    )
  } catch (error) {
    if (!session.alive || !isBusy(error)) throw error
  } finally {
    if (session.alive) await session.ask('RESET lock_timeout')
  }
  return (await standingOf(session, where)).standing !== 'in'
}

/** With its own lock held, and those of the tables below it: ends the detach where it has not ended, and moves the table. */
export async function endAndMove(session: CopySession, where: Where, table: FoundTable): Promise<void> {
  const { standing } = await standingOf(session, where)
  if (standing === 'pending') {
    await session.ask(`ALTER TABLE ${tableSql(where.parent)} DETACH PARTITION ${tableSql(table.name)} FINALIZE`)
  }
  if (standing === 'away') return
  await moveTable(session, table, archivedName(where.partition, table.oid))
  if (table.kind === 'p') await moveBelow(session, await tablesBelow(session, table))
}

/** Of the session that may mark a partition: whoever goes on with that partition ends it before it looks. */
export async function lockLeaving(session: CopySession, identity: string): Promise<void> {
  await session.ask(`SELECT pg_catalog.pg_advisory_lock(${keyOf(identity)})`)
}

export async function unlockLeaving(session: CopySession, identity: string): Promise<void> {
  await session.ask(`SELECT pg_catalog.pg_advisory_unlock(${keyOf(identity)})`)
}

/** From its return on no earlier program marks the partition. @throws SluiceError TARGET_BUSY where its session does not end */
export async function endMarkers(session: CopySession, { identity, partition }: Where): Promise<void> {
  const until = performance.now() + ENDING_MS
  for (;;) {
    const [row] = await session.ask(`SELECT pg_catalog.pg_try_advisory_lock(${keyOf(identity)})`)
    if (row?.[0] === 't') return unlockLeaving(session, identity)
    await session.ask(
      `SELECT pg_catalog.pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
         AND ((l.classid::bigint << 32) | l.objid::bigint) = ${keyOf(identity)}`,
    )
    if (performance.now() > until) {
      throw new SluiceError('TARGET_BUSY', `an earlier program still detaches ${tableText(partition)}`, {
        retryable: true,
        hint: 'end its session of the server, then run the same command again',
      })
    }
    await sleep(50)
  }
}

function keyOf(identity: string): string {
  return `pg_catalog.hashtextextended(${literal(`sluice leaves ${identity}`)}, 0)`
}
