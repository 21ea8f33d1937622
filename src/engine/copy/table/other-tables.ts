/** Detects an earlier copy whose source and target tables were both replaced, as in a repeated rehearsal. */
import { setTimeout as sleep } from 'node:timers/promises'
import { throwIfAborted } from '../../../shared/abort.ts'
import type { TableContext } from './context.ts'
import type { RunLedger } from '../ledger/runs.ts'
import { isHashOf, isOfOtherTable } from '../plan/plan-hash.ts'
import { onSide } from '../sides.ts'

const PAUSE_MS = 300

/**
 * Retires and reports an earlier copy if both its source and its target were other tables than the current ones. The
 * current tables then have no row of that copy.
 * @returns true if this process has retired the chunks: it then has the lease of the table until it stores the new
 * plan. Otherwise false, also if a system cannot identify its tables
 */
export async function retireReplacedCopy(context: TableContext, runs: RunLedger, source: string): Promise<boolean> {
  const { key, name, plan, ledger, planning, emit, signal } = context
  for (;;) {
    const known = await runs.plan(key)
    if (known === null || isHashOf(known.hash, source, plan)) return false
    if (!isOfOtherTable(known.plan, source, plan) || !(await isOtherTarget(context, runs))) return false
    // Tasks of one run may do this at the same time: one of them starts again, and the others find its plan.
    if (!(await planning.take())) {
      throwIfAborted(signal)
      await sleep(PAUSE_MS)
      continue
    }
    const isStill = (await runs.plan(key))?.hash === known.hash
    if (!isStill || (await ledger.has(`status = 'in_progress'`))) {
      await planning.end()
      if (isStill) return false
      continue
    }
    await ledger.retireAll('source and target tables were replaced', planning)
    const message = `${name} and its target table are not the tables that were copied before: the copy begins again`
    emit({ type: 'log', level: 'note', table: name, message })
    return true
  }
}

/** True if the target table of the earlier copy is gone, or another table has its name. */
async function isOtherTarget({ plan, store, key, signal }: TableContext, runs: RunLedger): Promise<boolean> {
  if (plan.create) return true
  const mark =
    (await onSide('target', async () => store.offers.identification?.mark(plan.target.table, signal))) ?? null
  const noted = await runs.targetMark(key)
  return mark !== null && mark.lasting && noted !== null && noted !== mark.text
}
