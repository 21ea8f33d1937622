/** `copy`: copies tables of one store into another, in chunks that are proved; the same command resumes it. */
import { refuseUnknownTables } from '../../look/look-earlier.ts'
import { ledgerUnderAbort } from '../../ledger/under-abort.ts'
import { SourceViews } from '../../source-views.ts'
import type { Companion } from '../../companion.ts'
import type { CopyRun } from '../../copy-run.ts'
import type { Ending } from '../../../run/run-context.ts'
import { agreeCopy } from './agree.ts'
import { begin } from './begin.ts'
import type { CopyOperation } from './declaration.ts'
import { showCopyPlan } from './end.ts'
import { join, note, openFollowing } from './note.ts'
import { look, openCopySource, openCopyTarget } from './open.ts'
import { planCopyRun } from './plan.ts'
import { runCopy } from './run.ts'

/**
 * Runs the stages of a copy; each uses the result of the previous one. Resources are opened here, so that they stay
 * open through all later stages.
 * @param companion for a copy with a stream
 * @throws SluiceError if the copy cannot start; errors of single tables are reported with the table
 */
export async function performCopy(given: CopyOperation, asked: CopyRun, companion: Companion | null): Promise<Ending> {
  companion?.refuse(given)
  const begun = await begin(given, asked, companion)
  await using from = await openCopySource(begun)
  await using views = new SourceViews(from, begun.run.interrupt.abort)
  const inspected = await look(begun, from, views)
  await using to = await openCopyTarget(inspected)
  const planned = await planCopyRun(inspected, to)
  if (given.dryRun) return await showCopyPlan(planned)
  refuseUnknownTables(planned.operation.acceptDifference ?? [], planned.planned.tables)
  await using database = ledgerUnderAbort(await to.ledger(), begun.run.interrupt)
  const agreed = await agreeCopy(planned, database)
  const noted = await note(agreed)
  await using following = await openFollowing(noted)
  if (following !== null) join(noted, following)
  return await runCopy(noted, following)
}
