/** Checks that a query by the partition key of an existing row reads one partition, according to the server's plan. */
import { tableText } from '../../../../model/copy/column-type.ts'
import { quoteName } from '../../server/connect.ts'
import type { CopySession } from '../../server/session.ts'
import { equalTo, literal } from '../../server/sql.ts'
import type { CheckedTable, OperationalVerdict } from './examined.ts'

export async function pruningWorks(
  session: CopySession,
  { oid, sql, spec }: CheckedTable,
): Promise<OperationalVerdict> {
  const regclass = `${literal(oid)}::oid::regclass`
  const [[leaves] = []] = await session.ask(
    `SELECT count(*) FROM pg_catalog.pg_partition_tree(${regclass}) WHERE isleaf AND parentrelid IS NOT NULL`,
  )
  if (leaves == null || leaves === '0') return { outcome: 'not checked', found: 'the table is not partitioned' }
  const [[leaf] = []] = await session.ask(`SELECT tableoid FROM ${sql} LIMIT 1`)
  if (leaf == null) return { outcome: 'not checked', found: 'the table has no row to query by key' }
  const keys = await session.ask(
    `SELECT DISTINCT a.attname FROM pg_catalog.pg_partition_ancestors(${literal(leaf)}::oid::regclass) r
       JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = r.relid::oid CROSS JOIN LATERAL pg_catalog.unnest(p.partattrs::int2[]) k (attnum)
       LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum AND k.attnum > 0`,
  )
  const names = keys.map(([name]) => name ?? null)
  if (names.includes(null)) return { outcome: 'not checked', found: 'its partition key contains an expression' }
  const columns = names.flatMap((name) => name ?? [])
  const [values] = await session.ask(
    `SELECT ${columns.map((name) => `${quoteName(name)}::text`).join(', ')} FROM ${sql} WHERE tableoid = ${literal(leaf)}::oid LIMIT 1`,
  )
  if (values === undefined) return { outcome: 'not checked', found: 'the queried row is gone' }
  const conditions = columns.map((name, i) => {
    const value = values[i] ?? null
    const column = quoteName(name)
    return value === null ? `${column} IS NULL` : `${column} ${equalTo(spec.columns, name)} ${literal(value)}`
  })
  const [[plan] = []] = await session.ask(
    `EXPLAIN (VERBOSE, FORMAT JSON) SELECT FROM ${sql} WHERE ${conditions.join(' AND ')}`,
  )
  const read = relationsOf(JSON.parse(plan ?? '[]'))
  const by = columns.join(', ')
  if (read.size === 1)
    return { outcome: 'ok', found: `a query by ${by} reads 1 of ${leaves} partitions: ${[...read].join(', ')}` }
  return {
    outcome: 'failed',
    found: `a query by ${by} reads ${read.size} of ${leaves} partitions`,
    hint: 'check enable_partition_pruning and constraint_exclusion of the database and of the role',
  }
}

/** Names of the tables that a plan reads. */
function relationsOf(node: unknown, found = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) for (const one of node) relationsOf(one, found)
  else if (typeof node === 'object' && node !== null) {
    const { Schema: schema, 'Relation Name': name } = node as Readonly<Record<string, unknown>>
    if (typeof schema === 'string' && typeof name === 'string') found.add(tableText({ schema, name }))
    for (const one of Object.values(node)) relationsOf(one, found)
  }
  return found
}
