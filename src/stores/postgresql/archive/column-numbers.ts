/** OIDs of tables and attribute numbers of columns, which a rename does not change. */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { ColumnNumbers } from '../../../model/archive/stored-column.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import type { NumberedTable } from '../../../model/archive/port.ts'
import { declaredTypes } from './declared-types.ts'
import { tableByName } from '../server/known.ts'

/**
 * `attnum` by column name, OID of the table, and user-defined types of its columns; null if the table does not exist.
 * @param database identity of this database
 */
export async function columnNumbers(
  session: CopySession,
  table: TableName,
  database: string,
): Promise<ColumnNumbers | null> {
  const found = await tableByName(session, table)
  if (found === null) return null
  const { oid } = found
  return { of: oid, numbers: await numbersOf(session, oid), declared: await declaredTypes(session, oid, database) }
}

/** Tables by OID; missing tables and partitions are left out. */
export async function tablesNumbered(
  session: CopySession,
  oids: readonly string[],
): Promise<ReadonlyMap<string, NumberedTable>> {
  const wanted = oids.filter((oid) => /^\d{1,10}$/.test(oid))
  if (wanted.length === 0) return new Map()
  const rows = await session.ask(
    `SELECT c.oid, n.nspname, c.relname, a.attname, a.attnum
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE c.oid IN (${wanted.map((oid) => `${oid}::oid`).join(', ')}) AND c.relkind IN ('r', 'p') AND NOT c.relispartition`,
  )
  const found = new Map<string, { readonly table: TableName; readonly numbers: Map<string, number> }>()
  for (const [oid, schema, name, column, number] of rows) {
    const known = found.get(oid ?? '') ?? { table: { schema: schema ?? '', name: name ?? '' }, numbers: new Map() }
    if (column != null) known.numbers.set(column, Number(number))
    found.set(oid ?? '', known)
  }
  return found
}

async function numbersOf(session: CopySession, oid: string): Promise<ReadonlyMap<string, number>> {
  const rows = await session.ask(
    `SELECT attname, attnum FROM pg_catalog.pg_attribute WHERE attrelid = ${literal(oid)}::oid AND attnum > 0 AND NOT attisdropped`,
  )
  return new Map(rows.map(([name, number]) => [name ?? '', Number(number)]))
}
