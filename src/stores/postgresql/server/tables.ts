/** Reads the columns, key, size and partitioning of tables from the system catalogs. */
import { calledExactly, floatKeyOf, quotedTable, type Column, type TableSpec } from '../../../model/copy/column-type.ts'
import { givenFields } from '../../../shared/given-fields.ts'
import { collationSql, isDeterministicSql } from '../copy/collations.ts'
import { HAS_SAME_CHILDREN } from './relation.ts'
import type { CopySession, TextRow } from './session.ts'
import { literal } from './sql.ts'
import { compositeFields, lostInText, postgresColumnType, loadTypes, typeStatement } from './types.ts'

type TablePattern = {
  /** SQL over `n.nspname` and `c.relname`. */
  readonly condition: string
  /** True if one name was given, not a pattern. */
  readonly exact: boolean
}

/**
 * Tables and partitioned tables that match a pattern; a partition only if the pattern is its name. Rows and bytes of a
 * partitioned table include all partitions; rows and bytes of a parent table do not include inheriting tables.
 * @param database identity of this database
 */
export async function findPostgresTables(
  session: CopySession,
  pattern: string,
  database: string,
): Promise<readonly TableSpec[]> {
  const found = await describeTables(session, { ...tablePattern(pattern), kinds: "'r', 'p'" }, database)
  return calledExactly(found, pattern, ({ table }) => table)
}

/** Parses a user's pattern: `schema.name` or `name`, with `*` for any characters; SQL's double quotes also work. */
function tablePattern(pattern: string): TablePattern {
  const readings = [like('c.relname', pattern, 'pg_catalog.pg_table_is_visible(c.oid)')]
  // Names may contain dots. The whole text is compared, so it does not matter which dot separates schema and name.
  if (pattern.includes('.')) readings.push(like("(n.nspname::text || '.' || c.relname::text)", pattern, 'true'))
  // As `tableText` writes it: a schema with a dot is quoted, and the name is not.
  if (pattern.startsWith('"')) {
    readings.push(
      like(`pg_catalog.format('"%s".%s', pg_catalog.replace(n.nspname::text, '"', '""'), c.relname)`, pattern, 'true'),
    )
  }
  const quoted = quotedTable(pattern)
  if (quoted !== null) {
    const { schema, name } = quoted
    const within = schema === undefined ? 'pg_catalog.pg_table_is_visible(c.oid)' : `n.nspname = ${literal(schema)}`
    readings.push(`c.relname = ${literal(name)} AND ${within}`)
  }
  return { condition: readings.map((reading) => `(${reading})`).join(' OR '), exact: !pattern.includes('*') }
}

/** Condition for a name. Names in system catalogs are compared by bytes, whatever the collation of the database. */
function like(name: string, pattern: string, more: string): string {
  if (!pattern.includes('*')) return `${name} = ${literal(pattern)} AND ${more}`
  const escaped = pattern.replaceAll(/[\\%_]/g, String.raw`\$&`).replaceAll('*', '%')
  return `${name} LIKE ${literal(escaped)}::text AND ${more}`
}

/**
 * Selects relations. `condition`: SQL over `n` and `c`; `exact`: true if it names single relations; `kinds`: a list of
 * `relkind`s.
 */
export type RelationFilter = { readonly condition: string; readonly exact: boolean; readonly kinds: string }

/**
 * Describes one table as `describeTables` does, with its exact size. Null if it does not exist, or is of another kind.
 */
export async function describeTable(
  session: CopySession,
  oid: string,
  kinds: RelationFilter['kinds'],
  database: string,
): Promise<TableSpec | null> {
  const [spec] = await describeTables(
    session,
    { condition: `c.oid = ${literal(oid)}::oid`, exact: true, kinds },
    database,
  )
  return spec ?? null
}

