/**
 * One writer a table: a lease by the database's clock, with a fence that grows at every change of hands. Whoever lost it is refused at
 * its next commit, so a stalled process that wakes up late cannot write over its successor.
 */
import { SluiceError } from '../shared/errors.ts'
import type { SqlDatabase, SqlReader, SqlTransaction } from '../stores/port.ts'

/** How long a silent owner on another machine is believed, ms. */
export const LEASE_MS = 60_000

export type Holder = { readonly owner: string; readonly host: string; readonly pid: number; readonly command: string }
export type Lease = Holder & { readonly tableId: string; readonly fence: number }

/**
 * Takes the lease of a table.
 * @param alive tells whether a process of this host still runs: a dead owner's lease is taken over at once
 * @throws SluiceError TABLE_LOCKED that names the holder
 */
export async function acquireLease(
  database: SqlDatabase,
  tableId: string,
  me: Holder,
  alive: (pid: number) => boolean,
): Promise<Lease> {
  const now = await database.now()
  return database.write(async (transaction) => {
    const [row] = await transaction.all(
      'SELECT fence, owner, host, pid, command, acquired_at, expires_at FROM catalog_leases WHERE table_id = ?',
      [tableId],
    )
    if (row === undefined) {
      await transaction.run(
        'INSERT INTO catalog_leases (table_id, fence, owner, host, pid, command, acquired_at, expires_at) VALUES (?, 1, ?, ?, ?, ?, ?, ?)',
        [tableId, me.owner, me.host, me.pid, me.command, now, now + LEASE_MS],
      )
      return { ...me, tableId, fence: 1 }
    }
    const [fence, owner, host, pid, command, acquiredAt, expiresAt] = row as [
      number,
      string,
      string,
      number,
      string,
      number,
      number,
    ]
    const sameHost = host === me.host
    const held = expiresAt > now && !(sameHost && owner !== me.owner && !alive(pid))
    if (held) {
      const seconds = Math.max(0, Math.round((now - acquiredAt) / 1000))
      throw new SluiceError('TABLE_LOCKED', `${tableId} is being written by another run: ${command}`, {
        where: `process ${pid} on ${host}, since ${seconds} s`,
        hint: 'wait until it ends, or stop it; if that machine is gone, its lease ends by itself within a minute',
        retryable: true,
      })
    }
    await transaction.run(
      'UPDATE catalog_leases SET fence = ?, owner = ?, host = ?, pid = ?, command = ?, acquired_at = ?, expires_at = ? WHERE table_id = ? AND fence = ?',
      [fence + 1, me.owner, me.host, me.pid, me.command, now, now + LEASE_MS, tableId, fence],
    )
    return { ...me, tableId, fence: fence + 1 }
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

/** Gives the lease back. The row stays, so that the fence keeps growing. */
export async function releaseLease(database: SqlDatabase, lease: Lease): Promise<void> {
  await database.write((transaction) =>
    transaction.run('UPDATE catalog_leases SET expires_at = 0 WHERE table_id = ? AND fence = ?', [
      lease.tableId,
      lease.fence,
    ]),
  )
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
