/**
 * Lease under which one process at a time divides a table. If that process dies, another process takes the lease. A
 * frozen process that lost the lease can change nothing when it resumes.
 */
import { SluiceError } from '../../../shared/errors.ts'
import type { LedgerDatabase, Statement } from '../../../model/run/ledger-port.ts'
import {
  endedOwnerId,
  storedLeaseOwner,
  ownerColumns,
  type LeaseColumns,
} from '../../../stores/common/lease/columns.ts'
import { databaseTimes, LeaseSql } from '../../../stores/common/lease/sql.ts'
import { COPY_LEASE_MS, type RunOwner, type TableKey } from './owner.ts'
import { batchOnce, type BatchLease } from './once.ts'
import { notedChange, prepareSurplusChanges } from './surplus-changes.ts'
import { runStatement } from './statement.ts'

const TABLE = 'schema_name = ? AND table_name = ?'
const COLUMNS: LeaseColumns = {
  owner: 'planner',
  host: 'planner_host',
  pid: 'planner_pid',
  machine: 'planner_machine',
  started: 'planner_started',
  until: 'planner_until',
}

export class Planning {
  readonly #database: LedgerDatabase
  readonly #key: TableKey
  readonly #owner: RunOwner
  readonly #lease: LeaseSql

  constructor(database: LedgerDatabase, key: TableKey, owner: RunOwner) {
    this.#database = database
    this.#key = key
    this.#owner = owner
    this.#lease = leaseOf(database)
  }

  /**
   * Takes the lease if it is free or expired, or if its process has ended. @returns true if this process has the lease
   */
  async take(): Promise<boolean> {
    const [row] = await this.#database.all(
      `SELECT ${ownerColumns(COLUMNS).join(', ')} FROM migration_plans WHERE ${TABLE}`,
      this.#parameters,
    )
    const ended = endedOwnerId(row === undefined ? null : storedLeaseOwner(row), this.#owner)
    const [taken, free] = [this.#lease.taken(this.#owner), this.#lease.free(this.#owner, ended)]
    const [, rows = []] = await this.#database.batch([
      {
        sql: `UPDATE migration_plans SET ${taken.sql} WHERE ${TABLE} AND ${free.sql}`,
        parameters: [...taken.parameters, ...this.#parameters, ...free.parameters],
      },
      { sql: `SELECT 1 ${this.#mine.sql}`, parameters: this.#mine.parameters },
    ])
    return rows.length > 0
  }

  /** Releases the lease. */
  async end(): Promise<void> {
    const sql = `UPDATE migration_plans SET ${this.#lease.released} WHERE ${TABLE} AND planner = ?`
    await runStatement(this.#database, sql, this.#mine.parameters)
  }

  /** Statements that renew and check this process's lease, for transactions of the target. */
  get lease(): { readonly renew: Statement; readonly guard: Statement } {
    const { sql, parameters } = this.#mine
    return { renew: this.#renewal, guard: { sql: `SELECT 1 ${sql}`, parameters } }
  }

  /** True if some process is dividing the table now, so that more chunks may follow soon. */
  async isDividing(): Promise<boolean> {
    const { sql, parameters } = this.#lease.held
    const rows = await this.#database.all(`SELECT 1 FROM migration_plans WHERE ${TABLE} AND planned = 0 AND ${sql}`, [
      ...this.#parameters,
      ...parameters,
    ])
    return rows.length > 0
  }

  /** Runs statements once, under the lease. @throws SluiceError LEASE_LOST if another process has it; nothing is run */
  async change(statements: readonly Statement[]): Promise<void> {
    const { sql, parameters } = this.#mine
    const hold: BatchLease = { renew: this.#renewal, from: this.#mine }
    try {
      await batchOnce(this.#database, this.#owner.id, statements, hold)
    } catch (error) {
      if ((await this.#database.all(`SELECT 1 ${sql}`, parameters)).length > 0) throw error
      throw this.#lost(error)
    }
  }

  /** Records whether every row belongs to a chunk, and the chunk size. @throws SluiceError LEASE_LOST */
  async note(planned: boolean, chunkRows: number): Promise<void> {
    const { sql, parameters } = this.#mine
    const [, rows = []] = await this.#database.batch([
      {
        sql: `UPDATE migration_plans SET planned = ?, chunk_rows = ? WHERE ${TABLE} AND planner = ?`,
        parameters: [planned ? 1 : 0, chunkRows, ...parameters],
      },
      { sql: `SELECT 1 ${sql}`, parameters },
    ])
    if (rows.length === 0) throw this.#lost()
  }

  /** Records the surplus of the table as a whole. @param before surplus as read earlier; null if none was recorded */
  async noteSurplus(before: bigint | null, surplus: bigint): Promise<void> {
    if (before === surplus) return
    if (before !== null) await prepareSurplusChanges(this.#database)
    const mine = { sql: `${TABLE} AND planner = ?`, parameters: this.#mine.parameters }
    await this.#database.batch([
      ...(before === null ? [] : [notedChange(this.#database, this.#owner.runId, 'plan', surplus, mine)]),
      { sql: `UPDATE migration_plans SET surplus = ? WHERE ${mine.sql}`, parameters: [surplus, ...mine.parameters] },
    ])
  }

  #lost(cause?: unknown): SluiceError {
    return new SluiceError('LEASE_LOST', `another program is dividing ${this.#key.name} into chunks`, { cause })
  }

  get #renewal(): Statement {
    const { sql, parameters } = this.#lease.renewed
    return {
      sql: `UPDATE migration_plans SET ${sql} WHERE ${TABLE} AND planner = ?`,
      parameters: [...parameters, ...this.#mine.parameters],
    }
  }

  get #parameters(): readonly [string, string] {
    return [this.#key.schema, this.#key.name]
  }

  get #mine(): Statement {
    return {
      sql: `FROM migration_plans WHERE ${TABLE} AND planner = ?`,
      parameters: [...this.#parameters, this.#owner.id],
    }
  }
}

/** Extends the leases of tables that this process divides. */
export function planningRenewal(database: LedgerDatabase, owner: string): Statement {
  const { sql, parameters } = leaseOf(database).renewed
  return { sql: `UPDATE migration_plans SET ${sql} WHERE planner = ?`, parameters: [...parameters, owner] }
}

function leaseOf({ dialect }: LedgerDatabase): LeaseSql {
  return new LeaseSql(COLUMNS, databaseTimes(dialect, COPY_LEASE_MS))
}
