/** Drops an old table, in a transaction that has its lock. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { KnownTable } from '../../server/locks.ts'
import { tableByName } from '../../server/known.ts'
import type { CopySession } from '../../server/session.ts'
import { tableSql } from '../../server/sql.ts'
import { guardFunctions, moveSequence, ownedSequences } from './beside.ts'
import { refusals } from './look.ts'

/**
 * Drops the table without CASCADE: a new dependent of the table makes the DROP fail.
 * @returns messages about further changes
 * @throws SluiceError TABLE_REFUSED
 */
export async function dropOldTable(
  session: CopySession,
  table: KnownTable,
  heir: TableName,
): Promise<readonly string[]> {
  await session.ask(`SET LOCAL search_path TO ''`)
  const [refused] = await refusals(session, table.oid)
  if (refused !== undefined) {
    throw new SluiceError(
      'TABLE_REFUSED',
      `${refused.object ?? refused.about} prevents the removal of ${tableText(table.name)}`,
      { where: tableText(table.name), reason: refused.detail, hint: refused.hint },
    )
  }
  const also: string[] = []
  const above = await tableByName(session, heir)
  if (above === null) {
    throw new SluiceError('TABLE_REFUSED', `${tableText(heir)} does not exist`, {
      where: tableText(table.name),
      reason: 'the old table may have the only copy of these rows',
    })
  }
  for (const sequence of await ownedSequences(session, table.oid, above.oid)) {
    await moveSequence(session, sequence, heir)
    also.push(
      sequence.heir
        ? `sequence ${tableText(sequence.name)} belongs to column ${sequence.column} of ${tableText(heir)}`
        : `sequence ${tableText(sequence.name)} no longer belongs to a table`,
    )
  }
  const guards = await guardFunctions(session, table.oid)
  await session.ask(`DROP TABLE ${tableSql(table.name)}`)
  for (const { sql } of guards) {
    // Function and sequence have the same name.
    await session.ask(`DROP FUNCTION ${sql}; DROP SEQUENCE IF EXISTS ${sql.replace(/\(\)$/, '')}`)
    also.push(`function ${sql}, which blocked writers, is dropped`)
  }
  return also
}
