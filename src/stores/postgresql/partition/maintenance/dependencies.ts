/** Context of new partitions: their model table, a condition that their rows meet, and tables that ATTACH locks. */
import type { RangedTable, RangePartition } from '../../../../model/partition/maintenance-port.ts'
import type { KnownTable } from '../../server/locks.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import type { WantedLock } from '../../server/lock-retry.ts'

/** Model of a new partition: the newest plain partition; without one, a plain default partition or the table itself. */
export function neighbourOf(table: RangedTable): KnownTable {
  const plain = table.partitions.filter(({ note }) => note === undefined)
  const newest = plain.findLast(({ isDefault }) => !isDefault) ?? plain.find(({ isDefault }) => isDefault)
  return newest === undefined ? { oid: table.identity, name: table.table } : knownPartition(newest)
}

export function knownDefaultPartition({ partitions }: RangedTable): RangePartition | null {
  return partitions.find(({ isDefault }) => isDefault) ?? null
}

export function knownPartition({ identity, name }: Pick<RangePartition, 'identity' | 'name'>): KnownTable {
  return { oid: identity, name }
}

/** Condition that all rows meet because the table is itself a partition; null for other tables. */
export async function constraintAbove(session: CopySession, { identity }: RangedTable): Promise<string | null> {
  return await session.one(
    `SELECT pg_catalog.pg_get_partition_constraintdef(oid) FROM pg_catalog.pg_class WHERE oid = ${literal(identity)}::oid AND relispartition`,
  )
}

/**
 * Tables that foreign keys of these tables refer to: a new foreign key creates triggers on them. Tables that this role
 * has no right to lock are left out; the server locks them by itself.
 * @param both true: also tables with foreign keys to these tables, because the server reads them when a partition is
 * detached
 */
export async function referencedLocks(
  session: CopySession,
  tables: readonly KnownTable[],
  both = false,
): Promise<readonly WantedLock[]> {
  const these = `${literal(`{${tables.map(({ oid }) => oid).join(',')}}`)}::oid[]`
  const ways = [['confrelid', 'conrelid'], ...(both ? [['conrelid', 'confrelid']] : [])].map(
    ([other, own]) => `k.${other} = c.oid AND k.${own} = ANY (${these})`,
  )
  const rows = await session.ask(
    `SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid <> ALL (${these}) AND pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
       AND EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid <> k.conrelid AND (${ways.join(' OR ')}))
     ORDER BY c.oid`,
  )
  return rows.map(([oid, schema, name]) => ({
    table: { oid: oid ?? '', name: { schema: schema ?? '', name: name ?? '' } },
    mode: 'SHARE ROW EXCLUSIVE',
  }))
}
