/**
 * One writer a table: a lease by the database's clock, with a fence that grows at every change of hands. Whoever lost it is refused at
 * its next commit, so a stalled process that wakes up late cannot write over its successor.
 */
import { SluiceError } from '../shared/errors.ts'
import { REPEATABLE, type SessionLock, type SqlDatabase, type SqlReader, type SqlTransaction } from '../stores/port.ts'

/** How long a silent owner on another machine is believed, ms. */
export const LEASE_MS = 60_000
/** How often an owner at work says so, ms. */
export const RENEW_MS = 15_000

export type Holder = { readonly owner: string; readonly host: string; readonly pid: number; readonly command: string }
export type Lease = Holder & {
  readonly tableId: string
  readonly fence: number
  /** Ends with the session; null where the database watches none, or where its owner's silence had to be waited for. Taken anew after a restart. */
  lock: SessionLock | null
}

/**
 * Takes the lease of a table.
 * @param alive tells whether a process of this host still runs: a dead owner's lease is taken over at once. Where the database watches
 *   sessions, so is that of a dead owner on another host.
 * @throws SluiceError TABLE_LOCKED that names the holder
 */
export async function acquireLease(
  database: SqlDatabase,
  tableId: string,
  me: Holder,
  alive: (pid: number) => boolean,
): Promise<Lease> {
  const now = await database.now()
  const lock = await database.lock?.(lockName(tableId))
  try {
    const fence = await database.write(
      (transaction) =>
        takeRow(transaction, tableId, me, { now, alive, endedSession: lock !== undefined && lock !== null }),
      async (reader) => (await rowOf(reader, tableId))?.owner === me.owner,
    )
    return { ...me, tableId, fence, lock: lock ?? null }
  } catch (error) {
    await lock?.[Symbol.asyncDispose]()
    const other = error instanceof SluiceError && error.code !== 'VALUE_REFUSED'
    const row = other ? null : await rowOf(database, tableId)
    // Both found no row and wrote one: the key decides who was first.
    if (row !== null && row.owner !== me.owner) throw locked(tableId, row, now)
    throw error
  }
}

type LeaseRow = Holder & { readonly fence: number; readonly acquiredAt: number; readonly expiresAt: number }

async function rowOf(reader: SqlReader, tableId: string): Promise<LeaseRow | null> {
  const [row] = await reader.all(
    'SELECT fence, owner, host, pid, command, acquired_at, expires_at FROM catalog_leases WHERE table_id = ?',
    [tableId],
  )
  if (row === undefined) return null
  const [fence, owner, host, pid, command, acquiredAt, expiresAt] = row as [
    number,
    string,
    string,
    number,
    string,
    number,
    number,
  ]
  return { fence, owner, host, pid, command, acquiredAt, expiresAt }
}

async function takeRow(
  transaction: SqlTransaction,
  tableId: string,
  me: Holder,
  by: { readonly now: number; readonly alive: (pid: number) => boolean; readonly endedSession: boolean },
): Promise<number> {
  const { now } = by
  const row = await rowOf(transaction, tableId)
  if (row === null) {
    await transaction.run(
      'INSERT INTO catalog_leases (table_id, fence, owner, host, pid, command, acquired_at, expires_at) VALUES (?, 1, ?, ?, ?, ?, ?, ?)',
      [tableId, me.owner, me.host, me.pid, me.command, now, now + LEASE_MS],
    )
    return 1
  }
  const gone = row.host === me.host ? row.owner !== me.owner && !by.alive(row.pid) : by.endedSession
  if (row.expiresAt > now && !gone) throw locked(tableId, row, now)
  const fence = row.fence + 1
  const changed = await transaction.run(
    'UPDATE catalog_leases SET fence = ?, owner = ?, host = ?, pid = ?, command = ?, acquired_at = ?, expires_at = ? WHERE table_id = ? AND fence = ?',
    [fence, me.owner, me.host, me.pid, me.command, now, now + LEASE_MS, tableId, row.fence],
  )
  // Another program took it between the look and the change.
  if (changed !== 1) throw locked(tableId, (await rowOf(transaction, tableId)) ?? row, now)
  return fence
}

function locked(tableId: string, row: LeaseRow, now: number): SluiceError {
  const seconds = Math.max(0, Math.round((now - row.acquiredAt) / 1000))
  return new SluiceError('TABLE_LOCKED', `${tableId} is being written by another run: ${row.command}`, {
    where: `process ${row.pid} on ${row.host}, since ${seconds} s`,
    hint: 'wait until it ends, or stop it; if that machine is gone, its lease ends by itself within a minute',
    retryable: true,
  })
}

/** Renews the lease inside the transaction that it protects. @throws SluiceError LEASE_LOST */
export async function renewLease(transaction: SqlTransaction, lease: Lease, nowMs: number): Promise<void> {
  const changed = await transaction.run('UPDATE catalog_leases SET expires_at = ? WHERE table_id = ? AND fence = ?', [
    nowMs + LEASE_MS,
    lease.tableId,
    lease.fence,
  ])
  if (changed !== 1) {
    throw new SluiceError('LEASE_LOST', `another run took over ${lease.tableId}; nothing of this batch was written`, {
      hint: 'let the other run finish; this machine was silent for too long',
    })
  }
}

/**
 * Keeps a lease alive between the transactions that prove it, and its session lock through a restart of the server. Never rejects: that the lease
 * is lost is found out, and acted on, by the next transaction.
 */
export async function keepLease(database: SqlDatabase, lease: Lease): Promise<void> {
  try {
    const now = await database.now()
    await database.write((transaction) => renewLease(transaction, lease, now), REPEATABLE)
    if (lease.lock?.held === false) lease.lock = (await database.lock?.(lockName(lease.tableId))) ?? lease.lock
  } catch {
    // The database is away, or the lease is.
  }
}

function lockName(tableId: string): string {
  return `table ${tableId}`
}

/** Gives the lease back. The row stays, so that the fence keeps growing. */
export async function releaseLease(database: SqlDatabase, lease: Lease): Promise<void> {
  try {
    await database.write(
      (transaction) =>
        transaction.run('UPDATE catalog_leases SET expires_at = 0 WHERE table_id = ? AND fence = ?', [
          lease.tableId,
          lease.fence,
        ]),
      REPEATABLE,
    )
  } finally {
    await lease.lock?.[Symbol.asyncDispose]()
  }
}

/** Who holds the lease of a table now, or null. */
export async function leaseHolder(
  reader: SqlReader,
  tableId: string,
  nowMs: number,
): Promise<(Holder & { readonly expiresAt: number }) | null> {
  const [row] = await reader.all(
    'SELECT owner, host, pid, command, expires_at FROM catalog_leases WHERE table_id = ?',
    [tableId],
  )
  if (row === undefined) return null
  const [owner, host, pid, command, expiresAt] = row as [string, string, number, string, number]
  return expiresAt > nowMs ? { owner, host, pid, command, expiresAt } : null
}
