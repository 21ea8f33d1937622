/** `copy`: copies tables of one store into another, in chunks that are proved; the same command resumes it. */
import { refuseUnknownTables } from '../../recount/recount-earlier.ts'
import { ledgerUnderAbort } from '../../ledger/under-abort.ts'
import { SourceViews } from '../../source-views.ts'
import type { Companion } from '../../companion.ts'
import type { CopyRun } from '../../copy-run.ts'
import type { Ending } from '../../../run/run-context.ts'
import { reconcileCopy } from './reconcile.ts'
import { begin } from './begin.ts'
import type { CopyOperation } from './declaration.ts'
import { showCopyPlan } from './end.ts'
import { connectStream, recordCopy, openFollowing } from './record.ts'
import { preparePlanning, openCopySource, openCopyTarget } from './open.ts'
import { planCopyRun } from './plan.ts'
import { runCopy } from './run.ts'

/**
 * Runs the stages of a copy; each uses the result of the previous one. Resources are opened here, so that they stay
 * open through all later stages.
 * @param companion for a copy with a stream
 * @throws SluiceError if the copy cannot start; errors of single tables are reported with the table
 */
export async function performCopy(
  given: CopyOperation,
  requestedRun: CopyRun,
  companion: Companion | null,
): Promise<Ending> {
  companion?.refuse(given)
  const begun = await begin(given, requestedRun, companion)
  await using from = await openCopySource(begun)
  await using views = new SourceViews(from, begun.run.interrupt.abort)
  const inspected = await preparePlanning(begun, from, views)
  await using to = await openCopyTarget(inspected)
  const planned = await planCopyRun(inspected, to)
  if (given.dryRun) return await showCopyPlan(planned)
  refuseUnknownTables(planned.operation.acceptDifference ?? [], planned.planned.tables)
  await using database = ledgerUnderAbort(await to.ledger(), begun.run.interrupt)
  const reconciled = await reconcileCopy(planned, database)
  const recorded = await recordCopy(reconciled)
  await using following = await openFollowing(recorded)
  if (following !== null) connectStream(recorded, following)
  return await runCopy(recorded, following)
}
