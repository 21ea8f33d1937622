/** User publications of the public table: the cutover replaces `from` by `to`, with the same columns and row filter. */
import { quoteName } from '../../server/connect.ts'
import { publishedBySql } from '../../server/publications.ts'
import type { CutoverTables, CutoverStep } from './sides.ts'

type Publication = {
  readonly name: string
  readonly how: 'table' | 'other' | 'all' | 'schema'
  readonly viaRoot: boolean
  readonly owned: boolean
  readonly owner: string
  /** True if `to` itself is a member, too. */
  readonly both: boolean
  readonly columns: readonly string[] | null
  readonly filter: string | null
}

export async function cutoverPublicationFindings(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  return (await sides.session.objects<Publication>(publicationsSql(sides))).map((one) => stepOf(one, sides))
}

function stepOf(
  { name, how, viaRoot, owned, owner, both, columns, filter }: Publication,
  { from, to, public: table, oldTable }: CutoverTables,
): CutoverStep {
  const step = { about: 'publication', object: name }
  if (how === 'other') {
    const detail = `it refers to ${to.sql} by its OID: it continues with that table under its new name`
    return { ...step, verdict: 'left', detail }
  }
  const publication = quoteName(name)
  if (to.isPartitioned && !viaRoot) {
    return {
      ...step,
      verdict: 'refused',
      detail: 'changes would be sent under the names of the partitions, which its subscribers do not have',
      hint: `ALTER PUBLICATION ${publication} SET (publish_via_partition_root = true)`,
    }
  }
  if (how !== 'table') {
    const detail = `it is ${how === 'all' ? 'FOR ALL TABLES' : 'for all tables of the schema'}: changes that are applied to the old table are published too, under its new name`
    return { ...step, verdict: 'left', detail }
  }
  if (!owned) {
    const hint = `connect as a member of ${owner}`
    return {
      ...step,
      verdict: 'refused',
      detail: `it belongs to ${owner}, and must be changed to the other table`,
      hint,
    }
  }
  const list = columns === null ? '' : ` (${columns.map(quoteName).join(', ')})`
  return {
    ...step,
    verdict: 'made',
    detail: `it refers to ${from.sql} by its OID: it is changed to the other table, with the same columns and filter; its subscribers continue`,
    after: [
      ...(both ? [`ALTER PUBLICATION ${publication} DROP TABLE ONLY ${table}`] : []),
      `ALTER PUBLICATION ${publication} DROP TABLE ONLY ${oldTable}`,
      `ALTER PUBLICATION ${publication} ADD TABLE ONLY ${table}${list}${filter === null ? '' : ` WHERE (${filter})`}`,
    ],
  }
}

function publicationsSql({ session, from, to }: CutoverTables): string {
  // Column lists and row filters exist from version 15 on.
  const narrow = session.version >= 150_000
  const columns = narrow
    ? `(SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[]))`
    : 'NULL::json'
  const filter = narrow ? 'pg_catalog.pg_get_expr(r.prqual, r.prrelid)' : 'NULL::text'
  const named = (table: string): string =>
    `EXISTS (SELECT FROM pg_catalog.pg_publication_rel o WHERE o.prpubid = p.oid AND o.prrelid = ${table})`
  return `
    SELECT pg_catalog.json_build_object('name', p.pubname, 'how', p.how, 'viaRoot', p.pubviaroot, 'owned', pg_catalog.pg_has_role(p.pubowner, 'USAGE'),
      'owner', pg_catalog.pg_get_userbyid(p.pubowner), 'both', p.how = 'table'::text AND ${named(to.oid)}, 'columns', ${columns}, 'filter', ${filter}) FROM (
      ${publishedBySql(session.version, `${from.oid}::oid`)}
      UNION ALL SELECT p.*, 'other', NULL::oid FROM pg_catalog.pg_publication p WHERE ${named(to.oid)} AND NOT ${named(from.oid)}) AS p
      LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = p.relation
    WHERE p.pubname !~ '^sluice_'::text ORDER BY p.pubname`
}
