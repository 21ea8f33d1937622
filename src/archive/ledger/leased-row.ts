/** Rows of the archive ledger that one program works on at a time, under a lease by the clock of the database. */
import { SluiceError } from '../../shared/errors.ts'
import type { Owner } from '../../shared/owner.ts'
import type { LedgerDatabase } from '../../model/run/ledger-port.ts'
import { endedOwnerId, LEASE_COLUMNS, type StoredOwner } from '../../stores/common/lease/columns.ts'
import { startHeartbeat } from '../../stores/common/lease/heartbeat.ts'
import { databaseTimes, LeaseSql } from '../../stores/common/lease/sql.ts'
import { PARTITION_LEASE_MS } from './partition-facts.ts'
import { runStatement } from '../../engine/copy/ledger/statement.ts'

/** A row by its id, its holder at the time of the read, and its name in messages. */
export type LeasedRow = { readonly id: bigint; readonly holder: StoredOwner | null; readonly what: string }

export class RowLeases {
  readonly #database: LedgerDatabase
  readonly #place: { readonly name: string; readonly idColumn: string }
  readonly #table: readonly [schema: string, name: string]
  readonly #owner: Owner
  readonly #lease: LeaseSql

  /** @param place table of the ledger, and the key column after `schema_name` and `table_name` */
  constructor(
    database: LedgerDatabase,
    place: { readonly name: string; readonly idColumn: string },
    table: readonly [schema: string, name: string],
    owner: Owner,
  ) {
    this.#database = database
    this.#place = place
    this.#table = table
    this.#owner = owner
    this.#lease = new LeaseSql(LEASE_COLUMNS, databaseTimes(database.dialect, PARTITION_LEASE_MS))
  }

  /** Runs `body` while only this program works on the row. @throws SluiceError LEDGER_BUSY; errors of `body` */
  async underLease<T>(row: LeasedRow, body: () => Promise<T>): Promise<T> {
    await this.#claim(row)
    const timer = startHeartbeat(PARTITION_LEASE_MS / 3, () =>
      this.#set(this.#lease.renewed.sql, this.#lease.renewed.parameters),
    )
    try {
      return await body()
    } finally {
      clearInterval(timer)
      await this.#set(this.#lease.released, []).catch(() => undefined)
    }
  }

  async #claim({ id, holder, what }: LeasedRow): Promise<void> {
    const { name, idColumn } = this.#place
    const key = `schema_name = ? AND table_name = ? AND ${idColumn} = ?`
    const taken = this.#lease.taken(this.#owner)
    const free = this.#lease.free(this.#owner, endedOwnerId(holder, this.#owner))
    const [, rows] = await this.#database.batch([
      {
        sql: `UPDATE ${name} SET ${taken.sql} WHERE ${key} AND ${free.sql}`,
        parameters: [...taken.parameters, ...this.#table, id, ...free.parameters],
      },
      {
        sql: `SELECT 1 FROM ${name} WHERE ${key} AND owner = ?`,
        parameters: [...this.#table, id, this.#owner.id],
      },
    ])
    if ((rows ?? []).length > 0) return
    throw new SluiceError('LEDGER_BUSY', `another program works on ${what}`, {
      hint: 'wait until it has ended; if it was killed, its lease expires half a minute later',
      retryable: true,
    })
  }

  /** Updates all rows of the table that this program holds. */
  async #set(sets: string, parameters: LeaseSql['renewed']['parameters']): Promise<void> {
    const sql = `UPDATE ${this.#place.name} SET ${sets} WHERE schema_name = ? AND table_name = ? AND owner = ?`
    await runStatement(this.#database, sql, [...parameters, ...this.#table, this.#owner.id])
  }
}
