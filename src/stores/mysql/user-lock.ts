/** A user lock that only a live session holds: another session checks the lock to see if that session still exists. */
import { randomUUID } from 'node:crypto'
import type { MysqlSession } from './session.ts'

/** @returns null if the server has no such locks, as in some clusters: then COMMIT_UNKNOWN is more frequent */
export async function takeUserLock(session: MysqlSession): Promise<string | null> {
  const name = `sluice ${randomUUID()}`
  try {
    const [[taken] = []] = await session.rows('SELECT GET_LOCK(?, 0)', [name])
    return Number(taken) === 1 ? name : null
  } catch (error) {
    if (session.broken !== null) throw error
    return null
  }
}
