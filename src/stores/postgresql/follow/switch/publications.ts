/** User publications: from the switch on they contain the other table, with the same column list and row filter. */
import { quoteName } from '../../server/connect.ts'
import { cutoverFacts, type CutoverTables, type CutoverStep } from './sides.ts'

type Publication = {
  readonly name: string
  readonly how: 'table' | 'other' | 'all' | 'schema'
  readonly viaRoot: boolean
  readonly owned: boolean
  readonly owner: string
  /** The other table is already a member itself. */
  readonly both: boolean
  readonly columns: readonly string[] | null
  readonly filter: string | null
}

export async function cutoverPublicationFindings(sides: CutoverTables): Promise<readonly CutoverStep[]> {
  return (await cutoverFacts<Publication>(sides, publicationsSql(sides))).map((one) => stepOf(one, sides))
}

function stepOf(
  { name, how, viaRoot, owned, owner, both, columns, filter }: Publication,
  { from, to, public: table, oldTable }: CutoverTables,
): CutoverStep {
  const step = { about: 'publication', object: name }
  if (how === 'other') {
    const detail = `it refers to ${to.sql} by its number: it continues with that table under its new name`
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
    detail: `it refers to ${from.sql} by its number: it is changed to the other table, with the same columns and filter; its subscribers continue`,
    after: [
      ...(both ? [`ALTER PUBLICATION ${publication} DROP TABLE ONLY ${table}`] : []),
      `ALTER PUBLICATION ${publication} DROP TABLE ONLY ${oldTable}`,
      `ALTER PUBLICATION ${publication} ADD TABLE ONLY ${table}${list}${filter === null ? '' : ` WHERE (${filter})`}`,
    ],
  }
}

/** Publications of schemas, column lists and row filters exist from version 15 on. */
function publicationsSql({ session, from, to }: CutoverTables): string {
  const narrow = session.version >= 150_000
  const columns = narrow
    ? `(SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[]))`
    : 'NULL::json'
  const filter = narrow ? 'pg_catalog.pg_get_expr(r.prqual, r.prrelid)' : 'NULL::text'
  const bySchema = narrow
    ? `UNION ALL SELECT p.*, 'schema', false, NULL::json, NULL::text FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_namespace n ON n.pnpubid = p.oid
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.pnnspid AND c.oid = ${from.oid}::oid`
    : ''
  const member = (table: string): string =>
    `EXISTS (SELECT FROM pg_catalog.pg_publication_rel o WHERE o.prpubid = p.oid AND o.prrelid = ${table})`
  return `
    SELECT pg_catalog.json_build_object('name', f.pubname, 'how', f.how, 'viaRoot', f.pubviaroot, 'owned', pg_catalog.pg_has_role(f.pubowner, 'USAGE'),
      'owner', pg_catalog.pg_get_userbyid(f.pubowner), 'both', f.both, 'columns', f.columns, 'filter', f.filter) FROM (
      SELECT p.*, 'table' AS how, ${member(to.oid)} AS both, ${columns} AS columns, ${filter} AS filter
      FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = ${from.oid}::oid
      UNION ALL SELECT p.*, 'other', false, NULL::json, NULL::text FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = ${to.oid}::oid
      WHERE NOT ${member(from.oid)}
      UNION ALL SELECT p.*, 'all', false, NULL::json, NULL::text FROM pg_catalog.pg_publication p WHERE p.puballtables
      ${bySchema}) AS f WHERE f.pubname !~ '^sluice_'::text ORDER BY f.pubname`
}
