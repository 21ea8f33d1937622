/** Parts of a new table's statements: columns, sequences, checks, storage, rights and comments, each as SQL. */
import { policySql } from '../../server/policy-sql.ts'
import { notOwnSql } from '../../server/marks.ts'
import type { About } from './about.ts'

export type NewTableColumn = {
  readonly name: string
  readonly type: string
  readonly collation: string | null
  /** The expression of a generated column. */
  readonly generated: string | null
  readonly stored: boolean
  /** pg_attribute.attidentity: `a`, `d`, or empty. */
  readonly identity: string
  readonly sequence: NewTableSequence | null
  readonly default: string | null
  readonly notNull: boolean
  /** Name of the NOT NULL constraint, if the server has one. */
  readonly notNullName: string | null
  readonly storage: string | null
  readonly compression: string | null
  /** Statistics target; null for the server's default. */
  readonly target: number | null
  readonly options: Readonly<Record<string, string>> | null
}

export type NewTableSequence = {
  readonly name: string
  readonly type: string
  readonly start: string
  readonly increment: string
  readonly minimum: string
  readonly maximum: string
  readonly cache: string
  readonly cycle: boolean
}

/** SQL: one JSON object per column of the table, in column order. */
export function columnsSql({ oid, session }: About): string {
  const sequence = (join: string): string => `
    (SELECT pg_catalog.json_build_object('name', s.oid::pg_catalog.regclass::text, 'type', pg_catalog.format_type(q.seqtypid, NULL), 'start', q.seqstart::text, 'increment', q.seqincrement::text,
       'minimum', q.seqmin::text, 'maximum', q.seqmax::text, 'cache', q.seqcache::text, 'cycle', q.seqcycle)
     FROM pg_catalog.pg_class s JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid WHERE ${join} LIMIT 1)`
  const virtual = session.version < 180_000 ? 'true' : "a.attgenerated = 's'"
  return `
    SELECT pg_catalog.json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
      'collation', (SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(l.collname) FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
        WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation),
      'generated', CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END, 'stored', ${virtual},
      'identity', a.attidentity, 'notNull', a.attnotnull,
      'notNullName', (SELECT k.conname FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum),
      'default', CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
      'sequence', CASE WHEN a.attidentity <> '' THEN ${sequence(`s.oid = pg_catalog.pg_get_serial_sequence(c.oid::pg_catalog.regclass::text, a.attname)::pg_catalog.regclass`)}
        ELSE ${sequence("s.relkind = 'S' AND s.oid IN (SELECT u.refobjid FROM pg_catalog.pg_depend u WHERE u.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND u.objid = d.oid AND u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid)")} END,
      'storage', CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
      'compression', CASE pg_catalog.to_jsonb(a) ->> 'attcompression'::text WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
      'target', CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END,
      'options', (SELECT pg_catalog.json_object_agg(option_name, option_value) FROM pg_catalog.pg_options_to_table(a.attoptions)))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.oid = ${oid}::oid ORDER BY a.attnum`
}

export type NewTableIndex = {
  readonly name: string
  /** Definition, from `USING` to its end; null for a constraint. */
  readonly tail: string | null
  readonly constraint: string | null
  readonly unique: boolean
  readonly primary: boolean
  /** True if the column to partition by is one of its key columns. */
  readonly wide: boolean
  /** True for a temporal key (WITHOUT OVERLAPS). */
  readonly period: boolean
  readonly exclusion: boolean
  readonly comment: string | null
  readonly constraintComment: string | null
  /** Tablespace; null for the default. */
  readonly space: string | null
  /** Storage parameters of a primary key or a unique constraint, whose definition omits them. */
  readonly options: string | null
}

/**
 * SQL: definition of index `x` on table `c` in schema `n`, from `USING` to its end. The text before `USING` is cut off
 * by its length, because the names in it may contain any words.
 */
export const indexTailSql = `pg_catalog.ltrim(pg_catalog.substr(pg_catalog.pg_get_indexdef(x.oid), 1 + pg_catalog.length('CREATE ' || CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || 'INDEX '
        || pg_catalog.quote_ident(x.relname) || ' ON ' || CASE c.relkind WHEN 'p' THEN 'ONLY ' ELSE '' END || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname))))`

