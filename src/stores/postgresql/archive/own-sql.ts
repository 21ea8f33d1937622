/** Properties that a partition has in addition to its parent's: statements that recreate them, in execution order. */
import { policySql } from '../server/policy-sql.ts'
import type { TableName } from '../../../model/copy/column-type.ts'
import { isUsersTriggerSql } from '../server/relation.ts'
import { literal, tableSql } from '../server/sql.ts'
import { NOTING_TRIGGERS } from '../partition/maintenance/key-log.ts'

/**
 * A new copy of the partition, created by CREATE TABLE … LIKE without indexes, statistics objects and identity. This
 * table has no parent, so the statements also create what the partition inherits.
 */
export type PartitionLikeTable = {
  readonly name: TableName
  /** New names of indexes and statistics objects, by the OIDs of the partition's ones. */
  readonly names: ReadonlyMap<string, string>
}

/**
 * SQL condition on `pg_index i` of a table `pg_class t`: the index is for an exclusion constraint, or a key
 * WITHOUT OVERLAPS, of the partitioned table. ATTACH always builds this index: a table that already has one would have
 * two.
 */
export const BUILT_BY_ATTACH = `(i.indisexclusion AND (t.relkind = 'p' OR EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = i.indexrelid)))`

/**
 * Query whose rows are stage, description, statement, and place (execution order). Stages: `computed` and `empty`
 * before rows are loaded, `filled` before the table is attached, `attached` after it. `cloned`: for triggers that the
 * attachment creates. The search path must be empty, so that the server qualifies every name.
 * @param table OID of the partition
 * @param parent OID of its parent, whose properties are left out
 * @param newTable subject of the statements; by default the partition itself
 */
