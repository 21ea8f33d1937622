/** Waits for transactions of others, and says which ones. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../shared/abort.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopySession } from '../copy/session.ts'

/** From here on the caller is told. */
const SILENT_MS = 2000
/** After so long without an end it is given up, unless the caller says otherwise. */
export const PATIENCE_MS = 600_000
const FIRST_REST_MS = 20
const MOST_REST_MS = 1000

export type Wait = {
  /** Asks what is waited for. It is not the session that waits. */
  readonly session: CopySession
  readonly signal: AbortSignal
  readonly tell: (message: string) => void
  readonly patienceMs: number
}

/**
 * Transactions that have a number and are open, prepared ones as well, longest first, each in a few words.
 * @param without server process of a session of ours
 */
export async function openTransactions(session: CopySession, without = 0): Promise<readonly string[]> {
  const rows = await session.ask(
    `SELECT * FROM (
       SELECT 'session ' || l.pid || ' of ' || coalesce(a.usename, '?') || ' in database ' || coalesce(a.datname, '?')
           || coalesce(' (' || nullif(a.application_name, '') || ')', '') AS who,
         extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::bigint AS age
       FROM (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted) l
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
       WHERE l.pid IS NOT NULL AND l.pid NOT IN (pg_catalog.pg_backend_pid(), ${without})
       UNION ALL
       SELECT 'prepared transaction ' || pg_catalog.quote_literal(gid) || ' of ' || owner || ' in database ' || database,
         extract(epoch FROM pg_catalog.clock_timestamp() - prepared)::bigint
       FROM pg_catalog.pg_prepared_xacts) t
     ORDER BY age DESC NULLS LAST, who`,
  )
  return rows.map(([who, age]) => (age == null ? (who ?? '') : `${who}, open for ${age} s`))
}

/**
 * Waits until something is true.
 * @param what what cannot go on, for the message
 * @throws SluiceError TARGET_BUSY after the patience, with the transactions that are open; the reason of the signal
 */
export async function waitUntil(wait: Wait, what: string, isSo: () => Promise<boolean>, without = 0): Promise<void> {
  const { session, signal, tell, patienceMs } = wait
  const start = performance.now()
  let told = ''
  for (let rest = FIRST_REST_MS; ; rest = Math.min(rest * 2, MOST_REST_MS)) {
    throwIfAborted(signal)
    if (await isSo()) return
    const waited = performance.now() - start
    if (waited > Math.min(SILENT_MS, patienceMs)) {
      const open = await openTransactions(session, without)
      if (waited > patienceMs) throw gaveUp(what, open)
      const names = open.map((one) => one.replace(/, open for \d+ s$/, '')).join('; ')
      if (names !== told && open.length > 0) tell(`${what} waits for open transactions: ${open.join('; ')}`)
      told = names
    }
    await sleep(rest, undefined, { signal }).catch(() => undefined)
  }
}

function gaveUp(what: string, open: readonly string[]): SluiceError {
  return new SluiceError('TARGET_BUSY', `${what} waits for open transactions, and they do not end`, {
    reason: open.length === 0 ? 'the server does not show them to this role' : open.join('; '),
    hint: 'end them, or wait until they end; then run the same command again',
    kind: 'source',
    retryable: true,
  })
}
