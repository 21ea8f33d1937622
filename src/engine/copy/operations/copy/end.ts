/**
 * Last stages of a copy. A dry run only shows the plan. A run sums up the tables, applies changes, and records the
 * result.
 */
import type { LedgerDatabase } from '../../../../model/run/ledger-port.ts'
import { exitOfStop } from '../../../../shared/abort.ts'
import { refuseForeignAmong } from '../../../../stores/common/ledger-tables.ts'
import type { FollowedStream } from '../../companion.ts'
import { againPlan } from '../../again/plan-again.ts'
import { emitPlan, endOfPlan } from '../../plan/plan-event.ts'
import { settingsRefused } from '../../plan/row-losses.ts'
import { onSide } from '../../sides.ts'
import { endTables } from '../../table/ending.ts'
import type { TableRun } from '../../table/table-run.ts'
import type { Ending } from '../../../run/run-context.ts'
import type { Divided } from './divide.ts'
import type { RecordedCopy } from './record.ts'
import type { PlannedCopyRun } from './plan.ts'

/** End of a copy that only shows its plan: creates no table, no ledger. @throws SluiceError if the run would fail */
export async function showCopyPlan(shown: PlannedCopyRun): Promise<Ending> {
  const { operation, companion, run, planned, planHash, again, to, objects, left } = shown
  // A plan creates no ledger, but reports what would prevent the run from creating one.
  const own = await again(() => onSide('target', () => to.tables('migration_*', run.interrupt.abort)))
  refuseForeignAmong(own)
  const needsLedger = own.length > 0 && (companion !== null || operation.again === true)
  await using database = needsLedger ? await to.ledger() : null
  await companion?.inspect({ operation, planned, run, database })
  emitPlan(
    { ...planned, periods: operation.periods },
    planHash,
    [],
    run,
    objects,
    left,
    await notesOfAgain(shown, database),
  )
  return { ...endOfPlan(planned), ...(left.length === 0 ? {} : { leftBehind: left }) }
}

/** Notes per table on what `--again` would do. Reads the ledger; creates nothing in it. */
async function notesOfAgain(
  { planned, operation }: PlannedCopyRun,
  database: LedgerDatabase | null,
): Promise<readonly (readonly string[])[]> {
  return planned.tables.every(({ plan }) => plan?.create !== false) ? [] : await againPlan(planned, operation, database)
}

/** @throws errors of `endTables`, of the ledger, and errors that end a stream */
export async function endCopy(
  noted: RecordedCopy,
  following: FollowedStream | null,
  tables: readonly TableRun[],
  { copyContext, work, reported }: Divided,
): Promise<Ending> {
  let ending = await endTables(tables, copyContext)
  if (following !== null && ending.error === undefined && ending.stopped !== true)
    ending = await following.follow(ending, { ...copyContext, ...work })
  else if (following !== null) ending = following.endingWithoutStream(ending)
  await noted.track?.end()
  for (const event of reported.end()) noted.run.emit(event)
  await finish(noted, ending)
  const refused = tables.flatMap(({ context }) =>
    context === null ? [] : settingsRefused(context.plan, context.target),
  )
  const all = [...noted.left, ...refused]
  return { ...ending, ...(all.length === 0 ? {} : { leftBehind: all }) }
}

async function finish({ run, runs }: RecordedCopy, ending: Ending): Promise<void> {
  const status = ending.stopped === true ? 'stopped' : ending.error === undefined ? 'completed' : 'failed'
  const exitCode = ending.stopped === true ? exitOfStop(run.interrupt) : (ending.error?.exitCode ?? 0)
  try {
    await runs.finish(status, exitCode, ending.error?.message ?? null)
  } catch (thrown) {
    // If the copy failed, do not throw this error: it often has the same cause, and the copy's failure matters more.
    if (status === 'completed') throw thrown
  }
}
