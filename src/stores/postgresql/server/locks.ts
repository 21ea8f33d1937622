/** Locks tables, and names the sessions that hold or wait for their locks. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { isBlocked } from './server-errors.ts'
import type { CopySession } from './session.ts'
import { literal, tableSql } from './sql.ts'

const MOST_HOLDERS = 3

export type KnownTable = { readonly oid: string; readonly name: TableName }

/** True if a statement failed because other sessions hold its locks, or have just changed the same catalog entries. */
export function isPostgresBusy(error: unknown): boolean {
  return isBlocked(error) || (error instanceof SluiceError && error.code === 'TARGET_BUSY')
}

export class Locks {
  readonly #session: CopySession
  readonly #involved = new Set<string>()

  constructor(session: CopySession) {
    this.#session = session
  }

  /** Adds tables that later statements may wait for: `holders` includes them. */
  involve(...oids: readonly string[]): void {
    for (const oid of oids) this.#involved.add(oid)
  }

  /** @throws errors of the server if it takes longer than `lock_timeout` */
  async take({ oid, name }: KnownTable, mode: 'SHARE' | 'ROW EXCLUSIVE' | 'ACCESS EXCLUSIVE'): Promise<void> {
    this.involve(oid)
    await this.#session.ask(`LOCK TABLE ONLY ${tableSql(name)} IN ${mode} MODE`)
  }

  /**
   * Rolls back. Returns texts of up to `MOST_HOLDERS` sessions that hold or wait for locks on these tables; empty if
   * there are none. Prepared transactions come first.
   */
  async holders(): Promise<readonly string[]> {
    if (this.#involved.size === 0) return []
    try {
      await this.#session.ask('ROLLBACK')
      // A prepared transaction has no session: find it by the lock on its transaction id.
      const rows = await this.#session.ask(
        `SELECT DISTINCT p.gid, a.pid, coalesce(nullif(a.application_name, ''), a.backend_type, 'a session'), coalesce(a.state, 'unknown')
         FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
           LEFT JOIN pg_catalog.pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid' AND x.granted AND x.virtualtransaction = l.virtualtransaction
           LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
         WHERE l.relation = ANY (${literal(`{${[...this.#involved].join(',')}}`)}::oid[]) AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND (p.gid IS NOT NULL OR a.pid IS NOT NULL)
         ORDER BY p.gid, a.pid LIMIT ${MOST_HOLDERS}`,
      )
      return rows.map(([gid, pid, name, state]) =>
        gid == null
          ? `${name} (process ${pid}, ${state})`
          : `the prepared transaction ${literal(gid)}, which ends with COMMIT PREPARED ${literal(gid)} or ROLLBACK PREPARED ${literal(gid)}`,
      )
    } catch {
      // The names only make the message better, so it is sent without them if this query fails.
      return []
    }
  }
}
