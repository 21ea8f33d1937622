/** Whether the table of the target is the one that the ledger's rows were copied into, and not another that was made in its place since. */
import { tableText } from '../../../model/copy/column-type.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { lookAt, type TableContext } from './context.ts'
import type { RunLedger } from '../ledger/runs.ts'
import { onSide } from '../sides.ts'

/** What the ledger says of the table before this run. */
export type Before = {
  /** Rows that have to be there. */
  readonly kept: bigint
  /** Whether anything in the target is relied on: rows that were written, found there, or left by a chunk that was broken off between its batches. */
  readonly holdsRows: boolean
}

/**
 * Compares the table that is there with the one that was noted, and notes it.
 * @throws SluiceError PLAN_CHANGED for another table, as far as its system tells; where the mark of a table changes when it is altered, too, for one that
 *   holds fewer rows than were copied, unless this run compares all of them
 */
export async function settleTarget(context: TableContext, runs: RunLedger, before: Before): Promise<void> {
  const { key, plan, store, signal } = context
  const mark = (await onSide('target', async () => store.mark?.(plan.target.table, signal))) ?? null
  if (mark === null) return
  const known = await runs.targetMark(key)
  if (known === mark.text) return
  // What an older copy has left says nothing of its table: that is taken for the one which is there.
  if (known !== null && before.holdsRows) await refuseAnother(context, mark.lasting, before.kept)
  await runs.noteTargetMark(key, mark.text)
}

async function refuseAnother(context: TableContext, lasting: boolean, copied: bigint): Promise<void> {
  const { name, plan } = context
  const table = tableText(plan.target.table)
  const hint = 'if that is meant, begin again with --restart'
  if (lasting) {
    throw new SluiceError('PLAN_CHANGED', `${table} is another table than the one that was being filled`, {
      reason: `it was made anew since, and the ledger says that ${copied} rows of ${name} were copied into the one before`,
      hint,
    })
  }
  if (context.compares === true) return
  const there = await rowsIn(context)
  if (there >= copied) return
  throw new SluiceError('PLAN_CHANGED', `${table} does not hold all rows that were copied into it`, {
    reason: `it was made anew or altered since, and holds ${there} rows; the ledger says that ${copied} of ${name} were copied into it`,
    hint,
  })
}

/** Notes the table as it is at the end of a run, whose own indexes and statistics have altered it, where a mark changes with that. */
export async function noteTarget({ key, plan, store, signal }: TableContext, runs: RunLedger): Promise<void> {
  const mark = (await onSide('target', async () => store.mark?.(plan.target.table, signal))) ?? null
  if (mark !== null && !mark.lasting && (await runs.targetMark(key)) !== null) await runs.noteTargetMark(key, mark.text)
}

async function rowsIn(context: TableContext): Promise<bigint> {
  return (await lookAt(context, { by: 'all' }, (writer) => writer.digest({ scheme: 'count' }))).rows
}
