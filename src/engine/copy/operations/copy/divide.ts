/** Stage of a copy that shows its plan, and creates and divides its tables. */
import type { FollowedStream } from '../../companion.ts'
import { ReportedRuns } from '../../compat/cdm/reported-runs.ts'
import { againPlan } from '../../again/plan-again.ts'
import { objectWork } from '../../objects/build-objects.ts'
import type { PlannedTable } from '../../plan/plan-copy.ts'
import { emitPlan } from '../../plan/plan-event.ts'
import type { CopyContext } from '../../table/copy-context.ts'
import { startTables } from '../../table/copy-tables.ts'
import type { TableRun } from '../../table/table-run.ts'
import type { RecordedCopy } from './record.ts'
import { ledgerProgress } from './ledger-progress.ts'

/** A copy whose tables have chunks. */
export type Divided = {
  /** Context for copying the tables. */
  readonly copyContext: CopyContext
  /** Objects to create in addition to rows; a stream creates them once it has caught up. */
  readonly work: ReturnType<typeof objectWork>
  /** Tables that another process copies. */
  readonly elsewhere: readonly PlannedTable[]
  readonly reported: ReportedRuns
}

/** @param tables receives each table as soon as it is started @throws SluiceError as `startTables` */
export async function divide(
  noted: RecordedCopy,
  following: FollowedStream | null,
  tables: TableRun[],
): Promise<Divided> {
  const { operation, run, planned, planHash, objects, left, database, owner, track, listeners, again } = noted
  const work = objectWork(objects, planned, database, owner, operation.workers)
  const copyContext = context(noted, following, work)
  const standing = await ledgerProgress(planned, copyContext)
  emitPlan(
    { ...planned, periods: operation.periods },
    planHash,
    standing,
    run,
    objects,
    left,
    await againPlan(planned, operation, database),
  )
  const copied = following === null ? planned.tables : await following.toCopy()
  const elsewhere = await startTables(copied, tables, planned, copyContext)
  await again(async () => track?.begin(planned, tables))
  const reported = new ReportedRuns(operation, track)
  listeners.reported = (event) => reported.event(event)
  for (const event of reported.begin(planned, tables)) run.emit(event)
  return { copyContext, work, elsewhere, reported }
}

function context(noted: RecordedCopy, following: FollowedStream | null, work: Divided['work']): CopyContext {
  const { operation, run, views, from, left, database, owner, runs } = noted
  const { steering, throttle, pulse, weak, shared, restarts, isRestart } = noted
  return {
    operation,
    run,
    views,
    from,
    left,
    database,
    owner,
    runs,
    steering,
    throttle,
    pulse,
    weak,
    ...(shared === null ? {} : { shared }),
    ...(restarts === undefined || !isRestart ? {} : { restarts }),
    ...(following === null ? {} : { fence: following.claimGuard }),
    // A table with a stream gets its unique constraints and foreign keys when it has caught up.
    ...(following === null ? work : {}),
  }
}
