/** Refusals that a plan can find before the step: the errors that the step would throw. */
import type { AttachRequest } from '../../../model/archive/port.ts'
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { dropDependents } from '../partition/decommission/dependents.ts'
import { isConnectionLoss, failsIdentityCheck, sqlStateOf } from '../server/server-errors.ts'
import type { KnownTable } from '../server/locks.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { findRelation } from '../server/relation.ts'
import type { CopySession } from '../server/session.ts'
import { tableFromSql } from '../server/sql.ts'
import { partitionParent } from './step-state.ts'
import { refuseLateRows } from './attach.ts'
import { requireFree } from './move.ts'
import { schemaNow } from './noted-schemas.ts'
import { BOUND_HINT, stepError } from './step-errors.ts'

/** Longest wait of a plan for a lock that only a change of the table's definition or its indexes blocks, ms. */
const LOCK_MS = 500

/**
 * The error of a DROP TABLE that other objects prevent, or null. Ignores foreign keys to the whole partitioned table.
 */
export async function dropRefusal(session: CopySession, { oid, name }: KnownTable): Promise<SluiceError | null> {
  const objects = await dropDependents(session, oid, 'without inherited keys')
  if (objects.length === 0) return null
  const table = tableText(name)
  return new SluiceError('TABLE_REFUSED', `cannot drop table ${table} because other objects depend on it`, {
    where: table,
    reason: objects.join(', '),
    hint: BOUND_HINT,
  })
}

/** The error with which a partition could not be attached, because of its name or late rows; null if none is known. */
export async function returnRefusal(
  session: CopySession,
  { parent, partition, identity, ...bounds }: AttachRequest,
): Promise<SluiceError | null> {
  try {
    const found = await partitionParent(session, parent)
    await requireFree(session, await schemaNow(session, partition, found.name), identity)
    await refuseLateRows(session, found, bounds)
    return null
  } catch (error) {
    if (error instanceof SluiceError) return error
    throw error
  }
}

/**
 * The error of a DELETE that the server refuses because of a publication; null if the server accepts it, or if
 * EXPLAIN fails for another reason. The server checks this for EXPLAIN too, which deletes nothing.
 */
export async function removalRefusal(
  session: CopySession,
  table: TableName,
  settings: PostgresSettings,
): Promise<SluiceError | null> {
  const relation = await findRelation(table, (sql) => session.ask(sql))
  if (relation === null) return null
  await session.begin('READ ONLY', `SET LOCAL lock_timeout = ${LOCK_MS}`)
  try {
    await session.ask(`EXPLAIN DELETE FROM ${tableFromSql(relation)}`)
    return null
  } catch (error) {
    if (!session.alive || sqlStateOf(error) === null || isConnectionLoss(error)) throw error
    const refused = failsIdentityCheck(error) ? stepError(error, { settings, table: tableText(table) }) : null
    return refused instanceof SluiceError ? refused : null
  } finally {
    if (session.alive) await session.rollBack()
  }
}
