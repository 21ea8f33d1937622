/** The replication slot of a stream: creates, inspects, drops it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SluiceError } from '../../../../shared/errors.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { underSignal } from '../../server/under-signal.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { NUMBERED, waitPostgresUntil, type PostgresWait } from '../../server/waiting.ts'

export const PLUGIN = 'pgoutput'
/** Form of the names that sluice gives to slots and publications. */
const OURS = /^sluice_[a-z0-9_]{1,56}$/
/** Longest wait for the slot, ms. Servers notice a dead program within 1 s (`client_connection_check_interval`). */
const RELEASE_MS = 5000
const REST_MS = 50
const SHORT_WAIT_MS = 1000

export type FoundSlot = {
  readonly name: string
  /** Null for a physical slot. */
  readonly plugin: string | null
  readonly database: string | null
  /** PID of the server process that uses it. */
  readonly activeBy: number | null
  /** `reserved`, `extended`, `unreserved`, `lost`; null if it keeps no log yet. */
  readonly status: string | null
  /** Why the server invalidated it; PostgreSQL 16 and newer. */
  readonly invalidation: string | null
  /** Position from which on the server keeps log for the slot: restart_lsn. */
  readonly restart: string | null
  /** Position that the reader has confirmed: confirmed_flush_lsn. */
  readonly confirmed: string | null
  /** Bytes of log after `restart`. */
  readonly heldBytes: bigint | null
  /** Bytes that the server may still write before the slot can be lost: safe_wal_size; null without a limit. */
  readonly safeBytes: bigint | null
}

/** True for a name that this program gives to slots and publications. */
export function isOwnSlot(name: string): boolean {
  return OURS.test(name)
}

/** @throws SluiceError BAD_CONFIG if the name is not one of sluice */
export function refuseForeign(name: string): void {
  if (isOwnSlot(name)) return
  throw new SluiceError('BAD_CONFIG', `${name} is not a valid name for a slot of sluice`, {
    hint: 'use a name that begins with sluice_ and has only lower-case letters, digits and underscores, 63 at most',
  })
}

/** Slots by name. `conflicting` counts only on a standby: PostgreSQL 16 reports it for all invalid logical slots. */
export async function findSlots(session: CopySession, name: string | null = null): Promise<readonly FoundSlot[]> {
  const rows = await session.ask(
    `WITH wal AS (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
       ELSE pg_catalog.pg_current_wal_lsn() END AS now)
     SELECT s.slot_name, s.plugin, s.database, s.active_pid, s.wal_status,
       coalesce(pg_catalog.to_jsonb(s) ->> 'invalidation_reason'::text, CASE WHEN pg_catalog.pg_is_in_recovery() AND pg_catalog.to_jsonb(s) ->> 'conflicting'::text = 'true' THEN 'conflict with recovery' END),
       s.restart_lsn, s.confirmed_flush_lsn, pg_catalog.pg_wal_lsn_diff(wal.now, s.restart_lsn)::bigint, s.safe_wal_size
     FROM pg_catalog.pg_replication_slots s CROSS JOIN wal
     ${name === null ? '' : `WHERE s.slot_name = ${literal(name)}`} ORDER BY s.slot_name`,
  )
  return rows.map(
    ([slot, plugin = null, database = null, pid, status = null, invalidation = null, restart = null, ...more]) => {
      const [confirmed = null, held = null, safe = null] = more
      return {
        name: slot ?? '',
        plugin,
        database,
        activeBy: pid == null ? null : Number(pid),
        status,
        invalidation,
        restart,
        confirmed,
        heldBytes: held === null ? null : BigInt(held),
        safeBytes: safe === null ? null : BigInt(safe),
      }
    },
  )
}

/**
 * Creates the slot. The server waits until every transaction that was open at the start of this call has ended.
 * @returns the position from which on the slot reports every transaction
 * @throws SluiceError SOURCE_BUSY as `waitPostgresUntil`; errors of the server
 */
