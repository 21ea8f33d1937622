/** Advisory locks: the server lets go of them when the session ends, whatever ends it. */
import type { SessionLock } from '../../../model/run/sql-port.ts'
import type { SqlSession } from './sql-session.ts'

/** Keeps a session that holds no lock any more for the next one: opening one takes longer than all that a small table needs. */
type KeepSession = (session: SqlSession) => Promise<void>

/**
 * Takes a lock at once, on a session that it then owns; null when another session holds it.
 * Behind a pooler that lends the session by the transaction (pgbouncer with pool_mode=transaction) it takes none and refuses none: the lock would stay with a
 * session that other clients use, and the lease alone keeps two owners apart.
 */
export async function takeLock(session: SqlSession, name: string, keep: KeepSession): Promise<SessionLock | null> {
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
      // Closing alone would leave the lock until the server has noticed, and the next one who asks would be refused.
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
