/** Names and marks of unfinished tables. The next run recognizes them by both, so it never drops a user's table. */
import type { TableName } from '../../../../model/copy/column-type.ts'
import { literal } from '../../server/sql.ts'

/**
 * Prefix of a constraint that marks a table before it is attached, or after it was detached. The OID of the partitioned
 * table follows the prefix.
 */
const MARK = 'sluice_aside_of_'

const OWN_NAME = /^sluice_(?:aside|keys)_\d+/

/** Name of a table before it is attached, or after it was detached. */
export function sideTableName(schema: string, parent: string, place: number | 'rest' | 'old'): TableName {
  return { schema, name: `sluice_aside_${parent}_${place}` }
}

/**
 * Name of the CHECK constraint that marks a table to attach, and its key log. The transaction that attaches the table
 * drops the constraint.
 */
export function attachMark(parent: string): string {
  return `${MARK}${parent}`
}

/** True if the constraint is a mark of sluice. */
export function isMark(constraint: string): boolean {
  return constraint.startsWith(MARK)
}

/** True if the name has the form of sluice's own tables. A table belongs to sluice only if it also has a mark. */
export function isOwnName({ name }: TableName): boolean {
  return OWN_NAME.test(name)
}

/**
 * SQL of the OIDs and names of unattached tables with the mark of this partitioned table. Tables in its schema are
 * included too if their mark matches no table of this database: they are from a dump, or their partitioned table was
 * dropped.
 */
export function markedTablesSql(parent: string): string {
  const schemasSql = `SELECT o.relnamespace FROM pg_catalog.pg_class o WHERE o.oid = ${literal(parent)}::oid
    OR o.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = ${literal(parent)}::oid)`
  return `SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.conname LIKE ${literal(`${MARK.replaceAll('_', String.raw`\_`)}%`)}::text AND k.contype = 'c' AND c.relkind = 'r' AND NOT c.relispartition
      AND (k.conname = ${literal(attachMark(parent))} OR c.relnamespace IN (${schemasSql})
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid::text = pg_catalog.substr(k.conname, ${MARK.length + 1})))
    ORDER BY c.relname`
}
