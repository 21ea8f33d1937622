/**
 * Allows one writer per table, by a lease that uses the database's clock and has a fence. The fence grows at each
 * change of owner. A writer that lost its lease is refused at its next commit, so a stalled process that wakes up late
 * cannot overwrite its successor's rows.
 */
import { SluiceError } from '../shared/errors.ts'
import type { Owner } from '../shared/owner.ts'
import {
  ownerStatus,
  storedLeaseOwner,
  LEASE_COLUMNS,
  ownerColumns,
  ownerValues,
  type StoredOwner as StoredHolder,
  type LeaseColumns,
} from '../stores/common/lease/columns.ts'
import { startHeartbeat } from '../stores/common/lease/heartbeat.ts'
import { LeaseSql, timesAt } from '../stores/common/lease/sql.ts'
import {
  REPEATABLE,
  type SessionLock,
  type SqlDatabase,
  type SqlReader,
  type SqlRow,
  type SqlTransaction,
} from '../model/run/sql-port.ts'
import { OWNERS_VERSION } from './migration-5.ts'

/**
 * Time (ms) after which another run may take the lease of a silent owner whose process cannot be checked. Longer than
 * the lease of a chunk: a batch of a large import is one transaction, which renews the lease only when it begins.
 */
export const CATALOG_LEASE_MS = 60_000
/** How often a working owner renews its lease, ms. */
const RENEW_MS = 15_000

const COLUMNS: LeaseColumns = { ...LEASE_COLUMNS, until: 'expires_at' }
const OWNER = ownerColumns(COLUMNS)

export type CatalogLeaseHolder = Owner & { readonly command: string }
export type Lease = CatalogLeaseHolder & {
  readonly tableId: string
  readonly fence: number
  /**
   * Session lock of the lease. Null if the system has no session locks, or if another session still has the lock. It is
   * taken again after a server restart.
   */
  lock: SessionLock | null
}

/**
 * Takes the lease of a table. The lease of an ended owner is taken over at once: on this machine always, on other
 * machines only if the database has session locks.
 * @throws SluiceError TABLE_LOCKED that names the holder
 */
export async function acquireLease(database: SqlDatabase, tableId: string, me: CatalogLeaseHolder): Promise<Lease> {
  const now = await database.now()
  const lock = await database.lock?.(lockName(tableId))
  let mine = 0
  try {
    const fence = await database.write(
      async (transaction) => {
        mine = await takeRow(transaction, tableId, me, { now, endedSession: lock !== undefined && lock !== null })
        return mine
      },
      async (reader) => {
        const row = await rowOf(reader, tableId)
        // Compare more than the id: another worker of this run has the same id.
        return row !== null && row.holder.id === me.id && row.fence === mine && row.acquiredAt === now
      },
    )
    return { ...me, tableId, fence, lock: lock ?? null }
  } catch (error) {
    await lock?.[Symbol.asyncDispose]()
    const other = error instanceof SluiceError && error.code !== 'VALUE_REFUSED'
    const row = other ? null : await rowOf(database, tableId)
    // Two programs found no row and inserted one: the primary key refused the second.
    if (row !== null && row.holder.id !== me.id) throw locked(tableId, row, now)
    throw error
  }
}

type LeaseRow = {
  readonly holder: StoredHolder
  readonly command: string
  readonly fence: number
  readonly acquiredAt: number
  readonly expiresAt: number
}

/** @param owner names of the owner columns in this catalog */
async function rowOf(reader: SqlReader, tableId: string, owner: readonly string[] = OWNER): Promise<LeaseRow | null> {
  const [row] = await reader.all(
    `SELECT fence, command, acquired_at, expires_at, ${owner.join(', ')} FROM catalog_leases WHERE table_id = ?`,
    [tableId],
  )
  const holder = row === undefined ? null : storedLeaseOwner(row.slice(4))
  if (row === undefined || holder === null) return null
  const [fence, command, acquiredAt, expiresAt] = row as [number, string, number, number]
  return { holder, fence, command, acquiredAt, expiresAt }
}

async function takeRow(
  transaction: SqlTransaction,
  tableId: string,
  me: CatalogLeaseHolder,
  by: { readonly now: number; readonly endedSession: boolean },
): Promise<number> {
  const { now } = by
  const taken = new LeaseSql(COLUMNS, timesAt(now, CATALOG_LEASE_MS)).taken(me)
  const row = await rowOf(transaction, tableId)
  if (row === null) {
    const values: SqlRow = [tableId, 1, me.command, now, now + CATALOG_LEASE_MS, ...ownerValues(me)]
    await transaction.run(
      `INSERT INTO catalog_leases (table_id, fence, command, acquired_at, expires_at, ${OWNER.join(', ')}) VALUES (${values.map(() => '?').join(', ')})`,
      values,
    )
    return 1
  }
  const fate = ownerStatus(row.holder, me)
  const gone = fate === 'ended' || (fate === 'unknown' && by.endedSession)
  if (row.expiresAt > now && !gone) throw locked(tableId, row, now)
  const fence = row.fence + 1
  const changed = await transaction.run(
    `UPDATE catalog_leases SET fence = ?, command = ?, acquired_at = ?, ${taken.sql} WHERE table_id = ? AND fence = ?`,
    [fence, me.command, now, ...taken.parameters, tableId, row.fence],
  )
  // Another program took the lease between the read and the change.
  if (changed !== 1) throw locked(tableId, (await rowOf(transaction, tableId)) ?? row, now)
  return fence
}

