/** Names under which tables stand that are not done, and what tells them from tables of users: the next run knows them by both. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { literal } from '../../server/sql.ts'

/** What the names of constraints begin with that tables have which are on their way into a partitioned one or out of it; the number of that one stands behind it. */
const MARK = 'sluice_aside_of_'

const OWN_NAME = /^sluice_(?:aside|keys)_\d+/

/** Of tables that are on their way into a partitioned one, or out of it. */
export function asideName(schema: string, parent: string, place: number | 'rest' | 'old'): TableName {
  return { schema, name: `sluice_aside_${parent}_${place}` }
}

/** The constraint of a table aside, and of a log of keys beside it. It goes when the table is attached. */
export function markOf(parent: string): string {
  return `${MARK}${parent}`
}

/** Whether a constraint is ours. */
export function isMark(constraint: string): boolean {
  return constraint.startsWith(MARK)
}

/** Whether a table with a mark has a name of ours, too. */
export function isOwnName({ name }: TableName): boolean {
  return OWN_NAME.test(name)
}

/**
 * Numbers and names of the tables that have the mark of a partitioned one, and are attached nowhere; and of those beside it that have the mark of none of this
 * database: they came out of a dump, or their table was dropped.
 */
export function markedTablesSql(parent: string): string {
  const beside = `SELECT o.relnamespace FROM pg_catalog.pg_class o WHERE o.oid = ${literal(parent)}::oid
    OR o.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = ${literal(parent)}::oid)`
  return `SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.conname LIKE ${literal(`${MARK.replaceAll('_', String.raw`\_`)}%`)}::text AND k.contype = 'c' AND c.relkind = 'r' AND NOT c.relispartition
      AND (k.conname = ${literal(markOf(parent))} OR c.relnamespace IN (${beside})
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid::text = pg_catalog.substr(k.conname, ${MARK.length + 1})))
    ORDER BY c.relname`
}
