/** Sort order of texts. Equal identities mean the same order on two servers. */
import type { CopySession, TextRow } from '../server/session.ts'
import { literal } from '../server/sql.ts'

/** Rules of a database or collation (`row`) that change the order of its locale; NULL if it has none. */
const rulesSql = (row: string, name: string): string => `pg_catalog.to_jsonb(${row}) ->> '${name}'::text`

/**
 * Expression: name of the collation `co`, with its definition if a user created it, because two databases may have
 * different collations of one name. The name of a built-in collation says everything but the version of its library.
 */
const NAMED = `pg_catalog.concat_ws(' ', co.collname, CASE WHEN co.collnamespace <> 'pg_catalog'::regnamespace
        THEN pg_catalog.concat_ws(' ', co.collprovider::text, coalesce(pg_catalog.to_jsonb(co) ->> 'colllocale'::text,
          pg_catalog.to_jsonb(co) ->> 'colliculocale'::text, co.collcollate::text), ${rulesSql('co', 'collicurules')},
          CASE WHEN pg_catalog.to_jsonb(co) ->> 'collisdeterministic'::text = 'false' THEN 'nondeterministic' END) END)`

/**
 * Expression that identifies the collation with this OID: NULL if it compares texts by bytes. Otherwise its name (for
 * the default collation, the locale of the database), definition, and the version of the library that sorts.
 */
export function collationSql(oid: string, version: number): string {
  // Before version 15 databases only had locales of the C library, and the server did not record their versions.
  const ofDatabase = version >= 150_000 ? 'pg_catalog.pg_database_collation_actual_version(d.oid)' : 'NULL'
  return `(SELECT CASE WHEN co.collname = 'default' THEN (
        SELECT CASE WHEN coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider'::text, 'c') = 'b' THEN NULL
          WHEN coalesce(pg_catalog.to_jsonb(d) ->> 'datlocprovider'::text, 'c') = 'i' THEN pg_catalog.concat_ws(' ',
            coalesce(pg_catalog.to_jsonb(d) ->> 'daticulocale'::text, pg_catalog.to_jsonb(d) ->> 'datlocale'::text), 'ICU',
            ${rulesSql('d', 'daticurules')}, ${ofDatabase})
          WHEN d.datcollate IN ('C', 'POSIX') THEN NULL ELSE pg_catalog.concat_ws(' ', d.datcollate, ${ofDatabase}) END
        FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
      WHEN co.collprovider = 'b' OR co.collprovider = 'c' AND co.collcollate IN ('C', 'POSIX') THEN NULL
      ELSE pg_catalog.concat_ws(' ', ${NAMED}, pg_catalog.pg_collation_actual_version(co.oid)) END
    FROM pg_catalog.pg_collation co WHERE co.oid = ${oid}::oid)`
}

/** Expression: true if only texts with equal bytes are equal in this collation; always true before version 12. */
export function isDeterministicSql(oid: string): string {
  return `(SELECT coalesce((pg_catalog.to_jsonb(co) ->> 'collisdeterministic'::text)::boolean, true)
    FROM pg_catalog.pg_collation co WHERE co.oid = ${oid}::oid)`
}

/**
 * Quoted name of the collation in this database that is defined as `collation`, a collation of another table, whatever
 * the version of its library. Null if there is none: the column then gets the default collation of the database.
 */
export async function namedCollation(
  collation: string,
  ask: (sql: string) => Promise<readonly TextRow[]>,
): Promise<string | null> {
  const [row] = await ask(
    `SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(co.collname)
     FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace n ON n.oid = co.collnamespace
     WHERE (${NAMED} = ${literal(collation)} OR pg_catalog.starts_with(${literal(collation)}, ${NAMED} || ' '))
       AND co.collprovider <> 'd' AND co.collencoding IN (-1, 6)
     ORDER BY pg_catalog.length(${NAMED}) DESC, pg_catalog.pg_collation_is_visible(co.oid) DESC LIMIT 1`,
  )
  return row?.[0] ?? null
}

/** True if the default collation of the database compares texts by bytes. */
export async function isBytewise(session: CopySession): Promise<boolean> {
  return await session.isTrue(
    `SELECT ${collationSql('\'pg_catalog."default"\'::regcollation', session.version)} IS NULL`,
  )
}