/** @param database identity of this database */
export async function describeTables(
  session: CopySession,
  which: RelationFilter,
  database: string,
): Promise<readonly TableSpec[]> {
  const ask = (sql: string): Promise<readonly TextRow[]> => session.ask(sql)
  const relations = await ask(relationsSql(which))
  const oids = relations.map(([oid]) => oid ?? '')
  if (oids.length === 0) return []
  const list = `${literal(`{${oids.join(',')}}`)}::oid[]`
  const attributes = await ask(columnsSql(list, session.version))
  const indexes = await ask(indexesSql(list))
  const types = await loadTypes(
    attributes.map(([, , oid]) => oid ?? ''),
    ask,
  )
  return relations.map(([oid, schema, name, file, rows, bytes, blocks, partitioning, alikeHeirs]) => {
    const columns = attributes.filter(([owner]) => owner === oid).map((row) => columnOf(row, types))
    const floats = columns.flatMap(({ name: column, type }) => (type.kind === 'float' ? [column] : []))
    const own = indexes.filter(([owner]) => owner === oid)
    const key = bestKey(own, floats)
    // Block numbers become invalid when the file is rewritten; keys do not.
    const place = key.columns.length === 0 && blocks != null ? `/${file}` : ''
    return {
      table: { schema: schema ?? '', name: name ?? '' },
      identity: `${database}/${oid}${place}`,
      columns,
      key: key.columns,
      primary: key.primary,
      ...(key.nullsEqual ? { nullsEqual: true as const } : {}),
      ...(key.columns.length > 0 ? {} : floatKeyOf(columns, own.map(indexColumns))),
      rows: BigInt(rows ?? 0),
      bytes: BigInt(bytes ?? 0),
      ...(partitioning == null ? {} : { partitioning }),
      ...(blocks == null ? {} : { blocks: BigInt(blocks) }),
      ...(alikeHeirs === 't' ? { withoutHeirs: true as const } : {}),
    }
  })
}

/** @param row a row of `columnsSql` */
function columnOf(row: TextRow, types: Awaited<ReturnType<typeof loadTypes>>): Column {
  const [, name, type, modifier, native, nullable, generated, identity, hasDefault, collation, sortsOnly] = row
  const known = postgresColumnType(type ?? '', Number(modifier), types)
  const fields = compositeFields(type ?? '', types)
  return {
    name: name ?? '',
    type: known,
    native: native ?? '',
    ...(native === 'json' ? { spelled: true } : {}),
    ...(fields === null ? {} : { fields }),
    ...givenFields({
      typeSql: typeStatement(type ?? '', types) ?? undefined,
      textLoses: lostInText(type ?? '', types) ?? undefined,
    }),
    ...(known.kind === 'decimal' && known.precision === undefined ? { exactAs: native ?? '' } : {}),
    ...(known.kind === 'decimal' && known.scale !== 0 ? { zeros: true } : {}),
    nullable: nullable === 't',
    ...(generated === 't' ? { generated: true } : {}),
    ...(identity === 't' ? { identity: true } : {}),
    ...(hasDefault === 't' ? { hasDefault: true } : {}),
    ...(collation == null ? {} : { collation }),
    ...(collation != null && sortsOnly === 't' ? { sortsOnly: true as const } : {}),
  }
}

