/** Counts indexes, triggers, grants … that a partition does not get from its parent. One query for many partitions. */
import type { TextRow } from '../server/session.ts'

/** Singular, plural, and SQL that counts them for the partition `c`, whose row of pg_inherits is `i`. */
const KINDS: readonly (readonly [one: string, many: string, sql: (c: string) => string])[] = [
  [
    'index',
    'indexes',
    (c) => `(SELECT count(*) FROM pg_catalog.pg_index x WHERE x.indrelid = ${c}.oid
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = x.indexrelid))`,
  ],
  [
    'constraint',
    'constraints',
    (c) => `(SELECT count(*) FROM pg_catalog.pg_constraint k WHERE k.conrelid = ${c}.oid AND k.contype IN ('c', 'f')
        AND k.conparentid = 0::oid AND k.coninhcount = 0)`,
  ],
  [
    'trigger',
    'triggers',
    (c) =>
      `(SELECT count(*) FROM pg_catalog.pg_trigger g WHERE g.tgrelid = ${c}.oid AND NOT g.tgisinternal AND g.tgparentid = 0::oid)`,
  ],
  ['rule', 'rules', (c) => `(SELECT count(*) FROM pg_catalog.pg_rewrite r WHERE r.ev_class = ${c}.oid)`],
  ['policy', 'policies', (c) => `(SELECT count(*) FROM pg_catalog.pg_policy o WHERE o.polrelid = ${c}.oid)`],
  [
    'grant',
    'grants',
    (c) => `(SELECT count(*) FROM (
        SELECT e.grantee FROM pg_catalog.aclexplode(${c}.relacl) e WHERE e.grantee <> ${c}.relowner
        UNION SELECT e.grantee FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) e WHERE a.attrelid = ${c}.oid) granted)`,
  ],
  ['expression', 'expressions', (c) => `(SELECT count(*) FROM (${computedSql(c, 'i.inhparent')}) computed)`],
  ['comment', 'comments', (c) => `(pg_catalog.obj_description(${c}.oid, 'pg_class') IS NOT NULL)::int`],
  ['set of storage parameters', '', (c) => `(${c}.reloptions IS NOT NULL)::int`],
]

/**
 * Query for generated columns whose expression differs from the expression in a table above, in the partition tree.
 * @param c row of pg_class
 * @param above SQL of the OID of that table
 */
export function computedSql(c: string, above: string): string {
  return `SELECT a.attname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute b ON b.attrelid = ${above} AND b.attname = a.attname AND NOT b.attisdropped
        JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum JOIN pg_catalog.pg_attrdef e ON e.adrelid = b.attrelid AND e.adnum = b.attnum
      WHERE a.attrelid = ${c}.oid AND a.attgenerated <> '' AND NOT a.attisdropped
        AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) <> pg_catalog.pg_get_expr(e.adbin, e.adrelid)`
}

/** SELECT list for `ownText`. @param c name of the partition's row of pg_class */
export function ownCountsSql(c: string): string {
  return KINDS.map(([, , sql]) => sql(c)).join(', ')
}

/** @returns null if all counts are 0 */
export function ownText(counts: TextRow): string | null {
  const words = KINDS.flatMap(([one, many], i) => {
    const count = Number(counts[i] ?? 0)
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`]
  })
  return words.length === 0 ? null : words.join(', ')
}