export function ownStatementsSql(table: string, parent: string, newTable: PartitionLikeTable | null = null): string {
  const all = newTable === null ? 'false' : 'true'
  const isBuilt = `(${all} AND EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid = k.conindid AND ${BUILT_BY_ATTACH}))`
  const named = [...(newTable?.names ?? [])].map(([oid, name]) => `(${literal(oid)}::oid, ${literal(name)})`)
  return `
WITH named (oid, name) AS (
  ${named.length === 0 ? 'SELECT 0::oid, NULL WHERE false' : `VALUES ${named.join(', ')}`}
), t AS (
  SELECT c.*, pg_catalog.format('%I.%I', n.nspname, c.relname) AS own, p.oid AS parent, p.relowner AS parent_owner,
    ${newTable === null ? "pg_catalog.format('%I.%I', n.nspname, c.relname)" : literal(tableSql(newTable.name))} AS name,
    ${newTable?.name.schema === undefined ? 'n.nspname' : literal(newTable.name.schema)} AS schema
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_class p ON p.oid = ${literal(parent)}::oid
  WHERE c.oid = ${literal(table)}::oid
), a AS (
  SELECT a.*, b.attname IS NOT NULL AS inherited, b.attnum AS parent_number, b.attstorage AS parent_storage, b.attnotnull AS parent_not_null,
    nullif(pg_catalog.to_jsonb(a) ->> 'attcompression'::text, '') AS compression, nullif(pg_catalog.to_jsonb(b) ->> 'attcompression'::text, '') AS parent_compression,
    (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) AS own_default,
    (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = b.attrelid AND d.adnum = b.attnum) AS parent_default,
    pg_catalog.col_description(a.attrelid, a.attnum) AS own_comment, pg_catalog.col_description(b.attrelid, b.attnum) AS parent_comment
  FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_catalog.pg_attribute b ON b.attrelid = t.parent AND b.attname = a.attname AND b.attnum > 0 AND NOT b.attisdropped
), own_a AS (
  -- Servers before 17 cannot change the expression of a column, so the column is created again, with the parent's
  -- checks that name it.
  SELECT a.*, pg_catalog.concat_ws(', ', pg_catalog.format('DROP COLUMN %I', a.attname), pg_catalog.format('ADD COLUMN %I %s%s GENERATED ALWAYS AS (%s) %s%s',
      a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
      (SELECT pg_catalog.format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
       WHERE l.oid = a.attcollation),
      a.own_default, CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END, CASE WHEN a.attnotnull THEN ' NOT NULL' END),
    (SELECT pg_catalog.string_agg(pg_catalog.format('ADD CONSTRAINT %I %s', c.conname, pg_catalog.pg_get_constraintdef(c.oid)), ', ' ORDER BY c.conname)
     FROM pg_catalog.pg_constraint c WHERE c.conrelid = t.parent AND c.contype = 'c' AND NOT c.connoinherit AND a.parent_number = ANY (c.conkey))) AS clauses
  FROM t, a WHERE a.inherited AND a.attgenerated <> '' AND a.own_default IS DISTINCT FROM a.parent_default
), x AS (
  SELECT i.*, coalesce(d.name, c.relname) AS relname, c.reloptions, c.reltablespace, p.oid AS parent,
    pg_catalog.format('%I.%I', t.schema, coalesce(d.name, c.relname)) AS name,
    pg_catalog.format('INDEX %I ON %s%s ', c.relname, CASE c.relkind WHEN 'I' THEN 'ONLY ' ELSE '' END, t.own) AS head,
    p.reloptions AS parent_options, p.reltablespace AS parent_space,
    EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')) AS constrains
  FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid LEFT JOIN pg_catalog.pg_class p ON p.oid = h.inhparent LEFT JOIN named d ON d.oid = i.indexrelid
  WHERE (i.indisvalid AND NOT ${BUILT_BY_ATTACH}) OR NOT ${all}
), k AS (
  SELECT k.oid, k.contype, coalesce(d.name, k.conname) AS conname FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid LEFT JOIN named d ON d.oid = k.conindid
    AND k.contype IN ('p', 'u', 'x')
  WHERE (k.contype IN ('p', 'u', 'x') AND ${all} OR k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0::oid AND k.coninhcount = 0)
    AND NOT (k.contype = 'c' AND ${all}) AND NOT ${isBuilt} AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint p WHERE p.conrelid = t.parent AND p.contype = k.contype AND (k.contype = 'p' OR k.contype = 'c' AND p.conname = k.conname))
), g AS (
  SELECT g.*, g.tgparentid AS source FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND ${isUsersTriggerSql('g')}
  WHERE g.tgname NOT IN (${NOTING_TRIGGERS.map(literal).join(', ')})
), s AS (
  SELECT s.*, coalesce(d.name, s.stxname) AS name, n.nspname AS own_schema, nullif((pg_catalog.to_jsonb(s) ->> 'stxstattarget'::text)::int, -1) AS target,
    CASE WHEN ${all} THEN t.schema ELSE n.nspname END AS schema
  FROM t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace LEFT JOIN named d ON d.oid = s.oid
), granted AS (
  SELECT NULL::name AS attname, e.* FROM t, pg_catalog.aclexplode(t.relacl) e
  UNION ALL SELECT a.attname, e.* FROM a, pg_catalog.aclexplode(a.attacl) e
), made (stage, place, what, sql) AS (
  SELECT 'computed', 0, 'the expression of ' || o.attname::text, pg_catalog.format('ALTER TABLE %s %s', t.name, o.clauses) FROM t, own_a o
  UNION ALL SELECT 'empty', 1, 'the tablespace ' || s.spcname::text, pg_catalog.format('ALTER TABLE %s SET TABLESPACE %I', t.name, s.spcname)
  FROM t JOIN pg_catalog.pg_tablespace s ON s.oid = t.reltablespace
  UNION ALL SELECT 'empty', 2, 'the access method ' || m.amname::text, pg_catalog.format('ALTER TABLE %s SET ACCESS METHOD %I', t.name, m.amname)
  FROM t JOIN pg_catalog.pg_am m ON m.oid = t.relam WHERE m.amname <> 'heap'
  UNION ALL SELECT 'empty', 3, 'UNLOGGED', pg_catalog.format('ALTER TABLE %s SET UNLOGGED', t.name) FROM t WHERE t.relpersistence = 'u'
  UNION ALL SELECT 'empty', 4, 'storage parameters', pg_catalog.format('ALTER TABLE %s SET (%s)', t.name, o.options)
  FROM t, LATERAL (
    SELECT pg_catalog.string_agg(pg_catalog.format('%s%I = %L', prefix, option_name, option_value), ', ') AS options FROM (
      SELECT '' AS prefix, * FROM pg_catalog.pg_options_to_table(t.reloptions)
      UNION ALL SELECT 'toast.', o.* FROM pg_catalog.pg_class l, pg_catalog.pg_options_to_table(l.reloptions) o WHERE l.oid = t.reltoastrelid) all_options
  ) o WHERE o.options IS NOT NULL
  UNION ALL SELECT 'empty', 5, 'the storage of ' || a.attname::text, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE %s', t.name, a.attname,
    CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END)
  FROM t, a WHERE a.inherited AND (a.attstorage <> a.parent_storage OR a.attname IN (SELECT o.attname FROM own_a o))
  UNION ALL SELECT 'empty', 6, 'the compression of ' || a.attname::text, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION %s', t.name, a.attname,
    CASE a.compression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE 'DEFAULT' END)
  FROM t, a WHERE a.inherited AND (a.compression IS DISTINCT FROM a.parent_compression OR a.compression IS NOT NULL AND a.attname IN (SELECT o.attname FROM own_a o))
  UNION ALL SELECT 'empty', 7, 'statistics of ' || a.attname::text, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', t.name, a.attname, a.attstattarget)
  FROM t, a WHERE a.attstattarget >= 0
  UNION ALL SELECT 'empty', 8, 'options of ' || a.attname::text, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', t.name, a.attname,
    (SELECT pg_catalog.string_agg(pg_catalog.format('%I = %L', option_name, option_value), ', ') FROM pg_catalog.pg_options_to_table(a.attoptions)))
  FROM t, a WHERE a.attoptions IS NOT NULL
  UNION ALL SELECT 'empty', 9, 'the default of ' || a.attname::text, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I %s', t.name, a.attname,
    coalesce('SET DEFAULT ' || a.own_default, 'DROP DEFAULT'))
  FROM t, a WHERE a.inherited AND a.attgenerated = '' AND a.attidentity = '' AND a.own_default IS DISTINCT FROM a.parent_default
  UNION ALL SELECT CASE WHEN n.convalidated THEN 'empty' ELSE 'filled' END, 10, 'NOT NULL of ' || a.attname::text, pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.name, n.conname, pg_catalog.pg_get_constraintdef(n.oid))
  FROM t, a JOIN pg_catalog.pg_constraint n ON n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum] WHERE a.inherited AND NOT a.parent_not_null
  UNION ALL SELECT 'empty', 10, 'NOT NULL of ' || a.attname::text, pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', t.name, a.attname)
  FROM t, a WHERE a.inherited AND a.attnotnull AND NOT a.parent_not_null AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum])

  UNION ALL SELECT 'filled', 20, 'the constraint ' || k.conname::text, pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.name, k.conname, pg_catalog.pg_get_constraintdef(k.oid))
  FROM t, k WHERE k.contype <> 'f'
  UNION ALL SELECT 'filled', 21, 'the index ' || x.relname::text, ${newTable === null ? 'pg_catalog.pg_get_indexdef(x.indexrelid)' : INDEX_OF_NEW_TABLE}
  FROM t, x WHERE (x.parent IS NULL OR ${all}) AND NOT x.constrains
  UNION ALL SELECT 'filled', 22, 'the constraint ' || k.conname::text, pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.name, k.conname, pg_catalog.pg_get_constraintdef(k.oid))
  FROM t, k WHERE k.contype = 'f'

  UNION ALL SELECT 'attached', 30, 'the owner ' || r.rolname::text, pg_catalog.format('ALTER TABLE %s OWNER TO %I', t.name, r.rolname)
  FROM t JOIN pg_catalog.pg_roles r ON r.oid = t.relowner WHERE t.relowner IS DISTINCT FROM t.parent_owner
  UNION ALL SELECT 'attached', 31, 'storage parameters of the index ' || x.relname::text, pg_catalog.format('ALTER INDEX %s SET (%s)', x.name,
    (SELECT pg_catalog.string_agg(pg_catalog.format('%I = %L', option_name, option_value), ', ') FROM pg_catalog.pg_options_to_table(x.reloptions)))
  FROM x WHERE x.reloptions IS NOT NULL AND CASE WHEN ${all} THEN x.constrains ELSE x.reloptions IS DISTINCT FROM x.parent_options AND (x.constrains OR x.parent IS NOT NULL) END
  UNION ALL SELECT 'attached', 32, 'the tablespace of the index ' || x.relname::text, pg_catalog.format('ALTER INDEX %s SET TABLESPACE %I', x.name, s.spcname)
  FROM x JOIN pg_catalog.pg_tablespace s ON s.oid = x.reltablespace WHERE x.reltablespace IS DISTINCT FROM x.parent_space OR ${all}
  UNION ALL SELECT 'attached', 33, 'statistics of the index ' || x.relname::text, pg_catalog.format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', x.name, i.attnum, i.attstattarget)
  FROM x JOIN pg_catalog.pg_attribute i ON i.attrelid = x.indexrelid WHERE i.attnum > 0 AND i.attstattarget >= 0
  UNION ALL SELECT 'attached', 34, 'extended statistics ' || s.name, ${newTable === null ? 'pg_catalog.pg_get_statisticsobjdef(s.oid)' : STATISTICS_OF_NEW_TABLE}
  FROM t, s
  UNION ALL SELECT 'attached', 34, 'extended statistics ' || s.name::text || ', their target', pg_catalog.format('ALTER STATISTICS %I.%I SET STATISTICS %s', s.schema, s.name, s.target)
  FROM s WHERE s.target IS NOT NULL
  UNION ALL SELECT 'attached', 35, 'the trigger ' || g.tgname::text, ${newTable === null ? 'pg_catalog.pg_get_triggerdef(g.oid)' : ofNewTable('pg_catalog.pg_get_triggerdef(g.oid)', 'ON')}
  FROM t, g WHERE g.source = 0::oid
  UNION ALL SELECT CASE g.source WHEN 0::oid THEN 'attached' ELSE 'cloned' END, 36, 'the state of the trigger ' || g.tgname::text, pg_catalog.format('ALTER TABLE %s %s TRIGGER %I', t.name,
    CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END, g.tgname)
  FROM t, g LEFT JOIN pg_catalog.pg_trigger s ON s.oid = g.source WHERE g.tgenabled <> coalesce(s.tgenabled, 'O')
  UNION ALL SELECT 'attached', 37, 'the rule ' || r.rulename::text, ${newTable === null ? 'pg_catalog.pg_get_ruledef(r.oid)' : ofNewTable('pg_catalog.pg_get_ruledef(r.oid)', 'TO')}
  FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
  UNION ALL SELECT 'attached', 38, 'the state of the rule ' || r.rulename::text, pg_catalog.format('ALTER TABLE %s %s RULE %I', t.name,
    CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, r.rulename)
  FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid WHERE r.ev_enabled <> 'O'
  UNION ALL SELECT 'attached', 40, 'the policy ' || o.polname::text, pg_catalog.format('CREATE POLICY %I ON %s %s', o.polname, t.name, ${policySql('o')})
  FROM t JOIN pg_catalog.pg_policy o ON o.polrelid = t.oid
  UNION ALL SELECT 'attached', 41, 'row security', pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t.name) FROM t WHERE t.relrowsecurity
  UNION ALL SELECT 'attached', 42, 'row security for its owner', pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t.name) FROM t WHERE t.relforcerowsecurity
  UNION ALL SELECT 'attached', 43, 'the order of its rows', pg_catalog.format('ALTER TABLE %s CLUSTER ON %I', t.name, x.relname) FROM t, x WHERE x.indisclustered
  UNION ALL SELECT 'attached', 44, 'the replica identity', pg_catalog.format('ALTER TABLE %s REPLICA IDENTITY %s', t.name,
    CASE t.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE pg_catalog.format('USING INDEX %I', (SELECT x.relname FROM x WHERE x.indisreplident)) END)
  FROM t WHERE t.relreplident IN ('f', 'n') OR t.relreplident = 'i' AND EXISTS (SELECT FROM x WHERE x.indisreplident)

  UNION ALL SELECT 'attached', 50, 'the grants of its owner', pg_catalog.format('REVOKE ALL ON TABLE %s FROM %I', t.name, pg_catalog.pg_get_userbyid(t.relowner))
  FROM t WHERE t.relacl IS NOT NULL
  UNION ALL SELECT 'attached', 51, 'the grant of ' || g.words || ' to ' || g.role::text, pg_catalog.format('GRANT %s ON TABLE %s TO %s%s', g.privileges, t.name, g.role,
    CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM t, (
    SELECT attname, is_grantable, CASE grantee WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END AS role,
      pg_catalog.string_agg(DISTINCT privilege_type || coalesce(' (' || pg_catalog.quote_ident(attname) || ')', ''), ', ') AS privileges,
      pg_catalog.string_agg(DISTINCT privilege_type || coalesce(' of ' || attname::text, ''), ', ') AS words
    FROM granted GROUP BY attname, grantee, is_grantable
  ) g

  UNION ALL SELECT 'attached', 60, 'its comment', pg_catalog.format('COMMENT ON TABLE %s IS %L', t.name, d.text)
  FROM t, LATERAL (SELECT pg_catalog.obj_description(t.oid, 'pg_class') AS text) d WHERE d.text IS NOT NULL
  UNION ALL SELECT 'attached', 61, 'the comment on the column ' || a.attname::text, pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', t.name, a.attname, a.own_comment)
  FROM t, a WHERE a.own_comment IS DISTINCT FROM a.parent_comment
  UNION ALL SELECT 'attached', 62, 'the comment on the index ' || x.relname::text, pg_catalog.format('COMMENT ON INDEX %s IS %L', x.name, d.text)
  FROM x, LATERAL (SELECT pg_catalog.obj_description(x.indexrelid, 'pg_class') AS text) d WHERE d.text IS NOT NULL
  UNION ALL SELECT 'attached', 63, 'the comment on the constraint ' || k.conname::text, pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', coalesce(x.relname, k.conname), t.name, d.text)
  FROM t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid LEFT JOIN x ON x.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x'), LATERAL (SELECT pg_catalog.obj_description(k.oid, 'pg_constraint') AS text) d WHERE d.text IS NOT NULL AND NOT ${isBuilt}
  UNION ALL SELECT CASE g.source WHEN 0::oid THEN 'attached' ELSE 'cloned' END, 64, 'the comment on the trigger ' || g.tgname::text, pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', g.tgname, t.name, d.text)
  FROM t, g, LATERAL (SELECT pg_catalog.obj_description(g.oid, 'pg_trigger') AS text) d WHERE d.text IS NOT NULL
  UNION ALL SELECT 'attached', 65, 'the comment on the rule ' || r.rulename::text, pg_catalog.format('COMMENT ON RULE %I ON %s IS %L', r.rulename, t.name, d.text)
  FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid, LATERAL (SELECT pg_catalog.obj_description(r.oid, 'pg_rewrite') AS text) d WHERE d.text IS NOT NULL
  UNION ALL SELECT 'attached', 66, 'the comment on the policy ' || o.polname::text, pg_catalog.format('COMMENT ON POLICY %I ON %s IS %L', o.polname, t.name, d.text)
  FROM t JOIN pg_catalog.pg_policy o ON o.polrelid = t.oid, LATERAL (SELECT pg_catalog.obj_description(o.oid, 'pg_policy') AS text) d WHERE d.text IS NOT NULL
  UNION ALL SELECT 'attached', 67, 'the comment on the statistics ' || s.name, pg_catalog.format('COMMENT ON STATISTICS %I.%I IS %L', s.schema, s.name, d.text)
  FROM s, LATERAL (SELECT pg_catalog.obj_description(s.oid, 'pg_statistic_ext') AS text) d WHERE d.text IS NOT NULL
)
SELECT stage, what, sql, place FROM made ORDER BY place, what, sql`
}

