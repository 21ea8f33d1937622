/**
 * Waits for snapshots older than the mirroring: a session that first reads the table after the cutover with such a
 * snapshot would miss rows. Snapshots are compared by transaction ids, not times: `SET TRANSACTION SNAPSHOT` gives a
 * snapshot to a later transaction.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

const REST_MS = 100
/**
 * Number of rounds for a role that cannot distinguish new snapshots from old ones: while an old writer runs, both can
 * have the same oldest transaction. Each round waits for all running transactions, because a transaction of an earlier
 * round may have passed its snapshot to them.
 */
const SNAPSHOT_ROUNDS = 3

type View = {
  /** Description of the session that has the snapshot. */
  readonly of: string
  /** True if it may be older than the mirroring. */
  readonly suspect: boolean
}

/**
 * Standbys whose snapshots this role cannot see, because the standby does not report them (`hot_standby_feedback`), or
 * the role has no right to read the report. sluice cannot wait for the end of these snapshots.
 * @returns their names
 */
export async function silentStandbys(session: CopySession): Promise<readonly string[]> {
  return await session.texts(
    `SELECT DISTINCT coalesce(nullif(r.application_name, ''), 'process ' || r.pid::text) FROM pg_catalog.pg_stat_replication r
       LEFT JOIN pg_catalog.pg_replication_slots s ON s.active_pid = r.pid
     WHERE s.slot_type IS DISTINCT FROM 'logical' AND r.state IS DISTINCT FROM 'backup' AND r.backend_xmin IS NULL AND s.xmin IS NULL ORDER BY 1`,
  )
}

export class OldViews {
  readonly #session: CopySession
  /** Id of the transaction that every snapshot must include. */
  readonly #since: bigint
  readonly #table: TableName
  /** True if the server shows this role the snapshots of other sessions. */
  readonly notified: boolean
  /**
   * Server time, for a role that cannot distinguish snapshots: a snapshot is suspect if its transaction began before
   * this time.
   */
  #before = '-infinity'
  /** Transactions that ran at the start of a round. Used if this role has no right to see their snapshots. */
  #running: readonly string[] = []

  private constructor(session: CopySession, since: bigint, table: TableName, reported: boolean) {
    this.#session = session
    this.#since = since
    this.#table = table
    this.notified = reported
  }

  /** @param since id of a committed transaction */
  static async since(session: CopySession, since: string, table: TableName): Promise<OldViews> {
    const seesAll = await session.isTrue(`SELECT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')`)
    return new OldViews(session, BigInt(since), table, seesAll)
  }

  /**
   * Waits until no older snapshot is left.
   * @throws SluiceError TARGET_BUSY if one is held for longer than `retryLimitMs`
   */
  async waitForEnd({
    retryLimitMs,
    signal,
  }: {
    readonly retryLimitMs: number
    readonly signal: AbortSignal
  }): Promise<void> {
    const end = performance.now() + retryLimitMs
    for (let times = 1; times <= SNAPSHOT_ROUNDS; times++) {
      await this.#begin()
      for (;;) {
        const views = await this.#read()
        if (views.length === 0 && this.notified) return
        const suspect = views.find((view) => view.suspect)
        if (suspect === undefined) break
        if (performance.now() > end || signal.aborted) throw this.#kept(suspect)
        await sleep(REST_MS)
      }
    }
  }

  /** Checks again, with the table locked exclusively. @throws SluiceError TARGET_BUSY if there is an older snapshot */
  async refuse(): Promise<void> {
    const suspect = (await this.#read()).find((view) => view.suspect)
    if (suspect !== undefined) throw this.#kept(suspect)
  }

  async #begin(): Promise<void> {
    if (this.notified) {
      this.#before = (await this.#session.one('SELECT pg_catalog.clock_timestamp()')) ?? ''
      return
    }
    this.#running = await this.#session.texts(
      `SELECT DISTINCT l.virtualtransaction FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
       WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_catalog.pg_backend_pid() AND a.datname = pg_catalog.current_database() AND a.usesysid IS NOT NULL`,
    )
  }

  async #read(): Promise<readonly View[]> {
    const rows = await this.#session.ask(
      `${this.notified ? this.#viewsSql() : this.#runningSql()} UNION ALL ${this.#slotsSql()} ORDER BY 2 DESC`,
    )
    return rows.map(([of, suspect]) => ({ of: of ?? '', suspect: suspect === 't' }))
  }

  #viewsSql(): string {
    // A standby reports only its oldest snapshot. VACUUM has a snapshot, but reads no rows of the table with it.
    return `SELECT pg_catalog.format(CASE WHEN a.datname IS NULL THEN 'a session of the standby %s (process %s, %s)' ELSE '%s (process %s, %s)' END,
          coalesce(nullif(a.application_name, ''), a.backend_type), a.pid, coalesce(a.state, 'unknown')),
        a.datname IS NULL OR a.xact_start IS NULL OR a.xact_start < ${literal(this.#before)}::timestamptz
          OR pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()) > ${this.#since}
      FROM pg_catalog.pg_stat_activity a
      WHERE a.pid <> pg_catalog.pg_backend_pid() AND ${this.#older('a.backend_xmin')}
        AND (a.datname = pg_catalog.current_database() OR a.datname IS NULL AND a.backend_type = 'walsender') AND a.backend_type <> 'autovacuum worker'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum v WHERE v.pid = a.pid)`
  }

  #runningSql(): string {
    return `SELECT pg_catalog.format('%s (process %s, running, and this role may not see more of it: GRANT pg_read_all_stats would let it)', coalesce(nullif(a.application_name, ''), 'a session'), a.pid), true
      FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'virtualxid' AND l.granted AND l.virtualtransaction = ANY (${literal(`{${this.#running.join(',')}}`)}::text[])`
  }

  /**
   * SQL for standbys with a replication slot, because their feedback (`hot_standby_feedback`) is stored in the slot.
   */
  #slotsSql(): string {
    return `SELECT pg_catalog.format('a session of the standby with the replication slot %I', s.slot_name), true FROM pg_catalog.pg_replication_slots s
      WHERE s.active AND s.slot_type = 'physical' AND ${this.#older('s.xmin')}`
  }

  /** SQL condition: a snapshot is older than `#since`. Compares ages, because transaction ids wrap around. */
  #older(xmin: string): string {
    return `${xmin} IS NOT NULL AND pg_catalog.age(${xmin}) >= pg_catalog.age(${literal(String(this.#since & 0xffff_ffffn))}::xid)`
  }

  #kept({ of }: View): SluiceError {
    return new SluiceError('TARGET_BUSY', `a session holds an old snapshot of ${tableText(this.#table)}`, {
      where: tableText(this.#table),
      reason: `${of} may have a snapshot from before the rows were copied, and would then find them in no table`,
      hint: 'wait until this session ends its transaction, then run the same command again',
      retryable: true,
    })
  }
}
