/** Names under which tables stand that are not done, and what tells them from tables of users: the next run knows them by both. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { literal } from '../copy/sql.ts'

/** What the names of constraints begin with that say what a table on its way into or out of a partitioned one holds; the number of that one stands behind it. */
const MARK = 'sluice_aside_of_'

/** Of tables that are on their way into a partitioned one, or out of it. */
export function asideName(schema: string, parent: string, place: number | 'rest' | 'old'): TableName {
  return { schema, name: `sluice_aside_${parent}_${place}` }
}

/** The constraint of a table aside. It goes when the table is attached. */
export function markOf(parent: string): string {
  return `${MARK}${parent}`
}

/** Numbers and names of the tables that have the mark of a partitioned one, and are attached nowhere. */
export function asideTablesSql(parent: string): string {
  return `SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.conname = ${literal(markOf(parent))} AND k.contype = 'c' AND c.relkind = 'r' AND NOT c.relispartition
      AND c.relname LIKE ${literal(`sluice\\_aside\\_${parent}\\_%`)}
    ORDER BY c.relname`
}
