/** Dependencies of PostgreSQL tables that a copy leaves out, from the system catalogs. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import {
  groupDependencies,
  dependencyOf,
  type LeftBehind,
  type FoundDependency,
  type LeftKind,
} from '../../../model/copy/dependencies.ts'
import type { DependencyScope } from '../../../model/copy/dependency-port.ts'
import { LEDGER_MARKS } from '../../common/own-tables.ts'
import { isUsersTriggerSql } from '../server/relation.ts'
import { sqlStateOf } from '../server/server-errors.ts'
import type { CopySession } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'

const DENIED = '42501'
const CANCELED = '57014'

/** @param own schema of names without a schema */
export async function listPostgresDependencies(
  session: CopySession,
  scope: DependencyScope,
  own: string,
): Promise<readonly FoundDependency[]> {
  const rows: [LeftKind, string | undefined, string | null, string | null][] = []
  if (scope.tables.length > 0) {
    const texts = new Map(scope.tables.map((table) => [regclassOf(table, own), tableText(table)]))
    for (const [oid, kind, name, definition] of await session.ask(tablesSql([...texts.keys()]))) {
      rows.push([kind as LeftKind, texts.get(oid ?? '') ?? '', name ?? null, definition ?? null])
    }
  }
  const children = scope.children === true ? await childrenOf(session, scope.tables, own) : []
  if (!scope.all) return [...groupDependencies(rows), ...children]
  const schemas = [...new Set([own, ...scope.tables.map(({ schema }) => schema ?? own)])]
  for (const [kind, name] of await session.ask(databaseSql(schemas))) {
    rows.push([kind as LeftKind, undefined, name ?? null, null])
  }
  // A view or a function of a copied table is listed with its table already.
  const ofTables = new Set(rows.flatMap(([kind, table, name]) => (table === undefined ? [] : [`${kind} ${name}`])))
  const fresh = rows.filter(([kind, table, name]) => table !== undefined || !ofTables.has(`${kind} ${name}`))
  const [[hidden] = []] = await session.ask('SELECT count(*) FROM pg_catalog.pg_largeobject_metadata')
  const objects =
    hidden == null || hidden === '0' || rows.some(([kind]) => kind === 'large object')
      ? []
      : [dependencyOf('large object', [], undefined, `the database has ${hidden} large objects, which are not copied`)]
  return [...groupDependencies(fresh), ...children, ...objects]
}

/**
 * Maximum number of rows that are counted in a table, and of tables that are counted. For other tables, the server's
 * estimate is used.
 */
const MOST_COUNTED = 1_000_000
const MOST_COUNTED_TABLES = 8

/** Tables that inherit from copied ones and are not copied: a query of the parent returns their rows, too. */
async function childrenOf(
  session: CopySession,
  tables: readonly TableName[],
  own: string,
): Promise<readonly LeftBehind[]> {
  if (tables.length === 0) return []
  const names = new Map(tables.map((table) => [regclassOf(table, own), tableText(table)]))
  const found = await session.ask(`
    WITH RECURSIVE t AS (
      SELECT v.name AS key, c.oid, c.relkind FROM (VALUES ${[...names.keys()].map((name) => `(${literal(name)})`).join(', ')}) AS v (name)
        JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(v.name)::oid),
    heirs AS (
      SELECT t.key, i.inhrelid AS oid FROM t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid WHERE t.relkind = 'r'
      UNION SELECT h.key, i.inhrelid FROM heirs h JOIN pg_catalog.pg_inherits i ON i.inhparent = h.oid)
    SELECT min(h.key), n.nspname, c.relname,
      -- Before version 14, 0 rows on 0 pages mean that the table was never analyzed.
      CASE WHEN c.relpages > 0 AND c.reltuples >= 0::real THEN pg_catalog.round(c.reltuples::numeric) END
    FROM heirs h JOIN pg_catalog.pg_class c ON c.oid = h.oid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE h.oid NOT IN (SELECT oid FROM t) GROUP BY 2, 3, 4 ORDER BY 2, 3`)
  const children: LeftBehind[] = []
  for (const [at, [key, schema, name, estimate]] of found.entries()) {
    const parent = names.get(key ?? '') ?? ''
    const child = { schema: schema ?? '', name: name ?? '' }
    const rows = at < MOST_COUNTED_TABLES ? await rowsText(session, child) : estimateText(estimate ?? null)
    const means = `${rows} in the source, where queries of ${parent} also return them; name it with --tables to copy it as a separate table`
    children.push(dependencyOf('child', [tableText(child)], parent, means))
  }
  return children
}

function estimateText(rows: string | null): string {
  return rows === null ? 'rows that were not counted stay' : `about ${rowsStay(Number(rows))}`
}

function rowsStay(rows: number): string {
  return `${rows.toLocaleString('en-US')} ${rows === 1 ? 'row stays' : 'rows stay'}`
}

