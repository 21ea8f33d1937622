/** Rows per period of a plain PostgreSQL table, and the planner's estimate for finding them. */
import type { TableSpec } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ScanCost } from '../../../model/archive/port.ts'
import { anyOf, countsByIndex, countsByScan, PERIODS_AT_ONCE, placedCounts } from '../../common/period-sql.ts'
import { missingTable, findRelation } from '../server/relation.ts'
import type { CopySession, TextRow } from '../server/session.ts'
import { tableFromSql } from '../server/sql.ts'

type PlanNode = { readonly 'Node Type': string; readonly 'Plan Rows': number; readonly Plans?: readonly PlanNode[] }

/** @throws SluiceError SOURCE_GONE; errors of the server */
export async function postgresPeriodEffort(
  session: CopySession,
  table: TableSpec,
  conditions: readonly string[],
): Promise<ScanCost> {
  const from = await fromOf(session, table)
  const plan = await planOf(session, `SELECT 1 FROM ${from} WHERE ${anyOf(conditions)}`)
  if (!scans(plan)) return { by: 'index', rows: BigInt(Math.round(plan['Plan Rows'])) }
  const whole = await planOf(session, `SELECT 1 FROM ${from}`)
  return { by: 'scan', rows: BigInt(Math.round(whole['Plan Rows'])) }
}

/** @throws SluiceError SOURCE_GONE; errors of the server */
export async function postgresPeriodCounts(
  session: CopySession,
  table: TableSpec,
  conditions: readonly string[],
  by: ScanCost['by'],
): Promise<readonly bigint[]> {
  const from = await fromOf(session, table)
  if (by === 'scan') return placedCounts(conditions.length, await session.ask(countsByScan(from, conditions)))
  const counts: bigint[] = []
  for (let at = 0; at < conditions.length; at += PERIODS_AT_ONCE) {
    const [row = []] = await session.ask(countsByIndex(from, conditions.slice(at, at + PERIODS_AT_ONCE)))
    counts.push(...row.map((count) => BigInt(count ?? 0)))
  }
  return counts
}

async function fromOf(session: CopySession, table: TableSpec): Promise<string> {
  const relation = await findRelation(table.table, (sql): Promise<readonly TextRow[]> => session.ask(sql))
  if (relation === null)
    throw new SluiceError('SOURCE_GONE', missingTable(table.table), { hint: 'run the same command again' })
  return tableFromSql(relation)
}

async function planOf(session: CopySession, sql: string): Promise<PlanNode> {
  const [row] = await session.askOne(`EXPLAIN (FORMAT JSON) ${sql}`)
  const [plan] = JSON.parse(row?.[0] ?? '[]') as readonly { readonly Plan: PlanNode }[]
  if (plan === undefined) throw new Error('EXPLAIN returned no plan')
  return plan.Plan
}

function scans({ 'Node Type': kind, Plans = [] }: PlanNode): boolean {
  return kind === 'Seq Scan' || Plans.some(scans)
}
