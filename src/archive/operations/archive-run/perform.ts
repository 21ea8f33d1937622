/** `archive plan` and `archive run`: move old partitions to a Delta table, prove them, and drop them at the source. */
import { shellQuote } from '../../../shared/shell.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { whilePaused } from '../../../engine/run/pause.ts'
import type { Ending } from '../../../engine/run/run-context.ts'
import { openSource } from '../../work/each-table.ts'
import { agree } from './agree.ts'
import type { ArchiveOperation } from './declaration.ts'
import { plan, type ArchiveRun } from './plan.ts'
import { work } from './run.ts'
import { show } from './show.ts'

/**
 * Runs the stages; each uses the result of the one before.
 * @throws SluiceError if the run cannot start; errors of single partitions are reported with them
 */
export async function archive(operation: ArchiveOperation, run: ArchiveRun): Promise<Ending> {
  refuseUnconfirmed(operation)
  await whilePaused(run)
  await using source = await openSource(operation.from, !operation.dryRun)
  const planned = await plan({ operation, run, source })
  if (operation.dryRun) return await show(planned)
  await agree(planned)
  return await work(planned)
}

function refuseUnconfirmed({ drop, confirm, tables, dryRun }: ArchiveOperation): void {
  if (drop && !dryRun && (tables.length !== 1 || confirm !== tables[0])) {
    const name = shellQuote(tables[0] ?? '')
    throw new SluiceError('MISSING_CONFIRM', 'what is dropped cannot be brought back but from its archive', {
      hint: `say it twice, for one table: --table ${name} --drop --confirm=${name}`,
    })
  }
}
