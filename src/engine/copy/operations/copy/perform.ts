/** `copy`: tables of one store into another, in chunks that are proved; the same command goes on where it broke off. */
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
 * The stages, each from what the one before it has found out. Whatever has to be closed is held here, so that it stays
 * open through all stages behind it.
 * @param companion of a copy that is followed
 * @throws SluiceError whatever keeps the copy from starting; what hinders single tables is told with them
 */
export async function copy(given: CopyOperation, asked: CopyRun, companion: Companion | null): Promise<Ending> {
  companion?.refuse(given)
  const begun = await begin(given, asked, companion)
  await using from = await openSource(begun)
  await using views = new Views(from, begun.run.interrupt.abort)
  const looked = await look(begun, from, views)
  await using to = await openTarget(looked)
  const planned = await plan(looked, to)
  if (given.dryRun) return await show(planned)
  refuseUnknownTables(planned.operation.acceptDifference ?? [], planned.planned.tables)
  await using database = ledgerUnderAbort(await to.ledger(), begun.run.interrupt)
  const agreed = await agree(planned, database)
  const noted = await note(agreed)
  await using following = await openFollowing(noted)
  if (following !== null) join(noted, following)
  return await work(noted, following)
}