/** SQL: definition of the exclusion constraint of index `x` (`i` in the catalog); NULL for any other index. */
export const exclusionSql = `(SELECT pg_catalog.pg_get_constraintdef(e.oid) FROM pg_catalog.pg_constraint e WHERE e.conindid = x.oid AND e.conrelid = i.indrelid AND e.contype = 'x')`

export function indexesSql({ oid, attnum }: About): string {
  return `
    SELECT pg_catalog.json_build_object('name', x.relname,
      'tail', CASE WHEN k.oid IS NULL THEN ${indexTailSql} END,
      'constraint', pg_catalog.pg_get_constraintdef(k.oid), 'unique', i.indisunique, 'primary', i.indisprimary, 'exclusion', coalesce(k.contype = 'x', false),
      'wide', EXISTS (SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS g (at) WHERE i.indkey[g.at] = ${attnum}),
      'period', coalesce((pg_catalog.to_jsonb(k) ->> 'conperiod'::text)::boolean, false),
      'comment', pg_catalog.obj_description(x.oid, 'pg_class'), 'constraintComment', pg_catalog.obj_description(k.oid, 'pg_constraint'),
      'space', (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = x.reltablespace),
      'options', CASE WHEN k.contype IN ('p', 'u') THEN (SELECT pg_catalog.string_agg(pg_catalog.format('%I = %L', option_name, option_value), ', ') FROM pg_catalog.pg_options_to_table(x.reloptions)) END)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
    WHERE i.indrelid = ${oid}::oid AND i.indisvalid AND i.indisready AND ${notOwnSql('x.relname')} ORDER BY NOT i.indisprimary, x.relname`
}

export type NewTableFacts = {
  readonly owner: string
  /** True if the current role is the owner. */
  readonly isMine: boolean
  /** Tablespace; null for the default. */
  readonly space: string | null
  /** Table access method; null for `heap`. */
  readonly method: string | null
  readonly unlogged: boolean
  readonly options: string | null
  /** pg_class.relreplident. */
  readonly identity: string
  readonly comment: string | null
}

export function tableSqlOf({ oid }: About): string {
  return `
    SELECT pg_catalog.json_build_object('owner', pg_catalog.pg_get_userbyid(c.relowner), 'isMine', pg_catalog.pg_get_userbyid(c.relowner) = current_user,
      'space', (SELECT s.spcname FROM pg_catalog.pg_tablespace s WHERE s.oid = c.reltablespace),
      'method', (SELECT m.amname FROM pg_catalog.pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap'), 'unlogged', c.relpersistence = 'u',
      'options', (SELECT pg_catalog.string_agg(pg_catalog.format('%s%I = %L', prefix, option_name, option_value), ', ') FROM (
        SELECT '' AS prefix, * FROM pg_catalog.pg_options_to_table(c.reloptions)
        UNION ALL SELECT 'toast.', o.* FROM pg_catalog.pg_class l, pg_catalog.pg_options_to_table(l.reloptions) o WHERE l.oid = c.reltoastrelid) AS given),
      'identity', c.relreplident, 'comment', pg_catalog.obj_description(c.oid, 'pg_class'))
    FROM pg_catalog.pg_class c WHERE c.oid = ${oid}::oid`
}

/**
 * SQL of the CHECK constraints and foreign keys, for the new table. NOT VALID is removed, so that they are checked; NO
 * INHERIT is removed, too.
 */
export function constraintsSql({ oid }: About): string {
  return `
    SELECT pg_catalog.json_build_object('kind', k.contype, 'name', k.conname, 'comment', pg_catalog.obj_description(k.oid, 'pg_constraint'),
      'definition', pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(k.oid), '( NO INHERIT| NOT VALID)+$', ''))
    FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${oid}::oid AND k.contype IN ('c', 'f') AND k.conparentid = 0::oid AND k.confrelid <> k.conrelid AND ${notOwnSql('k.conname')} ORDER BY k.contype, k.conname`
}