/** @throws errors that end the session or cancel the statement */
async function rowsText(session: CopySession, table: TableName): Promise<string> {
  try {
    const [row] = await session.ask(
      `SELECT pg_catalog.count(*) FROM (SELECT FROM ONLY ${tableSql(table)} LIMIT ${MOST_COUNTED + 1}) AS counted`,
    )
    const rows = Number(row?.[0] ?? 0)
    if (rows > MOST_COUNTED) return `more than ${MOST_COUNTED.toLocaleString('en-US')} rows stay`
    return rowsStay(rows)
  } catch (error) {
    const state = sqlStateOf(error)
    if (!session.alive || state === null || state === CANCELED) throw error
    return state === DENIED ? 'rows that this role cannot count stay' : 'rows that could not be counted stay'
  }
}

function regclassOf({ schema, name }: TableName, own: string): string {
  return tableSql({ schema: schema ?? own, name })
}

/** Expression for kinds and columns of extended statistics: the definition without the object's name and the table. */
const definitionSql = `(
      SELECT pg_catalog.substr(w.body, 1 + pg_catalog.length(pg_catalog.format('CREATE STATISTICS %I.%I', w.nspname, w.stxname)))
      FROM (
        SELECT n.nspname, s.stxname, CASE WHEN pg_catalog.right(d.text, pg_catalog.length(f.long)) = f.long
          THEN pg_catalog.left(d.text, -pg_catalog.length(f.long)) ELSE pg_catalog.left(d.text, -pg_catalog.length(f.short)) END AS body
        FROM t AS o JOIN pg_catalog.pg_namespace y ON y.oid = o.relnamespace JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = o.oid
          JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
          CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_statisticsobjdef(s.oid) AS text) d
          CROSS JOIN LATERAL (SELECT pg_catalog.format(' FROM %I.%I', y.nspname, o.relname) AS long, pg_catalog.format(' FROM %I', o.relname) AS short) f
        WHERE o.key = found.key AND s.stxname = found.name LIMIT 1) w)`

function tablesSql(tables: readonly string[]): string {
  const list = tables.map((name) => `(${literal(name)})`).join(', ')
  return `
    WITH t AS (
      SELECT v.name AS key, c.* FROM (VALUES ${list}) AS v (name) JOIN pg_catalog.pg_class c
        ON c.oid = pg_catalog.to_regclass(v.name)::oid)
    SELECT key, kind, name, CASE kind WHEN 'statistics' THEN ${definitionSql} END FROM (
      SELECT t.key, 'trigger' AS kind, g.tgname::text AS name FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
        WHERE ${isUsersTriggerSql('g')} AND g.tgname !~ '^ sluice_[0-9]+_'::text
      UNION ALL SELECT t.key, 'function', p.oid::regprocedure::text FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND ${isUsersTriggerSql('g')} AND g.tgname !~ '^ sluice_[0-9]+_'::text
        JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname <> 'pg_catalog'
      UNION ALL SELECT t.key, 'function', p.oid::regprocedure::text FROM t JOIN pg_catalog.pg_attrdef d ON d.adrelid = t.oid
        JOIN pg_catalog.pg_depend u ON u.classid = 'pg_catalog.pg_attrdef'::regclass::oid AND u.objid = d.oid AND u.refclassid = 'pg_catalog.pg_proc'::regclass::oid
        JOIN pg_catalog.pg_proc p ON p.oid = u.refobjid
      UNION ALL SELECT t.key, 'rule', r.rulename FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid WHERE r.rulename <> '_RETURN'
      UNION ALL SELECT t.key, 'view', n.nspname::text || '.' || v.relname::text FROM t JOIN pg_catalog.pg_depend d
          ON d.classid = 'pg_catalog.pg_rewrite'::regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::regclass::oid AND d.refobjid = t.oid
        JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
        JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
      UNION ALL SELECT t.key, 'policy', p.polname FROM t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
      UNION ALL SELECT t.key, 'row security', NULL FROM t WHERE t.relrowsecurity
      UNION ALL SELECT t.key, 'grant', pg_catalog.lower(a.privilege_type) || ' to ' || coalesce(pg_catalog.pg_get_userbyid(nullif(a.grantee, 0::oid)), 'PUBLIC')
        FROM t CROSS JOIN LATERAL pg_catalog.aclexplode(t.relacl) a WHERE a.grantee <> t.relowner
      UNION ALL SELECT t.key, 'grant', pg_catalog.lower(a.privilege_type) || ' (' || c.attname::text || ') to '
          || coalesce(pg_catalog.pg_get_userbyid(nullif(a.grantee, 0::oid)), 'PUBLIC')
        FROM t JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid AND NOT c.attisdropped
          CROSS JOIN LATERAL pg_catalog.aclexplode(c.attacl) a WHERE a.grantee <> t.relowner
      UNION ALL SELECT t.key, 'comment', coalesce(c.attname, 'of the table') FROM t JOIN pg_catalog.pg_description d
          ON d.classoid = 'pg_catalog.pg_class'::regclass::oid AND d.objoid = t.oid
        LEFT JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid AND c.attnum = d.objsubid AND d.objsubid > 0
      UNION ALL SELECT t.key, 'key property', v.name FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'
        JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid CROSS JOIN LATERAL (VALUES
          (CASE WHEN k.condeferrable THEN 'DEFERRABLE' || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END END),
          (CASE WHEN pg_catalog.to_jsonb(k) ->> 'conperiod'::text = 'true' THEN 'WITHOUT OVERLAPS' END),
          ((SELECT 'INCLUDE (' || pg_catalog.string_agg(a.attname::text, ', ' ORDER BY n) || ')'
            FROM pg_catalog.generate_series(i.indnkeyatts, i.indnatts - 1) AS s (n)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[n]))) AS v (name)
        WHERE v.name IS NOT NULL
      UNION ALL SELECT t.key, 'partitioning', NULL FROM t WHERE t.relkind = 'p'
      UNION ALL SELECT t.key, 'inheritance', NULL FROM t WHERE t.relkind = 'r' AND NOT t.relispartition AND EXISTS (
        SELECT FROM pg_catalog.pg_inherits i WHERE t.oid IN (i.inhparent, i.inhrelid))
      UNION ALL SELECT t.key, 'unlogged', NULL FROM t WHERE t.relpersistence = 'u'
      UNION ALL SELECT t.key, 'large object', c.attname FROM t JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0
          AND NOT c.attisdropped JOIN pg_catalog.pg_type y ON y.oid = c.atttypid
        WHERE c.atttypid = 'pg_catalog.oid'::regtype::oid OR y.typtype = 'd' AND y.typbasetype = 'pg_catalog.oid'::regtype::oid
      UNION ALL SELECT t.key, 'collation', c.attname FROM t JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0
          AND NOT c.attisdropped LEFT JOIN pg_catalog.pg_collation k ON k.oid = c.attcollation
        WHERE NOT coalesce(k.collisdeterministic, true) OR EXISTS (
          WITH RECURSIVE types AS (SELECT y.* FROM pg_catalog.pg_type y WHERE y.oid = c.atttypid
            UNION ALL SELECT y.* FROM types d JOIN pg_catalog.pg_type y ON y.oid = d.typbasetype)
          SELECT FROM types y WHERE y.typtype = 'b' AND y.typname = 'citext')
      UNION ALL SELECT t.key, 'statistics', s.stxname FROM t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid
      UNION ALL SELECT t.key, 'publication', p.pubname FROM t JOIN pg_catalog.pg_publication_rel r ON r.prrelid = t.oid
        JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid AND p.pubname !~ '^sluice_[0-9]+$'::text
    ) AS found ORDER BY kind, key, name`
}

