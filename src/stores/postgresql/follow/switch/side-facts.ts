/** Facts about a table besides its rows, compared by name with those of the other database of a cutover. */
import { notOwnSql } from '../../server/marks.ts'
import { policyRolesSql, policySql } from '../../server/policy-sql.ts'
import { treeSql } from '../../server/relation.ts'
import type { CopySession } from '../../server/session.ts'
import { literal } from '../../server/sql.ts'
import { partitionKeysSql, uniqueKeySql, type UniqueKey } from './unique-index.ts'
import { exclusionSql, indexTailSql } from '../../partition/plan/new-table-facts.ts'
import { numberings, type Numbering } from './sequences.ts'
import type { CutoverTable } from './sides.ts'
import { usersSql, type UserFact } from './side-users.ts'

export type ColumnFact = {
  readonly name: string
  readonly type: string
  /**
   * Of an enum: its labels. Of a domain: base type and constraints. Of an array: the same of its elements. Null for
   * other types.
   */
  readonly allowed: string | null
  /** Name as in SQL; null for types that cannot have a collation. */
  readonly collation: string | null
  /** False: the collation treats some different texts as equal. Null for types without a collation. */
  readonly exact: boolean | null
  readonly notNull: boolean
  /** True if the column is part of the primary key. */
  readonly inKey: boolean
  /**
   * `numbers`: identity BY DEFAULT, or default from a sequence; `ALWAYS`: identity that refuses values of an INSERT;
   * `GENERATED ALWAYS AS (…)`: generated; otherwise empty.
   */
  readonly kind: string
  /** Default expression; null if there is none, or if it takes numbers from a sequence. */
  readonly default: string | null
}

export const ALWAYS = 'GENERATED ALWAYS AS IDENTITY'

/** A named object with its definition. */
export type NamedFact = { readonly name: string; readonly definition: string }

export type IndexFact = {
  readonly name: string
  /** Definition without the name of the index and the name of the table. */
  readonly what: string
  /** Null if the index is not unique. */
  readonly key: UniqueKey | null
  readonly exclusion: boolean
}

export type PolicyFact = NamedFact & {
  /** Names as in SQL, or PUBLIC. */
  readonly roles: readonly string[]
  /** The definition without roles, and without the table's own name, which may differ between the databases. */
  readonly rule: string
}

export type CutoverTableFacts = {
  readonly encoding: string
  /** Locale of the database's default collation. */
  readonly sorting: string
  readonly columns: readonly ColumnFact[]
  readonly indexes: readonly IndexFact[]
  /** Sequences that the cutover reads, and sets in the target. */
  readonly sequences: readonly Numbering[]
  /** Partition columns as in SQL; none for a plain table. */
  readonly by: readonly string[]
  readonly checks: readonly NamedFact[]
  readonly references: readonly (NamedFact & { readonly to: string })[]
  readonly referencedBy: readonly NamedFact[]
  readonly triggers: readonly NamedFact[]
  readonly rules: readonly NamedFact[]
  /** Row security. */
  readonly security: boolean
  /** Row security for the owner, too. */
  readonly forced: boolean
  readonly policies: readonly PolicyFact[]
  readonly owner: string
  /** The current role. */
  readonly me: string
  /** True if the current role has all rights of the owner. */
  readonly owned: boolean
  /** True if the current role may create functions in the table's schema. */
  readonly mayCreate: boolean
  /** Rights of roles other than the owner, including PUBLIC: `SELECT` on the table, `SELECT (id)` on a column. */
  readonly grants: readonly { readonly role: string; readonly rights: readonly string[] }[]
  readonly users: readonly UserFact[]
  /** Views, rules and functions that depend on it. */
  readonly dependents: readonly string[]
  readonly publications: readonly string[]
  /** Number of subscriptions that write into the table or into one of its partitions. */
  readonly subscriptions: number
  readonly extensions: readonly string[]
  /** True if the table or one of its columns has a comment. */
  readonly comment: boolean
  /** True if the planner has statistics of the table. */
  readonly analyzed: boolean
  readonly isPartition: boolean
  /** Number of tables that inherit from it; partitions are not counted. */
  readonly heirs: number
}

