/**
 * All operations in the order of the help: the declaration, and the function that performs the operation, loaded when
 * the operation runs. To add an operation, add a folder in `operations` of its capability, and an entry here.
 */
import type { Ending, Run } from '../../engine/run/run-context.ts'
import type { Declaration, RunEventType } from '../../engine/run/operations/declaration.ts'
import { discover } from '../../engine/lake/operations/discover/declaration.ts'
import { discoverDatabase } from '../../engine/copy/operations/discover-database/declaration.ts'
import { importOne } from '../../engine/lake/operations/import/declaration.ts'
import { batchImport } from '../../engine/lake/operations/batch-import/declaration.ts'
import { sync } from '../../engine/lake/operations/sync/declaration.ts'
import { validate } from '../../engine/lake/operations/validate/declaration.ts'
import { fsck } from '../../engine/lake/operations/fsck/declaration.ts'
import { performanceCompare } from '../../engine/lake/operations/performance-compare/declaration.ts'
import { history } from '../../engine/lake/operations/history/declaration.ts'
import { files } from '../../engine/lake/operations/files/declaration.ts'
import { changes } from '../../engine/lake/operations/changes/declaration.ts'
import { verifyRollback } from '../../engine/lake/operations/verify-rollback/declaration.ts'
import { rollback } from '../../engine/lake/operations/rollback/declaration.ts'
import { exportLog } from '../../engine/lake/operations/export-log/declaration.ts'
import { prune } from '../../engine/lake/operations/prune/declaration.ts'
import { indexColumns } from '../../engine/lake/operations/index/declaration.ts'
import { copy } from '../../engine/copy/operations/copy/declaration.ts'
import { follow } from '../../engine/follow/operations/follow/declaration.ts'
import { followReport } from '../../engine/follow/operations/follow-report/declaration.ts'
import { signOff } from '../../engine/follow/operations/sign-off/declaration.ts'
import { cutover } from '../../engine/follow/operations/cutover/declaration.ts'
import { diff } from '../../engine/copy/operations/diff/declaration.ts'
import { diffFollowed } from '../../engine/follow/operations/diff-followed/declaration.ts'
import { diffUndo } from '../../engine/copy/operations/diff-undo/declaration.ts'
import { quarantineList } from '../../engine/copy/operations/quarantine-list/declaration.ts'
import { retryQuarantine } from '../../engine/copy/operations/retry-quarantine/declaration.ts'
import { slots } from '../../engine/follow/operations/slots/declaration.ts'
import { tokens } from '../../engine/copy/operations/tokens/declaration.ts'
import { partitionInPlace } from '../../partition/operations/partition-in-place/declaration.ts'
import { partitionList } from '../../partition/operations/partition-list/declaration.ts'
import { partitionEnsure } from '../../partition/operations/partition-ensure/declaration.ts'
import { partitionDecommission } from '../../partition/operations/partition-decommission/declaration.ts'
import { partitionDecommissionDatabase } from '../../partition/operations/partition-decommission-database/declaration.ts'
import { partitionRun } from '../../partition/operations/partition-run/declaration.ts'
import { partitionPlan } from '../../partition/operations/partition-plan/declaration.ts'
import { lifecycleStatus } from '../../partition/operations/lifecycle-status/declaration.ts'
import { lifecycleInit } from '../../partition/operations/lifecycle-init/declaration.ts'
import { archiveRun } from '../../archive/operations/archive-run/declaration.ts'
import { archiveList } from '../../archive/operations/archive-list/declaration.ts'
import { archiveVerify } from '../../archive/operations/archive-verify/declaration.ts'
import { archiveSweep } from '../../archive/operations/archive-sweep/declaration.ts'
import { archiveHold } from '../../archive/operations/archive-hold/declaration.ts'
import { archiveAdopt } from '../../archive/operations/archive-adopt/declaration.ts'
import { archiveErase } from '../../archive/operations/archive-erase/declaration.ts'
import { archiveExpire } from '../../archive/operations/archive-expire/declaration.ts'
import { restore } from '../../archive/operations/restore/declaration.ts'
import { query } from '../../archive/operations/query/declaration.ts'
import { sql } from './sql/declaration.ts'
import { migrationStatus } from '../../engine/lake/operations/migration-status/declaration.ts'
import { runs } from '../../engine/lake/operations/runs/declaration.ts'
import { copyRuns } from '../../engine/copy/operations/copy-runs/declaration.ts'
import { report } from './report/declaration.ts'
import { scheduleAdd } from '../share/operations/schedule-add/declaration.ts'
import { scheduleChange } from '../share/operations/schedule-change/declaration.ts'
import { scheduleHistory } from '../share/operations/schedule-history/declaration.ts'
import { scheduleList } from '../share/operations/schedule-list/declaration.ts'
import { scheduleNext } from '../share/operations/schedule-next/declaration.ts'
import { schedulePrint } from '../share/operations/schedule-print/declaration.ts'
import { sharedRuns } from '../share/operations/shared-runs/declaration.ts'
import { worker } from '../share/operations/worker/declaration.ts'
import { workers } from '../share/operations/workers/declaration.ts'
import { workersWatch } from '../share/operations/workers-watch/declaration.ts'
import { grants } from '../../engine/lake/operations/grants/declaration.ts'
import { queueGrants } from '../share/operations/queue-grants/declaration.ts'
import { doctor } from './doctor/declaration.ts'

