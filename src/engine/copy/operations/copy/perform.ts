/** `copy`: copies tables of one store into another, in chunks that are proved; the same command resumes it. */
import { refuseUnknownTables } from '../../look/look-earlier.ts'
import { ledgerUnderAbort } from '../../ledger/under-abort.ts'
import { Views } from '../../source-views.ts'
import type { Companion } from '../../companion.ts'
import type { CopyRun } from '../../copy-run.ts'
import type { Ending } from '../../../run/run-context.ts'
import { agree } from './agree.ts'
import { begin } from './begin.ts'
import type { CopyOperation } from './declaration.ts'
import { show } from './end.ts'
import { join, note, openFollowing } from './note.ts'
import { look, openSource, openTarget } from './open.ts'
import { plan } from './plan.ts'
import { work } from './run.ts'

/**
 * The stages, each built on the result of the one before. Resources are held here, so that they stay open through all
 * later stages.
 * @param companion for a copy with a stream
 * @throws SluiceError if the copy cannot start; errors of single tables are reported with the table
 */
export async function copy(given: CopyOperation, asked: CopyRun, companion: Companion | null): Promise<Ending> {
  companion?.refuse(given)
  const begun = await begin(given, asked, companion)
  await using from = await openSource(begun)
  await using views = new Views(from, begun.run.interrupt.abort)
  const inspected = await look(begun, from, views)
  await using to = await openTarget(inspected)
  const planned = await plan(inspected, to)
  if (given.dryRun) return await show(planned)
  refuseUnknownTables(planned.operation.acceptDifference ?? [], planned.planned.tables)
  await using database = ledgerUnderAbort(await to.ledger(), begun.run.interrupt)
  const agreed = await agree(planned, database)
  const noted = await note(agreed)
  await using following = await openFollowing(noted)
  if (following !== null) join(noted, following)
  return await work(noted, following)
}