export async function createSlot(settings: PostgresSettings, name: string, wait: PostgresWait): Promise<string> {
  await using maker = await CopySession.open(settings, 'write')
  // The session waits for transactions; a lock or statement timeout must not end this wait.
  await maker.ask('SET lock_timeout TO 0; SET statement_timeout TO 0')
  await detectClientLoss(maker)
  return await underSignal(maker, wait.signal, async () => {
    const sql = `SELECT lsn FROM pg_catalog.pg_create_logical_replication_slot(${literal(name)}, ${literal(PLUGIN)})`
    let made: string | null = null
    let failure: unknown = null
    const making = maker.ask(sql).then(
      ([row]) => void (made = row?.[0] ?? ''),
      (error: unknown) => void (failure = error),
    )
    const isMade = async (): Promise<boolean> => {
      await Promise.race([making, sleep(REST_MS)])
      if (failure !== null) throw failure
      return made !== null
    }
    try {
      await waitPostgresUntil(wait, `slot ${name}`, isMade, { of: 'server', without: maker.backend.pid })
    } catch (error) {
      maker.destroy()
      throw error
    }
    return made ?? ''
  })
}

/**
 * Waits until every transaction of this database that is open now has ended. A transaction whose commit record is
 * before the slot's position may still be invisible, because it waits for a synchronous standby. It holds the lock on
 * its transaction id until its changes are visible. A snapshot's list of open ids is not enough: it omits ids above
 * that of the last ended transaction.
 */
export function waitForOpen(wait: PostgresWait): Promise<void> {
  return waitForTransactions(wait, 'the first snapshot', 'database')
}

/**
 * Waits until a slot can be created at once: the server's older transactions have ended.
 * @throws SluiceError SOURCE_BUSY as `waitPostgresUntil`
 */
export async function waitForOlderTransactions(wait: PostgresWait): Promise<void> {
  for (;;) {
    const since = performance.now()
    await waitForTransactions(wait, 'the lock that blocks writers', 'server')
    // During a long wait other long transactions may have begun: wait again.
    if (performance.now() - since < SHORT_WAIT_MS) return
  }
}

/** Waits for all transactions that have a transaction id and are open now. */
async function waitForTransactions(wait: PostgresWait, what: string, of: 'database' | 'server'): Promise<void> {
  const { session } = wait
  const here =
    of === 'server'
      ? ''
      : 'AND coalesce(a.datname, x.database, pg_catalog.current_database()) = pg_catalog.current_database()'
  const rows = await session.ask(
    `SELECT l.transactionid FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
       LEFT JOIN pg_catalog.pg_prepared_xacts x ON l.pid IS NULL AND x.transaction = l.transactionid
     WHERE ${NUMBERED} AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() ${here}`,
  )
  if (rows.length === 0) return
  const open = rows.map(([xid]) => xid ?? '')
  const isOver = async (): Promise<boolean> => {
    const [left] = await session.ask(
      `SELECT count(*) FROM pg_catalog.pg_locks l WHERE ${NUMBERED} AND l.transactionid = ANY (${literal(`{${open.join(',')}}`)}::xid[])`,
    )
    return left?.[0] === '0'
  }
  await waitPostgresUntil(wait, what, isOver, { of })
}

/**
 * Drops a slot; does nothing if it does not exist.
 * @param active `end`: terminates the session that uses it, because the caller knows that its program is dead
 * @throws SluiceError SLOT_ACTIVE if it stays in use
 */
export async function dropSlot(session: CopySession, name: string, active: 'end' | 'refuse'): Promise<void> {
  const end = performance.now() + RELEASE_MS
  for (;;) {
    const [slot] = await findSlots(session, name)
    if (slot === undefined) return
    if (slot.activeBy === null) {
      try {
        await session.ask(`SELECT pg_catalog.pg_drop_replication_slot(${literal(name)})`)
        return
      } catch (error) {
        // The slot was taken or dropped after it was read.
        if (sqlStateOf(error) !== '55006' && sqlStateOf(error) !== '42704') throw error
      }
    } else if (active === 'end') {
      await session.ask(`SELECT pg_catalog.pg_terminate_backend(${slot.activeBy})`)
    }
    if (performance.now() > end) throw slotActive(name, slot.activeBy)
    await sleep(REST_MS)
  }
}

function slotActive(name: string, pid: number | null): SluiceError {
  return new SluiceError('SLOT_ACTIVE', `replication slot ${name} is in use`, {
    reason: pid === null ? 'only one session at a time can use it' : `session ${pid} of the server reads it`,
    hint: 'end the program that reads it, then run the same command again',
  })
}

/** Makes the server stop waiting if this program is killed. */
async function detectClientLoss(session: CopySession): Promise<void> {
  try {
    await session.ask("SET client_connection_check_interval TO '1s'")
  } catch {
    // Servers on some systems do not support this check.
  }
}
