/**
 * Statements that need a table for themselves. Such a statement waits for all transactions that have touched the table, and whatever begins meanwhile
 * waits behind it; worse, a transaction that has read the table and now writes into it is ended by the server as a deadlock. So MariaDB is asked with
 * NOWAIT first, where nobody ever waits; MySQL knows no wait below a second, and the statement is ended from outside.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { mysqlErrorNumber } from '../error-numbers.ts'
import type { Session } from '../session.ts'

/** Lock wait timeout, deadlock, and what somebody has ended. */
const BUSY = new Set([1205, 1213, 1317])
const FIRST_REST_MS = 5
const LONGEST_REST_MS = 250
/** The part of the time in which nobody is kept waiting. */
const WITHOUT_WAITING = 0.5

export type Sessions = {
  /** With `lock_wait_timeout = 1`, which ends what this program could not end any more. */
  readonly worker: Session
  /** Sees what the other waits for, and ends it. */
  readonly watcher: Session
}

type Patience = {
  readonly patienceMs: number
  readonly budgetMs: number
  readonly signal: AbortSignal
}

type Done = { readonly longestMs: number; readonly tries: number }

/**
 * @param where what is altered, for an error
 * @param statement of the table, `NOWAIT ` or nothing behind its name
 * @throws SluiceError TARGET_BUSY; errors of the server
 */
export async function alterWhenFree(
  sessions: Sessions,
  where: string,
  statement: (words: '' | 'NOWAIT ') => string,
  { patienceMs, budgetMs, signal }: Patience,
): Promise<Done> {
  const begun = performance.now()
  const { flavour } = sessions.worker.facts
  let longestMs = 0
  for (let tries = 1, rest = FIRST_REST_MS; ; tries++, rest = Math.min(rest * 1.5, LONGEST_REST_MS)) {
    throwIfAborted(signal)
    const isPolite = flavour === 'mariadb' && performance.now() - begun < budgetMs * WITHOUT_WAITING
    const at = performance.now()
    const running = sessions.worker.command(statement(isPolite ? 'NOWAIT ' : ''))
    const error = await ended(running, sessions, patienceMs, signal)
    longestMs = Math.max(longestMs, performance.now() - at)
    throwIfAborted(signal)
    if (error === null) return { longestMs, tries }
    if (!BUSY.has(mysqlErrorNumber(error) ?? 0)) throw error
    if (performance.now() - begun >= budgetMs) throw busy(where, tries, budgetMs)
    // Two of us that fail at the same time shall not try again at the same time.
    await sleep(rest * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined)
  }
}

/** Waits for the end of a statement, and brings it about where others wait for it for too long. @returns its error */
async function ended(
  running: Promise<unknown>,
  { worker, watcher }: Sessions,
  patienceMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  let isOver = false
  const end = running.then(
    () => null,
    (error: unknown) => error,
  )
  void end.then(() => (isOver = true))
  const step = Math.max(5, patienceMs / 4)
  // When it was last seen to work, and not to wait.
  let worked = performance.now()
  for (;;) {
    await Promise.race([end, sleep(step)])
    if (isOver) return await end
    const asked = performance.now()
    if (!(await waits(watcher, worker.facts.id))) worked = asked
    if (signal.aborted || asked - worked + step > patienceMs) break
  }
  if (!isOver) await watcher.command(`KILL QUERY ${worker.facts.id}`)
  const error = await end
  // The word may have come after the statement had ended: then it would end the next one.
  if (worker.broken === null) await worker.command('DO 0').catch(() => undefined)
  return error
}

/** Whether a session waits for a lock, and works on nothing. */
async function waits(watcher: Session, id: number): Promise<boolean> {
  const [[state] = []] = await watcher.rows('SELECT STATE FROM information_schema.PROCESSLIST WHERE ID = ?', [id])
  return /^Waiting for /i.test(String(state ?? ''))
}

function busy(where: string, tries: number, budgetMs: number): SluiceError {
  return new SluiceError('TARGET_BUSY', `others keep ${where} for longer than ${budgetMs / 1000} seconds`, {
    where,
    reason: `a partition is made in a moment in which no transaction has touched the table; there was none at ${tries} tries`,
    hint: 'end the transactions that are open for long (SELECT * FROM information_schema.INNODB_TRX ORDER BY trx_started), or give --budget more time; then run the same command again',
    retryable: true,
  })
}
