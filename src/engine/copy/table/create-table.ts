/** Creates the table of the target, or checks that it is the one of the ledger. */
import { tableText } from '../../../model/copy/column-type.ts'
import { EVERY_KEY } from '../../../model/copy/range.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { inspectTarget, type TableContext } from './context.ts'
import { notEmpty } from '../chunk/refused-rows.ts'
import type { RunLedger } from '../ledger/runs.ts'
import { isRanged } from '../recount/ranged.ts'
import { targetTableNow, type PlannedCopy, type PlannedTable } from '../plan/plan-copy.ts'
import { planTable } from '../plan/table-plan.ts'
import { checkTargetMark } from './same-table.ts'

/**
 * Creates the table, unless it was created since the plan was made.
 * @throws SluiceError PLAN_CHANGED if a table with copied rows is missing or empty, or is another table;
 * TARGET_NOT_EMPTY if it has rows of others, and it is unknown which of them are in the ranges to be written
 */
export async function ensureTable(
  context: TableContext,
  one: PlannedTable,
  planned: PlannedCopy,
  runs: RunLedger,
): Promise<TableContext> {
  const ready = await planAgain(context, one, planned)
  const { ledger, plan, signal, target } = ready
  const { written: copied, kept, isBegun, chunks, closed } = await ledger.totals()
  const isFirst = !isBegun
  const before = { kept, holdsRows: await ledger.has('(rows_read > 0 OR rows_written > 0 OR cursor_key IS NOT NULL)') }
  // An empty table has no surplus: record this, so that the table can later be counted as a whole.
  if (isFirst && !isRanged(plan) && (plan.create || (await isEmpty(ready)))) await runs.notePlanSurplus(ready.key, 0n)
  // A copy of a table without a key cannot be resumed: it empties the table that it created, and begins again.
  const isEmptied =
    !plan.create && plan.cut !== 'key' && closed.chunks < chunks && (await runs.plan(ready.key))?.madeHere
  if (copied > 0n && isEmptied !== true && (plan.create || (await isEmpty(ready)))) throw lostRows(ready, copied)
  if (!plan.create) {
    await checkTargetMark(ready, runs, before)
    if (isFirst && (overwrites(ready) || (await hidesRows(ready))) && !(await isEmpty(ready)))
      throw notEmpty(plan.target.table.name, 'by key')
    return ready
  }
  try {
    await target.create(plan.target, signal)
  } catch (thrown) {
    // This process has the lease, so no other process creates the table. If the table exists now, an earlier attempt
    // has created it, and its reply was lost.
    const made = await planAgain(ready, one, planned)
    if (made.plan.create) throw thrown
    await checkTargetMark(made, runs, before)
    return made
  }
  await checkTargetMark(ready, runs, before)
  return ready
}

/** True if rows could be overwritten unnoticed: the target accepts duplicate keys, and no range can be checked. */
function overwrites({ plan, store }: TableContext): boolean {
  return store.can.atomic === 'row' && plan.onExisting === 'refuse' && !(plan.cut === 'key' && plan.sortsAlike)
}

/** True if the target cannot find the rows of a key range, so that no chunk can check whether its range is empty. */
async function hidesRows(context: TableContext): Promise<boolean> {
  const { onExisting, cut, sortsAlike } = context.plan
  if (onExisting !== 'refuse' || cut !== 'key') return false
  return !sortsAlike || !(await inspectTarget(context, EVERY_KEY, async (writer) => writer.seesRange))
}

/** True if the target's table holds no row at all, of any origin. */
async function isEmpty(context: TableContext): Promise<boolean> {
  return !(await inspectTarget(context, { by: 'all' }, (writer) => writer.hasRows()))
}

/** Error: the ledger lists copied rows, but the target table is missing or empty. */
function lostRows({ name, plan }: TableContext, copied: bigint): SluiceError {
  const what = plan.create ? 'no longer exists in the target' : 'is empty in the target'
  const how = plan.create ? 'dropped' : 'emptied'
  return new SluiceError('PLAN_CHANGED', `${tableText(plan.target.table)} ${what}`, {
    reason: `according to the ledger, ${copied} rows of ${name} were copied into it`,
    hint: `if it was ${how} on purpose, begin again with --restart`,
  })
}

/** The context with a new plan if another process has created the table meanwhile; otherwise the same context. */
export async function planAgain(context: TableContext, one: PlannedTable, planned: PlannedCopy): Promise<TableContext> {
  const { plan, signal } = context
  if (!plan.create) return context
  const { from, to } = planned
  const found = await targetTableNow(one.targetName, to, signal)
  if (found === null) return context
  const detailed = await to.dependencies().detailed(found, signal)
  const again = planTable(from, to, plan.source, detailed, one.targetName, one.options)
  return { ...context, plan: { ...again, chunkRows: plan.chunkRows } }
}
