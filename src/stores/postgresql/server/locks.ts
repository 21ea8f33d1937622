/**
 * Locks of a partition and its parent, taken so that nobody else is harmed. Who reads or writes through the parent holds it and waits for the
 * partition: whoever holds the partition and then waits for the parent would meet him in a deadlock, of which the server ends either.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { sqlStateOf } from './server-errors.ts'
import type { CopySession } from './session.ts'
import { literal, tableSql } from './sql.ts'

/** Shorter than any `deadlock_timeout` that is left alone: whoever comes between gets his lock before the server looks for somebody to end. */
const MOST_PATIENCE_MS = 900
const TRIES = 2
const PAUSE_MS = 200
const MOST_HOLDERS = 3

export type KnownTable = { readonly oid: string; readonly name: TableName }

/** Whether a statement ended because others hold what it needs. */
export function isBusy(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === '55P03' || state === '40P01' || (error instanceof SluiceError && error.code === 'TARGET_BUSY')
}

export class Locks {
  readonly #session: CopySession
  readonly #involved = new Set<string>()

  constructor(session: CopySession) {
    this.#session = session
  }

  /** Tables that statements after this may wait for. */
  involve(...oids: readonly string[]): void {
    for (const oid of oids) this.#involved.add(oid)
  }

  /** @throws what the server says where it takes longer than `lock_timeout` */
  async take({ oid, name }: KnownTable, mode: 'SHARE' | 'ROW EXCLUSIVE' | 'ACCESS EXCLUSIVE'): Promise<void> {
    this.involve(oid)
    await this.#session.ask(`LOCK TABLE ONLY ${tableSql(name)} IN ${mode} MODE`)
  }

  /**
   * From a partition that nobody can write any more to one that nobody can use, with its parent; for the moment that it takes.
   * @throws SluiceError TARGET_BUSY where somebody waits for the partition, what the server says where locks are held for long
   */
  async takeWhole(parent: KnownTable, partition: KnownTable): Promise<void> {
    const session = this.#session
    this.involve(parent.oid, partition.oid)
    const [row] = await session.ask(
      `SELECT pg_catalog.current_setting('lock_timeout'), setting::int * 9 / 10 FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'`,
    )
    const patience = Math.max(1, Math.min(MOST_PATIENCE_MS, Number(row?.[1] ?? MOST_PATIENCE_MS)))
    await session.ask('SAVEPOINT whole')
    for (let tries = 1; ; tries++) {
      await this.#refuseWaiters(partition)
      try {
        await session.ask(`SET LOCAL lock_timeout = ${patience}`)
        await this.take(parent, 'ACCESS EXCLUSIVE')
        await this.take(partition, 'ACCESS EXCLUSIVE')
        break
      } catch (error) {
        if (tries === TRIES || sqlStateOf(error) !== '55P03') throw error
        await session.ask('ROLLBACK TO SAVEPOINT whole')
        await sleep(PAUSE_MS)
      }
    }
    await session.ask(`SET LOCAL lock_timeout = ${literal(row?.[0] ?? '0')}`)
  }

  /** Ends the transaction, and names who holds or wants what it waited for, prepared transactions first; none where they are gone by now. */
  async holders(): Promise<readonly string[]> {
    if (this.#involved.size === 0) return []
    try {
      await this.#session.ask('ROLLBACK')
      // A prepared transaction has no session, and is told by the lock that it has of its own number.
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
      // It was only about a better word.
      return []
    }
  }

  async #refuseWaiters({ oid, name }: KnownTable): Promise<void> {
    const waiting = await this.#session.ask(
      `SELECT FROM pg_catalog.pg_locks l WHERE l.relation = ${literal(oid)}::oid AND NOT l.granted
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`,
    )
    if (waiting.length === 0) return
    throw new SluiceError('TARGET_BUSY', `somebody waits to write to ${tableText(name)}`, { retryable: true })
  }
}
