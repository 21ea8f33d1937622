/** Whether a role may write past triggers and foreign keys, as a replica does: what the source has done is not done a second time. */
import { sqlStateOf } from '../server/server-errors.ts'
import type { CopySession } from '../server/session.ts'

/** For the transaction that is open. */
export const AS_REPLICA = 'SET LOCAL session_replication_role TO replica'

/** Whether the role may keep triggers and foreign keys from firing. Nothing is changed. */
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
