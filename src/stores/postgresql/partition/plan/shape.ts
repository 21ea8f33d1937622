/** Properties of the table and its column that prevent or affect partitioning. */
import type { PlanFinding } from '../../../../model/partition/plan-port.ts'
import type { About } from './about.ts'
import { shellQuote } from '../../../../shared/shell.ts'

export type PlannedTableShape = {
  readonly kind: string
  readonly isPartition: boolean
  readonly parents: readonly string[]
  readonly heirs: readonly string[]
  /** Type of a typed table (CREATE TABLE … OF); null for other tables. */
  readonly of: string | null
  readonly persistence: string
  readonly extension: string | null
  readonly generated: boolean
  readonly notNull: boolean
  readonly type: string
  /** True if the type of the column has a default operator class for btree. */
  readonly ordered: boolean
  readonly primary: boolean
}

/** @param nulls finding for a column that may be NULL */
export async function planShapeFindings(
  about: About,
  nulls: (about: About, shape: PlannedTableShape) => PlanFinding = nullability,
): Promise<readonly PlanFinding[]> {
  const [shape] = await about.session.objects<PlannedTableShape>(shapeSql(about))
  if (shape === undefined) return []
  const { column, by, sql, name } = about
  const found: PlanFinding[] = []
  const refuse = (what: string, detail: string, hint: string, object?: string): void =>
    void found.push({ verdict: 'refused', about: what, detail, hint, ...(object === undefined ? {} : { object }) })
  if (shape.kind === 'p') {
    refuse('partitioned', 'the table is already partitioned', 'sluice partition list shows its partitions')
  }
  if (shape.isPartition) {
    const [parent = ''] = shape.parents
    refuse(
      'partition',
      `the table is already a partition of ${parent}`,
      `sluice partition list --table ${shellQuote(plainName(parent))}`,
    )
  }
  if (!shape.isPartition && shape.kind !== 'p' && shape.parents.length > 0) {
    const what = 'the server refuses a partitioned table that inherits from another one'
    refuse('inheritance', what, `ALTER TABLE ${sql} NO INHERIT ${shape.parents[0]}`, shape.parents.join(', '))
  }
  if (shape.kind !== 'p' && shape.heirs.length > 0) {
    const what =
      'the server refuses tables that inherit from a partitioned one; their rows are read with this table now'
    refuse('inheritance', what, 'move their rows into this table, then remove the inheritance', shape.heirs.join(', '))
  }
  if (shape.generated) {
    const what = 'the server refuses to partition by a generated column'
    refuse('column', what, 'name the column from which it is computed with --by', column)
  } else {
    found.push(nulls(about, shape))
  }
  if (!shape.ordered) refuse('column', `${shape.type} has no order for ranges`, 'name another column with --by', column)
  if (shape.of !== null) {
    const detail = `the new table has the columns of ${shape.of}, but is not a typed table: the server does not attach typed tables as partitions`
    found.push({ verdict: 'changes', about: 'typed table', object: shape.of, detail })
  }
  if (shape.persistence === 'u') {
    const detail = 'each partition is created UNLOGGED; the partitioned table cannot be, and has no rows'
    found.push({ verdict: 'made', about: 'unlogged', detail })
  }
  if (shape.extension !== null) {
    const detail = `it belongs to the extension ${shape.extension}, whose updates expect it unchanged`
    const hint = `ALTER EXTENSION ${shape.extension} DROP TABLE ${sql}, if that is no longer needed`
    refuse('extension', detail, hint, shape.extension)
  }
  const touched = `an UPDATE of ${by} to another period moves the row: row triggers see a DELETE and an INSERT, and sessions that lock the row see it as another row`
  found.push({ verdict: 'changes', about: 'updates', object: name, detail: touched })
  return found
}

function nullability({ column, by, sql, nulls }: About, { notNull, primary, type }: PlannedTableShape): PlanFinding {
  const one = { about: 'column', object: column }
  if (notNull) return { ...one, verdict: 'fine', detail: `${type} NOT NULL` }
  if (primary) {
    // Refused, because a NULL that is written later would stop the stream permanently: the log keeps the change even if
    // the row is corrected.
    return {
      ...one,
      verdict: 'refused',
      detail: nulls
        ? `${type}: rows without a value cannot stay, since it becomes a part of the primary key`
        : `${type}, which may be NULL: it becomes a part of the primary key, and a row written without a value could not be replicated to the new table`,
      hint: `${nulls ? `UPDATE ${sql} SET ${by} = … WHERE ${by} IS NULL, then ` : ''}ALTER TABLE ${sql} ALTER COLUMN ${by} SET NOT NULL`,
    }
  }
  return {
    ...one,
    verdict: 'changes',
    detail: `${type}, which may be NULL: rows without a value go to the default partition, and do not belong to a period`,
    hint: `ALTER TABLE ${sql} ALTER COLUMN ${by} SET NOT NULL, if there is always one`,
  }
}

function shapeSql({ oid, attnum }: About): string {
  return `
    SELECT pg_catalog.json_build_object('kind', c.relkind, 'isPartition', c.relispartition, 'persistence', c.relpersistence,
      'parents', (SELECT coalesce(pg_catalog.json_agg(i.inhparent::pg_catalog.regclass::text ORDER BY 1), '[]') FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),
      'heirs', (SELECT coalesce(pg_catalog.json_agg(i.inhrelid::pg_catalog.regclass::text ORDER BY 1), '[]') FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid),
      'of', CASE WHEN c.reloftype <> 0::oid THEN c.reloftype::pg_catalog.regtype::text END,
      'extension', (SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.objid = c.oid AND d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass::oid),
      'generated', a.attgenerated <> '', 'notNull', a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum AND NOT k.convalidated),
      'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'ordered', EXISTS (SELECT FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod AND m.amname = 'btree'
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid WHERE o.opcdefault AND o.opcintype IN (t.oid, t.typbasetype)),
      'primary', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ${attnum} WHERE c.oid = ${oid}::oid`
}

/** Name in the form of `--table`: `app.Book ings` for `app."Book ings"`. */
function plainName(sql: string): string {
  return sql.replaceAll(/"((?:[^"]|"")*)"/g, (_all, name: string) => name.replaceAll('""', '"'))
}