export type NewTableStatistics = {
  readonly schema: string
  readonly name: string
  /** Part of the definition that is between the name and the table. */
  readonly body: string
  /** Statistics target; null for the server's default. */
  readonly target: number | null
  readonly comment: string | null
}

export function statisticsSql({ oid }: About): string {
  return `
    SELECT pg_catalog.json_build_object('schema', w.nspname, 'name', s.stxname, 'target', CASE WHEN s.stxstattarget >= 0 THEN s.stxstattarget END,
      'comment', pg_catalog.obj_description(s.oid, 'pg_statistic_ext'),
      'body', pg_catalog.substr(pg_catalog.left(w.text, -length(w.from_table)), 1 + pg_catalog.length(pg_catalog.format('CREATE STATISTICS %I.%I', w.nspname, s.stxname))))
    FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace y ON y.oid = t.relnamespace JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid
      CROSS JOIN LATERAL (SELECT pg_catalog.pg_get_statisticsobjdef(s.oid) AS text, n.nspname, pg_catalog.format(' FROM %I.%I', y.nspname, t.relname) AS from_table
        FROM pg_catalog.pg_namespace n WHERE n.oid = s.stxnamespace) w
    WHERE t.oid = ${oid}::oid ORDER BY s.stxname`
}

/** Statements that recreate policies, row security, comments on columns and grants. @param target table, in SQL */
export function restSql({ oid }: About, target: string): string {
  const table = `'${target.replaceAll("'", "''")}'`
  const role = `CASE e.grantee WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END`
  return `
    WITH t AS (SELECT * FROM pg_catalog.pg_class WHERE oid = ${oid}::oid),
    made (place, sql) AS (
      SELECT 2, pg_catalog.format('CREATE POLICY %I ON %s %s', o.polname, ${table}, ${policySql('o')})
      FROM t JOIN pg_catalog.pg_policy o ON o.polrelid = t.oid
      UNION ALL SELECT 2, pg_catalog.format('COMMENT ON POLICY %I ON %s IS %L', o.polname, ${table}, pg_catalog.obj_description(o.oid, 'pg_policy'))
      FROM t JOIN pg_catalog.pg_policy o ON o.polrelid = t.oid WHERE pg_catalog.obj_description(o.oid, 'pg_policy') IS NOT NULL
      UNION ALL SELECT 3, pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', ${table}) FROM t WHERE t.relrowsecurity
      UNION ALL SELECT 4, pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', ${table}) FROM t WHERE t.relforcerowsecurity
      UNION ALL SELECT 5, pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', ${table}, a.attname, pg_catalog.col_description(t.oid, a.attnum))
      FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE pg_catalog.col_description(t.oid, a.attnum) IS NOT NULL
      UNION ALL SELECT 6, pg_catalog.format('GRANT %s ON TABLE %s TO %s%s', pg_catalog.string_agg(DISTINCT e.privilege_type || coalesce(' (' || pg_catalog.quote_ident(g.attname) || ')', ''), ', '), ${table}, ${role},
          CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM t, LATERAL (SELECT NULL::name AS attname, t.relacl AS acl UNION ALL SELECT b.attname, b.attacl FROM pg_catalog.pg_attribute b WHERE b.attrelid = t.oid AND NOT b.attisdropped) g,
        LATERAL pg_catalog.aclexplode(g.acl) e WHERE e.grantee <> t.relowner GROUP BY e.grantee, e.is_grantable, g.attname
    )
    SELECT sql FROM made ORDER BY place, sql DESC`
}

/** Roles that default privileges would grant rights on new tables of this schema, quoted for SQL. */
export function defaultRolesSql({ oid }: About): string {
  return `
    SELECT DISTINCT CASE e.grantee WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(e.grantee)) END
    FROM pg_catalog.pg_class c, pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) e
    WHERE c.oid = ${oid}::oid AND d.defaclobjtype = 'r' AND d.defaclnamespace IN (0::oid, c.relnamespace) AND e.grantee <> d.defaclrole
      AND d.defaclrole IN (c.relowner, (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = current_user))`
}
