/** Reasons why rows of a default partition cannot be moved, checked before any change. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { RangedTable, RangePartition } from '../../../../model/partition/maintenance-port.ts'
import { quoteName } from '../../server/connect.ts'
import { publishedBySql } from '../../server/publications.ts'
import type { CopySession } from '../../server/session.ts'
import { literal, tableSql } from '../../server/sql.ts'

/** Why rows cannot be moved, and what to do. */
export type Why = { readonly reason: string; readonly hint: string }

/** @throws SluiceError TABLE_REFUSED */
export async function refuseUnmovable(session: CopySession, table: RangedTable, rest: RangePartition): Promise<void> {
  const why =
    ofKind(rest) ??
    (await ofUnvalidated(session, rest)) ??
    (await ofDependents(session, rest)) ??
    (await ofPublications(session, table, rest)) ??
    (await ofReferences(session, table, rest))
  if (why !== null) throw unmovable(rest, why)
}

export function unmovable({ name }: Pick<RangePartition, 'name'>, { reason, hint }: Why): SluiceError {
  return new SluiceError('TABLE_REFUSED', `rows of the default partition ${tableText(name)} cannot be moved`, {
    where: tableText(name),
    reason,
    hint: `${hint}; nothing was changed`,
  })
}

function ofKind({ name, note }: RangePartition): Why | null {
  if (note === undefined) return null
  return { reason: note, hint: `replace ${tableText(name)} by a plain table` }
}

/**
 * Refuses constraints that are NOT VALID: existing rows may violate them, and a copy of the table would refuse these
 * rows. Constraints that are NOT ENFORCED refuse no row, so they are allowed.
 */
async function ofUnvalidated(session: CopySession, { identity, name }: RangePartition): Promise<Why | null> {
  const rows = await session.ask(
    `SELECT pg_catalog.quote_ident(conname) FROM pg_catalog.pg_constraint k
     WHERE conrelid = ${literal(identity)}::oid AND contype IN ('c', 'n') AND NOT convalidated
       AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true) ORDER BY 1`,
  )
  const [first] = rows
  if (first === undefined) return null
  return {
    reason: `rows may break its constraint ${rows.map(([one]) => one).join(', ')}, which is NOT VALID`,
    hint: `ALTER TABLE ${tableSql(name)} VALIDATE CONSTRAINT ${first[0] ?? ''}, or drop it`,
  }
}

/** Refuses objects that refer to the table itself: they would stay with the old table. */
async function ofDependents(session: CopySession, { identity, name }: RangePartition): Promise<Why | null> {
  const oid = `${literal(identity)}::oid`
  const rows = await session.ask(
    `SELECT DISTINCT CASE WHEN r.oid IS NOT NULL THEN pg_catalog.format('the view or rule %s', r.ev_class::pg_catalog.regclass)
         ELSE pg_catalog.pg_describe_object(d.classid, d.objid, 0) END
     FROM pg_catalog.pg_depend d LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid AND r.oid = d.objid
       LEFT JOIN pg_catalog.pg_policy o ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass::oid AND o.oid = d.objid
     WHERE d.deptype = 'n' AND (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass::oid AND d.refobjid = ${oid}::oid
           AND d.classid IN ('pg_catalog.pg_rewrite'::pg_catalog.regclass::oid, 'pg_catalog.pg_proc'::pg_catalog.regclass::oid, 'pg_catalog.pg_policy'::pg_catalog.regclass::oid)
         OR d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass::oid
           AND d.refobjid IN (SELECT pg_catalog.unnest(ARRAY[t.oid, t.typarray]) FROM pg_catalog.pg_type t WHERE t.typrelid = ${oid}::oid))
       AND r.ev_class IS DISTINCT FROM ${oid}::oid AND o.polrelid IS DISTINCT FROM ${oid}::oid
     UNION SELECT pg_catalog.format('the foreign key %I of %s', k.conname, k.conrelid::pg_catalog.regclass) FROM pg_catalog.pg_constraint k
       WHERE k.contype = 'f' AND k.confrelid = ${oid}::oid AND k.conparentid = 0::oid
     ORDER BY 1`,
  )
  if (rows.length === 0) return null
  return {
    reason: `bound to ${tableText(name)} itself: ${rows.map(([one]) => one).join(', ')}`,
    hint: 'drop them, or recreate them on the partitioned table',
  }
}

/**
 * The reason if a publication would send the move of rows out of a partition wrongly, or not at all; null otherwise.
 */
export async function ofPublications(
  session: CopySession,
  { identity: parent }: Pick<RangedTable, 'identity'>,
  { identity, name }: Pick<RangePartition, 'identity' | 'name'>,
): Promise<Why | null> {
  const [found] = await session.ask(
    `SELECT pubname, how FROM (${publishedBySql(session.version, `${literal(identity)}::oid`)}) AS p
     UNION ALL SELECT p.pubname, 'parts' FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
       WHERE NOT p.pubviaroot AND r.prrelid IN (SELECT relid::oid FROM pg_catalog.pg_partition_ancestors(${literal(parent)}::oid) relid) LIMIT 1`,
  )
  if (found === undefined) return null
  const [publication, how] = found
  const named = quoteName(publication ?? '')
  switch (how) {
    case 'table':
      return {
        reason: `the publication ${named} lists it separately`,
        hint: `ALTER PUBLICATION ${named} DROP TABLE ${tableSql(name)}, and publish the partitioned table`,
      }
    case 'parts':
      return {
        reason: `the publication ${named} sends the rows of partitions under their own names, and would not send their move`,
        hint: `ALTER PUBLICATION ${named} SET (publish_via_partition_root = true)`,
      }
    default:
      return {
        reason: `the publication ${named} sends every new table${how === 'schema' ? ' of the schema' : ''}, and would also send the created copies`,
        hint: 'publish the tables by their names, with publish_via_partition_root',
      }
  }
}

/** Refuses foreign keys of other tables to the table: referenced rows cannot be removed, not even briefly. */
async function ofReferences(
  session: CopySession,
  { identity: parent }: RangedTable,
  { name }: RangePartition,
): Promise<Why | null> {
  const keys = await session.ask(
    `SELECT k.conname, n.nspname, c.relname,
       (SELECT pg_catalog.string_agg(pg_catalog.format('d.%I OPERATOR(%I.%s) f.%I', b.attname, s.nspname, o.oprname, a.attname), ' AND ')
        FROM unnest(k.conkey, k.confkey, k.conpfeqop) AS u (own, other, equal)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own JOIN pg_catalog.pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.other
        JOIN pg_catalog.pg_operator o ON o.oid = u.equal JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace)
     FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype = 'f' AND k.conparentid = 0::oid AND k.confrelid IN (SELECT relid::oid FROM pg_catalog.pg_partition_ancestors(${literal(parent)}::oid) relid)`,
  )
  for (const [key, schema, table, condition] of keys) {
    const from = tableSql({ schema: schema ?? '', name: table ?? '' })
    const [row] = await session.ask(
      `SELECT EXISTS (SELECT FROM ${from} f JOIN ONLY ${tableSql(name)} d ON ${condition})`,
    )
    if (row?.[0] === 't') {
      return {
        reason: `rows of ${schema}.${table} refer to its rows by the foreign key ${key}: the server does not allow their removal`,
        hint: `drop the foreign key ${key}, run the same command again, then add it`,
      }
    }
  }
  return null
}