/** Index definition of the server, with the new names in its first part, whose length is known. */
const INDEX_OF_NEW_TABLE = `pg_catalog.format('CREATE %sINDEX %I ON %s ', CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, t.name)
    || pg_catalog.substr(pg_catalog.pg_get_indexdef(x.indexrelid), pg_catalog.length(CASE WHEN x.indisunique THEN 'CREATE UNIQUE ' ELSE 'CREATE ' END || x.head) + 1)`

/** Statistics definition of the server, with the new names; the table's name is at its end. */
const STATISTICS_OF_NEW_TABLE = `pg_catalog.format('CREATE STATISTICS %I.%I', s.schema, s.name)
    || pg_catalog.left(pg_catalog.substr(pg_catalog.pg_get_statisticsobjdef(s.oid), pg_catalog.length(pg_catalog.format('CREATE STATISTICS %I.%I', s.own_schema, s.stxname)) + 1), -length(t.own)) || t.name`

/**
 * The definition with the new table's name. The old name follows the first `word`, before any text that users wrote.
 */
function ofNewTable(definition: string, word: string): string {
  const at = `pg_catalog.strpos(${definition}, ' ${word} ' || t.own)`
  return `pg_catalog.left(${definition}, ${at}) || '${word} ' || t.name || pg_catalog.substr(${definition}, ${at} + pg_catalog.length(' ${word} ' || t.own))`
}

/**
 * Query whose rows are the name of an index, and the name of the parent's index to which it is attached; null for an
 * index of the partition alone.
 */
export function indexNamesSql(table: string): string {
  return `
    SELECT c.relname, p.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = c.oid LEFT JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
    WHERE i.indrelid = ${literal(table)}::oid ORDER BY 1`
}
