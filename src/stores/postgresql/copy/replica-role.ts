/** Tests if a role may write without firing triggers and foreign keys: their effects are copied from the source. */
import { sqlStateOf } from '../server/server-errors.ts'
import type { CopySession } from '../server/session.ts'

/** Valid for the open transaction. */
export const AS_REPLICA = 'SET LOCAL session_replication_role TO replica'

/** True if the role may keep triggers and foreign keys from firing. Changes nothing. */
export async function mayBeReplica(session: CopySession): Promise<boolean> {
  await session.ask('BEGIN')
  try {
    await session.ask(AS_REPLICA)
    return true
  } catch (error) {
    if (sqlStateOf(error) !== '42501') throw error
    return false
  } finally {
    await session.rollBack()
  }
}
