/**
 * DDL statements that need a table exclusively. They wait for every transaction that has used the table, and later
 * statements queue behind them; so they wait only briefly, and are repeated. A transaction holds its metadata lock
 * until it ends, prepared XA transactions as well (MySQL 8.0 Reference Manual, 8.11.4 "Metadata Locking"). So once a
 * trigger exists, every transaction that wrote without it has ended and is visible.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import { setMysqlLockWait } from '../../lock-wait.ts'
import type { MysqlSession } from '../../session.ts'

/** Default lock timeout, ms. */
export const MYSQL_LOCK_WAIT_MS = 600_000
/** Error numbers: lock wait timeout, deadlock, and a statement that was killed. */
const BUSY = new Set([1205, 1213, 1317])
const SILENT_MS = 2000
const FIRST_REST_MS = 20
const MOST_REST_MS = 1000
/**
 * MariaDB only: number of first attempts with a lock timeout of 0. No session queues behind them.
 * Later attempts use 1 s, the shortest timeout that every server has.
 */
const TRIES_WITHOUT_WAIT = 8
/** Maximum number of open transactions that a message names. */
const MOST_NAMED = 5

export type MysqlWait = {
  readonly session: MysqlSession
  readonly signal: AbortSignal
  /** Reports a message to the user. */
  readonly onReport: (message: string) => void
  /** Lock timeout, ms. */
  readonly patienceMs: number
}

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

/**
 * Repeats the check `isSo` until it returns true, with pauses.
 * @param what subject of the messages, which say that it waits for open transactions
 * @throws SluiceError TARGET_BUSY after the lock timeout, with the open transactions; the reason of the signal
 */
export async function waitMysqlUntil(
  { session, signal, onReport: report, patienceMs }: MysqlWait,
  what: string,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const start = performance.now()
  let reported = ''
  for (let rest = FIRST_REST_MS; ; rest = Math.min(rest * 2, MOST_REST_MS)) {
    throwIfAborted(signal)
    if (await isSo()) return
    const waited = performance.now() - start
    if (waited > Math.min(SILENT_MS, patienceMs)) {
      const open = await openTransactions(session)
      if (waited > patienceMs) throw gaveUp(what, open)
      const names = open.map((one) => one.replace(/, open for \d+ s$/, '')).join('; ')
      if (names !== reported && open.length > 0) report(`${what} waits for open transactions: ${open.join('; ')}`)
      reported = names
    }
    await sleep(rest, undefined, { signal }).catch(() => undefined)
  }
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

function gaveUp(what: string, open: readonly string[]): SluiceError {
  return new SluiceError('TARGET_BUSY', `${what} waits for open transactions that do not end`, {
    reason: open.length === 0 ? 'the server does not show them' : open.join('; '),
    hint: 'end them, or wait for their end, then run the same command again',
    kind: 'source',
    retryable: true,
  })
}
