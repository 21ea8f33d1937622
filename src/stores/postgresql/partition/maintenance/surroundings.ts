/** What new partitions have to do with: the table that they are like, what its rows must fulfil, and tables whose locks an attachment takes. */
import type { RangedTable, RangePartition } from '../../../../model/partition/maintenance-port.ts'
import type { KnownTable } from '../../server/locks.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import type { WantedLock } from '../../server/patience.ts'

/** The newest plain partition; a plain default partition, and then the table itself, where there is none. */
export function neighbourOf(table: RangedTable): KnownTable {
  const plain = table.partitions.filter(({ note }) => note === undefined)
  const newest = plain.findLast(({ isDefault }) => !isDefault) ?? plain.find(({ isDefault }) => isDefault)
  return newest === undefined ? { oid: table.identity, name: table.table } : known(newest)
}

export function defaultOf({ partitions }: RangedTable): RangePartition | null {
  return partitions.find(({ isDefault }) => isDefault) ?? null
}

export function known({ identity, name }: Pick<RangePartition, 'identity' | 'name'>): KnownTable {
  return { oid: identity, name }
}

/** What all rows of the table fulfil because it is a partition of another one; null where it is none. */
export async function constraintAbove(session: CopySession, { identity }: RangedTable): Promise<string | null> {
  const [row] = await session.ask(
    `SELECT pg_catalog.pg_get_partition_constraintdef(oid) FROM pg_catalog.pg_class WHERE oid = ${literal(identity)}::oid AND relispartition`,
  )
  return row?.[0] ?? null
}

/**
 * Tables that foreign keys of these tables refer to: triggers are made on them when such a key comes to be. Without those that this role may not lock: the
 * server locks them by itself.
 * @param both also those whose foreign keys refer to these tables: they are looked at when a partition leaves
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
