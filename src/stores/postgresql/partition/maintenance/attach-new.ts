/** Creates an empty partition as a separate table, then attaches it quickly. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import type { NewPartition, RangedTable } from '../../../../model/partition/maintenance-port.ts'
import { betweenSql, boundsSql } from '../../server/bounds.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'
import { noteAttached } from '../../follow/replication/partition-notes.ts'
import { sideTableName, attachMark } from './names.ts'
import type { LockRetry, WantedLock } from '../../server/lock-retry.ts'
import { constraintAbove, knownDefaultPartition, knownPartition, neighbourOf, referencedLocks } from './dependencies.ts'
import { NewPartitionTable, refusalOf, type MissingProperty } from './new-table.ts'

/**
 * Creates a partition as a separate table, and attaches it.
 * @returns properties that the new partition did not get, and notes to report
 * @throws errors of the server: if another partition has these bounds by now, or the default partition has rows within
 * them
 */
export async function attachNew(
  session: CopySession,
  lockRetry: LockRetry,
  table: RangedTable,
  options: NewPartition,
): Promise<{ readonly missing: readonly MissingProperty[]; readonly notes: readonly string[] }> {
  const of = neighbourOf(table)
  const above = await constraintAbove(session, table)
  const between = betweenSql(table.column.name, table.column.native, options)
  const newTable = await lockRetry.retry(() =>
    NewPartitionTable.begin(session, {
      of,
      parent: table.identity,
      sideTable: sideTableName(options.name.schema ?? '', table.identity, 0),
      name: options.name,
      check: above === null ? between : `${between} AND (${above})`,
      period: { from: options.from, to: options.to, column: table.column, of: table.table },
    }),
  )
  await newTable.addProperties()
  const late = await lockRetry.retry(() => newTable.acceptedLateStatements())
  const parent = { oid: table.identity, name: table.table }
  const rest = knownDefaultPartition(table)
  const locks: readonly WantedLock[] = [
    { table: parent, mode: 'SHARE UPDATE EXCLUSIVE' },
    ...(await referencedLocks(session, [parent, of])),
    ...(rest?.note === undefined && rest !== null
      ? [{ table: knownPartition(rest), mode: 'ACCESS EXCLUSIVE' } satisfies WantedLock]
      : []),
  ]
  const { sideTable, name } = newTable.options
  const missing = await lockRetry.run(locks, async () => {
    await session.ask(
      [
        ...late,
        `ALTER TABLE ${tableSql(sideTable)} RENAME TO ${quoteName(name.name)}`,
        `ALTER TABLE ${tableSql(table.table)} ATTACH PARTITION ${tableSql(name)} ${boundsSql(options)}`,
        `ALTER TABLE ${tableSql(name)} DROP CONSTRAINT ${quoteName(attachMark(table.identity))}`,
      ].join(';\n'),
    )
    await noteAttached(session, { table: table.identity, from: null, to: await attachedAs(session, [name]) })
    return setTriggerStates(session, newTable.triggerStates())
  })
  return { missing: [...newTable.missing, ...missing], notes: newTable.notes }
}

/** OIDs of partitions, each with the transaction that attached it. @param names current names of the partitions */
export async function attachedAs(
  session: CopySession,
  names: readonly TableName[],
): Promise<Readonly<Record<string, string>>> {
  const rows = await session.ask(
    `SELECT inhrelid, xmin FROM pg_catalog.pg_inherits
     WHERE inhrelid IN (${names.map((name) => `pg_catalog.to_regclass(${literal(tableSql(name))})::oid`).join(', ')})`,
  )
  return Object.fromEntries(rows.map(([oid, attached]) => [oid ?? '', attached ?? '']))
}

/** Sets the states of triggers, in the transaction of the attachment that created them. @returns refused statements */
export async function setTriggerStates(
  session: CopySession,
  statements: readonly string[],
): Promise<readonly MissingProperty[]> {
  const missing: MissingProperty[] = []
  for (const sql of statements) {
    const why = await refusalOf(session, sql)
    if (why !== null) missing.push({ what: sql, why })
  }
  return missing
}