/**
 * Objects that belong to no copied table: views, foreign tables, functions, types, and sequences that no column uses,
 * in the given schemas. Also lists other schemas, with the number of their tables except sluice's own.
 */
function databaseSql(schemas: readonly string[]): string {
  const list = `ARRAY[${schemas.map(literal).join(', ')}]`
  const own = LEDGER_MARKS.map(([table, column]) => `(${literal(table)}, ${literal(column)})`).join(', ')
  return `
    SELECT CASE WHEN c.relkind = 'f' THEN 'foreign table' ELSE 'view' END, n.nspname::text || '.' || c.relname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm', 'f') AND n.nspname = ANY (${list}) AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass::oid AND e.objid = c.oid AND e.deptype = 'e')
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = ANY (${list}) AND p.proname !~ '^ ?sluice_'::text AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_proc'::regclass::oid AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
    UNION ALL
    SELECT 'free sequence', n.nspname::text || '.' || c.relname::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND n.nspname = ANY (${list}) AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass::oid AND e.objid = c.oid AND e.deptype IN ('a', 'e', 'i'))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend u WHERE u.classid = 'pg_catalog.pg_attrdef'::regclass::oid
        AND u.refclassid = 'pg_catalog.pg_class'::regclass::oid AND u.refobjid = c.oid)
    UNION ALL
    SELECT 'type', n.nspname::text || '.' || y.typname::text
    FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
      LEFT JOIN pg_catalog.pg_class r ON r.oid = y.typrelid
    WHERE n.nspname = ANY (${list}) AND (y.typtype IN ('d', 'e', 'r') OR y.typtype = 'c' AND r.relkind = 'c') AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_type'::regclass::oid AND e.objid = y.oid AND e.deptype = 'e')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class t ON t.oid = a.attrelid AND t.relkind IN ('r', 'p', 'f')
        WHERE NOT a.attisdropped AND a.atttypid IN (y.oid, y.typarray))
    UNION ALL
    SELECT 'schema', n.nspname::text || ' (' || count(*)::text || CASE count(*) WHEN 1 THEN ' table)' ELSE ' tables)' END
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND n.nspname !~ '^(?:pg_|sluice_[0-9]+$)'::text
      AND n.nspname <> 'information_schema' AND NOT n.nspname = ANY (${list}) AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped AND (c.relname::text, a.attname::text) IN (${own}))
    GROUP BY n.nspname ORDER BY 1, 2`
}
