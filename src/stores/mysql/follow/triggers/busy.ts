/**
 * DDL statements that need a table exclusively. They wait for every transaction that has used the table, and later
 * statements queue behind them; so they wait only briefly, and are repeated. A transaction holds its metadata lock
 * until it ends, prepared XA transactions as well (MySQL 8.0 Reference Manual, 8.11.4 "Metadata Locking"). So once a
 * trigger exists, every transaction that wrote without it has ended and is visible.
 */
import { waitUntil, type Wait } from '../../../common/wait-for-transactions.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { setMysqlLockWait } from '../../lock-wait.ts'
import type { MysqlSession } from '../../session.ts'

/** Error numbers: lock wait timeout, deadlock, and a statement that was killed. */
const BUSY = new Set([1205, 1213, 1317])
/**
 * MariaDB only: number of first attempts with a lock timeout of 0. No session queues behind them.
 * Later attempts use 1 s, the shortest timeout that every server has.
 */
const TRIES_WITHOUT_WAIT = 8
/** Maximum number of open transactions that a message names. */
const MOST_NAMED = 5

export type MysqlWait = Wait & { readonly session: MysqlSession }

export function isMysqlBusy(error: unknown): boolean {
  return BUSY.has(mysqlErrorNumber(error) ?? 0)
}

/** Repeats a DDL statement until it gets its lock. @throws SluiceError TARGET_BUSY; the server's errors */
export async function awaitMysqlLock(wait: MysqlWait, what: string, statement: string): Promise<void> {
  const { session } = wait
  let tries = 0
  await waitMysqlUntil(wait, what, async () => {
    const atOnce = session.facts.flavour === 'mariadb' && tries++ < TRIES_WITHOUT_WAIT
    const restore = await setMysqlLockWait(session, atOnce ? 0 : 1)
    try {
      await session.command(statement)
      return true
    } catch (error) {
      if (!session.alive || !isMysqlBusy(error)) throw error
      return false
    } finally {
      await restore()
    }
  })
}

/** As `waitUntil`. @throws SluiceError TARGET_BUSY after the lock timeout */
export function waitMysqlUntil(wait: MysqlWait, what: string, isSo: () => Promise<boolean>): Promise<void> {
  return waitUntil(wait, what, isSo, {
    open: () => openTransactions(wait.session),
    hidden: 'the server does not show them',
    code: 'TARGET_BUSY',
  })
}

/** Open transactions, oldest first; none if the login has no right to see them. */
async function openTransactions(session: MysqlSession): Promise<readonly string[]> {
  try {
    const rows = await session.rows(
      `SELECT t.trx_mysql_thread_id, p.USER, p.HOST, p.DB, TIMESTAMPDIFF(SECOND, t.trx_started, NOW())
       FROM information_schema.INNODB_TRX t LEFT JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id
       WHERE t.trx_mysql_thread_id <> CONNECTION_ID() ORDER BY t.trx_started LIMIT ${MOST_NAMED}`,
    )
    const sessions = rows.map(([id, user, host, database, age]) =>
      Number(id) === 0
        ? `a prepared transaction (XA RECOVER lists it), open for ${Math.max(0, Number(age))} s`
        : `session ${String(id)} of ${String(user ?? '?')}@${String(host ?? '?')} in database ${String(database ?? '?')}, open for ${Math.max(0, Number(age))} s`,
    )
    return sessions
  } catch (error) {
    if (session.broken !== null || mysqlErrorNumber(error) === null) throw error
    return []
  }
}
