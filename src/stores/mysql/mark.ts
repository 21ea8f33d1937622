/** A name that only a living session holds: whoever lost its connection can ask under it whether the session is still there. */
import { randomUUID } from 'node:crypto'
import type { Session } from './session.ts'

/** @returns null where the server has no such locks, as clusters may: a COMMIT without an answer ends in COMMIT_UNKNOWN more often then */
export async function takeMark(session: Session): Promise<string | null> {
  const name = `sluice ${randomUUID()}`
  try {
    const [[taken] = []] = await session.rows('SELECT GET_LOCK(?, 0)', [name])
    return Number(taken) === 1 ? name : null
  } catch (error) {
    if (session.broken !== null) throw error
    return null
  }
}
