/**
 * The partitions of a table, and what prevents their archiving. One query counts, for all of them, indexes, triggers,
 * grants … that a partition does not get from its parent.
 */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { NativePartition, NativePartitions } from '../../../model/archive/port.ts'
import { missingTable } from '../server/relation.ts'
import type { CopySession, TextRow } from '../server/session.ts'
import { literal, tableSql } from '../server/sql.ts'
import { describeTables } from '../server/tables.ts'
import { boundsOf, orderedBounds, type PartitionBounds } from '../server/bounds.ts'
import { partitionKey, tableByName, type PartitionKey } from '../server/known.ts'

type Found = {
  readonly oid: string
  readonly bounds: PartitionBounds | null
  readonly blocked: string | null
  readonly isLeaving: boolean
  readonly isDivided: boolean
  readonly own: string | null
}

/** @param database identity of this database */
export async function listPartitions(
  session: CopySession,
  { table }: TableSpec,
  database: string,
): Promise<NativePartitions | null> {
  const parent = await tableByName(session, table)
  if (parent === null)
    throw new SluiceError('SOURCE_GONE', missingTable(table), { hint: 'it was renamed or dropped: check its name' })
  const key = await partitionKey(session, parent)
  if (key === null) return null
  const rows = await session.ask(partitionsSql(parent.oid))
  const all = rows.map(found)
  const specs = await specsOf(session, all, database)
  const partitions = (await ordered(session, all, key)).flatMap(({ oid, bounds, ...rest }): NativePartition[] => {
    const spec = specs.get(oid)
    // The partition was dropped after it was listed.
    if (spec === undefined) return []
    return [
      {
        table: spec,
        identity: oid,
        from: bounds?.from ?? null,
        to: bounds?.to ?? null,
        isDefault: bounds === null,
        rows: spec.rows,
        bytes: spec.bytes,
        ...rest,
      },
    ]
  })
  return { by: key.column, partitions }
}

function partitionsSql(parent: string): string {
  return `
    SELECT c.oid, pg_catalog.pg_get_expr(c.relpartbound, c.oid), c.relkind, tree.foreign_tables, tree.leaving, tree.itself, tree.computed,
      -- A foreign key to the whole table has a copy for each partition: such copies have a parent, and do not count.
      (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(k.conname) || ' of ' || k.conrelid::pg_catalog.regclass::text, ', ' ORDER BY k.conname)
       FROM pg_catalog.pg_constraint k WHERE k.confrelid = ANY (tree.oids) AND k.contype = 'f' AND k.conparentid = 0::oid),
      (SELECT pg_catalog.string_agg(DISTINCT p.pubname, ', ' ORDER BY p.pubname) FROM pg_catalog.pg_publication_rel r
       JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = ANY (tree.oids)),
      CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END, pg_catalog.cardinality(tree.oids) - 1, ${ownCountsSql('c')}
    FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
      -- The partition; if it is partitioned itself, also the tables below it.
      CROSS JOIN LATERAL (
        WITH RECURSIVE tree AS (
          SELECT i.inhparent AS above, c.oid, coalesce((pg_catalog.to_jsonb(i) ->> 'inhdetachpending'::text)::boolean, false) AS leaving
          UNION ALL SELECT h.inhparent, h.inhrelid, coalesce((pg_catalog.to_jsonb(h) ->> 'inhdetachpending'::text)::boolean, false)
          FROM tree t JOIN pg_catalog.pg_inherits h ON h.inhparent = t.oid)
        SELECT pg_catalog.array_agg(t.oid) AS oids, pg_catalog.string_agg(t.oid::pg_catalog.regclass::text, ', ') FILTER (WHERE l.relkind = 'f') AS foreign_tables,
          (pg_catalog.array_agg(pg_catalog.json_build_array(t.oid = c.oid, an.nspname, a.relname, ln.nspname, l.relname)) FILTER (WHERE t.leaving))[1] AS leaving,
          coalesce(pg_catalog.bool_or(t.leaving) FILTER (WHERE t.oid = c.oid), false) AS itself,
          pg_catalog.string_agg(t.oid::pg_catalog.regclass::text || ' below it computes ' || own.columns, ', ') AS computed
        FROM tree t JOIN pg_catalog.pg_class l ON l.oid = t.oid JOIN pg_catalog.pg_namespace ln ON ln.oid = l.relnamespace
          JOIN pg_catalog.pg_class a ON a.oid = t.above JOIN pg_catalog.pg_namespace an ON an.oid = a.relnamespace
          CROSS JOIN LATERAL (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(attname), ', ') AS columns FROM (${computedSql('l', 'c.oid')}) computed) AS own) AS tree
    WHERE i.inhparent = ${literal(parent)}::oid AND c.relispartition`
}

