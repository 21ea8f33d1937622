/** Checks that the target's table is the table of the recorded copy, not another table of the same name. */
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { inspectTarget, type TableContext } from './context.ts'
import type { RunLedger } from '../ledger/runs.ts'
import { onSide } from '../sides.ts'

/** State of the table in the ledger before this run. */
export type EarlierCopy = {
  /** Number of rows that must be in the target. */
  readonly kept: bigint
  /** True if the copy relies on rows in the target: written, found, or left by a chunk interrupted between batches. */
  readonly holdsRows: boolean
}

/**
 * Compares the mark by which the target identifies its table with the recorded mark, and records the current one. Does
 * nothing if the target cannot identify tables.
 * @throws SluiceError PLAN_CHANGED for another table. If ALTER also changes the mark (`lasting` is false), PLAN_CHANGED
 * is thrown only if the table has fewer rows than were copied, and never if this run compares all rows
 */
export async function checkTargetMark(context: TableContext, runs: RunLedger, before: EarlierCopy): Promise<void> {
  const { key, plan, store, signal } = context
  const mark =
    (await onSide('target', async () => store.offers.identification?.mark(plan.target.table, signal))) ?? null
  if (mark === null) return
  const known = await runs.targetMark(key)
  if (known === mark.text) return
  // An older version recorded no mark: the current table is then accepted as the copy's table.
  if (known !== null && before.holdsRows) await refuseAnother(context, mark.lasting, before.kept)
  await runs.noteTargetMark(key, mark.text)
}

async function refuseAnother(context: TableContext, lasting: boolean, copied: bigint): Promise<void> {
  const { name, plan } = context
  const table = tableText(plan.target.table)
  const hint = 'if this was done on purpose, begin again with --restart'
  if (lasting) {
    throw new SluiceError('PLAN_CHANGED', `${table} is not the table into which earlier runs copied rows`, {
      reason: `it was recreated since; according to the ledger, ${copied} rows of ${name} were copied into the earlier table`,
      hint,
    })
  }
  if (context.compares === true) return
  const { rows: there } = await inspectTarget(context, { by: 'all' }, (writer) => writer.digest({ scheme: 'count' }))
  if (there >= copied) return
  throw new SluiceError('PLAN_CHANGED', `${table} does not have all rows that were copied into it`, {
    reason: `it was recreated or altered since, and has ${there} rows; according to the ledger, ${copied} rows of ${name} were copied into it`,
    hint,
  })
}

/** Records the table's mark at the end of a run, if the run's own indexes and statistics change it. */
export async function noteTarget({ key, plan, store, signal }: TableContext, runs: RunLedger): Promise<void> {
  const mark =
    (await onSide('target', async () => store.offers.identification?.mark(plan.target.table, signal))) ?? null
  if (mark !== null && !mark.lasting && (await runs.targetMark(key)) !== null) await runs.noteTargetMark(key, mark.text)
}
