/** `archive plan` and `archive run`: move old partitions to a Delta table, prove them, and drop them at the source. */
import { plainName } from '../../../model/copy/column-type.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { whilePaused } from '../../../engine/run/pause.ts'
import type { Ending } from '../../../engine/run/run-context.ts'
import { openArchiveSource } from '../../work/each-table.ts'
import { agreeArchiveRun } from './agree.ts'
import type { ArchiveOperation } from './declaration.ts'
import { planArchiveRun, type ArchiveRun, type PlannedArchiveRun } from './plan.ts'
import { showArchivePlan } from './show.ts'
import type { PartitionOutcome } from '../../work/advance-all.ts'
import { endOfArchive } from '../../work/outcome.ts'
import { renewWitness } from '../../work/witness.ts'
import { archiveTable } from './table.ts'

/**
 * Runs the stages; each uses the result of the stage before.
 * @throws SluiceError if the run cannot start; an error of a single partition is reported in its outcome
 */
export async function archive(operation: ArchiveOperation, run: ArchiveRun): Promise<Ending> {
  refuseUnconfirmed(operation)
  await whilePaused(run)
  await using source = await openArchiveSource(operation.from, !operation.dryRun)
  const planned = await planArchiveRun({ operation, run, source })
  if (operation.dryRun) return await showArchivePlan(planned)
  await agreeArchiveRun(planned)
  return await work(planned)
}

function refuseUnconfirmed({ drop, confirm, tables, dryRun }: ArchiveOperation): void {
  if (drop && !dryRun && (tables.length !== 1 || plainName(confirm ?? '') !== plainName(tables[0] ?? ''))) {
    const name = shellQuote(tables[0] ?? '')
    throw new SluiceError(
      'MISSING_CONFIRM',
      '--drop leaves the archive as the only copy of dropped partitions: the name of the table is needed as confirmation',
      {
        hint: `confirm one table by name: --table ${name} --drop --confirm=${name}`,
      },
    )
  }
}

/** @throws SluiceError if the whole run cannot continue; the error of a partition is in its outcome */
async function work({ operation, run, plans, refused }: PlannedArchiveRun): Promise<Ending> {
  const outcomes: PartitionOutcome[] = []
  const unread: string[] = []
  for (const one of plans) {
    if (run.interrupt.stop.aborted) break
    if (one.fresh && one.timeless !== null) continue
    try {
      const of = await archiveTable(one, { operation, run })
      outcomes.push(...of.outcomes)
      if (of.unread !== null) unread.push(of.unread)
      await renewWitness(one.opened, one.table, one.archived, run)
    } catch (thrown) {
      refused.add(one.table, thrown)
    }
  }
  const { proof, ...ended } = endOfArchive(outcomes, run.interrupt.stop.aborted)
  const ending = { ...ended, ...(unread.length === 0 ? {} : { notChecked: unread.join('; ') }) }
  const error = ending.error ?? refused.first
  if (error !== undefined) return { ...ending, error }
  return { ...ending, ...(proof === undefined ? {} : { proof }) }
}