function relationsSql({ condition, exact, kinds }: RelationFilter): string {
  return `
    WITH RECURSIVE found AS (
      SELECT c.oid, n.nspname, c.relname, c.relkind, c.relam, c.relkind = 'p' AS has_parts, ${HAS_SAME_CHILDREN} AS alike_heirs
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN (${kinds}) AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'::text AND n.nspname <> 'information_schema'
        AND (${condition}) ${exact ? '' : `AND NOT c.relispartition`}),
    parts AS (
      SELECT oid AS root, oid FROM found
      UNION SELECT p.root, i.inhrelid FROM parts p JOIN found f ON f.oid = p.root AND f.has_parts
        JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid),
    sizes AS (
      SELECT p.root, count(*) FILTER (WHERE c.oid <> p.root AND c.relkind <> 'p') AS parts,
        pg_catalog.sum(pg_catalog.pg_table_size(c.oid)) AS bytes,
        -- As the planner estimates: rows of a block at the last ANALYZE, times the current number of blocks.
        pg_catalog.sum((pg_catalog.pg_relation_size(c.oid) / b.size)::numeric
          * CASE WHEN c.reltuples >= 0::real AND c.relpages > 0 THEN c.reltuples::numeric / c.relpages::numeric
            -- Without statistics: the rows that fit into a block if each text has 32 bytes.
            ELSE pg_catalog.floor((b.size - 24)::numeric / (28::numeric + (
              SELECT coalesce(pg_catalog.sum(CASE WHEN a.attlen > 0 THEN a.attlen ELSE 32 END), 0)::numeric FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))) END) AS rows
      FROM parts p JOIN pg_catalog.pg_class c ON c.oid = p.oid
        CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint AS size) b WHERE c.relkind <> 'p' GROUP BY p.root)
    SELECT f.oid, f.nspname, f.relname, pg_catalog.pg_relation_filenode(f.oid),
      coalesce(pg_catalog.round(s.rows), 0), coalesce(s.bytes, 0),
      CASE WHEN f.relkind = 'r' AND m.amname = 'heap'
        THEN pg_catalog.pg_relation_size(f.oid) / pg_catalog.current_setting('block_size')::bigint END,
      CASE WHEN f.relkind = 'p' THEN pg_catalog.regexp_replace(pg_catalog.pg_get_partkeydef(f.oid), '^\\w+',
          pg_catalog.lower((pg_catalog.regexp_match(pg_catalog.pg_get_partkeydef(f.oid), '^\\w+'))[1])) || ', ' || coalesce(s.parts, 0)::text || ' partitions' END,
      f.alike_heirs
    FROM found f LEFT JOIN sizes s ON s.root = f.oid LEFT JOIN pg_catalog.pg_am m ON m.oid = f.relam
    ORDER BY f.nspname, f.relname`
}

function columnsSql(oids: string, version: number): string {
  return `
    SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod),
      NOT (a.attnotnull OR t.typnotnull) OR EXISTS (
        -- The column may have NULL if the constraint is NOT VALID: older rows were never checked.
        SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated
          AND a.attnum = ANY (k.conkey)),
      a.attgenerated <> '', a.attidentity <> '', (a.atthasdef AND a.attgenerated = '') OR t.typdefault IS NOT NULL,
      ${collationSql('a.attcollation', version)},
      ${isDeterministicSql('a.attcollation')}
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = ANY (${oids}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`
}

/**
 * SQL of the unique indexes on plain columns, the preferred key first. Without those of a type that is not compared by
 * `<`, as hstore is not: its rows cannot be divided into ranges.
 */
function indexesSql(oids: string): string {
  return `
    SELECT i.indrelid, i.indisprimary, pg_catalog.json_agg(a.attname ORDER BY k.n),
      pg_catalog.bool_or(coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct'::text)::boolean, false) AND NOT a.attnotnull)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      CROSS JOIN LATERAL pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k (n)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n]
    WHERE i.indrelid = ANY (${oids}) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      AND NOT EXISTS (
        SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS g (at)
          JOIN pg_catalog.pg_opclass c ON c.oid = i.indclass[g.at] AND c.opcdefault
          JOIN pg_catalog.pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
          JOIN pg_catalog.pg_amop s ON s.amopfamily = c.opcfamily AND s.amopstrategy = 1
            AND s.amoplefttype = c.opcintype AND s.amoprighttype = c.opcintype
          JOIN pg_catalog.pg_operator p ON p.oid = s.amopopr AND p.oprname <> '<')
    GROUP BY i.indrelid, i.indexrelid, i.indisprimary, x.relname
    ORDER BY i.indrelid, i.indisprimary DESC, pg_catalog.bool_or(NOT a.attnotnull),
      pg_catalog.bool_or(a.attcollation <> 0::oid AND a.attcollation <> i.indcollation[k.n]), count(*), x.relname`
}

function indexColumns([, , names]: TextRow): readonly string[] {
  return JSON.parse(names ?? '[]') as string[]
}

/**
 * The first index without float columns.
 * @param floats names of float columns: two systems may compare floats differently, so no key range uses them
 */
function bestKey(
  indexes: readonly TextRow[],
  floats: readonly string[],
): { readonly columns: readonly string[]; readonly primary: boolean; readonly nullsEqual: boolean } {
  for (const index of indexes) {
    const [, primary, , nullsEqual] = index
    const columns = indexColumns(index)
    if (!columns.some((name) => floats.includes(name)))
      return { columns, primary: primary === 't', nullsEqual: nullsEqual === 't' }
  }
  return { columns: [], primary: false, nullsEqual: false }
}
