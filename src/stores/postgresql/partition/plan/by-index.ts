/** Queries that run only if the planner uses an index and reads few rows. */
import type { CountedRows } from '../../../../model/partition/plan-port.ts'
import type { CopySession, TextRow } from '../../server/session.ts'
import type { About } from './about.ts'

/** Maximum number of rows that one query counts. */
const MOST = 200_000

/** Counts rows with an index. @returns null if the planner would scan the table, or expects too many rows */
export async function countByIndex(
  session: CopySession,
  sql: string,
  condition: string,
  most = MOST,
): Promise<CountedRows | null> {
  const [row] = await rowsByIndex(
    session,
    `SELECT count(*) FROM (SELECT FROM ONLY ${sql} WHERE ${condition}) AS found`,
    Math.min(most, MOST),
  )
  return row === undefined ? null : { rows: BigInt(row[0] ?? 0), off: null }
}

type Node = { readonly 'Node Type': string; readonly 'Plan Rows': number; readonly Plans?: readonly Node[] }

/** @returns no rows if the planner would scan the table, or expects more rows than `most` */
export async function rowsByIndex(session: CopySession, sql: string, most: number): Promise<readonly TextRow[]> {
  // Without statistics of ANALYZE, the planner may assume a small table or few rows, and not use the index.
  await session.ask(WAYS.map((way) => `SET LOCAL ${way} TO off`).join('; '))
  const [row] = await session.ask(`EXPLAIN (FORMAT JSON) ${sql}`)
  const [explained] = JSON.parse(row?.[0] ?? '[]') as readonly { readonly Plan: Node }[]
  const found = explained === undefined || reads(explained.Plan, most) ? [] : await session.ask(sql)
  await session.ask(WAYS.map((way) => `SET LOCAL ${way} TO DEFAULT`).join('; '))
  return found
}

const WAYS = ['enable_seqscan', 'enable_bitmapscan', 'enable_sort']

function reads({ 'Node Type': kind, 'Plan Rows': rows, Plans = [] }: Node, most: number): boolean {
  // Under a Limit, a node is read only as far as needed, so its estimated number of rows is not compared.
  if (kind === 'Limit') return Plans.some((plan) => scans(plan))
  return scan(kind) || rows > most || Plans.some((plan) => reads(plan, most))
}

function scans({ 'Node Type': kind, Plans = [] }: Node): boolean {
  return scan(kind) || Plans.some(scans)
}

function scan(kind: string): boolean {
  return kind.includes('Seq Scan') || kind.includes('Sort')
}

/** True if a non-partial index begins with the column, so that a period is found without a table scan. */
export async function leadsIndex({
  session,
  oid,
  attnum,
}: Pick<About, 'session' | 'oid' | 'attnum'>): Promise<boolean> {
  return await session.isTrue(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam
      WHERE i.indrelid = ${oid}::oid AND m.amname = 'btree' AND i.indkey[0] = ${attnum} AND i.indpred IS NULL AND i.indisvalid AND i.indisready)`,
  )
}