function found(row: TextRow): Found {
  const [oid, text, kind, foreign, leaving, itself, computed, referrers, publications, by, below, ...own] = row
  const bounds = boundsOf(text ?? '')
  const blocked = ((): string | null => {
    if (leaving != null) return leavingText(leaving)
    if (kind === 'f') return 'it is a foreign table: its rows are not in this database'
    if (foreign != null) return `rows of the foreign tables ${foreign} below it are not in this database`
    if (computed != null) return `${computed} by its own expression, which a restore cannot recreate`
    if (bounds === null) return 'it is the default partition, which has no bounds'
    if (referrers != null) {
      return `foreign keys of other tables refer to it and not to the whole table: ${referrers}`
    }
    if (publications != null) return `the publication ${publications} lists it separately`
    return null
  })()
  const many = below === '1' ? '1 table' : `${below} tables`
  const divided =
    by == null ? [] : [`${many} below it, partitioned by ${by}, which a restore cannot recreate after they are dropped`]
  const all = [...divided, ownText(own)].filter((part) => part !== null)
  return {
    oid: oid ?? '',
    bounds,
    blocked,
    isLeaving: itself === 't',
    isDivided: kind === 'p',
    own: all.length === 0 ? null : all.join('; '),
  }
}

function leavingText(of: string): string {
  const [isIt, schema, name, ownSchema, ownName] = JSON.parse(of) as [boolean, string, string, string, string]
  const [above, table] = [tableSql({ schema, name }), tableSql({ schema: ownSchema, name: ownName })]
  return `another user began to detach ${isIt ? 'it' : 'a table below it'} and did not finish: ALTER TABLE ${above} DETACH PARTITION ${table} FINALIZE`
}

async function specsOf(
  session: CopySession,
  partitions: readonly Found[],
  database: string,
): Promise<ReadonlyMap<string, TableSpec>> {
  const oids = partitions.map(({ oid }) => oid)
  if (oids.length === 0) return new Map()
  const condition = `c.oid = ANY (${literal(`{${oids.join(',')}}`)}::oid[])`
  const specs = await describeTables(session, { condition, exact: true, kinds: "'r', 'p', 'f'" }, database)
  return new Map(specs.map((spec) => [spec.identity.slice(database.length + 1).split('/')[0] ?? '', spec]))
}

/** Sorts partitions by lower bound; the default partition is the last one. */
async function ordered(
  session: CopySession,
  partitions: readonly Found[],
  key: PartitionKey,
): Promise<readonly Found[]> {
  const bound = partitions.flatMap((one) => (one.bounds === null ? [] : [{ ...one, bounds: one.bounds }]))
  return [...(await orderedBounds(session, bound, key)), ...partitions.filter(({ bounds }) => bounds === null)]
}

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
function computedSql(c: string, above: string): string {
  return `SELECT a.attname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_attribute b ON b.attrelid = ${above} AND b.attname = a.attname AND NOT b.attisdropped
        JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum JOIN pg_catalog.pg_attrdef e ON e.adrelid = b.attrelid AND e.adnum = b.attnum
      WHERE a.attrelid = ${c}.oid AND a.attgenerated <> '' AND NOT a.attisdropped
        AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) <> pg_catalog.pg_get_expr(e.adbin, e.adrelid)`
}

/** SELECT list for `ownText`. @param c name of the partition's row of pg_class */
function ownCountsSql(c: string): string {
  return KINDS.map(([, , sql]) => sql(c)).join(', ')
}

/** Properties with their counts, such as `2 indexes, 1 trigger`; null if all counts are 0. */
function ownText(counts: TextRow): string | null {
  const words = KINDS.flatMap(([one, many], i) => {
    const count = Number(counts[i] ?? 0)
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`]
  })
  return words.length === 0 ? null : words.join(', ')
}
