/** Advisory locks: the server releases them when the session ends, for any reason. */
import type { SessionLock } from '../../../model/run/sql-port.ts'
import type { SqlSession } from './sql-session.ts'

/** Keeps a session without a lock for the next one: opening one takes longer than a whole small table. */
type KeepSession = (session: SqlSession) => Promise<void>

/**
 * Takes a lock at once, on a session that it then owns; null if another session holds it. If a pooler shares the
 * session between transactions (pgbouncer with pool_mode=transaction), it takes no lock and refuses none: the lock
 * would stay with a session of other clients. Then only the lease separates two owners.
 */
export async function takePostgresLock(
  session: SqlSession,
  name: string,
  keep: KeepSession,
): Promise<SessionLock | null> {
  let taken = session.isLent
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
      // Closing alone would keep the lock until the server notices, and the next request would be refused.
      const unlocked =
        session.alive &&
        !session.isLent &&
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
