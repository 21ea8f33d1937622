/**
 * Statements that need a table for themselves. Such a statement waits for all transactions that have touched the table, and whatever begins meanwhile
 * waits behind it; worse, a transaction that has read the table and now writes into it is ended by the server as a deadlock. So MariaDB is asked with
 * NOWAIT, often and for half of the time, and nobody ever waits; only a table that was never free is waited for. MySQL has no NOWAIT and knows no wait
 * below a second: there a wait is ended from outside.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { mysqlErrorNumber } from '../error-numbers.ts'
import type { Session } from '../session.ts'

/** Lock wait timeout, deadlock, and what somebody has ended. */
const BUSY = new Set([1205, 1213, 1317])
const FIRST_REST_MS = 2
/** A table with a few busy writers is free once in hundreds of looks, and a look takes the server two milliseconds. */
const LONGEST_REST_MS = 25
/** Between two waits, each of which may cost somebody a transaction, it becomes longer and longer. */
const FIRST_BETWEEN_WAITS_MS = 200
const LONGEST_BETWEEN_WAITS_MS = 5000
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

export type Alteration = {
  /** What is altered, for an error. */
  readonly where: string
  /** @param words `NOWAIT ` or nothing, behind the name of the table */
  readonly statement: (words: '' | 'NOWAIT ') => string
  /** Throws where the statement would take long by now; asked before each try. */
  readonly check: () => Promise<void>
}

/** @throws SluiceError TARGET_BUSY; what `check` throws; errors of the server */
export async function alterWhenFree(
  sessions: Sessions,
  { where, statement, check }: Alteration,
  { patienceMs, budgetMs, signal }: Patience,
): Promise<Done> {
  const begun = performance.now()
  const hasNowait = sessions.worker.facts.flavour === 'mariadb'
  let waitsAgain = begun + (hasNowait ? budgetMs * WITHOUT_WAITING : 0)
  let [between, rest, longestMs] = [FIRST_BETWEEN_WAITS_MS, FIRST_REST_MS, 0]
  for (let tries = 1; ; tries++) {
    throwIfAborted(signal)
    await check()
    const at = performance.now()
    const isPolite = hasNowait && at < waitsAgain
    const error = await ended(
      sessions.worker.command(statement(isPolite ? 'NOWAIT ' : '')),
      sessions,
      patienceMs,
      signal,
    )
    const now = performance.now()
    longestMs = Math.max(longestMs, now - at)
    throwIfAborted(signal)
    if (error === null) return { longestMs, tries }
    if (!BUSY.has(mysqlErrorNumber(error) ?? 0)) throw error
    if (now - begun >= budgetMs) throw busy(where, tries, budgetMs)
    if (!isPolite) {
      waitsAgain = now + between
      between = Math.min(between * 2, LONGEST_BETWEEN_WAITS_MS)
    }
    rest = Math.min(rest * 1.5, LONGEST_REST_MS)
    // Two of us that fail at the same time shall not try again at the same time.
    const ms = hasNowait ? rest * (0.5 + Math.random()) : Math.min(waitsAgain - now, begun + budgetMs - now)
    await sleep(ms, undefined, { signal }).catch(() => undefined)
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
  const step = Math.min(50, Math.max(5, patienceMs / 4))
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
