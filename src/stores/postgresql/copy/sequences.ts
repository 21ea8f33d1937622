/** Numbers that a table gives its rows by itself: after rows were copied, the next one has to lie behind all of them. */
import { quoteName } from '../server/connect.ts'
import type { KnownRelation } from '../server/relation.ts'
import type { CopySession } from '../server/session.ts'
import { fromSql, literal } from '../server/sql.ts'

/**
 * Sets the sequences that belong to columns of a table behind the largest value; none is ever set back.
 * @param except columns whose sequences are set to a position of the source
 */
export async function setSequences(
  session: CopySession,
  relation: KnownRelation,
  except: ReadonlySet<string>,
): Promise<void> {
  const owned = await session.ask(
    `SELECT s.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.relname), a.attname, q.seqincrement > 0,
       q.seqmin, q.seqmax
     FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
       JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_catalog.pg_class'::regclass::oid AND d.refclassid = 'pg_catalog.pg_class'::regclass::oid
       AND d.refobjid = ${literal(relation.oid)}::oid AND d.deptype IN ('a', 'i')`,
  )
  for (const [oid, sequence, column, rising, least, most] of owned) {
    if (except.has(column ?? '')) continue
    const [edge, further] = rising === 't' ? ['max', 'greatest'] : ['min', 'least']
    // A value beyond what the sequence can give leaves it at its end.
    await session.ask(
      `SELECT pg_catalog.setval(${literal(oid ?? '')}::oid::regclass, ${further}(
         least(greatest(t.edge::numeric, ${least}), ${most})::bigint, CASE WHEN s.is_called THEN s.last_value END))
       FROM ${sequence} s, (SELECT ${edge}(${quoteName(column ?? '')}) AS edge FROM ${fromSql(relation)}) t WHERE t.edge IS NOT NULL`,
    )
  }
}
