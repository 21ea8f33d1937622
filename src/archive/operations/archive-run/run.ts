/** Stage of an archive run that does the work, table by table, until the run is asked to stop. */
import type { Outcome } from '../../work/advance-all.ts'
import { endOfArchive } from '../../work/outcome.ts'
import { renewWitness } from '../../work/witness.ts'
import type { Ending } from '../../../engine/run/run-context.ts'
import type { Planned } from './plan.ts'
import { archiveTable } from './table.ts'

/** @throws SluiceError if the whole run cannot continue; the error of a partition is in its outcome */
export async function work({ operation, run, plans, refused }: Planned): Promise<Ending> {
  const outcomes: Outcome[] = []
  for (const plan of plans) {
    if (run.interrupt.stop.aborted) break
    if (plan.fresh && plan.timeless !== null) continue
    try {
      outcomes.push(...(await archiveTable(plan, { operation, run })))
      await renewWitness(plan.opened, plan.table, plan.archived, run)
    } catch (thrown) {
      refused.add(plan.table, thrown)
    }
  }
  const { proof, ...ending } = endOfArchive(outcomes, run.interrupt.stop.aborted)
  const error = ending.error ?? refused.first
  if (error !== undefined) return { ...ending, error }
  return { ...ending, ...(proof === undefined ? {} : { proof }) }
}
