/** State before a step: the partition, the detached table, the parent, and the rows that were proved. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { equalDigests, type Digest } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { PartitionRequest, NumberedName } from '../../../model/archive/port.ts'
import type { ReadColumn } from '../../../model/copy/read-column.ts'
import { missingTable } from '../server/relation.ts'
import { digestPostgresRows } from '../copy/row-digest.ts'
import type { CopySession } from '../server/session.ts'
import { tableFromSql, literal, tableSql } from '../server/sql.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import type { Parent } from './attach.ts'
import { hasColumns, partitionKey, tableByIdentity, tableByName, type FoundRelation } from '../server/known.ts'
import type { Pair } from './detach.ts'
import type { KnownTable, Locks } from '../server/locks.ts'
import { ARCHIVED_SCHEMA, archivedName, isArchivedName } from './move.ts'
import { lockBelow } from '../server/tree.ts'

/**
 * The partition and its parent. Null if the partition is missing, replaced by another table, or not in the parent.
 * @throws SluiceError TABLE_REFUSED if a detach was begun
 */
export async function lockedPartition(
  session: CopySession,
  { parent, partition, identity }: Pick<PartitionRequest, 'parent' | 'partition' | 'identity'>,
): Promise<Pair | null> {
  const found = await tableByName(session, partition)
  const above = await tableByName(session, parent)
  if (found === null || above === null || found.oid !== identity || found.parent !== above.oid) return null
  if (!found.leaving) return { parent: above, partition: found }
  throw new SluiceError('TABLE_REFUSED', `another user began to detach ${tableText(partition)} and did not finish`, {
    where: tableText(partition),
    reason:
      'DETACH PARTITION CONCURRENTLY was interrupted: queries of the table do not return the rows of this partition',
    hint: `ALTER TABLE ${tableSql(parent)} DETACH PARTITION ${tableSql(partition)} FINALIZE`,
  })
}

/** True for a detached table: it is in the schema of archived tables, and has no parent. */
export function isUnchanged({ name, parent, kind }: FoundRelation): boolean {
  return name.schema === ARCHIVED_SCHEMA && parent === null && (kind === 'r' || kind === 'p')
}

/**
 * Detached tables that may be this partition, in a database loaded from a dump. Their names end in the OID at the
 * detach; after a load they have new OIDs.
 * @param identity OID as recorded
 * @returns the table whose name ends in `identity`. If there is none: the table whose OID is `identity`. If there is
 * none either: all tables named after the partition with any OID
 */
export async function detachedTables(
  session: CopySession,
  partition: TableName,
  identity: string,
): Promise<readonly NumberedName[]> {
  const named = await tableByName(session, archivedName(partition, identity))
  if (named !== null && isUnchanged(named)) return [{ identity: named.oid, table: named.name }]
  const rows = await session.ask(
    `SELECT c.oid, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${literal(ARCHIVED_SCHEMA)} AND c.relkind IN ('r', 'p') AND NOT c.relispartition`,
  )
  const alike = rows.flatMap(([oid, name]): readonly NumberedName[] =>
    isArchivedName(name ?? '', partition)
      ? [{ identity: oid ?? '', table: { schema: ARCHIVED_SCHEMA, name: name ?? '' } }]
      : [],
  )
  const numbered = alike.filter((one) => one.identity === identity)
  return numbered.length === 0 ? alike : numbered
}

/** Locks the detached table and the tables below it exclusively; null if the table does not exist. */
export async function lockDetachedTable(
  session: CopySession,
  locks: Locks,
  identity: string,
): Promise<FoundRelation | null> {
  const there = async (): Promise<FoundRelation | null> => {
    const found = await tableByIdentity(session, identity)
    return found !== null && isUnchanged(found) ? found : null
  }
  const found = await there()
  if (found === null) return null
  try {
    await locks.take(found, 'ACCESS EXCLUSIVE')
    await lockBelow(session, locks, found)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
  const again = await there()
  return again !== null && tableSql(again.name) === tableSql(found.name) ? again : null
}

export async function partitionParent(session: CopySession, name: TableName): Promise<Parent> {
  const found = await tableByName(session, name)
  const key = found === null ? null : await partitionKey(session, found)
  if (found !== null && key !== null) return { ...found, key }
  throw new SluiceError(
    'TABLE_REFUSED',
    found === null ? missingTable(name) : `${tableText(name)} is not partitioned`,
    {
      where: tableText(name),
      hint: 'it was renamed, dropped or recreated: create a partitioned table of this name',
    },
  )
}

type Proof = { readonly columns: readonly ReadColumn[]; readonly expect: Digest | null }

/** True if an exclusively locked table has the columns and rows that were proved, or if `expect` is null. */
export async function tableHolds(session: CopySession, table: FoundRelation, proof: Proof): Promise<boolean> {
  if (proof.expect === null) return true
  return (await hasColumns(session, table, proof.columns)) && (await hasRows(session, table, proof))
}

/** True if the table has exactly the rows that were proved, or if `expect` is null. */
export async function hasRows(
  session: CopySession,
  { name, kind }: KnownTable & Partial<Pick<FoundRelation, 'kind'>>,
  { columns, expect }: Proof,
): Promise<boolean> {
  if (expect === null) return true
  // A partitioned table has its rows in the tables below it.
  const from = tableFromSql({ name, only: kind !== 'p' })
  return equalDigests(
    await digestPostgresRows(session, { columns, from, condition: 'true', whole: true, table: tableText(name) }),
    expect,
  )
}

function isMissing(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === '42P01' || state === '3F000'
}