/** @throws errors of the server */
export async function cutoverTableFacts(session: CopySession, side: CutoverTable): Promise<CutoverTableFacts> {
  const [facts] = await session.objects<Omit<CutoverTableFacts, 'sequences'>>(factsSql(side))
  if (facts === undefined) throw new Error('the server does not describe a table')
  return { ...facts, sequences: await numberings(session, side) }
}

function factsSql({ oid }: CutoverTable): string {
  const list = (of: string): string =>
    `(SELECT coalesce(pg_catalog.json_agg(x.o ORDER BY x.o::text), '[]') FROM (${of}) x (o))`
  const named = (name: string, definition: string, rest: string): string =>
    list(`SELECT pg_catalog.json_build_object('name', ${name}, 'definition', ${definition}) FROM ${rest}`)
  const dependsOn = (catalog: string): string =>
    `SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.classid = '${catalog}'::pg_catalog.regclass::oid AND (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = ${oid}::oid
       OR d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass::oid AND d.refobjid IN (c.reltype, y.typarray) AND c.reltype <> 0::oid)`
  return `
    SELECT pg_catalog.json_build_object(
      'encoding', pg_catalog.current_setting('server_encoding'), 'sorting', ${SORTING},
      'columns', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'allowed', ${allowed},
          'collation', pg_catalog.quote_ident(o.nspname) || '.' || pg_catalog.quote_ident(l.collname), 'exact', l.collisdeterministic, 'notNull', a.attnotnull,
          'inKey', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
          'kind', CASE WHEN a.attidentity = 'a' THEN '${ALWAYS}' WHEN a.attidentity = 'd' THEN 'numbers' WHEN a.attgenerated <> '' THEN 'GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(f.adbin, f.adrelid) || ')' WHEN ${numbers} THEN 'numbers' ELSE '' END,
          'default', CASE WHEN a.attgenerated = '' AND NOT ${numbers} THEN pg_catalog.pg_get_expr(f.adbin, f.adrelid) END) ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
          LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_catalog.pg_namespace o ON o.oid = l.collnamespace WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'indexes', ${list(`SELECT pg_catalog.json_build_object('name', x.relname, 'what', coalesce(${exclusionSql}, ${indexTailSql}), 'exclusion', ${exclusionSql} IS NOT NULL, 'key', ${uniqueKeySql}) FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = c.oid AND i.indisvalid AND ${notOwnSql('x.relname')}`)},
      'by', ${partitionKeysSql('c.oid')},
      'checks', ${named('k.conname', `pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(k.oid), '( NO INHERIT| NOT VALID)+$', '')`, `pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'`)},
      'references', ${list(`SELECT pg_catalog.json_build_object('name', k.conname, 'definition', pg_catalog.pg_get_constraintdef(k.oid), 'to', k.confrelid::pg_catalog.regclass::text)
        FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0::oid`)},
      'referencedBy', ${named(`k.conname::text || ' of ' || k.conrelid::pg_catalog.regclass::text`, 'pg_catalog.pg_get_constraintdef(k.oid)', `pg_catalog.pg_constraint k WHERE k.confrelid = c.oid AND k.conrelid <> c.oid AND k.contype = 'f' AND k.conparentid = 0::oid`)},
      'triggers', ${named('g.tgname', 'pg_catalog.pg_get_triggerdef(g.oid)', `pg_catalog.pg_trigger g JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND p.proname !~ '^sluice_'::text`)},
      'rules', ${named('r.rulename', 'pg_catalog.pg_get_ruledef(r.oid)', `pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'`)},
      'security', c.relrowsecurity, 'forced', c.relforcerowsecurity,
      'policies', ${list(`SELECT pg_catalog.json_build_object('name', p.polname, 'definition', ${policySql('p')}, 'roles', pg_catalog.to_json(${policyRolesSql('p')}),
          'rule', pg_catalog.replace(${policySql('p', `''::text`)}, pg_catalog.quote_ident(c.relname) || '.', '')) FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid`)},
      'owner', pg_catalog.pg_get_userbyid(c.relowner), 'me', current_user, 'owned', pg_catalog.pg_has_role(c.relowner, 'USAGE'), 'mayCreate', pg_catalog.has_schema_privilege(c.relnamespace, 'CREATE'),
      'grants', ${list(`SELECT pg_catalog.json_build_object('role', CASE e.grantee WHEN 0::oid THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(e.grantee) END, 'rights', pg_catalog.json_agg(DISTINCT e.named))
        FROM (${RIGHTS}) e WHERE e.grantee <> c.relowner GROUP BY e.grantee`)},
      'users', ${list(usersSql)},
      'dependents', ${list(`SELECT pg_catalog.to_json(z.said) FROM (
          SELECT DISTINCT CASE WHEN r.rulename = '_RETURN' THEN 'view ' ELSE 'rule ' || r.rulename::text || ' on ' END || r.ev_class::pg_catalog.regclass::text AS said
            FROM pg_catalog.pg_rewrite r WHERE r.oid IN (${dependsOn('pg_catalog.pg_rewrite')}) AND r.ev_class <> c.oid
          UNION SELECT 'function ' || p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p WHERE p.oid IN (${dependsOn('pg_catalog.pg_proc')}) AND p.proname !~ '^sluice_'::text) z`)},
      'publications', ${list(`SELECT pg_catalog.to_json(p.pubname) FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = c.oid AND p.pubname !~ '^sluice_'::text`)},
      'subscriptions', (SELECT count(*) FROM pg_catalog.pg_subscription_rel r WHERE r.srrelid IN (${treeSql('c.oid')})),
      'extensions', ${list(`SELECT pg_catalog.to_json(e.extname) FROM pg_catalog.pg_extension e`)},
      'comment', EXISTS (SELECT FROM pg_catalog.pg_description d WHERE d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.objoid = c.oid),
      'analyzed', c.reltuples >= 0::real, 'isPartition', c.relispartition,
      'heirs', CASE WHEN c.relkind = 'p' THEN 0 ELSE (SELECT count(*) FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid) END)
    FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_type y ON y.oid = c.reltype WHERE c.oid = ${literal(oid)}::oid`
}

/** Rights that are granted on the table `c` and on its columns. */
export const RIGHTS = `SELECT e.grantee, e.privilege_type AS named FROM pg_catalog.aclexplode(c.relacl) e
  UNION ALL SELECT e.grantee, pg_catalog.format('%s (%I)', e.privilege_type, b.attname)
  FROM pg_catalog.pg_attribute b, LATERAL pg_catalog.aclexplode(b.attacl) e WHERE b.attrelid = c.oid AND NOT b.attisdropped`

/** The columns of the locale have other names in older versions. */
const SORTING = `(SELECT coalesce(pg_catalog.jsonb_extract_path_text(j, 'datlocale'), pg_catalog.jsonb_extract_path_text(j, 'daticulocale'), d.datcollate::text)
  || CASE pg_catalog.jsonb_extract_path_text(j, 'datlocprovider') WHEN 'i' THEN ' (ICU)' WHEN 'b' THEN ' (builtin)' ELSE '' END
  FROM pg_catalog.pg_database d, LATERAL (SELECT pg_catalog.to_jsonb(d)) x (j) WHERE d.datname = pg_catalog.current_database())`

const allowed = `(SELECT CASE t.typtype
    WHEN 'e' THEN (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder) FROM pg_catalog.pg_enum l WHERE l.enumtypid = t.oid)
    WHEN 'd' THEN pg_catalog.concat_ws(' ', pg_catalog.format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'NOT NULL' END,
      (SELECT pg_catalog.string_agg(k.def, ' ' ORDER BY k.def COLLATE pg_catalog."C") FROM (SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c') k (def)))
    END FROM pg_catalog.pg_type y JOIN pg_catalog.pg_type t ON t.oid = CASE WHEN y.typcategory = 'A' AND y.typelem <> 0::oid THEN y.typelem ELSE y.oid END WHERE y.oid = a.atttypid)`

const numbers = `EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
  WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::oid AND d.objid = f.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid)`
