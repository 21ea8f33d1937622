/** Finds the right that a role lacks in the database of a queue, and the statement that grants it. */
import type { Pool } from 'pg'
import { SluiceError } from '../../../shared/errors.ts'
import { permissionDenied } from '../../../shared/guide-errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { quoteName } from '../server/connect.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { QUEUE_SCHEMA } from './schema.ts'

/** `look`: reads rows. `change`: steers and starts runs, works, changes schedules. `make`: creates a missing queue. */
export type QueueUse = 'look' | 'change' | 'make'

/**
 * Maps a refusal of the server to an error that names the refused use and the GRANT that permits it. If the queue has
 * no owner, or the server does not answer, the hint explains how a queue is created.
 */
export async function deniedInQueue(
  thrown: unknown,
  { pool, settings, use }: { readonly pool: Pool; readonly settings: PostgresSettings; readonly use: QueueUse },
): Promise<SluiceError> {
  const said = thrown instanceof Error ? thrown.message : String(thrown)
  const owner = await ownerOf(pool)
  const hint = hintFor(use, owner, settings)
  return new SluiceError(
    ...permissionDenied('TARGET_DENIED', {
      where: settings.label,
      reason: `${settings.user} may not ${USES[use]}: ${said}`,
      hint,
      cause: thrown,
    }),
  )
}

const USES: Readonly<Record<QueueUse, string>> = {
  look: 'read the tables of this queue',
  change: 'change the rows of this queue',
  make: 'create the schemas of a queue here',
}

function hintFor(use: QueueUse, owner: string | null, { user, database, label }: PostgresSettings): string {
  const role = quoteName(user)
  const command = `sluice grants --connect ${shellQuote(label)} --role ${use === 'look' ? 'observer' : 'worker'} --to ${shellQuote(user)}`
  if (owner === null) {
    const unless = use === 'make' ? '' : 'if there is no queue yet: '
    const make = `GRANT CREATE ON DATABASE ${quoteName(database)}`
    return `${unless}start the first worker as a separate role, which creates and owns the queue (as the owner of the database: ${make} TO that role); then ${command} prints the rights that ${role} needs`
  }
  // `change` writes only after the owner was found to be a role that the login trusts.
  if (use !== 'look')
    return `as ${owner}, who owns the queue, or as a superuser: GRANT ${quoteName(owner)} TO ${role}; ${command} prints all of it`
  const schema = quoteName(QUEUE_SCHEMA)
  return `as ${owner}, who owns the queue: GRANT USAGE ON SCHEMA ${schema} TO ${role}; GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role}; ${command} prints all of it`
}

/** Role that owns the queue; null if there is no queue, or the server does not answer. */
async function ownerOf(pool: Pool): Promise<string | null> {
  try {
    const { rows } = await pool.query<{ owner: string }>(
      'SELECT pg_catalog.pg_get_userbyid(nspowner) AS owner FROM pg_catalog.pg_namespace WHERE nspname = $1',
      [QUEUE_SCHEMA],
    )
    return rows[0]?.owner ?? null
  } catch {
    return null
  }
}
