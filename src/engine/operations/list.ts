/**
 * Every operation, in the order of the help: what it is, and the function that performs it, which is loaded when it runs. A new one is a folder beside this
 * file and one entry here.
 */
import type { Ending, Run } from '../run-context.ts'
import type { Declaration, RunEventType } from './declaration.ts'
import { discover } from './discover/declaration.ts'
import { discoverDatabase } from './discover-database/declaration.ts'
import { importOne } from './import/declaration.ts'
import { batchImport } from './batch-import/declaration.ts'
import { sync } from './sync/declaration.ts'
import { validate } from './validate/declaration.ts'
import { fsck } from './fsck/declaration.ts'
import { performanceCompare } from './performance-compare/declaration.ts'
import { history } from './history/declaration.ts'
import { files } from './files/declaration.ts'
import { changes } from './changes/declaration.ts'
import { verifyRollback } from './verify-rollback/declaration.ts'
import { rollback } from './rollback/declaration.ts'
import { exportLog } from './export-log/declaration.ts'
import { prune } from './prune/declaration.ts'
import { indexColumns } from './index/declaration.ts'
import { copy } from './copy/declaration.ts'
import { follow } from './follow/declaration.ts'
import { followReport } from './follow-report/declaration.ts'
import { signOff } from './sign-off/declaration.ts'
import { cutover } from './cutover/declaration.ts'
import { diff } from './diff/declaration.ts'
import { diffFollowed } from './diff-followed/declaration.ts'
import { diffUndo } from './diff-undo/declaration.ts'
import { quarantineList } from './quarantine-list/declaration.ts'
import { retryQuarantine } from './retry-quarantine/declaration.ts'
import { slots } from './slots/declaration.ts'
import { tokens } from './tokens/declaration.ts'
import { partitionInPlace } from './partition-in-place/declaration.ts'
import { partitionList } from './partition-list/declaration.ts'
import { partitionEnsure } from './partition-ensure/declaration.ts'
import { partitionDecommission } from './partition-decommission/declaration.ts'
import { partitionDecommissionDatabase } from './partition-decommission-database/declaration.ts'
import { partitionRun } from './partition-run/declaration.ts'
import { partitionPlan } from './partition-plan/declaration.ts'
import { lifecycleStatus } from './lifecycle-status/declaration.ts'
import { lifecycleInit } from './lifecycle-init/declaration.ts'
import { archiveRun } from './archive-run/declaration.ts'
import { archiveList } from './archive-list/declaration.ts'
import { archiveVerify } from './archive-verify/declaration.ts'
import { archiveSweep } from './archive-sweep/declaration.ts'
import { archiveHold } from './archive-hold/declaration.ts'
import { archiveAdopt } from './archive-adopt/declaration.ts'
import { archiveErase } from './archive-erase/declaration.ts'
import { archiveExpire } from './archive-expire/declaration.ts'
import { restore } from './restore/declaration.ts'
import { query } from './query/declaration.ts'
import { sql } from './sql/declaration.ts'
import { migrationStatus } from './migration-status/declaration.ts'
import { runs } from './runs/declaration.ts'
import { copyRuns } from './copy-runs/declaration.ts'
import { report } from './report/declaration.ts'
import { scheduleAdd } from './schedule-add/declaration.ts'
import { scheduleChange } from './schedule-change/declaration.ts'
import { scheduleHistory } from './schedule-history/declaration.ts'
import { scheduleList } from './schedule-list/declaration.ts'
import { scheduleNext } from './schedule-next/declaration.ts'
import { schedulePrint } from './schedule-print/declaration.ts'
import { sharedRuns } from './shared-runs/declaration.ts'
import { worker } from './worker/declaration.ts'
import { workers } from './workers/declaration.ts'
import { workersWatch } from './workers-watch/declaration.ts'
import { grants } from './grants/declaration.ts'
import { queueGrants } from './queue-grants/declaration.ts'
import { doctor } from './doctor/declaration.ts'

/** @throws whatever the operation throws; `runOperation` turns it into the last event */
type Perform<O, E extends RunEventType> = (operation: O, run: Run<E>) => Promise<Ending>

