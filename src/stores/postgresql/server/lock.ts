/** Advisory locks: the server releases them when the session ends, for any reason. */
import type { SessionLock } from '../../../model/run/sql-port.ts'
import type { SqlSession } from './sql-session.ts'

/** Keeps an unlocked session for the next lock: opening a session takes longer than copying a small table. */
type KeepSession = (session: SqlSession) => Promise<void>

/**
 * Takes a lock without waiting; returns null if another session has it. The lock owns `session`. If a pooler shares
 * sessions between transactions (pgbouncer with pool_mode=transaction), no lock is requested, because other clients
 * would use the session that has the lock. Then only the lease separates two owners.
 */
export async function takePostgresLock(
  session: SqlSession,
  name: string,
  keep: KeepSession,
): Promise<SessionLock | null> {
  let taken = session.isPooled
  try {
    if (!taken) taken = await isTaken(session, name)
  } finally {
    if (!taken) await session.close()
  }
  if (!taken) return null
  let released = false
  return {
    get held() {
      return session.alive && !released
    },
    async [Symbol.asyncDispose]() {
      if (released) return
      released = true
      // Closing the connection is not enough: the server keeps the lock until it detects the close, and a lock request
      // before that fails.
      const unlocked =
        session.alive &&
        !session.isPooled &&
        (await session.command('SELECT pg_advisory_unlock_all()').then(
          () => true,
          () => false,
        ))
      if (unlocked && session.alive) await keep(session)
      else await session.close()
    },
  }
}

async function isTaken(session: SqlSession, name: string): Promise<boolean> {
  const rows = await session.all(
    "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('sluice:' || coalesce(current_schema()::text, '') || ':' || CAST(? AS text), 0))",
    [name],
  )
  return rows[0]?.[0] === 1
}
