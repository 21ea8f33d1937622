/** Sessions in a database: lists and ends them. */
import { restUnder, throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { CopySession } from '../../server/session.ts'

export type DatabaseSession = {
  readonly pid: string
  /** Program, user and state. */
  readonly words: string
  readonly mayEnd: boolean
  /** True if its application name is a name of sluice. */
  readonly isOurs: boolean
}

const POLL_MS = 20

/**
 * Sessions of clients and background workers. Autovacuum workers are left out, because the server ends them by itself.
 * Without pg_read_all_stats, a login sees only the user of sessions of other roles.
 * @param own processes to leave out
 */
export async function sessionsOf(
  session: CopySession,
  oid: string,
  own: readonly number[],
): Promise<readonly DatabaseSession[]> {
  const rows = await session.ask(
    `SELECT a.pid::text, coalesce(nullif(a.application_name, ''), a.backend_type, 'a session'), a.usename, coalesce(a.state, 'unknown'),
       coalesce(m.rolsuper OR (NOT r.rolsuper AND (pg_catalog.pg_has_role(r.oid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))), false), coalesce(a.application_name, '') ~ '^sluice'
     FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles m ON m.rolname = CURRENT_USER LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
     WHERE a.datid = ${oid} AND a.pid <> ALL (ARRAY[${[0, ...own].join(', ')}]) AND NOT (a.usesysid IS NULL AND a.backend_type IS NULL) AND coalesce(a.backend_type, '') NOT IN ('autovacuum worker', 'parallel worker') ORDER BY a.backend_start, 1`,
  )
  return rows.map(([pid, program, user, state, mayEnd, ours]) => ({
    pid: pid ?? '',
    words: `${program ?? ''}${user == null ? '' : ` of ${user}`} (${state ?? ''})`,
    mayEnd: mayEnd === 't',
    isOurs: ours === 't',
  }))
}

/**
 * Terminates the sessions in a database, and waits until all have ended.
 * @returns descriptions of the terminated sessions
 * @throws SluiceError TARGET_BUSY
 */
export async function endSessions(
  session: CopySession,
  oid: string,
  own: readonly number[],
  {
    retryLimitMs,
    name,
    signal,
  }: { readonly retryLimitMs: number; readonly name: string; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const ended = new Map<string, string>()
  const until = performance.now() + retryLimitMs
  for (;;) {
    throwIfAborted(signal)
    const left = await sessionsOf(session, oid, own)
    if (left.length === 0) return [...ended.values()]
    if (performance.now() > until) throw busy(name, left)
    for (const { pid, words, mayEnd } of left) {
      if (!mayEnd) continue
      ended.set(pid, `process ${pid}, ${words}`)
      await session.ask(`SELECT pg_catalog.pg_terminate_backend(${pid})`)
    }
    await restUnder(signal, POLL_MS)
  }
}

export function busy(name: string, left: readonly DatabaseSession[]): SluiceError {
  return new SluiceError('TARGET_BUSY', `sessions in database ${name} do not end`, {
    where: name,
    reason: left.map(({ pid, words }) => `process ${pid}, ${words}`).join('; '),
    hint: 'end them, then run the same command again; --undo allows connections again',
    retryable: true,
  })
}
