/**
 * ALTER statements that need a table exclusively. Such a statement waits for all transactions that have used the table,
 * and later statements queue behind it. Worse, a transaction that has read the table and now writes to it is ended by
 * the server as a deadlock. So in the first half of the retry limit sluice makes no transaction wait: in MariaDB the
 * statement has NOWAIT; MySQL has no NOWAIT, so sluice first checks whether a transaction holds the table. Only if the
 * table was never free does the statement wait. MySQL has no lock timeout below a second, so KILL QUERY ends the wait.
 */
import type { LockLimits } from '../../../../model/partition/maintenance-port.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { mysqlErrorNumber } from '../../error-numbers.ts'
import type { MysqlSession } from '../../session.ts'
import { mysqlLockHolders, type IsLocked } from './holders.ts'

/** Error numbers: lock wait timeout, deadlock, and a statement that was killed. */
const BUSY = new Set([1205, 1213, 1317])
const FIRST_REST_MS = 2
/** Longest pause between checks, ms. A busy table is free once in hundreds of checks; a check costs the server 2 ms. */
const LONGEST_REST_MS = 25
/** The same limit in MySQL, ms: a check there reads the list of all locks. */
const LONGEST_REST_OF_CHECKS_MS = 100
/** Pause between two waits; doubled after each wait, because a wait may end a transaction of a user. */
const FIRST_BETWEEN_WAITS_MS = 200
const LONGEST_BETWEEN_WAITS_MS = 5000
/** Share of the retry limit in which no transaction has to wait. */
const WITHOUT_WAITING = 0.5
/**
 * Minimum time (ms) in which no transaction has to wait for a statement; half of the retry limit if that is shorter.
 */
const ALWAYS_WITHOUT_WAITING_MS = 250

/** @returns time until which no transaction may have to wait, by the clock of `performance` */
export function politeUntil(retryLimitMs: number): number {
  return performance.now() + retryLimitMs * WITHOUT_WAITING
}

export type Sessions = {
  /** Runs the statements. Its `lock_wait_timeout` of 1 s ends a statement if this program no longer can. */
  readonly worker: MysqlSession
  /** Checks whether the worker waits for a lock, and ends its statement. */
  readonly watcher: MysqlSession
}

type AlterationLimits = LockLimits & {
  /** See `politeUntil`. Set once per run: a table that was busy so long is not free for the next partition either. */
  readonly politeUntil: number
}

type Done = { readonly longestMs: number; readonly tries: number }

export type Alteration = {
  readonly table: TableName
  /** @param words `NOWAIT ` or nothing, after the name of the table */
  readonly statement: (words: '' | 'NOWAIT ') => string
  /** Throws if the statement would now take long; called before each try. */
  readonly check: () => Promise<void>
}

/** @throws SluiceError TARGET_BUSY; what `check` throws; errors of the server */
export async function alterWhenFree(
  sessions: Sessions,
  { table, statement, check }: Alteration,
  { lockTimeoutMs, retryLimitMs, politeUntil: polite, signal }: AlterationLimits,
): Promise<Done> {
  const begun = performance.now()
  const hasNowait = sessions.worker.facts.flavour === 'mariadb'
  const heldNow: IsLocked = hasNowait ? async () => false : await mysqlLockHolders(sessions.watcher, table)
  let waitsAt = Math.max(polite, begun + Math.min(retryLimitMs * WITHOUT_WAITING, ALWAYS_WITHOUT_WAITING_MS))
  let [between, rest, longestMs] = [FIRST_BETWEEN_WAITS_MS, FIRST_REST_MS, 0]
  for (let tries = 1; ; tries++) {
    throwIfAborted(signal)
    await check()
    const held = await heldNow()
    const at = performance.now()
    // If the server does not report whether the table is held, waiting is the only way.
    if (held === null && tries === 1) waitsAt = at
    const mayWait = at >= waitsAt
    if (held !== true || mayWait) {
      const running = sessions.worker.command(statement(hasNowait && !mayWait ? 'NOWAIT ' : ''))
      const error = await ended(running, sessions, lockTimeoutMs, signal)
      longestMs = Math.max(longestMs, performance.now() - at)
      if (error === null) return { longestMs, tries }
      throwIfAborted(signal)
      if (!BUSY.has(mysqlErrorNumber(error) ?? 0)) throw error
    }
    const now = performance.now()
    const left = begun + retryLimitMs - now
    if (left <= 0) throw busy(tableText(table), tries, retryLimitMs)
    if (mayWait) {
      waitsAt = now + between
      between = Math.min(between * 2, LONGEST_BETWEEN_WAITS_MS)
    }
    rest = Math.min(rest * 1.5, hasNowait ? LONGEST_REST_MS : LONGEST_REST_OF_CHECKS_MS)
    // Random, so that two runs that fail at the same time do not try again at the same time.
    const pause = held === null ? waitsAt - now : rest * (0.5 + Math.random())
    await sleep(Math.min(pause, left), undefined, { signal }).catch(() => undefined)
  }
}

/**
 * Waits for the end of a statement. Kills it on abort, or after it has waited for a lock for `lockTimeoutMs`.
 * @returns its error; null if it succeeded
 */
async function ended(
  running: Promise<unknown>,
  { worker, watcher }: Sessions,
  lockTimeoutMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  let isOver = false
  const end = running.then(
    () => null,
    (error: unknown) => error,
  )
  void end.then(() => (isOver = true))
  const step = Math.min(50, Math.max(5, lockTimeoutMs / 4))
  // When the statement was last seen working, not waiting for a lock.
  let worked = performance.now()
  for (;;) {
    await Promise.race([end, sleep(step)])
    if (isOver) return await end
    const asked = performance.now()
    if (!(await waits(watcher, worker.facts.id))) worked = asked
    if (signal.aborted || asked - worked + step > lockTimeoutMs) break
  }
  if (!isOver) await watcher.command(`KILL QUERY ${worker.facts.id}`)
  const error = await end
  // A KILL that arrives after the end of its statement ends the next statement: run an empty one.
  if (worker.broken === null) await worker.command('DO 0').catch(() => undefined)
  return error
}

/** True if a session waits for a lock. */
async function waits(watcher: MysqlSession, id: number): Promise<boolean> {
  const [[state] = []] = await watcher.rows('SELECT STATE FROM information_schema.PROCESSLIST WHERE ID = ?', [id])
  return /^Waiting for /i.test(String(state ?? ''))
}

function busy(where: string, tries: number, retryLimitMs: number): SluiceError {
  return new SluiceError(
    'TARGET_BUSY',
    `other sessions lock ${where} for longer than ${(retryLimitMs / 1000).toFixed(1)} seconds`,
    {
      where,
      reason: `a partition can be created only while no transaction uses the table; ${tries} tries failed`,
      hint: 'end long open transactions (SELECT * FROM information_schema.INNODB_TRX ORDER BY trx_started), or give --retry-limit more time; then run the same command again',
      retryable: true,
    },
  )
}
