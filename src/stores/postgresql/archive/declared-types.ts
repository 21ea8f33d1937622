/** Enums and composites in columns of a table: also in domains, arrays, ranges and attributes of composites. */
import type { DeclaredSourceType } from '../../../model/archive/stored-column.ts'
import type { CopySession } from '../server/session.ts'
import { literal } from '../server/sql.ts'

type Parts = DeclaredSourceType['parts']

/** By column name, with members or attributes in order. @param oid of the table @param database its identity */
export async function declaredTypes(
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
      kind: kind === 'e' ? 'enum' : 'composite',
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
        -- Before version 14 there are no multiranges.
        UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r
          WHERE r.rngtypid = t.oid OR (pg_catalog.to_jsonb(r) ->> 'rngmultitypid'::text)::oid = t.oid
        UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
          WHERE a.attrelid = t.typrelid AND t.typrelid <> 0::oid AND a.attnum > 0 AND NOT a.attisdropped) AS below (oid)
      WHERE below.oid <> 0::oid)
    SELECT m.attname, t.oid, pg_catalog.format_type(t.oid, NULL), t.typtype, CASE WHEN t.typtype = 'e' THEN (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object('number', e.oid::text, 'name', e.enumlabel) ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
      ELSE (
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object('number', a.attnum::text, 'name', a.attname,
          'type', pg_catalog.format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END
    FROM made m JOIN pg_catalog.pg_type t ON t.oid = m.oid WHERE t.typtype IN ('e', 'c')
    ORDER BY m.attname, t.oid`
}
