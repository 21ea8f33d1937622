/** Sessions that apply changes: without triggers if requested, with plans that use indexes, under an origin. */
import { SluiceError } from '../../../../shared/errors.ts'
import type { ChangeRequest } from '../../../../model/follow/port.ts'
import { sqlStateOf } from '../../server/server-errors.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { durableSql } from '../../server/connect.ts'
import { mayBeReplica } from '../../copy/replica-role.ts'
import { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { APPLY } from './pass.ts'

/**
 * Settings with which plans use indexes. Staging tables have no statistics, and prepared plans are kept when the table
 * has grown: a plan made for an empty table would read a large one completely for every batch.
 */
const BY_INDEX: Readonly<Record<string, string>> = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_material: 'off',
  plan_cache_mode: 'force_generic_plan',
}

/** First version that caches the results of index lookups. */
const MEMOIZE = 140_000

/**
 * A commit must be on disk before the source may remove its log, even if role or database set `synchronous_commit` off.
 * A standby is refused as retryable: in a failover it is promoted later.
 */
const READY = `${durableSql('session')}; SELECT pg_catalog.pg_is_in_recovery()`

/** @throws as `CopySession.open`; CONNECT_FAILED for a standby; TARGET_BUSY if another session holds the origin */
export async function openApplySession(
  settings: PostgresSettings,
  { fireTriggers, origin }: Pick<ChangeRequest, 'fireTriggers' | 'origin'>,
): Promise<CopySession> {
  const session = await CopySession.open(settings, 'write')
  try {
    if (await session.isTrue(READY)) throw isStandby(settings)
    for (const [name, value] of Object.entries(BY_INDEX)) await session.ask(`SET ${name} TO ${value}`)
    // No row is searched for twice, so a cache costs more than it saves.
    if (session.version >= MEMOIZE) await session.ask('SET enable_memoize TO off')
    await session.ask(`SET ${APPLY} TO 'on'`)
    if (!fireTriggers && (await mayBeReplica(session))) await session.ask('SET session_replication_role TO replica')
    if (origin !== undefined) await setOrigin(session, origin, settings)
    return session
  } catch (error) {
    session.destroy()
    throw error
  }
}

function isStandby({ label }: PostgresSettings): SluiceError {
  return new SluiceError('CONNECT_FAILED', 'the target is now a standby, which refuses writes', {
    where: label,
    hint: 'use the primary server, then run the same command again',
    retryable: true,
  })
}

/** @returns null if the role may mark its transactions; otherwise the server's reason */
export async function originRefusal(session: CopySession, origin: string): Promise<string | null> {
  const [row] = await session.ask(
    `SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE')) FROM pg_catalog.pg_proc p
     WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace::oid AND p.proname IN
       ('pg_replication_origin_oid', 'pg_replication_origin_create', 'pg_replication_origin_session_setup')`,
  )
  if (row?.[0] !== 't')
    return 'the role may not execute pg_replication_origin_create and pg_replication_origin_session_setup'
  try {
    await session.ask(`SELECT pg_catalog.pg_replication_origin_oid(${literal(origin)})`)
    return null
  } catch (error) {
    if (sqlStateOf(error) === null) throw error
    return (error as Error).message
  }
}

async function setOrigin(session: CopySession, origin: string, settings: PostgresSettings): Promise<void> {
  const name = literal(origin)
  const known = async (): Promise<boolean> =>
    (await session.ask(`SELECT pg_catalog.pg_replication_origin_oid(${name})`))[0]?.[0] != null
  if (!(await known())) {
    try {
      await session.ask(`BEGIN READ WRITE; SELECT pg_catalog.pg_replication_origin_create(${name}); COMMIT`)
    } catch (error) {
      await session.rollBack()
      // Another session may have created the origin meanwhile.
      if (!session.alive || !(await known())) throw error
    }
  }
  try {
    await session.ask(`SELECT pg_catalog.pg_replication_origin_session_setup(${name})`)
  } catch (error) {
    if (sqlStateOf(error) !== '55006') throw error
    throw new SluiceError('TARGET_BUSY', `another session applies changes under the origin ${origin}`, {
      where: settings.label,
      reason: (error as Error).message,
      hint: 'wait until the other program ends, or end its session on the server',
      retryable: true,
      cause: error,
    })
  }
}