function locked(tableId: string, { holder, command, acquiredAt }: LeaseRow, now: number): SluiceError {
  const seconds = Math.max(0, Math.round((now - acquiredAt) / 1000))
  return new SluiceError('TABLE_LOCKED', `${tableId} is being written by another run: ${command}`, {
    where: `process ${holder.pid} on ${holder.host}, since ${seconds} s`,
    hint: 'wait until it ends, or stop it; if that machine no longer runs, its lease ends within a minute',
    retryable: true,
  })
}

/** Condition for the row of a lease that no other run has taken. */
const MINE = 'table_id = ? AND fence = ? AND owner = ?'
const mine = ({ tableId, fence, id }: Lease): SqlRow => [tableId, fence, id]

/** Renews the lease inside the transaction that it protects. @throws SluiceError LEASE_LOST */
export async function renewLease(transaction: SqlTransaction, lease: Lease, nowMs: number): Promise<void> {
  const { sql, parameters } = new LeaseSql(COLUMNS, timesAt(nowMs, CATALOG_LEASE_MS)).renewed
  const changed = await transaction.run(`UPDATE catalog_leases SET ${sql} WHERE ${MINE}`, [
    ...parameters,
    ...mine(lease),
  ])
  if (changed !== 1) {
    throw new SluiceError('LEASE_LOST', `another run took over ${lease.tableId}; this batch was not written`, {
      hint: 'let the other run finish, then run the same command again; this run did not renew its lease in time',
    })
  }
}

/**
 * Runs `body` in one transaction under the lease. @param body may run twice @throws SluiceError LEASE_LOST: nothing was
 * written
 */
export async function writeUnderLease<T>(
  database: SqlDatabase,
  lease: Lease,
  body: (transaction: SqlTransaction) => Promise<T>,
): Promise<T> {
  const now = await database.now()
  return database.write(async (transaction) => {
    await renewLease(transaction, lease, now)
    return body(transaction)
  }, REPEATABLE)
}

/**
 * Renews a lease between the transactions that check it, and takes its session lock again after a server restart. Never
 * rejects: the next transaction finds a lost lease and acts on it.
 */
async function keepLease(database: SqlDatabase, lease: Lease): Promise<void> {
  try {
    const now = await database.now()
    await database.write((transaction) => renewLease(transaction, lease, now), REPEATABLE)
    if (lease.lock?.held === false) lease.lock = (await database.lock?.(lockName(lease.tableId))) ?? lease.lock
  } catch {
    // The database is unreachable, or the lease is lost.
  }
}

function lockName(tableId: string): string {
  return `table ${tableId}`
}

/** Releases the lease. The row stays, so that the fence keeps growing. */
export async function releaseLease(database: SqlDatabase, lease: Lease): Promise<void> {
  try {
    await database.write(
      (transaction) =>
        // The row keeps its last owner's name: the column is NOT NULL.
        transaction.run(`UPDATE catalog_leases SET expires_at = 0 WHERE ${MINE}`, mine(lease)),
      REPEATABLE,
    )
  } finally {
    await lease.lock?.[Symbol.asyncDispose]()
  }
}

/** Keeps a lease alive while its owner works. @returns the timer; clear it when the lease is released */
export function keepLeaseAlive(database: SqlDatabase, lease: Lease): NodeJS.Timeout {
  return startHeartbeat(RENEW_MS, () => keepLease(database, lease))
}

/**
 * The current holder of a table's lease, or null. In a catalog of an older program, columns that it lacks are read as
 * NULL.
 */
export async function leaseHolder(
  reader: SqlReader,
  tableId: string,
  nowMs: number,
): Promise<(StoredHolder & Pick<LeaseRow, 'command' | 'expiresAt'>) | null> {
  const made = await reader.all('SELECT 1 FROM catalog_migrations WHERE version = ?', [OWNERS_VERSION])
  const late: readonly string[] = [COLUMNS.machine, COLUMNS.started]
  const known = made.length > 0 ? OWNER : OWNER.map((name) => (late.includes(name) ? 'NULL' : name))
  const row = await rowOf(reader, tableId, known)
  return row === null || row.expiresAt <= nowMs
    ? null
    : { ...row.holder, command: row.command, expiresAt: row.expiresAt }
}
