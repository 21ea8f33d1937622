/** Tests if a role may write without firing triggers and foreign keys: their effects are copied from the source. */
import { quoteName } from '../server/connect.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import type { CopySession } from '../server/session.ts'

/** Valid for the open transaction. */
export const AS_REPLICA = 'SET LOCAL session_replication_role TO replica'

/** Hint: how a role gets the right that `mayBeReplica` tests. @param role name of the role */
export function replicaHint(role: string): string {
  return `GRANT SET ON PARAMETER session_replication_role TO ${quoteName(role)} (15 and newer), or connect as a superuser`
}

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
