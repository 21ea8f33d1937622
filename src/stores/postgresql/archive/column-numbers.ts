/**
 * OIDs of tables and attribute numbers of columns, which a rename does not change; and user-defined types of a table's
 * columns, also those inside domains, arrays, ranges and composites.
 */
import type { TableName } from '../../../model/copy/column-type.ts'
import type { ColumnNumbers, DeclaredSourceType } from '../../../model/archive/stored-column.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'
import type { NumberedTable } from '../../../model/archive/port.ts'
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

type Parts = DeclaredSourceType['parts']

/** Kinds of user-defined types, by `pg_type.typtype`. */
const KINDS: Readonly<Record<string, DeclaredSourceType['kind']>> = {
  e: 'enum',
  c: 'composite',
  r: 'range',
  m: 'range',
  d: 'domain',
}

/** Types by column name, with their parts in order. @param oid of the table @param database identity of the database */
async function declaredTypes(
  session: CopySession,
  oid: string,
  database: string,
): Promise<ReadonlyMap<string, readonly DeclaredSourceType[]>> {
  const rows = await session.ask(typesSql(oid))
  const declared = new Map<string, DeclaredSourceType[]>()
  for (const [column, type, name, kind, parts] of rows) {
    const found = declared.get(column ?? '') ?? []
    found.push({
      name: name ?? '',
      kind: KINDS[kind ?? ''] ?? 'base',
      identity: `${database}/${type}`,
      parts: JSON.parse(parts ?? '[]') as Parts,
    })
    declared.set(column ?? '', found)
  }
  return declared
}

function typesSql(oid: string): string {
  return `
    WITH RECURSIVE made (attname, oid) AS (
      SELECT a.attname, a.atttypid FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = ${literal(oid)}::oid AND a.attnum > 0 AND NOT a.attisdropped
      UNION
      SELECT m.attname, below.oid FROM made m JOIN pg_catalog.pg_type t ON t.oid = m.oid CROSS JOIN LATERAL (
        SELECT t.typbasetype UNION ALL SELECT t.typelem
        UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE ${isRangeOf('r', 't')}
        UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = t.typrelid AND t.typrelid <> 0::oid AND a.attnum > 0 AND NOT a.attisdropped) AS below (oid)
      WHERE below.oid <> 0::oid)
    SELECT m.attname, t.oid, pg_catalog.format_type(t.oid, NULL), t.typtype, CASE t.typtype
      WHEN 'e' THEN (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object('number', e.oid::text, 'name', e.enumlabel) ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
      WHEN 'c' THEN (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object('number', a.attnum::text, 'name', a.attname,
          'type', pg_catalog.format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
      WHEN 'd' THEN ${partSql('t.typbasetype', 't.typtypmod')}
      ELSE (SELECT ${partSql('r.rngsubtype', 'NULL')} FROM pg_catalog.pg_range r WHERE ${isRangeOf('r', 't')}) END
    FROM made m JOIN pg_catalog.pg_type t ON t.oid = m.oid
    -- Types with lower OIDs belong to the server. Array types are left out: they follow their element types.
    WHERE t.oid >= 16384::oid AND (t.typcategory <> 'A' OR t.typtype = 'd')
    ORDER BY m.attname, t.oid`
}

/** The base type of a domain, or the subtype of a range, as its only part. */
function partSql(type: string, modifier: string): string {
  return `pg_catalog.json_build_array(pg_catalog.json_build_object('number', '0', 'name', '', 'type', pg_catalog.format_type(${type}, ${modifier})))`
}

/**
 * SQL condition: the type is the range type, or (since version 14) the multirange type, of a range.
 * @param range row of `pg_range`
 * @param type row of `pg_type`
 */
function isRangeOf(range: string, type: string): string {
  return `(${range}.rngtypid = ${type}.oid OR (pg_catalog.to_jsonb(${range}) ->> 'rngmultitypid'::text)::oid = ${type}.oid)`
}
