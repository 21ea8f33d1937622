/**
 * Views of the database from before the rows stood in both places: whoever keeps one, and looks at the table first when it has switched, would find rows nowhere.
 * They are told by numbers of transactions and not by times, for a view can be handed on to a transaction that began later (`SET TRANSACTION SNAPSHOT`).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'

const REST_MS = 100
/**
 * While somebody writes since before the moment that counts, new views name the same oldest transaction as old ones. Then all that run are waited for, as often:
 * once for those that were there, and again for those to whom they may have handed on their views meanwhile.
 */
const HANDED_ON = 3

type View = {
  /** Whose it is, in words. */
  readonly of: string
  /** It may be older than the moment that counts. */
  readonly suspect: boolean
}

/**
 * Standbys that do not tell what is read there (`hot_standby_feedback`), or not to this role: nobody can wait for old views on them.
 * @returns their names
 */
export async function silentStandbys(session: CopySession): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT DISTINCT coalesce(nullif(r.application_name, ''), 'process ' || r.pid::text) FROM pg_catalog.pg_stat_replication r
       LEFT JOIN pg_catalog.pg_replication_slots s ON s.active_pid = r.pid
     WHERE s.slot_type IS DISTINCT FROM 'logical' AND r.state IS DISTINCT FROM 'backup' AND r.backend_xmin IS NULL AND s.xmin IS NULL ORDER BY 1`,
  )
  return rows.map(([name]) => name ?? '')
}

export class OldViews {
  readonly #session: CopySession
  /** Number of the transaction that no view may be older than. */
  readonly #since: bigint
  readonly #table: TableName
  /** Whether the server tells this role what others see. */
  readonly #told: boolean
  /** Where views cannot be told apart, those are suspect whose transactions began before, by the clock of the server. */
  #before = '-infinity'
  /** All transactions that ran, for a role that is told nothing of their views. */
  #running: readonly string[] = []

  private constructor(session: CopySession, since: bigint, table: TableName, told: boolean) {
    this.#session = session
    this.#since = since
    this.#table = table
    this.#told = told
  }

  /** @param since number of a transaction that is committed */
  static async since(session: CopySession, since: string, table: TableName): Promise<OldViews> {
    const [row] = await session.ask(`SELECT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')`)
    return new OldViews(session, BigInt(since), table, row?.[0] === 't')
  }

  /** Waits until there are none. @throws SluiceError TARGET_BUSY where one is kept for longer than `budgetMs` */
  async ended({ budgetMs, signal }: { readonly budgetMs: number; readonly signal: AbortSignal }): Promise<void> {
    const end = performance.now() + budgetMs
    for (let times = 1; times <= HANDED_ON; times++) {
      await this.#begin()
      for (;;) {
        const views = await this.#look()
        if (views.length === 0 && this.#told) return
        const suspect = views.find((view) => view.suspect)
        if (suspect === undefined) break
        if (performance.now() > end || signal.aborted) throw this.#kept(suspect)
        await sleep(REST_MS)
      }
    }
  }

  /**
   * Looks once more, in a transaction that has locked the table against everybody.
   * @throws SluiceError TARGET_BUSY where there is one again
   */
  async refuse(): Promise<void> {
    const suspect = (await this.#look()).find((view) => view.suspect)
    if (suspect !== undefined) throw this.#kept(suspect)
  }

  async #begin(): Promise<void> {
    if (this.#told) {
      const [row] = await this.#session.ask('SELECT pg_catalog.clock_timestamp()')
      this.#before = row?.[0] ?? ''
      return
    }
    const rows = await this.#session.ask(
      `SELECT DISTINCT l.virtualtransaction FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
       WHERE l.locktype = 'virtualxid' AND l.granted AND l.pid <> pg_catalog.pg_backend_pid() AND a.datname = pg_catalog.current_database() AND a.usesysid IS NOT NULL`,
    )
    this.#running = rows.map(([id]) => id ?? '')
  }

  async #look(): Promise<readonly View[]> {
    const rows = await this.#session.ask(
      `${this.#told ? this.#viewsSql() : this.#runningSql()} UNION ALL ${this.#slotsSql()} ORDER BY 2 DESC`,
    )
    return rows.map(([of, suspect]) => ({ of: of ?? '', suspect: suspect === 't' }))
  }

  #viewsSql(): string {
    // A standby tells only its oldest one. VACUUM has a view and reads no table by it.
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

  /** What standbys tell of their views (`hot_standby_feedback`) stands in their slots, where they have one. */
  #slotsSql(): string {
    return `SELECT pg_catalog.format('a session of the standby with the replication slot %I', s.slot_name), true FROM pg_catalog.pg_replication_slots s
      WHERE s.active AND s.slot_type = 'physical' AND ${this.#older('s.xmin')}`
  }

  /** Compared by age, for numbers begin again after some time. */
  #older(xmin: string): string {
    return `${xmin} IS NOT NULL AND pg_catalog.age(${xmin}) >= pg_catalog.age(${literal(String(this.#since & 0xffff_ffffn))}::xid)`
  }

  #kept({ of }: View): SluiceError {
    return new SluiceError('TARGET_BUSY', `an old view of ${tableText(this.#table)} is kept`, {
      where: tableText(this.#table),
      reason: `${of} may look at the database as it was before the rows were copied, and could find them nowhere`,
      hint: 'wait until this session ends its transaction, then run the same command again',
      retryable: true,
    })
  }
}