/** @throws any error of the operation; `runOperation` turns it into the last event */
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
  discover: operation(
    discover,
    async () => (await import('../../engine/lake/operations/discover/perform.ts')).performDiscover,
  ),
  'discover-database': operation(
    discoverDatabase,
    async () => (await import('../../engine/copy/operations/discover-database/perform.ts')).performDiscoverDatabase,
  ),
  import: operation(
    importOne,
    async () => (await import('../../engine/lake/operations/import/perform.ts')).performImportOne,
  ),
  'batch-import': operation(
    batchImport,
    async () => (await import('../../engine/lake/operations/batch-import/perform.ts')).performBatchImport,
  ),
  sync: operation(sync, async () => (await import('../../engine/lake/operations/sync/perform.ts')).performSync),
  validate: operation(
    validate,
    async () => (await import('../../engine/lake/operations/validate/perform.ts')).performValidate,
  ),
  fsck: operation(fsck, async () => (await import('../../engine/lake/operations/fsck/perform.ts')).performFsck),
  'performance-compare': operation(
    performanceCompare,
    async () => (await import('../../engine/lake/operations/performance-compare/perform.ts')).performCompare,
  ),
  history: operation(
    history,
    async () => (await import('../../engine/lake/operations/history/perform.ts')).performHistory,
  ),
  files: operation(files, async () => (await import('../../engine/lake/operations/files/perform.ts')).performFiles),
  changes: operation(
    changes,
    async () => (await import('../../engine/lake/operations/changes/perform.ts')).performChanges,
  ),
  'verify-rollback': operation(
    verifyRollback,
    async () => (await import('../../engine/lake/operations/rollback/perform.ts')).performVerifyRollback,
  ),
  rollback: operation(
    rollback,
    async () => (await import('../../engine/lake/operations/rollback/perform.ts')).performRollback,
  ),
  'export-log': operation(
    exportLog,
    async () => (await import('../../engine/lake/operations/export-log/perform.ts')).performExportLog,
  ),
  prune: operation(prune, async () => (await import('../../engine/lake/operations/prune/perform.ts')).performPrune),
  index: operation(
    indexColumns,
    async () => (await import('../../engine/lake/operations/index/perform.ts')).performIndexColumns,
  ),
  copy: operation(copy, async () => (await import('../../engine/follow/stream/companion.ts')).copyAndFollow),
  follow: operation(
    follow,
    async () => (await import('../../engine/follow/operations/follow/perform.ts')).performFollow,
  ),
  'follow-report': operation(
    followReport,
    async () => (await import('../../engine/follow/operations/follow-report/perform.ts')).performFollowReport,
  ),
  'sign-off': operation(
    signOff,
    async () => (await import('../../engine/follow/operations/sign-off/perform.ts')).performSignOff,
  ),
  cutover: operation(
    cutover,
    async () => (await import('../../engine/follow/operations/cutover/perform.ts')).performCutover,
  ),
  diff: operation(diff, async () => (await import('../../engine/copy/operations/diff/perform.ts')).performDiff),
  'diff-followed': operation(
    diffFollowed,
    async () => (await import('../../engine/follow/operations/diff-followed/perform.ts')).performDiffFollowed,
  ),
  'diff-undo': operation(
    diffUndo,
    async () => (await import('../../engine/copy/operations/diff-undo/perform.ts')).performDiffUndo,
  ),
  'quarantine-list': operation(
    quarantineList,
    async () => (await import('../../engine/copy/operations/quarantine-list/perform.ts')).performQuarantineList,
  ),
  'retry-quarantine': operation(
    retryQuarantine,
    async () => (await import('../../engine/copy/operations/retry-quarantine/perform.ts')).performRetryQuarantine,
  ),
  slots: operation(slots, async () => (await import('../../engine/follow/operations/slots/perform.ts')).performSlots),
  tokens: operation(tokens, async () => (await import('../../engine/copy/operations/tokens/perform.ts')).performTokens),
  'partition-run': operation(
    partitionRun,
    async () => (await import('../../partition/operations/partition-run/perform.ts')).performPartitionRun,
  ),
  'partition-in-place': operation(
    partitionInPlace,
    async () => (await import('../../partition/operations/partition-in-place/perform.ts')).performPartitionInPlace,
  ),
  'partition-plan': operation(
    partitionPlan,
    async () => (await import('../../partition/operations/partition-plan/perform.ts')).performPartitionPlan,
  ),
  'partition-list': operation(
    partitionList,
    async () => (await import('../../partition/operations/partition-list/perform.ts')).performPartitionList,
  ),
  'partition-ensure': operation(
    partitionEnsure,
    async () => (await import('../../partition/operations/partition-ensure/perform.ts')).performPartitionEnsure,
  ),
  'partition-decommission': operation(
    partitionDecommission,
    async () =>
      (await import('../../partition/operations/partition-decommission/perform.ts')).performPartitionDecommission,
  ),
  'partition-decommission-database': operation(
    partitionDecommissionDatabase,
    async () =>
      (await import('../../partition/operations/partition-decommission-database/perform.ts'))
        .performPartitionDecommissionDatabase,
  ),
  'lifecycle-status': operation(
    lifecycleStatus,
    async () => (await import('../../partition/operations/lifecycle-status/perform.ts')).performLifecycleStatus,
  ),
  'lifecycle-init': operation(
    lifecycleInit,
    async () => (await import('../../partition/operations/lifecycle-init/perform.ts')).performLifecycleInit,
  ),
  archive: operation(archiveRun, async () => (await import('../../archive/operations/archive-run/perform.ts')).archive),
  'archive-list': operation(
    archiveList,
    async () => (await import('../../archive/operations/archive-list/perform.ts')).performArchiveList,
  ),
  'archive-verify': operation(
    archiveVerify,
    async () => (await import('../../archive/operations/archive-verify/perform.ts')).performArchiveVerify,
  ),
  'archive-sweep': operation(
    archiveSweep,
    async () => (await import('../../archive/operations/archive-sweep/perform.ts')).performArchiveSweep,
  ),
  'archive-hold': operation(
    archiveHold,
    async () => (await import('../../archive/operations/archive-hold/perform.ts')).performArchiveHold,
  ),
  'archive-adopt': operation(
    archiveAdopt,
    async () => (await import('../../archive/operations/archive-adopt/perform.ts')).performArchiveAdopt,
  ),
  'archive-erase': operation(
    archiveErase,
    async () => (await import('../../archive/operations/archive-erase/perform.ts')).performArchiveErase,
  ),
  'archive-expire': operation(
    archiveExpire,
    async () => (await import('../../archive/operations/archive-expire/perform.ts')).performArchiveExpire,
  ),
  restore: operation(restore, async () => (await import('../../archive/operations/restore/perform.ts')).performRestore),
  query: operation(query, async () => (await import('../../archive/operations/query/perform.ts')).performQuery),
  sql: operation(sql, async () => (await import('./sql/perform.ts')).performSql),
  'migration-status': operation(
    migrationStatus,
    async () => (await import('../../engine/lake/operations/migration-status/perform.ts')).performMigrationStatus,
  ),
  runs: operation(
    runs,
    async () => (await import('../../engine/lake/operations/migration-status/perform.ts')).performRuns,
  ),
  'copy-runs': operation(
    copyRuns,
    async () => (await import('../../engine/copy/operations/copy-runs/perform.ts')).performCopyRuns,
  ),
  report: operation(report, async () => (await import('./report/perform.ts')).performReport),
  'shared-runs': operation(
    sharedRuns,
    async () => (await import('../share/operations/shared-runs/perform.ts')).performSharedRuns,
  ),
  'schedule-add': operation(
    scheduleAdd,
    async () => (await import('../share/operations/schedule-add/perform.ts')).performScheduleAdd,
  ),
  'schedule-list': operation(
    scheduleList,
    async () => (await import('../share/operations/schedule-list/perform.ts')).performScheduleList,
  ),
  'schedule-next': operation(
    scheduleNext,
    async () => (await import('../share/operations/schedule-next/perform.ts')).performScheduleNext,
  ),
  'schedule-history': operation(
    scheduleHistory,
    async () => (await import('../share/operations/schedule-history/perform.ts')).performScheduleHistory,
  ),
  'schedule-change': operation(
    scheduleChange,
    async () => (await import('../share/operations/schedule-change/perform.ts')).performScheduleChange,
  ),
  'schedule-print': operation(
    schedulePrint,
    async () => (await import('../share/operations/schedule-print/perform.ts')).performSchedulePrint,
  ),
  worker: operation(worker, async () => (await import('../share/operations/worker/perform.ts')).performWorker),
  workers: operation(workers, async () => (await import('../share/operations/workers/perform.ts')).performWorkers),
  'workers-watch': operation(
    workersWatch,
    async () => (await import('../share/operations/workers-watch/perform.ts')).performWorkersWatch,
  ),
  grants: operation(grants, async () => (await import('../../engine/lake/operations/grants/perform.ts')).performGrants),
  'queue-grants': operation(
    queueGrants,
    async () => (await import('../share/operations/queue-grants/perform.ts')).performQueueGrants,
  ),
  doctor: operation(doctor, async () => (await import('./doctor/perform.ts')).performDoctor),
} as const

type Entries = typeof OPERATIONS
type OperationOf<E> = E extends { readonly declaration: Declaration<infer O> } ? O : never

/**
 * An operation that a user can start, as plain data. A frontend (command line, UI, thread) creates it; `runOperation`
 * runs it and emits events. A frontend shows only these events. A table of a lake is named by its path, which has a
 * `_delta_log` below it, or by its table id in the catalog.
 */
export type Operation = OperationOf<Entries[keyof Entries]>

export type OperationKind = Operation['kind']

/** Checks that each entry has the key of its declared kind. */
OPERATIONS satisfies {
  readonly [K in OperationKind]: { readonly declaration: Declaration<Extract<Operation, { kind: K }>> }
}