type Entry<O extends { readonly kind: string }, E extends RunEventType = RunEventType> = {
  readonly declaration: Declaration<O, E>
  readonly load: () => Promise<Perform<O, E>>
}

const operation = <O extends { readonly kind: string }, E extends RunEventType>(
  declaration: Declaration<O, E>,
  load: () => Promise<Perform<O, NoInfer<E>>>,
): Entry<O, E> => ({ declaration, load })

export const OPERATIONS = {
  discover: operation(discover, async () => (await import('./discover/perform.ts')).discover),
  'discover-database': operation(
    discoverDatabase,
    async () => (await import('./discover-database/perform.ts')).discoverDatabase,
  ),
  import: operation(importOne, async () => (await import('./import/perform.ts')).importOne),
  'batch-import': operation(batchImport, async () => (await import('./batch-import/perform.ts')).batchImport),
  sync: operation(sync, async () => (await import('./sync/perform.ts')).sync),
  validate: operation(validate, async () => (await import('./validate/perform.ts')).validate),
  fsck: operation(fsck, async () => (await import('./fsck/perform.ts')).fsck),
  'performance-compare': operation(
    performanceCompare,
    async () => (await import('./performance-compare/perform.ts')).compare,
  ),
  history: operation(history, async () => (await import('./history/perform.ts')).history),
  files: operation(files, async () => (await import('./files/perform.ts')).files),
  changes: operation(changes, async () => (await import('./changes/perform.ts')).changes),
  'verify-rollback': operation(verifyRollback, async () => (await import('./rollback/perform.ts')).verifyRollback),
  rollback: operation(rollback, async () => (await import('./rollback/perform.ts')).rollback),
  'export-log': operation(exportLog, async () => (await import('./export-log/perform.ts')).exportLog),
  prune: operation(prune, async () => (await import('./prune/perform.ts')).prune),
  index: operation(indexColumns, async () => (await import('./index/perform.ts')).indexColumns),
  copy: operation(copy, async () => (await import('./copy/start.ts')).startCopy),
  follow: operation(follow, async () => (await import('./follow/perform.ts')).follow),
  'follow-report': operation(followReport, async () => (await import('./follow-report/perform.ts')).followReport),
  'sign-off': operation(signOff, async () => (await import('./sign-off/perform.ts')).signOff),
  cutover: operation(cutover, async () => (await import('./cutover/perform.ts')).cutover),
  diff: operation(diff, async () => (await import('./diff/perform.ts')).diff),
  'diff-followed': operation(diffFollowed, async () => (await import('./diff-followed/perform.ts')).diffFollowed),
  'diff-undo': operation(diffUndo, async () => (await import('./diff-undo/perform.ts')).diffUndo),
  'quarantine-list': operation(
    quarantineList,
    async () => (await import('./quarantine-list/perform.ts')).quarantineList,
  ),
  'retry-quarantine': operation(
    retryQuarantine,
    async () => (await import('./retry-quarantine/perform.ts')).retryQuarantine,
  ),
  slots: operation(slots, async () => (await import('./slots/perform.ts')).slots),
  tokens: operation(tokens, async () => (await import('./tokens/perform.ts')).tokens),
  'partition-run': operation(partitionRun, async () => (await import('./partition-run/perform.ts')).partitionRun),
  'partition-in-place': operation(
    partitionInPlace,
    async () => (await import('./partition-in-place/perform.ts')).partitionInPlace,
  ),
  'partition-plan': operation(partitionPlan, async () => (await import('./partition-plan/perform.ts')).partitionPlan),
  'partition-list': operation(partitionList, async () => (await import('./partition-list/perform.ts')).partitionList),
  'partition-ensure': operation(
    partitionEnsure,
    async () => (await import('./partition-ensure/perform.ts')).partitionEnsure,
  ),
  'partition-decommission': operation(
    partitionDecommission,
    async () => (await import('./partition-decommission/perform.ts')).partitionDecommission,
  ),
  'partition-decommission-database': operation(
    partitionDecommissionDatabase,
    async () => (await import('./partition-decommission-database/perform.ts')).partitionDecommissionDatabase,
  ),
  'lifecycle-status': operation(
    lifecycleStatus,
    async () => (await import('./lifecycle-status/perform.ts')).lifecycleStatus,
  ),
  'lifecycle-init': operation(lifecycleInit, async () => (await import('./lifecycle-init/perform.ts')).lifecycleInit),
  archive: operation(archiveRun, async () => (await import('./archive-run/perform.ts')).archive),
  'archive-list': operation(archiveList, async () => (await import('./archive-list/perform.ts')).archiveList),
  'archive-verify': operation(archiveVerify, async () => (await import('./archive-verify/perform.ts')).archiveVerify),
  'archive-sweep': operation(archiveSweep, async () => (await import('./archive-sweep/perform.ts')).archiveSweep),
  'archive-hold': operation(archiveHold, async () => (await import('./archive-hold/perform.ts')).archiveHold),
  'archive-adopt': operation(archiveAdopt, async () => (await import('./archive-adopt/perform.ts')).archiveAdopt),
  'archive-erase': operation(archiveErase, async () => (await import('./archive-erase/perform.ts')).archiveErase),
  'archive-expire': operation(archiveExpire, async () => (await import('./archive-expire/perform.ts')).archiveExpire),
  restore: operation(restore, async () => (await import('./restore/perform.ts')).restore),
  query: operation(query, async () => (await import('./query/perform.ts')).query),
  sql: operation(sql, async () => (await import('./sql/perform.ts')).sql),
  'migration-status': operation(
    migrationStatus,
    async () => (await import('./migration-status/perform.ts')).migrationStatus,
  ),
  runs: operation(runs, async () => (await import('./migration-status/perform.ts')).recordedRuns),
  'copy-runs': operation(copyRuns, async () => (await import('./copy-runs/perform.ts')).copyRuns),
  report: operation(report, async () => (await import('./report/perform.ts')).report),
  'shared-runs': operation(sharedRuns, async () => (await import('./shared-runs/perform.ts')).sharedRuns),
  'schedule-add': operation(scheduleAdd, async () => (await import('./schedule-add/perform.ts')).scheduleAdd),
  'schedule-list': operation(scheduleList, async () => (await import('./schedule-list/perform.ts')).scheduleList),
  'schedule-next': operation(scheduleNext, async () => (await import('./schedule-next/perform.ts')).scheduleNext),
  'schedule-history': operation(
    scheduleHistory,
    async () => (await import('./schedule-history/perform.ts')).scheduleHistory,
  ),
  'schedule-change': operation(
    scheduleChange,
    async () => (await import('./schedule-change/perform.ts')).scheduleChange,
  ),
  'schedule-print': operation(schedulePrint, async () => (await import('./schedule-print/perform.ts')).schedulePrint),
  worker: operation(worker, async () => (await import('./worker/perform.ts')).worker),
  workers: operation(workers, async () => (await import('./workers/perform.ts')).workers),
  'workers-watch': operation(workersWatch, async () => (await import('./workers-watch/perform.ts')).workersWatch),
  grants: operation(grants, async () => (await import('./grants/perform.ts')).grants),
  'queue-grants': operation(queueGrants, async () => (await import('./queue-grants/perform.ts')).queueGrants),
  doctor: operation(doctor, async () => (await import('./doctor/perform.ts')).doctor),
} as const

type Entries = typeof OPERATIONS
type OperationOf<E> = E extends { readonly declaration: Declaration<infer O> } ? O : never

/**
 * What a user can start, as data. A face (command line, UI, thread) makes one, `runOperation` runs it and emits events; the events, and nothing else, are what a
 * face shows. TABLE is a path with a `_delta_log` below it, or a table id of the catalog.
 */
export type Operation = OperationOf<Entries[keyof Entries]>

export type OperationKind = Operation['kind']

/** An entry stands under the kind that it declares. */
OPERATIONS satisfies {
  readonly [K in OperationKind]: { readonly declaration: Declaration<Extract<Operation, { kind: K }>> }
}
