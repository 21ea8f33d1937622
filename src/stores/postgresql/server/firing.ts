/** Logins for which `session_replication_role = replica` is set, as a setting of the role or of the database. */
import type { Client } from 'pg'
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { sqlStateOf } from './server-errors.ts'
import type { PostgresSettings } from './settings.ts'

/** With `replica`, foreign keys and triggers would be skipped. Sessions that need it set it later by themselves. */
export const FIRING = 'session_replication_role TO origin'

/**
 * Tests if the login may change the setting. Another role may have made it, and then even RESET is refused.
 * @throws SluiceError TARGET_DENIED
 */
export async function refuseReplica(client: Client, { user, label }: PostgresSettings): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL ${FIRING}`)
  } catch (error) {
    if (sqlStateOf(error) !== '42501') throw error
    throw new SluiceError('TARGET_DENIED', `sessions of ${user} would write rows that violate foreign keys`, {
      where: label,
      reason: `session_replication_role is replica for ${user}, who may not change it`,
      hint: `as a superuser: ALTER ROLE ${quotedName(user)} RESET session_replication_role, or ALTER DATABASE … RESET it if the database has it`,
    })
  } finally {
    await client.query('ROLLBACK')
  }
}
