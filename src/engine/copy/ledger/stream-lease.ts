/**
 * The lease of a stream in the ledger of the target: which process runs the stream, and the fencing token of its
 * writes.
 */
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import {
  endedOwnerId,
  storedLeaseOwner,
  LEASE_COLUMNS,
  ownerColumns,
  type StoredOwner,
} from '../../../stores/common/lease/columns.ts'
import { databaseTimes, LeaseSql } from '../../../stores/common/lease/sql.ts'
import { COPY_LEASE_MS, type RunOwner } from './owner.ts'
import { runStatement } from './statement.ts'

/** Separator of session names. */
const SESSIONS = '\n'

export class StreamLease {
  readonly #database: LedgerDatabase
  readonly #owner: RunOwner
  readonly #lease: LeaseSql

  constructor(database: LedgerDatabase, owner: RunOwner) {
    this.#database = database
    this.#owner = owner
    this.#lease = new LeaseSql(LEASE_COLUMNS, databaseTimes(database.dialect, COPY_LEASE_MS))
  }

  /**
   * Takes the lease of a stream under a new fencing token: later writes of earlier owners are refused.
   * @returns the fencing token; or the current owner, if its lease cannot be taken yet
   */
  async take(id: string): Promise<number | StoredOwner> {
    const columns = ownerColumns(LEASE_COLUMNS).join(', ')
    const read = async (): Promise<readonly [StoredOwner | null, string | null]> => {
      const [row] = await this.#database.all(`SELECT ${columns}, session FROM migration_streams WHERE stream_id = ?`, [
        id,
      ])
      return [storedLeaseOwner(row?.slice(0, -1) ?? []), row?.at(-1) == null ? null : String(row.at(-1))]
    }
    const [before, session] = await read()
    const ended = endedOwnerId(before, this.#owner)
    const [taken, free] = [this.#lease.taken(this.#owner), this.#lease.free(this.#owner, ended)]
    const update = async (): Promise<void> => {
      await this.#database.batch([
        {
          sql: `UPDATE migration_streams SET ${taken.sql}, fence = fence + 1, session = NULL, run_id = ? WHERE stream_id = ? AND ${free.sql}`,
          parameters: [...taken.parameters, this.#owner.runId, id, ...free.parameters],
        },
        {
          sql: `UPDATE migration_stream_lanes SET fence = (SELECT s.fence FROM migration_streams s WHERE s.stream_id = ?)
                WHERE stream_id = ? AND EXISTS (SELECT 1 FROM migration_streams s WHERE s.stream_id = ? AND s.owner = ?)`,
          parameters: [id, id, id, this.#owner.id],
        },
      ])
    }
    if (ended !== null)
      for (const one of session?.split(SESSIONS) ?? []) if (one !== '') await this.#database.endSession(one)
    await update()
    const [now] = await read()
    if (now !== null && now.id !== this.#owner.id) return now
    const [row] = await this.#database.all('SELECT fence FROM migration_streams WHERE stream_id = ?', [id])
    return Number(row?.[0])
  }

  /** Current owner of a stream, as far as known; null if this process may take it. */
  async currentOwner(id: string): Promise<StoredOwner | null> {
    const { sql, parameters } = this.#lease.held
    const columns = ownerColumns(LEASE_COLUMNS).join(', ')
    const [row] = await this.#database.all(`SELECT ${columns} FROM migration_streams WHERE stream_id = ? AND ${sql}`, [
      id,
      ...parameters,
    ])
    const holder = storedLeaseOwner(row ?? [])
    if (holder === null || holder.id === this.#owner.id) return null
    return endedOwnerId(holder, this.#owner) === null ? holder : null
  }

  /**
   * Call before reading the replication slot again: a new reader disconnects the earlier one.
   * @throws SluiceError LEASE_LOST if another process has the stream now
   */
  async refuseLost(id: string, fence: number): Promise<void> {
    const sql = 'SELECT 1 FROM migration_streams WHERE stream_id = ? AND owner = ? AND fence = ?'
    if ((await this.#database.all(sql, [id, this.#owner.id, fence])).length > 0) return
    throw streamLost()
  }

  /** Records the sessions that apply changes, so that they can be ended if their process is gone. */
  async noteSessions(id: string, sessions: readonly string[]): Promise<void> {
    const sql = 'UPDATE migration_streams SET session = ? WHERE stream_id = ? AND owner = ?'
    await runStatement(this.#database, sql, [sessions.join(SESSIONS), id, this.#owner.id])
  }

  /** Heartbeat: extends this owner's lease. */
  async renew(id: string): Promise<void> {
    const renewed = this.#lease.renewed
    const sql = `UPDATE migration_streams SET ${renewed.sql} WHERE stream_id = ? AND owner = ?`
    await runStatement(this.#database, sql, [...renewed.parameters, id, this.#owner.id])
  }

  /** Releases the lease. */
  async release(id: string): Promise<void> {
    const sql = `UPDATE migration_streams SET ${this.#lease.released}, session = NULL WHERE stream_id = ? AND owner = ?`
    await runStatement(this.#database, sql, [id, this.#owner.id])
  }
}

/** Error for a process whose stream another process has taken. */
export function streamLost(): SluiceError {
  return new SluiceError('LEASE_LOST', 'another program runs this stream now', {
    hint: 'this program applies no more changes; end one of the two programs',
  })
}

/**
 * Query that returns a row while no other process has taken the stream. @param fence as returned by `StreamLease.take`
 */
export function streamFence(id: string, fence: number): Statement {
  return {
    sql: 'SELECT 1 FROM migration_streams s WHERE s.stream_id = ? AND s.fence = ?',
    parameters: [id, fence],
  }
}
